// Runs the daemon under test: the binary named by CONVERSATIOND, with the environment a test gives it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { freePort } from './ports.js';
import { until, within } from './wait.js';
import { Rest } from './http.js';

const STOP_MS = 35_000; // it promises to be gone within 30 s of SIGTERM
const READY_MS = 60_000; // with all migrations to apply, or after its databases were away
export const SANITIZER_REPORT =
  /ERROR: AddressSanitizer|ERROR: LeakSanitizer|runtime error:|AddressSanitizer:DEADLYSIGNAL/;

export function binary() {
  const file = process.env.CONVERSATIOND;
  if (!file) throw new Error('CONVERSATIOND is not set: run the tests through tests/run');
  return file;
}

// The environment of the daemon: nothing of ours leaks in but what a process needs.
export function cleanEnv(env) {
  const base = {
    PATH: process.env.PATH,
    ASAN_OPTIONS: 'detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:exitcode=99',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  };
  const all = { ...base, ...env };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function logFile(port) {
  const dir = process.env.TEST_LOG_DIR ?? os.tmpdir();
  const test = path.basename(process.argv[1] ?? 'test').replace(/\.test\.js$/, '');
  return path.join(dir, `${test}-${process.pid}-${port}.log`);
}

// Runs the binary to its end, for --version and refused configurations.
export async function runToEnd(args, env = {}, ms = 20_000) {
  const child = spawn(binary(), args, { env: cleanEnv(env), stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const ended = new Promise((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr })),
  );
  return within(`conversationd ${args.join(' ')}`, ended, ms).finally(() => child.kill('SIGKILL'));
}

export class Daemon {
  // options: env; args; port (else a free one); ready: false does not wait for /readyz, only for /healthz;
  // 'listening' for any answer, when those are on a port of their own; descriptors: how many files it may have open.
  static async start({ env = {}, args = [], port, ready = true, descriptors } = {}) {
    for (let attempt = 0; ; attempt++) {
      const daemon = new Daemon(port ?? (await freePort()), env, args, descriptors);
      try {
        await daemon.#settle(ready);
        return daemon;
      } catch (error) {
        await daemon.kill();
        const portLost = port === undefined && /address already in use|EADDRINUSE/i.test(daemon.output());
        if (!portLost || attempt === 4) throw new Error(`${error.message}\n${daemon.output()}`);
      }
    }
  }

  constructor(port, env, args, descriptors) {
    this.port = port;
    this.env = env;
    this.args = args;
    const ca = env.TLS_CERT_FILE && fs.readFileSync(env.TLS_CERT_FILE);
    this.base = `${ca ? 'https' : 'http'}://127.0.0.1:${port}`;
    this.rest = new Rest(this.base, ca);
    this.logs = []; // parsed JSON lines of stdout
    this.badLines = []; // lines of stdout that are not JSON
    this.text = '';
    this.stderr = '';
    this.file = fs.createWriteStream(logFile(port), { flags: 'a' }); // of all that had this port
    const limited = descriptors ? ['prlimit', `--nofile=${descriptors}:${descriptors}`] : [];
    const [file, ...rest] = [...limited, binary(), ...args]; // prlimit becomes the daemon
    this.process = spawn(file, rest, {
      env: cleanEnv({ ...env, PORT: String(port) }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.exit = new Promise((resolve) =>
      this.process.once('close', (code, signal) => resolve({ code, signal })),
    );
    this.exit.then((status) => {
      this.status = status;
    });
    this.#capture();
  }

  #capture() {
    let rest = '';
    this.process.stdout.setEncoding('utf8').on('data', (data) => {
      this.file.write(data);
      this.text += data;
      const lines = (rest + data).split('\n');
      rest = lines.pop();
      for (const line of lines) this.#line(line);
    });
    this.process.stderr.setEncoding('utf8').on('data', (data) => {
      this.file.write(data);
      this.stderr += data;
    });
  }

  #line(line) {
    try {
      this.logs.push(JSON.parse(line));
    } catch {
      this.badLines.push(line);
    }
  }

  output() {
    return `${this.text.slice(-4000)}\n${this.stderr.slice(-8000)}`;
  }

  async #settle(ready) {
    await until(
      ready ? 'the daemon to be ready' : 'the daemon to listen',
      async () => {
        if (this.status) return true;
        const answer = await this.rest.call('GET', ready ? '/readyz' : '/healthz', { fresh: true });
        return answer.status === 200 || ready === 'listening';
      },
      READY_MS,
    );
    if (this.status) throw new Error(`the daemon ended at start: ${JSON.stringify(this.status)}`);
  }

  async readyz() {
    return this.rest.call('GET', '/readyz', { fresh: true });
  }

  async untilReady(ms = READY_MS) {
    await until('/readyz to be 200', async () => (await this.readyz()).status === 200, ms);
  }

  // The value of a metric, its labels in braces as they are rendered; undefined before there is one.
  async metric(name, { fresh = true } = {}) {
    const { text } = await this.rest.call('GET', '/metrics', { fresh });
    const line = text.split('\n').find((each) => each.startsWith(`${name} `));
    return line && Number(line.slice(name.length + 1));
  }

  // The first log line that `matches`, waiting for it when it is not there yet.
  log(what, matches, ms) {
    return until(`log line ${what}`, () => this.logs.find(matches), ms);
  }

  signal(name) {
    this.process.kill(name);
  }

  async kill() {
    this.rest.close();
    this.process.kill('SIGKILL');
    await this.exit;
    this.file.end();
  }

  // Stops the daemon as a service manager does and checks how it went: status 0, no sanitizer report, only
  // JSON on stdout, no token in the logs.
  async stop() {
    this.rest.close();
    this.process.kill('SIGTERM');
    const status = await within('the daemon to stop', this.exit, STOP_MS).catch(async (error) => {
      await this.kill();
      throw error;
    });
    this.file.end();
    this.verify(status);
  }

  verify(status) {
    assert.doesNotMatch(this.stderr, SANITIZER_REPORT, this.stderr);
    assert.deepEqual(status, { code: 0, signal: null }, this.output());
    assert.deepEqual(this.badLines, [], 'every line of stdout is JSON');
    assert.doesNotMatch(this.text, /eyJ[A-Za-z0-9_-]+\.eyJ/, 'no token in the logs');
  }
}
