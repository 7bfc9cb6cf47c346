// A Kafka of the test's own: mock brokers in a process (tests/fixtures/kafka), and kcat, a client that others wrote,
// to read what is on them.
import { execFile, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { freePort } from './ports.js';
import { checkEvent } from './schemas.js';
import { until, within } from './wait.js';

const run = promisify(execFile);
export const TOPIC = 'conversation.events';

function mockBinary() {
  return process.env.KAFKA_MOCK ?? path.join(path.dirname(process.env.SIO_FIXTURE ?? ''), 'kafka_mock');
}

export class KafkaCluster {
  static async create({ brokers = 1 } = {}) {
    const cluster = new KafkaCluster();
    cluster.size = brokers;
    for (let attempt = 0; ; attempt++) {
      cluster.port = await freePort(brokers);
      try {
        await cluster.start();
        return cluster;
      } catch (error) {
        await cluster.destroy();
        if (attempt === 4) throw error; // else the port was lost
      }
    }
  }

  // Also after kill(), on the same ports: with nothing of what was there before.
  async start() {
    const args = ['--port', String(this.port), '--brokers', String(this.size)];
    this.process = spawn(mockBinary(), args, { stdio: ['pipe', 'pipe', 'ignore'] });
    this.exit = new Promise((resolve) => this.process.once('close', resolve));
    this.lines = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
    this.brokers = await this.#line('the mock brokers to listen');
  }

  // What KAFKA_BROKERS is to be.
  env() {
    return { KAFKA_BROKERS: this.brokers };
  }

  async #line(what) {
    const { value, done } = await within(what, this.lines.next());
    if (done) throw new Error(`${what}: the process has ended`);
    return value;
  }

  async #tell(command) {
    this.process.stdin.write(`${command}\n`);
    const answer = await this.#line(`the mock brokers to go ${command}`);
    if (answer !== 'ok') throw new Error(`kafka_mock: ${command}: ${answer}`);
  }

  down() {
    return this.#tell('down');
  }

  up() {
    return this.#tell('up');
  }

  // The next consumer that looks for its group has no rights for it.
  deny() {
    return this.#tell('deny');
  }

  createTopic(name, partitions) {
    return this.#tell(`topic ${name} ${partitions}`);
  }

  // As a crash: everything that the brokers held is gone.
  async kill() {
    this.process.kill('SIGKILL');
    await this.exit;
  }

  // What is in the topic now, in order of partition and offset: {key, headers, partition, offset, value}.
  async read(topic = TOPIC) {
    const args = ['-b', this.brokers, '-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-J'];
    const { stdout } = await run('kcat', args, { maxBuffer: 1 << 28, timeout: 30_000 });
    return stdout.split('\n').filter(Boolean).map((line) => message(line, topic));
  }

  // Reads on until stop(); what came is in `messages`.
  follower(topic = TOPIC) {
    return new Follower(this.brokers, topic);
  }

  // key: null for none.
  async produce(topic, value, key) {
    const args = ['-b', this.brokers, '-P', '-t', topic, ...(key ? ['-k', key] : [])];
    const child = spawn('kcat', args, { stdio: ['pipe', 'ignore', 'pipe'] });
    let problem = '';
    child.stderr.on('data', (data) => {
      problem += data;
    });
    child.stdin.end(typeof value === 'string' ? value : JSON.stringify(value));
    const closed = new Promise((resolve) => child.once('close', resolve));
    const code = await within('kcat to produce', closed, 30_000).finally(() => child.kill('SIGKILL'));
    if (code !== 0) throw new Error(`kcat: ${problem}`);
  }

  async destroy() {
    await this.kill();
  }
}

// A line of `kcat -J`. Every event of the service is as docs/events/ says.
function message(line, topic) {
  const { key, headers, partition, offset, payload } = JSON.parse(line);
  const pairs = [];
  for (let i = 0; i < (headers ?? []).length; i += 2) pairs.push([headers[i], headers[i + 1]]);
  if (topic === TOPIC) checkEvent(JSON.parse(payload));
  return { key, headers: Object.fromEntries(pairs), partition, offset, value: payload };
}

class Follower {
  constructor(brokers, topic) {
    this.messages = [];
    // -m: it gives up when the brokers have not told it of the topic by then; else after 5 s
    const args = ['-b', brokers, '-C', '-t', topic, '-o', 'beginning', '-q', '-J', '-u', '-m', '60'];
    this.process = spawn('kcat', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.exit = new Promise((resolve) => this.process.once('close', resolve));
    createInterface({ input: this.process.stdout }).on('line', (line) => {
      this.messages.push(message(line, topic));
    });
  }

  events() {
    return this.messages.map((each) => JSON.parse(each.value));
  }

  ids() {
    return this.messages.map((each) => each.headers['event-id']);
  }

  // Answers the first event that `matches`, waiting for it.
  event(what, matches, ms) {
    return until(`event ${what} on the topic`, () => this.events().find(matches), ms);
  }

  async stop() {
    this.process.kill('SIGTERM');
    await within('kcat to end', this.exit).finally(() => this.process.kill('SIGKILL'));
  }
}
