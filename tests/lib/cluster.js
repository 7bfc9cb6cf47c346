// Several daemons on one PostgreSQL and one Redis, all of the test's own.
import { after, afterEach, before, beforeEach } from 'node:test';
import { Daemon } from './daemon.js';
import { startServers } from './servers.js';
import { allDone } from './wait.js';
import { World } from './world.js';

export class Cluster {
  // env: what every daemon is given.
  constructor(env = {}) {
    this.env = env;
    this.daemons = []; // those that the test has not ended
  }

  // With so many daemons, until destroy().
  static async create(size, env) {
    const cluster = new Cluster(env);
    try {
      Object.assign(cluster, await startServers());
      await cluster.#begin();
      await cluster.startDaemons(size);
    } catch (error) {
      await cluster.destroy();
      throw error;
    }
    return cluster;
  }

  // For a suite, called within it: the servers are there from its beginning to its end; each test begins with an empty
  // database, an empty Redis and no daemon, and ends with the stop of all it has started.
  serveEachTest() {
    before(async () => Object.assign(this, await startServers()));
    after(() => this.destroy());
    beforeEach(async () => {
      if (!this.redis.process) await this.redis.start();
      this.redis.database().cli('FLUSHALL');
      await this.#begin();
    });
    afterEach(() => this.#end());
  }

  async #begin() {
    this.world = await World.create({ own: this, start: false, env: this.env });
  }

  async #end() {
    this.redis?.thaw();
    for (const learner of this.world?.learners ?? []) learner.close();
    try {
      await this.stop();
    } finally {
      await this.#leaveWorld();
    }
  }

  async #leaveWorld() {
    const { world } = this;
    this.world = undefined;
    await world?.stop();
  }

  async startDaemon({ env = {}, ...options } = {}) {
    const daemon = await Daemon.start({ env: { ...this.world.env(), ...env }, ...options });
    this.daemons.push(daemon);
    return daemon;
  }

  async startDaemons(count, env) {
    for (let i = 0; i < count; i++) await this.startDaemon({ env });
    return this.daemons;
  }

  #forget(daemon) {
    this.daemons = this.daemons.filter((each) => each !== daemon);
  }

  // As a crash: no goodbye to anybody.
  async kill(daemon) {
    this.#forget(daemon);
    await daemon.kill();
  }

  // As an operator does.
  async stopDaemon(daemon) {
    this.#forget(daemon);
    await daemon.stop();
  }

  // The one that had this place and port again, ready or not: its databases may be away.
  async #again(i, port) {
    this.daemons[i] = await Daemon.start({ env: this.world.env(), port, ready: 'listening' });
  }

  async restart(i) {
    const daemon = this.daemons[i];
    await daemon.kill();
    await this.#again(i, daemon.port);
  }

  async replace(i) {
    const daemon = this.daemons[i];
    await daemon.stop();
    await this.#again(i, daemon.port);
  }

  get db() {
    return this.world.db;
  }

  token(person) {
    return this.world.token(person, 3600);
  }

  async untilReady() {
    for (const daemon of this.daemons) await daemon.untilReady();
  }

  // Status 0 and no sanitizer report of all that are there; all of them, before the first that did not end well is told of.
  async stop() {
    const daemons = this.daemons.splice(0);
    await allDone(daemons.map((daemon) => daemon.stop()));
  }

  // Whatever fails on the way, nothing is left running.
  async destroy() {
    for (const daemon of this.daemons.splice(0)) if (!daemon.status) await daemon.kill();
    try {
      await this.#leaveWorld();
    } finally {
      await allDone([this.pg?.destroy(), this.redis?.destroy()]);
    }
  }
}
