// The relay of an event of 300 bytes: the daemon, a bare relay of frames as the floor, stock socket.io and a NestJS
// gateway, each on one core and under the same load, one after the other.
import { bareLearners, benchmark, table } from './lib/bench.js';

const SECONDS = 3;
const ROUNDS = 3;
const SESSIONS = 500;
const MANY_SESSIONS = 5000;
const ONE_EACH = `${SESSIONS}x1`;
const EIGHT_EACH = `${SESSIONS}x8`;

function row(name, f) {
  return {
    server: name,
    sessions: f.sessions,
    'in flight each': f.inFlight || 'open loop',
    'messages/s': f.perSecond,
    'CPU us/message': f.cpuUs.toFixed(2),
    'CPU share': f.cpuShare.toFixed(2),
    'load CPU share': f.ownShare.toFixed(2),
    'p50 ms': f.p50Ms.toFixed(3),
    'p99 ms': f.p99Ms.toFixed(3),
  };
}

// One server under the closed loads, then at half of what it did with one message in flight in each session.
async function measure(bench, start, learners) {
  const server = await start();
  const [one, eight] = await bench.load('relay', server, learners, SECONDS, ONE_EACH, EIGHT_EACH);
  const [half] = await bench.load('relay', server, learners, SECONDS, `${SESSIONS}@${Math.round(one.perSecond / 2)}`);
  await server.stop();
  return { one, eight, half };
}

async function measureMany(bench, start, learners) {
  const server = await start();
  const [many] = await bench.load('relay', server, learners, SECONDS, `${MANY_SESSIONS}x1`);
  await server.stop();
  return { many };
}

function ratio(what, aim, a, b) {
  const cpu = b.cpuUs / a.cpuUs;
  return {
    ratio: what,
    'messages/s': (a.perSecond / b.perSecond).toFixed(2),
    'messages per CPU second': cpu.toFixed(2),
    aim,
  };
}

function print({ bare, ours, stock, nest, bareMany, oursMany }) {
  const servers = { 'bare relay': bare, conversationd: ours, 'stock socket.io': stock, 'NestJS gateway': nest };
  const rows = (load) => Object.entries(servers).map(([name, figures]) => row(name, figures[load]));
  console.log(`an event of 300 bytes; each server on one core, the load generator on another`);
  console.log(`each row the median of ${ROUNDS} runs of ${SECONDS} s, the servers taking turns`);
  table([
    ...rows('one'),
    ...rows('eight'),
    row('bare relay', bareMany.many),
    row('conversationd', oursMany.many),
    ...rows('half'),
  ]);
  table([
    ratio(`conversationd / bare relay, ${ONE_EACH}`, '>= 0.70', ours.one, bare.one),
    ratio(`conversationd / NestJS gateway, ${ONE_EACH}`, '>= 8', ours.one, nest.one),
    ratio(`conversationd / stock socket.io, ${EIGHT_EACH}`, '>= 10', ours.eight, stock.eight),
    ratio(`conversationd, ${MANY_SESSIONS}x1 / ${ONE_EACH}`, '>= 0.80', oursMany.many, ours.one),
    ratio(`bare relay, ${MANY_SESSIONS}x1 / ${ONE_EACH}`, '', bareMany.many, bare.one),
  ]);
  const p99 = (f) => `${f.half.p99Ms.toFixed(2)} ms at ${f.half.perSecond}/s`;
  console.log(`  p99 at half load: conversationd ${p99(ours)} (aim: < 3 ms), NestJS gateway ${p99(nest)}`);
}

// Of several runs of the same load the one in the middle: a virtual machine's neighbours come and go.
function median(runs) {
  return [...runs].sort((a, b) => a.cpuUs - b.cpuUs)[Math.floor(runs.length / 2)];
}

// What `measures` (by name, functions) give, each run once a round; of each load the median.
async function inTurns(measures) {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) {
    const figures = {};
    for (const [name, run] of Object.entries(measures)) figures[name] = await run();
    rounds.push(figures);
  }
  const ofEach = (name, load) => median(rounds.map((figures) => figures[name][load]));
  const loads = Object.entries(rounds[0]).map(([name, figures]) => [
    name,
    Object.fromEntries(Object.keys(figures).map((load) => [load, ofEach(name, load)])),
  ]);
  return Object.fromEntries(loads);
}

await benchmark(
  'relay',
  async (bench) => {
    const startDaemon = () => bench.startDaemon();
    const startBare = () => bench.startBareRelay();
    await (await startDaemon()).stop(); // makes the tables
    const all = await bench.learners(2 * MANY_SESSIONS, { sessions: true });
    const learners = all.slice(0, 2 * SESSIONS);
    print(
      await inTurns({
        bare: () => measure(bench, startBare, bareLearners(learners)),
        ours: () => measure(bench, startDaemon, learners),
        stock: () => measure(bench, () => bench.startStockServer(), learners),
        nest: () => measure(bench, () => bench.startNestServer(), learners),
        bareMany: () => measureMany(bench, startBare, bareLearners(all)),
        oursMany: () => measureMany(bench, startDaemon, all),
      }),
    );
  },
  { oneCore: true },
);
