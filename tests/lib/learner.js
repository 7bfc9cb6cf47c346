// A learner: a token, the REST calls of the product, and sockets of the stock client.
import crypto from 'node:crypto';
import { io } from 'socket.io-client';
import { until, within } from './wait.js';

export const API = '/api/conversations';
const NO_SUCH_EVENT = 'barrier';

export class Learner {
  // mint(person) gives a token; person: {userId, name, native, levels, tier, ...other claims}.
  constructor(rest, mint, person = {}) {
    this.rest = rest;
    this.mint = mint;
    this.person = {
      userId: crypto.randomUUID(),
      name: 'Ana',
      native: 'es',
      levels: { en: 'B1' },
      tier: 'premium',
      ...person,
    };
    this.token = mint(this.person);
    this.sockets = [];
    this.transports = ['websocket']; // of its sockets; undefined: the client's default
  }

  get userId() {
    return this.person.userId;
  }

  get name() {
    return this.person.name;
  }

  // --- REST: each answers {status, headers, body}.

  call(method, path, body, options = {}) {
    return this.rest.call(method, API + path, { token: this.token, body, ...options });
  }

  topics(query = 'targetLanguageCode=en') {
    return this.call('GET', `/topics?${query}`);
  }

  requestMatch(body = {}) {
    return this.call('POST', '/match-request', { targetLanguageCode: 'en', topicCode: 'free_talk', ...body });
  }

  cancelMatch(id) {
    return this.call('DELETE', `/match-request/${id}`);
  }

  matchStatus() {
    return this.call('GET', '/match-request/status');
  }

  matchExplanation() {
    return this.call('GET', '/match-request/explain');
  }

  // The session id once the request is matched; whoever decides may have to be followed by another first.
  async matched(ms = 30_000) {
    const request = await until(
      `${this.name} to be matched`,
      async () => {
        const { body } = await this.matchStatus();
        return body?.matchRequest?.status === 'matched' && body.matchRequest;
      },
      ms,
    );
    return request.sessionId;
  }

  join(sessionId) {
    return this.call('POST', `/sessions/${sessionId}/join`);
  }

  leave(sessionId) {
    return this.call('POST', `/sessions/${sessionId}/leave`);
  }

  end(sessionId) {
    return this.call('POST', `/sessions/${sessionId}/end`);
  }

  session(sessionId) {
    return this.call('GET', `/sessions/${sessionId}`);
  }

  rate(sessionId, rating, feedback) {
    return this.call('POST', `/sessions/${sessionId}/rate`, { rating, feedback });
  }

  history(query = '') {
    return this.call('GET', `/history${query}`);
  }

  // --- Sockets

  // A socket not yet known to be connected. path and namespace as in docs/signaling.md; auth: false sends none.
  socket({ path = '/socket.io/', namespace = '/', auth = { token: this.token }, ...more } = {}) {
    const socket = new Socket(
      io(this.rest.base + namespace, {
        path,
        transports: this.transports,
        forceNew: true,
        reconnection: false,
        auth: auth || undefined,
        ca: this.rest.ca,
        ...more,
      }),
    );
    this.sockets.push(socket);
    return socket;
  }

  async connect(options) {
    const socket = this.socket(options);
    await socket.connected();
    return socket;
  }

  // A connected socket that has joined the session.
  async enter(sessionId, options) {
    const socket = await this.connect(options);
    const ack = await socket.emit('join_session', { userId: this.userId, sessionId });
    if (ack.status !== 'ok') throw new Error(`join_session: ${JSON.stringify(ack)}`);
    return socket;
  }

  close() {
    for (const socket of this.sockets.splice(0)) socket.close();
  }
}

// A client socket that keeps every event it got, in order, until a test takes it.
export class Socket {
  constructor(io) {
    this.io = io;
    this.events = []; // {event, args}, not yet taken
    io.onAny((event, ...args) => this.events.push({ event, args }));
    io.on('disconnect', (reason) => {
      this.disconnectReason = reason;
    });
  }

  async connected() {
    await within(
      'a socket to connect',
      new Promise((resolve, reject) => {
        this.io.once('connect', resolve);
        this.io.once('connect_error', reject);
      }),
    );
  }

  // The error a refused socket gets.
  async refused() {
    return within(
      'a socket to be refused',
      new Promise((resolve, reject) => {
        this.io.once('connect', () => reject(new Error('connected')));
        this.io.once('connect_error', resolve);
      }),
    );
  }

  // Sends an event and answers its acknowledgement.
  emit(event, ...args) {
    return this.io.timeout(15_000).emitWithAck(event, ...args);
  }

  send(event, ...args) {
    this.io.emit(event, ...args);
  }

  // Takes the first event of that name, waiting for it; answers its first argument. Earlier ones of other names stay.
  async take(event, ms) {
    const found = await until(
      `event ${event}; have ${this.names()}`,
      () => this.events.find((e) => e.event === event),
      ms,
    );
    this.events.splice(this.events.indexOf(found), 1);
    return found.args[0];
  }

  names() {
    return this.events.map((e) => e.event).join(', ') || 'none';
  }

  // After this, whatever the server had sent to this socket before the call is in `events`: answers come in order.
  async barrier() {
    await this.emit(NO_SUCH_EVENT);
  }

  // The names of the events that have arrived and were not taken.
  async untaken() {
    await this.barrier();
    return this.events.map((e) => e.event);
  }

  // Why the server (or the network) cut the connection.
  async disconnected(ms) {
    await until('a socket to be disconnected', () => this.disconnectReason, ms);
    return this.disconnectReason;
  }

  close() {
    this.io.disconnect();
  }

  // Ends the TCP connection without a goodbye, as a lost network does.
  drop() {
    this.io.io.engine.transport.ws.terminate();
  }
}
