// The Redis databases of tests: each daemon has a number of its own on the server that tests/run started.
import { execFileSync } from 'node:child_process';
import { WAIT_MS } from './wait.js';

export class RedisDatabase {
  static create() {
    const { TEST_REDIS_PORT, TEST_REDIS_PASSWORD } = process.env;
    if (!TEST_REDIS_PORT) throw new Error('TEST_REDIS_PORT is not set: run the tests through tests/run');
    const database = new RedisDatabase({ port: TEST_REDIS_PORT, password: TEST_REDIS_PASSWORD }, 0);
    database.number = Number(database.cli('INCR', 'conversationd-tests:last-number')); // 0 keeps the counter
    return database;
  }

  constructor(server, number) {
    this.server = server;
    this.number = number;
  }

  cli(...args) {
    return execFileSync(
      'redis-cli',
      ['-h', '127.0.0.1', '-p', String(this.server.port), '-n', String(this.number), ...args],
      {
        env: { ...process.env, REDISCLI_AUTH: this.server.password },
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: WAIT_MS, // nothing else of the test runs meanwhile, its own deadlines neither
      },
    ).trim();
  }

  env() {
    return {
      REDIS_HOST: '127.0.0.1',
      REDIS_PORT: String(this.server.port),
      REDIS_PASSWORD: this.server.password,
      REDIS_DB: String(this.number),
    };
  }
}
