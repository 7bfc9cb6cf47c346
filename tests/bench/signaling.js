// The relay of an event of 300 bytes between two instances, through Redis, beside the same within one: at a fixed rate,
// and as fast as it goes.
import fs from 'node:fs';
import { benchmark, table } from './lib/bench.js';

const SECONDS = Number(process.env.BENCH_SECONDS ?? 5);
const SESSIONS = 500;
const RATE = 2000; // messages a second

// CPU time of the private Redis so far. The kernel counts in steps of 10 ms.
function cpuUsOf(pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

function redisPid(bench) {
  return /^process_id:(\d+)/m.exec(bench.redis.cli('INFO', 'server'))[1];
}

function row(name, load, f, redisUs) {
  return {
    partners: name,
    load,
    'messages/s': f.perSecond,
    'CPU us/message': f.cpuUs.toFixed(1),
    'CPU share': f.cpuShare.toFixed(3),
    'Redis us/message': redisUs === undefined ? '' : redisUs.toFixed(1),
    'p50 ms': f.p50Ms.toFixed(3),
    'p95 ms': f.p95Ms.toFixed(3),
    'p99 ms': f.p99Ms.toFixed(3),
  };
}

async function measure(bench, name, count) {
  const servers = [];
  for (let i = 0; i < count; i++) servers.push(await bench.startDaemon());
  const learners = await bench.learners(2 * SESSIONS, { sessions: true });
  const pid = redisPid(bench);
  const rows = [];
  for (const load of [`${SESSIONS}@${RATE}`, `${SESSIONS}x1`]) {
    const before = cpuUsOf(pid);
    const [f] = await bench.load('relay', servers, learners, SECONDS, load);
    // With the load's beginning and end, in which there are messages, too.
    const redisUs = count > 1 ? ((cpuUsOf(pid) - before) / f.messages) * (SECONDS / (SECONDS + 0.5)) : undefined;
    rows.push(row(name, load.includes('@') ? `${RATE}/s` : 'one in flight each', f, redisUs));
  }
  await Promise.all(servers.map((server) => server.stop()));
  return rows;
}

await benchmark('signaling', async (bench) => {
  const rows = [...(await measure(bench, 'at one instance', 1)), ...(await measure(bench, 'at two', 2))];
  console.log(`${SESSIONS} sessions, an event of 300 bytes, ${SECONDS} s a row; CPU of all daemons together`);
  table(rows);
  console.log(`  aim: p95 < 5 ms at ${RATE} messages/s between two instances; within one nothing is lost by it`);
});
