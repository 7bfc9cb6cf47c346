// Events from PostgreSQL to Kafka (mock brokers in a process): a backlog as fast as it goes, beside calls of GET /healthz
// that show whether the loop is held up; then 500 events a second, written by somebody else, so that the relay has to
// find them by polling. The delay is from the row's time to its mark: after Kafka's answer.
import { EventLoad } from '../lib/outbox.js';
import { KafkaCluster } from '../lib/kafka.js';
import { until } from '../lib/wait.js';
import { benchmark, table } from './lib/bench.js';

const BACKLOG = 100_000;
const PER_SECOND = 500;
const SECONDS = 20;
const USERS = 1000;

const unsent = async (db) =>
  (await db.one('SELECT count(*)::int AS n FROM event_outbox WHERE sent_at IS NULL')).n;

// Times of calls, one after the other, until stop(): {p50, p99, max} in ms.
function calls(base) {
  const times = [];
  let going = true;
  const all = (async () => {
    while (going) {
      const started = performance.now();
      await fetch(`${base}/healthz`);
      times.push(performance.now() - started);
    }
  })();
  return async () => {
    going = false;
    await all;
    times.sort((a, b) => a - b);
    const at = (share) => times[Math.floor((times.length - 1) * share)].toFixed(1);
    return { 'healthz p50 ms': at(0.5), p99: at(0.99), max: at(1) };
  };
}

// The histogram of the loop's lateness so far: {bound in s: count}, cumulative.
async function loopLag(base) {
  const text = await (await fetch(`${base}/metrics`)).text();
  const lines = text.matchAll(/^event_loop_lag_seconds_bucket\{le="([^"]+)"\} (\d+)/gm);
  return Object.fromEntries([...lines].map(([, bound, count]) => [bound, Number(count)]));
}

// The bound below which 99 % of what came in between lies, in ms.
function p99Between(before, after) {
  const grown = Object.entries(after)
    .map(([bound, count]) => [bound === '+Inf' ? Infinity : Number(bound), count - (before[bound] ?? 0)])
    .sort((a, b) => a[0] - b[0]);
  const all = after['+Inf'] - (before['+Inf'] ?? 0);
  const [bound] = grown.find(([, count]) => count >= all * 0.99) ?? [Infinity];
  return `<= ${bound * 1000}`;
}

async function measure(bench, daemon, name, work) {
  const stop = calls(daemon.base);
  const before = daemon.cpuUs;
  const lagBefore = await loopLag(daemon.base);
  const started = performance.now();
  const { id: first } = await bench.db.one(
    'SELECT coalesce(max(id), 0) AS id FROM event_outbox WHERE sent_at IS NOT NULL',
  );
  await work();
  await until('all events to be sent', async () => (await unsent(bench.db)) === 0, 120_000);
  const healthz = await stop();
  const d = await bench.db.one(
    `SELECT count(*)::int AS n, extract(epoch FROM max(sent_at) - min(sent_at)) AS seconds,
            percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY extract(epoch FROM sent_at - created_at)) AS p
       FROM event_outbox WHERE id > $1`,
    [first],
  );
  return {
    load: name,
    events: d.n,
    'events/s': Math.round(d.n / Math.max(d.seconds, 0.001)),
    'delay p50 ms': (d.p[0] * 1000).toFixed(1),
    p95: (d.p[1] * 1000).toFixed(1),
    'p99 ': (d.p[2] * 1000).toFixed(1),
    'CPU us/event (with healthz)': ((daemon.cpuUs - before) / d.n).toFixed(1),
    'CPU share': ((daemon.cpuUs - before) / 1000 / (performance.now() - started)).toFixed(2),
    'RSS MiB': (daemon.rssKib / 1024).toFixed(1),
    'loop lag p99 ms': p99Between(lagBefore, await loopLag(daemon.base)),
    ...healthz,
  };
}

await benchmark('outbox', async (bench) => {
  const kafka = await KafkaCluster.create();
  try {
    let daemon = await bench.startDaemon();
    await daemon.stop(); // the tables are there
    const load = new EventLoad(bench.db, USERS);
    for (let i = 0; i < BACKLOG; i += 5000) await load.write(5000);
    daemon = await bench.startDaemon(kafka.env());
    const rows = [await measure(bench, daemon, `a backlog of ${BACKLOG}`, async () => {})];
    rows.push(
      await measure(bench, daemon, `${PER_SECOND}/s for ${SECONDS} s`, () => load.run(PER_SECOND * SECONDS, PER_SECOND)),
    );
    table(rows);
    console.log('  aims: at least 5,000 events/s; p95 below 100 ms at 500 events/s');
  } finally {
    await kafka.destroy();
  }
});
