// Profiles from the auth-service: a real HTTP server that answers well, late, badly, or not at all.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { AuthService, json, profileOf } from '../lib/auth_service.js';
import { makeCertificate } from '../lib/certificate.js';
import { expectError, expectOk, expectRetryable } from '../lib/expect.js';
import { until } from '../lib/wait.js';
import { World } from '../lib/world.js';

const NO_CLAIMS = { native: undefined, levels: undefined, name: undefined, tier: undefined };
const TOKEN = 'service-secret-1';
const HANG = () => {}; // takes the request, never answers
const TRIES = 4;

let auth;
let world;

async function setUp(env = {}) {
  auth = await AuthService.startOnFreePort();
  world = await World.create({
    env: {
      AUTH_SERVICE_URL: auth.url,
      AUTH_SERVICE_TOKEN: TOKEN,
      AUTH_SERVICE_TIMEOUT_MS: '2000', // as long as two tries may have
      AUTH_SERVICE_BREAKER_FAILURES: '0', // tests of the breaker have it
      ...env,
    },
  });
}

async function tearDown() {
  try {
    await world?.stop();
    assert.ok(!world?.daemon.text.includes(TOKEN), 'the service token is not logged');
  } finally {
    await auth?.stop();
    auth = world = undefined;
  }
}

// A learner whose token says nothing but who they are, unless `claims` are given.
const learner = (claims = {}) => world.learner({ ...NO_CLAIMS, ...claims });
const withClaims = () => learner({ native: 'de', levels: { en: 'A2' }, name: 'Ben', tier: 'free' });

const unavailable = (answer) => expectRetryable(answer, 503, 'SERVICE_UNAVAILABLE');

// Accepted; taken back, or the next learner of a test would be matched with this one.
async function withdraw(who, answer) {
  const { matchRequest } = expectOk(answer, 201);
  expectOk(await who.cancelMatch(matchRequest.id));
  return matchRequest.id;
}

// What was stored of an accepted request.
async function stored(who, request) {
  const id = await withdraw(who, await who.requestMatch(request));
  const [row] = await world.db.query('SELECT * FROM match_requests WHERE id = $1', [id]);
  return row;
}

const metric = (name, labels = '') => world.metric(`${name}${labels}`);

const failureOf = (who) =>
  world.daemon.log('profile.failed', (l) => l.event === 'profile.failed' && l.userId === who.userId);

// A test in which every request is answered in time, which ours are not while the machine stands still: then there is a line
// of it in the log, and the test is tried again.
function answered(name, test) {
  it(name, async () => {
    for (let left = TRIES; ; left--) {
      const seen = world.daemon.logs.length;
      const isLate = ({ event, result }) => event === 'profile.failed' && result === 'timeout';
      auth.behave(undefined);
      try {
        return await test();
      } catch (error) {
        if (left === 1 || !world.daemon.logs.slice(seen).some(isLate)) throw error;
      }
    }
  });
}

describe('profiles from the auth-service', () => {
  before(() => setUp());
  after(tearDown);
  beforeEach(() => auth.behave(undefined));

  answered('serve a learner whose token says nothing', async () => {
    const ana = learner();
    auth.knows(ana.userId);
    const row = await stored(ana);
    assert.equal(row.current_level, 'B2');
    assert.equal(row.native_language_code, 'es');
    assert.equal(row.learning_profile_id, profileOf().learningProfileId);
    assert.equal(row.preferred_accent, 'en-GB');
  });

  answered('are asked for as agreed: path, token, correlation id', async () => {
    const ana = learner();
    auth.knows(ana.userId);
    const correlationId = `test-${crypto.randomUUID()}`;
    const answer = await ana.call(
      'POST',
      '/match-request',
      { targetLanguageCode: 'en', topicCode: 'free_talk' },
      { headers: { 'x-correlation-id': correlationId } },
    );
    await withdraw(ana, answer);
    const { method, url, headers } = auth.requests.find((request) => request.userId === ana.userId);
    assert.equal(method, 'GET');
    assert.equal(url, `/internal/users/${ana.userId}/learning-profile?targetLanguageCode=en`);
    assert.equal(headers.authorization, `Bearer ${TOKEN}`);
    assert.equal(headers['x-correlation-id'], correlationId);
    assert.equal(headers.accept, 'application/json');
  });

  answered('win over what the token says, tier and level', async () => {
    const ben = withClaims();
    auth.knows(ben.userId, { level: 'C1', tier: 'premium' });
    const scheduledFor = new Date(Date.now() + 3600_000).toISOString();
    const row = await stored(ben, { mode: 'scheduled', scheduledFor }); // premium only
    assert.equal(row.current_level, 'C1');
    assert.equal(row.native_language_code, 'es');
  });

  answered('are kept in Redis, by language, and used while the auth-service is away', async () => {
    const ana = learner();
    auth.knows(ana.userId);
    await stored(ana);
    const key = `profile:${ana.userId}:en`;
    await until('the profile in Redis', () => world.redis.cli('EXISTS', key) === '1');
    const seconds = Number(world.redis.cli('TTL', key));
    assert.ok(seconds > 290 && seconds <= 300, `kept for ${seconds} s`);
    auth.behave((_, response) => json(response, 500, {}));
    assert.equal((await stored(ana)).current_level, 'B2');
    assert.equal(auth.asked(ana.userId), 1);
    unavailable(await ana.requestMatch({ targetLanguageCode: 'fr' })); // another language is another profile
    world.redis.cli('DEL', key);
    unavailable(await ana.requestMatch());
  });

  answered('what was kept and cannot be read is asked for again', async () => {
    const ana = learner();
    auth.knows(ana.userId);
    world.redis.cli('SET', `profile:${ana.userId}:en`, '{"userId":1}');
    assert.equal((await stored(ana)).current_level, 'B2');
    assert.equal(auth.asked(ana.userId), 1);
  });

  answered('are asked for over connections that are kept', async () => {
    let opened = 0;
    auth.server.on('connection', () => opened++);
    for (let i = 0; i < 10; i++) {
      const ana = learner();
      auth.knows(ana.userId);
      await stored(ana);
    }
    assert.ok(opened <= 1, `${opened} connections for 10 requests`);
  });

  answered('are asked for once by those who ask at once', async () => {
    const ana = learner();
    auth.knows(ana.userId);
    const held = [];
    auth.behave((_, response, note) => held.push(() => auth.answer(response, note)));
    const calls = [ana.requestMatch(), ana.requestMatch(), ana.requestMatch()];
    await until('the request to arrive', () => held.length > 0);
    // all three calls, and the one fetch they share, are under way before the answer goes out; the fifth is this one
    await until('three calls', async () => (await metric('flows_active')) >= 5);
    held.forEach((answer) => answer());
    const [first, ...others] = (await Promise.all(calls)).sort((a, b) => a.status - b.status);
    await withdraw(ana, first);
    for (const other of others) expectError(other, 409, 'ALREADY_MATCHED');
    assert.equal(auth.asked(ana.userId), 1);
    assert.equal(held.length, 1);
  });

  answered('404: the claims serve; without them the claim is named', async () => {
    const ben = withClaims();
    const row = await stored(ben);
    assert.equal(row.current_level, 'A2');
    assert.equal(row.native_language_code, 'de');
    const nobody = learner();
    expectError(await nobody.requestMatch(), 400, 'INVALID_REQUEST', [
      { field: 'levels.en', reason: 'claim missing from the token' },
      { field: 'nativeLanguageCode', reason: 'claim missing from the token' },
    ]);
    assert.equal(auth.asked(nobody.userId), 1, 'a 404 is an answer');
    auth.knows(nobody.userId); // they have just signed up: nothing is remembered of the 404
    assert.equal((await stored(nobody)).current_level, 'B2');
  });

  answered('500: tried again once, then the claims serve, or 503', async () => {
    auth.behave((_, response) => json(response, 500, { message: 'INTERNAL' }));
    const ben = withClaims();
    assert.equal((await stored(ben)).current_level, 'A2');
    assert.equal(auth.asked(ben.userId), 2);
    assert.equal((await failureOf(ben)).problem, 'status 500');
    const ana = learner();
    unavailable(await ana.requestMatch());
    assert.equal(auth.asked(ana.userId), 2);
  });

  answered('500 once: the second try serves', async () => {
    const ana = learner();
    auth.knows(ana.userId);
    let tries = 0;
    auth.behave((_, response, note) =>
      ++tries === 1 ? json(response, 503, {}) : auth.answer(response, note),
    );
    assert.equal((await stored(ana)).current_level, 'B2');
    assert.equal(tries, 2);
  });

  answered('slow, but in time', async () => {
    const ana = learner();
    auth.knows(ana.userId);
    auth.behave((_, response, note) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const text = JSON.stringify(auth.profiles.get(note.userId));
      response.write(text.slice(0, 20));
      setTimeout(() => response.end(text.slice(20)), 300);
    });
    assert.equal((await stored(ana)).current_level, 'B2');
    assert.equal(auth.asked(ana.userId), 1);
  });

  const CUT = {
    'closed before the answer': (request) => request.socket.destroy(),
    'cut within the answer': (request) =>
      request.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"userId":"'),
    'no HTTP': (request) => request.socket.end('SSH-2.0-OpenSSH_9.2\r\n'),
  };
  for (const [what, how] of Object.entries(CUT)) {
    answered(`${what}: tried again, then the claims`, async () => {
      auth.closeConnections();
      auth.behave(how);
      const ben = withClaims();
      assert.equal((await stored(ben)).current_level, 'A2');
      assert.equal(auth.asked(ben.userId), 2);
      assert.equal((await failureOf(ben)).result, 'away');
    });
  }

  answered('a head without end is a bad answer', async () => {
    auth.behave((request) => {
      request.socket.write('HTTP/1.1 200 OK\r\n');
      for (let i = 0; i < 100; i++) request.socket.write(`X-${i}: ${'x'.repeat(2000)}\r\n`);
    });
    const ben = withClaims();
    assert.equal((await stored(ben)).current_level, 'A2');
    assert.match((await failureOf(ben)).problem, /too large/);
  });

  const someone = '9d1f0c62-1f4e-4d0b-9a36-0f6c8a7d1b22';
  const BAD = {
    garbage: [() => 'not json', /"body".*not valid JSON/],
    'an array': [() => [], /"body".*must be a JSON object/],
    'an empty object': [() => ({}), /"userId".*required.*"level".*required/],
    'an HTML page': [() => '<html><body>Sign in</body></html>', /not valid JSON/],
    'another user': [() => profileOf(someone), /"userId".*another user/],
    'an unknown level': [(id) => profileOf(id, { level: 'D1' }), /"level".*must be one of A1/],
    'a level that is a number': [(id) => profileOf(id, { level: 3 }), /"level"/],
    'no native language': [(id) => profileOf(id, { nativeLanguageCode: null }), /"nativeLanguageCode".*required/],
    'a native language that is none': [(id) => profileOf(id, { nativeLanguageCode: 'Spanish!' }), /"nativeLanguageCode"/],
    'a name that is an object': [(id) => profileOf(id, { displayName: {} }), /"displayName".*must be a string/],
    'an avatar that is a number': [(id) => profileOf(id, { avatarUrl: 7 }), /"avatarUrl".*must be a string/],
    'no profile id': [(id) => profileOf(id, { learningProfileId: 'x' }), /"learningProfileId".*UUID/],
    'a huge body': [(id) => profileOf(id, { displayName: 'x'.repeat(1_000_000) }), /too large/],
  };
  for (const [what, [answer, problem]] of Object.entries(BAD)) {
    answered(`a bad answer (${what}) is a failure that the log explains`, async () => {
      auth.behave((_, response, note) => json(response, 200, answer(note.userId)));
      const [ben, ana] = [withClaims(), learner()];
      assert.equal((await stored(ben)).current_level, 'A2');
      unavailable(await ana.requestMatch());
      assert.equal(auth.asked(ana.userId), 1, 'the same would come again');
      const line = await failureOf(ana);
      assert.equal(line.result, 'bad_answer');
      assert.match(line.problem, problem);
      assert.ok(line.correlationId);
      assert.equal(world.redis.cli('EXISTS', `profile:${ana.userId}:en`), '0');
    });
  }

  for (const status of [204, 302, 400, 401, 403, 429]) {
    answered(`status ${status} is a failure and not tried again`, async () => {
      auth.behave((_, response) => {
        response.writeHead(status, { location: `${auth.url}/elsewhere` });
        response.end();
      });
      const ben = withClaims();
      assert.equal((await stored(ben)).current_level, 'A2');
      assert.equal(auth.asked(ben.userId), 1);
      assert.equal((await failureOf(ben)).problem, `status ${status}`);
      assert.ok(!auth.requests.some((request) => request.url === '/elsewhere'), 'redirects are not followed');
    });
  }

  answered('decorations that make no sense are left out', async () => {
    const ana = learner();
    auth.knows(ana.userId, { avatarUrl: 'javascript:alert(1)', preferredAccent: 'posh!', tier: 'gold' });
    const row = await stored(ana);
    assert.equal(row.preferred_accent, null);
    assert.equal(row.current_level, 'B2');
    const scheduledFor = new Date(Date.now() + 3600_000).toISOString();
    expectError(await ana.requestMatch({ mode: 'scheduled', scheduledFor }), 403, 'PREMIUM_REQUIRED');
  });

  answered('the client that leaves does not keep the answer from being kept', async () => {
    const ana = learner();
    auth.knows(ana.userId);
    const held = [];
    auth.behave((_, response, note) => held.push(() => auth.answer(response, note)));
    const gone = ana.call('POST', '/match-request', { targetLanguageCode: 'en', topicCode: 'free_talk' });
    await until('the request to arrive', () => held.length > 0);
    ana.rest.agent.destroy();
    await assert.rejects(gone);
    held.forEach((answer) => answer());
    await until('the profile in Redis', () => world.redis.cli('EXISTS', `profile:${ana.userId}:en`) === '1');
  });

  answered('is counted', async () => {
    const ana = learner();
    auth.knows(ana.userId);
    const before = await metric('profile_requests_total', '{result="found"}');
    const cached = await metric('profile_answers_total', '{source="cache"}');
    const claims = await metric('profile_answers_total', '{source="claims"}');
    await stored(ana);
    await until('the profile in Redis', () => world.redis.cli('EXISTS', `profile:${ana.userId}:en`) === '1');
    await stored(ana);
    await stored(withClaims());
    assert.equal(await metric('profile_requests_total', '{result="found"}'), before + 1);
    assert.equal(await metric('profile_answers_total', '{source="cache"}'), cached + 1);
    assert.equal(await metric('profile_answers_total', '{source="claims"}'), claims + 1);
    assert.equal(await metric('profile_breaker_state'), 0);
    assert.equal(await metric('dependency_up', '{dependency="auth-service"}'), 1);
  });
});

describe('an auth-service that keeps learners waiting', () => {
  before(() => setUp({ AUTH_SERVICE_TIMEOUT_MS: '500' })); // two of them are over long before the deadline of a call is
  after(tearDown);

  it('hanging: given up after the timeout, twice', async () => {
    auth.behave(HANG);
    const [ben, ana] = [withClaims(), learner()];
    const started = performance.now();
    const [served, refused] = await Promise.all([ben.requestMatch(), ana.requestMatch()]);
    const took = performance.now() - started;
    await withdraw(ben, served);
    unavailable(refused);
    assert.ok(took >= 1000, `two timeouts of 0.5 s, not ${took.toFixed(0)} ms`);
    assert.equal(auth.asked(ben.userId), 2);
    assert.match((await failureOf(ana)).problem, /no answer in time/);
    assert.equal((await failureOf(ana)).result, 'timeout');
  });

  it('begun and never ended: that is a timeout too', async () => {
    auth.behave((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"userId":');
    });
    const ben = withClaims();
    assert.equal((await stored(ben)).current_level, 'A2');
    assert.equal((await failureOf(ben)).result, 'timeout');
  });
});

describe('the circuit breaker of the auth-service', () => {
  // One try each, so that it may take as long as tries may take.
  const withBreaker = (seconds) =>
    setUp({
      AUTH_SERVICE_BREAKER_FAILURES: '4',
      AUTH_SERVICE_BREAKER_SECONDS: seconds,
      AUTH_SERVICE_RETRIES: '0',
      AUTH_SERVICE_TIMEOUT_MS: '4000',
    });
  const failFourTimes = async () => {
    for (let i = 0; i < 4; i++) unavailable(await learner().requestMatch());
  };
  afterEach(tearDown);

  it('refused connections open it; then nobody asks; a probe closes it when the service is back', async () => {
    await withBreaker('1');
    await auth.stop();
    await failFourTimes();
    const opened = await world.daemon.log('the breaker', (l) => l.event === 'profile.breaker_opened');
    assert.equal(opened.forSeconds, 1);
    const failures = world.daemon.logs.filter((l) => l.event === 'profile.failed');
    assert.equal(failures.length, 4);
    assert.match(failures[0].problem, /connect/i);
    await auth.listen(auth.port);
    const ana = learner();
    auth.knows(ana.userId);
    const answer = await until('the breaker to close', async () => {
      const tried = await ana.requestMatch();
      return tried.status === 201 && tried;
    });
    await withdraw(ana, answer);
    await world.daemon.log('the breaker', (l) => l.event === 'profile.breaker_closed');
    assert.equal(await metric('profile_breaker_state'), 0);
    assert.equal(auth.asked(ana.userId), 1, 'while it was open nobody asked');
  });

  it('open: the claims serve at once, others get 503 at once, and nothing is asked', async () => {
    await withBreaker('600');
    auth.behave((_, response) => json(response, 500, {}));
    await failFourTimes();
    await world.daemon.log('the breaker', (l) => l.event === 'profile.breaker_opened');
    const ben = withClaims();
    const asked = auth.requests.length;
    assert.equal((await stored(ben)).current_level, 'A2');
    unavailable(await learner().requestMatch());
    assert.equal(auth.requests.length, asked);
    assert.ok((await metric('profile_requests_total', '{result="refused"}')) >= 2);
    assert.equal(await metric('profile_breaker_state'), 2);
    assert.equal(await metric('dependency_up', '{dependency="auth-service"}'), 0);
  });

  it('half-open: one probe at a time; one that fails opens it again', async () => {
    await withBreaker('1');
    auth.behave((_, response) => json(response, 500, {}));
    await failFourTimes();
    const held = [];
    const known = learner();
    auth.knows(known.userId);
    auth.behave((_, response, note) => held.push({ note, response }));
    const asked = auth.requests.length;
    const pending = [];
    await until('a probe', async () => {
      pending.push(learner().requestMatch());
      return held.length > 0;
    });
    const others = [learner(), learner(), learner()];
    for (const other of others) unavailable(await other.requestMatch()); // answered while the probe is out
    assert.equal(auth.requests.length, asked + 1);
    json(held[0].response, 500, {});
    await until('opened again', () => world.daemon.logs.filter((l) => l.event === 'profile.breaker_opened').length === 2);
    (await Promise.all(pending)).forEach(unavailable);
    auth.behave(undefined);
    await until('the next probe', async () => (await known.requestMatch()).status === 201);
  });

  it('answers about one learner, however bad, do not open it', async () => {
    await withBreaker('600');
    auth.behave((_, response) => json(response, 200, 'nonsense'));
    for (let i = 0; i < 6; i++) unavailable(await learner().requestMatch());
    assert.equal(auth.requests.length, 6);
    assert.equal(await metric('profile_breaker_state'), 0);
  });
});

describe('the auth-service by name, and a stop under a request', () => {
  afterEach(tearDown);

  it('is resolved', async () => {
    await setUp();
    await world.daemon.stop();
    await world.startDaemon({ env: { AUTH_SERVICE_URL: `http://localhost:${auth.port}/` } });
    const ana = world.learner(NO_CLAIMS);
    auth.knows(ana.userId);
    assert.equal((await stored(ana)).current_level, 'B2');
    assert.match(auth.requests[0].url, /^\/internal\//);
  });

  it('a name that nobody has is a failure that says so', async () => {
    await setUp({ AUTH_SERVICE_URL: 'http://no-such-host.invalid' });
    const ana = learner();
    unavailable(await ana.requestMatch());
    assert.match((await failureOf(ana)).problem, /resolve/);
  });

  it('a certificate that nobody vouches for is refused', async () => {
    await setUp();
    const { cert, key } = makeCertificate(world.dir, 'stranger');
    let requests = 0;
    const stranger = https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, () => requests++);
    await new Promise((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    try {
      await world.daemon.stop();
      await world.startDaemon({ env: { AUTH_SERVICE_URL: `https://127.0.0.1:${stranger.address().port}` } });
      const ana = world.learner(NO_CLAIMS);
      unavailable(await ana.requestMatch());
      assert.match((await failureOf(ana)).problem, /certificate/i);
      assert.equal(requests, 0);
    } finally {
      stranger.close();
    }
  });

  it('a new service token is taken over on SIGHUP', async () => {
    await setUp();
    const file = path.join(world.dir, 'token');
    fs.writeFileSync(file, `${TOKEN}\n`);
    await world.daemon.stop();
    await world.startDaemon({ env: { AUTH_SERVICE_TOKEN: undefined, AUTH_SERVICE_TOKEN_FILE: file } });
    const [ana, ben] = [world.learner(NO_CLAIMS), world.learner(NO_CLAIMS)];
    for (const who of [ana, ben]) auth.knows(who.userId);
    await stored(ana);
    fs.writeFileSync(file, `${TOKEN}-next\n`);
    world.daemon.signal('SIGHUP');
    await world.daemon.log('the reload', (l) => l.event === 'config.reloaded');
    await stored(ben);
    const sent = auth.requests.map((request) => request.headers.authorization);
    assert.deepEqual(sent, [`Bearer ${TOKEN}`, `Bearer ${TOKEN}-next`]);
  });

  it('a stop does not wait for an answer longer than for any call', async () => {
    await setUp({ AUTH_SERVICE_TIMEOUT_MS: '2000', SHUTDOWN_TIMEOUT_SECONDS: '3' });
    auth.behave(HANG);
    const pending = learner().requestMatch();
    pending.catch(() => {});
    await until('the request', () => auth.requests.length > 0);
    await world.daemon.stop(); // checks that it ends with status 0, without a leak
  });
});
