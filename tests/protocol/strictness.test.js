// What our layer refuses, and with which answer, byte for byte where the bytes matter: Engine.IO over HTTP, and
// WebSocket frames (RFC 6455 section 5).
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { closeFrame, frame, openWebSocket, OPCODES, readFrame } from '../lib/frames.js';
import { RawConnection } from '../lib/http.js';
import { ProtocolServer } from '../lib/protocol_server.js';
import { Wire } from '../lib/wire.js';

const MAX_PAYLOAD = 10_000;
const { continuation, text, binary, close, ping, pong } = OPCODES;

const ERRORS = {
  transport: '{"code":0,"message":"Transport unknown"}',
  sid: '{"code":1,"message":"Session ID unknown"}',
  method: '{"code":2,"message":"Bad handshake method"}',
  request: '{"code":3,"message":"Bad request"}',
  forbidden: '{"code":4,"message":"Forbidden"}',
  version: '{"code":5,"message":"Unsupported protocol version"}',
};

let server;
let sio;
let wire;
before(async () => {
  server = await ProtocolServer.start('fixture', 'engineio-echo', { maxPayload: MAX_PAYLOAD });
  sio = await ProtocolServer.start('fixture', 'socketio-echo');
  wire = new Wire(server);
});
after(() => ProtocolServer.stopAll(server, sio));

function isError(response, error, status = 400) {
  assert.equal(response.status, status, response.text);
  assert.equal(response.headers['content-type'], 'application/json');
  assert.equal(response.text, error);
}

// --- polling over a connection of its own

const target = (query) => `/socket.io/?${query}`;
const get = (query, headers = '') => `GET ${target(query)} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
const post = (query, body, headers = '') =>
  Buffer.concat([
    Buffer.from(
      `POST ${target(query)} HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n`,
    ),
    Buffer.from(body),
  ]);

async function exchange(request, port = server.port) {
  const connection = await RawConnection.open(port);
  connection.send(request);
  const response = await connection.response();
  connection.destroy();
  return response;
}

// A poll that the server holds: it is on a connection that the server knows, and another request has been answered
// after it.
async function heldPoll(session) {
  const connection = await RawConnection.open(session.wire.server.port);
  connection.send(post(session.query, '3'));
  assert.equal((await connection.response()).text, 'ok');
  connection.send(get(session.query));
  await session.push('3');
  return connection;
}

describe('Engine.IO over HTTP', { concurrency: true }, () => {
  const REFUSED = {
    'no query': ['GET /socket.io/ HTTP/1.1', ERRORS.transport],
    'no transport': [`GET ${target('EIO=4')} HTTP/1.1`, ERRORS.transport],
    'an unknown transport': [`GET ${target('EIO=4&transport=pigeon')} HTTP/1.1`, ERRORS.transport],
    'an empty version': [`GET ${target('EIO=&transport=polling')} HTTP/1.1`, ERRORS.version],
    'version 3': [`GET ${target('EIO=3&transport=polling')} HTTP/1.1`, ERRORS.version],
    'version 4.0': [`GET ${target('EIO=4.0&transport=polling')} HTTP/1.1`, ERRORS.version],
    'a POST without a session': [`POST ${target('EIO=4&transport=polling')} HTTP/1.1`, ERRORS.method],
    'a DELETE without a session': [`DELETE ${target('EIO=4&transport=polling')} HTTP/1.1`, ERRORS.method],
    'an unknown session': [`GET ${target('EIO=4&transport=polling&sid=abc')} HTTP/1.1`, ERRORS.sid],
    'a session id of the right length': [
      `GET ${target('EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA')} HTTP/1.1`,
      ERRORS.sid,
    ],
    'an unknown session with another version': [
      `GET ${target('EIO=3&transport=polling&sid=abc')} HTTP/1.1`,
      ERRORS.sid,
    ],
    'a WebSocket transport without an upgrade': [
      `GET ${target('EIO=4&transport=websocket')} HTTP/1.1`,
      ERRORS.request,
    ],
    'whom the application refuses': [
      `GET ${target('EIO=4&transport=polling&deny')} HTTP/1.1`,
      ERRORS.forbidden,
      403,
    ],
  };
  for (const [name, [line, error, status]] of Object.entries(REFUSED))
    it(`refuses ${name}`, async () => isError(await exchange(`${line}\r\nHost: x\r\n\r\n`), error, status));

  it('refuses a method that is neither GET nor POST, and leaves the session', async () => {
    const session = await wire.polling();
    const response = await exchange(`PUT ${target(session.query)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    assert.equal(response.status, 405);
    assert.equal(response.headers.allow, 'GET, POST, OPTIONS');
    await session.push('4on');
    assert.deepEqual(await session.take(), ['4on']);
  });

  it('ends a session for which two polls wait', async () => {
    const session = await wire.polling();
    const first = await heldPoll(session);
    isError(await exchange(get(session.query)), ERRORS.request);
    const response = await first.response();
    assert.equal(response.status, 200);
    assert.equal(response.text, '1');
    isError(await exchange(get(session.query)), ERRORS.sid);
    first.destroy();
  });

  it('ends a session whose poll is aborted', async () => {
    const session = await wire.polling();
    (await heldPoll(session)).destroy();
    for (let response; response?.text !== ERRORS.sid; ) {
      response = await exchange(post(session.query, '4hello'));
      assert.ok(response.text === 'ok' || response.text === ERRORS.sid, response.text); // not noticed yet, or gone
    }
  });

  it('ends a session to which two POSTs come at once', async () => {
    const session = await wire.polling();
    const slow = await RawConnection.open(server.port);
    const expect = 'Expect: 100-continue\r\n';
    slow.send(`POST ${target(session.query)} HTTP/1.1\r\nHost: x\r\n${expect}Content-Length: 6\r\n\r\n`);
    assert.equal((await slow.response()).status, 100);
    isError(await exchange(post(session.query, '4hello')), ERRORS.request);
    isError(await exchange(get(session.query)), ERRORS.sid);
    slow.send('4hello');
    isError(await slow.response(), ERRORS.sid);
    slow.destroy();
  });

  it('ends a session whose POST is broken off', async () => {
    const session = await wire.polling();
    const polled = await heldPoll(session);
    const broken = await RawConnection.open(server.port);
    broken.send(`POST ${target(session.query)} HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n4he`);
    broken.destroy();
    assert.equal((await polled.response()).text, '1');
    isError(await exchange(get(session.query)), ERRORS.sid);
    polled.destroy();
  });

  const BAD_PAYLOADS = {
    'nothing at all': '',
    'an unknown type': '8',
    'a letter as type': 'abc',
    'an empty packet at the end': '4a\x1e',
    'an empty packet in front': '\x1e4a',
    'two separators': '4a\x1e\x1e4b',
    'a bad packet behind a good one': '4a\x1e7',
    'base64 that is not': 'b***=',
    'base64 with a blank': 'bAQI =',
    'base64 of one digit': 'bA',
    'base64 without its padding': 'bAQI',
    'base64 with padding within': 'bAQ==AQ==',
    'base64 of nothing but padding': 'b====',
    'base64 with three times padding': 'bA===',
    'base64 with bits that stand for nothing': 'bAQJ=',
    'base64 of the URL alphabet': 'b-_-_',
    'a ping, which only servers send': '2',
    'a stray byte of UTF-8': Buffer.from('34ff', 'hex'),
    'UTF-8 that is cut': Buffer.from('34e282', 'hex'),
    'overlong UTF-8': Buffer.from('34c080', 'hex'),
    'a surrogate in UTF-8': Buffer.from('34eda080', 'hex'),
    'more than Unicode has': Buffer.from('34f4908080', 'hex'),
  };
  for (const [name, payload] of Object.entries(BAD_PAYLOADS))
    it(`ends a session that is sent ${name}, and its poll`, async () => {
      const session = await wire.polling();
      const polled = await heldPoll(session);
      isError(await exchange(post(session.query, payload)), ERRORS.request);
      const response = await polled.response();
      assert.equal(response.status, 200);
      assert.match(response.text, /^(4a\x1e)?1$/); // what came before is answered
      isError(await exchange(get(session.query)), ERRORS.sid);
      polled.destroy();
    });

  it('ends a session that is sent binary content', async () => {
    const session = await wire.polling();
    const type = 'Content-Type: application/octet-stream\r\n';
    isError(await exchange(post(session.query, '4hello', type)), ERRORS.request);
    isError(await exchange(get(session.query)), ERRORS.sid);
  });

  it('takes any other content type, and none', async () => {
    for (const type of ['', 'text/plain;charset=UTF-8', 'application/json', 'text/html']) {
      const session = await wire.polling();
      const header = type && `Content-Type: ${type}\r\n`;
      const response = await exchange(post(session.query, '4hello', header));
      assert.equal(response.status, 200);
      assert.equal(response.headers['content-type'], 'text/html');
      assert.equal(response.text, 'ok');
    }
  });

  it('ignores OPEN, UPGRADE and NOOP of a client', async () => {
    const session = await wire.polling();
    const response = await exchange(post(session.query, '0{}\x1e5\x1e6\x1e4on'));
    assert.equal(response.text, 'ok');
    assert.deepEqual(await session.take(), ['4on']);
  });

  describe('a body that is too long', { concurrency: true }, () => {
    it('is refused before it is sent when its length says so', async () => {
      const session = await wire.polling();
      const connection = await RawConnection.open(server.port);
      connection.send(
        `POST ${target(session.query)} HTTP/1.1\r\nHost: x\r\nContent-Length: ${MAX_PAYLOAD + 1}\r\n\r\n`,
      );
      const response = await connection.response();
      assert.equal(response.status, 413);
      assert.equal(response.headers.connection, 'close');
      assert.equal(await connection.closed(), '');
      await session.push('4on'); // nothing of it was taken
    });

    it('is refused in chunks when it becomes too long', async () => {
      const session = await wire.polling();
      const connection = await RawConnection.open(server.port);
      connection.send(`POST ${target(session.query)} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`);
      const chunk = `1000\r\n${'4'.repeat(0x1000)}\r\n`;
      connection.send(chunk, chunk, chunk);
      const response = await connection.response();
      assert.equal(response.status, 413);
      await connection.closed();
    });
  });
});

// --- WebSocket

const HANDSHAKE = target('EIO=4&transport=websocket');

describe('WebSocket handshakes', { concurrency: true }, () => {
  const REFUSED = {
    'an unknown transport': [target('EIO=4&transport=pigeon'), {}, 400, ERRORS.transport],
    'another version': [target('EIO=3&transport=websocket'), {}, 400, ERRORS.version],
    'no version': [target('transport=websocket'), {}, 400, ERRORS.version],
    'an unknown session': [`${HANDSHAKE}&sid=abc`, {}, 400, ERRORS.sid],
    'the polling transport with an upgrade': [target('EIO=4&transport=polling'), {}, 400, ERRORS.request],
    'whom the application refuses': [`${HANDSHAKE}&deny=1`, {}, 403, ERRORS.forbidden],
    'version 8 of WebSocket': [HANDSHAKE, { 'Sec-WebSocket-Version': '8' }, 426],
    'no version of WebSocket': [HANDSHAKE, { 'Sec-WebSocket-Version': undefined }, 426],
    'no key': [HANDSHAKE, { 'Sec-WebSocket-Key': undefined }, 400],
    'a short key': [HANDSHAKE, { 'Sec-WebSocket-Key': 'c2hvcnQ=' }, 400],
    'a key that is no base64': [HANDSHAKE, { 'Sec-WebSocket-Key': '************************' }, 400],
    'another protocol': [HANDSHAKE, { Upgrade: 'h2c' }, 400],
  };
  for (const [name, [path, headers, status, error]] of Object.entries(REFUSED))
    it(`refuse ${name} and close`, async () => {
      const { connection, response } = await openWebSocket(server.port, path, headers);
      assert.equal(response.status, status, response.text);
      if (error) isError(response, error, status);
      if (status === 426) assert.equal(response.headers['sec-websocket-version'], '13');
      assert.equal(response.headers.connection, 'close');
      assert.equal(await connection.closed(), '');
    });

  it('refuse another method than GET', async () => {
    const { response, connection } = await openWebSocket(server.port, HANDSHAKE, {}, `POST ${HANDSHAKE} HTTP/1.1`);
    isError(response, ERRORS.method);
    await connection.closed();
  });

  it('refuse HTTP/1.0', async () => {
    const { response, connection } = await openWebSocket(server.port, HANDSHAKE, {}, `GET ${HANDSHAKE} HTTP/1.0`);
    assert.equal(response.status, 400);
    await connection.closed();
  });

  it('are answered as RFC 6455 section 4.2.2 says', async () => {
    const { response, connection } = await openWebSocket(server.port, HANDSHAKE);
    assert.equal(response.status, 101);
    assert.equal(response.headers.upgrade, 'websocket');
    assert.equal(response.headers.connection, 'Upgrade');
    assert.equal(response.headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    assert.equal(response.headers['sec-websocket-protocol'], undefined);
    assert.equal(response.headers['sec-websocket-extensions'], undefined);
    connection.destroy();
  });
});

// A session over WebSocket, its OPEN packet read.
async function opened(port = server.port) {
  const { connection, response } = await openWebSocket(port, HANDSHAKE);
  assert.equal(response.status, 101);
  const open = await readFrame(connection);
  assert.equal(open.opcode, text);
  connection.sid = JSON.parse(open.payload.subarray(1)).sid;
  return connection;
}

async function says(connection, opcode, payload) {
  const got = await readFrame(connection);
  const expected = { fin: true, reserved: 0, opcode, payload: Buffer.from(payload) };
  assert.deepEqual(got, expected, String(got.payload));
}

// The server closes with that code, says nothing else, and ends the TCP connection.
async function closesWith(connection, code) {
  const got = await readFrame(connection);
  assert.equal(got.opcode, close, String(got.payload));
  assert.equal(got.payload.readUInt16BE(), code);
  assert.equal(await connection.closed(), '');
}

describe('WebSocket frames', { concurrency: true }, () => {
  const RESERVED_OPCODES = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15];
  const CONTROL = { close, ping, pong };
  const VIOLATIONS = {
    'an unmasked frame': [1002, frame(text, '4hello', { masked: false })],
    'an unmasked ping': [1002, frame(ping, '', { masked: false })],
    'a continuation of nothing': [1002, frame(continuation, '4hello')],
    'a message within another': [1002, frame(text, '4he', { fin: false }), frame(text, '4llo')],
    'a binary message within a text': [1002, frame(text, '4he', { fin: false }), frame(binary, 'llo')],
    'a length in two bytes that fits one': [1002, frame(text, '4hello', { lengthBytes: 2 })],
    'a length in eight bytes that fits one': [1002, frame(text, '4hello', { lengthBytes: 8 })],
    'a length in eight bytes that fits two': [1002, frame(text, `4${'a'.repeat(300)}`, { lengthBytes: 8 })],
    'text that is not UTF-8': [1007, frame(text, Buffer.from('34ff', 'hex'))],
    'text that is cut within a character': [1007, frame(text, Buffer.from('34e282', 'hex'))],
    'overlong UTF-8': [1007, frame(text, Buffer.from('34c080', 'hex'))],
    'a surrogate in UTF-8': [1007, frame(text, Buffer.from('34eda080', 'hex'))],
    'text that is not UTF-8 when put together': [
      1007,
      frame(text, Buffer.from('34e2', 'hex'), { fin: false }),
      frame(continuation, Buffer.from('28a1', 'hex')),
    ],
    'a message that is too long, before it is sent': [1009, frame(text, '4', { announced: MAX_PAYLOAD + 1 })],
    'a message of many gigabytes': [1009, frame(text, '4', { announced: 2 ** 40 })],
    'fragments that become too long': [
      1009,
      frame(text, `4${'a'.repeat(MAX_PAYLOAD - 2)}`, { fin: false }),
      frame(continuation, 'aa'),
    ],
    'an empty message': [1007, frame(text, '')],
    'a message of no type': [1007, frame(text, 'abc')],
    'a message of an unknown type': [1007, frame(text, '7')],
    'a ping of Engine.IO, which only servers send': [1002, frame(text, '2')],
  };
  for (const opcode of RESERVED_OPCODES) VIOLATIONS[`opcode ${opcode}`] = [1002, frame(opcode, '')];
  for (const reserved of [1, 2, 3, 4, 5, 6, 7])
    for (const [name, opcode] of Object.entries(OPCODES))
      VIOLATIONS[`reserved bits ${reserved} in ${name}`] = [1002, frame(opcode, '', { reserved })];
  for (const [name, opcode] of Object.entries(CONTROL)) {
    VIOLATIONS[`a ${name} in fragments`] = [1002, frame(opcode, '', { fin: false })];
    VIOLATIONS[`a ${name} of 126 bytes`] = [1002, frame(opcode, Buffer.alloc(126, 1))];
  }

  for (const [name, [code, ...frames]] of Object.entries(VIOLATIONS))
    it(`${name} is answered with ${code}`, async () => {
      const connection = await opened();
      connection.send(Buffer.concat(frames));
      await closesWith(connection, code);
      isError(await exchange(get(`EIO=4&transport=polling&sid=${connection.sid}`)), ERRORS.sid);
    });

  it('a bad one keeps those behind it from being looked at', async () => {
    const connection = await opened();
    connection.send(Buffer.concat([frame(text, '4before'), frame(11, ''), frame(text, '4after')]));
    await says(connection, text, '4before');
    await closesWith(connection, 1002);
  });

  it('are taken byte by byte', async () => {
    const connection = await opened();
    const bytes = frame(text, `4${'a'.repeat(200)}`);
    for (const byte of bytes) connection.send(Buffer.from([byte]));
    await says(connection, text, `4${'a'.repeat(200)}`);
    connection.destroy();
  });

  it('are put together from fragments, empty ones too, with pings between', async () => {
    const connection = await opened();
    connection.send(
      Buffer.concat([
        frame(text, '', { fin: false }),
        frame(continuation, '4h€'.slice(0, 2), { fin: false }),
        frame(ping, 'between'),
        frame(continuation, Buffer.from('e2', 'hex'), { fin: false }),
        frame(continuation, Buffer.from('82ac', 'hex'), { fin: false }),
        frame(continuation, ''),
      ]),
    );
    await says(connection, pong, 'between');
    await says(connection, text, '4h€');
    connection.destroy();
  });

  it('of a ping are answered with what it said; a pong is not', async () => {
    const connection = await opened();
    connection.send(frame(pong, 'nobody asked'), frame(ping, Buffer.alloc(125, 9)), frame(ping, ''));
    await says(connection, pong, Buffer.alloc(125, 9));
    await says(connection, pong, '');
    connection.destroy();
  });
});

describe('WebSocket close', { concurrency: true }, () => {
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
    it(`with ${code} is answered with the same`, async () => {
      const connection = await opened();
      connection.send(closeFrame(code, 'goodbye'));
      await closesWith(connection, code);
    });

  for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])
    it(`with ${code} is answered with 1002`, async () => {
      const connection = await opened();
      connection.send(closeFrame(code));
      await closesWith(connection, 1002);
    });

  it('without a code is answered with 1000', async () => {
    const connection = await opened();
    connection.send(frame(close, ''));
    await closesWith(connection, 1000);
  });

  it('with half a code is answered with 1002', async () => {
    const connection = await opened();
    connection.send(frame(close, Buffer.from([3])));
    await closesWith(connection, 1002);
  });

  it('with a reason that is not UTF-8 is answered with 1007', async () => {
    const connection = await opened();
    connection.send(closeFrame(1000, Buffer.from('ff', 'hex')));
    await closesWith(connection, 1007);
  });

  it('keeps what is behind it from being looked at', async () => {
    const connection = await opened();
    connection.send(Buffer.concat([closeFrame(1000), frame(text, '4hello')]));
    await closesWith(connection, 1000);
  });

  it('by a packet of Engine.IO is answered with 1000', async () => {
    const connection = await opened();
    connection.send(frame(text, '1'));
    await closesWith(connection, 1000);
  });
});

describe('a second WebSocket', { concurrency: true }, () => {
  const isClosedAtOnce = async (sid) => {
    const { connection, response } = await openWebSocket(server.port, `${HANDSHAKE}&sid=${sid}`);
    assert.equal(response.status, 101);
    await closesWith(connection, 1008);
  };
  const echoes = async (connection) => {
    connection.send(frame(text, '4still here'));
    await says(connection, text, '4still here');
    connection.destroy();
  };
  const probed = async () => {
    const session = await wire.polling();
    const { connection } = await openWebSocket(server.port, `${HANDSHAKE}&sid=${session.sid}`);
    connection.send(frame(text, '2probe'));
    await says(connection, text, '3probe');
    return { session, connection };
  };

  it('is closed while the first one is probing', async () => {
    const { session, connection } = await probed();
    await isClosedAtOnce(session.sid);
    connection.send(frame(text, '5'));
    await echoes(connection);
  });

  it('is closed when the first one has taken over', async () => {
    const { session, connection } = await probed();
    connection.send(frame(text, '5'), frame(text, '4there'));
    await says(connection, text, '4there');
    await isClosedAtOnce(session.sid);
    await echoes(connection);
  });

  it('is closed when the session began on WebSocket', async () => {
    const connection = await opened();
    await isClosedAtOnce(connection.sid);
    await echoes(connection);
  });
});

describe('Socket.IO packets', { concurrency: true }, () => {
  const BAD = ['4', '47', '42', '42[]', '42["connect"]', '42{"a":1}', '450-["message"]', '4511-["message"]', 'bAQID'];

  for (const packet of BAD)
    it(`${packet} over polling is answered with 400, and the poll with CLOSE`, async () => {
      const session = await new Wire(sio).polling();
      await session.push('40');
      await session.take();
      const polled = await heldPoll(session);
      isError(await exchange(post(session.query, packet), sio.port), ERRORS.request);
      assert.equal((await polled.response()).text, '1');
      isError(await exchange(get(session.query), sio.port), ERRORS.sid);
      polled.destroy();
    });

  for (const packet of BAD.slice(0, -1))
    it(`${packet} over WebSocket is answered with 1007`, async () => {
      const connection = await opened(sio.port);
      connection.send(frame(text, '40'));
      await readFrame(connection);
      await readFrame(connection);
      connection.send(frame(text, packet));
      await closesWith(connection, 1007);
    });
});
