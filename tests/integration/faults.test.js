// PostgreSQL and Redis away at the start, killed, frozen, and back again: clear answers at once, recovery by
// itself, nothing lost that was acknowledged. Each test has servers of its own.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { expectOk, expectRetryable } from '../lib/expect.js';
import { sdp } from '../lib/sdp.js';
import { startServers } from '../lib/servers.js';
import { allDone, until } from '../lib/wait.js';
import { World } from '../lib/world.js';

const POSTGRES = 'postgresql'; // as /readyz calls it
const AT_ONCE_MS = 1000; // for an answer while a dependency is known to be away: that of a call is 3 s at least
const AT_ONCE_TRIES = 5;
const FROZEN_MS = 12_000; // for one while it hangs: all deadlines are far below that; without them there is none
const STOPPED_MS = 15_000; // for a stop that need not take its 30 s

let pg;
let redis;
let world;

async function setUp() {
  ({ pg, redis } = await startServers());
  world = await World.create({ own: { pg, redis }, start: false });
}

async function tearDown() {
  pg?.thaw();
  redis?.thaw();
  try {
    await world?.stop();
  } finally {
    const servers = [pg, redis];
    world = pg = redis = undefined;
    await allDone(servers.map((server) => server?.destroy()));
  }
}

async function timed(ms, call) {
  const started = performance.now();
  const answer = await call();
  const took = performance.now() - started;
  assert.ok(took < ms, `the answer took ${took.toFixed(0)} ms, not under ${ms}`);
  return answer;
}

// A daemon that waits for a deadline does so each time; a machine that stands still for a moment, once. Every answer must
// be good.
async function atOnce(check, call) {
  const took = [];
  do {
    const started = performance.now();
    check(await call());
    took.push(Math.round(performance.now() - started));
  } while (took.at(-1) >= AT_ONCE_MS && took.length < AT_ONCE_TRIES);
  assert.ok(took.at(-1) < AT_ONCE_MS, `the answers took ${took} ms, none under ${AT_ONCE_MS}`);
}

// /readyz is 503 and names these checks and no other.
async function culprit(...names) {
  const wellFor = (value) => value === 'ok' || value === false; // `draining` is a state, not a check that passed
  await until(`readyz to blame ${names}`, async () => {
    const now = await world.daemon.readyz();
    const blamed = Object.keys(now.body.checks).filter((name) => !wellFor(now.body.checks[name]));
    return (
      now.status === 503 && blamed.filter((name) => name !== 'migrations').join() === names.join() && now
    );
  });
  assert.equal((await world.rest.call('GET', '/healthz')).status, 200);
}

const matchingAway = (answer) => expectRetryable(answer, 503, 'MATCHING_UNAVAILABLE');
const databaseAway = (answer) => expectRetryable(answer, 503, 'SERVICE_UNAVAILABLE');

describe('faults', () => {
  beforeEach(setUp);
  afterEach(tearDown);

  it('both away at the start: it serves 503 at once and gets ready by itself', async () => {
    await Promise.all([pg.stop(), redis.kill()]);
    await world.startDaemon({ ready: false });
    await culprit(POSTGRES, 'redis');
    const learner = world.learner();
    await atOnce(databaseAway, () => learner.history());
    await atOnce(databaseAway, () => learner.topics());
    await redis.start();
    await culprit(POSTGRES);
    await pg.start();
    await world.daemon.untilReady();
    expectOk(await learner.topics());
    await world.pair();
  });

  it('PostgreSQL killed under a running conversation, and back', async () => {
    await world.startDaemon();
    const waiting = world.learner({ levels: { en: 'C2' } });
    const { matchRequest } = expectOk(await waiting.requestMatch(), 201);
    const { a, b, sessionId, sa, sb } = await world.conversation();

    await pg.kill();
    await culprit(POSTGRES);
    for (const call of [
      () => a.session(sessionId),
      () => a.history(),
      () => waiting.matchStatus(),
      () => waiting.requestMatch(),
      () => a.end(sessionId),
    ]) {
      await atOnce(databaseAway, call);
    }
    assert.equal((await sa.emit('offer', { sessionId, targetUserId: b.userId, sdp: sdp() })).status, 'ok');
    await sb.take('offer');

    await pg.start();
    await world.daemon.untilReady();
    assert.equal(expectOk(await waiting.matchStatus()).matchRequest.id, matchRequest.id);
    // the end that was asked for meanwhile is carried through, sooner or later
    assert.match(expectOk(await a.session(sessionId)).session.status, /^(active|completed)$/);
    const partner = world.learner({ levels: { en: 'C2' } });
    expectOk(await partner.requestMatch(), 201);
    await waiting.matched();
    assert.equal(expectOk(await a.end(sessionId)).session.status, 'completed');
    await Promise.all([sa.take('session_ended'), sb.take('session_ended')]);
  });

  it('Redis killed: no new requests, everything else goes on, and the queue is rebuilt', async () => {
    await world.startDaemon({ env: { MATCH_QUEUE_CLEANUP_INTERVAL: '1000' } });
    const waiting = world.learner({ levels: { en: 'C2' } });
    const { matchRequest } = expectOk(await waiting.requestMatch(), 201);
    const { a, b, sessionId, sa, sb } = await world.conversation();

    await redis.kill();
    await culprit('redis');
    await atOnce(matchingAway, () => world.learner().requestMatch());
    await atOnce(expectOk, () => a.session(sessionId));
    await atOnce(expectOk, () => a.topics());
    await atOnce(expectOk, () => a.join(sessionId));
    assert.equal((await sa.emit('offer', { sessionId, targetUserId: b.userId, sdp: sdp() })).status, 'ok');
    await sb.take('offer');

    await redis.start(); // empty
    await world.daemon.untilReady();
    await until(
      'the waiting request to be in the queue again',
      () => world.redis.cli('ZSCORE', 'match_queue:en:C2:free_talk', matchRequest.id) !== '',
    );
    const partner = world.learner({ levels: { en: 'C2' } });
    expectOk(await partner.requestMatch(), 201);
    await waiting.matched();
    assert.equal(expectOk(await a.end(sessionId)).session.status, 'completed');
  });

  it('PostgreSQL frozen: answers come at the deadline, then at once; it recovers', async () => {
    await world.startDaemon({ env: { DB_STATEMENT_TIMEOUT_MS: '1000', DB_CONNECT_TIMEOUT_MS: '1000' } });
    const { a, sessionId } = await world.conversation();
    pg.freeze();
    const answers = await timed(FROZEN_MS, () =>
      Promise.all([a.session(sessionId), a.history(), a.matchStatus()]),
    );
    for (const answer of answers) databaseAway(answer);
    await culprit(POSTGRES);
    await atOnce(databaseAway, () => a.history());
    pg.thaw();
    await world.daemon.untilReady();
    assert.equal(expectOk(await a.session(sessionId)).session.status, 'active');
  });

  it('Redis frozen: the same', async () => {
    await world.startDaemon({ env: { REDIS_COMMAND_TIMEOUT_MS: '1000' } }); // well below the 5 s of a call
    const { a, sessionId } = await world.conversation();
    redis.freeze();
    matchingAway(await timed(FROZEN_MS, () => world.learner().requestMatch()));
    await culprit('redis');
    await atOnce(expectOk, () => a.session(sessionId));
    redis.thaw();
    await world.daemon.untilReady();
    await world.pair({ levels: { en: 'A1' } });
  });

  it('a match request whose answer was lost is either stored or not, never half', async () => {
    await world.startDaemon();
    const learners = Array.from({ length: 20 }, () => world.learner({ levels: { en: 'A1' }, tier: 'free' }));
    const asked = learners.map((learner) => learner.requestMatch());
    await pg.kill();
    const answers = await Promise.all(asked);
    await pg.start();
    await world.daemon.untilReady();
    for (const [i, answer] of answers.entries()) {
      assert.ok([201, 503].includes(answer.status), answer.text);
      if (answer.status === 201) {
        const { matchRequest } = expectOk(await learners[i].matchStatus());
        assert.equal(matchRequest.id, answer.body.matchRequest.id, 'what was acknowledged is there');
      }
    }
    const rows = await world.db.query(`SELECT r.id FROM match_requests r WHERE NOT EXISTS (
      SELECT FROM event_outbox e WHERE e.event_type = 'match.requested' AND e.payload->>'matchRequestId' = r.id::text)`);
    assert.deepEqual(rows, [], 'every stored request has its event');
  });

  it('the daemon killed: pending requests and running sessions go on after the next start', async () => {
    await world.startDaemon();
    const waiting = world.learner({ levels: { en: 'C2' } });
    expectOk(await waiting.requestMatch(), 201);
    const { a, b, sessionId } = await world.conversation();
    await world.daemon.kill();
    await world.restartDaemon();
    for (const learner of world.learners) learner.rest = world.rest;

    const sa = await a.enter(sessionId);
    const sb = await b.enter(sessionId);
    assert.equal((await sa.emit('offer', { sessionId, targetUserId: b.userId, sdp: sdp() })).status, 'ok');
    await sb.take('offer');
    const partner = world.learner({ levels: { en: 'C2' } });
    expectOk(await partner.requestMatch(), 201);
    await waiting.matched();
    assert.equal(expectOk(await a.end(sessionId)).session.status, 'completed');
  });

  it('SIGTERM while both are away since the start: nothing is worth waiting for', async () => {
    await Promise.all([pg.stop(), redis.kill()]);
    await world.startDaemon({ ready: false });
    await culprit(POSTGRES, 'redis');
    await timed(STOPPED_MS, () => world.daemon.stop());
  });

  it('SIGTERM while both hang: it still ends within its time', async () => {
    await world.startDaemon({ env: { SHUTDOWN_TIMEOUT_SECONDS: '3' } });
    await world.conversation();
    pg.freeze();
    redis.freeze();
    try {
      await world.daemon.stop();
    } finally {
      pg.thaw();
      redis.thaw();
    }
  });
});
