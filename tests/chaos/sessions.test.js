// Three daemons behind a balancer, 200 pairs of learners who talk, and daemons that are killed, asked to stop and stopped
// for a while, and Redis restarted. CHAOS_SECONDS, CHAOS_SEED: as in matching.test.js; CHAOS_PAIRS: how many.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Balancer } from '../lib/balancer.js';
import { Cluster } from '../lib/cluster.js';
import { Rest } from '../lib/http.js';
import { KafkaCluster } from '../lib/kafka.js';
import { allDone, until } from '../lib/wait.js';
import { Faults, randomFrom, stopForAWhile } from './faults.js';
import { allAreSent, allHaveEnded, auditSessions, auditTopic } from './session_ledger.js';
import { Talker, newNotes } from './talkers.js';

const SECONDS = Number(process.env.CHAOS_SECONDS ?? 20);
const SEED = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
const PAIRS = Number(process.env.CHAOS_PAIRS ?? 200);
const STOPPED_MS = 5000;
// The last dead instance, the grace, the join window and a sweep after it; whoever is then put back waits for a minute more, and
// nobody comes to the session made of two of them.
const SETTLED_MS = 260_000;
const SENT_MS = 60_000; // the relay may just have died: another takes its lock

const FAULTS = [
  ['daemon killed', (cluster, i) => cluster.restart(i)],
  ['daemon replaced', (cluster, i) => cluster.replace(i)],
  ['daemon stopped', (cluster, i) => stopForAWhile(cluster.daemons[i], STOPPED_MS)],
  ['Redis restarted', (cluster) => cluster.redis.kill().then(() => cluster.redis.start())],
];

describe('chaos of sessions', () => {
  let cluster;
  let balancer;
  let kafka;
  let topic; // read from the beginning, by a client of others'

  before(async () => {
    kafka = await KafkaCluster.create();
    cluster = await Cluster.create(Number(process.env.CHAOS_DAEMONS ?? 3), {
      ...kafka.env(),
      LOG_LEVEL: 'info',
      SESSION_CLEANUP_INTERVAL: '10000',
      SESSION_ABANDONED_SECONDS: '30', // of learners who have stopped, and were put back into the queue before
      RATE_LIMIT_ICE_CANDIDATES: '0',
    });
    balancer = await Balancer.start(cluster.daemons.map((d) => d.port));
    topic = kafka.follower();
  });

  after(async () => {
    balancer?.stop();
    await allDone([topic?.stop(), cluster?.destroy(), kafka?.destroy()]);
  });

  it(`${SECONDS} s of ${PAIRS} pairs, seed ${SEED}`, { timeout: (SECONDS + 500) * 1000 }, async (t) => {
    const notes = newNotes();
    const rest = new Rest(balancer.base);
    const talkers = Array.from({ length: 2 * PAIRS }, (_, i) => {
      const person = { userId: crypto.randomUUID(), name: 'Ana', native: 'it', levels: { en: 'B1' }, tier: 'premium' };
      return new Talker(rest, person, cluster.token(person), randomFrom(SEED + 10 + i), notes);
    });
    const faults = new Faults(cluster, randomFrom(SEED), FAULTS);
    const end = Date.now() + SECONDS * 1000;
    await allDone([faults.runUntil(end), ...talkers.map((talker) => talker.runUntil(end))]);
    await cluster.untilReady();
    await until('every session to end', () => allHaveEnded(cluster.db), SETTLED_MS);
    const ends = await auditSessions(cluster.db, notes);
    await until('every event to be sent', () => allAreSent(cluster.db), SENT_MS);
    const again = await auditTopic(cluster.db, topic);
    t.diagnostic(`${notes.talks} talks joined, ${JSON.stringify(ends)}; connects ${JSON.stringify(notes.connects)}`);
    t.diagnostic(`said ${notes.said}, heard ${notes.heard}, ${JSON.stringify(Object.fromEntries(notes.answers))}`);
    t.diagnostic(`events sent again after a fault, and known by their eventId: ${again}`);
    t.diagnostic(`faults: ${JSON.stringify(faults.counts)}`);
    assert.deepEqual(notes.problems, []);
    await cluster.stop();
  });
});
