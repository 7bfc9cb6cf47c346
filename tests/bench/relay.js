// The relay of ICE candidates: the daemon and stock socket.io under the same load, one after the other.
import { benchmark, table } from './lib/bench.js';

const SECONDS = 5;
const SESSIONS = 1000;
const ROWS = ['1x1', '100x1', '100x8', '1000x1'];

function row(name, f) {
  return {
    server: name,
    sessions: f.sessions,
    'in flight each': f.inFlight,
    'messages/s': f.perSecond,
    'CPU us/message': f.cpuUs.toFixed(2),
    'CPU share': f.cpuShare.toFixed(2),
    'p50 ms': f.p50Ms.toFixed(3),
    'p99 ms': f.p99Ms.toFixed(3),
  };
}

function ratio(ours, stock) {
  const of = (a, b) => (a / b).toFixed(1);
  return {
    sessions: ours.sessions,
    'in flight each': ours.inFlight,
    'messages/s, ours / stock': of(ours.perSecond, stock.perSecond),
    'CPU, stock / ours': of(stock.cpuUs, ours.cpuUs),
    'p99, stock / ours': of(stock.p99Ms, ours.p99Ms),
  };
}

await benchmark('relay', async (bench) => {
  const daemon = await bench.startDaemon(); // first: it makes the tables
  const learners = await bench.learners(2 * SESSIONS, { sessions: true });
  const ours = await bench.load('relay', daemon, learners, SECONDS, ...ROWS);
  await daemon.stop();
  const server = await bench.startStockServer();
  const stock = await bench.load('relay', server, learners, SECONDS, ...ROWS);
  await server.stop();
  console.log(`frames of ${ours[0].bytes} bytes, ${SECONDS} s a row`);
  table(ours.flatMap((f, i) => [row('conversationd', f), row('stock socket.io', stock[i])]));
  table(ours.map((f, i) => ratio(f, stock[i])));
});
