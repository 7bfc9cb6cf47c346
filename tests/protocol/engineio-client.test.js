// The stock engine.io-client, with default options unless a test says otherwise.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, describe, it } from 'node:test';
import { Socket } from 'engine.io-client';
import { ProtocolServer, SERVERS } from '../lib/protocol_server.js';
import { within } from '../lib/wait.js';

const CYRILLIC = 'пойду спать всем спокойной ночи';
const EMOJI = '\u{10000}-\u{FFFFF}-\u{100000}-\u{10FFFF}-\uE000-\uF8FF';
const MAX_PAYLOAD = 100;

const TRANSPORTS = {
  'polling, then WebSocket': {},
  'polling only': { transports: ['polling'] },
  'WebSocket only': { transports: ['websocket'] },
};

// A client that keeps what it gets.
class Client {
  constructor(server, options = {}) {
    this.socket = new Socket(server.base, { path: '/socket.io/', ...options });
    this.messages = [];
    this.errors = [];
    this.socket.on('message', (data) => {
      this.messages.push(ArrayBuffer.isView(data) ? Buffer.from(data) : (data ?? '')); // undefined: empty
      this.wake?.();
    });
    // The answer is read now: the client clears the request once it has reported it.
    this.socket.on('error', ({ type, message, description, context }) =>
      this.errors.push({ type, message, description, text: context?.responseText }),
    );
    this.closing = new Promise((resolve) => {
      this.socket.once('close', (reason, details) => resolve({ reason, details }));
    });
  }

  event(name) {
    return within(
      name,
      new Promise((resolve, reject) => {
        this.socket.once(name, resolve);
        if (name !== 'close') this.closing.then(({ reason }) => reject(new Error(`closed: ${reason}`)));
      }),
    );
  }

  async take(count) {
    while (this.messages.length < count)
      await within(
        `${count} messages`,
        new Promise((resolve) => {
          this.wake = resolve;
        }),
      );
    return this.messages.splice(0, count);
  }

  closed() {
    return within('the client to be closed', this.closing);
  }

  async close() {
    this.socket.close();
    assert.equal((await this.closed()).reason, 'forced close');
  }
}

const text = (length, letter = 'a') => letter.repeat(length);

for (const kind of SERVERS) {
  describe(`engine.io-client, ${kind}`, { concurrency: true }, () => {
    let server;
    let narrow; // of a small maxPayload
    let greeting; // with a first message, cookies and a heartbeat that tests can wait for
    const start = (options) => ProtocolServer.start(kind, 'engineio-echo', options);
    before(async () => {
      server = await start();
      narrow = await start({ maxPayload: MAX_PAYLOAD });
      greeting = await start({ greet: 'hi', cookies: true, pingInterval: 300 });
    });
    after(() => ProtocolServer.stopAll(server, narrow, greeting));

    for (const [name, options] of Object.entries(TRANSPORTS)) {
      describe(name, { concurrency: true }, () => {
        const opened = async (on = server) => {
          const client = new Client(on, options);
          await client.event('open');
          return client;
        };

        it('sends text both ways', async () => {
          const client = await opened();
          for (const message of ['hello', '', CYRILLIC, 'cash money €€€', EMOJI]) client.socket.send(message);
          assert.deepEqual(await client.take(5), ['hello', '', CYRILLIC, 'cash money €€€', EMOJI]);
          await client.close();
        });

        it('sends binary both ways', async () => {
          const client = await opened();
          const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
          for (const message of [all, Buffer.alloc(1), new Uint8Array([1, 2, 3]).buffer])
            client.socket.send(message);
          assert.deepEqual(await client.take(3), [all, Buffer.alloc(1), Buffer.from([1, 2, 3])]);
          await client.close();
        });

        it('gets binary and text that the server makes', async () => {
          const client = await opened();
          client.socket.send('give binary');
          client.socket.send('give utf8');
          assert.deepEqual(await client.take(2), [Buffer.from([0, 1, 2, 3, 4]), CYRILLIC]);
          await client.close();
        });

        it('keeps the order of many messages', async () => {
          const client = await opened();
          const messages = Array.from({ length: 500 }, (_, i) => (i % 3 ? `${i}` : Buffer.from(`${i}`)));
          for (const message of messages) client.socket.send(message);
          assert.deepEqual(await client.take(500), messages);
          await client.close();
        });

        it('sends and gets large messages', async () => {
          const client = await opened();
          const large = [text(300_000), Buffer.alloc(300_000, 7)];
          for (const message of large) client.socket.send(message);
          assert.deepEqual(await client.take(2), large);
          await client.close();
        });

        it('is greeted', async () => {
          const client = await opened(greeting);
          assert.deepEqual(await client.take(1), ['hi']);
          await client.close();
        });

        it('is pinged', async () => {
          const client = await opened(greeting);
          for (let i = 0; i < 3; i++) await client.event('ping');
          client.socket.send('still here');
          assert.deepEqual(await client.take(2), ['hi', 'still here']);
          await client.close();
        });

        it('is refused when the application refuses it', async () => {
          const client = new Client(server, { ...options, query: { deny: 1 } });
          assert.equal((await client.closed()).reason, 'transport error');
          assert.equal(client.errors[0].type, 'TransportError');
          if (client.errors[0].message === 'xhr poll error') {
            assert.equal(client.errors[0].description, 403);
            assert.equal(client.errors[0].text, '{"code":4,"message":"Forbidden"}');
          }
        });

        it('is told when its session is unknown', async () => {
          const client = new Client(server, { ...options, query: { sid: 'abc' } });
          assert.equal((await client.closed()).reason, 'transport error');
          if (client.errors[0].message === 'xhr poll error') {
            assert.equal(client.errors[0].description, 400);
            assert.equal(client.errors[0].text, '{"code":1,"message":"Session ID unknown"}');
          }
        });
      });
    }

    describe('the announced maximum', { concurrency: true }, () => {
      it('is what polling merges packets up to', async () => {
        const client = new Client(narrow, { transports: ['polling'] });
        await client.event('open');
        // 30 + 30 + 35 bytes with three types and two separators are just 100; a Euro sign takes three bytes
        const messages = [text(99), text(30, 'b'), text(30, 'c'), text(35, 'd'), text(33, '€'), text(99, 'f')];
        for (const message of messages) client.socket.send(message);
        assert.deepEqual(await client.take(6), messages);
        await client.close();
      });

      it('counts binary packets in base64', async () => {
        const client = new Client(narrow, { transports: ['polling'] });
        await client.event('open');
        const messages = [72, 20].map((n) => Buffer.alloc(n, n));
        messages.push(text(20), Buffer.alloc(20, 1), Buffer.alloc(72, 2));
        for (const message of messages) client.socket.send(message);
        assert.deepEqual(await client.take(5), messages);
        await client.close();
      });

      it('is enforced on polling with 413', async () => {
        const client = new Client(narrow, { transports: ['polling'] });
        await client.event('open');
        client.socket.send(text(MAX_PAYLOAD + 1));
        assert.equal((await client.closed()).reason, 'transport error');
        const [error] = client.errors;
        assert.equal(error.message, 'xhr post error');
        assert.equal(error.description, 413);
        assert.equal(error.text, '');
      });

      it('is enforced on WebSocket with 1009', async () => {
        const client = new Client(narrow, { transports: ['websocket'] });
        await client.event('open');
        client.socket.send(text(MAX_PAYLOAD + 1));
        const { reason, details } = await client.closed();
        assert.equal(reason, 'transport close');
        assert.equal(details.context.code, 1009);
        assert.equal(details.context.reason, '');
      });
    });

    describe('upgrade', { concurrency: true }, () => {
      const opened = async (options) => {
        const client = new Client(server, options);
        await client.event('open');
        assert.equal(client.socket.transport.name, 'polling');
        return client;
      };

      it('happens by itself', async () => {
        const client = await opened();
        assert.equal((await client.event('upgrade')).name, 'websocket');
        client.socket.send('hello');
        assert.deepEqual(await client.take(1), ['hello']);
        assert.equal(client.socket.transport.name, 'websocket');
        await client.close();
      });

      it('loses and reorders nothing of what is under way', async () => {
        const client = await opened();
        let sent = 0;
        const sendSome = () => {
          for (let i = 0; i < 20; i++) client.socket.send(String(sent++));
        };
        const upgraded = client.event('upgrade').then(() => 'upgrade');
        const nextTurn = () => new Promise((resolve) => setImmediate(resolve)).then(() => 'turn');
        do sendSome();
        while ((await Promise.race([upgraded, nextTurn()])) === 'turn' && sent < 5000);
        sendSome();
        const expected = Array.from({ length: sent }, (_, i) => String(i));
        assert.deepEqual(await client.take(sent), expected);
        await client.close();
      });

      it('is waited for by a close', async () => {
        const client = await opened();
        let isUpgraded = false;
        client.socket.once('upgrade', () => {
          isUpgraded = true;
        });
        await client.event('upgrading');
        client.socket.send('last words');
        client.socket.close();
        await client.closed();
        assert.ok(isUpgraded);
      });

      it('that fails leaves the session on polling', async () => {
        const client = await opened({ transportOptions: { websocket: { query: { sid: 'unknown' } } } });
        await client.event('upgradeError');
        client.socket.send('hello');
        assert.deepEqual(await client.take(1), ['hello']);
        assert.equal(client.socket.transport.name, 'polling');
        await client.close();
      });

      it('may be switched off', async () => {
        const client = await opened({ upgrade: false });
        client.socket.send('hello');
        assert.deepEqual(await client.take(1), ['hello']);
        assert.equal(client.socket.transport.name, 'polling');
        await client.close();
      });
    });

    describe('another transport', { concurrency: true }, () => {
      for (const [denied, taken] of [
        ['websocket', 'polling'],
        ['polling', 'websocket'],
      ])
        it(`${taken} is taken when ${denied} is refused`, async () => {
          const client = new Client(server, {
            transports: [denied, taken],
            transportOptions: { [denied]: { query: { deny: 1 } } },
            tryAllTransports: true,
          });
          await client.event('open');
          assert.equal(client.socket.transport.name, taken);
          await client.close();
        });
    });

    describe('cookies', { concurrency: true }, () => {
      it('are set with the handshake', async () => {
        const url = `${greeting.base}/socket.io/?EIO=4&transport=polling`;
        const [response] = await once(http.get(url, { agent: false }), 'response');
        const [first, second, third, fourth, ...more] = response.headers['set-cookie'];
        assert.equal(first, '1=1; Max-Age=86400');
        assert.deepEqual(second.split('; ').sort(), ['2=2', 'HttpOnly', 'Path=/', 'SameSite=Strict', 'Secure']);
        assert.equal(third, '3=3; Max-Age=0');
        assert.match(fourth, /^4=4; Expires=\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT$/);
        assert.deepEqual(more, []);
        response.destroy();
      });

      it('are not set with anything else', async () => {
        const query = `${greeting.base}/socket.io/?EIO=4&transport=polling`;
        const { sid } = JSON.parse((await (await fetch(query)).text()).split('\x1e')[0].slice(1));
        const posted = await fetch(`${query}&sid=${sid}`, { method: 'POST', body: '4hello' });
        const polled = await fetch(`${query}&sid=${sid}`);
        for (const response of [posted, polled]) {
          assert.equal(response.status, 200);
          assert.equal(response.headers.get('set-cookie'), null);
          await response.text();
        }
      });

      it('are understood by the client, which drops those that have expired', async () => {
        const client = new Client(greeting, { transports: ['polling'], withCredentials: true });
        await client.event('open');
        await client.take(1);
        const kept = [...client.socket._cookieJar.cookies].map(([name, { value }]) => `${name}=${value}`);
        assert.deepEqual(kept.sort(), ['1=1', '2=2']);
        await client.close();
      });
    });
  });
}
