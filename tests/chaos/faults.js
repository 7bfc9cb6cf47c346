// What happens to machines: one thing at a time, at random, from a seed.
import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MS = [1000, 4000]; // between two faults

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

export async function stopForAWhile(daemon, ms) {
  daemon.signal('SIGSTOP');
  await delay(ms);
  daemon.signal('SIGCONT');
}

// faults: rows of a name and what does it to the cluster, with the number of a daemon.
export class Faults {
  constructor(cluster, random, faults) {
    Object.assign(this, { cluster, random, faults });
    this.counts = Object.fromEntries(faults.map(([what]) => [what, 0]));
  }

  async #one() {
    const [what, act] = this.random.of(this.faults);
    await act(this.cluster, this.random.below(this.cluster.daemons.length));
    this.counts[what]++;
  }

  async runUntil(endMs) {
    while (Date.now() < endMs) {
      await delay(this.random.between(PAUSE_MS));
      if (Date.now() < endMs) await this.#one();
    }
  }
}
