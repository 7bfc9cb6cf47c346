// A stand-in for the auth-service: answers learning profiles as a test tells it to, and notes what it was asked.
import http from 'node:http';
import { freePort } from './ports.js';

const PORTS_TRIED = 5;

export class AuthService {
  static async start(port = 0) {
    const service = new AuthService();
    service.requests = []; // {method, url, headers, userId, language}
    service.connections = new Set();
    service.held = []; // responses that were not answered
    service.profiles = new Map(); // by user id
    service.behave(undefined);
    service.server = http.createServer((request, response) => service.#serve(request, response));
    service.server.on('connection', (socket) => {
      service.connections.add(socket);
      socket.on('close', () => service.connections.delete(socket));
    });
    await service.listen(port);
    return service;
  }

  // On a port that it gets again after a stop; somebody else may take it first.
  static async startOnFreePort() {
    for (let left = PORTS_TRIED; ; left--)
      try {
        return await AuthService.start(await freePort());
      } catch (error) {
        if (error.code !== 'EADDRINUSE' || left === 1) throw error;
      }
  }

  listen(port) {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, '127.0.0.1', () => {
        this.port = this.server.address().port;
        resolve();
      });
    });
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  // How it answers from now on: undefined: the profiles it has; a function (request, response, note).
  behave(how) {
    this.how = how;
  }

  // What it knows of a learner.
  knows(userId, changes = {}) {
    this.profiles.set(userId, profileOf(userId, changes));
  }

  #serve(request, response) {
    const url = new URL(request.url, this.url);
    const [, userId] = /^\/internal\/users\/([^/]+)\/learning-profile$/.exec(url.pathname) ?? [];
    const note = {
      method: request.method,
      url: request.url,
      headers: request.headers,
      userId,
      language: url.searchParams.get('targetLanguageCode'),
    };
    this.requests.push(note);
    if (this.how) return this.how(request, response, note);
    return this.answer(response, note);
  }

  answer(response, { userId }) {
    const profile = this.profiles.get(userId);
    json(response, profile ? 200 : 404, profile ?? { message: 'NOT_FOUND' });
  }

  asked(userId) {
    return this.requests.filter((request) => request.userId === userId).length;
  }

  // Who asks next comes over a new connection: on one that was kept, a close without an answer says nothing yet.
  closeConnections() {
    for (const socket of this.connections) socket.destroy();
  }

  // Refuses connections until listen(port).
  async stop() {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.closeConnections();
    await closed;
  }
}

export function profileOf(userId, changes = {}) {
  return {
    userId,
    displayName: 'Ana of the service',
    avatarUrl: 'https://cdn.example/ana.png',
    nativeLanguageCode: 'es',
    tier: 'premium',
    learningProfileId: '5b0f5f0e-3c39-4c58-8a5f-6f1f1e0f7a11',
    level: 'B2',
    preferredAccent: 'en-GB',
    ...changes,
  };
}

export function json(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}
