// What happens to machines: daemons killed and stopped for a while, Redis and PostgreSQL restarted, one thing at a time, at
// random, from a seed.
import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MS = [1000, 4000]; // between two faults
const STOPPED_MS = 7000; // longer than the matchmaker's lease: its holder comes back to find another

// A small generator of its own, so that a seed names a run (mulberry32).
export function randomFrom(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    below: (n) => Math.floor(next() * n),
    between: ([min, max]) => min + Math.floor(next() * (max - min)),
    chance: (p) => next() < p,
    of: (list) => list[Math.floor(next() * list.length)],
  };
}

// cluster: {pg, redis, restart(i), daemons}.
export class Faults {
  constructor(cluster, random) {
    this.cluster = cluster;
    this.random = random;
    this.counts = { 'daemon killed': 0, 'daemon stopped': 0, 'Redis restarted': 0, 'PostgreSQL restarted': 0 };
  }

  async #one() {
    const { cluster, random } = this;
    const i = random.below(cluster.daemons.length);
    const [what, act] = random.of([
      ['daemon killed', () => cluster.restart(i)],
      ['daemon killed', () => cluster.restart(i)],
      ['daemon stopped', () => this.#stopForAWhile(cluster.daemons[i])],
      ['Redis restarted', () => cluster.redis.kill().then(() => cluster.redis.start())],
      ['PostgreSQL restarted', () => cluster.pg.kill().then(() => cluster.pg.start())],
    ]);
    await act();
    this.counts[what]++;
  }

  async #stopForAWhile(daemon) {
    daemon.signal('SIGSTOP');
    await delay(STOPPED_MS);
    daemon.signal('SIGCONT');
  }

  async runUntil(endMs) {
    while (Date.now() < endMs) {
      await delay(this.random.between(PAUSE_MS));
      if (Date.now() < endMs) await this.#one();
    }
  }
}
