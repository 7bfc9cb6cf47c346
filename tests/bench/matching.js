// Match requests over REST until match_found has come to both sockets: 1,000 at once; 100 pairs a second for 20 s, alone
// and with 10,000 others waiting whom they do not fit; and as many as the service takes.
import { until } from '../lib/wait.js';
import { benchmark, table } from './lib/bench.js';

const AT_ONCE = 1000;
const PAIRS_PER_SECOND = 100;
const SECONDS = 20;
const CONNECTIONS = 64; // what an api-gateway keeps open
const OTHERS = 10_000;
const SATURATING = 10_000;
const AT_ANY_RATE = 1e6; // pairs a second: as fast as they can be sent

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

// Requests that wait for a tandem nobody can give them: of the same language and topic as those that are measured, so
// that the index has to tell them apart. They have just come, and go on for five minutes.
async function storeOthers(db) {
  await db.query(
    `INSERT INTO match_requests (id, user_id, target_language_code, native_language_code, current_level,
            preferred_partner_level, preferred_partner_native_language_code, topic_code, topic_category, mode,
            max_wait_seconds, tier, expires_at)
     SELECT gen_random_uuid(), gen_random_uuid(), 'en', 'fi', 'B1', 'same', 'en', 'free_talk', 'other', 'now',
            300, 'free', now() + interval '300 s'
       FROM generate_series(1, $1::int)`,
    [OTHERS],
  );
}

async function waiting(daemon) {
  const text = await (await fetch(`${daemon.base}/metrics`)).text();
  return Number(/^redis_queue_size\{[^}]*"en"\} (\d+)/m.exec(text)?.[1] ?? 0);
}

await benchmark('matching', async (bench) => {
  let daemon = await bench.startDaemon();
  const sustained = async () => {
    const learners = await bench.learners(2 * PAIRS_PER_SECOND * SECONDS);
    return (await bench.load('match', daemon, learners, CONNECTIONS, PAIRS_PER_SECOND))[0];
  };
  const rows = [];
  const [burst] = await bench.load('match', daemon, await bench.learners(AT_ONCE), AT_ONCE, 0);
  rows.push(row(`${AT_ONCE} at once`, burst));
  const all = await bench.learners(SATURATING);
  const [saturated] = await bench.load('match', daemon, all, CONNECTIONS, AT_ANY_RATE);
  rows.push(row(`${SATURATING} as fast as they go`, saturated));
  rows.push(row(`${PAIRS_PER_SECOND} pairs/s for ${SECONDS} s`, await sustained()));
  await daemon.stop();
  await storeOthers(bench.db);
  daemon = await bench.startDaemon();
  await until('the others in the index', async () => (await waiting(daemon)) >= OTHERS);
  rows.push(row(`the same, ${OTHERS} others waiting`, await sustained()));
  table(rows);
  console.log(`  still waiting at the end: ${await waiting(daemon)}`);
  const { pairs, users } = await bench.db.one(
    'SELECT count(DISTINCT session_id)::int pairs, count(DISTINCT user_id)::int users FROM session_participants',
  );
  console.log(`  in the database: ${pairs} sessions of ${users} users`);
});
