// The Engine.IO protocol, revision 4 (https://socket.io/docs/v4/engine-io-protocol/), over both transports: the
// same suite against our layer and against the reference server.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ProtocolServer, SERVERS } from '../lib/protocol_server.js';
import { Channel, refusedStatus, Wire } from '../lib/wire.js';

// What the servers announce; the short heartbeat is for the tests of the heartbeat alone.
const HEARTBEAT = { pingInterval: 300, pingTimeout: 200 };
const MAX_PAYLOAD = 1_000_000;
const CYRILLIC = 'пойду спать всем спокойной ночи';

const ERRORS = {
  transport: { code: 0, message: 'Transport unknown' },
  sid: { code: 1, message: 'Session ID unknown' },
  method: { code: 2, message: 'Bad handshake method' },
  request: { code: 3, message: 'Bad request' },
  forbidden: { code: 4, message: 'Forbidden' },
  version: { code: 5, message: 'Unsupported protocol version' },
};

function refused(answer, error, status = 400) {
  assert.deepEqual(answer.body, error, answer.text);
  assert.equal(answer.status, status);
}

for (const kind of SERVERS) {
  describe(`Engine.IO, ${kind}`, { concurrency: true }, () => {
    let server;
    let hasty; // with a short heartbeat
    let lively; // that pings as often, and waits long for the answer
    let wire;
    before(async () => {
      server = await ProtocolServer.start(kind, 'engineio-echo', { maxPayload: MAX_PAYLOAD });
      hasty = await ProtocolServer.start(kind, 'engineio-echo', { ...HEARTBEAT, maxPayload: MAX_PAYLOAD });
      lively = await ProtocolServer.start(kind, 'engineio-echo', { pingInterval: HEARTBEAT.pingInterval });
      wire = new Wire(server);
    });
    after(() => ProtocolServer.stopAll(server, hasty, lively));

    function isHandshake(open, upgrades) {
      const { sid, ...rest } = open;
      assert.equal(typeof sid, 'string');
      assert.deepEqual(rest, { upgrades, ...HEARTBEAT, maxPayload: MAX_PAYLOAD });
    }

    describe('handshake over polling', { concurrency: true }, () => {
      it('opens a session', async () => {
        const answer = await new Wire(hasty).request('EIO=4&transport=polling');
        assert.equal(answer.status, 200);
        assert.equal(answer.type, 'text/plain; charset=UTF-8');
        assert.equal(answer.headers.get('cache-control'), 'no-store');
        assert.equal(answer.text[0], '0');
        isHandshake(JSON.parse(answer.text.slice(1)), ['websocket']);
      });

      it('gives each session an id of its own', async () => {
        const sessions = await Promise.all(Array.from({ length: 20 }, () => wire.polling()));
        assert.equal(new Set(sessions.map((session) => session.sid)).size, 20);
      });

      it('refuses another protocol version', async () => {
        for (const version of ['', 'EIO=abc&', 'EIO=3&', 'EIO=5&', 'EIO=&'])
          refused(await wire.request(`${version}transport=polling`), ERRORS.version);
      });

      it('refuses an unknown transport', async () => {
        for (const transport of ['', '&transport=', '&transport=abc', '&transport=webtransport', '&transport=Polling'])
          refused(await wire.request(`EIO=4${transport}`), ERRORS.transport);
      });

      it('refuses other methods', async () => {
        for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'])
          refused(await wire.request('EIO=4&transport=polling', { method }), ERRORS.method);
      });

      it('refuses an unknown session', async () => {
        for (const method of ['GET', 'POST'])
          refused(await wire.request('EIO=4&transport=polling&sid=abcdef', { method }), ERRORS.sid);
      });

      it('refuses the WebSocket transport without an upgrade', async () => {
        refused(await wire.request('EIO=4&transport=websocket'), ERRORS.request);
      });

      it('refuses whom the application refuses', async () => {
        refused(await wire.request('EIO=4&transport=polling&deny=1'), ERRORS.forbidden, 403);
      });
    });

    describe('handshake over WebSocket', { concurrency: true }, () => {
      it('opens a session', async () => {
        const { channel, open } = await new Wire(hasty).session();
        isHandshake(open, []);
        channel.close();
      });

      it('refuses an unknown transport', async () => {
        for (const query of ['EIO=4', 'EIO=4&transport=abc'])
          assert.equal(await refusedStatus(wire.url(query, 'ws')), 400);
      });

      it('refuses an unknown session', async () => {
        assert.equal(await refusedStatus(wire.url('EIO=4&transport=websocket&sid=abcdef', 'ws')), 400);
      });

      it('opens no session of another protocol version', async () => {
        // The reference upgrades first and refuses then; what matters is that there is no OPEN packet.
        for (const version of ['', 'EIO=abc&', 'EIO=3&'])
          await assert.rejects(async () => {
            const channel = await Channel.open(wire.url(`${version}transport=websocket`, 'ws'));
            await channel.next();
          });
      });
    });

    describe('messages over polling', { concurrency: true }, () => {
      const echoes = (name, payload) =>
        it(name, async () => {
          const session = await wire.polling();
          const pushed = await session.push(payload);
          assert.equal(pushed.status, 200);
          assert.equal(pushed.text, 'ok');
          const polled = await session.poll();
          assert.equal(polled.status, 200);
          assert.equal(polled.type, 'text/plain; charset=UTF-8');
          assert.equal(polled.text, payload);
        });

      echoes('one text packet', '4hello');
      echoes('an empty text packet', '4');
      echoes('several text packets', '4test1\x1e4test2\x1e4test3');
      echoes('text of every length of UTF-8', '4aé€😀\x1e4' + CYRILLIC);
      echoes('a binary packet', 'bAQIDBA==');
      echoes('binary packets of every padding', 'bAQ==\x1ebAQI=\x1ebAQID');
      echoes('text and binary packets in order', '4hello\x1ebAQIDBA==\x1e4bye\x1ebBQ==');
      echoes('two hundred packets', Array.from({ length: 200 }, (_, i) => `4${i}`).join('\x1e'));

      it('answers a poll that waits', async () => {
        const session = await wire.polling();
        const polled = session.poll();
        assert.equal((await session.push('4now')).text, 'ok');
        assert.equal((await polled).text, '4now');
      });

      it('gives binary and UTF-8 when asked', async () => {
        const session = await wire.polling();
        await session.push('4give binary\x1e4give utf8');
        assert.equal((await session.poll()).text, `bAAECAwQ=\x1e4${CYRILLIC}`);
      });

      it('takes a payload of the announced size, and no longer one', async () => {
        const session = await wire.polling();
        const text = `4${'a'.repeat(MAX_PAYLOAD - 1)}`;
        assert.equal((await session.push(text)).status, 200);
        assert.equal((await session.poll()).text, text);
        assert.equal(await session.pushStatus(`${text}a`), 413);
      });

      for (const [name, payload] of Object.entries({
        'an unknown packet type': 'abc',
        'a bad packet after a good one': '4good\x1eabc',
        'an empty payload': '',
        'an empty packet': '4a\x1e\x1e4b',
      }))
        it(`ends the session upon ${name}`, async () => {
          const session = await wire.polling();
          await session.pushStatus(payload);
          assert.ok(await session.isGone());
        });

      it('ends the session when two polls wait at once', async () => {
        const session = await wire.polling();
        const answers = await Promise.all([session.poll(), session.poll()]);
        const [first, second] = answers.sort((a, b) => a.status - b.status);
        assert.equal(first.status, 200);
        assert.equal(first.text, '1');
        assert.equal(second.status, 400);
        assert.ok(await session.isGone());
      });

      it('ends the session when a poll is aborted', async () => {
        const session = await wire.polling();
        const abort = new AbortController();
        const polled = session.poll({ signal: abort.signal });
        await wire.polling(); // the poll has been sent, if not taken, by then
        abort.abort();
        await assert.rejects(polled);
        while (!(await session.isGone().catch(() => false)));
      });
    });

    describe('messages over WebSocket', { concurrency: true }, () => {
      it('text', async () => {
        const { channel } = await wire.session();
        channel.send('4hello', '4', `4${CYRILLIC}`, '4give utf8');
        assert.deepEqual(await channel.take(4), ['4hello', '4', `4${CYRILLIC}`, `4${CYRILLIC}`]);
        channel.close();
      });

      it('binary', async () => {
        const { channel } = await wire.session();
        channel.send(Buffer.from([1, 2, 3, 4]), Buffer.alloc(0), '4give binary');
        assert.deepEqual(await channel.take(3), [
          Buffer.from([1, 2, 3, 4]),
          Buffer.alloc(0),
          Buffer.from([0, 1, 2, 3, 4]),
        ]);
        channel.close();
      });

      it('text and binary in order, a thousand of them', async () => {
        const { channel } = await wire.session();
        const messages = Array.from({ length: 1000 }, (_, i) => (i % 2 ? `4${i}` : Buffer.from(String(i))));
        channel.send(...messages);
        assert.deepEqual(await channel.take(1000), messages);
        channel.close();
      });

      it('of the announced size, and no longer one', async () => {
        const { channel } = await wire.session();
        const text = `4${'a'.repeat(MAX_PAYLOAD - 1)}`;
        channel.send(text);
        assert.equal(await channel.next(), text);
        channel.send(`${text}a`);
        assert.equal((await channel.closed()).code, 1009);
      });

      it('a bad packet ends the session', async () => {
        for (const packet of ['abc', '', '7', '9x']) {
          const { channel } = await wire.session();
          channel.send(packet);
          await channel.closed();
        }
      });
    });

    describe('heartbeat over polling', { concurrency: true }, () => {
      it('pings whoever answers again and again', async () => {
        const session = await new Wire(lively).polling();
        for (let i = 0; i < 3; i++) {
          assert.equal((await session.poll()).text, '2');
          assert.equal((await session.push('3')).text, 'ok');
        }
      });

      it('ends the session of whoever does not answer', async () => {
        const session = await new Wire(hasty).polling();
        const seen = [];
        let answer;
        while ((answer = await session.poll()).status === 200) seen.push(answer.text);
        refused(answer, ERRORS.sid);
        assert.ok(['', '2', '2,1'].includes(seen.join()), seen.join()); // as far as it has polled in time
      });

      it('is not the client to begin', async () => {
        const session = await wire.polling();
        await session.pushStatus('2');
        assert.ok(await session.isGone());
      });
    });

    describe('heartbeat over WebSocket', { concurrency: true }, () => {
      it('pings whoever answers again and again', async () => {
        const { channel } = await new Wire(lively).session('', { answerPings: false });
        for (let i = 0; i < 3; i++) {
          assert.equal(await channel.next(), '2');
          channel.send('3');
        }
        channel.close();
      });

      it('ends the session of whoever does not answer', async () => {
        const { channel } = await new Wire(hasty).session('', { answerPings: false });
        assert.equal(await channel.next(), '2');
        await channel.closed();
      });

      it('is not the client to begin', async () => {
        const { channel } = await wire.session();
        channel.send('2');
        await channel.closed();
      });
    });

    describe('close', { concurrency: true }, () => {
      it('over polling ends the session and the poll that waits', async () => {
        const session = await wire.polling();
        const polled = session.poll();
        assert.equal((await session.push('1')).text, 'ok');
        assert.equal((await polled).text, '6');
        assert.ok(await session.isGone());
      });

      it('over WebSocket ends the session', async () => {
        // The reference does not look at the packet: there it is the heartbeat that ends the session.
        const { channel } = await new Wire(hasty).session('', { answerPings: false });
        channel.send('1');
        await channel.closed();
      });

      it('of the WebSocket ends the session', async () => {
        const { channel, open } = await wire.session();
        channel.drop();
        const gone = `EIO=4&transport=polling&sid=${open.sid}`;
        for (;;) {
          const { body } = await wire.request(gone);
          if (body.code === ERRORS.sid.code) break;
          assert.deepEqual(body, ERRORS.request); // not noticed yet
        }
      });
    });

    describe('upgrade', { concurrency: true }, () => {
      const probe = async (session) => {
        const channel = await wire.websocket(`&sid=${session.sid}`);
        channel.send('2probe');
        assert.equal(await channel.next(), '3probe');
        return channel;
      };

      const upgraded = async () => {
        const session = await wire.polling();
        const channel = await probe(session);
        assert.equal((await session.poll()).text, '6');
        channel.send('5');
        return { session, channel };
      };

      it('moves the session to the WebSocket', async () => {
        const { channel } = await upgraded();
        channel.send('4hello', Buffer.from([1, 2]));
        assert.deepEqual(await channel.take(2), ['4hello', Buffer.from([1, 2])]);
        channel.close();
      });

      it('releases a poll that waits with a NOOP', async () => {
        const session = await wire.polling();
        const polled = session.poll();
        const channel = await probe(session);
        assert.equal((await polled).text, '6');
        channel.close();
      });

      it('takes along what has not been polled', async () => {
        const session = await wire.polling();
        const channel = await probe(session);
        await session.push('4one\x1ebAQI=\x1e4three');
        channel.send('5');
        assert.deepEqual(await channel.take(3), ['4one', Buffer.from([1, 2]), '4three']);
        channel.close();
      });

      it('leaves the session where it is until it is complete', async () => {
        const session = await wire.polling();
        const channel = await probe(session);
        await session.push('4still polling');
        assert.deepEqual(await session.take().then((p) => p.filter((x) => x !== '6')), ['4still polling']);
        channel.drop();
        await session.push('4and on');
        let packets;
        do packets = (await session.take()).filter((x) => x !== '6');
        while (packets.length === 0);
        assert.deepEqual(packets, ['4and on']);
      });

      it('is given up when the WebSocket says something else', async () => {
        for (const packet of ['4hello', '2', '1', 'abc']) {
          const session = await wire.polling();
          const channel = await wire.websocket(`&sid=${session.sid}`);
          channel.send(packet);
          await channel.closed();
          await session.push('4on');
          assert.deepEqual(await session.take(), ['4on']);
        }
      });

      it('may be tried again after one that failed', async () => {
        const session = await wire.polling();
        const failed = await probe(session);
        failed.send('4no');
        await failed.closed();
        const channel = await probe(session);
        channel.send('5', '4there');
        for (let message; message !== '4there'; ) message = await channel.next();
        channel.close();
      });

      it('ends polling', async () => {
        const { session, channel } = await upgraded();
        channel.send('4there');
        for (let message; message !== '4there'; ) message = await channel.next();
        refused(await session.poll(), ERRORS.request);
        refused(await session.push('4no'), ERRORS.request);
        channel.send('4hello');
        assert.equal(await channel.next(), '4hello');
        channel.close();
      });

      it('is not for a second WebSocket, before or after it is complete', async () => {
        const session = await wire.polling();
        const channel = await probe(session);
        await (await wire.websocket(`&sid=${session.sid}`)).closed();
        channel.send('5', '4there');
        for (let message; message !== '4there'; ) message = await channel.next();
        await (await wire.websocket(`&sid=${session.sid}`)).closed();
        channel.send('4hello');
        assert.equal(await channel.next(), '4hello');
        channel.close();
      });

      it('is not for a session of another version', async () => {
        const session = await wire.polling();
        assert.equal(
          await refusedStatus(wire.url(`EIO=3&transport=websocket&sid=${session.sid}`, 'ws')),
          400,
        );
        refused(await wire.request(`EIO=3&transport=polling&sid=${session.sid}`), ERRORS.request);
      });
    });
  });
}
