// What the benchmarks share: the daemon on a database of its own, the stock server to compare with, learners with
// tokens, the load generator, and tables.
import { execFile, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Database } from '../../lib/pg.js';
import { freePort } from '../../lib/ports.js';
import { RedisDatabase } from '../../lib/redis.js';
import { storeSessions } from '../../lib/stored_sessions.js';
import { claimsOf, publicPem, rsaKeys, sign } from '../../lib/token.js';
import { until } from '../../lib/wait.js';

const run = promisify(execFile);
const STOCK_SERVER = fileURLToPath(new URL('./stock-server.js', import.meta.url));
const NEST_SERVER = fileURLToPath(new URL('./nest-server.js', import.meta.url));
const REST_SERVER = fileURLToPath(new URL('../compare/nest.js', import.meta.url));

// Where servers and load generator run, when a benchmark is of one core: a core each.
const [SERVER_CORE, LOAD_CORE] = [0, 1];
const CAN_PIN = os.cpus().length > 1;

// A command line that runs on one core.
function pinned(core, command, args) {
  return CAN_PIN ? ['taskset', ['-c', String(core), command, ...args]] : [command, args];
}

function required(name) {
  if (!process.env[name]) throw new Error(`${name} is not set: run the benchmarks through tests/bench/run`);
  return process.env[name];
}

// A server under test; `log` gets its output, as a service manager would take it.
class Server {
  constructor(command, args, env, port, log) {
    this.port = port;
    this.base = `http://127.0.0.1:${port}`;
    const out = fs.openSync(log, 'a');
    this.startedNs = process.hrtime.bigint();
    this.process = spawn(command, args, {
      env: { PATH: process.env.PATH, PORT: String(port), ...env },
      stdio: ['ignore', out, out],
    });
    fs.closeSync(out);
    this.exit = new Promise((resolve) => this.process.once('exit', resolve));
    this.exit.then((code) => {
      this.ended = code ?? 'by a signal';
    });
  }

  get pid() {
    return this.process.pid;
  }

  get rssKib() {
    return Number(/VmRSS:\s*(\d+)/.exec(fs.readFileSync(`/proc/${this.pid}/status`, 'latin1'))[1]);
  }

  // CPU time of all its threads so far. The kernel counts in steps of 10 ms.
  get cpuUs() {
    const stat = fs.readFileSync(`/proc/${this.pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  }

  async stop() {
    this.process.kill('SIGTERM');
    await this.exit;
  }
}

export class Bench {
  // oneCore: servers run on one core and the load generator on another.
  static async create(name, { oneCore = false } = {}) {
    const bench = new Bench();
    bench.oneCore = oneCore;
    bench.dir = fs.mkdtempSync(path.join(os.tmpdir(), `bench-${name}-`));
    bench.keys = rsaKeys();
    bench.db = await Database.create();
    bench.redis = RedisDatabase.create();
    bench.servers = [];
    bench.keyFile = path.join(bench.dir, 'jwt.pub.pem');
    fs.writeFileSync(bench.keyFile, publicPem(bench.keys));
    return bench;
  }

  #server(command, args, env, port) {
    const line = this.oneCore ? pinned(SERVER_CORE, command, args) : [command, args];
    const server = new Server(...line, env, port, path.join(this.dir, 'server.log'));
    this.servers.push(server);
    return server;
  }

  // The daemon as it is by default, but for the rate limits, which are off, and `more`. Does not wait for it.
  async spawnDaemon(more = {}) {
    const env = {
      ...this.db.env(),
      ...this.redis.env(),
      DB_AUTO_MIGRATE: 'true',
      JWT_PUBLIC_KEY_FILE: this.keyFile,
      RATE_LIMIT_MATCH_REQUESTS: '0',
      RATE_LIMIT_SESSION_JOINS: '0',
      RATE_LIMIT_WS_MESSAGES: '0',
      RATE_LIMIT_ICE_CANDIDATES: '0',
      ...more,
    };
    return this.#server(required('CONVERSATIOND'), [], env, await freePort());
  }

  async startDaemon(more) {
    const server = await this.spawnDaemon(more);
    await this.#answering(server, '/readyz');
    return server;
  }

  async startStockServer() {
    const server = this.#server(process.execPath, [STOCK_SERVER], { NODE_ENV: 'production' }, await freePort());
    await this.#answering(server, '/healthz');
    return server;
  }

  async startNestServer() {
    const env = { NODE_ENV: 'production', JWT_PUBLIC_KEY_FILE: this.keyFile };
    const server = this.#server(process.execPath, [NEST_SERVER], env, await freePort());
    await this.#answering(server, '/healthz');
    return server;
  }

  // adapter: express or fastify; store: memory or databases (compare/nest.js).
  async startRestService(adapter, store) {
    const env = {
      ...this.db.env(),
      ...this.redis.env(),
      NODE_ENV: 'production',
      JWT_PUBLIC_KEY_FILE: this.keyFile,
      ADAPTER: adapter,
      STORE: store,
    };
    const server = this.#server(process.execPath, [REST_SERVER], env, await freePort());
    await this.#answering(server, '/healthz');
    return server;
  }

  // Knows no tokens or sessions: give it learners without (see bareLearners).
  async startBareRelay() {
    const server = this.#server(required('BENCH_BARE_RELAY'), [], {}, await freePort());
    await this.#answering(server, '/');
    return server;
  }

  async #answering(server, path) {
    await until(`${path} of the server under test`, async () => {
      if (server.ended !== undefined) throw new Error(`it ended: ${server.ended}, see ${this.dir}`);
      return (await fetch(server.base + path)).ok;
    });
  }

  token(userId) {
    const person = { userId, name: 'Ana', native: 'es', levels: { en: 'B1' }, tier: 'premium' };
    return sign(claimsOf(person, 3600), this.keys.privateKey);
  }

  // Learners, the two of a pair one after the other; with sessions, each pair has one that waits for both.
  async learners(count, { sessions = false } = {}) {
    const learners = Array.from({ length: count }, () => {
      const userId = crypto.randomUUID();
      return { userId, token: this.token(userId) };
    });
    if (sessions) await storeSessions(this.db, learners);
    return learners;
  }

  // PostgreSQL and Redis to the load generator's core. They belong to other users: without the right to move them they
  // stay where they are.
  async moveDatabasesAside() {
    const { text } = await this.db.one(`SELECT pg_read_file('postmaster.pid') AS text`);
    const redis = /^process_id:(\d+)/m.exec(this.redis.cli('INFO', 'server'))[1];
    for (const pid of CAN_PIN ? [text.split('\n')[0], redis] : [])
      await run('taskset', ['-a', '-c', '-p', String(LOAD_CORE), pid]).catch((error) =>
        console.log(`a database runs on all cores: ${error.stderr.trim()}`),
      );
  }

  // Any other load generator; answers what it printed.
  async loadBy(command, args) {
    const line = this.oneCore ? pinned(LOAD_CORE, command, args) : [command, args];
    return (await run(...line)).stdout;
  }

  // Runs the load generator (tests/bench/load) and answers its figures, one object a line. server: one, or two that share
  // the learners.
  async load(mode, server, learners, ...args) {
    const plan = path.join(this.dir, 'plan');
    fs.writeFileSync(
      plan,
      learners.map((l) => `${l.userId} ${l.token} ${l.sessionId ?? '-'}\n`).join(''),
    );
    const servers = [server].flat();
    const of = (what) => servers.map((each) => each[what]).join(',');
    const load = [mode, of('port'), of('pid'), plan, ...args.map(String)];
    const line = this.oneCore
      ? pinned(LOAD_CORE, required('BENCH_LOAD'), load)
      : [required('BENCH_LOAD'), load];
    const { stdout, stderr } = await run(...line, { maxBuffer: 1 << 24 });
    process.stderr.write(stderr);
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  }

  async stop() {
    await Promise.all(this.servers.filter((s) => s.ended === undefined).map((s) => s.stop()));
    await this.db.drop();
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}

// Runs `measure(bench)` on a fresh database; servers and files go afterwards, however it ends. Files stay when it failed.
export async function benchmark(name, measure, options) {
  const bench = await Bench.create(name, options);
  try {
    await measure(bench);
    await bench.stop();
  } catch (error) {
    for (const server of bench.servers) server.process.kill('SIGKILL');
    console.error(`${name}: ${error.stderr || error.stack}\nlog of the server: ${bench.dir}`);
    process.exit(1);
  }
}

// The same learners for a server that knows no tokens.
export function bareLearners(learners) {
  return learners.map((learner) => ({ ...learner, token: '-' }));
}

export function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

// Prints rows of objects as columns; the first row names them.
export function table(rows) {
  const names = Object.keys(rows[0]);
  const cells = [names, ...rows.map((row) => names.map((name) => String(row[name] ?? '')))];
  const widths = names.map((_, i) => Math.max(...cells.map((line) => line[i].length)));
  for (const line of cells) {
    console.log(`  ${line.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  ')}`);
  }
}
