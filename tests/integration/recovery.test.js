// Connection-state recovery with the stock client: what it missed comes again, and its conversation goes on.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { expectOk } from '../lib/expect.js';
import { candidate as line, sdp } from '../lib/sdp.js';
import { World } from '../lib/world.js';

const candidate = (i) => line(50000 + i);

// From now on nothing that arrives is seen, as when the network has gone and nobody knows it yet.
const deafen = (socket) => {
  socket.io.io.engine.transport.ws.onmessage = () => {};
};

const comeBack = async (socket) => {
  socket.io.connect();
  await socket.connected();
};

// The client has an offset to name only when it has got an event.
const getAnEvent = async (socket) => {
  socket.send('no such event');
  await socket.take('exception');
};

describe('a lost connection', () => {
  let world;
  before(async () => {
    world = await World.create();
  });
  after(() => world.stop());

  it('is recovered: missed events come in order, once, and the session goes on without a join', async () => {
    const { a, b, sessionId, sa, sb } = await world.conversation();
    const id = sa.io.id;
    deafen(sa);
    for (let i = 0; i < 20; i++) {
      const ack = await sb.emit('ice_candidate', { sessionId, targetUserId: a.userId, candidate: candidate(i) });
      assert.equal(ack.status, 'ok', JSON.stringify(ack));
    }
    sa.drop();
    await sa.disconnected();
    assert.equal((await sb.take('partner_left')).reason, 'disconnect');
    assert.deepEqual(sa.events, []);

    await comeBack(sa);
    assert.equal(sa.io.recovered, true);
    assert.equal(sa.io.id, id);
    for (let i = 0; i < 20; i++)
      assert.deepEqual(await sa.take('ice_candidate'), { from: b.userId, candidate: candidate(i) });
    const state = await sa.take('session_state');
    assert.equal(state.sessionId, sessionId);
    assert.equal(state.status, 'active');
    assert.equal((await sa.take('partner_joined')).partnerId, b.userId);
    assert.equal((await sb.take('partner_joined')).partnerId, a.userId);

    const [from, to] = [sdp(), sdp('active')];
    await sb.emit('offer', { sessionId, targetUserId: a.userId, sdp: from });
    assert.deepEqual(await sa.take('offer'), { from: b.userId, sdp: from });
    assert.equal((await sa.emit('offer', { sessionId, targetUserId: b.userId, sdp: to })).status, 'ok');
    assert.deepEqual(await sb.take('offer'), { from: a.userId, sdp: to });
    assert.deepEqual(await sa.untaken(), []);
  });

  it('that the client itself closed is recovered, time and again', async () => {
    const { a, b, sessionId, sa, sb } = await world.conversation();
    for (let i = 0; i < 3; i++) {
      sa.io.io.engine.close();
      await sa.disconnected();
      await sb.take('partner_left');
      await comeBack(sa);
      assert.equal(sa.io.recovered, true);
      await sb.take('partner_joined');
      const ack = await sb.emit('ice_candidate', { sessionId, targetUserId: a.userId, candidate: candidate(i) });
      assert.equal(ack.status, 'ok');
      assert.deepEqual(await sa.take('ice_candidate'), { from: b.userId, candidate: candidate(i) });
      sa.disconnectReason = undefined;
    }
  });

  it('is recovered over whatever carries it: polling, and polling that is upgraded', async () => {
    for (const transports of [['polling'], ['polling', 'websocket']]) {
      const { a, b, sessionId } = await world.pair();
      const sa = await a.enter(sessionId, { transports });
      const sb = await b.enter(sessionId, { transports });
      await sa.take('new_prompt');
      await sb.take('partner_joined');
      sa.io.io.engine.close();
      await sa.disconnected();
      await sb.take('partner_left');
      await comeBack(sa);
      assert.equal(sa.io.recovered, true, transports.join());
      await sb.take('partner_joined');
      await sb.emit('ice_candidate', { sessionId, targetUserId: a.userId, candidate: candidate(1) });
      assert.deepEqual(await sa.take('ice_candidate'), { from: b.userId, candidate: candidate(1) });
    }
  });

  it('does not hide what the user is told meanwhile', async () => {
    const person = { levels: { fr: 'B1' } };
    const [a, b] = [world.learner(person), world.learner(person)];
    const socket = await a.connect();
    await getAnEvent(socket);
    socket.drop();
    await socket.disconnected();
    for (const learner of [a, b])
      expectOk(await learner.requestMatch({ targetLanguageCode: 'fr' }), 201);
    const sessionId = await a.matched();
    await comeBack(socket);
    assert.equal(socket.io.recovered, true);
    assert.equal((await socket.take('match_found')).sessionId, sessionId);
  });

  it('of another user is not recovered', async () => {
    const [a, b] = [world.learner(), world.learner()];
    const socket = await a.connect();
    await getAnEvent(socket);
    const id = socket.io.id;
    socket.drop();
    await socket.disconnected();
    socket.io.auth = { token: b.token };
    await comeBack(socket);
    assert.equal(socket.io.recovered, false);
    assert.notEqual(socket.io.id, id);
  });

  it('is not recovered after a disconnect that was meant', async () => {
    const learner = world.learner();
    const socket = await learner.connect();
    await getAnEvent(socket);
    socket.close();
    await comeBack(socket);
    assert.equal(socket.io.recovered, false);
    assert.equal((await socket.emit('join_session', {})).code, 'INVALID_REQUEST');
  });
});

describe('a lost connection that comes back too late', () => {
  let world;
  before(async () => {
    world = await World.create({ env: { WS_RECOVERY_SECONDS: '1', SESSION_RECONNECT_GRACE_SECONDS: '2' } });
  });
  after(() => world.stop());

  it('is not recovered', async () => {
    const { sa, sb } = await world.conversation();
    const id = sa.io.id;
    sa.drop();
    await sa.disconnected();
    await sb.take('session_ended'); // the grace is over, hence the time to recover, too
    await comeBack(sa);
    assert.equal(sa.io.recovered, false);
    assert.notEqual(sa.io.id, id);
  });
});

describe('without recovery', () => {
  let world;
  before(async () => {
    world = await World.create({ env: { WS_RECOVERY_SECONDS: '0' } });
  });
  after(() => world.stop());

  it('events have no additional argument, and sockets are fresh', async () => {
    const learner = world.learner();
    const socket = await learner.connect();
    socket.send('no such event');
    await socket.take('exception');
    socket.io.once('exception', (...args) => {
      socket.argumentCount = args.length;
    });
    socket.send('no such event');
    await socket.take('exception');
    assert.equal(socket.argumentCount, 1);
    socket.drop();
    await socket.disconnected();
    await comeBack(socket);
    assert.ok(!socket.io.recovered);
  });
});
