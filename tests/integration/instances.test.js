// Several daemons on one PostgreSQL and one Redis: whoever takes a request, the leader pairs it; whatever dies,
// stands still or is emptied, nothing is lost and nobody is paired twice.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Cluster } from '../lib/cluster.js';
import { expectOk } from '../lib/expect.js';
import { until } from '../lib/wait.js';

const TAKE_OVER_MS = 30_000; // the lease and a third of it, 7 s, when nothing stands still
const PROMISED_MS = 10_000; // for a take-over after a kill
const TRIES = 3; // of that: the machine may stand still meanwhile
const LONG_LEASE = { MATCH_LEASE_SECONDS: '30' }; // not lost by standing still for a moment

const cluster = new Cluster();

async function startDaemons(count, env) {
  const daemons = await cluster.startDaemons(count, env);
  await leader();
  return daemons;
}

const leads = async (daemon) => (await daemon.metric('matchmaker_is_leader')) === 1;

// The only one of the living that leads.
function leader(among = cluster.daemons, ms = TAKE_OVER_MS) {
  return until(
    'one leader',
    async () => {
      const answers = await Promise.all(among.map(leads));
      return answers.filter(Boolean).length === 1 && among[answers.indexOf(true)];
    },
    ms,
  );
}

// [the leader, another]
async function roles() {
  const first = await leader();
  return [first, cluster.daemons.find((daemon) => daemon !== first)];
}

// A learner whose requests and sockets go to this daemon.
function learnerOn(daemon, person = {}) {
  return cluster.world.learner(person, daemon.rest);
}

async function waitingOn(daemon, level) {
  const learner = learnerOn(daemon, { levels: { en: level } });
  expectOk(await learner.requestMatch(), 201);
  return learner;
}

// Every session has two users and two requests, and no request or user stands in two.
async function nobodyIsPairedTwice(requests) {
  const rows = await cluster.db.query(`SELECT s.id,
      (SELECT count(*) FROM session_participants p WHERE p.session_id = s.id)::int AS users,
      (SELECT count(*) FROM match_requests r WHERE r.matched_session_id = s.id)::int AS requests
    FROM sessions s`);
  for (const row of rows) assert.deepEqual([row.users, row.requests], [2, 2], row.id);
  const { users, seats } = await cluster.db.one(
    `SELECT count(DISTINCT user_id)::int AS users, count(*)::int AS seats FROM session_participants`,
  );
  assert.equal(users, seats);
  if (requests !== undefined) assert.equal(seats, requests);
}

const matchedAll = (learners) => Promise.all(learners.map((learner) => learner.matched()));

describe('several instances', () => {
  cluster.serveEachTest();

  it('two pair what came to either, and tell users wherever their sockets are', async () => {
    const [one, two] = await startDaemons(2, LONG_LEASE); // a new leader tells again
    const a = learnerOn(one);
    const b = learnerOn(two);
    a.rest = two.rest;
    b.rest = one.rest;
    const [sa, sb] = [await a.connect(), await b.connect()];
    a.rest = one.rest;
    b.rest = two.rest;
    expectOk(await a.requestMatch(), 201);
    expectOk(await b.requestMatch(), 201);
    const [fa, fb] = await Promise.all([sa.take('match_found'), sb.take('match_found')]);
    assert.equal(fa.sessionId, fb.sessionId);
    assert.equal(fa.partner.userId, b.userId);
    assert.deepEqual(await matchedAll([a, b]), [fa.sessionId, fa.sessionId]);
    assert.deepEqual([await sa.untaken(), await sb.untaken()], [[], []], 'told once');
  });

  it('an expiry is told wherever the socket is', async () => {
    await startDaemons(2);
    const [first, other] = await roles();
    const lonely = learnerOn(other, { levels: { en: 'C2' } });
    const socket = await lonely.connect();
    lonely.rest = first.rest;
    const { matchRequest } = expectOk(await lonely.requestMatch({ maxWaitTimeSeconds: 30 }), 201);
    assert.equal((await socket.take('match_expired', 60_000)).matchRequestId, matchRequest.id);
  });

  it('three pair a crowd, and each knows how many still wait', async () => {
    await startDaemons(3);
    const crowd = Array.from({ length: 60 }, (_, i) => learnerOn(cluster.daemons[i % 3]));
    const odd = await waitingOn(cluster.daemons[1], 'C2');
    for (const answer of await Promise.all(crowd.map((learner) => learner.requestMatch())))
      expectOk(answer, 201);
    await matchedAll(crowd);
    await nobodyIsPairedTwice(60);
    for (const daemon of cluster.daemons) {
      await until('one to be left in the queue', async () => {
        return (await daemon.metric('redis_queue_size{language="en"}')) === 1;
      });
    }
    expectOk(await odd.cancelMatch((await odd.matchStatus()).body.matchRequest.id));
  });

  it('a cancel on one is known to the other', async () => {
    await startDaemons(2);
    const [first, other] = await roles();
    const gone = await waitingOn(first, 'B1');
    gone.rest = other.rest;
    expectOk(await gone.cancelMatch((await gone.matchStatus()).body.matchRequest.id));
    const [a, b] = [await waitingOn(first, 'B1'), await waitingOn(other, 'B1')];
    await matchedAll([a, b]);
    await nobodyIsPairedTwice(2);
  });

  it('the leader killed: another takes over, and everybody who waited is still there', async () => {
    await startDaemons(3);
    const first = await leader();
    const levels = ['A1', 'A2', 'B1', 'B2', 'C1', 'C2'];
    const waiting = [];
    for (const [i, level] of levels.entries()) waiting.push(await waitingOn(cluster.daemons[i % 3], level));
    const asked = levels.map((level) => {
      const learner = learnerOn(first, { levels: { en: level } });
      return learner.requestMatch().catch(() => undefined); // answered or not
    });
    await cluster.kill(first);
    await Promise.all(asked);
    await leader();
    for (const learner of waiting) learner.rest = cluster.daemons[0].rest;
    const answers = await Promise.all(waiting.map((learner) => learner.matchStatus()));
    for (const [i, answer] of answers.entries()) {
      const { status } = expectOk(answer).matchRequest;
      if (status === 'pending') await waitingOn(cluster.daemons[i % 2], levels[i]);
      else assert.equal(status, 'matched');
    }
    await matchedAll(waiting);
    await nobodyIsPairedTwice();
  });

  it('the leader killed: another leads within 10 s', async () => {
    await startDaemons(2);
    const took = [];
    do {
      await cluster.kill(await leader());
      const killed = performance.now();
      await leader();
      took.push(Math.round(performance.now() - killed));
      await cluster.startDaemon();
    } while (took.at(-1) >= PROMISED_MS && took.length < TRIES);
    assert.ok(took.at(-1) < PROMISED_MS, `it took ${took} ms`);
  });

  it('the leader stopped: it hands over', async () => {
    await startDaemons(2, LONG_LEASE);
    const [first, other] = await roles();
    const waiting = await waitingOn(first, 'C1');
    const holder = () => cluster.redis.database().cli('GET', 'matchmaker:leader');
    const former = holder();
    await cluster.stopDaemon(first);
    assert.notEqual(holder(), former, 'the lease is given back');
    await other.log('leadership', (line) => line.event === 'matchmaker.leadership_taken', 60_000);
    waiting.rest = other.rest;
    await waitingOn(other, 'C1');
    await waiting.matched();
  });

  it('the leader paused for longer than its lease: another leads; both going on pair nobody twice', async () => {
    await startDaemons(2);
    const [first, other] = await roles();
    const early = await waitingOn(first, 'A1');
    early.rest = other.rest;
    first.signal('SIGSTOP');
    try {
      await leader([other]);
      await waitingOn(other, 'A1');
      await early.matched();
      for (const level of ['B1', 'B2', 'C1']) await waitingOn(other, level);
    } finally {
      first.signal('SIGCONT');
    }
    const late = ['B1', 'B2', 'C1'].map((level) => learnerOn(first, { levels: { en: level } }));
    for (const answer of await Promise.all(late.map((learner) => learner.requestMatch()))) expectOk(answer, 201);
    await matchedAll(late);
    await nobodyIsPairedTwice(8);
    await first.log('its loss', (line) => line.event === 'matchmaker.leadership_lost');
    await leader();
  });

  it('the lease taken away again and again: two leaders at once pair nobody twice', async () => {
    await startDaemons(2);
    const crowd = [];
    for (let round = 0; round < 8; round++) {
      cluster.redis.database().cli('DEL', 'matchmaker:leader');
      const some = Array.from({ length: 10 }, (_, i) => learnerOn(cluster.daemons[i % 2]));
      crowd.push(...some);
      for (const answer of await Promise.all(some.map((learner) => learner.requestMatch())))
        expectOk(answer, 201);
      await matchedAll(some);
    }
    await nobodyIsPairedTwice(crowd.length);
  });

  it('Redis emptied: the queue is filled again, once', async () => {
    await startDaemons(2);
    const waiting = await waitingOn(cluster.daemons[0], 'C2');
    const { id } = (await waiting.matchStatus()).body.matchRequest;
    cluster.redis.database().cli('FLUSHALL');
    await until('the request to be in the queue again', () => {
      const score = cluster.redis.database().cli('ZSCORE', 'match_queue:en:C2:free_talk', id);
      return score !== '' && cluster.redis.database().cli('GET', 'match_queue_mark') === 'whole';
    });
    await waitingOn(cluster.daemons[1], 'C2');
    await waiting.matched();
  });

  it('Redis restarted: nobody leads without it, then one does', async () => {
    await startDaemons(2);
    const waiting = await waitingOn(cluster.daemons[0], 'C2');
    await cluster.redis.kill();
    await until(
      'nobody to lead',
      async () => !(await Promise.all(cluster.daemons.map(leads))).some(Boolean),
      TAKE_OVER_MS,
    );
    await cluster.redis.start();
    await Promise.all(cluster.daemons.map((daemon) => daemon.untilReady()));
    await leader();
    await waitingOn(cluster.daemons[1], 'C2');
    await waiting.matched();
  });

  it('the bus lost: what was said meanwhile is found when it is back', async () => {
    await startDaemons(2);
    const [, other] = await roles();
    for (let round = 0; round < 3; round++) {
      const learner = learnerOn(other);
      cluster.redis.database().cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
      const partner = learnerOn(other);
      for (const answer of await Promise.all([learner.requestMatch(), partner.requestMatch()]))
        expectOk(answer, 201);
      await matchedAll([learner, partner]);
    }
    await nobodyIsPairedTwice(6);
  });

  // Two learners paired, with sockets on this daemon that have joined.
  async function conversationOn(daemon, level) {
    const [a, b] = [await waitingOn(daemon, level), await waitingOn(daemon, level)];
    const [sessionId] = await matchedAll([a, b]);
    for (const learner of [a, b]) await learner.enter(sessionId);
    assert.equal(expectOk(await a.session(sessionId)).session.status, 'active');
    return { a, b, sessionId };
  }

  it('a session goes on when another daemon starts; that of a killed one ends as dropped', async () => {
    const env = { SESSION_RECONNECT_GRACE_SECONDS: '1' };
    const [first, second] = [await cluster.startDaemon({ env }), await cluster.startDaemon({ env })];
    await leader();
    const kept = await conversationOn(first, 'A1');
    const lost = await conversationOn(second, 'C2');
    await cluster.kill(second);
    const third = await cluster.startDaemon({ env });
    for (const learner of [kept.a, lost.a]) learner.rest = third.rest;
    const session = await until(
      'the session of the killed one to end',
      async () => {
        const now = expectOk(await lost.a.session(lost.sessionId)).session;
        return now.status !== 'active' && now;
      },
      60_000, // silent for 15 s, the grace, and the next look
    );
    assert.equal(session.endReason, 'dropped');
    assert.equal(expectOk(await kept.a.session(kept.sessionId)).session.status, 'active');
    expectOk(await kept.a.end(kept.sessionId));
  });

  it('who joined at one is not forgotten when the other joins at another', async () => {
    const first = await cluster.startDaemon();
    await leader();
    const [a, b] = [await waitingOn(first, 'B1'), await waitingOn(first, 'B1')];
    const [sessionId] = await matchedAll([a, b]);
    await a.enter(sessionId);
    b.rest = (await cluster.startDaemon()).rest;
    await b.enter(sessionId);
    assert.equal(expectOk(await b.session(sessionId)).session.status, 'active');
  });
});
