// A PostgreSQL and a Redis of a test's own, which it can start, stop, kill, freeze and bring back on the
// same port. PostgreSQL refuses to run as root: then it runs as the user of its package.
import { execFile, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from './ports.js';
import { RedisDatabase } from './redis.js';
import { allDone, until } from './wait.js';

const PG_BIN = '/usr/lib/postgresql/15/bin';
const run = promisify(execFile);

function asPgUser(command, args) {
  const prefix = process.getuid() === 0 ? ['runuser', '-u', 'postgres', '--'] : [];
  const [file, ...rest] = [...prefix, command, ...args];
  return run(file, rest, { cwd: '/', env: { ...process.env, LC_ALL: 'C.UTF-8' } });
}

function tempDir(prefix) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), prefix));
  fs.chmodSync(dir, 0o711); // the server's user must get through
  return dir;
}

// The live children of a process.
function childrenOf(pid) {
  const parentOf = (entry) => {
    try {
      const stat = fs.readFileSync(`/proc/${entry}/stat`, 'latin1');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    } catch {
      return 0; // gone meanwhile
    }
  };
  return fs
    .readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && parentOf(entry) === pid)
    .map(Number);
}

export class PostgresServer {
  static async create() {
    const server = new PostgresServer();
    server.dir = tempDir('conversationd-pg-');
    server.data = path.join(server.dir, 'pg', 'data');
    server.password = crypto.randomBytes(12).toString('hex');
    const owned = path.dirname(server.data);
    fs.mkdirSync(owned);
    fs.writeFileSync(path.join(owned, 'pwfile'), server.password);
    if (process.getuid() === 0) await run('chown', ['-R', 'postgres', owned]);
    await asPgUser(`${PG_BIN}/initdb`, [
      '-D',
      server.data,
      '--username=postgres',
      `--pwfile=${owned}/pwfile`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C.UTF-8',
      '--no-sync',
    ]);
    server.port = await freePort(); // last: it is bound at once
    return server;
  }

  // What Database.create() takes.
  get admin() {
    return { host: '127.0.0.1', port: this.port, user: 'postgres', password: this.password };
  }

  async start() {
    const options = `-p ${this.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c shared_buffers=16MB`;
    await until(
      'PostgreSQL to start',
      async () => {
        // killed backends may hold the shared memory for a moment
        await asPgUser(`${PG_BIN}/pg_ctl`, [
          '-D',
          this.data,
          '-l',
          `${this.data}/../log`,
          '-w',
          '-o',
          options,
          'start',
        ]);
        return true;
      },
      30_000,
    );
    this.pid = Number((await asPgUser('head', ['-n', '1', `${this.data}/postmaster.pid`])).stdout);
  }

  async #stop(mode) {
    await asPgUser(`${PG_BIN}/pg_ctl`, ['-D', this.data, '-m', mode, '-w', 'stop']);
    this.pid = undefined;
  }

  stop() {
    return this.#stop('fast');
  }

  // As a crash: no goodbye to the clients, recovery at the next start.
  kill() {
    return this.#stop('immediate');
  }

  #signalAll(signal) {
    for (const pid of [this.pid, ...childrenOf(this.pid)]) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        if (error.code !== 'ESRCH') throw error; // a backend that has just ended
      }
    }
  }

  // Connections stay open and the port still accepts, but nothing answers.
  freeze() {
    this.#signalAll('SIGSTOP');
  }

  // No effect on a server that runs.
  thaw() {
    if (this.pid) this.#signalAll('SIGCONT');
  }

  async ready() {
    const client = new pg.Client({ ...this.admin, database: 'postgres' });
    await client.connect();
    await client.end();
  }

  async destroy() {
    this.thaw();
    if (this.pid) await this.kill();
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}

export class RedisServer {
  static async create() {
    const server = new RedisServer();
    server.dir = tempDir('conversationd-redis-');
    server.password = crypto.randomBytes(12).toString('hex');
    server.port = await freePort();
    return server;
  }

  // Starts empty, as a Redis without a disk does.
  async start() {
    const args = [
      '--bind',
      '127.0.0.1',
      '--port',
      String(this.port),
      '--requirepass',
      this.password,
      '--save',
      '',
      '--dir',
      this.dir,
    ];
    this.process = spawn('redis-server', args, { stdio: 'ignore' });
    this.exited = new Promise((resolve) => this.process.once('exit', resolve));
    await until('Redis to start', () => this.database().cli('PING') === 'PONG');
  }

  database(number = 0) {
    return new RedisDatabase(this, number);
  }

  async kill() {
    this.process.kill('SIGKILL');
    await this.exited;
    this.process = undefined;
  }

  freeze() {
    this.process.kill('SIGSTOP');
  }

  thaw() {
    this.process?.kill('SIGCONT');
  }

  async destroy() {
    if (this.process) await this.kill();
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}

// Both, started: {pg, redis}.
export async function startServers() {
  const [pg, redis] = await Promise.all([PostgresServer.create(), RedisServer.create()]);
  try {
    await allDone([pg.start(), redis.start()]);
  } catch (error) {
    await Promise.allSettled([pg.destroy(), redis.destroy()]);
    throw error;
  }
  return { pg, redis };
}
