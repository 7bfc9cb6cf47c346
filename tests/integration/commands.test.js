// The command line and the configuration, as operators meet them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runToEnd } from '../lib/daemon.js';
import { expectOk } from '../lib/expect.js';
import { Database } from '../lib/pg.js';
import { World } from '../lib/world.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BAD_CONFIGURATION = 78; // EX_CONFIG of sysexits.h

let dir;
before(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'conversationd-commands-'));
});
after(() => fs.rmSync(dir, { recursive: true, force: true }));

function token(...args) {
  const run = spawnSync(
    path.join(ROOT, 'deploy/dev/token'),
    ['--key', path.join(dir, 'keys/dev.pem'), ...args],
    { encoding: 'utf8' },
  );
  assert.equal(run.status, 0, run.stderr);
  return run.stdout.trim();
}

describe('the command line', { concurrency: true }, () => {
  it('--version and --help answer and end', async () => {
    const version = await runToEnd(['--version']);
    assert.equal(version.code, 0);
    assert.match(version.stdout, /^conversationd \d+\.\d+\.\d+/);
    const help = await runToEnd(['--help']);
    assert.equal(help.code, 0);
    for (const option of ['--config', '--check-config', '--migrate', '--version'])
      assert.ok(help.stdout.includes(option), option);
  });

  it('an unknown option is refused', async () => {
    const run = await runToEnd(['--nonsense']);
    assert.notEqual(run.code, 0);
    assert.match(run.stderr, /nonsense/);
  });
});

describe('the configuration', { concurrency: true }, () => {
  let key;
  before(() => {
    token('--name', 'x'); // makes the key pair
    key = { JWT_PUBLIC_KEY_FILE: path.join(dir, 'keys/dev.pub.pem') };
  });

  it('is fine with the development file', async () => {
    const run = await runToEnd(
      ['--check-config', '--config', path.join(ROOT, 'config/development.env')],
      key,
    );
    assert.equal(run.code, 0, run.stderr);
  });

  const BAD = {
    PORT: ['0', 'x', '65536', '-1', '3003x'],
    DB_AUTO_MIGRATE: ['maybe'],
    LOG_LEVEL: ['loud'],
    MATCH_TIMEOUT_SECONDS: ['0', '1e3'],
    WS_PATH: ['nopath'],
  };
  for (const [name, values] of Object.entries(BAD)) {
    it(`a bad ${name} ends with status 78 and one line that names it`, async () => {
      for (const value of values) {
        const run = await runToEnd(['--check-config'], { ...key, [name]: value });
        assert.equal(run.code, BAD_CONFIGURATION, `${name}=${value}: ${run.stderr}`);
        const lines = run.stderr.trim().split('\n');
        assert.equal(lines.length, 1, run.stderr);
        assert.ok(lines[0].includes(name) && lines[0].includes(value), lines[0]);
      }
    });
  }

  it('a bad secret is named, not shown', async () => {
    const run = await runToEnd(['--check-config'], {
      ...key,
      DB_PASSWORD: 'hunter2',
      DB_PASSWORD_FILE: '/nowhere',
    });
    assert.equal(run.code, BAD_CONFIGURATION);
    assert.match(run.stderr, /DB_PASSWORD/);
    assert.doesNotMatch(run.stderr, /hunter2/);
  });

  it('without a key to verify tokens it does not start', async () => {
    for (const env of [{}, { JWT_PUBLIC_KEY: 'no key' }, { JWT_PUBLIC_KEY_FILE: '/nowhere' }]) {
      const run = await runToEnd(['--check-config'], env);
      assert.equal(run.code, BAD_CONFIGURATION, run.stderr);
      assert.match(run.stderr, /JWT_PUBLIC_KEY/);
    }
  });

  it('the file is read, the environment wins, NAME_FILE works, a bad line is refused', async () => {
    const file = path.join(dir, 'x.env');
    const check = (text, env = {}) => {
      fs.writeFileSync(file, text);
      return runToEnd(['--check-config', '--config', file], { ...key, ...env });
    };
    assert.equal((await check('# comment\n\nPORT=4000\n')).code, 0);
    assert.match((await check('PORT=abc\n')).stderr, /PORT/);
    assert.equal((await check('PORT=abc\n', { PORT: '4000' })).code, 0);
    assert.equal((await check('not a line\n')).code, BAD_CONFIGURATION);
    fs.writeFileSync(path.join(dir, 'port'), '4001\n');
    assert.equal((await check('', { PORT_FILE: path.join(dir, 'port') })).code, 0);
    fs.writeFileSync(path.join(dir, 'port'), 'many\n');
    assert.match((await check('', { PORT_FILE: path.join(dir, 'port') })).stderr, /PORT/);
  });
});

describe('migrations', () => {
  let database;
  before(async () => {
    database = await Database.create();
  });
  after(() => database.drop());

  const migrate = () =>
    runToEnd(['--migrate'], { ...database.env(), JWT_PUBLIC_KEY_FILE: path.join(dir, 'keys/dev.pub.pem') });

  it('--migrate, by several at once, applies each once', async () => {
    token('--name', 'x');
    for (const run of await Promise.all([migrate(), migrate(), migrate()]))
      assert.equal(run.code, 0, run.stderr);
    const files = fs.readdirSync(path.join(ROOT, 'migrations')).filter((name) => name.endsWith('.sql'));
    const { count } = await database.one('SELECT count(*)::int AS count FROM schema_migrations');
    assert.equal(count, files.length);
    assert.equal((await migrate()).code, 0, 'again: nothing to do');
  });

  it('the seed has every language and level, and every topic its prompts', async () => {
    const rows =
      await database.query(`SELECT target_language_code AS lang, array_agg(DISTINCT level) AS levels, count(*)::int AS topics,
      array_agg(DISTINCT category) AS categories FROM topics GROUP BY 1 ORDER BY 1`);
    assert.deepEqual(
      rows.map((row) => row.lang),
      ['de', 'en', 'es', 'fr', 'it'],
    );
    for (const row of rows) {
      for (const level of ['A1', 'A2', 'B1', 'B2'])
        assert.ok(row.levels.includes(level), `${row.lang} ${level}`);
      assert.ok(row.topics >= 40);
      assert.equal(row.categories.length, 7);
    }
    const poor =
      await database.query(`SELECT t.code FROM topics t JOIN topic_prompts p ON p.topic_id = t.id GROUP BY t.id, t.code
      HAVING count(*) FILTER (WHERE p.type = 'icebreaker') < 1 OR count(*) FILTER (WHERE p.type = 'main') < 3 OR count(*) FILTER (WHERE p.type = 'follow_up') < 2`);
    assert.deepEqual(poor, []);
  });

  it('a database newer than the binary is refused', async () => {
    await database.query(`INSERT INTO schema_migrations (number, name) VALUES (9999, '9999_future')`);
    const run = await migrate();
    assert.notEqual(run.code, 0);
    assert.match(run.stderr, /newer/);
  });
});

describe('deploy/dev/token', () => {
  it('mints tokens the daemon takes', async () => {
    const key = token('--name', 'first') && path.join(dir, 'keys/dev.pub.pem');
    const its = await World.create({ start: false });
    try {
      await its.startDaemon({ env: { JWT_PUBLIC_KEY_FILE: key, JWT_ISSUER: 'dev', JWT_AUDIENCE: 'tests' } });
      const minted = (...args) =>
        token('--name', 'Ana "ñ" \\', '--native', 'es', '--level', 'en:B1', '--tier', 'premium', ...args);
      const status = async (t) =>
        (await its.rest.call('GET', '/api/conversations/topics?targetLanguageCode=en', { token: t })).status;
      const named = ['--issuer', 'dev', '--audience', 'tests'];
      assert.equal(await status(minted(...named)), 200);
      assert.equal(
        await status(minted(...named, '--kid', 'other')),
        200,
        'with one key the kid does not matter',
      );
      assert.equal(await status(minted('--issuer', 'dev')), 401, 'no audience');
      assert.equal(await status(minted('--issuer', 'other', '--audience', 'tests')), 401);
      assert.equal(await status(minted(...named, '--expires-in', '-60')), 401);
      assert.equal(await status(minted(...named, '--expires-in', '-10')), 200, 'within the leeway');
      const asked = await its.rest.call('POST', '/api/conversations/match-request', {
        token: minted(...named),
        body: { targetLanguageCode: 'en', topicCode: 'free_talk' },
      });
      expectOk(asked, 201);
    } finally {
      await its.stop();
    }
  });
});
