// Two HTTP clients: `rest`, a convenient one over node:http, and `RawConnection`, bytes over TCP for what no
// ordinary client would send.
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { within } from './wait.js';

// The agent keeps connections; a daemon stopped in between is noticed and the request made anew by nobody,
// so each base URL of a test has an agent of its own and closes it.
export class Rest {
  // ca: the certificate that an https base is known by.
  constructor(base, ca) {
    this.base = base;
    this.ca = ca;
    this.client = base.startsWith('https:') ? https : http;
    this.agent = new this.client.Agent({ keepAlive: true, maxSockets: 32, ca });
  }

  close() {
    this.agent.destroy();
  }

  // body: an object goes as JSON, a string or Buffer as it is. Answers {status, headers, body, text}; body is the parsed
  // JSON or undefined.
  call(method, path, { token, body, headers = {}, fresh = false } = {}) {
    const data =
      body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const all = { ...headers };
    if (token) all.authorization = `Bearer ${token}`;
    if (data !== undefined) {
      all['content-type'] ??= 'application/json';
      all['content-length'] = Buffer.byteLength(data);
    }
    const options = { method, headers: all, agent: fresh ? false : this.agent, ca: this.ca };
    return within(
      `${method} ${path}`,
      new Promise((resolve, reject) => {
        const request = this.client.request(this.base + path, options, (response) =>
          collect(response).then(resolve, reject),
        );
        request.on('error', reject);
        request.end(data);
      }),
    );
  }
}

async function collect(response) {
  const chunks = [];
  for await (const chunk of response) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const isJson = /^application\/json/.test(response.headers['content-type'] ?? '');
  return {
    status: response.statusCode,
    headers: response.headers,
    text,
    body: isJson && text ? JSON.parse(text) : undefined,
  };
}

export class RawConnection {
  static open(port, { host = '127.0.0.1', localAddress } = {}) {
    const connection = new RawConnection();
    connection.buffer = Buffer.alloc(0);
    connection.ended = false;
    connection.waiters = [];
    connection.socket = net.connect({ port, host, localAddress, noDelay: true });
    connection.socket.on('data', (data) => {
      connection.buffer = Buffer.concat([connection.buffer, data]);
      connection.wake();
    });
    connection.socket.on('error', () => {}); // a reset is a close; what matters is what was read before
    connection.socket.on('close', () => {
      connection.ended = true;
      connection.wake();
    });
    connection.socket.on('end', () => {
      connection.ended = true;
      connection.wake();
    });
    return new Promise((resolve, reject) => {
      connection.socket.once('connect', () => resolve(connection));
      connection.socket.once('error', reject);
    });
  }

  wake() {
    for (const waiter of this.waiters.splice(0)) waiter();
  }

  send(...parts) {
    for (const part of parts) this.socket.write(part);
  }

  finish() {
    this.socket.end();
  }

  destroy() {
    this.socket.destroy();
  }

  // Resolves when the condition holds; fails when the peer closes first.
  async #wait(what, condition) {
    const deadline = Date.now() + 15_000;
    while (!condition()) {
      if (this.ended)
        throw new Error(
          `connection closed while waiting for ${what}; got ${JSON.stringify(String(this.buffer))}`,
        );
      const woken = new Promise((resolve) => this.waiters.push(resolve));
      await within(what, woken, Math.max(1, deadline - Date.now()));
    }
  }

  #take(length) {
    const bytes = this.buffer.subarray(0, length);
    this.buffer = this.buffer.subarray(length);
    return bytes;
  }

  // Exactly so many bytes of what is not HTTP.
  async bytes(count) {
    await this.#wait(`${count} bytes`, () => this.buffer.length >= count);
    return this.#take(count);
  }

  // One whole response. `head`: the request was a HEAD, so there is no body whatever the headers say.
  async response({ head = false } = {}) {
    await this.#wait('a response head', () => this.buffer.includes('\r\n\r\n'));
    const lines = this.#take(this.buffer.indexOf('\r\n\r\n') + 4)
      .toString('latin1')
      .split('\r\n');
    const [, version, status, reason] = /^(HTTP\/\d\.\d) (\d{3}) ?(.*)$/.exec(lines[0]) ?? [];
    if (!status) throw new Error(`not a status line: ${lines[0]}`);
    const headers = {};
    for (const line of lines.slice(1, -2)) {
      const colon = line.indexOf(':');
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const answer = { version, status: Number(status), reason, headers, text: '' };
    if (!head && answer.status >= 200 && answer.status !== 204 && answer.status !== 304) {
      const length = Number(headers['content-length'] ?? 0);
      await this.#wait('a response body', () => this.buffer.length >= length);
      answer.text = this.#take(length).toString();
    }
    if (/json/.test(headers['content-type'] ?? '') && answer.text) answer.body = JSON.parse(answer.text);
    return answer;
  }

  // Resolves to what was left unread when the peer closes.
  async closed(ms = 15_000) {
    const deadline = Date.now() + ms;
    while (!this.ended) {
      await within(
        'the peer to close',
        new Promise((resolve) => this.waiters.push(resolve)),
        Math.max(1, deadline - Date.now()),
      );
    }
    return this.buffer.toString('latin1');
  }
}
