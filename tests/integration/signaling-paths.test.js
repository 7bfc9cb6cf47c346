// Every URL, path and namespace the signaling is reached under, and both ways to authenticate.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { openWebSocket } from '../lib/frames.js';
import { sdp } from '../lib/sdp.js';
import { badTokens, claimsOf, ecKeys, sign } from '../lib/token.js';
import { until, within } from '../lib/wait.js';
import { refusedStatus, Wire } from '../lib/wire.js';
import { World } from '../lib/world.js';

const WS = '/ws/conversations';

let world;
before(async () => {
  world = await World.create();
});
after(() => world.stop());

// name -> options of a socket; ID stands for the session's id
const WAYS = {
  'the default path and namespace': {},
  'namespace /ws/conversations': { namespace: WS },
  'namespace /ws/conversations/ID': { namespace: `${WS}/ID` },
  'path /ws/conversations': { path: WS },
  'path /ws/conversations/': { path: `${WS}/` },
  'path /ws/conversations, namespace /ws/conversations': { path: WS, namespace: WS },
  'path /ws/conversations, namespace /ws/conversations/ID': { path: WS, namespace: `${WS}/ID` },
  'path /ws/conversations/ID': { path: `${WS}/ID` },
  'path /ws/conversations/ID, namespace /ws/conversations': { path: `${WS}/ID`, namespace: WS },
  'path /ws/conversations/ID, namespace /ws/conversations/ID': { path: `${WS}/ID`, namespace: `${WS}/ID` },
};

function wayTo(sessionId, { path, namespace }) {
  const put = (text) => text?.replace('ID', sessionId);
  return Object.fromEntries(
    Object.entries({ path: put(path), namespace: put(namespace) }).filter(([, v]) => v),
  );
}

describe('ways in', { concurrency: true }, () => {
  for (const [name, way] of Object.entries(WAYS)) {
    it(name, async () => {
      const { a, b, sessionId } = await world.pair();
      const sa = await a.enter(sessionId, wayTo(sessionId, way));
      const sb = await b.enter(sessionId);
      await sa.take('partner_joined');
      await sb.take('partner_joined');
      assert.equal((await sb.emit('offer', { sessionId, targetUserId: a.userId, sdp: sdp() })).status, 'ok');
      assert.equal((await sa.take('offer')).from, b.userId);
    });
  }

  it('a socket bound to a session is refused another one', async () => {
    const [one, two] = [await world.pair(), await world.pair()];
    for (const bound of [{ path: `${WS}/${two.sessionId}` }, { namespace: `${WS}/${two.sessionId}` }]) {
      const socket = await one.a.connect(bound);
      const ack = await socket.emit('join_session', { userId: one.a.userId, sessionId: one.sessionId });
      assert.equal(ack.code, 'FORBIDDEN', JSON.stringify(ack));
    }
  });

  for (const namespace of ['/nowhere', `${WS}/not-a-uuid`, '/ws']) {
    it(`namespace ${namespace} is refused`, async () => {
      const error = await world.learner().socket({ namespace }).refused();
      assert.equal(error.message, 'Invalid namespace');
    });
  }

  it('two namespaces share one connection', async () => {
    const { a, b, sessionId } = await world.pair();
    const main = await a.connect();
    const second = main.io.io.socket(WS, { auth: { token: a.token } });
    const connected = new Promise((resolve, reject) => {
      second.once('connect', resolve).once('connect_error', reject);
    });
    await within('the second namespace to be joined', connected);
    const ack = await second.timeout(10_000).emitWithAck('join_session', { userId: a.userId, sessionId });
    assert.equal(ack.status, 'ok');
    const joined = new Promise((resolve) => {
      second.once('partner_joined', resolve);
    });
    await b.enter(sessionId);
    assert.equal((await within('partner_joined', joined)).partnerId, b.userId);
    assert.deepEqual(await main.untaken(), [], 'the events go to the namespace that joined');
  });
});

describe('the handshake', { concurrency: true }, () => {
  const query = '?EIO=4&transport=websocket';

  it('is taken on every path, with the accept key of RFC 6455', async () => {
    for (const path of ['/socket.io/', '/socket.io', WS, `${WS}/`, `${WS}/${crypto.randomUUID()}`]) {
      const { connection, response } = await openWebSocket(world.daemon.port, path + query);
      assert.equal(response.status, 101, path);
      assert.equal(response.headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
      connection.destroy();
    }
  });

  const REFUSED = {
    'an unknown path': [`/elsewhere${query}`, {}, 404],
    'a session id that is none': [`${WS}/abc${query}`, {}, 404],
    'another protocol revision': ['/socket.io/?EIO=3&transport=websocket', {}, 400],
    'no protocol revision': ['/socket.io/?transport=websocket', {}, 400],
    'an unknown transport': ['/socket.io/?EIO=4&transport=carrier-pigeon', {}, 400],
    'an unknown session of the transport': [`/socket.io/${query}&sid=nosuch`, {}, 400],
    'WebSocket version 8': [`/socket.io/${query}`, { 'Sec-WebSocket-Version': '8' }, 426],
    'no key': [`/socket.io/${query}`, { 'Sec-WebSocket-Key': undefined }, 400],
    'a key that is not 16 bytes': [`/socket.io/${query}`, { 'Sec-WebSocket-Key': 'c2hvcnQ=' }, 400],
  };
  for (const [what, [path, headers, status]] of Object.entries(REFUSED)) {
    it(`with ${what} gets ${status}`, async () => {
      const { connection, response } = await openWebSocket(world.daemon.port, path, headers);
      assert.equal(response.status, status, response.text);
      connection.destroy();
    });
  }
});

describe('authentication', { concurrency: true }, () => {
  it('refuses every kind of bad token in the handshake, in REST and in `authenticate`', async () => {
    const learner = world.learner();
    const late = await learner.connect({ auth: false });
    for (const [why, token] of Object.entries(badTokens(world.keys, claimsOf(learner.person)))) {
      const rest = await learner.call('GET', '/topics?targetLanguageCode=en', undefined, { token });
      assert.equal(rest.status, 401, `REST, ${why}: ${rest.text}`);
      const error = await learner.socket({ auth: { token } }).refused();
      assert.equal(error.message, 'Invalid token', why);
      const ack = await late.emit('authenticate', { token });
      assert.equal(ack.code, 'UNAUTHORIZED', `authenticate, ${why}: ${JSON.stringify(ack)}`);
    }
  });

  it('refuses a handshake token that is not a string', async () => {
    const learner = world.learner();
    for (const token of [7, { a: 1 }, '']) {
      const socket = learner.socket({ auth: { token } });
      assert.equal((await socket.refused()).message, 'Invalid token', JSON.stringify(token));
    }
  });

  it('may come later: authenticate, then everything else', async () => {
    const { a, sessionId } = await world.pair();
    const socket = await a.connect({ auth: false });
    const early = await socket.emit('join_session', { userId: a.userId, sessionId });
    assert.equal(early.status, 'error');
    assert.equal(early.code, 'UNAUTHORIZED');
    socket.send('offer', {});
    const exception = await socket.take('exception');
    assert.equal(exception.code, 'UNAUTHORIZED');
    assert.equal(exception.event, 'offer');

    const ack = await socket.emit('authenticate', { token: a.token });
    assert.deepEqual(ack, { status: 'ok', userId: a.userId });
    assert.deepEqual(await socket.take('authenticated'), { userId: a.userId });
    assert.equal((await socket.emit('join_session', { userId: a.userId, sessionId })).status, 'ok');
  });
});

describe('other configurations', () => {
  const other = (env, test) => World.during({ env }, test);

  it('WS_REQUIRE_HANDSHAKE_AUTH refuses a missing token', () =>
    other({ WS_REQUIRE_HANDSHAKE_AUTH: 'true' }, async (its) => {
      const learner = its.learner();
      assert.equal((await learner.socket({ auth: false }).refused()).message, 'Authentication error');
      assert.equal((await learner.socket({ auth: { token: 'x' } }).refused()).message, 'Invalid token');
      await learner.connect();
    }));

  it('without a token in WS_AUTH_TIMEOUT_MS the socket is cut', () =>
    other({ WS_AUTH_TIMEOUT_MS: '5000' }, async (its) => {
      const learner = its.learner();
      const [late, other] = [await learner.connect({ auth: false }), await learner.connect({ auth: false })];
      assert.equal((await other.emit('authenticate', { token: learner.token })).status, 'ok');
      await late.disconnected();
      assert.equal(other.disconnectReason, undefined);
      await other.barrier();
    }));

  it('WS_PATH moves the path and the namespaces', () =>
    other({ WS_PATH: '/live' }, async (its) => {
      const { a, b, sessionId } = await its.pair();
      const sa = await a.enter(sessionId, { path: `/live/${sessionId}` });
      await b.enter(sessionId, { namespace: `/live/${sessionId}` });
      await sa.take('partner_joined');
      assert.equal((await a.socket({ namespace: WS }).refused()).message, 'Invalid namespace');
    }));

  it('above WS_MAX_CONNECTIONS a connection gets 503, and a place that is left is taken again', () =>
    other({ WS_MAX_CONNECTIONS: '2' }, async (its) => {
      const learner = its.learner();
      const first = await learner.connect();
      await learner.connect();
      const status = await refusedStatus(new Wire(its.daemon).url('EIO=4&transport=websocket', 'ws'));
      assert.equal(status, 503);
      first.close();
      await until('the place to be free', () => learner.connect().then(() => true));
    }));

  it('a partner that does not answer pings is dropped', () =>
    other(
      // Long enough for the others to answer, though the machine stands still.
      { WS_HEARTBEAT_INTERVAL: '1000', WS_HEARTBEAT_TIMEOUT: '6000', SESSION_RECONNECT_GRACE_SECONDS: '60' },
      async (its) => {
        const { a, sessionId, sb } = await its.conversation();
        a.sockets[0].io.io.engine.transport.ws.pause(); // pings are no longer read, so no pongs
        assert.equal((await sb.take('partner_left', 30_000)).reason, 'disconnect');
        assert.equal((await a.session(sessionId)).body.session.status, 'active');
      },
    ));

  it('an EC key, given with escaped line ends, verifies ES256 and nothing else', async () => {
    const ec = ecKeys();
    const its = await World.create({ start: false });
    try {
      const pem = ec.publicKey.export({ type: 'spki', format: 'pem' });
      await its.startDaemon({
        env: { JWT_PUBLIC_KEY: pem.replaceAll('\n', '\\n'), JWT_PUBLIC_KEY_FILE: undefined },
      });
      const learner = its.learner();
      const token = sign(claimsOf(learner.person), ec.privateKey, { alg: 'ES256' });
      const call = (t) => learner.call('GET', '/topics?targetLanguageCode=en', undefined, { token: t });
      assert.equal((await call(token)).status, 200);
      assert.equal((await call(learner.token)).status, 401, 'the RSA key is not trusted here');
    } finally {
      await its.stop();
    }
  });
});
