// Three daemons on one PostgreSQL and one Redis, all of the test's own.
import { Daemon } from '../lib/daemon.js';
import { PostgresServer, RedisServer } from '../lib/servers.js';
import { World } from '../lib/world.js';

export class Cluster {
  static async create(size, env = {}) {
    const cluster = new Cluster();
    [cluster.pg, cluster.redis] = await Promise.all([PostgresServer.create(), RedisServer.create()]);
    await Promise.all([cluster.pg.start(), cluster.redis.start()]);
    cluster.world = await World.create({ own: cluster, start: false, env: { LOG_LEVEL: 'info', ...env } });
    cluster.daemons = [];
    for (let i = 0; i < size; i++) cluster.daemons.push(await cluster.#start());
    return cluster;
  }

  #start(options) {
    return Daemon.start({ env: this.world.env(), ...options });
  }

  // As a crash: no goodbye to anybody. A moment later it is there again, ready or not: its databases may be away.
  async restart(i) {
    const { port } = this.daemons[i];
    await this.daemons[i].kill();
    this.daemons[i] = await this.#start({ port, ready: 'listening' });
  }

  // As an operator does: asked to stop, and started anew when it has.
  async replace(i) {
    const { port } = this.daemons[i];
    await this.daemons[i].stop();
    this.daemons[i] = await this.#start({ port, ready: 'listening' });
  }

  get db() {
    return this.world.db;
  }

  token(person) {
    return this.world.token(person, 3600);
  }

  async untilReady() {
    for (const daemon of this.daemons) await daemon.untilReady(30_000);
  }

  async stop() {
    for (const daemon of this.daemons ?? []) if (!daemon.status) await daemon.stop();
  }

  async destroy() {
    for (const daemon of this.daemons ?? []) {
      if (daemon.status) continue;
      daemon.signal('SIGCONT');
      await daemon.kill();
    }
    await this.world?.stop();
    await Promise.all([this.pg?.destroy(), this.redis?.destroy()]);
  }
}
