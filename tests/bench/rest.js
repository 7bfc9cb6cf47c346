// GET /topics and GET /sessions/:id over 64 kept-alive connections, by wrk: this daemon, then the same answers from
// NestJS services on Express and on Fastify (compare/nest.js), each alone on one core while the load and the databases
// have the other.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { benchmark, table } from './lib/bench.js';

const SECONDS = 5;
const WARM_UP_SECONDS = 2; // a JIT compiles, prepared statements get their plans
const CONNECTIONS = 64;
const TOPICS = 41; // of English: about 9.8 KB
const SESSIONS = 500;
const NEST_NODE = 20;
const API = '/api/conversations';

// --- the load

function number(text, pattern) {
  return Number(pattern.exec(text)?.[1] ?? 0);
}

// `script`: of wrk, when the requests differ; else all are for `url` with the token.
function wrk(bench, seconds, { url, token, script }) {
  const what = script ? ['-s', script, url] : ['-H', `Authorization: Bearer ${token}`, url];
  return bench.loadBy('wrk', ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '--latency', ...what]);
}

async function measure(bench, server, load) {
  await wrk(bench, WARM_UP_SECONDS, load);
  const before = server.cpuUs;
  const stdout = await wrk(bench, SECONDS, load);
  const cpuUs = server.cpuUs - before;
  const requests = number(stdout, /(\d+) requests in/);
  return {
    requests,
    bad: number(stdout, /Non-2xx or 3xx responses: (\d+)/),
    perSecond: number(stdout, /Requests\/sec:\s+([\d.]+)/),
    cpuUs: cpuUs / requests,
    cpuShare: cpuUs / SECONDS / 1e6,
    p50: /^\s+50%\s+(\S+)/m.exec(stdout)?.[1],
    p99: /^\s+99%\s+(\S+)/m.exec(stdout)?.[1],
  };
}

// Each session asked for by one of its participants, one after the other.
function sessionsScript(bench, learners) {
  const file = path.join(bench.dir, 'sessions.lua');
  const rows = learners.map(
    (l) => `wrk.format("GET", "${API}/sessions/${l.sessionId}", {["Authorization"] = "Bearer ${l.token}"})`,
  );
  const made = `local made\nfunction init() made = {${rows.join(',\n')}} end\n`;
  fs.writeFileSync(file, `${made}local i = 0\nfunction request() i = i % #made + 1 return made[i] end\n`);
  return file;
}

async function get(server, url, token) {
  const answer = await fetch(server.base + url, { headers: { Authorization: `Bearer ${token}` } });
  assert.equal(answer.status, 200, url);
  return answer.text();
}

// --- all of it

const SERVERS = [
  { name: 'conversationd', start: (bench) => bench.startDaemon() },
  ...['memory', 'databases'].flatMap((store) =>
    ['express', 'fastify'].map((adapter) => ({
      name: `nest ${adapter}, ${store}`,
      start: (bench) => bench.startRestService(adapter, store),
    })),
  ),
];

async function measureServer(bench, server, learners, expected) {
  const [learner] = learners;
  const requests = {
    'GET /healthz': { url: '/healthz' }, // HTTP alone
    'GET /topics': { url: `${API}/topics?targetLanguageCode=en` },
    'GET /sessions/:id, one': { url: `${API}/sessions/${learner.sessionId}` },
    [`GET /sessions/:id, ${SESSIONS}`]: { url: '', script: sessionsScript(bench, learners) },
  };
  const figures = [];
  for (const [name, { url, script }] of Object.entries(requests)) {
    const body = JSON.parse(await get(server, url || `${API}/sessions/${learner.sessionId}`, learner.token));
    expected[name] ??= body;
    assert.deepEqual(body, expected[name], 'the answers are the same');
    const load = { url: server.base + url, token: learner.token, script };
    figures.push({
      request: name,
      bytes: JSON.stringify(body).length,
      ...(await measure(bench, server, load)),
    });
  }
  return figures;
}

function print(all) {
  table(
    all.map((row) => ({
      request: row.request,
      server: row.server,
      'body bytes': row.bytes,
      'not 2xx': row.bad,
      'requests/s': Math.round(row.perSecond),
      'CPU us/request': row.cpuUs.toFixed(1),
      'CPU share': row.cpuShare.toFixed(2),
      p50: row.p50,
      p99: row.p99,
    })),
  );
  const ours = all.filter((row) => row.server === 'conversationd');
  table(
    all
      .filter((row) => row.server !== 'conversationd')
      .map((row) => {
        const own = ours.find((o) => o.request === row.request);
        return {
          request: row.request,
          'compared with': row.server,
          'requests/s, ours / theirs': (own.perSecond / row.perSecond).toFixed(1),
          'CPU, theirs / ours': (row.cpuUs / own.cpuUs).toFixed(1),
        };
      }),
  );
}

// Once the daemon has made its tables.
async function fill(bench) {
  await bench.db.query(
    `UPDATE topics SET is_active = code IN (SELECT code FROM topics WHERE target_language_code = 'en'
                                             ORDER BY level, code LIMIT $1)`,
    [TOPICS],
  );
  const learners = await bench.learners(2 * SESSIONS, { sessions: true });
  return learners.filter((_, i) => i % 2 === 0);
}

await benchmark(
  'rest',
  async (bench) => {
    const isNew = Number(process.versions.node.split('.')[0]) >= NEST_NODE;
    if (!isNew) console.log(`NestJS wants Node ${NEST_NODE} or newer: the daemon alone`);
    await bench.moveDatabasesAside();
    const expected = {};
    const all = [];
    let learners;
    for (const { name, start } of isNew ? SERVERS : SERVERS.slice(0, 1)) {
      const server = await start(bench);
      learners ??= await fill(bench);
      for (const row of await measureServer(bench, server, learners, expected))
        all.push({ server: name, ...row });
      await server.stop();
      bench.servers.splice(bench.servers.indexOf(server), 1);
    }
    print(all.sort((a, b) => a.request.localeCompare(b.request)));
  },
  { oneCore: true },
);
