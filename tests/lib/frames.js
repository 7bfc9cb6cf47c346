// WebSocket frames by hand (RFC 6455 section 5.2), good ones and every kind of bad one, over a RawConnection.
import crypto from 'node:crypto';
import { RawConnection } from './http.js';

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

// The length field in its shortest form, or in `lengthBytes` (0, 2 or 8) bytes.
function length(n, lengthBytes) {
  const bytes = lengthBytes ?? (n < 126 ? 0 : n < 65_536 ? 2 : 8);
  if (bytes === 0) return { code: n, field: Buffer.alloc(0) };
  const field = Buffer.alloc(bytes);
  if (bytes === 2) field.writeUInt16BE(n);
  else field.writeBigUInt64BE(BigInt(n));
  return { code: bytes === 2 ? 126 : 127, field };
}

// reserved: the three bits RSV1 (4), RSV2 (2) and RSV3 (1); announced: a length other than the payload's.
export function frame(opcode, payload = '', options = {}) {
  const { fin = true, masked = true, reserved = 0, announced, lengthBytes } = options;
  const data = Buffer.from(payload);
  const { code, field } = length(announced ?? data.length, lengthBytes);
  const head = Buffer.from([(fin ? 0x80 : 0) | (reserved << 4) | opcode, (masked ? 0x80 : 0) | code]);
  if (!masked) return Buffer.concat([head, field, data]);
  const mask = crypto.randomBytes(4);
  return Buffer.concat([head, field, mask, data.map((byte, i) => byte ^ mask[i % 4])]);
}

export const closeFrame = (code, reason = '') => {
  const payload = Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]);
  return frame(OPCODES.close, payload);
};

// One frame of the server: {fin, reserved, opcode, payload}; it must not be masked.
export async function readFrame(connection) {
  const [first, second] = await connection.bytes(2);
  if (second & 0x80) throw new Error('the server masked a frame');
  let size = second;
  if (second === 126) size = (await connection.bytes(2)).readUInt16BE();
  if (second === 127) size = Number((await connection.bytes(8)).readBigUInt64BE());
  const payload = await connection.bytes(size);
  return { fin: (first & 0x80) !== 0, reserved: (first >> 4) & 7, opcode: first & 15, payload };
}

// The handshake of RFC 6455 with these headers besides or instead, none where undefined: {connection, response}.
export async function openWebSocket(port, target, headers = {}, requestLine = `GET ${target} HTTP/1.1`) {
  const connection = await RawConnection.open(port);
  const all = {
    Host: 'x',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  };
  const lines = Object.entries(all)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`);
  connection.send(`${requestLine}\r\n${lines.join('')}\r\n`);
  return { connection, response: await connection.response() };
}
