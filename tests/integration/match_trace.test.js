// MATCH_TRACE_FILE: what the daemon has written replays identically in conversation-matchsim, over a restart too.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { binary, cleanEnv } from '../lib/daemon.js';
import { expectOk } from '../lib/expect.js';
import { until } from '../lib/wait.js';
import { World } from '../lib/world.js';

const LEVELS = ['A1', 'A2', 'B1', 'B2'];
const TOPICS = ['free_talk', 'travel', 'travel.airport', 'hobbies', 'daily_life'];
const LEARNERS = 60;

const matchsim = (...args) => {
  const file = path.join(path.dirname(binary()), 'conversation-matchsim');
  return spawnSync(file, args, { env: cleanEnv({}), encoding: 'utf8' });
};

const linesOf = (file) =>
  fs
    .readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('the matchmaking trace', () => {
  let world;
  let file;
  before(async () => {
    world = await World.create({ start: false });
    file = path.join(world.dir, 'trace.jsonl');
    await world.startDaemon({ env: { MATCH_TRACE_FILE: file, MATCH_TIMEOUT_SECONDS: '2' } });
  });
  after(() => world.stop());

  // Learners of all kinds ask, every seventh cancels again; those who stay are matched or expire, and one whom nobody
  // shares a language with does expire.
  const ask = async (count) => {
    const learners = Array.from({ length: count }, (_, i) =>
      world.learner({ levels: { en: LEVELS[i % LEVELS.length] }, tier: i % 3 ? 'premium' : 'free', native: i % 2 ? 'es' : 'fr' }),
    );
    await Promise.all(
      learners.map(async (learner, i) => {
        const answer = await learner.requestMatch({
          topicCode: TOPICS[i % TOPICS.length],
          preferredPartnerLevel: i % 5 ? 'same' : 'any',
          ...(i % 11 ? {} : { preferredPartnerNativeLanguageCode: 'en' }),
        });
        if (answer.status !== 201) return; // a topic above the free tier
        const { matchRequest } = expectOk(answer, 201);
        assert.equal(typeof matchRequest.estimatedWaitTimeSeconds, 'number');
        if (i % 7 === 0) await learner.cancelMatch(matchRequest.id);
      }),
    );
    expectOk(await world.learner({ levels: { it: 'B1' } }).requestMatch({ targetLanguageCode: 'it' }), 201);
    await until('nobody to wait', async () => (await waiting()) === 0);
  };

  const waiting = async () =>
    (await world.db.one("SELECT count(*)::int AS n FROM match_requests WHERE status = 'pending'")).n;

  it('replays byte for byte, and again after a restart', async () => {
    await ask(LEARNERS);
    await world.daemon.stop();
    const first = linesOf(file);
    assert.equal(first[0].event, 'start');
    const count = (event) => first.filter((line) => line.event === event).length;
    assert.ok(count('added') > LEARNERS / 2);
    assert.ok(count('decision') > LEARNERS / 6, `${count('decision')} decisions`);
    assert.ok(count('expired') > 0);
    let replay = matchsim('replay', file);
    assert.equal(replay.status, 0, replay.stdout + replay.stderr);
    assert.match(replay.stdout, new RegExp(`${count('decision')} decisions, .*: the same again`));

    await world.restartDaemon({ env: { MATCH_TRACE_FILE: file, MATCH_TIMEOUT_SECONDS: '2' } });
    await ask(8);
    await world.daemon.stop();
    assert.ok(linesOf(file).length > first.length);
    replay = matchsim('replay', file);
    assert.equal(replay.status, 0, replay.stdout + replay.stderr);
    assert.match(replay.stdout, / 2 starts, /);
  });

  it('holds ids, no names, and only its owner may read it', () => {
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    assert.doesNotMatch(fs.readFileSync(file, 'utf8'), /Ana|Ben|Chlo|Emre|Fatou/);
  });

  it('a changed decision is found', () => {
    const changed = path.join(world.dir, 'changed.jsonl');
    const text = fs.readFileSync(file, 'utf8');
    fs.writeFileSync(changed, text.replace(/("event":"decision".*"score":)\d+/, '$17'));
    const replay = matchsim('replay', changed);
    assert.equal(replay.status, 1, replay.stdout + replay.stderr);
    assert.match(replay.stdout, /^line \d+ differs/);
  });

  it('its requests can be simulated under another policy', () => {
    const run = matchsim('run', file, '--policy', 'arrival', '--policy', 'oldest', '--pools', '0', '--json');
    assert.equal(run.status, 0, run.stderr);
    const { requests, policies } = JSON.parse(run.stdout);
    assert.equal(policies.length, 2);
    assert.equal(policies[0].groups[0].requests, requests);
  });

  it('a file that cannot be written ends the trace with a line in the log, and nothing else', async () => {
    const log = await world.restartDaemon({ env: { MATCH_TRACE_FILE: path.join(world.dir, 'no', 'such') } });
    const line = await log.log('about the trace', (entry) => entry.event === 'match_trace.ended');
    assert.equal(line.level, 'ERROR');
    expectOk(await world.learner({ levels: { it: 'B1' } }).requestMatch({ targetLanguageCode: 'it' }), 201);
  });
});

describe('conversation-matchsim', () => {
  it('explains itself', () => {
    const help = matchsim('--help');
    assert.equal(help.status, 0);
    assert.match(help.stdout, /^usage: conversation-matchsim generate/);
    assert.match(matchsim('--version').stdout, /^conversation-matchsim \d+\.\d+\.\d+\n$/);
  });

  it('refuses what it does not understand', () => {
    for (const args of [[], ['walk'], ['replay'], ['run', 'a', 'b'], ['run', '--users', '0'], ['run', '--policy', 'x'], ['generate', 'x']]) {
      const { status, stderr } = matchsim(...args);
      assert.equal(status, 2, args.join(' '));
      assert.match(stderr, /--help/);
    }
    assert.equal(matchsim('replay', '/no/such/file').status, 2);
  });

  it('generates the same day twice, which replays', () => {
    const [first, second] = [0, 1].map(() => matchsim('generate', '--users', '300', '--seed', '5'));
    assert.equal(first.stdout, second.stdout);
    const other = matchsim('generate', '--users', '300', '--seed', '6');
    assert.notEqual(first.stdout, other.stdout);
  });
});
