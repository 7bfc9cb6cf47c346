// Three daemons, 2,000 match requests a minute, and everything that can fail fails. CHAOS_SECONDS says for how long (20 in
// tests/run; tests/chaos/run takes minutes), CHAOS_SEED which faults and learners.
import { after, before, describe, it } from 'node:test';
import { Cluster } from '../lib/cluster.js';
import { allDone, until } from '../lib/wait.js';
import { Faults, randomFrom, stopForAWhile } from './faults.js';
import { Crowd } from './learners.js';
import { audit, unsettled } from './ledger.js';

const SECONDS = Number(process.env.CHAOS_SECONDS ?? 20);
const SEED = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
const REQUESTS_PER_MINUTE = 2000;
const STOPPED_MS = 7000; // longer than the matchmaker's lease: its holder comes back to find another
// A request's life of 30 s; what the last fault left to repair is found by the reconciler, once a minute: if not by its first
// look, then by its second.
const SETTLED_MS = 180_000;

const kill = (cluster, i) => cluster.restart(i);
const FAULTS = [
  ['daemon killed', kill],
  ['daemon killed', kill],
  ['daemon stopped', (cluster, i) => stopForAWhile(cluster.daemons[i], STOPPED_MS)],
  ['Redis restarted', (cluster) => cluster.redis.kill().then(() => cluster.redis.start())],
  ['PostgreSQL restarted', (cluster) => cluster.pg.kill().then(() => cluster.pg.start())],
];

describe('chaos of match requests', () => {
  let cluster;

  before(async () => {
    cluster = await Cluster.create(Number(process.env.CHAOS_DAEMONS ?? 3), { LOG_LEVEL: 'info' });
  });

  after(async () => {
    await cluster?.destroy();
  });

  it(`${SECONDS} s of match requests and faults, seed ${SEED}`, { timeout: (SECONDS + 400) * 1000 }, async (t) => {
    const faults = new Faults(cluster, randomFrom(SEED), FAULTS);
    const crowd = new Crowd(cluster, randomFrom(SEED + 1));
    const end = Date.now() + SECONDS * 1000;
    await allDone([faults.runUntil(end), crowd.askUntil(end, REQUESTS_PER_MINUTE)]);
    await cluster.untilReady();
    await until('every request to end', async () => (await unsettled(cluster.db)) === 0, SETTLED_MS);
    const ends = await audit(cluster.db, crowd.asked);
    t.diagnostic(`${crowd.asked.length} requests, ${crowd.retries} calls made again: ${JSON.stringify(ends)}`);
    t.diagnostic(`faults: ${JSON.stringify(faults.counts)}`);
    await cluster.stop();
  });
});
