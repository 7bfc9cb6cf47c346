// What a user can learn about what is held, and that nothing is left once it is erased: not in a table, in Redis, in the
// outbox, in the log of the run.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { API } from '../lib/learner.js';
import { until } from '../lib/wait.js';
import { World } from '../lib/world.js';

// What only one user has.
let users = 0;
const textsOf = (n) => ({
  name: `Zenobia Quince ${n}.`,
  avatar: `https://cdn.example.org/zenobia-${n}.png`,
  feedback: `she laughed at my accent all the time, ${n} times`,
  details: `he asked me where I live, ${n} times`,
});

// How many rows of which tables have the text in any column.
async function tablesWith(db, text) {
  const tables = await db.query(
    `SELECT table_name FROM information_schema.tables
      WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY table_name`,
  );
  const found = {};
  for (const { table_name: table } of tables) {
    const { n } = await db.one(`SELECT count(*)::int AS n FROM "${table}" t WHERE strpos(t::text, $1) > 0`, [text]);
    if (n) found[table] = n;
  }
  return found;
}

// Names and values of everything in Redis that has the text.
function keysWith(redis, text) {
  const reads = { string: ['GET'], hash: ['HGETALL'], set: ['SMEMBERS'], list: ['LRANGE', 0, -1], zset: ['ZRANGE', 0, -1] };
  const keys = redis.cli('KEYS', '*').split('\n').filter(Boolean);
  return keys.filter((key) => {
    const [command, ...range] = reads[redis.cli('TYPE', key)] ?? ['EXISTS'];
    return key.includes(text) || redis.cli(command, key, ...range.map(String)).includes(text);
  });
}

const exported = (learner) => learner.call('GET', '/users/me/export');
const erase = (learner) => learner.call('DELETE', '/users/me/data');

async function untilErased(world, learner) {
  await until('the promise to be kept', async () => {
    const { n } = await world.db.one('SELECT count(*)::int AS n FROM erasures WHERE user_id = $1', [learner.userId]);
    return n === 0;
  });
}

describe("a user's data", () => {
  let world;
  before(async () => {
    world = await World.create();
  });
  after(() => world.stop());

  // A conversation that both have rated, reported and blocked each other in; the first one has everything that a user can.
  async function history(count = 1) {
    const texts = textsOf(++users);
    const me = world.learner({ name: texts.name, picture: texts.avatar });
    const other = world.learner({ name: 'Ben' });
    const sessions = [];
    for (let i = 0; i < count; i++) {
      await world.db.query('DELETE FROM past_partners');
      for (const learner of [me, other]) {
        const answer = await learner.requestMatch({ maxWaitTimeSeconds: 120 });
        assert.equal(answer.status, 201, answer.text);
      }
      const sessionId = await me.matched();
      const [mine, theirs] = [await me.enter(sessionId), await other.enter(sessionId)];
      await mine.take('partner_joined');
      await theirs.take('partner_joined');
      await world.db.query("UPDATE sessions SET started_at = started_at - interval '5 min' WHERE id = $1", [sessionId]);
      assert.equal((await me.end(sessionId)).status, 200);
      await mine.take('session_ended');
      assert.equal((await me.rate(sessionId, 2, texts.feedback)).status, 200);
      assert.equal((await other.rate(sessionId, 5)).status, 200);
      sessions.push(sessionId);
    }
    await world.db.query(
      `INSERT INTO reports (session_id, reporter_id, reported_user_id, reason, details)
       VALUES ($1, $2, $3, 'harassment', $4), ($1, $3, $2, 'other', $5)`,
      [sessions[0], me.userId, other.userId, texts.details, `${texts.name} was rude`],
    );
    await world.db.query('INSERT INTO user_blocks (blocker_id, blocked_id) VALUES ($1, $2)', [me.userId, other.userId]);
    await world.db.query(`INSERT INTO user_skills VALUES ($1, 'idioms.en', gen_random_uuid())`, [me.userId]);
    await world.db.query(
      `INSERT INTO user_flags (user_id, reason, reporter_count) VALUES ($1, 'reports', 4)`,
      [me.userId],
    );
    return { me, other, sessions, texts };
  }

  it('is exported as one document', async () => {
    const { me, other, sessions, texts } = await history();
    const { status, body, headers } = await exported(me);
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'application/json; charset=utf-8');
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(body.userId, me.userId);
    assert.equal(body.matchRequests.length, 1);
    assert.equal(body.matchRequests[0].displayName, texts.name);
    assert.equal(body.sessions.length, 1);
    const [session] = body.sessions;
    assert.equal(session.sessionId, sessions[0]);
    assert.equal(session.displayName, texts.name);
    assert.equal(session.avatarUrl, texts.avatar);
    assert.equal(session.role, 'learner');
    assert.equal(session.spokenSeconds, 0);
    assert.ok(session.joinedAt && session.leftAt);
    assert.equal(session.rating.rating, 2);
    assert.equal(session.rating.feedback, texts.feedback);
    assert.deepEqual(body.reportsWritten.map((r) => [r.details, r.reportedUserId]), [[texts.details, other.userId]]);
    assert.deepEqual(body.blocks.map((b) => b.userId), [other.userId]);
    assert.deepEqual(body.skills.map((s) => s.skillCode), ['idioms.en']);
    assert.equal(body.moderationFlags.length, 1);
    assert.deepEqual(body.pastPartners.map((p) => p.partnerId), [other.userId]);
    assert.doesNotMatch(JSON.stringify(body), /Ben|was rude/, "nothing of the partner's");
    for (const part of ['matchRequests', 'sessions', 'pastPartners']) {
      const mine = body[part].map((each) => JSON.stringify(each));
      assert.equal(new Set(mine).size, mine.length);
    }
  });

  it('is exported to its owner alone', async () => {
    await history();
    const { body } = await exported(world.learner({ name: 'Eve' }));
    assert.deepEqual(
      Object.entries(body).filter(([, value]) => Array.isArray(value) && value.length),
      [],
    );
    const { status } = await world.rest.call('GET', `${API}/users/me/export`);
    assert.equal(status, 401);
  });

  it('is gone from everywhere once it is erased, and the partner keeps their history', async () => {
    const { me, other, sessions, texts } = await history(2);
    assert.ok(Object.keys(await tablesWith(world.db, me.userId)).length > 5, 'the search finds what there is');
    world.redis.cli('SET', `profile:${me.userId}:en`, JSON.stringify({ displayName: texts.name, avatarUrl: texts.avatar }));
    world.redis.cli('SET', `user_session:${me.userId}`, sessions[0]); // its end found Redis away
    world.redis.cli('HSET', `session:${sessions[0]}`, 'participantIds', `${me.userId},${other.userId}`);
    assert.equal((await exported(me)).status, 200); // leaves a count for the limit
    assert.ok(keysWith(world.redis, me.userId).length >= 4);

    other.close(); // what its connection was sent is kept, for a return, for as long as it lasts
    const [socket] = me.sockets;
    const answer = await erase(me);
    assert.equal(answer.status, 202);
    assert.deepEqual(answer.body, { status: 'erasing' });
    await untilErased(world, me);
    assert.equal(await socket.disconnected(), 'io server disconnect');
    await until('what sockets were sent to be dropped', () => keysWith(world.redis, me.userId).length === 0);

    for (const text of [me.userId, ...Object.values(texts)]) {
      assert.deepEqual(await tablesWith(world.db, text), {}, text);
      assert.deepEqual(keysWith(world.redis, text), [], text);
    }
    for (const text of Object.values(texts))
      assert.ok(!world.daemon.text.includes(text), `${text} in the log`);

    const { body } = await other.history();
    assert.equal(body.total, 2);
    assert.deepEqual(body.conversations.map((c) => c.sessionId).sort(), [...sessions].sort());
    for (const conversation of body.conversations) {
      assert.equal(conversation.partnerDisplayName, '');
      assert.equal(conversation.myRating, 5);
    }
    const session = await other.session(sessions[0]);
    assert.equal(session.status, 200);
    const [stranger] = session.body.session.participants.filter((p) => p.userId !== other.userId);
    assert.equal(stranger.displayName, '');
    assert.equal((await me.session(sessions[0])).status, 404, 'no longer in it');
    assert.deepEqual((await me.history()).body.conversations, []);
    const { body: empty } = await exported(me);
    assert.deepEqual(empty.sessions, []);
  });

  it('is erased although a conversation goes on: it ends first, and the partner is told', async () => {
    const { a, b, sessionId, sb } = await world.conversation();
    assert.equal((await erase(a)).status, 202);
    const { reason } = await sb.take('session_ended');
    assert.equal(reason, 'partner_left');
    await untilErased(world, a);
    assert.deepEqual(await tablesWith(world.db, a.userId), {});
    assert.equal((await b.session(sessionId)).status, 200);
  });

  it('is erased although a request waits', async () => {
    const me = world.learner({ levels: { en: 'C2' } });
    assert.equal((await me.requestMatch()).status, 201);
    assert.equal((await erase(me)).status, 202);
    await untilErased(world, me);
    assert.deepEqual(await tablesWith(world.db, me.userId), {});
    assert.deepEqual(keysWith(world.redis, me.userId), []);
    assert.equal((await me.matchStatus()).status, 404);
    assert.equal((await me.requestMatch()).status, 201, 'who comes back begins anew');
    assert.equal((await erase(me)).status, 202);
    await untilErased(world, me);
  });

  it('is erased after a restart when the daemon dies in between', async () => {
    const { me, texts } = await history();
    // promised by an instance that has died since
    await world.db.query(
      `INSERT INTO erasures VALUES ($1, now() - interval '2 min', now() - interval '1 min')`,
      [me.userId],
    );
    for (const learner of world.learners) learner.close();
    await world.daemon.kill();
    await world.restartDaemon();
    await untilErased(world, me);
    assert.deepEqual(await tablesWith(world.db, me.userId), {});
    assert.deepEqual(await tablesWith(world.db, texts.name), {});
  });
});
