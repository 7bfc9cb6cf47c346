// How Socket.IO reaches the service: the stock client with default options (long-polling, then the upgrade), polling
// alone, and polling by hand.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { candidate, sdp } from '../lib/sdp.js';
import { until, within } from '../lib/wait.js';
import { World } from '../lib/world.js';

const POLLING = '/socket.io/?EIO=4&transport=polling';
const DEFAULTS = { transports: undefined };
const WAYS = {
  'default options': DEFAULTS,
  'polling alone': { transports: ['polling'] },
  'WebSocket first': { transports: ['websocket', 'polling'] },
  'polling, not upgraded': { upgrade: false, ...DEFAULTS },
};

let world;
before(async () => {
  world = await World.create({ env: { RATE_LIMIT_ICE_CANDIDATES: '0' } });
});
after(() => world.stop());

const transportOf = (socket) => socket.io.io.engine.transport.name;

async function upgraded(socket) {
  const { engine } = socket.io.io;
  await until('the upgrade', () => engine.transport.name === 'websocket');
}

// Everything a session has, both ways.
async function converse(world, options) {
  const { a, b, sessionId } = await world.pair();
  const sa = await a.enter(sessionId, options);
  const sb = await b.enter(sessionId, options);
  assert.equal((await sa.take('partner_joined')).partnerId, b.userId);
  assert.equal((await sb.take('partner_joined')).partnerId, a.userId);
  const offer = sdp();
  const ack = await sa.emit('offer', { sessionId, targetUserId: b.userId, sdp: offer });
  assert.equal(ack.status, 'ok');
  assert.deepEqual(await sb.take('offer'), { from: a.userId, sdp: offer });
  for (let i = 0; i < 20; i++)
    sb.send('ice_candidate', { sessionId, targetUserId: a.userId, candidate: candidate(i) });
  for (let i = 0; i < 20; i++) assert.deepEqual((await sa.take('ice_candidate')).candidate, candidate(i));
  return { a, b, sa, sb, sessionId };
}

describe('the stock client', { concurrency: true }, () => {
  for (const [name, options] of Object.entries(WAYS)) {
    it(`converses with ${name}`, async () => {
      const { sa, sb } = await converse(world, options);
      if (name === 'default options') await Promise.all([upgraded(sa), upgraded(sb)]);
      if (name.startsWith('polling')) assert.equal(transportOf(sa), 'polling');
      await sa.barrier();
    });
  }

  it('upgrades amid traffic, and nothing is lost or doubled on the way', async () => {
    const { a, b, sessionId } = await world.pair();
    const sb = await b.enter(sessionId);
    const sa = await a.connect(DEFAULTS);
    sa.send('join_session', { userId: a.userId, sessionId });
    await sb.take('partner_joined');
    let sent = 0;
    const send = () => {
      sa.send('ice_candidate', { sessionId, targetUserId: b.userId, candidate: candidate(sent) });
      sb.send('ice_candidate', { sessionId, targetUserId: a.userId, candidate: candidate(sent) });
      sent++;
    };
    await until('the upgrade', () => {
      send();
      return transportOf(sa) === 'websocket';
    });
    send();
    for (const socket of [sa, sb]) {
      for (let i = 0; i < sent; i++)
        assert.deepEqual((await socket.take('ice_candidate')).candidate, candidate(i));
      assert.ok(!(await socket.untaken()).includes('ice_candidate'));
    }
  });

  it('is told by a poll that the server closed', async () => {
    const learner = world.learner();
    const { a, sessionId } = await world.pair();
    const first = await a.enter(sessionId, { transports: ['polling'] });
    await a.enter(sessionId); // takes over
    await first.take('exception');
    assert.equal(await first.disconnected(), 'io server disconnect');
    const socket = await learner.connect({ transports: ['polling'], auth: false });
    socket.io.io.engine.write('{'); // no Socket.IO packet
    assert.match(await socket.disconnected(), /^transport (close|error)$/);
  });

  it('reconnects by polling when its connection is lost', async () => {
    const { a, b, sessionId } = await world.pair();
    const sb = await b.enter(sessionId);
    const sa = await a.enter(sessionId, { transports: ['polling'], reconnection: true, reconnectionDelay: 10 });
    await sb.take('partner_joined');
    const again = new Promise((resolve) => {
      sa.io.once('connect', resolve);
    });
    sa.io.io.engine.close(); // as a network would: the client goes on by itself
    await sb.take('partner_left');
    await within('the client to be back', again);
    assert.equal((await sa.emit('join_session', { userId: a.userId, sessionId })).status, 'ok');
    await sb.take('partner_joined');
  });
});

describe('polling by hand', { concurrency: true }, () => {
  const rest = () => world.learner().rest;

  const open = async (path = POLLING) => {
    const { status, text } = await rest().call('GET', path);
    assert.equal(status, 200, text);
    return `${path}&sid=${JSON.parse(text.slice(1)).sid}`;
  };

  it('opens, connects, polls and closes', async () => {
    const learner = world.learner();
    const session = await open();
    const post = await learner.rest.call('POST', session, {
      body: `40${JSON.stringify({ token: learner.token })}`,
      headers: { 'content-type': 'text/plain;charset=UTF-8' },
    });
    assert.equal(post.status, 200);
    assert.equal(post.text, 'ok');
    assert.equal(post.headers['content-type'], 'text/html');
    const poll = await learner.rest.call('GET', session);
    assert.match(poll.text, /^40\{"sid":"[\w-]{20}"/);
    assert.equal(poll.headers['content-type'], 'text/plain; charset=UTF-8');
    assert.equal(poll.headers['cache-control'], 'no-store');
    const waiting = learner.rest.call('GET', session);
    assert.equal((await learner.rest.call('POST', session, { body: '3' })).text, 'ok'); // by then it waits
    assert.equal((await learner.rest.call('POST', session, { body: '1' })).text, 'ok');
    assert.equal((await waiting).text, '6');
    assert.deepEqual((await learner.rest.call('GET', session)).body, { code: 1, message: 'Session ID unknown' });
  });

  it('binds by the path, as a WebSocket does', async () => {
    const { a, sessionId } = await world.pair();
    const session = await open(`/ws/conversations/${sessionId}?EIO=4&transport=polling`);
    const join = (id) => `42["join_session",{"userId":"${a.userId}","sessionId":"${id}"}]`;
    const body = [`40${JSON.stringify({ token: a.token })}`, join(crypto.randomUUID()), join(sessionId)].join('\x1e');
    assert.equal((await a.rest.call('POST', session, { body })).text, 'ok');
    let heard = '';
    await until('the answer', async () => {
      heard += (await a.rest.call('GET', session)).text;
      return heard.includes('"exception"');
    });
    assert.match(heard, /FORBIDDEN/);
  });

  it('is refused a message above the limit with 413, a broken one with 400', async () => {
    const session = await open();
    const { status } = await rest().call('POST', session, { body: `4${'x'.repeat(1_000_000)}`, fresh: true });
    assert.equal(status, 413);
    const bad = await rest().call('POST', session, { body: 'bAQ' });
    assert.equal(bad.status, 400);
    assert.deepEqual(bad.body, { code: 3, message: 'Bad request' });
    assert.equal((await rest().call('GET', session)).status, 400);
  });
});

describe('other configurations', () => {
  it('a browser of an allowed origin may poll, another one not', async () => {
    const its = await World.create({ env: { CORS_ALLOWED_ORIGINS: 'https://app.example' } });
    try {
      const { rest } = its.learner();
      const from = (origin, method = 'GET', more = {}) =>
        rest.call(method, POLLING, { headers: { origin, ...more } });
      const allowed = await from('https://app.example');
      assert.equal(allowed.status, 200);
      assert.equal(allowed.headers['access-control-allow-origin'], 'https://app.example');
      const preflight = await from('https://app.example', 'OPTIONS', { 'access-control-request-method': 'POST' });
      assert.equal(preflight.status, 204);
      assert.match(preflight.headers['access-control-allow-methods'], /POST/);
      const refused = await from('https://evil.example');
      assert.equal(refused.status, 403);
      assert.deepEqual(refused.body, { code: 4, message: 'Forbidden' });
    } finally {
      await its.stop();
    }
  });

  it('a client that stops to poll is dropped', async () => {
    const its = await World.create({
      // Long enough for the partner to answer, though the machine stands still.
      env: { WS_HEARTBEAT_INTERVAL: '1000', WS_HEARTBEAT_TIMEOUT: '6000', SESSION_RECONNECT_GRACE_SECONDS: '60' },
    });
    try {
      const { a, b, sessionId } = await its.pair();
      const sb = await b.enter(sessionId);
      const sa = await a.enter(sessionId, { transports: ['polling'] });
      await sb.take('partner_joined');
      sa.io.io.engine.transport.doPoll = () => {}; // after the poll that waits now
      assert.equal((await sb.take('partner_left', 30_000)).reason, 'disconnect');
    } finally {
      await its.stop();
    }
  });
});
