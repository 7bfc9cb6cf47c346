// How match requests and sessions end when nobody ends them: the timers, shortened by configuration.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { expectError, expectOk } from '../lib/expect.js';
import { until } from '../lib/wait.js';
import { World } from '../lib/world.js';

const statusOf = async (learner, sessionId) => {
  const { session } = expectOk(await learner.session(sessionId));
  return { status: session.status, endReason: session.endReason };
};

// Each time is short only where the test is about its end: whoever must do something in time has long, for the machine may
// stand still for seconds.
describe('waits that end', { concurrency: true }, () => {
  let world;
  before(async () => {
    world = await World.create({
      env: {
        MATCH_TIMEOUT_SECONDS: '2',
        SESSION_ABANDONED_SECONDS: '5',
        SESSION_CLEANUP_INTERVAL: '500',
      },
    });
  });
  after(() => world.stop());

  it('a request that finds nobody expires and says so', async () => {
    const learner = world.learner({ levels: { de: 'B1' } }); // a language of its own: the last pass takes any level
    const socket = await learner.connect();
    const { matchRequest } = expectOk(await learner.requestMatch({ targetLanguageCode: 'de' }), 201);
    assert.deepEqual(await socket.take('match_expired'), { matchRequestId: matchRequest.id });
    assert.equal(expectOk(await learner.matchStatus()).matchRequest.status, 'expired');
    expectError(await learner.cancelMatch(matchRequest.id), 410, 'MATCH_EXPIRED');
    const events = await world.db.query(
      `SELECT event_type FROM event_outbox WHERE payload->>'matchRequestId' = $1 ORDER BY id`,
      [matchRequest.id],
    );
    assert.deepEqual(
      events.map((e) => e.event_type),
      ['match.requested', 'match.expired'],
    );
    expectOk(await learner.requestMatch({ targetLanguageCode: 'de' }), 201);
  });

  it('a cancelled request is never matched', async () => {
    const person = { levels: { it: 'B1' } };
    const italian = { targetLanguageCode: 'it' };
    const [gone, other] = [world.learner(person), world.learner(person)];
    const { matchRequest } = expectOk(await gone.requestMatch({ ...italian, maxWaitTimeSeconds: 120 }), 201);
    expectOk(await gone.cancelMatch(matchRequest.id));
    expectOk(await other.requestMatch(italian), 201);
    await until(
      'the other one to expire',
      async () => expectOk(await other.matchStatus()).matchRequest.status === 'expired',
    );
    assert.equal(expectOk(await gone.matchStatus()).matchRequest.status, 'cancelled');
  });

  it('a waiting session that nobody joins is deleted', async () => {
    const { a, sessionId } = await world.pair({ levels: { en: 'A2' } }, { maxWaitTimeSeconds: 120 });
    await until('the session to be gone', async () => (await a.session(sessionId)).status === 404);
    expectError(await a.session(sessionId), 404, 'SESSION_NOT_FOUND');
  });
});

describe('a partner who does not come', { concurrency: true }, () => {
  let world;
  before(async () => {
    world = await World.create({
      env: {
        SESSION_JOIN_WINDOW_SECONDS: '1',
        SESSION_CLEANUP_INTERVAL: '500',
      },
    });
  });
  after(() => world.stop());

  it('a waiting session whose second participant does not come expires', async () => {
    const { a, b, sessionId } = await world.pair({ levels: { en: 'B2' } });
    const socket = await a.enter(sessionId);
    const ended = await socket.take('session_ended');
    assert.equal(ended.reason, 'partner_left');
    assert.deepEqual(await statusOf(b, sessionId), { status: 'expired', endReason: 'no_show' });
    expectError(await b.join(sessionId), 410, 'SESSION_ENDED');
  });

  it("a no-show's partner is matched with the next one who comes, before the no-show", async () => {
    const person = { levels: { en: 'C1' } };
    const { a, b, sessionId } = await world.pair(person);
    const socket = await a.enter(sessionId);
    await socket.take('session_ended');
    const requeued = await socket.take('match_requeued');
    assert.equal(requeued.sessionId, sessionId);
    const { matchRequest } = expectOk(await a.matchStatus());
    assert.equal(matchRequest.id, requeued.matchRequestId);
    assert.equal(matchRequest.status, 'pending');
    assert.equal(matchRequest.expiresAt, requeued.expiresAt);
    assert.ok(matchRequest.waitedSeconds >= 1, 'it keeps the wait it has earned');
    expectError(await a.requestMatch(), 409, 'ALREADY_MATCHED');
    const next = world.learner(person);
    expectOk(await next.requestMatch(), 201);
    const found = await socket.take('match_found');
    assert.equal(found.matchRequestId, requeued.matchRequestId);
    assert.equal(found.partner.userId, next.userId);
    assert.equal((await statusOf(a, found.sessionId)).status, 'waiting');
    expectOk(await b.requestMatch(), 201); // it is free to ask again, too
    expectOk(await a.leave(found.sessionId));
  });
});

describe('conversations', { concurrency: true }, () => {
  let world;
  before(async () => {
    world = await World.create({
      env: {
        SESSION_CLEANUP_INTERVAL: '500',
        SESSION_MAX_DURATION_FREE: '3',
        SESSION_MAX_DURATION_PREMIUM: '600',
        PROMPT_INTERVAL_MIN: '1',
        PROMPT_INTERVAL_MAX: '1',
        PROMPTS_MAX: '3',
      },
    });
  });
  after(() => world.stop());

  it('who speaks is told to the partner, counted, and part of what conversation.completed says', async () => {
    const { a, sa, sb, sessionId } = await world.conversation({ levels: { en: 'C2' } });
    const says = async (socket, speaking) => {
      assert.deepEqual(await socket.emit('speaking_state', { sessionId, speaking }), { status: 'ok' });
    };
    await says(sa, true);
    assert.deepEqual(await sb.take('partner_speaking'), { partnerId: a.userId, speaking: true });
    const since = Date.now();
    await until('a second to pass', () => Date.now() > since + 1000);
    await says(sa, false);
    assert.deepEqual(await sb.take('partner_speaking'), { partnerId: a.userId, speaking: false });
    const { session } = expectOk(await a.end(sessionId));
    const speech = ({ spokenSeconds, turnCount }) => ({ spokenSeconds: Math.min(spokenSeconds, 1), turnCount });
    const expected = [
      { spokenSeconds: 1, turnCount: 1 },
      { spokenSeconds: 0, turnCount: 0 },
    ];
    assert.deepEqual(session.participants.map(speech), expected);
    assert.deepEqual(expectOk(await a.session(sessionId)).session.participants.map(speech), expected);
    const { payload } = await world.db.one(
      `SELECT payload FROM event_outbox WHERE event_type = 'conversation.completed' AND payload->>'sessionId' = $1`,
      [sessionId],
    );
    assert.deepEqual(payload.participants.map(speech), expected);
  });

  it('a conversation of two free learners ends at their limit', async () => {
    const { a, b, sessionId, sa, sb } = await world.conversation({ tier: 'free', levels: { en: 'A1' } });
    for (const socket of [sa, sb]) {
      const ended = await socket.take('session_ended');
      assert.equal(ended.reason, 'timeout');
      assert.ok(ended.durationSeconds >= 3 && ended.durationSeconds < 60, `${ended.durationSeconds} s, not 600`);
    }
    assert.deepEqual(await statusOf(a, sessionId), { status: 'completed', endReason: 'timeout' });
    assert.equal(expectOk(await b.history()).conversations[0].sessionId, sessionId);
  });

  it('prompts come by themselves, the same to both, and not more than there may be', async () => {
    const { a, sa, sb, sessionId } = await world.conversation(
      { levels: { fr: 'B1' } },
      { targetLanguageCode: 'fr' },
    );
    const keys = [];
    for (let i = 0; i < 2; i++) {
      const [one, two] = [await sa.take('new_prompt'), await sb.take('new_prompt')];
      assert.deepEqual(one, two);
      assert.ok(['main_topic', 'follow_up', 'icebreaker'].includes(one.category));
      keys.push(one.promptKey);
    }
    assert.equal(new Set(keys).size, keys.length, 'none comes twice');
    const shown = await until('the prompts to be stored', async () => {
      const sql = 'SELECT prompt_key FROM session_prompts WHERE session_id = $1 ORDER BY id';
      const rows = await world.db.query(sql, [sessionId]); // stored after they are shown
      return rows.length === 1 + keys.length && rows;
    });
    assert.deepEqual(
      shown.slice(1).map((row) => row.prompt_key),
      keys,
    );
    expectOk(await a.end(sessionId));
    await sa.take('session_ended');
    assert.ok(!(await sa.untaken()).includes('new_prompt'));
  });
});

describe('leaving after the first minute', () => {
  let world;
  before(async () => {
    world = await World.create();
  });
  after(() => world.stop());

  // The first minute is over: the start is moved back, in the database and by joining anew after a restart.
  it('completes the session', async () => {
    const { a, b, sessionId } = await world.conversation();
    await world.daemon.stop();
    await world.db.query(`UPDATE sessions SET started_at = started_at - interval '2 minutes' WHERE id = $1`, [
      sessionId,
    ]);
    await world.restartDaemon();
    for (const learner of [a, b]) learner.rest = world.rest;
    const { status } = await statusOf(a, sessionId);
    assert.equal(status, 'active', 'a stop of the daemon ends no conversation');
    const sb = await b.enter(sessionId);
    const sa = await a.enter(sessionId);
    assert.equal((await sa.emit('leave_session', { sessionId, userId: a.userId })).status, 'ok');
    const ended = await sb.take('session_ended');
    assert.equal(ended.reason, 'partner_left');
    assert.ok(ended.durationSeconds >= 120);
    assert.deepEqual(await statusOf(b, sessionId), { status: 'completed', endReason: 'left' });
  });
});

describe('matching', { concurrency: true }, () => {
  let world;
  before(async () => {
    world = await World.create();
  });
  after(() => world.stop());

  it('pairs a tandem across languages', async () => {
    const ana = world.learner({ native: 'es', levels: { en: 'B1' } });
    const ben = world.learner({ native: 'en', levels: { es: 'B1' } });
    expectOk(await ana.requestMatch({ preferredPartnerNativeLanguageCode: 'en' }), 201);
    expectOk(
      await ben.requestMatch({ targetLanguageCode: 'es', preferredPartnerNativeLanguageCode: 'es' }),
      201,
    );
    const sessionId = await ana.matched();
    assert.equal(await ben.matched(), sessionId);
    const { session } = expectOk(await ana.join(sessionId));
    const targets = Object.fromEntries(session.participants.map((p) => [p.userId, p.targetLanguageCode]));
    assert.deepEqual(targets, { [ana.userId]: 'en', [ben.userId]: 'es' });
  });

  it('pairs a crowd two by two, everybody once', async () => {
    const learners = Array.from({ length: 60 }, () => world.learner({ levels: { it: 'B1' } }));
    const answers = await Promise.all(
      learners.map((learner) => learner.requestMatch({ targetLanguageCode: 'it' })),
    );
    for (const answer of answers) expectOk(answer, 201);
    const sessions = await Promise.all(learners.map((learner) => learner.matched()));
    const counts = new Map();
    for (const id of sessions) counts.set(id, (counts.get(id) ?? 0) + 1);
    assert.equal(counts.size, 30);
    assert.ok([...counts.values()].every((n) => n === 2));
  });

  it('lets one of a cancel and a match win, never both', async () => {
    for (let i = 0; i < 10; i++) {
      const [a, b] = [world.learner({ levels: { de: 'B1' } }), world.learner({ levels: { de: 'B1' } })];
      const { matchRequest } = expectOk(await a.requestMatch({ targetLanguageCode: 'de' }), 201);
      const [cancelled, asked] = await Promise.all([
        a.cancelMatch(matchRequest.id),
        b.requestMatch({ targetLanguageCode: 'de' }),
      ]);
      const other = expectOk(asked, 201).matchRequest;
      if (cancelled.status === 200) {
        assert.equal(expectOk(await a.matchStatus()).matchRequest.status, 'cancelled');
        assert.equal(expectOk(await b.cancelMatch(other.id)).matchRequest.status, 'cancelled');
      } else {
        expectError(cancelled, 409, 'ALREADY_MATCHED');
        assert.equal(await a.matched(), await b.matched());
      }
    }
  });

  it('stores one request when the same user asks many times at once', async () => {
    const learner = world.learner({ levels: { en: 'C2' } });
    const answers = await Promise.all(Array.from({ length: 10 }, () => learner.requestMatch()));
    assert.equal(answers.filter((answer) => answer.status === 201).length, 1);
    for (const answer of answers.filter((each) => each.status !== 201))
      expectError(answer, 409, 'ALREADY_MATCHED');
  });
});
