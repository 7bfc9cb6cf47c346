// Kafka away under load for half of CHAOS_SECONDS (20 in tests/run; by hand for as long as one likes): nothing lost, nothing
// out of order for a key, nothing twice for Kafka's sake, memory flat, and the loop is not held up while the backlog is sent.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster } from '../lib/cluster.js';
import { KafkaCluster, TOPIC } from '../lib/kafka.js';
import { EventLoad, assertComplete } from '../lib/outbox.js';
import { allDone, until } from '../lib/wait.js';

const SECONDS = Number(process.env.CHAOS_SECONDS ?? 20);
const PER_SECOND = Number(process.env.CHAOS_EVENTS ?? 200);
const PARTITIONS = 16; // mock brokers keep 5 MB of each
const GROWTH_KIB = 16 * 1024; // of what the allocator and the sanitizers keep, not of a backlog

const PASS_EVENTS = 500; // at most, of the relay

// Passes of the relay whose mark got no answer, because the database stood still or cut the connection: what they sent, and
// no more, may come again.
const unmarkedPasses = (daemon) =>
  daemon.logs.filter((l) => l.event === 'flow.ended' && l.flow === 'outbox.relay' && l.error).length;

const rssKib = (daemon) =>
  Number(/VmRSS:\s*(\d+)/.exec(fs.readFileSync(`/proc/${daemon.process.pid}/status`, 'latin1'))[1]);

// Times of calls, one after the other, until stop(): the longest and the 99th percentile, in ms.
function calls(daemon) {
  const times = [];
  let going = true;
  const all = (async () => {
    while (going) {
      const started = performance.now();
      await daemon.rest.call('GET', '/healthz');
      times.push(performance.now() - started);
    }
  })();
  return async () => {
    going = false;
    await all;
    times.sort((a, b) => a - b);
    return { p99: times[Math.floor(times.length * 0.99)], max: times.at(-1) };
  };
}

describe('chaos: events', () => {
  let kafka;
  let cluster;
  let follower;

  before(async () => {
    kafka = await KafkaCluster.create();
    await kafka.createTopic(TOPIC, PARTITIONS);
    cluster = await Cluster.create(1, { ...kafka.env(), LOG_LEVEL: 'info' });
  });

  after(async () => {
    await allDone([follower?.stop(), cluster?.destroy(), kafka?.destroy()]);
  });

  it(`Kafka away for ${SECONDS / 2} s of ${SECONDS}`, { timeout: (SECONDS + 300) * 1000 }, async (t) => {
    const [daemon] = cluster.daemons;
    const load = new EventLoad(cluster.db, 300);
    const writing = load.run(SECONDS * PER_SECOND, PER_SECOND);
    let stopCalls;
    try {
      const unsent = () => cluster.world.unsentEvents();
      await delay(SECONDS * 250); // time is what this test is about
      await kafka.down();
      await until('Kafka to be missed', async () => (await unsent()) > 2 * PER_SECOND);
      const before = rssKib(daemon);
      await delay(SECONDS * 500);
      const grown = rssKib(daemon) - before;
      const backlog = await unsent();
      await kafka.up();
      follower = kafka.follower();
      const started = performance.now();
      stopCalls = calls(daemon);
      await until('the backlog to be sent', async () => (await unsent()) < PER_SECOND, 120_000);
      const tookMs = performance.now() - started;
      const { p99, max } = await stopCalls();
      await writing;
      await until('all events to be sent', async () => (await unsent()) === 0, 60_000);
      await until('all events to be read', () => follower.messages.length >= SECONDS * PER_SECOND, 60_000);
      t.diagnostic(`${backlog} events waited, sent in ${tookMs.toFixed(0)} ms; memory grew by ${grown} KiB meanwhile`);
      t.diagnostic(`/healthz while they were sent: p99 ${p99.toFixed(1)} ms, max ${max.toFixed(1)} ms`);
      const again = assertComplete(follower.events(), load.written);
      const mayComeAgain = unmarkedPasses(daemon) * PASS_EVENTS;
      assert.ok(again <= mayComeAgain, `${again} events came twice, and ${mayComeAgain} may have`);
      assert.ok(grown < GROWTH_KIB, `memory grew by ${grown} KiB`);
      await cluster.stop();
    } finally {
      load.enough();
      await Promise.allSettled([writing, stopCalls?.()]);
    }
  });
});
