// One conversation at several daemons: partners hear each other wherever their sockets are, whoever asks or ends it, and
// whatever dies, stands still or is restarted in between.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, it } from 'node:test';
import { Balancer } from '../lib/balancer.js';
import { Cluster } from '../lib/cluster.js';
import { expectOk } from '../lib/expect.js';
import { candidate, sdp } from '../lib/sdp.js';
import { storeSessions } from '../lib/stored_sessions.js';
import { until } from '../lib/wait.js';

const GRACE = { SESSION_RECONNECT_GRACE_SECONDS: '30', RATE_LIMIT_ICE_CANDIDATES: '0' };

const cluster = new Cluster(GRACE);

// Two learners of a session that waits for them, one at each daemon.
async function pairAt(first, second) {
  const [a, b] = [cluster.world.learner({}, first.rest), cluster.world.learner({}, second.rest)];
  const pair = [{ userId: a.userId }, { userId: b.userId }];
  await storeSessions(cluster.db, pair);
  return { a, b, sessionId: pair[0].sessionId };
}

async function begun(sockets) {
  for (const socket of sockets) {
    await socket.take('partner_joined');
    await socket.take('new_prompt');
  }
}

async function conversationAt(first, second) {
  const pair = await pairAt(first, second);
  const sa = await pair.a.enter(pair.sessionId);
  const sb = await pair.b.enter(pair.sessionId);
  await begun([sa, sb]);
  return { ...pair, sa, sb };
}

const row = (sessionId) => cluster.db.one('SELECT * FROM sessions WHERE id = $1', [sessionId]);

function offerTo(partner, sessionId) {
  return { sessionId, targetUserId: partner.userId, sdp: sdp() };
}

async function talk({ a, b, sa, sb, sessionId }) {
  assert.deepEqual(await sa.emit('offer', offerTo(b, sessionId)), { status: 'ok' });
  assert.deepEqual(await sb.take('offer'), { from: a.userId, sdp: sdp() });
  assert.deepEqual(await sb.emit('answer', offerTo(a, sessionId)), { status: 'ok' });
  assert.deepEqual(await sa.take('answer'), { from: b.userId, sdp: sdp() });
}

// As a client does that was told of an error or of its partner's coming back: again, until it arrives.
async function talkAgain(pair) {
  await until('the partners to hear each other', async () => {
    const ack = await pair.sa.emit('offer', offerTo(pair.b, pair.sessionId));
    return ack.status === 'ok' && (await pair.sb.take('offer', 1000));
  });
  await talk(pair);
}

const isStopped = (daemon) => /\) T /.test(fs.readFileSync(`/proc/${daemon.process.pid}/stat`, 'latin1'));

const portsOf = (socket) =>
  socket.events
    .filter(({ event }) => event === 'ice_candidate')
    .map(({ args }) => Number(args[0].candidate.candidate.split(' ')[5]));

// A stock client that reconnects by itself and joins again unless it was recovered, as docs/signaling.md shows.
async function faithful(learner, sessionId) {
  const socket = await learner.connect({ reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 500 });
  const join = async () => {
    const ack = await socket.emit('join_session', { userId: learner.userId, sessionId });
    if (ack.status !== 'ok' && ack.code !== 'SERVICE_UNAVAILABLE') socket.problem = ack;
    if (ack.status !== 'ok') socket.io.disconnect().connect();
  };
  socket.io.on('connect', () => socket.io.recovered || join().catch(() => {})); // cut again: it will connect again
  await join();
  return socket;
}

// What one says is heard by the other, now.
async function reaches(from, to, sessionId, partner) {
  const text = sdp('actpass', Math.random().toString(36).slice(2, 10).padEnd(8, 'x'));
  const ack = await from.emit('offer', { sessionId, targetUserId: partner.userId, sdp: text });
  if (ack.status !== 'ok') return false;
  return until('the offer', () => to.events.some(({ args }) => args[0]?.sdp === text), 2000);
}

async function talksBothWays({ a, b, sa, sb, sessionId }) {
  await until('both to be heard', () => reaches(sa, sb, sessionId, b), 40_000);
  await until('both to be heard', () => reaches(sb, sa, sessionId, a), 40_000);
}

describe('conversations at several instances', () => {
  cluster.serveEachTest();

  it('begins when both are there, and carries both ways in order', async () => {
    const [first, second] = await cluster.startDaemons(2);
    const { a, b, sessionId } = await pairAt(first, second);
    const sa = await a.enter(sessionId);
    const sb = await b.enter(sessionId);
    const [ja, jb] = [await sa.take('partner_joined'), await sb.take('partner_joined')];
    assert.deepEqual([ja.partnerId, jb.partnerId], [b.userId, a.userId]);
    assert.deepEqual(await sa.take('new_prompt'), await sb.take('new_prompt'));
    assert.equal((await row(sessionId)).status, 'active');
    await talk({ a, b, sa, sb, sessionId });
    for (let port = 1; port <= 300; port++) {
      sa.send('ice_candidate', { sessionId, targetUserId: b.userId, candidate: candidate(port) });
      sb.send('ice_candidate', { sessionId, targetUserId: a.userId, candidate: candidate(port) });
    }
    const rising = Array.from({ length: 300 }, (_, i) => i + 1);
    await until('all candidates', () => portsOf(sa).length >= 300 && portsOf(sb).length >= 300);
    assert.deepEqual(portsOf(sa), rising);
    assert.deepEqual(portsOf(sb), rising);
    for (const socket of [sa, sb]) assert.deepEqual(new Set(await socket.untaken()), new Set(['ice_candidate']));
  });

  it('shows both what either asks for, once, and stores it once', async () => {
    const [first, second] = await cluster.startDaemons(2, { PROMPT_REQUEST_GAP_SECONDS: '0' });
    const { sa, sb, sessionId } = await conversationAt(first, second);
    for (const socket of [sa, sb, sb, sa]) {
      assert.equal((await socket.emit('request_next_prompt', { sessionId })).status, 'ok');
      assert.deepEqual(await sa.take('new_prompt'), await sb.take('new_prompt'));
    }
    for (const socket of [sa, sb])
      assert.equal((await socket.emit('request_next_prompt', { sessionId })).code, 'NO_PROMPT_LEFT');
    const stored = () => cluster.db.query('SELECT prompt_key FROM session_prompts WHERE session_id = $1', [sessionId]);
    await until('five prompts to be stored', async () => (await stored()).length === 5);
    assert.deepEqual([await sa.untaken(), await sb.untaken()], [[], []]);
  });

  it('tells who speaks', async () => {
    const [first, second] = await cluster.startDaemons(2);
    const { a, sa, sb, sessionId } = await conversationAt(first, second);
    for (const speaking of [true, false]) {
      assert.equal((await sa.emit('speaking_state', { sessionId, speaking })).status, 'ok');
      assert.deepEqual(await sb.take('partner_speaking'), { partnerId: a.userId, speaking });
    }
  });

  it('ends for both, whoever ends it and wherever', async () => {
    const [first, second, third] = await cluster.startDaemons(3);
    const ways = [
      async ({ a, sessionId }) => expectOk(await a.end(sessionId)),
      async ({ a, sessionId }) => {
        a.rest = third.rest; // which has nobody's socket
        expectOk(await a.end(sessionId));
      },
      async ({ sa, sessionId }) => sa.emit('leave_session', { sessionId }),
      async ({ sb, sessionId }) => sb.emit('leave_session', { sessionId }),
    ];
    for (const [i, end] of ways.entries()) {
      const pair = await conversationAt(first, second);
      await end(pair);
      const [ea, eb] = [await pair.sa.take('session_ended'), await pair.sb.take('session_ended')];
      assert.deepEqual(ea, eb);
      assert.equal(ea.reason, i < 2 ? 'completed' : 'partner_left');
      const leaver = i === 2 ? pair.sb : i === 3 && pair.sa;
      if (leaver) assert.equal((await leaver.take('partner_left')).reason, 'ended');
      assert.deepEqual([await pair.sa.untaken(), await pair.sb.untaken()], [[], []], 'told once');
      assert.equal((await row(pair.sessionId)).status, i < 2 ? 'completed' : 'aborted');
    }
    const events = await cluster.db.query(
      "SELECT key FROM event_outbox WHERE event_type IN ('conversation.completed', 'conversation.aborted')",
    );
    assert.equal(events.length, ways.length);
  });

  it('is told to a participant whose only socket is at a third, and in no session', async () => {
    const [first, second, third] = await cluster.startDaemons(3);
    const { a, b, sessionId } = await pairAt(first, second);
    await a.enter(sessionId);
    b.rest = third.rest;
    const idle = await b.connect();
    expectOk(await a.leave(sessionId));
    assert.equal((await idle.take('session_ended')).sessionId, sessionId);
    assert.deepEqual(await idle.untaken(), []);
  });

  it('goes on with a later socket at another instance, which takes over from the first', async () => {
    const [first, second] = await cluster.startDaemons(2);
    for (const home of [first, second]) {
      const pair = await conversationAt(first, home);
      pair.a.rest = second.rest;
      const newer = await pair.a.enter(pair.sessionId);
      assert.equal((await pair.sa.take('exception')).code, 'SESSION_TAKEN_OVER');
      await pair.sa.disconnected();
      assert.equal((await pair.sb.take('partner_joined')).partnerId, pair.a.userId);
      assert.equal((await newer.take('session_state')).status, 'active');
      await newer.take('partner_joined');
      await talk({ ...pair, sa: newer });
      assert.deepEqual([await newer.untaken(), await pair.sb.untaken()], [[], []]);
      assert.equal((await row(pair.sessionId)).status, 'active');
    }
  });

  it('a lost socket is told to the other side, and its return', async () => {
    const [first, second] = await cluster.startDaemons(2);
    const pair = await conversationAt(first, second);
    pair.sb.drop();
    assert.deepEqual(await pair.sa.take('partner_left'), { partnerId: pair.b.userId, reason: 'disconnect' });
    const ack = await pair.sa.emit('offer', offerTo(pair.b, pair.sessionId));
    assert.equal(ack.code, 'PARTNER_NOT_CONNECTED');
    // To the partner's instance, then back.
    for (const home of [first, second]) {
      pair.b.rest = home.rest;
      pair.sb = await pair.b.enter(pair.sessionId);
      assert.equal((await pair.sa.take('partner_joined')).partnerId, pair.b.userId);
      await pair.sb.take('partner_joined');
      await talk(pair);
    }
    assert.deepEqual(await pair.sa.untaken(), []);
  });

  it('after the grace it ends for who stayed', async () => {
    const [first, second] = await cluster.startDaemons(2, { SESSION_RECONNECT_GRACE_SECONDS: '1' });
    const pair = await conversationAt(first, second);
    pair.sb.drop();
    await pair.sa.take('partner_left');
    assert.deepEqual((await pair.sa.take('partner_left')).reason, 'timeout');
    assert.equal((await pair.sa.take('session_ended')).reason, 'partner_left');
    assert.equal((await row(pair.sessionId)).end_reason, 'dropped');
  });

  it('an instance killed: the partner is told, and who comes back elsewhere goes on', async () => {
    const [first, second, third] = await cluster.startDaemons(3);
    const pair = await conversationAt(first, second);
    await cluster.kill(second);
    assert.equal((await pair.sa.take('partner_left', 30_000)).reason, 'disconnect');
    pair.b.rest = third.rest;
    pair.sb = await pair.b.enter(pair.sessionId);
    assert.equal((await pair.sa.take('partner_joined')).partnerId, pair.b.userId);
    await pair.sb.take('session_state');
    await pair.sb.take('partner_joined');
    await talk(pair);
    expectOk(await pair.b.end(pair.sessionId));
    await pair.sa.take('session_ended');
  });

  it('what an instance that stood still passes on late, from a socket that another has followed, is not heard', async () => {
    const [first, second, third] = await cluster.startDaemons(3);
    const pair = await conversationAt(first, second);
    const say = (port) => [
      'ice_candidate',
      { sessionId: pair.sessionId, targetUserId: pair.b.userId, candidate: candidate(port) },
    ];
    first.signal('SIGSTOP');
    await until('the first to stand still', () => isStopped(first));
    for (let port = 1; port <= 3; port++) pair.sa.send(...say(port));
    const { engine } = pair.sa.io.io;
    await until('them to lie in the connection', () => engine.writeBuffer.length === 0);
    pair.sa.close();
    pair.a.rest = third.rest;
    const sa = await pair.a.enter(pair.sessionId);
    await until('a to be heard from elsewhere', async () => {
      await sa.emit(...say(10));
      return portsOf(pair.sb).includes(10);
    });
    first.signal('SIGCONT');
    await until('the first to be left', async () => (await first.metric('websocket_connections_active')) === 0);
    await sa.emit(...say(11));
    await until('the last word', () => portsOf(pair.sb).includes(11));
    assert.deepEqual([...new Set(portsOf(pair.sb))], [10, 11]);
  });

  it('an instance that stands still for a while loses nothing', async () => {
    const [first, second] = await cluster.startDaemons(2);
    const pair = await conversationAt(first, second);
    second.signal('SIGSTOP');
    try {
      for (let port = 1; port <= 50; port++) {
        const message = { sessionId: pair.sessionId, targetUserId: pair.b.userId, candidate: candidate(port) };
        assert.equal((await pair.sa.emit('ice_candidate', message)).status, 'ok');
      }
      await new Promise((resolve) => setTimeout(resolve, 5000)); // that is how long it stands still
    } finally {
      second.signal('SIGCONT');
    }
    await until('what was sent meanwhile', () => portsOf(pair.sb).length >= 50);
    assert.deepEqual(portsOf(pair.sb), Array.from({ length: 50 }, (_, i) => i + 1));
    await talk(pair);
    assert.ok(!(await pair.sa.untaken()).includes('partner_left'));
  });

  it('Redis restarted: sockets stay, are told where the session stands, and go on', async () => {
    const [first, second] = await cluster.startDaemons(2);
    const pair = await conversationAt(first, second);
    const local = await conversationAt(first, first);
    await cluster.redis.kill();
    await talk(local);
    await until('messages to be refused', async () => {
      const ack = await pair.sa.emit('offer', offerTo(pair.b, pair.sessionId));
      return ack.code === 'PARTNER_NOT_CONNECTED';
    });
    await cluster.redis.start();
    for (const socket of [pair.sa, pair.sb]) {
      const state = await socket.take('session_state', 30_000);
      assert.equal(state.sessionId, pair.sessionId);
      assert.equal(state.partnerConnected, true);
      await socket.take('partner_joined'); // something was lost: they negotiate anew
    }
    await talkAgain(pair);
    await talk(local);
    assert.ok(!(await pair.sa.untaken()).includes('partner_left'));
    assert.deepEqual(await local.sa.untaken(), []);
    assert.equal((await row(pair.sessionId)).status, 'active');
  });

  it('an end that was missed while Redis was away is found when it is back', async () => {
    const [first, second] = await cluster.startDaemons(2);
    const pair = await conversationAt(first, second);
    await cluster.redis.kill();
    await until('Redis to be missed', async () => (await second.readyz()).status !== 200);
    expectOk(await pair.a.end(pair.sessionId));
    await pair.sa.take('session_ended');
    await cluster.redis.start();
    assert.equal((await pair.sb.take('session_ended', 30_000)).reason, 'completed');
  });

  it('a rolling restart of three loses nothing', async () => {
    const daemons = [...(await cluster.startDaemons(3))];
    const balancer = await Balancer.start(daemons.map((daemon) => daemon.port));
    const pairs = [];
    try {
      for (let i = 0; i < 8; i++) {
        const pair = await pairAt(daemons[0], daemons[0]);
        for (const learner of [pair.a, pair.b]) learner.rest = { base: balancer.base };
        pair.sa = await faithful(pair.a, pair.sessionId);
        pair.sb = await faithful(pair.b, pair.sessionId);
        pairs.push(pair);
      }
      await Promise.all(pairs.map(talksBothWays));
      for (const daemon of daemons) {
        await cluster.stopDaemon(daemon); // exit status 0, within 30 s
        await Promise.all(pairs.map(talksBothWays));
        await cluster.startDaemon({ port: daemon.port });
      }
      await Promise.all(pairs.map(talksBothWays));
      for (const { sa, sb } of pairs) {
        for (const socket of [sa, sb]) {
          assert.equal(socket.problem, undefined);
          assert.ok(!socket.events.some(({ event }) => event === 'session_ended'), socket.names());
        }
      }
      const drained = pairs.flatMap(({ sa, sb }) => [...sa.events, ...sb.events]);
      assert.ok(drained.some(({ event, args }) => event === 'server_draining' && args[0].reconnectAfterMs > 0));
      const open = await cluster.db.query("SELECT id FROM sessions WHERE status = 'active'");
      assert.equal(open.length, pairs.length);
      for (const { sa, sb, sessionId } of pairs) {
        await sa.emit('leave_session', { sessionId });
        for (const socket of [sa, sb]) await socket.take('session_ended');
      }
      const events = await cluster.db.query(
        "SELECT event_type FROM event_outbox WHERE event_type ~ '^conversation.(started|aborted|completed)$'",
      );
      assert.equal(events.length, 2 * pairs.length, 'each begun and ended once');
    } finally {
      for (const learner of cluster.world.learners) learner.close();
      balancer.stop();
    }
  });
});
