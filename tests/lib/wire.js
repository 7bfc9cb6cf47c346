// Engine.IO spoken by hand: HTTP long-polling with fetch, WebSocket with `ws`, one packet at a time.
import WebSocket from 'ws';
import { within } from './wait.js';

const SEPARATOR = '\x1e';
const PING = '2';
const PONG = '3';

export class Wire {
  // server: {base, port}; path as given to the server.
  constructor(server, path = '/socket.io/') {
    this.server = server;
    this.path = path;
  }

  url(query, scheme = 'http') {
    return `${scheme}://127.0.0.1:${this.server.port}${this.path}${query ? `?${query}` : ''}`;
  }

  // {status, type, text, body}; body is the parsed JSON of an error.
  async request(query, options) {
    const ask = async () => {
      const response = await fetch(this.url(query), options);
      return { response, text: await response.text() };
    };
    const { response, text } = await within(`?${query}`, ask());
    const type = response.headers.get('content-type');
    const body = type?.startsWith('application/json') && text ? JSON.parse(text) : undefined;
    return { status: response.status, type, text, body, headers: response.headers };
  }

  async polling(query = '') {
    const answer = await this.request(`EIO=4&transport=polling${query}`);
    const [open, ...rest] = answer.text.split(SEPARATOR);
    if (answer.status !== 200 || !open.startsWith('0'))
      throw new Error(`not opened: ${answer.status} ${answer.text}`);
    return new Polling(this, JSON.parse(open.slice(1)), rest);
  }

  // Answers once the WebSocket is open; what then comes is in its queue.
  websocket(query = '', options = {}) {
    return Channel.open(this.url(`EIO=4&transport=websocket${query}`, 'ws'), options);
  }

  // A session over WebSocket: {channel, open}.
  async session(query, options) {
    const channel = await this.websocket(query, options);
    const first = await channel.next();
    if (typeof first !== 'string' || !first.startsWith('0')) throw new Error(`not an OPEN packet: ${first}`);
    return { channel, open: JSON.parse(first.slice(1)) };
  }
}

export class Polling {
  constructor(wire, open, packets) {
    this.wire = wire;
    this.open = open;
    this.sid = open.sid;
    this.packets = packets; // that came together with OPEN
  }

  get query() {
    return `EIO=4&transport=polling&sid=${this.sid}`;
  }

  poll(options) {
    return this.wire.request(this.query, options);
  }

  push(body, options = {}) {
    return this.wire.request(this.query, { method: 'POST', body, ...options });
  }

  // The status of a request that ends the session. The reference server may cut the connection instead of answering.
  async pushStatus(body) {
    try {
      return (await this.push(body)).status;
    } catch (error) {
      if (error.cause?.code === undefined) throw error;
      return 400;
    }
  }

  // The next packets, PINGs answered and left out.
  async take() {
    for (;;) {
      const answer = await this.poll();
      if (answer.status !== 200) throw new Error(`poll: ${answer.status} ${answer.text}`);
      const packets = answer.text.split(SEPARATOR).filter((packet) => packet !== PING);
      if (packets.length > 0) return packets;
      await this.push(PONG);
    }
  }

  async isGone() {
    const { status, body } = await this.poll();
    return status === 400 && body.code === 1;
  }
}

// A polling session with the interface of a Channel, as far as messages go.
export class PollingChannel {
  constructor(session) {
    this.session = session;
    this.messages = [...session.packets];
    this.sending = Promise.resolve();
  }

  // In the order of the calls; binary messages are Buffers.
  send(...messages) {
    const payload = messages
      .map((m) => (Buffer.isBuffer(m) ? `b${m.toString('base64')}` : m))
      .join(SEPARATOR);
    this.sending = this.sending.then(() => this.session.pushStatus(payload));
  }

  async next() {
    if (this.messages.length === 0) this.messages.push(...(await this.session.take()));
    const message = this.messages.shift();
    return message.startsWith('b') ? Buffer.from(message.slice(1), 'base64') : message;
  }

  async take(count) {
    const messages = [];
    while (messages.length < count) messages.push(await this.next());
    return messages;
  }

  async closed() {
    await this.sending;
    while (!(await this.session.isGone()));
  }

  close() {
    this.send('1');
  }
}

export class Channel {
  // answerPings: false leaves PINGs to the test.
  static async open(url, { answerPings = true, ...options } = {}) {
    const socket = new WebSocket(url, options);
    const channel = new Channel(socket, answerPings);
    await within(
      'a WebSocket to open',
      new Promise((resolve, reject) => {
        socket.once('open', resolve);
        socket.once('error', reject);
      }),
    );
    return channel;
  }

  constructor(socket, answerPings) {
    this.socket = socket;
    this.messages = [];
    this.waiters = [];
    socket.on('message', (data, isBinary) => {
      if (answerPings && !isBinary && String(data) === PING) socket.send(PONG);
      else this.#arrived(isBinary ? data : String(data));
    });
    socket.on('error', () => {}); // the close that follows is what counts
    this.closing = new Promise((resolve) => {
      socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
    this.closing.then(() => this.#arrived(null));
  }

  #arrived(message) {
    this.messages.push(message);
    this.waiters.shift()?.();
  }

  send(...messages) {
    for (const message of messages) this.socket.send(message);
  }

  // The next message: a string, or a Buffer when binary.
  async next() {
    if (this.messages.length === 0)
      await within('a WebSocket message', new Promise((resolve) => this.waiters.push(resolve)));
    const message = this.messages.shift();
    if (message === null) throw new Error(`the WebSocket closed: ${JSON.stringify(await this.closing)}`);
    return message;
  }

  async take(count) {
    const messages = [];
    while (messages.length < count) messages.push(await this.next());
    return messages;
  }

  // {code, reason} of the peer's close; whatever came before it is dropped.
  closed() {
    return within('the WebSocket to be closed', this.closing);
  }

  close() {
    this.socket.close();
  }

  // Without a goodbye, as a lost network does.
  drop() {
    this.socket.terminate();
  }
}

// Resolves to the status a WebSocket handshake is refused with.
export async function refusedStatus(url) {
  const socket = new WebSocket(url);
  return within(
    'a WebSocket to be refused',
    new Promise((resolve, reject) => {
      socket.once('unexpected-response', (request, response) => {
        response.resume();
        request.destroy();
        resolve(response.statusCode);
      });
      socket.once('open', () => reject(new Error('opened')));
      socket.on('error', () => {});
    }),
  );
}
