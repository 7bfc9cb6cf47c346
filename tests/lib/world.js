// What most tests need: a database, a Redis number, a key pair, and the daemon running on them.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Daemon } from './daemon.js';
import { Learner } from './learner.js';
import { Database } from './pg.js';
import { RedisDatabase } from './redis.js';
import { checkOutbox } from './schemas.js';
import { claimsOf, publicPem, rsaKeys, sign } from './token.js';
import { allDone } from './wait.js';

const NAMES = ['Ana', 'Ben', 'Chloé', 'Dmitri', 'Emre', 'Fatou'];

export class World {
  // env overrides what the daemon is given; own: {pg, redis} servers of the test instead of the shared ones;
  // start: false leaves the daemon to the test (startDaemon).
  static async create({ env = {}, own, start = true } = {}) {
    const world = new World();
    world.overrides = env;
    world.ownsServers = own !== undefined; // they go with the test, database and all
    world.keys = rsaKeys();
    world.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'conversationd-test-'));
    fs.writeFileSync(path.join(world.dir, 'jwt.pub.pem'), publicPem(world.keys));
    world.db = await Database.create(own?.pg.admin);
    world.redis = own ? own.redis.database() : RedisDatabase.create();
    world.learners = [];
    world.daemons = []; // all that it has started
    world.pairing = Promise.resolve();
    try {
      if (start) await world.startDaemon();
    } catch (error) {
      await world.stop().catch(() => {});
      throw error;
    }
    return world;
  }

  // A world for one test, stopped whatever comes of it.
  static async during(options, test) {
    const world = await World.create(options);
    try {
      await test(world);
    } finally {
      await world.stop();
    }
  }

  env() {
    return {
      ...this.db.env(),
      ...this.redis.env(),
      DB_AUTO_MIGRATE: 'true',
      JWT_PUBLIC_KEY_FILE: path.join(this.dir, 'jwt.pub.pem'),
      LOG_LEVEL: 'debug',
      STUN_SERVER_URL: 'stun:stun.example.org:3478',
      RATE_LIMIT_MATCH_REQUESTS: '0',
      RATE_LIMIT_SESSION_JOINS: '0',
      RATE_LIMIT_WS_MESSAGES: '0',
      REDIS_COMMAND_TIMEOUT_MS: '4000', // it is there, if it gets a core; who tests that it is not says so
      ...this.overrides,
    };
  }

  async startDaemon(options) {
    this.daemon = await this.startAnother(options);
    return this.daemon;
  }

  // One more instance; `daemon` stays the one that learners talk to.
  async startAnother({ env = {}, ...options } = {}) {
    const daemon = await Daemon.start({ env: { ...this.env(), ...env }, ...options });
    this.daemons.push(daemon);
    return daemon;
  }

  // The daemon again, on the same port, so that clients and tokens stay good. It still runs when the test before failed.
  async restartDaemon(options) {
    const { port } = this.daemon;
    if (!this.daemon.status) await this.daemon.kill();
    return this.startDaemon({ port, ...options });
  }

  get base() {
    return this.daemon.base;
  }

  get rest() {
    return this.daemon.rest;
  }

  // Of its daemon; 0 before there is one.
  async metric(name) {
    return (await this.daemon.metric(name, { fresh: false })) ?? 0;
  }

  async unsentEvents() {
    return (await this.db.one('SELECT count(*)::int AS n FROM event_outbox WHERE sent_at IS NULL')).n;
  }

  token(person, lifeSeconds) {
    return sign(claimsOf(person, lifeSeconds), this.keys.privateKey);
  }

  // rest: of the daemon it talks to.
  learner(person = {}, rest = this.rest) {
    const name = NAMES[this.learners.length % NAMES.length];
    const learner = new Learner(rest, (who) => this.token(who), { name, ...person });
    this.learners.push(learner);
    return learner;
  }

  // Two learners whom the strictest phase pairs, matched; answers {a, b, sessionId}. Pairs are made one after the
  // other, or tests that run at once would be matched across.
  pair(person = {}, request = {}) {
    const made = this.pairing.then(() => this.#pair(person, request));
    this.pairing = made.catch(() => {});
    return made;
  }

  async #pair(person, request) {
    const a = this.learner(person);
    const b = this.learner(person);
    for (const learner of [a, b]) {
      const answer = await learner.requestMatch(request);
      if (answer.status !== 201) throw new Error(`match request: ${answer.status} ${answer.text}`);
    }
    const sessionId = await a.matched();
    return { a, b, sessionId };
  }

  // A pair with its sockets joined and the first events taken: {a, b, sessionId, sa, sb}.
  async conversation(person, request) {
    const pair = await this.pair(person, request);
    const sa = await pair.a.enter(pair.sessionId);
    const sb = await pair.b.enter(pair.sessionId);
    for (const socket of [sa, sb]) {
      await socket.take('partner_joined');
      await socket.take('new_prompt');
    }
    return { ...pair, sa, sb };
  }

  // All of them, before the first that did not end well is told of: one left running would keep the tests from ending.
  async #stopDaemons() {
    await allDone(this.daemons.filter((daemon) => !daemon.status).map((daemon) => daemon.stop()));
  }

  // The second time nothing: a test that stops its world itself may do so in a `finally`, too.
  async stop() {
    if (this.isStopped) return;
    this.isStopped = true;
    for (const learner of this.learners) learner.close();
    try {
      await this.#stopDaemons();
      if (await this.db.isUsable()) await checkOutbox(this.db);
    } finally {
      await (this.ownsServers ? this.db.close() : this.db.drop());
      fs.rmSync(this.dir, { recursive: true, force: true });
    }
  }
}
