// Match requests over REST until match_found has come to both sockets: 1,000 at once, then 100 pairs a second for 20 s.
import { benchmark, table } from './lib/bench.js';

const AT_ONCE = 1000;
const PAIRS_PER_SECOND = 100;
const SECONDS = 20;
const CONNECTIONS = 64; // what an api-gateway keeps open

function row(name, f) {
  const ms = (value) => value.toFixed(1);
  return {
    load: name,
    requests: f.requests,
    refused: f.refused,
    matched: f.matched,
    'pairs/s': f.pairsPerSecond,
    'CPU us/pair': f.cpuUsPerPair,
    'answer p50 ms': ms(f.answer.p50Ms),
    'match_found p50': ms(f.found.p50Ms),
    p95: ms(f.found.p95Ms),
    p99: ms(f.found.p99Ms),
    max: ms(f.found.maxMs),
  };
}

await benchmark('matching', async (bench) => {
  const daemon = await bench.startDaemon();
  const [burst] = await bench.load('match', daemon, await bench.learners(AT_ONCE), AT_ONCE, 0);
  const many = await bench.learners(2 * PAIRS_PER_SECOND * SECONDS);
  const [sustained] = await bench.load('match', daemon, many, CONNECTIONS, PAIRS_PER_SECOND);
  table([row(`${AT_ONCE} at once`, burst), row(`${PAIRS_PER_SECOND} pairs/s for ${SECONDS} s`, sustained)]);
  const { pairs, users } = await bench.db.one(
    'SELECT count(DISTINCT session_id)::int pairs, count(DISTINCT user_id)::int users FROM session_participants',
  );
  console.log(`  in the database: ${pairs} sessions of ${users} users`);
});
