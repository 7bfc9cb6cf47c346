// From exec to ready with both databases up; memory, idle and per idle authenticated socket; CPU for opening those.
import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { benchmark, median, table } from './lib/bench.js';

const RUNS = 20;
const SOCKETS = 18_000; // within 20,000 descriptors, of the server and of the load generator
const SETTLE_MS = 500; // the jobs of the first second have run

function statusOf(url) {
  return new Promise((resolve) => {
    const request = http.get(url, { agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    request.on('error', () => resolve(0)); // not listening yet
  });
}

async function msUntil(server, path) {
  while ((await statusOf(server.base + path)) !== 200) {
    if (server.ended !== undefined) throw new Error(`the server ended: ${server.ended}`);
    await delay(1);
  }
  return Number(process.hrtime.bigint() - server.startedNs) / 1e6;
}

async function measureStarts(bench) {
  const ready = [];
  const idle = [];
  for (let i = 0; i <= RUNS; i++) {
    const server = await bench.spawnDaemon();
    const ms = await msUntil(server, '/readyz');
    await delay(SETTLE_MS);
    if (i > 0) ready.push(ms); // the first one applied the migrations
    else console.log(`first start, applying the migrations: ${ms.toFixed(0)} ms`);
    idle.push(server.rssKib);
    await server.stop();
  }
  console.log(`exec to /readyz 200, ${RUNS} starts: median ${median(ready).toFixed(1)} ms, max ${Math.max(...ready).toFixed(1)} ms`);
  console.log(`idle memory (RSS): median ${(median(idle) / 1024).toFixed(1)} MiB, max ${(Math.max(...idle) / 1024).toFixed(1)} MiB`);
}

async function measureSockets(bench) {
  const learners = await bench.learners(SOCKETS);
  const rows = [];
  for (const [name, start] of [
    ['conversationd', () => bench.startDaemon()],
    ['stock socket.io', () => bench.startStockServer()],
    ['NestJS gateway', () => bench.startNestServer()],
  ]) {
    const server = await start();
    await delay(SETTLE_MS);
    const [figures] = await bench.load('idle', server, learners);
    rows.push({
      server: name,
      sockets: figures.sockets,
      'MiB before': (figures.beforeKib / 1024).toFixed(1),
      'MiB with them': (figures.afterKib / 1024).toFixed(1),
      'bytes a socket': figures.bytesPerSocket,
      'CPU s for opening': (figures.cpuUs / 1e6).toFixed(2),
      'CPU us a socket': (figures.cpuUs / figures.sockets).toFixed(0),
    });
    await server.stop();
  }
  table(rows);
  const [ours, ...others] = rows;
  table(
    others.map((other) => ({
      ratio: `${other.server} / conversationd`,
      'bytes a socket': (other['bytes a socket'] / ours['bytes a socket']).toFixed(1),
      'CPU for opening': (other['CPU s for opening'] / ours['CPU s for opening']).toFixed(1),
    })),
  );
  console.log('  aims: at most 4096 bytes a socket, at most 3 s of CPU for opening them');
}

await benchmark('startup', async (bench) => {
  await measureStarts(bench);
  await measureSockets(bench);
});
