// The Socket.IO protocol, revision 5 (https://socket.io/docs/v4/socket-io-protocol/), packet by packet over both
// transports: the same suite against our layer and against the reference server.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ProtocolServer, SERVERS } from '../lib/protocol_server.js';
import { PollingChannel, Wire } from '../lib/wire.js';

const placeholder = (num) => `{"_placeholder":true,"num":${num}}`;
const bytes = (...values) => Buffer.from(values);

const OPENERS = {
  websocket: async (server) => (await new Wire(server).session()).channel,
  polling: async (server) => new PollingChannel(await new Wire(server).polling()),
};

// What ends the connection; each is sent after the main namespace has been joined.
const VIOLATIONS = {
  'a packet of no type': ['4'],
  'an unknown packet type': ['47'],
  'a packet type that is no digit': ['4abc'],
  'an event that is no array': ['42{"message":1}'],
  'an event with an empty array': ['42[]'],
  'an event whose name is an object': ['42[{"a":1},"b"]'],
  'an event whose name is null': ['42[null]'],
  'an event of a reserved name': ['42["connect"]'],
  'an event of another reserved name': ['42["disconnecting"]'],
  'text that is no JSON': ['42["message",]'],
  'text that is cut': ['42["message"'],
  'more after the JSON': ['42["message"]x'],
  'an ack that is no array': ['431{"a":1}'],
  'a CONNECT to a namespace it is connected to': ['40'],
  'a CONNECT whose payload is no object': ['40/custom,"x"'],
  'a CONNECT whose payload is no JSON': ['40/custom,{'],
  'a CONNECT_ERROR': ['44{"message":"no"}'],
  'a DISCONNECT with a payload': ['41{"a":1}'],
  'an event of a namespace it is not connected to': ['42/custom,["message"]'],
  'a DISCONNECT of a namespace it is not connected to': ['41/custom,'],
  'an ack of a namespace it is not connected to': ['43/custom,1[]'],
  'a binary message that belongs to nothing': [bytes(1, 2, 3)],
  'text among attachments': [`451-["message",${placeholder(0)}]`, '42["message"]'],
  'more attachments than announced': [`451-["message",${placeholder(0)}]`, bytes(1), bytes(2)],
  'more than ten attachments': [`4511-["message",${Array.from({ length: 11 }, (_, i) => placeholder(i))}]`],
  'an attachment count without a number': [`45-["message",${placeholder(0)}]`],
  'an attachment count of zero': ['450-["message"]'],
  'an attachment count that is no number': ['45a-["message"]'],
  'a negative attachment count': ['45-1-["message"]'],
  'an attachment count with a fraction': ['451.5-["message"]'],
  'an attachment count without its dash': [`451["message",${placeholder(0)}]`],
  'a placeholder without an attachment': [`451-["message",${placeholder(1)}]`, bytes(1)],
  'a placeholder of a negative number': [`451-["message",${placeholder(-1)}]`, bytes(1)],
  'a placeholder of no number': ['451-["message",{"_placeholder":true,"num":"0"}]', bytes(1)],
  'a placeholder with nothing': ['451-["message",{"_placeholder":true}]', bytes(1)],
};

// `say` sends lines and answers with the next `count` messages.
async function say(channel, lines, count) {
  channel.send(...lines);
  return channel.take(count);
}

// Joins the namespace and answers with the payload of CONNECT and of the `auth` event that follows.
async function join(channel, namespace = '/', payload = '') {
  const prefix = namespace === '/' ? '' : `${namespace},`;
  const [connect, auth] = await say(channel, [`40${prefix}${payload}`], 2);
  assert.ok(connect.startsWith(`40${prefix}{`), connect);
  assert.ok(auth.startsWith(`42${prefix}["auth",`), auth);
  return {
    connect: JSON.parse(connect.slice(2 + prefix.length)),
    auth: JSON.parse(auth.slice(2 + prefix.length))[1],
  };
}

// Sends what has no answer, and returns when it has been dealt with.
async function settled(channel, line) {
  const [answer] = await say(channel, [line, '40/random'], 1);
  assert.match(answer, /^44/);
}

function suite(kind, transport) {
  describe(`Socket.IO over ${transport}, ${kind}`, { concurrency: true }, () => {
    let server;
    let impatient; // with a short time to connect, though long enough for who connects at once on a slow machine
    before(async () => {
      server = await ProtocolServer.start(kind, 'socketio-echo');
      impatient = await ProtocolServer.start(kind, 'socketio-echo', { connectTimeout: 5000 });
    });
    after(() => ProtocolServer.stopAll(server, impatient));
    const open = () => OPENERS[transport](server);
    const connected = async () => {
      const channel = await open();
      await join(channel);
      return channel;
    };

    describe('CONNECT', { concurrency: true }, () => {
      for (const namespace of ['/', '/custom']) {
        it(`to ${namespace}`, async () => {
          const channel = await open();
          const { connect, auth } = await join(channel, namespace);
          assert.deepEqual(Object.keys(connect), ['sid']);
          assert.equal(typeof connect.sid, 'string');
          assert.deepEqual(auth, {});
          channel.close();
        });

        it(`to ${namespace} with a payload`, async () => {
          const channel = await open();
          const payload = { token: '123', nested: { list: [1, null, 'é€😀'] } };
          const { auth } = await join(channel, namespace, JSON.stringify(payload));
          assert.deepEqual(auth, payload);
          channel.close();
        });
      }

      it('gives each namespace an id of its own, not the connection’s', async () => {
        const channel = await open();
        const main = await join(channel);
        const custom = await join(channel, '/custom');
        assert.notEqual(main.connect.sid, custom.connect.sid);
        channel.close();
      });

      it('to an unknown namespace is refused, and others may follow', async () => {
        const channel = await open();
        assert.deepEqual(await say(channel, ['40/random'], 1), ['44/random,{"message":"Invalid namespace"}']);
        assert.deepEqual(await say(channel, ['40/random,{}'], 1), ['44/random,{"message":"Invalid namespace"}']);
        await join(channel);
        channel.close();
      });

      it('may come without the comma', async () => {
        const channel = await open();
        const [answer] = await say(channel, ['40/custom'], 2);
        assert.match(answer, /^40\/custom,\{"sid":"[^"]+"\}$/);
        channel.close();
      });

      it('must come before anything else', async () => {
        for (const packet of ['42["message","early"]', '430[]', '41', '4abc']) {
          const channel = await open();
          channel.send(packet);
          await channel.closed();
        }
      });

      it('must come in time', async () => {
        const channel = await OPENERS[transport](impatient);
        await channel.closed();
      });

      it('refused does not count as one in time', async () => {
        const channel = await OPENERS[transport](impatient);
        await say(channel, ['40/random'], 1);
        await channel.closed();
      });

      it('in time keeps the connection', async () => {
        const late = await OPENERS[transport](impatient);
        const channel = await OPENERS[transport](impatient);
        await join(channel);
        const later = await OPENERS[transport](impatient);
        await late.closed();
        await later.closed(); // by now the time was up for all of them
        assert.deepEqual(await say(channel, ['42["message",1]'], 1), ['42["message-back",1]']);
        channel.close();
      });
    });

    describe('DISCONNECT', { concurrency: true }, () => {
      it('from one namespace leaves the others', async () => {
        const channel = await connected();
        await join(channel, '/custom');
        assert.deepEqual(await say(channel, ['41/custom', '42["message","still here"]'], 1), [
          '42["message-back","still here"]',
        ]);
        channel.close();
      });

      it('from the main namespace leaves the connection', async () => {
        const channel = await connected();
        await settled(channel, '41');
        const { connect } = await join(channel);
        assert.equal(typeof connect.sid, 'string');
        channel.close();
      });

      it('may be followed by a CONNECT to the same namespace, with another id', async () => {
        const channel = await connected();
        const first = await join(channel, '/custom');
        await settled(channel, '41/custom,');
        const second = await join(channel, '/custom');
        assert.notEqual(first.connect.sid, second.connect.sid);
        channel.close();
      });
    });

    describe('EVENT', { concurrency: true }, () => {
      const echoes = (name, args) =>
        it(name, async () => {
          const channel = await connected();
          assert.deepEqual(await say(channel, [`42["message"${args}]`], 1), [`42["message-back"${args}]`]);
          channel.close();
        });

      echoes('without arguments', '');
      echoes('with text, numbers and objects', ',1,"2",{"3":[true]}');
      echoes('with null, false and nothing in them', ',null,false,"",[],{}');
      echoes('with text of every length of UTF-8', ',"aé€😀","てすと"');
      echoes('with what looks like packets', ',"42[\\"message\\"]","451-[]",",/custom,"');
      echoes('with a kilobyte of nesting', `,${'['.repeat(20)}"x"${']'.repeat(20)}`);

      it('in order', async () => {
        const channel = await connected();
        const lines = Array.from({ length: 200 }, (_, i) => `42["message",${i}]`);
        const echoed = lines.map((line) => line.replace('message', 'message-back'));
        assert.deepEqual(await say(channel, lines, 200), echoed);
        channel.close();
      });

      it('nobody listens to is dropped', async () => {
        const channel = await connected();
        const lines = ['42["nobody",1]', '42[7]', '427["nobody"]', '42["message"]'];
        assert.deepEqual(await say(channel, lines, 1), ['42["message-back"]']);
        channel.close();
      });

      it('acknowledged', async () => {
        const channel = await connected();
        const lines = ['42456["message-with-ack",1,"2",{"3":[false]}]', '420["message-with-ack"]'];
        assert.deepEqual(await say(channel, lines, 2), ['43456[1,"2",{"3":[false]}]', '430[]']);
        channel.close();
      });
    });

    describe('BINARY_EVENT', { concurrency: true }, () => {
      it('with two attachments', async () => {
        const channel = await connected();
        const args = `${placeholder(0)},"between",${placeholder(1)}`;
        assert.deepEqual(await say(channel, [`452-["message",${args}]`, bytes(1, 2, 3), bytes(4, 5, 6)], 3), [
          `452-["message-back",${args}]`,
          bytes(1, 2, 3),
          bytes(4, 5, 6),
        ]);
        channel.close();
      });

      it('with an attachment deep inside, and an empty one', async () => {
        const channel = await connected();
        const args = `{"a":[{"b":${placeholder(0)}}],"c":${placeholder(1)}}`;
        assert.deepEqual(await say(channel, [`452-["message",${args}]`, bytes(9), bytes()], 3), [
          `452-["message-back",${args}]`,
          bytes(9),
          bytes(),
        ]);
        channel.close();
      });

      it('with ten attachments', async () => {
        const channel = await connected();
        const attachments = Array.from({ length: 10 }, (_, i) => bytes(i, i));
        const args = attachments.map((_, i) => placeholder(i)).join();
        assert.deepEqual(await say(channel, [`4510-["message",${args}]`, ...attachments], 11), [
          `4510-["message-back",${args}]`,
          ...attachments,
        ]);
        channel.close();
      });

      it('acknowledged with its attachments', async () => {
        const channel = await connected();
        const args = `${placeholder(0)},${placeholder(1)}`;
        const lines = [`452-789["message-with-ack",${args}]`, bytes(1, 2, 3), bytes(4, 5, 6)];
        assert.deepEqual(await say(channel, lines, 3), [`462-789[${args}]`, bytes(1, 2, 3), bytes(4, 5, 6)]);
        channel.close();
      });

      it('of another namespace does not mix with the main one', async () => {
        const channel = await connected();
        await join(channel, '/custom');
        const lines = [`451-/custom,["nobody",${placeholder(0)}]`, bytes(1), '42["message",2]'];
        assert.deepEqual(await say(channel, lines, 1), ['42["message-back",2]']);
        channel.close();
      });
    });

    describe('the connection ends upon', { concurrency: 4 }, () => {
      for (const [name, messages] of Object.entries(VIOLATIONS))
        it(name, async () => {
          const channel = await connected();
          channel.send(...messages);
          await channel.closed();
        });
    });

    it('an ack that nobody waits for is dropped', async () => {
      const channel = await connected();
      assert.deepEqual(await say(channel, ['43123["x"]', '42["message"]'], 1), ['42["message-back"]']);
      channel.close();
    });
  });
}

for (const kind of SERVERS) for (const transport of Object.keys(OPENERS)) suite(kind, transport);
