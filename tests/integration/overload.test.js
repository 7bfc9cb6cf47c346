// Clients that are slow on purpose, too many connections, no file descriptors: those who cause it are cut or told, the
// others do not notice.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { RawConnection } from '../lib/http.js';
import { API } from '../lib/learner.js';
import { sdp } from '../lib/sdp.js';
import { until } from '../lib/wait.js';
import { World } from '../lib/world.js';

const GET = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';
const DRIP_MS = 50;
const OTHERS = 20; // calls of others, at least, while somebody is slow
const TRIES = 5; // to see that many: in the meantime the machine may stand still

// Sends `text` byte by byte until the daemon has had enough.
async function drip(connection, text) {
  for (const byte of text) {
    if (connection.ended) return;
    connection.send(byte);
    await delay(DRIP_MS);
    await turn(); // what has come is read before more is written: to write to who has hung up may lose his answer
  }
}

// Asks again and again until `done` settles; answers how often, and all must be good.
async function othersWhile(world, done) {
  let isDone = false;
  const end = () => {
    isDone = true;
  };
  done.then(end, end);
  let answers = 0;
  while (!isDone) {
    assert.equal((await world.rest.call('GET', '/healthz')).status, 200);
    answers++;
  }
  await done;
  return answers;
}

describe('slow clients', () => {
  let world;
  before(async () => {
    world = await World.create({
      env: {
        HTTP_HEADER_TIMEOUT_MS: '1000',
        HTTP_BODY_TIMEOUT_MS: '1000',
        HTTP_KEEP_ALIVE_TIMEOUT_MS: '5000', // the others keep theirs, though the machine stands still
        HTTP_WRITE_BUFFER_BYTES: '65536',
        WS_SEND_BUFFER_BYTES: '65536',
      },
    });
  });
  after(() => world.stop());

  // `slow` begins something slow and answers its promise; the others are served meanwhile. Answers what it came to.
  async function besides(slow) {
    for (let left = TRIES; left > 0; left--) {
      const done = slow();
      if ((await othersWhile(world, done)) > OTHERS) return done;
    }
    throw new Error('the others were kept waiting');
  }

  // Twenty of them, as slowhttptest does it: each byte comes soon enough, the whole never.
  const dripTwenty = (head, tail) =>
    Promise.all(
      Array.from({ length: 20 }, async () => {
        const connection = await RawConnection.open(world.daemon.port);
        connection.send(head);
        void drip(connection, tail);
        const { status } = await connection.response();
        await connection.closed();
        return status;
      }),
    );

  async function dripMany(head, tail) {
    return new Set(await besides(() => dripTwenty(head, tail)));
  }

  it('that send a header bit by bit get 408', async () => {
    assert.deepEqual([...(await dripMany('GET /healthz HTTP/1.1\r\n', `X: ${'y'.repeat(1000)}`))], [408]);
  });

  it('that send a body bit by bit get 408', async () => {
    const head = `POST ${API}/match-request HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n`;
    assert.deepEqual([...(await dripMany(head, 'y'.repeat(1000)))], [408]);
  });

  it('that send chunks bit by bit get 408', async () => {
    const head = `POST ${API}/match-request HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`;
    assert.deepEqual([...(await dripMany(head, '1\r\ny\r\n'.repeat(200)))], [408]);
  });

  it('that stop in the middle of a request get 408', async () => {
    for (const part of [
      'GET /healthz HT',
      'GET /healthz HTTP/1.1\r\nHost: x\r\n',
      `POST ${API}/match-request HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{`,
    ]) {
      const connection = await RawConnection.open(world.daemon.port);
      connection.send(part);
      assert.equal((await connection.response()).status, 408, part);
      assert.equal(await connection.closed(), '', part);
    }
  });

  it('that say nothing, or nothing more, are closed without a word', async () => {
    const [silent, idle] = [await RawConnection.open(world.daemon.port), await RawConnection.open(world.daemon.port)];
    idle.send(GET);
    assert.equal((await idle.response()).status, 200);
    assert.equal(await silent.closed(), '');
    assert.equal(await idle.closed(), '');
  });

  it('that ask and do not read are cut, with a log line and a metric', async () => {
    const ask = 'GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2000); // far more than kernels buffer
    const cuts = () => world.metric('http_slow_readers_total');
    await besides(async () => {
      const before = await cuts();
      const reader = await RawConnection.open(world.daemon.port);
      reader.socket.pause();
      reader.send(ask);
      await until('the reader to be cut', async () => (await cuts()) > before);
      reader.destroy();
    });
    const line = await world.daemon.log('of the reader', ({ event }) => event === 'http.slow_reader');
    assert.equal(line.level, 'WARN');
    assert.ok(line.unsentBytes > 0 && line.unsentBytes < 1_000_000, String(line.unsentBytes));
  });

  it('that join a session and do not read are cut, and their partner goes on', async () => {
    const { b, sa, sb, sessionId } = await world.conversation();
    const socket = sb.io.io.engine.transport.ws._socket;
    socket.pause();
    const noise = Buffer.from(Array.from({ length: 6000 }, () => 33 + Math.floor(Math.random() * 90)));
    const offer = { sessionId, targetUserId: b.userId, sdp: `${sdp()}a=x-noise:${noise.toString('latin1')}\r\n` };
    const isCut = () => world.daemon.logs.find(({ event }) => event === 'socket.slow_consumer');
    await until('the socket to be cut', async () => {
      for (let i = 0; i < 50; i++) sa.send('offer', offer);
      await sa.barrier();
      return isCut();
    });
    assert.equal(isCut().level, 'WARN');
    assert.equal(await world.metric('websocket_slow_consumers_total'), 1);
    await sa.take('partner_left');
    socket.destroy();
  });
});

describe('too many connections', () => {
  const few = { env: { HTTP_MAX_CONNECTIONS: '5' } };
  it('in total: what is above the limit gets 503, and a place that is left is taken again', () => World.during(few, async (world) => {
    const ask = async () => {
      const connection = await RawConnection.open(world.daemon.port);
      connection.send(GET);
      return { connection, response: await connection.response() };
    };
    const inside = [];
    let asked;
    while ((asked = await ask()).response.status === 200) inside.push(asked.connection);
    const { connection: outside, response } = asked;
    assert.ok(inside.length > 0 && inside.length <= 5, String(inside.length)); // the world may have one, too
    assert.equal(response.status, 503);
    assert.equal(response.headers.connection, 'close');
    assert.equal(response.headers['retry-after'], '5');
    assert.equal(response.text, 'too many connections\n');
    assert.equal(await outside.closed(), '');
    inside.pop().destroy();
    const again = await until('a place', async () => {
      const { connection, response } = await ask();
      return response.status === 200 && connection;
    });
    for (const connection of [...inside, again]) connection.destroy();
    const refused = await until('room to look', () => world.metric('http_connections_refused_total{reason="limit"}'));
    assert.ok(refused >= 1);
    await world.daemon.log('of the limit', ({ event }) => event === 'listener.full');
  }));

  const fewEach = { env: { HTTP_MAX_CONNECTIONS_PER_ADDRESS: '5' } };
  it('of one address: what is above its share gets 503, other addresses get in', () => World.during(fewEach, async (world) => {
    const openFrom = (localAddress) => RawConnection.open(world.daemon.port, { localAddress });
    const inside = [];
    for (let i = 0; i < 5; i++) inside.push(await openFrom('127.0.0.9'));
    for (const connection of inside) {
      connection.send(GET);
      assert.equal((await connection.response()).status, 200);
    }
    const outside = await openFrom('127.0.0.9');
    const refused = await outside.response();
    assert.equal(refused.status, 503);
    assert.equal(refused.headers['retry-after'], '5');
    assert.equal(refused.text, 'too many connections\n');
    assert.equal(await outside.closed(), '');
    const neighbour = await openFrom('127.0.0.10');
    neighbour.send(GET);
    assert.equal((await neighbour.response()).status, 200);
    assert.equal(await world.metric('http_connections_refused_total{reason="address"}'), 1);
    const line = await world.daemon.log('of the address', ({ event }) => event === 'listener.address_full');
    assert.equal(line.address, '127.0.0.9');
    inside.pop().destroy();
    const again = await until('a place', async () => {
      const connection = await openFrom('127.0.0.9');
      connection.send(GET);
      return (await connection.response()).status === 200 && connection;
    });
    for (const connection of [...inside, neighbour, again]) connection.destroy();
  }));
});

describe('no file descriptors', () => {
  it('is told to those who come; those who are there go on; it passes', () => World.during({ start: false }, async (world) => {
    await world.startDaemon({ descriptors: 80 });
    const socket = await world.learner().connect();
    const [learner, held] = [world.learner(), []];
    assert.equal((await learner.topics()).status, 200); // over a connection that is kept
    const refused = await until('the last descriptor to be taken', async () => {
      const connection = await RawConnection.open(world.daemon.port);
      connection.send(GET);
      const { status } = await connection.response();
      if (status === 503) return connection;
      held.push(connection);
      return false;
    });
    assert.equal(await refused.closed(), '');
    assert.ok(held.length > 10 && held.length < 80, String(held.length));
    for (let i = 0; i < 20; i++) {
      const connection = await RawConnection.open(world.daemon.port);
      assert.equal((await connection.response()).status, 503);
    }
    await socket.barrier();
    assert.equal((await learner.topics('targetLanguageCode=fr')).status, 200, 'the database is asked as ever');
    for (const connection of held) {
      connection.send(GET);
      assert.equal((await connection.response()).status, 200);
    }
    assert.ok((await world.metric('http_connections_refused_total{reason="descriptors"}')) >= 21);
    await world.daemon.log('of the descriptors', ({ event }) => event === 'listener.exhausted');
    const closed = held.splice(0, 10).map((connection) => {
      connection.destroy();
      return once(connection.socket, 'close');
    });
    await Promise.all(closed);
    await until('a descriptor', async () => {
      const connection = await RawConnection.open(world.daemon.port);
      connection.send(GET);
      const { status } = await connection.response();
      connection.destroy();
      return status === 200;
    });
    for (const connection of held) connection.destroy();
  }));
});
