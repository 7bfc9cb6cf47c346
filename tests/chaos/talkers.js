// Learners who talk whatever happens, as good clients do: each asks for a partner, joins the session with a stock client
// that reconnects by itself, talks until one of the two has had enough, and asks again. What each of them was told and
// heard is what must agree with the database afterwards.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { io } from 'socket.io-client';
import { API } from '../lib/learner.js';
import { candidate } from '../lib/sdp.js';

const RETRY_MS = 300;
const ACK_MS = 8000; // longer than a daemon is stopped
const TALK_MS = [3000, 20_000];
const SPEAK_EVERY_MS = 500;
const LOOK_EVERY_MS = 3000;
// Who is connected is told that the session is over: dead instances are noticed after 15 s, then the grace. Counted in looks, for
// while this process stands still nobody can tell it anything.
const TOLD_WITHIN_LOOKS = 20;
const GIVE_UP_MS = 240_000; // after the end, when there are no faults any more
const PASSING = new Set([0, 408, 429, 500, 502, 503, 504]);
const OVER = new Set(['completed', 'aborted', 'expired', 'cancelled']);
const GONE = new Set(['SESSION_ENDED', 'SESSION_NOT_FOUND']);

export class Talker {
  // rest: through the balancer. notes: {problems, heard, said, talks, told} of all talkers.
  constructor(rest, person, token, random, notes) {
    Object.assign(this, { rest, token, random, notes, userId: person.userId });
    this.lately = [];
    this.numbers = new Map(); // by session, which one may come back to: {said, heard}
  }

  // What happened to this one lately goes with a problem.
  #log(text) {
    this.lately.push(`${new Date().toISOString().slice(14, 23)} ${text}`);
    if (this.lately.length > 20) this.lately.shift();
  }

  #problem(text) {
    this.notes.problems.push([`${this.userId}: ${text}`, ...this.lately]);
  }

  // Again until an answer is not about the service's own state.
  async #call(method, path, options = {}) {
    for (;;) {
      const answer = await this.rest
        .call(method, API + path, { token: this.token, fresh: true, ...options })
        .catch((error) => ({ status: 0, text: error.message }));
      if (!PASSING.has(answer.status)) return answer;
      assert.ok(Date.now() < this.endMs + GIVE_UP_MS, `${method} ${path}: still ${answer.status} ${answer.text}`);
      await delay(RETRY_MS);
    }
  }

  async runUntil(endMs) {
    this.endMs = endMs;
    this.#connect();
    try {
      while (Date.now() < endMs) {
        const sessionId = await this.#matched();
        if (sessionId) await this.#talk(sessionId);
      }
    } finally {
      this.socket.disconnect();
    }
  }

  // --- before

  async #matched() {
    const asked = await this.#call('POST', '/match-request', {
      headers: { 'idempotency-key': crypto.randomUUID() },
      body: { targetLanguageCode: 'en', topicCode: 'free_talk', maxWaitTimeSeconds: 60 },
    });
    assert.ok([201, 409].includes(asked.status), `${asked.status} ${asked.text}`);
    for (;;) {
      const { status, body, text } = await this.#call('GET', '/match-request/status?wait=5');
      assert.equal(status, 200, text);
      const request = body.matchRequest;
      const isMine = asked.status === 409 || request.id === asked.body.matchRequest.id;
      if (isMine && request.status === 'matched') return request.sessionId;
      if (request.status !== 'pending' || Date.now() > this.endMs + 90_000) return undefined;
    }
  }

  // --- the socket

  #connect() {
    this.socket = io(this.rest.base, {
      transports: ['websocket'], // polling needs a balancer that knows its sessions
      forceNew: true,
      auth: { token: this.token },
      reconnectionDelay: 200,
      reconnectionDelayMax: 1000,
      timeout: 4000,
    });
    this.socket.onAny((event, first) => {
      if (event !== 'ice_candidate') this.#log(`${event} ${JSON.stringify(first)}`);
    });
    this.socket.on('disconnect', (reason) => this.#log(`disconnected: ${reason}`));
    this.socket.on('connect', () => {
      this.#log(`connected ${this.socket.id}, recovered: ${this.socket.recovered}`);
      this.notes.connects[this.socket.recovered ? 'recovered' : 'fresh']++;
      if (this.talk) this.talk.looks = 0; // it is a while anew until it is told
      if (this.talk && !this.socket.recovered) this.#join(this.talk);
    });
    this.socket.on('ice_candidate', ({ from, candidate: heard }) => this.#hear(from, heard));
    this.socket.on('session_ended', (ended) => this.#tell(ended));
    this.socket.on('exception', (e) => this.#except(e));
  }

  // The session is told to be over, on the socket.
  #tell({ sessionId, reason }) {
    const key = `${sessionId} ${this.userId}`;
    if (this.notes.told.has(key)) this.#problem(`told twice that ${sessionId} is over`);
    this.notes.told.set(key, reason);
    if (this.talk?.sessionId === sessionId) this.talk.finish(reason);
  }

  // A recovered socket is brought back into its session, and told why not.
  #except(exception) {
    const isWayBack = exception.event === 'join_session';
    if (isWayBack && GONE.has(exception.code)) this.talk?.finish(exception.code);
    else if (isWayBack && exception.code === 'SERVICE_UNAVAILABLE') this.talk && this.#join(this.talk);
    else if (exception.code !== 'SESSION_TAKEN_OVER') this.#problem(`exception ${JSON.stringify(exception)}`);
  }

  #hear(from, { candidate: text }) {
    const number = Number(text.split(' ')[5]);
    const { talk } = this;
    if (!talk || from !== talk.partnerId) return; // of a talk that is over for this one
    if (number <= talk.numbers.heard)
      this.#problem(`heard ${number} after ${talk.numbers.heard} in ${talk.sessionId}`);
    talk.numbers.heard = number;
    this.notes.heard++;
  }

  // --- during

  async #talk(sessionId) {
    if (!this.numbers.has(sessionId)) this.numbers.set(sessionId, { said: 0, heard: 0 });
    const talk = { sessionId, numbers: this.numbers.get(sessionId) };
    const over = new Promise((resolve) => {
      talk.finish = resolve;
    });
    const rest = await this.#call('POST', `/sessions/${sessionId}/join`);
    if (rest.status !== 200) {
      assert.ok([404, 409, 410].includes(rest.status), `join: ${rest.status} ${rest.text}`);
      await delay(RETRY_MS);
      return;
    }
    talk.partnerId = rest.body.session.participants.find((p) => p.userId !== this.userId).userId;
    this.notes.talks++;
    this.talk = talk;
    over.then(() => {
      talk.isOver = true;
    });
    this.#join(talk);
    const parts = Promise.all([this.#speak(talk), this.#look(talk), this.#finishLater(talk)]);
    try {
      await Promise.race([over, parts]); // the latter when one of them fails
    } finally {
      talk.finish('no more');
      this.talk = undefined;
    }
    await parts;
  }

  // Until an answer says that it is in, or why not; a new connection begins again.
  async #join(talk) {
    const attempt = {};
    talk.attempt = attempt;
    talk.isJoining = true;
    while (!talk.isOver && talk.attempt === attempt) {
      const ack = await this.socket
        .timeout(ACK_MS)
        .emitWithAck('join_session', { userId: this.userId, sessionId: talk.sessionId })
        .catch(() => undefined);
      this.#log(`join_session ${talk.sessionId}: ${JSON.stringify(ack)}`);
      if (ack?.status === 'ok') {
        talk.isJoining = false;
        return;
      }
      if (GONE.has(ack?.code)) {
        talk.finish(ack.code);
        return;
      }
      await delay(RETRY_MS);
    }
  }

  async #speak(talk) {
    while (!talk.isOver) {
      await delay(SPEAK_EVERY_MS);
      if (!this.socket.connected || talk.isOver) continue;
      this.notes.said++;
      this.socket
        .timeout(ACK_MS)
        .emitWithAck('ice_candidate', {
          sessionId: talk.sessionId,
          candidate: candidate(++talk.numbers.said),
          targetUserId: talk.partnerId,
        })
        .then(
          (ack) => this.#note(talk, ack.code ?? 'ok'),
          () => {}, // the connection went, or the daemon with it
        );
    }
  }

  #note(talk, answer) {
    this.notes.answers.set(answer, (this.notes.answers.get(answer) ?? 0) + 1);
    if (answer === 'NOT_IN_SESSION' && !talk.isJoining) this.#join(talk); // it died before it could pass that on
  }

  // Who is connected all the while that the session is over must be told so.
  async #look(talk) {
    talk.looks = 0; // since it is over, while connected
    while (!talk.isOver) {
      await delay(LOOK_EVERY_MS);
      const { status, body } = await this.#call('GET', `/sessions/${talk.sessionId}`);
      const isOver = status === 404 || OVER.has(body?.session?.status);
      talk.looks = isOver && this.socket.connected ? talk.looks + 1 : 0;
      if (talk.isOver || talk.looks < TOLD_WITHIN_LOOKS) continue;
      this.#problem(`nobody said that ${talk.sessionId} is ${body?.session?.status ?? status}`);
      talk.finish('never told');
    }
  }

  // Both make up their minds; the earlier one ends it, leaves it, or vanishes.
  async #finishLater(talk) {
    const { random } = this;
    const end = Math.min(Date.now() + random.between(TALK_MS), Math.max(this.endMs, Date.now() + 1000));
    const how = random.of(['end', 'end', 'leave', 'leave', 'vanish']);
    while (!talk.isOver && Date.now() < end) await delay(100);
    if (talk.isOver) return;
    if (how === 'vanish') {
      this.socket.disconnect();
      talk.finish('vanished');
      await delay(random.between([1000, 5000]));
      this.socket.connect();
      return;
    }
    const { status, text } = await this.#call('POST', `/sessions/${talk.sessionId}/${how}`);
    assert.ok([200, 404].includes(status), `${how}: ${status} ${text}`);
    if (status === 404) talk.finish('not found');
  }
}

export function newNotes() {
  return {
    problems: [],
    talks: 0,
    said: 0,
    heard: 0,
    told: new Map(), // "session user" -> reason
    answers: new Map(), // what was said, by the code of its answer
    connects: { recovered: 0, fresh: 0 },
  };
}
