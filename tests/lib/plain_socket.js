// A Socket.IO client over a bare TCP connection: small enough to have tens of thousands of in one process, and it can do
// what the stock client cannot: stop reading, and write as slowly as it likes. WebSocket only, namespace "/".
import net from 'node:net';
import { within } from './wait.js';

const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

// One masked text frame.
export function textFrame(text) {
  const payload = Buffer.from(text);
  const isLong = payload.length > 125;
  const head = Buffer.alloc(isLong ? 4 : 2);
  head[0] = 0x81;
  head[1] = 0x80 | (isLong ? 126 : payload.length);
  if (isLong) head.writeUInt16BE(payload.length, 2);
  for (let i = 0; i < payload.length; i++) payload[i] ^= MASK[i % 4];
  return Buffer.concat([head, MASK, payload]);
}

export function eventFrame(name, payload, ackId = '') {
  return textFrame(`42${ackId}${JSON.stringify([name, payload])}`);
}

// The first frame of `bytes`, none of which a server masks: {opcode, payload, rest}, or undefined when it is not whole.
function takeFrame(bytes) {
  if (bytes.length < 2) return undefined;
  const isLong = bytes[1] === 126;
  const head = isLong ? 4 : 2;
  if (bytes.length < head) return undefined;
  const end = head + (isLong ? bytes.readUInt16BE(2) : bytes[1]);
  if (bytes.length < end) return undefined;
  return { opcode: bytes[0] & 15, payload: bytes.subarray(head, end), rest: bytes.subarray(end) };
}

export class PlainSocket {
  onEvent = () => {}; // (name, argument)
  isClosed = false;
  #held = Buffer.alloc(0);
  #isUpgraded = false;
  #acks = new Map();
  #nextAck = 0;

  // Resolves when the server has answered CONNECT with the token.
  static open(port, token) {
    const socket = new PlainSocket();
    const ready = new Promise((resolve, reject) => {
      socket.ready = resolve;
      socket.failed = reject;
    });
    socket.token = token;
    socket.tcp = net.connect({ port, host: '127.0.0.1', noDelay: true }, () =>
      socket.tcp.write(
        `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\n` +
          'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      ),
    );
    socket.tcp.on('data', (data) => socket.#received(data));
    socket.tcp.on('error', (error) => socket.failed(error));
    socket.tcp.on('close', () => {
      socket.isClosed = true;
      socket.failed(new Error('closed by the server'));
    });
    return within('a plain socket to connect', ready, 60_000);
  }

  write(bytes) {
    return this.tcp.write(bytes);
  }

  // Sends an event and answers its acknowledgement.
  emit(name, payload) {
    const id = this.#nextAck++;
    const answer = new Promise((resolve) => this.#acks.set(String(id), resolve));
    this.write(eventFrame(name, payload, id));
    return within(`the answer to ${name}`, answer);
  }

  stopReading() {
    this.tcp.pause();
  }

  close() {
    this.tcp.destroy();
  }

  #received(data) {
    this.#held = this.#held.length ? Buffer.concat([this.#held, data]) : data;
    if (!this.#isUpgraded && !this.#upgraded()) return;
    for (let frame = takeFrame(this.#held); frame; frame = takeFrame(this.#held)) {
      this.#held = frame.rest;
      if (frame.opcode === 1) this.#packet(frame.payload.toString());
    }
  }

  #upgraded() {
    const end = this.#held.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const head = this.#held.subarray(0, end).toString('latin1');
    if (!head.startsWith('HTTP/1.1 101 ')) this.failed(new Error(head));
    this.#held = this.#held.subarray(end + 4);
    this.#isUpgraded = true;
    return true;
  }

  #packet(text) {
    if (text === '2') {
      this.write(textFrame('3'));
    } else if (text.startsWith('0')) {
      this.write(textFrame(`40${JSON.stringify({ token: this.token })}`));
      this.token = undefined;
    } else if (text.startsWith('40')) {
      this.ready(this);
    } else if (text.startsWith('42')) {
      this.onEvent(...JSON.parse(text.slice(2)));
    } else if (text.startsWith('43')) {
      const [, id, args] = /^43(\d+)(.*)$/s.exec(text);
      this.#acks.get(id)(JSON.parse(args)[0]);
      this.#acks.delete(id);
    } else if (text.startsWith('44')) {
      this.failed(new Error(text));
    }
  }
}
