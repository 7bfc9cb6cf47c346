// A client whose instance is killed, stopped or frozen goes on at another one: its id, its session, what it missed.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Cluster } from '../lib/cluster.js';
import { expectOk } from '../lib/expect.js';
import { Proxy } from '../lib/proxy.js';
import { candidate as line, sdp } from '../lib/sdp.js';
import { until } from '../lib/wait.js';

const AT_ONCE_MS = 900; // who asks Redis in vain waits for a second
const TRIES = 5; // to come back that fast: the machine may stand still for as long
const OWNER_BYTES = 36; // of a key: the instance that owns it
const HEAD_BYTES = 400; // at most: what stands before the packets

const candidate = (i) => line(50000 + i);

const cluster = new Cluster();
let proxies;

// What a load balancer is to clients: it decides where a new connection goes.
async function balancer(daemon) {
  const proxy = await Proxy.start(daemon.port);
  proxies.push(proxy);
  return proxy;
}

// Its socket comes by a balancer of its own.
async function learnerAt(daemon, person = {}) {
  const learner = cluster.world.learner(person, daemon.rest);
  learner.proxy = await balancer(daemon);
  learner.rest = Object.create(daemon.rest, { base: { value: learner.proxy.base } });
  return learner;
}

const move = (learner, daemon) => {
  learner.proxy.recover();
  learner.proxy.upstream = daemon.port;
  learner.proxy.cut();
};

const comeBack = async (socket) => {
  socket.disconnectReason = undefined;
  socket.io.connect();
  await socket.connected();
};

const moveTo = async (learner, socket, daemon) => {
  move(learner, daemon);
  await socket.disconnected();
  await comeBack(socket);
};

// The client has an offset to name only when it has got an event.
const getAnEvent = async (socket, name = 'no such event') => {
  socket.send(name);
  assert.equal((await socket.take('exception')).event, name);
};

const isShared = (text) =>
  until(`${text} to be shared`, () =>
    keys().some((key) => cluster.redis.database().cli('--no-raw', 'GET', key).includes(text)),
  );
const keys = () => cluster.redis.database().cli('--raw', 'KEYS', 'recovery:*').split('\n').filter(Boolean);
const oneKey = () => until('one state to be shared', () => keys().length === 1 && keys()[0]);
const bytesOf = (key) => Number(cluster.redis.database().cli('STRLEN', key));
const ownerOf = (key) => cluster.redis.database().cli('GETRANGE', key, '0', String(OWNER_BYTES - 1));

const count = async (daemon, result) => (await daemon.metric(`websocket_recoveries_total{result="${result}"}`)) ?? 0;

async function counted(daemon, result) {
  const { text } = await daemon.rest.call('GET', '/metrics', { fresh: true });
  const lines = text.split('\n').filter((each) => each.startsWith('websocket_recoveries_total{'));
  assert.deepEqual(lines, [`websocket_recoveries_total{result="${result}"} 1`]);
}

async function twoInSession(one, other = one) {
  const [a, b] = [await learnerAt(one), await learnerAt(other)];
  for (const learner of [a, b]) expectOk(await learner.requestMatch(), 201);
  const sessionId = await a.matched();
  const [sa, sb] = [await a.enter(sessionId), await b.enter(sessionId)];
  for (const socket of [sa, sb]) {
    await socket.take('partner_joined');
    await socket.take('new_prompt');
  }
  return { a, b, sa, sb, sessionId };
}

// What one sent the other while nothing arrived there.
async function sendInVain({ a, sb, sessionId }, n) {
  a.proxy.lose();
  for (let i = 0; i < n; i++) {
    const ack = await sb.emit('ice_candidate', { sessionId, targetUserId: a.userId, candidate: candidate(i) });
    assert.equal(ack.status, 'ok', JSON.stringify(ack));
  }
  await isShared(` ${50000 + n - 1} typ`);
}

async function getsAll({ b, sa }, n) {
  for (let i = 0; i < n; i++)
    assert.deepEqual(await sa.take('ice_candidate'), { from: b.userId, candidate: candidate(i) });
}

describe('a client that comes back to another instance', () => {
  beforeEach(() => {
    proxies = [];
  });
  afterEach(() => {
    for (const proxy of proxies) proxy.stop();
  });
  cluster.serveEachTest();

  it('after a kill is who it was, gets what it missed once and in order, and is in its session', async () => {
    const [one, two] = await cluster.startDaemons(2);
    const pair = await twoInSession(one);
    const { a, b, sa, sb, sessionId } = pair;
    const ids = [sa.io.id, sb.io.id];
    await sendInVain(pair, 20);
    await cluster.kill(one);
    await moveTo(a, sa, two);
    await moveTo(b, sb, two);
    assert.deepEqual([sa.io.recovered, sb.io.recovered], [true, true]);
    assert.deepEqual([sa.io.id, sb.io.id], ids);
    await getsAll(pair, 20);
    assert.equal((await sa.take('session_state')).status, 'active');
    await sb.take('session_state');
    await sa.take('partner_joined');
    await sb.take('partner_joined');
    const text = sdp();
    assert.equal((await sb.emit('offer', { sessionId, targetUserId: a.userId, sdp: text })).status, 'ok');
    assert.deepEqual(await sa.take('offer'), { from: b.userId, sdp: text });
    assert.equal(await count(two, 'shared'), 2);
    assert.ok(!(await sa.untaken()).includes('ice_candidate'), 'none twice');
  });

  it('finds its partner there, who was there all the time', async () => {
    const [one, two] = await cluster.startDaemons(2);
    const pair = await twoInSession(one, two);
    const { a, b, sa, sb, sessionId } = pair;
    await sendInVain(pair, 5);
    await cluster.kill(one);
    await moveTo(a, sa, two);
    assert.equal(sa.io.recovered, true);
    await getsAll(pair, 5);
    assert.equal((await sa.take('session_state')).status, 'active');
    const text = sdp();
    assert.equal((await sb.emit('offer', { sessionId, targetUserId: a.userId, sdp: text })).status, 'ok');
    assert.deepEqual(await sa.take('offer'), { from: b.userId, sdp: text });
    assert.equal((await sa.emit('offer', { sessionId, targetUserId: b.userId, sdp: text })).status, 'ok');
    assert.deepEqual(await sb.take('offer'), { from: a.userId, sdp: text });
    assert.equal(sb.io.connected, true);
  });

  it('after a clean stop, too', async () => {
    const [one, two] = await cluster.startDaemons(2);
    const pair = await twoInSession(one);
    const { a, sa } = pair;
    await sendInVain(pair, 5);
    await cluster.stopDaemon(one);
    await moveTo(a, sa, two);
    assert.equal(sa.io.recovered, true);
    await getsAll(pair, 5);
    await counted(two, 'shared');
  });

  it('goes from one to the next as often as it likes', async () => {
    const [one, two] = await cluster.startDaemons(2);
    const learner = await learnerAt(one);
    const socket = await learner.connect();
    const id = socket.io.id;
    await getAnEvent(socket);
    await oneKey();
    for (const [i, daemon] of [two, one, two, two, one].entries()) {
      await moveTo(learner, socket, daemon);
      assert.deepEqual([socket.io.recovered, socket.io.id], [true, id]);
      await getAnEvent(socket, `event ${i}`);
      await isShared(`event ${i}`); // by its new owner
    }
    assert.equal(keys().length, 1);
  });

  it('is told what nobody could tell it in between', async () => {
    const [one, two] = await cluster.startDaemons(2);
    const learner = await learnerAt(one);
    const socket = await learner.connect();
    await getAnEvent(socket);
    await oneKey();
    await cluster.kill(one);
    move(learner, two);
    await socket.disconnected();
    const other = cluster.world.learner({}, two.rest);
    for (const each of [learner, other]) {
      each.rest = two.rest;
      expectOk(await each.requestMatch(), 201);
    }
    const sessionId = await other.matched();
    await comeBack(socket);
    assert.equal(socket.io.recovered, true);
    const found = await socket.take('match_found');
    assert.equal(found.sessionId, sessionId);
    assert.equal(found.partner.userId, other.userId);
    assert.deepEqual(await socket.untaken(), []);
  });

  it('whose former instance stood still closes it there for good', async () => {
    const [one, two] = await cluster.startDaemons(2);
    const learner = await learnerAt(one);
    const socket = await learner.connect();
    await getAnEvent(socket);
    const key = await oneKey();
    one.signal('SIGSTOP');
    const links = [...learner.proxy.links];
    learner.proxy.upstream = two.port;
    socket.drop(); // the frozen one does not get to see that
    await socket.disconnected();
    await comeBack(socket);
    assert.equal(socket.io.recovered, true);
    await getAnEvent(socket, 'at the other');
    const owner = await until('the state to be the other one\'s', () => ownerOf(key));
    one.signal('SIGCONT');
    assert.equal(links.length, 1);
    await until('the former one to have no socket', async () => (await one.metric('websocket_connections_active')) === 0);
    await getAnEvent(socket, 'still at the other');
    assert.equal(ownerOf(key), owner);
    await moveTo(learner, socket, one); // it knows nothing of its own any more
    assert.equal(socket.io.recovered, true);
    await counted(one, 'shared');
  });

  it('is recovered by one of two that it asks at once', async () => {
    const [one, two, three] = await cluster.startDaemons(3);
    const learner = await learnerAt(one);
    const socket = await learner.connect();
    await getAnEvent(socket);
    await oneKey();
    const { id, _pid: pid, _lastOffset: offset } = socket.io;
    await cluster.kill(one);
    const rivals = [two, three].map((daemon) => {
      const rival = cluster.world.learner(learner.person, daemon.rest);
      return rival.connect({ auth: { token: rival.token, pid, offset } });
    });
    const sockets = await Promise.all(rivals);
    await until('one of that id to be left', async () => {
      await Promise.allSettled(sockets.map((each) => each.io.connected && each.barrier()));
      return sockets.filter((each) => each.io.id === id).length === 1;
    });
  });

  it('is fresh at once while Redis is away, and before long while it hangs', async () => {
    const [one, two] = await cluster.startDaemons(2);
    const learner = await learnerAt(one);
    const socket = await learner.connect();
    await getAnEvent(socket);
    await oneKey();
    cluster.redis.freeze();
    await cluster.kill(one);
    await moveTo(learner, socket, two);
    assert.equal(socket.io.recovered, false);
    cluster.redis.thaw();
    await cluster.redis.kill();
    await until('Redis to be missed', async () => (await two.readyz()).status === 503);
    const times = [];
    do {
      const started = performance.now();
      socket.drop();
      await socket.disconnected();
      await comeBack(socket);
      times.push(performance.now() - started);
    } while (Math.min(...times) >= AT_ONCE_MS && times.length < TRIES);
    assert.ok(Math.min(...times) < AT_ONCE_MS, times.join());
    await cluster.redis.start();
  });

  it('is recovered after Redis came back empty', async () => {
    const [one, two] = await cluster.startDaemons(2);
    const learner = await learnerAt(one);
    const socket = await learner.connect();
    await getAnEvent(socket);
    await oneKey();
    await cluster.redis.kill();
    await getAnEvent(socket, 'while it is away');
    await cluster.redis.start();
    await oneKey();
    const found = 'dependency_up{dependency="redis_recovery"}';
    await until('the other to have found it, too', async () => (await two.metric(found)) === 1);
    await cluster.kill(one);
    await moveTo(learner, socket, two);
    assert.equal(socket.io.recovered, true);
  });

  it('is fresh when it is somebody else, when it missed too much, and when it had left', async () => {
    const [one, two] = await cluster.startDaemons(2, { WS_RECOVERY_BYTES: '1024' });
    const learners = [await learnerAt(one), await learnerAt(one), await learnerAt(one)];
    const sockets = await Promise.all(learners.map((learner) => learner.connect()));
    for (const socket of sockets) await getAnEvent(socket);
    sockets[0].io.auth = { token: cluster.world.learner({}, one.rest).token };
    learners[1].proxy.lose();
    for (let i = 0; i < 40; i++) sockets[1].send(`event ${i} that is not known`);
    await learners[1].proxy.hasLost('event 39');
    const { _pid: pid, _lastOffset: offset } = sockets[2].io;
    sockets[2].close();
    await until('two states to be left', () => keys().length === 2);
    sockets[2].io.auth = { token: learners[2].token, pid, offset };
    for (let i = 0; i < 2; i++) await moveTo(learners[i], sockets[i], two);
    learners[2].proxy.upstream = two.port;
    await comeBack(sockets[2]);
    assert.deepEqual(
      sockets.map((socket) => socket.io.recovered),
      [false, false, false],
    );
    assert.equal(await count(two, 'fresh'), 3);
  });

  it('finds nothing when what lies in Redis is not what was put there', async () => {
    const [one, two] = await cluster.startDaemons(2);
    const learner = await learnerAt(one);
    const socket = await learner.connect();
    await getAnEvent(socket);
    const key = await oneKey();
    await cluster.kill(one);
    cluster.redis.database().cli('SETRANGE', key, String(OWNER_BYTES), 'garbage');
    await moveTo(learner, socket, two);
    assert.equal(socket.io.recovered, false);
    await two.log('about it', (entry) => entry.event === 'recovery.unreadable');
  });

  it('leaves no more in Redis than it may, and nothing when nothing was sent', async () => {
    const [one] = await cluster.startDaemons(1, { WS_RECOVERY_BYTES: '2048', WS_RECOVERY_SHARED_BYTES: '40000' });
    const sockets = [];
    for (let i = 0; i < 30; i++) sockets.push(await cluster.world.learner({}, one.rest).connect());
    await sockets[0].barrier();
    assert.deepEqual(keys(), []);
    for (let round = 0; round < 60; round++)
      for (const socket of sockets) socket.send(`event ${round} that is not known`);
    await Promise.all(sockets.map((socket) => socket.barrier()));
    await until('all to be shared', () => keys().length === sockets.length);
    const sizes = keys().map(bytesOf);
    assert.ok(Math.max(...sizes) <= 2 * 2048 + HEAD_BYTES, sizes.join());
    const sum = sizes.reduce((a, b) => a + b, 0);
    assert.ok(sum <= 40000 + sockets.length * HEAD_BYTES, String(sum));
    for (const socket of sockets) socket.close();
    await until('all to be gone', () => keys().length === 0);
  });

  it('is fresh when nothing is shared', async () => {
    const [one, two] = await cluster.startDaemons(2, { WS_RECOVERY_SHARED_BYTES: '0' });
    const learner = await learnerAt(one);
    const socket = await learner.connect();
    await getAnEvent(socket);
    await moveTo(learner, socket, two);
    assert.equal(socket.io.recovered, false);
    assert.deepEqual(keys(), []);
  });
});
