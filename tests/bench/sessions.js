// 5,000 conversations in which nobody says anything to the service: what their timers, prompts, heartbeats and copies
// in Redis cost, and what a session takes in memory.
import { benchmark, table } from './lib/bench.js';

const SESSIONS = Number(process.env.BENCH_SESSIONS ?? 5000);
const SETTLE_SECONDS = Number(process.env.BENCH_SETTLE ?? 30);
const WINDOW_SECONDS = Number(process.env.BENCH_WINDOW ?? 120); // two rounds of the copies, four of the pings

// Prompts come twice as often as by default, or the window would have to be four minutes long to be a fair one.
const ENV = { PROMPT_INTERVAL_MIN: '60', PROMPT_INTERVAL_MAX: '180' };

await benchmark('sessions', async (bench) => {
  const first = await bench.startDaemon(); // makes the tables
  await first.stop();
  const learners = await bench.learners(2 * SESSIONS, { sessions: true });
  const server = await bench.startDaemon(ENV);
  const [f] = await bench.load('sessions', server, learners, SETTLE_SECONDS, WINDOW_SECONDS);
  await server.stop();
  table([
    {
      sessions: f.sessions,
      sockets: 2 * f.sessions,
      'window s': f.seconds.toFixed(0),
      'CPU share of a core': `${(100 * f.cpuShare).toFixed(2)} %`,
      'events/s to them': f.eventsPerSecond.toFixed(1),
      'MiB before': (f.beforeKib / 1024).toFixed(1),
      'MiB with them': (f.afterKib / 1024).toFixed(1),
      'bytes a session': f.bytesPerSession,
    },
  ]);
  console.log('  aim: less than 5 % of a core at 5,000 sessions');
});
