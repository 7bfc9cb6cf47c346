// Match requests over real HTTP, PostgreSQL and Redis, on two instances: retries, waiting for the status, the weekly
// quota, rate limits, conversations arranged ahead.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';
import { after, before, describe, it } from 'node:test';
import { expectError, expectOk, expectRetryable } from '../lib/expect.js';
import { Learner } from '../lib/learner.js';
import { until } from '../lib/wait.js';
import { World } from '../lib/world.js';

const AT_ONCE = 8;
const times = (n, f) => Promise.all(Array.from({ length: n }, (_, i) => f(i)));
const inHours = (hours) => new Date(Date.now() + hours * 3_600_000).toISOString();

// The quota's week begins on Monday at midnight, UTC. What was used just before it counts no more just after it.
const WEEK_MS = 7 * 24 * 3_600_000;
const WEEKS_END_MS = 60_000;
const endsSoon = () => (Date.now() - Date.UTC(2024, 0, 1)) % WEEK_MS > WEEK_MS - WEEKS_END_MS; // that was a Monday

// A language for each test: nobody is matched across.
const languages = ['fr', 'es', 'de', 'it'];

// The world with a second instance: `other` is the same learner there.
async function twoInstances(env) {
  const world = await World.create({ env });
  const second = await world.startAnother();
  world.elsewhere = (learner) => new Learner(second.rest, learner.mint, learner.person);
  return world;
}

const keyed = (learner, key, body = {}) =>
  learner.call(
    'POST',
    '/match-request',
    { targetLanguageCode: 'en', topicCode: 'free_talk', ...body },
    { headers: { 'idempotency-key': key } },
  );
const waitFor = (learner, seconds) => learner.call('GET', `/match-request/status?wait=${seconds}`);

describe('retries with an Idempotency-Key', () => {
  let world;
  before(async () => {
    world = await twoInstances({});
  });
  after(() => world.stop());

  it('get the first result, at once, later, elsewhere and after a restart', async () => {
    const learner = world.learner({ levels: { en: 'C2' } });
    const elsewhere = world.elsewhere(learner);
    const key = `"${crypto.randomUUID()}"`;
    const answers = await times(AT_ONCE, (i) => keyed(i % 2 ? learner : elsewhere, key));
    const first = expectOk(answers[0], 201);
    for (const answer of answers) assert.deepEqual(expectOk(answer, 201), first);
    assert.deepEqual(expectOk(await keyed(learner, key.slice(1, -1)), 201), first, 'the bare text is the same key');
    expectOk(await learner.cancelMatch(first.matchRequest.id));
    assert.deepEqual(expectOk(await keyed(elsewhere, key), 201), first);
    await world.daemon.stop();
    await world.restartDaemon();
    assert.deepEqual(expectOk(await keyed(learner, key), 201), first);
    const rows = await world.db.query('SELECT status FROM match_requests WHERE user_id = $1', [learner.userId]);
    assert.deepEqual(rows, [{ status: 'cancelled' }]);
    const events = await world.db.query(
      `SELECT count(*)::int AS n FROM event_outbox WHERE key = $1 AND event_type = 'match.requested'`,
      [learner.userId],
    );
    assert.equal(events[0].n, 1);
  });

  it('with another body are 422, and malformed keys 400', async () => {
    const learner = world.learner({ levels: { en: 'C1' } });
    expectOk(await keyed(learner, 'k1'), 201);
    expectError(await keyed(learner, 'k1', { preferredDuration: 5 }), 422, 'IDEMPOTENCY_KEY_REUSED', [
      { field: 'Idempotency-Key', reason: 'was used with another body' },
    ]);
    const reason = 'must be one string of 1 to 255 printable ASCII characters';
    for (const key of ['', '""', '"open', 'a b', 'x'.repeat(256), ['one', 'two']])
      expectError(await keyed(learner, key), 400, 'INVALID_REQUEST', [{ field: 'Idempotency-Key', reason }]);
    expectError(await learner.requestMatch(), 409, 'ALREADY_MATCHED');
  });
});

describe('GET /match-request/status?wait', () => {
  let world;
  before(async () => {
    world = await twoInstances({
      HTTP_KEEP_ALIVE_TIMEOUT_MS: '5000',
      HTTP_HEADER_TIMEOUT_MS: '5000',
      MATCH_STATUS_MAX_WAITING: '3',
    });
  });
  after(() => world.stop());
  const waiting = () => world.metric('match_status_waiting');

  it('answers as soon as there is a match, on the instance of the match and elsewhere', async () => {
    const [a, b] = [world.learner({ levels: { fr: 'B1' } }), world.learner({ levels: { fr: 'B1' } })];
    const request = { targetLanguageCode: languages[0] };
    expectOk(await a.requestMatch(request), 201);
    const began = Date.now();
    const answers = [waitFor(a, 10), waitFor(world.elsewhere(a), 10)];
    await until('the call to wait', async () => (await waiting()) === 1);
    expectOk(await b.requestMatch(request), 201);
    for (const answer of await Promise.all(answers)) {
      const { matchRequest } = expectOk(answer);
      assert.equal(matchRequest.status, 'matched');
      assert.ok(matchRequest.sessionId);
    }
    assert.ok(Date.now() - began < 10_000);
    assert.equal(expectOk(await waitFor(a, 10)).matchRequest.status, 'matched');
    assert.equal(await waiting(), 0);
  });

  it('answers at a cancel, and with what is when the time is over', async () => {
    const learner = world.learner({ levels: { es: 'B1' } });
    const { matchRequest } = expectOk(await learner.requestMatch({ targetLanguageCode: languages[1] }), 201);
    const idle = expectOk(await waitFor(learner, 7)); // longer than a connection may be idle
    assert.equal(idle.matchRequest.status, 'pending');
    const answers = [waitFor(learner, 12), waitFor(world.elsewhere(learner), 12)];
    await until('the call to wait', async () => (await waiting()) === 1);
    expectOk(await learner.cancelMatch(matchRequest.id));
    for (const answer of await Promise.all(answers))
      assert.equal(expectOk(answer).matchRequest.status, 'cancelled');
    expectError(await waitFor(learner, 26), 400, 'INVALID_REQUEST', [
      { field: 'wait', reason: 'must be an integer from 0 to 25' },
    ]);
  });

  it('is bounded, and a client that leaves is forgotten at once', async () => {
    const learner = world.learner({ levels: { de: 'B1' } });
    expectOk(await learner.requestMatch({ targetLanguageCode: languages[2] }), 201);
    const calls = Array.from({ length: 3 }, () => {
      const url = `${world.base}/api/conversations/match-request/status?wait=25`;
      const call = http.get(url, { headers: { authorization: `Bearer ${learner.token}` }, agent: false });
      call.on('error', () => {}); // it is destroyed below
      return call;
    });
    await until('three calls to wait', async () => (await waiting()) === 3);
    expectRetryable(await waitFor(learner, 5), 503, 'SERVICE_UNAVAILABLE');
    expectOk(await learner.matchStatus());
    for (const call of calls) call.destroy();
    await until('nobody to wait', async () => (await waiting()) === 0);
  });

  it('answers when the service stops', async () => {
    const learner = world.learner({ levels: { it: 'B1' } });
    expectOk(await learner.requestMatch({ targetLanguageCode: languages[3] }), 201);
    const alone = { fresh: true }; // stop() closes the kept connections
    const answer = learner.call('GET', '/match-request/status?wait=25', undefined, alone);
    await until('the call to wait', async () => (await waiting()) === 1);
    await world.daemon.stop();
    assert.equal(expectOk(await answer).matchRequest.status, 'pending');
    await world.restartDaemon();
  });
});

describe('limits', () => {
  let world;
  before(async () => {
    world = await twoInstances({
      RATE_LIMIT_MATCH_REQUESTS: '10',
      RATE_LIMIT_SESSION_JOINS: '5',
      REDIS_COMMAND_TIMEOUT_MS: '10000', // a call that Redis keeps waiting for longer is counted by its instance alone
    });
  });
  after(() => world.stop());

  it('10 match requests an hour, counted by all instances together', async () => {
    const learner = world.learner();
    const elsewhere = world.elsewhere(learner);
    for (let i = 0; i < 10; i++)
      expectError(await (i % 2 ? learner : elsewhere).requestMatch({ topicCode: 'no_such' }), 404, 'TOPIC_NOT_FOUND');
    for (const who of [learner, elsewhere]) {
      const seconds = expectRetryable(await who.requestMatch(), 429, 'RATE_LIMITED');
      assert.ok(seconds > 3590 && seconds <= 3600, `Retry-After: ${seconds}`);
    }
    expectOk(await world.learner().requestMatch(), 201); // limits are each user's own
  });

  it('5 joins a minute, counted by all instances together', async () => {
    const learner = world.learner();
    const elsewhere = world.elsewhere(learner);
    const nobodys = crypto.randomUUID();
    for (let i = 0; i < 5; i++) expectError(await (i % 2 ? learner : elsewhere).join(nobodys), 404, 'SESSION_NOT_FOUND');
    for (const who of [learner, elsewhere]) {
      const seconds = expectRetryable(await who.join(nobodys), 429, 'RATE_LIMITED');
      assert.ok(seconds > 50 && seconds <= 60, `Retry-After: ${seconds}`);
    }
  });
});

describe('the weekly quota', () => {
  let world;
  before(async () => {
    await until('a week that does not end now', () => !endsSoon(), 2 * WEEKS_END_MS);
    world = await twoInstances({});
  });
  after(() => world.stop());
  const person = { tier: 'free', levels: { en: 'A1' } };

  // One conversation that counts.
  async function talk(a, b) {
    for (const learner of [a, b]) expectOk(await learner.requestMatch(), 201);
    const sessionId = await a.matched();
    const sockets = [await a.enter(sessionId), await b.enter(sessionId)];
    await sockets[0].take('new_prompt');
    expectOk(await a.end(sessionId)); // ended, not left: it counts at once
    for (const socket of sockets) await socket.take('session_ended');
    a.close();
    b.close();
  }

  it('lets one through, of those who ask for the third at once', async () => {
    const learner = world.learner(person);
    const elsewhere = world.elsewhere(learner);
    for (let i = 0; i < 2; i++) await talk(learner, world.learner({ ...person, tier: 'premium' }));
    const answers = await times(AT_ONCE, (i) => (i % 2 ? learner : elsewhere).requestMatch());
    assert.equal(answers.filter((answer) => answer.status === 201).length, 1);
    for (const answer of answers.filter(({ status }) => status !== 201)) expectError(answer, 409, 'ALREADY_MATCHED');

    // The third, while many more are asked for all the time.
    const partner = world.learner({ ...person, tier: 'premium' });
    let isOver = false;
    const greedy = times(4, async (i) => {
      while (!isOver) await (i % 2 ? learner : elsewhere).requestMatch();
    });
    try {
      expectOk(await partner.requestMatch(), 201);
      const sessionId = await partner.matched();
      const sockets = [await learner.enter(sessionId), await partner.enter(sessionId)];
      await sockets[0].take('new_prompt');
      expectOk(await partner.end(sessionId));
    } finally {
      isOver = true;
    }
    await greedy;
    const refused = await learner.requestMatch();
    const { limit, used, resetsAt } = refused.body.details[0];
    assert.deepEqual([refused.status, refused.body.message, limit, used], [403, 'DAILY_LIMIT_REACHED', 3, 3]);
    assert.equal(new Date(resetsAt).getUTCDay(), 1);
    assert.match(resetsAt, /T00:00:00\.000Z$/);
    const rows = await world.db.query(`SELECT FROM match_requests WHERE user_id = $1 AND status = 'pending'`, [
      learner.userId,
    ]);
    assert.equal(rows.length, 0, 'no request is left that could become the fourth');
  });
});

describe('conversations arranged ahead', () => {
  let world;
  before(async () => {
    world = await World.create();
  });
  after(() => world.stop());

  it('are told at once, survive a restart, and leave their learners free for now', async () => {
    const [a, b] = [world.learner(), world.learner()];
    const later = (hours) => ({ mode: 'scheduled', scheduledFor: inHours(hours) });
    const first = expectOk(await a.requestMatch(later(26)), 201);
    await world.daemon.stop();
    await world.restartDaemon(); // the request sleeps in the database
    const socket = await a.connect();
    expectOk(await b.requestMatch(later(26.05)), 201);
    const found = await socket.take('match_found');
    assert.equal(found.matchRequestId, first.matchRequest.id);
    const { matchRequest } = expectOk(await b.matchStatus());
    assert.equal(matchRequest.status, 'matched');
    assert.equal(matchRequest.scheduledAt, found.scheduledAt);
    assert.equal(matchRequest.scheduledAt, matchRequest.scheduledFor, 'the later of the two times');

    const { session } = expectOk(await a.session(found.sessionId));
    assert.deepEqual([session.status, session.scheduledAt], ['waiting', found.scheduledAt]);
    const opensAt = new Date(Date.parse(found.scheduledAt) - 300_000).toISOString();
    expectError(await a.join(found.sessionId), 409, 'SESSION_NOT_OPEN', [{ opensAt }]);
    const ack = await socket.emit('join_session', { userId: a.userId, sessionId: found.sessionId });
    assert.deepEqual([ack.status, ack.code], ['error', 'SESSION_NOT_OPEN']);

    expectError(await a.requestMatch(later(26.5)), 409, 'ALREADY_IN_SESSION');
    const other = world.learner();
    for (const learner of [a, other]) expectOk(await learner.requestMatch(), 201);
    const now = await other.matched();
    await a.enter(now);
    await other.enter(now);
    assert.equal(expectOk(await a.session(now)).session.status, 'active');
    assert.equal(expectOk(await a.session(found.sessionId)).session.status, 'waiting');
  });

  it('begin at their time', async () => {
    const [a, b] = [world.learner({ levels: { en: 'C2' } }), world.learner({ levels: { en: 'C2' } })];
    for (const learner of [a, b])
      expectOk(await learner.requestMatch({ mode: 'scheduled', scheduledFor: inHours(0.05) }), 201);
    const sessionId = await a.matched();
    await a.enter(sessionId); // less than five minutes before
    await b.enter(sessionId);
    assert.equal(expectOk(await a.session(sessionId)).session.status, 'active');
  });

  it('of a language with a region are those of the language', async () => {
    const [a, b] = [world.learner({ levels: { it: 'C1' } }), world.learner({ levels: { 'it-CH': 'C1' } })];
    expectOk(await a.requestMatch({ targetLanguageCode: 'it' }), 201);
    expectOk(await b.requestMatch({ targetLanguageCode: 'it-CH' }), 201);
    await b.matched();
    const topics = (query) => a.topics(query).then((answer) => expectOk(answer).topics.map(({ code }) => code));
    assert.deepEqual(await topics('targetLanguageCode=it-CH'), await topics('targetLanguageCode=it'));
  });
});
