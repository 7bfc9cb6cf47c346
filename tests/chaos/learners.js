// Learners who ask for partners whatever happens, as good clients do: with an Idempotency-Key, again and again and of
// another instance, until an answer says what became of it. What they were told is what the database is held against.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { API } from '../lib/learner.js';

const RETRY_MS = 200;
const GIVE_UP_MS = 120_000; // no fault lasts that long
const WAIT_SECONDS = 30; // the shortest life a request may have
const CANCELLED = 0.08; // of the requests
const LEVELS = ['A1', 'A2', 'B1', 'B2'];
const LANGUAGES = ['en', 'fr', 'es'];
const PASSING = new Set([408, 500, 502, 503, 504]);

export class Crowd {
  constructor(cluster, random) {
    this.cluster = cluster;
    this.random = random;
    this.asked = [];
    this.retries = 0;
  }

  // Again until the answer is not about the service's own state. Another instance each time.
  async #call(token, method, path, options = {}) {
    const deadline = Date.now() + GIVE_UP_MS;
    for (;;) {
      const rest = this.random.of(this.cluster.daemons).rest;
      const answer = await rest
        .call(method, API + path, { token, fresh: true, ...options })
        .catch((error) => ({ status: 0, text: error.message }));
      if (answer.status && !PASSING.has(answer.status)) return answer;
      assert.ok(Date.now() < deadline, `${method} ${path}: still ${answer.status} ${answer.text}`);
      this.retries++;
      await delay(RETRY_MS);
    }
  }

  async ask() {
    const { random } = this;
    const language = random.of(LANGUAGES);
    const userId = crypto.randomUUID();
    const person = { userId, name: 'Ana', native: 'it', levels: { [language]: random.of(LEVELS) } };
    const token = this.cluster.token({ ...person, tier: random.chance(0.3) ? 'premium' : 'free' });
    const answer = await this.#call(token, 'POST', '/match-request', {
      headers: { 'idempotency-key': crypto.randomUUID() },
      body: { targetLanguageCode: language, topicCode: 'free_talk', maxWaitTimeSeconds: WAIT_SECONDS },
    });
    assert.equal(answer.status, 201, answer.text);
    const asked = { userId, id: answer.body.matchRequest.id };
    this.asked.push(asked);
    if (!random.chance(CANCELLED)) return;
    await delay(random.below(2000));
    const cancelled = await this.#call(token, 'DELETE', `/match-request/${asked.id}`);
    assert.ok([200, 409, 410].includes(cancelled.status), cancelled.text);
    asked.told = { 200: 'cancelled', 409: 'matched', 410: 'expired' }[cancelled.status];
  }

  // So many requests a minute until then; resolves when each has its answer.
  async askUntil(endMs, perMinute) {
    const all = [];
    const begin = Date.now();
    for (let due = begin; due < endMs; due += 60_000 / perMinute) {
      if (due > Date.now()) await delay(due - Date.now());
      const asking = this.ask();
      asking.catch(() => {}); // told by the await below
      all.push(asking);
    }
    await Promise.all(all);
  }
}
