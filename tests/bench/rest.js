// GET /topics and GET /sessions/:id over 64 kept-alive connections, by wrk: this daemon, then the same answers from
// NestJS services on Express and on Fastify (compare/nest.js), each alone on one core while the load and the databases
// have the others.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from '../lib/ports.js';
import { until } from '../lib/wait.js';
import { benchmark, table } from './lib/bench.js';

const SECONDS = 5;
const WARM_UP_SECONDS = 2; // a JIT compiles, prepared statements get their plans
const CONNECTIONS = 64;
const TOPICS = 41; // of English: about 9.8 KB
const SESSIONS = 500;
const [SERVER_CORE, LOAD_CORES] = ['0', `1-${os.cpus().length - 1}`];
const CAN_PIN = os.cpus().length > 1;
const NEST_NODE = 20;
const API = '/api/conversations';
const NEST = fileURLToPath(new URL('./compare/nest.js', import.meta.url));
const run = promisify(execFile);

// --- who runs where

async function pin(pid, cores) {
  if (CAN_PIN) await run('taskset', ['-a', '-c', '-p', cores, String(pid)]);
}

// The databases are not on the core that is measured. They belong to other users: without the right to move them they
// stay where they are.
async function pinDatabases(bench) {
  const { text } = await bench.db.one(`SELECT pg_read_file('postmaster.pid') AS text`);
  const redis = /^process_id:(\d+)/m.exec(bench.redis.cli('INFO', 'server'))[1];
  try {
    await Promise.all([pin(text.split('\n')[0], LOAD_CORES), pin(redis, LOAD_CORES)]);
  } catch (error) {
    console.log(`the databases run on all cores: ${error.stderr.trim()}`);
  }
}

// --- the servers

async function startDaemon(bench) {
  const server = await bench.startDaemon();
  await pin(server.pid, SERVER_CORE);
  return server;
}

class NestServer {
  static async start(bench, adapter, store) {
    const server = new NestServer();
    const port = await freePort();
    const log = fs.openSync(path.join(bench.dir, `nest-${adapter}-${store}.log`), 'a');
    server.base = `http://127.0.0.1:${port}`;
    server.process = spawn(process.execPath, [NEST], {
      env: {
        ...bench.db.env(),
        ...bench.redis.env(),
        PATH: process.env.PATH,
        NODE_ENV: 'production',
        PORT: String(port),
        JWT_PUBLIC_KEY_FILE: bench.keyFile,
        ADAPTER: adapter,
        STORE: store,
      },
      stdio: ['ignore', log, log],
    });
    fs.closeSync(log);
    server.exit = new Promise((resolve) => server.process.once('exit', resolve));
    server.exit.then((code) => {
      server.ended = code ?? 'by a signal';
    });
    bench.servers.push(server);
    await until(`${adapter} with ${store} to listen`, async () => (await fetch(`${server.base}/healthz`)).ok);
    await pin(server.process.pid, SERVER_CORE);
    return server;
  }

  get cpuUs() {
    const stat = fs.readFileSync(`/proc/${this.process.pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  }

  async stop() {
    this.process.kill('SIGTERM');
    await this.exit;
  }
}

// --- the load

function number(text, pattern) {
  return Number(pattern.exec(text)?.[1] ?? 0);
}

// `script`: of wrk, when the requests differ; else all are for `url` with the token.
function wrk(seconds, { url, token, script }) {
  const what = script ? ['-s', script, url] : ['-H', `Authorization: Bearer ${token}`, url];
  const command = ['wrk', '-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '--latency', ...what];
  const [program, ...args] = CAN_PIN ? ['taskset', '-c', LOAD_CORES, ...command] : command;
  return run(program, args);
}

async function measure(server, load) {
  await wrk(WARM_UP_SECONDS, load);
  const before = server.cpuUs;
  const { stdout } = await wrk(SECONDS, load);
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
  { name: 'conversationd', start: startDaemon },
  ...['memory', 'databases'].flatMap((store) =>
    ['express', 'fastify'].map((adapter) => ({
      name: `nest ${adapter}, ${store}`,
      start: (bench) => NestServer.start(bench, adapter, store),
    })),
  ),
];

async function measureServer(bench, server, learners, expected) {
  const [learner] = learners;
  const requests = {
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
    figures.push({ request: name, bytes: JSON.stringify(body).length, ...(await measure(server, load)) });
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

await benchmark('rest', async (bench) => {
  const isNew = Number(process.versions.node.split('.')[0]) >= NEST_NODE;
  if (!isNew) console.log(`NestJS wants Node ${NEST_NODE} or newer: the daemon alone`);
  await pinDatabases(bench);
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
});
