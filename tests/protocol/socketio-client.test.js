// The stock socket.io-client, with default options unless a test says otherwise. The modes `socketio-client` of the
// servers answer what its own tests ask for.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { io, Manager } from 'socket.io-client';
import { ProtocolServer, SERVERS } from '../lib/protocol_server.js';
import { Proxy } from '../lib/proxy.js';
import { within } from '../lib/wait.js';

const ISO_DATE = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;
const ASDFASDF = Buffer.from('asdfasdf');
const UTF8 = ['てすと', 'Я Б Г Д Ж Й', 'Ä ä Ü ü ß', 'utf8 — string', 'utf8 — string'];

const TRIES = 4;

const TRANSPORTS = {
  'polling, then WebSocket': {},
  'polling only': { transports: ['polling'] },
  'WebSocket only': { transports: ['websocket'] },
};

const event = (emitter, name) =>
  within(`event ${name}`, new Promise((resolve) => emitter.once(name, (...args) => resolve(args))));

// The arguments of the next `count` events of that name.
function events(socket, name, count) {
  const got = [];
  return within(
    `${count} events ${name}`,
    new Promise((resolve) => {
      socket.on(name, (...args) => {
        got.push(args);
        if (got.length === count) resolve(got);
      });
    }),
  );
}

// The first argument of the answer to `name`.
const ask = (socket, name, ...args) => within(`ack of ${name}`, socket.emitWithAck(name, ...args));

for (const kind of SERVERS) {
  describe(`socket.io-client, ${kind}`, { concurrency: true }, () => {
    let server;
    let recovering;
    const sockets = [];
    const proxies = [];
    before(async () => {
      server = await ProtocolServer.start(kind, 'socketio-client', { pingInterval: 2000 });
      // Without a ping in the next seconds: what is lost in these tests is what they made the server send.
      recovering = await ProtocolServer.start(kind, 'socketio-client', { recovery: true });
    });
    after(async () => {
      for (const socket of sockets) socket.disconnect();
      for (const proxy of proxies) proxy.stop();
      await ProtocolServer.stopAll(server, recovering);
    });

    const client = (path = '/', options = {}, on = server) => {
      const socket = io(`${on.base}${path}`, { forceNew: true, reconnectionDelay: 10, ...options });
      sockets.push(socket);
      return socket;
    };

    for (const [name, options] of Object.entries(TRANSPORTS)) {
      describe(name, { concurrency: true }, () => {
        const connected = async (path = '/') => {
          const socket = client(path, options);
          await event(socket, 'connect');
          return socket;
        };
        // Emits before it is connected: what is buffered comes first and in order.
        const answered = (answer, name_, ...args) => {
          const socket = client('/', options);
          socket.emit(name_, ...args);
          return event(socket, answer);
        };

        it('gets an event for an event', async () => assert.deepEqual(await answered('hi', 'hi'), []));

        it('gets an acknowledgement', async () => {
          const socket = await connected();
          for (const value of [123, 'text', null, false, { a: [1, { b: 'é€😀' }] }, []])
            assert.deepEqual(await ask(socket, 'echo', value), value);
        });

        it('gives an acknowledgement', async () => {
          const socket = client('/', options);
          socket.on('ack', (answer) => answer(5, { test: true }));
          socket.emit('ack');
          await event(socket, 'got it');
        });

        it('gets what it wants only for the right acknowledgement', async () => {
          const socket = client('/', options);
          const given = [[], [4, { test: true }], [5, { test: false }], [5], [5, { test: true }]];
          let asked = 0;
          socket.on('got it', () => assert.equal(asked, given.length));
          socket.on('ack', (answer) => answer(...given[asked++]));
          for (const _ of given) socket.emit('ack');
          await event(socket, 'got it');
        });

        it('gets dates as text', async () => {
          const socket = await connected();
          assert.match(await ask(socket, 'getAckDate', { test: true }), ISO_DATE);
          socket.emit('getDate');
          assert.match((await event(socket, 'takeDate'))[0], ISO_DATE);
          socket.emit('getDateObj');
          assert.match((await event(socket, 'takeDateObj'))[0].date, ISO_DATE);
        });

        it('gets false', async () => assert.deepEqual(await answered('false', 'false'), [false]));

        it('gets UTF-8 in order', async () => {
          const socket = client('/', options);
          const taken = events(socket, 'takeUtf8', UTF8.length);
          socket.emit('getUtf8');
          assert.deepEqual((await taken).flat(), UTF8);
        });

        it('gets binary', async () => {
          assert.deepEqual(await answered('doge', 'doge'), [ASDFASDF]);
          assert.deepEqual(await answered('takebin', 'getbin'), [ASDFASDF]);
        });

        it('gets binary as an ArrayBuffer when it wants', async () => {
          const socket = client('/', options);
          socket.io.engine.binaryType = 'arraybuffer';
          socket.emit('doge');
          const [data] = await event(socket, 'doge');
          assert.ok(data instanceof ArrayBuffer);
          assert.deepEqual(Buffer.from(data), ASDFASDF);
        });

        it('sends binary', async () => {
          await answered('buffack', 'buffa', ASDFASDF);
          await answered('buffack', 'buffa', new Uint8Array([1, 2, 3]).buffer);
          await answered('back', 'blob', ASDFASDF);
        });

        it('sends binary within JSON', async () => {
          const mixed = { hello: 'lol', message: ASDFASDF, goodbye: 'gotcha' };
          await answered('jsonbuff-ack', 'jsonbuff', mixed);
          await answered('jsonblob-ack', 'jsonblob', mixed);
        });

        it('sends events with and without binary in order', async () => {
          const socket = client('/', options);
          socket.emit('abuff1', ASDFASDF);
          socket.emit('abuff2', 'please arrive second');
          await event(socket, 'abuff2-ack');
          socket.emit('blob1', ASDFASDF);
          socket.emit('blob2', 'second');
          socket.emit('blob3', ASDFASDF);
          await event(socket, 'blob3-ack');
        });

        it('echoes binary in acknowledgements', async () => {
          const socket = await connected();
          const value = { first: ASDFASDF, list: [Buffer.from([1]), 'x', Buffer.alloc(0)] };
          assert.deepEqual(await ask(socket, 'echo', value), value);
          assert.deepEqual(await ask(socket, 'echo', ASDFASDF), ASDFASDF);
        });

        it('keeps the order of many acknowledgements', async () => {
          const socket = client('/', options);
          const values = Array.from({ length: 200 }, (_, i) => (i % 2 ? i : Buffer.from([i])));
          assert.deepEqual(await Promise.all(values.map((value) => ask(socket, 'echo', value))), values);
        });

        it('knows its id as the server does', async () => {
          for (const path of ['/', '/foo']) {
            const socket = await connected(path);
            assert.equal(await ask(socket, 'getId'), socket.id);
            assert.notEqual(socket.id, socket.io.engine.id);
          }
        });

        it('is refused by the main namespace', async () => {
          const [error] = await event(client('/', { ...options, query: { fail: true } }), 'connect_error');
          assert.equal(error.message, 'Auth failed (main namespace)');
        });

        it('is refused by a namespace, and does not try again', async () => {
          const socket = client('/no', options);
          assert.equal((await event(socket, 'connect_error'))[0].message, 'Auth failed (custom namespace)');
          assert.equal(socket.active, false);
          const other = socket.io.socket('/foo');
          sockets.push(other);
          await event(other, 'connect');
          assert.equal(socket.connected, false);
        });

        it('is told that a namespace does not exist', async () => {
          for (const path of ['/unknown', '/foo/bar', '/Foo']) {
            const [error] = await event(client(path, options), 'connect_error');
            assert.equal(error.message, 'Invalid namespace');
          }
        });

        it('reconnects with another id', async () => {
          const socket = await connected();
          const { id } = socket;
          const back = event(socket, 'connect');
          socket.io.engine.close();
          await back;
          assert.notEqual(socket.id, id);
          assert.ok(!socket.recovered);
          assert.equal(await ask(socket, 'getId'), socket.id);
        });

        it('reconnects by hand', async () => {
          const socket = await connected();
          socket.disconnect();
          assert.equal(socket.id, undefined);
          socket.connect();
          await event(socket, 'connect');
          assert.equal(await ask(socket, 'echo', 1), 1);
        });
      });
    }

    describe('the handshake', { concurrency: true }, () => {
      const handshakeOf = async (path, options) => (await event(client(path, options), 'handshake'))[0];

      it('has what the request and the CONNECT packet said', async () => {
        const before_ = Date.now();
        const handshake = await handshakeOf('/abc', {
          auth: { a: 'b', c: ['d'] },
          extraHeaders: { 'X-Custom': 'yes' },
        });
        assert.deepEqual(Object.keys(handshake).sort(), [
          'address',
          'auth',
          'headers',
          'issued',
          'query',
          'secure',
          'time',
          'url',
          'xdomain',
        ]);
        assert.deepEqual(handshake.auth, { a: 'b', c: ['d'] });
        assert.equal(handshake.headers['x-custom'], 'yes');
        assert.equal(handshake.headers.host, `127.0.0.1:${server.port}`);
        assert.equal(handshake.query.EIO, '4');
        assert.equal(handshake.query.transport, 'polling');
        assert.match(handshake.url, /^\/socket\.io\/\?EIO=4&transport=polling/);
        assert.equal(handshake.address, '127.0.0.1');
        assert.equal(handshake.xdomain, false);
        assert.equal(handshake.secure, false);
        assert.ok(handshake.issued >= before_ && handshake.issued <= Date.now());
        assert.equal(Math.floor(Date.parse(handshake.time) / 1000), Math.floor(handshake.issued / 1000));
      });

      it('is the same to an acknowledgement', async () => {
        const { headers, query, auth } = await ask(client('/', { query: { e: 'f' } }), 'getHandshake');
        assert.equal(query.e, 'f');
        assert.equal(query.EIO, '4');
        assert.equal(typeof headers.host, 'string');
        assert.deepEqual(auth, {});
      });

      it('knows a request from another origin', async () => {
        const { xdomain } = await handshakeOf('/abc', { extraHeaders: { origin: 'https://other.example' } });
        assert.equal(xdomain, true);
      });

      it('has the query of the option', async () => {
        assert.equal((await handshakeOf('/abc', { query: { a: 'b' } })).query.a, 'b');
      });

      it('has the query of the address', async () => {
        const { query } = await handshakeOf('/abc?b=c&d=e');
        assert.deepEqual([query.b, query.d], ['c', 'e']);
        assert.equal((await ask(client('/?c=d'), 'getHandshake')).query.c, 'd');
      });

      it('has the query decoded', async () => {
        const odd = { '&a': '&=?a', plus: 'a+b c', empty: '', utf8: 'é€😀', quote: '"\\' };
        const { query } = await handshakeOf('/abc', { query: odd });
        for (const [name, value] of Object.entries(odd)) assert.equal(query[name], value);
      });

      it('has what the client’s function gave as authentication', async () => {
        const { auth, query } = await handshakeOf('/abc', { auth: (give) => give({ e: 'f' }) });
        assert.deepEqual(auth, { e: 'f' });
        assert.equal(query.e, undefined);
      });
    });

    describe('namespaces on one connection', { concurrency: true }, () => {
      const manager = (options) => new Manager(server.base, { reconnectionDelay: 10, ...options });
      const joined = async (of, path) => {
        const socket = of.socket(path);
        sockets.push(socket);
        if (!socket.connected) await event(socket, 'connect');
        return socket;
      };

      it('are joined one after the other', async () => {
        const shared = manager();
        for (const path of ['/', '/foo', '/asd', '/valid', '/timeout_socket'])
          assert.ok((await joined(shared, path)).connected);
      });

      it('have ids of their own', async () => {
        const shared = manager();
        const [main, foo] = await Promise.all([joined(shared, '/'), joined(shared, '/foo')]);
        assert.notEqual(main.id, foo.id);
        assert.deepEqual(await Promise.all([ask(main, 'getId'), ask(foo, 'getId')]), [main.id, foo.id]);
      });

      it('are left one by one', async () => {
        const shared = manager();
        const main = await joined(shared, '/');
        const foo = await joined(shared, '/foo');
        foo.disconnect();
        assert.equal(await ask(main, 'echo', 'still here'), 'still here');
        main.disconnect();
        await joined(shared, '/foo'); // over a new connection
      });

      it('are all back after a reconnection', async () => {
        const shared = manager();
        const [main, foo] = await Promise.all([joined(shared, '/'), joined(shared, '/foo')]);
        const back = Promise.all([event(main, 'connect'), event(foo, 'connect')]);
        shared.engine.close();
        await back;
        assert.equal(await ask(foo, 'getId'), foo.id);
      });

      it('are joined while another is being left', async () => {
        const shared = manager();
        const foo = await joined(shared, '/foo');
        const asd = joined(shared, '/asd');
        foo.disconnect();
        assert.ok((await asd).connected);
      });

      it('may be joined again', async () => {
        const shared = manager();
        const socket = await joined(shared, '/');
        socket.disconnect();
        assert.equal(shared.socket('/'), socket);
        await event(socket, 'connect');
        assert.equal(await ask(socket, 'echo', 1), 1);
      });
    });

    describe('timeouts and retries', { concurrency: true }, () => {
      it('an event that is not acknowledged times out', async () => {
        await assert.rejects(client().timeout(50).emitWithAck('unknown'));
      });

      it('an event that is acknowledged does not', async () => {
        assert.equal(await client().timeout(15_000).emitWithAck('echo', 42), 42);
      });

      it('retried events keep their order', async () => {
        const socket = client('/', { retries: 1, ackTimeout: 15_000 });
        const answers = [1, 2, 3].map((value) => ask(socket, 'echo', value));
        assert.deepEqual(await Promise.all(answers), [1, 2, 3]);
      });

      it('an event without an answer is tried as often as wanted', async () => {
        const socket = client('/', { retries: 3, ackTimeout: 100 });
        const asked = events(socket, 'ack', 4);
        await assert.rejects(socket.emitWithAck('ack'));
        assert.equal((await asked).length, 4);
      });

      it('what was sent while disconnected is sent after', async () => {
        const socket = client();
        await event(socket, 'connect');
        socket.disconnect();
        const answer = ask(socket, 'echo', 'kept');
        socket.connect();
        assert.equal(await answer, 'kept');
      });
    });

    describe('recovery', { concurrency: true }, () => {
      // The reference knows a socket that is lost only when its connection has been closed: a client that was faster, as it
      // may be when the machine stands still, is fresh there. Ours must know it in any order.
      const recovers = (name, test) =>
        it(name, async () => {
          for (let left = kind === 'reference' ? TRIES : 1; ; left--)
            try {
              return await test();
            } catch (error) {
              if (left === 1) throw error;
            }
        });

      const lossyNetwork = async () => {
        const proxy = await Proxy.start(recovering.port);
        proxies.push(proxy);
        return proxy;
      };

      // A connected socket that can be lost: it has an offset, and is not about to change its transport.
      const losable = async (options, on = recovering) => {
        const socket = client('/', options, on);
        await event(socket, 'connect');
        assert.equal(socket.recovered, false);
        const { engine } = socket.io;
        if (engine.transport.name === 'polling' && !options.transports) await event(engine, 'upgrade');
        socket.emit('hi');
        await event(socket, 'hi');
        return socket;
      };

      for (const [name, options] of Object.entries(TRANSPORTS)) {
        recovers(`gives a lost socket its id back, ${name}`, async () => {
          const socket = await losable(options);
          const { id } = socket;
          const back = event(socket, 'connect');
          socket.io.engine.close();
          await back;
          assert.equal(socket.id, id);
          assert.equal(socket.recovered, true);
          assert.equal(await ask(socket, 'getId'), id);
        });

        recovers(`again and again, ${name}`, async () => {
          const socket = await losable(options);
          const { id } = socket;
          for (let i = 0; i < 3; i++) {
            const back = event(socket, 'connect');
            socket.io.engine.close();
            await back;
            assert.deepEqual([socket.id, socket.recovered], [id, true]);
          }
        });

        recovers(`sends what was missed, once and in order, ${name}`, async () => {
          const proxy = await lossyNetwork();
          const socket = await losable(options, proxy);
          const taken = [];
          socket.on('takeUtf8', (text) => taken.push(text));
          proxy.lose();
          socket.emit('getUtf8');
          await proxy.hasLost(UTF8.at(0));
          proxy.recover();
          const back = event(socket, 'connect');
          socket.io.engine.close();
          await back;
          assert.equal(socket.recovered, true);
          assert.equal(await ask(socket, 'echo', 'all there'), 'all there');
          assert.deepEqual(taken, UTF8);
        });
      }

      recovers('sends the binary that was missed when the network broke', async () => {
        const proxy = await lossyNetwork();
        const socket = await losable({ transports: ['websocket'] }, proxy);
        const taken = [];
        socket.on('doge', (data) => taken.push(data));
        proxy.lose();
        socket.emit('doge');
        await proxy.hasLost(ASDFASDF);
        proxy.recover();
        const back = event(socket, 'connect');
        proxy.cut();
        await back;
        assert.equal(socket.recovered, true);
        assert.equal(await ask(socket, 'echo', 'all there'), 'all there');
        assert.deepEqual(taken, [ASDFASDF]);
      });

      it('is not for a socket that said goodbye', async () => {
        const socket = client('/', {}, recovering);
        await event(socket, 'connect');
        socket.emit('hi');
        await event(socket, 'hi');
        const { id } = socket;
        socket.disconnect().connect();
        await event(socket, 'connect');
        assert.equal(socket.recovered, false);
        assert.notEqual(socket.id, id);
      });

      recovers('is for each namespace', async () => {
        const main = client('/', {}, recovering);
        const foo = main.io.socket('/foo');
        sockets.push(foo);
        await Promise.all([event(main, 'connect'), event(foo, 'connect')]);
        main.emit('hi');
        await event(main, 'hi');
        const ids = [main.id, foo.id];
        const back = Promise.all([event(main, 'connect'), event(foo, 'connect')]);
        main.io.engine.close();
        await back;
        assert.equal(main.id, ids[0]);
        assert.equal(foo.recovered, foo.id === ids[1]);
        assert.equal(await ask(foo, 'getId'), foo.id);
      });

      it('is for nobody who makes up an offset or a session', async () => {
        for (const auth of [{ pid: 'x', offset: 'y' }, { pid: 'x' }, { pid: 1, offset: {} }]) {
          const socket = client('/', { auth }, recovering);
          await event(socket, 'connect');
          assert.equal(socket.recovered, false);
          assert.equal(await ask(socket, 'echo', 1), 1);
        }
      });
    });
  });
}
