// The stock clients with default options against the daemon: they begin with polling and change to WebSocket, or stay.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Socket as EngineClient } from 'engine.io-client';
import { twoLearnersMeet } from '../e2e/scenario.js';
import { sdp } from '../lib/sdp.js';
import { within } from '../lib/wait.js';
import { Wire } from '../lib/wire.js';
import { World } from '../lib/world.js';

const TRANSPORTS = {
  'polling, then WebSocket': undefined,
  'polling only': ['polling'],
  'WebSocket only': ['websocket'],
};
const WS = '/ws/conversations';

const event = (emitter, name) =>
  within(`event ${name}`, new Promise((resolve) => emitter.once(name, resolve)));

let world;
before(async () => {
  world = await World.create({ env: { PROMPT_REQUEST_GAP_SECONDS: '1' } });
});
after(() => world.stop());

function learner(transports, person) {
  const one = world.learner(person);
  one.transports = transports;
  return one;
}

describe('engine.io-client', { concurrency: true }, () => {
  for (const [name, transports] of Object.entries(TRANSPORTS))
    it(`opens a session and joins Socket.IO, ${name}`, async () => {
      for (const path of ['/socket.io/', `${WS}/`]) {
        const client = new EngineClient(world.base, { path, ...(transports && { transports }) });
        await event(client, 'open');
        if (!transports) assert.equal((await event(client, 'upgrade')).name, 'websocket');
        assert.equal(client.transport.name, transports?.[0] ?? 'websocket');
        client.send('0');
        assert.match(await event(client, 'message'), /^0\{"sid":"[^"]+"/);
        client.close();
      }
    });

  it('is told by polling what is wrong', async () => {
    const { status, body } = await new Wire(world.daemon).request('EIO=3&transport=polling');
    assert.equal(status, 400);
    assert.deepEqual(body, { code: 5, message: 'Unsupported protocol version' });
  });
});

describe('two learners meet', () => {
  for (const [name, transports] of Object.entries(TRANSPORTS))
    it(name, () => twoLearnersMeet(learner(transports), learner(transports)));

  it('one on polling, the other on WebSocket', () =>
    twoLearnersMeet(learner(['polling']), learner(['websocket'])));

  it('the client has changed to WebSocket meanwhile', async () => {
    const socket = await learner().connect();
    const { engine } = socket.io.io;
    if (engine.transport.name === 'polling') await event(engine, 'upgrade');
    assert.equal(engine.transport.name, 'websocket');
    await socket.barrier();
  });
});

describe('socket.io-client', { concurrency: true }, () => {
  for (const [name, transports] of Object.entries(TRANSPORTS)) {
    describe(name, { concurrency: true }, () => {
      it('connects with a token on every path and namespace', async () => {
        const one = learner(transports);
        for (const way of [{}, { namespace: WS }, { path: WS }, { path: WS, namespace: WS }]) {
          const socket = await one.connect(way);
          const ack = await socket.emit('request_next_prompt', { sessionId: one.userId });
          assert.equal(ack.code, 'NOT_IN_SESSION');
        }
      });

      it('authenticates later, and gets exceptions', async () => {
        const one = learner(transports);
        const socket = await one.connect({ auth: false });
        socket.send('offer', {});
        assert.equal((await socket.take('exception')).code, 'UNAUTHORIZED');
        assert.deepEqual(await socket.emit('authenticate', { token: one.token }), {
          status: 'ok',
          userId: one.userId,
        });
        assert.deepEqual(await socket.take('authenticated'), { userId: one.userId });
      });

      it('is refused with a bad token, and in an unknown namespace', async () => {
        const one = learner(transports);
        assert.equal((await one.socket({ auth: { token: 'x' } }).refused()).message, 'Invalid token');
        assert.equal((await one.socket({ namespace: '/nowhere' }).refused()).message, 'Invalid namespace');
      });

      it('is back by itself when its connection broke, and goes on in its session', async () => {
        const { a, b, sessionId } = await world.pair();
        a.transports = transports;
        const sa = await a.enter(sessionId, { reconnection: true, reconnectionDelay: 10 });
        const sb = await b.enter(sessionId);
        await sa.take('partner_joined');
        await sb.take('partner_joined');
        const { io } = sa;
        const { id } = io;
        const back = event(io, 'connect');
        io.io.engine.close();
        await back;
        assert.equal(io.id, id);
        assert.equal(io.recovered, true);
        await sb.take('partner_joined'); // again: it has joined without being asked to
        const offer = { sessionId, targetUserId: a.userId, sdp: sdp() };
        assert.deepEqual(await sb.emit('offer', offer), { status: 'ok' });
        assert.equal((await sa.take('offer')).from, b.userId);
      });
    });
  }
});
