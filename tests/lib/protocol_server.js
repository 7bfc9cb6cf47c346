// The servers that the protocol suites are run against: `fixture` is ours (tests/fixtures/sio_fixture), `reference`
// the npm packages (tests/fixtures/reference_server.js). Both take the same options.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cleanEnv, SANITIZER_REPORT } from './daemon.js';
import { allDone, within } from './wait.js';

const REFERENCE = fileURLToPath(new URL('../fixtures/reference_server.js', import.meta.url));

export const SERVERS = (process.env.PROTOCOL_SERVERS ?? 'fixture,reference').split(',');

function command(kind) {
  if (kind === 'reference') return [process.execPath, REFERENCE];
  const file = process.env.SIO_FIXTURE;
  if (!file) throw new Error('SIO_FIXTURE is not set: run the tests through tests/run');
  return [file];
}

// {pingInterval: 300, recovery: true} is --ping-interval 300 --recovery.
function argumentsOf(options) {
  return Object.entries(options).flatMap(([name, value]) => {
    const option = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    return value === true ? [option] : [option, String(value)];
  });
}

export class ProtocolServer {
  static async start(kind, mode, options = {}) {
    const server = new ProtocolServer(kind, ['--port', '0', '--mode', mode, ...argumentsOf(options)]);
    server.port = await within(`the ${kind} server to listen`, server.#listening()).catch((error) => {
      server.process.kill('SIGKILL'); // left running it would keep the tests from ending
      throw error;
    });
    server.base = `http://127.0.0.1:${server.port}`;
    return server;
  }

  constructor(kind, args) {
    this.kind = kind;
    this.output = '';
    const [file, ...first] = command(kind);
    // By this folder tests/run knows what to stop when a test was killed.
    const env = cleanEnv({ TMPDIR: path.join(os.tmpdir(), 'conversationd-protocol') });
    this.process = spawn(file, [...first, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.exit = new Promise((resolve) =>
      this.process.once('close', (code, signal) => resolve({ code, signal })),
    );
    for (const stream of [this.process.stdout, this.process.stderr])
      stream.setEncoding('utf8').on('data', (text) => {
        this.output += text;
      });
  }

  #listening() {
    return new Promise((resolve, reject) => {
      this.process.stdout.on('data', () => {
        const found = /^listening on (\d+)$/m.exec(this.output);
        if (found) resolve(Number(found[1]));
      });
      this.exit.then((status) => reject(new Error(`ended: ${JSON.stringify(status)}\n${this.output}`)));
    });
  }

  // All of them that were started, before the first that did not end well is told of.
  static async stopAll(...servers) {
    await allDone(servers.map((server) => server?.stop()));
  }

  // As a service manager would; it must have gone in order, with nothing leaked.
  async stop() {
    this.process.kill('SIGTERM');
    const status = await within(`the ${this.kind} server to stop`, this.exit).catch((error) => {
      this.process.kill('SIGKILL');
      throw error;
    });
    assert.doesNotMatch(this.output, SANITIZER_REPORT, this.output);
    assert.deepEqual(status, { code: 0, signal: null }, this.output);
  }
}
