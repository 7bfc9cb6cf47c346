// Every row of the error table in docs/api.md, provoked, the whole body compared.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { expectError, expectOk, expectRetryable, seenCodes } from '../lib/expect.js';
import { RawConnection } from '../lib/http.js';
import { API } from '../lib/learner.js';
import { startServers } from '../lib/servers.js';
import { WAIT_MS, allDone, until } from '../lib/wait.js';
import { World } from '../lib/world.js';

const required = (field) => [{ field, reason: 'required' }];
const NOBODY = crypto.randomUUID();

// Of a world's daemon, to these bytes.
async function answerTo(world, bytes) {
  const connection = await RawConnection.open(world.daemon.port);
  connection.send(bytes);
  const response = await connection.response();
  connection.destroy();
  return response;
}

// The next Monday, from when on conversations are counted anew; not one that comes while the test runs.
async function nextMonday() {
  const now = new Date();
  const day = now.getUTCDate() - ((now.getUTCDay() + 6) % 7) + 7;
  const monday = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), day);
  if (monday - now > WAIT_MS) return monday;
  await delay(monday - now + 1);
  return nextMonday();
}

describe('refusals of one request', { concurrency: true }, () => {
  let world;
  before(async () => {
    world = await World.create();
  });
  after(() => world.stop());

  it('400 INVALID_REQUEST names what is missing', async () => {
    const learner = world.learner();
    expectError(
      await learner.call('POST', '/match-request', { targetLanguageCode: 'en' }),
      400,
      'INVALID_REQUEST',
      required('topicCode'),
    );
    expectError(await learner.call('POST', '/match-request', {}), 400, 'INVALID_REQUEST', [
      ...required('targetLanguageCode'),
      ...required('topicCode'),
    ]);
    expectError(await learner.call('GET', '/topics'), 400, 'INVALID_REQUEST', required('targetLanguageCode'));
  });

  it('400 INVALID_REQUEST names what is wrong', async () => {
    const learner = world.learner();
    const wrong = {
      targetLanguageCode: 7,
      topicCode: [],
      preferredPartnerLevel: 'equal',
      mode: 'later',
      maxWaitTimeSeconds: 29,
      preferredDuration: 7,
      learningProfileId: 'x',
      recordingConsent: 'yes',
      preferredAccent: 5,
    };
    for (const [field, value] of Object.entries(wrong)) {
      const answer = await learner.requestMatch({ [field]: value });
      assert.equal(answer.status, 400, `${field}: ${answer.text}`);
      assert.equal(answer.body.message, 'INVALID_REQUEST');
      assert.deepEqual(
        answer.body.details.map((d) => d.field),
        [field],
      );
      assert.equal(typeof answer.body.details[0].reason, 'string');
    }
    for (const query of ['level=Z9', 'category=nothing']) {
      assert.equal((await learner.topics(`targetLanguageCode=en&${query}`)).status, 400, query);
    }
  });

  it('400 INVALID_REQUEST names the claim that is missing', async () => {
    for (const [claim, person] of Object.entries({
      levels: { levels: undefined },
      nativeLanguageCode: { native: undefined },
    })) {
      const answer = await world.learner(person).requestMatch();
      assert.equal(answer.status, 400);
      assert.equal(answer.body.message, 'INVALID_REQUEST');
      assert.ok(answer.body.details[0].field.includes(claim), answer.text);
    }
  });

  it('400 INVALID_REQUEST for a scheduled request without a time, or one that is past or too far', async () => {
    const learner = world.learner();
    const at = (ms) => new Date(Date.now() + ms).toISOString();
    for (const scheduledFor of [undefined, at(-60_000), at(8 * 86_400_000), 'tomorrow']) {
      const answer = await learner.requestMatch({ mode: 'scheduled', scheduledFor });
      assert.equal(answer.status, 400, `${scheduledFor}: ${answer.text}`);
      assert.equal(answer.body.details[0].field, 'scheduledFor');
    }
  });

  it('401 UNAUTHORIZED without a token, or with one that is none', async () => {
    const learner = world.learner();
    expectError(await world.rest.call('GET', `${API}/history`), 401, 'UNAUTHORIZED', [
      { field: 'Authorization', reason: 'a bearer token is required' },
    ]);
    for (const authorization of [
      '',
      'Bearer',
      'Bearer ',
      'Basic YTpi',
      `Token ${learner.token}`,
      `Bearer ${learner.token} x`,
    ]) {
      const answer = await world.rest.call('GET', `${API}/history`, { headers: { authorization } });
      assert.equal(answer.status, 401, authorization.slice(0, 20));
      assert.equal(answer.body.message, 'UNAUTHORIZED');
      assert.match(answer.headers['www-authenticate'] ?? '', /^Bearer/);
    }
    expectOk(
      await world.rest.call('GET', `${API}/history`, {
        headers: { authorization: `bearer ${learner.token}` },
      }),
    );
  });

  it('403 TOPIC_LOCKED by tier', async () => {
    const learner = world.learner({ tier: 'free' });
    const [topic] = expectOk(await learner.topics('targetLanguageCode=en&level=B1')).topics;
    assert.equal(topic.isUnlocked, false);
    expectError(await learner.requestMatch({ topicCode: topic.code }), 403, 'TOPIC_LOCKED', [
      { field: 'topicCode', reason: 'TIER' },
    ]);
  });

  it('403 TOPIC_LOCKED by a skill that is missing', async () => {
    const learner = world.learner();
    const [{ code }] = expectOk(await learner.topics('targetLanguageCode=fr&level=A2')).topics;
    await world.db.query(
      `UPDATE topics SET required_skills = '{airport_vocab.fr}' WHERE code = $1 AND target_language_code = 'fr'`,
      [code],
    );
    const reader = world.learner({ levels: { fr: 'A2' } });
    const ask = () => reader.requestMatch({ targetLanguageCode: 'fr', topicCode: code });
    expectError(await ask(), 403, 'TOPIC_LOCKED', [{ field: 'topicCode', reason: 'REQUIRED_SKILLS' }]);
    await world.db.query(
      `INSERT INTO user_skills (user_id, skill_id, skill_code) VALUES ($1, $2, 'airport_vocab.fr')`,
      [reader.userId, crypto.randomUUID()],
    );
    expectOk(await ask(), 201);
  });

  it('403 PREMIUM_REQUIRED', async () => {
    const learner = world.learner({ tier: 'free', levels: { en: 'A2' } });
    const scheduledFor = new Date(Date.now() + 3_600_000).toISOString();
    expectError(await learner.requestMatch({ mode: 'scheduled', scheduledFor }), 403, 'PREMIUM_REQUIRED');
  });

  it("403 FORBIDDEN for another user's history, unless one is admin", async () => {
    const [learner, other] = [world.learner(), world.learner()];
    expectError(await learner.history(`?userId=${other.userId}`), 403, 'FORBIDDEN', [
      { field: 'userId', reason: "only an admin may read another user's history" },
    ]);
    expectOk(await learner.history(`?userId=${learner.userId}`));
    expectOk(await world.learner({ role: 'admin' }).history(`?userId=${other.userId}`));
  });

  it('404 SESSION_NOT_FOUND, the same whether it exists or not', async () => {
    const { sessionId } = await world.pair({ levels: { en: 'C1' } });
    const stranger = world.learner();
    for (const id of [sessionId, NOBODY]) {
      for (const [method, path, body] of [
        ['GET', ''],
        ['POST', '/join'],
        ['POST', '/leave'],
        ['POST', '/end'],
        ['POST', '/rate', { rating: 3 }],
        ['GET', '/transcript'],
      ]) {
        expectError(await stranger.call(method, `/sessions/${id}${path}`, body), 404, 'SESSION_NOT_FOUND');
      }
    }
    expectOk(await world.learner({ role: 'moderator' }).session(sessionId));
  });

  it('404 TOPIC_NOT_FOUND', async () => {
    const learner = world.learner();
    expectError(await learner.call('GET', '/topics/no.such?targetLanguageCode=en'), 404, 'TOPIC_NOT_FOUND');
    expectError(await learner.requestMatch({ topicCode: 'no.such' }), 404, 'TOPIC_NOT_FOUND');
  });

  it('404 MATCH_REQUEST_NOT_FOUND', async () => {
    const [learner, other] = [world.learner({ levels: { en: 'C2' } }), world.learner()];
    expectError(await learner.matchStatus(), 404, 'MATCH_REQUEST_NOT_FOUND');
    expectError(await learner.cancelMatch(NOBODY), 404, 'MATCH_REQUEST_NOT_FOUND');
    const { matchRequest } = expectOk(await learner.requestMatch(), 201);
    expectError(await other.cancelMatch(matchRequest.id), 404, 'MATCH_REQUEST_NOT_FOUND');
    const cancelled = { matchRequest: { id: matchRequest.id, status: 'cancelled' } };
    assert.deepEqual(expectOk(await learner.cancelMatch(matchRequest.id)), cancelled);
    assert.deepEqual(
      expectOk(await learner.cancelMatch(matchRequest.id)),
      cancelled,
      'again: the same answer',
    );
  });

  it('404 NOT_FOUND and 405 METHOD_NOT_ALLOWED', async () => {
    const learner = world.learner();
    expectError(await learner.call('GET', '/nowhere'), 404, 'NOT_FOUND');
    expectError(await learner.call('PUT', '/topics', {}), 405, 'METHOD_NOT_ALLOWED');
  });

  it('409 ALREADY_MATCHED with a live request, and when cancelling a matched one', async () => {
    const waiting = world.learner({ levels: { en: 'A1' } });
    expectOk(await waiting.requestMatch(), 201);
    expectError(await waiting.requestMatch(), 409, 'ALREADY_MATCHED');

    const { a } = await world.pair({ levels: { en: 'B2' } });
    const { matchRequest } = expectOk(await a.matchStatus());
    expectError(await a.cancelMatch(matchRequest.id), 409, 'ALREADY_MATCHED');
  });

  it('409 ALREADY_IN_SESSION', async () => {
    const { a } = await world.pair({ levels: { de: 'B1' } }, { targetLanguageCode: 'de' });
    expectError(await a.requestMatch({ targetLanguageCode: 'de' }), 409, 'ALREADY_IN_SESSION');
  });

  it('409 SESSION_NOT_OPEN', async () => {
    const [a, b] = [world.learner({ levels: { en: 'C2' } }), world.learner({ levels: { en: 'C2' } })];
    const at = Date.now() + 3_600_000;
    const later = { mode: 'scheduled', scheduledFor: new Date(at).toISOString() };
    for (const learner of [a, b]) expectOk(await learner.requestMatch(later), 201);
    const opensAt = new Date(at - 300_000).toISOString();
    expectError(await a.join(await a.matched()), 409, 'SESSION_NOT_OPEN', [{ opensAt }]);
  });

  it('422 IDEMPOTENCY_KEY_REUSED', async () => {
    const learner = world.learner({ levels: { fr: 'C2' } });
    const body = { targetLanguageCode: 'fr', topicCode: 'free_talk' };
    const headers = { 'idempotency-key': 'k1' };
    expectOk(await learner.call('POST', '/match-request', body, { headers }), 201);
    const other = await learner.call('POST', '/match-request', { ...body, preferredDuration: 5 }, { headers });
    expectError(other, 422, 'IDEMPOTENCY_KEY_REUSED', [
      { field: 'Idempotency-Key', reason: 'was used with another body' },
    ]);
  });

  it('409 SESSION_NOT_ENDED, 410 SESSION_ENDED, 422 INVALID_RATING', async () => {
    const { a, b, sessionId } = await world.pair({ levels: { it: 'B1' } }, { targetLanguageCode: 'it' });
    expectError(await a.rate(sessionId, 5), 409, 'SESSION_NOT_ENDED');
    const { session } = expectOk(await a.end(sessionId));
    assert.equal(session.status, 'cancelled', 'it never began');
    assert.deepEqual(expectOk(await b.end(sessionId)).session, session, 'ending again changes nothing');
    expectError(await a.join(sessionId), 410, 'SESSION_ENDED');
    const socket = await a.connect();
    assert.equal((await socket.emit('join_session', { userId: a.userId, sessionId })).code, 'SESSION_ENDED');
    for (const rating of [0, 6, 2.5, '5', true]) {
      const answer = await a.rate(sessionId, rating);
      expectError(answer, 422, 'INVALID_RATING', [
        { field: 'rating', reason: 'must be an integer from 1 to 5' },
      ]);
    }
    const long = await a.rate(sessionId, 5, 'é'.repeat(501));
    assert.equal(long.status, 400, long.text);
    assert.equal(long.body.details[0].field, 'feedback');
    expectOk(await a.rate(sessionId, 5, 'é'.repeat(500)));
    assert.deepEqual(
      expectOk(await a.rate(sessionId, 1)),
      { success: true, averageRating: 1 },
      'rating again replaces',
    );
  });

  it('410 MATCH_EXPIRED', async () => {
    const learner = world.learner({ levels: { es: 'B1' }, native: 'en' });
    const { matchRequest } = expectOk(await learner.requestMatch({ targetLanguageCode: 'es' }), 201);
    await world.db.query(`UPDATE match_requests SET status = 'expired', expires_at = now() WHERE id = $1`, [
      matchRequest.id,
    ]);
    expectError(await learner.cancelMatch(matchRequest.id), 410, 'MATCH_EXPIRED');
    assert.equal(expectOk(await learner.matchStatus()).matchRequest.status, 'expired');
  });

  it('413 PAYLOAD_TOO_LARGE, 415 UNSUPPORTED_MEDIA_TYPE', async () => {
    const learner = world.learner();
    expectError(
      await learner.call('POST', '/match-request', { x: 'y'.repeat(65_536) }, { fresh: true }),
      413,
      'PAYLOAD_TOO_LARGE',
      [{ reason: 'body too large' }],
    );
    expectError(
      await learner.call('POST', '/match-request', 'x', { headers: { 'content-type': 'text/plain' } }),
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      [{ field: 'Content-Type', reason: 'must be application/json' }],
    );
  });

  it('414, 417, 431 and 501 from the connection', async () => {
    const raw = (bytes) => answerTo(world, bytes);
    expectError(await raw(`GET /${'x'.repeat(70_000)} HTTP/1.1\r\nHost: x\r\n\r\n`), 414, 'URI_TOO_LONG', [
      { reason: 'request target too long' },
    ]);
    expectError(
      await raw(`GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`),
      431,
      'HEADERS_TOO_LARGE',
      [{ reason: 'header fields too large' }],
    );
    expectError(
      await raw(
        `POST ${API}/match-request HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
      ),
      501,
      'NOT_IMPLEMENTED',
      [{ reason: 'the only transfer coding is chunked' }],
    );
    expectError(
      await raw('GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: a-miracle\r\n\r\n'),
      417,
      'EXPECTATION_FAILED',
      [{ reason: 'the only expectation is 100-continue' }],
    );
  });

  it('408 from the connection', async () => {
    const its = await World.create({ env: { HTTP_HEADER_TIMEOUT_MS: '1000' } }); // too short for the calls of other tests
    try {
      expectRetryable(await answerTo(its, 'GET /healthz HTTP/1.1\r\n'), 408, 'REQUEST_TIMEOUT', [
        { reason: 'the request did not arrive in time' },
      ]);
    } finally {
      await its.stop();
    }
  });
});

describe('limits and quotas', { concurrency: true }, () => {
  let world;
  before(async () => {
    world = await World.create({
      env: { RATE_LIMIT_MATCH_REQUESTS: '2', RATE_LIMIT_SESSION_JOINS: '2', FREE_TIER_WEEKLY_LIMIT: '1' },
    });
  });
  after(() => world.stop());

  it('429 RATE_LIMITED for match requests, per user', async () => {
    const learner = world.learner({ levels: { en: 'C1' } });
    for (let i = 0; i < 2; i++) {
      const { matchRequest } = expectOk(await learner.requestMatch(), 201);
      expectOk(await learner.cancelMatch(matchRequest.id));
    }
    const seconds = expectRetryable(await learner.requestMatch(), 429, 'RATE_LIMITED');
    assert.ok(seconds > 3000 && seconds <= 3600, `Retry-After ${seconds}`);
    expectOk(await world.learner({ levels: { en: 'C2' } }).requestMatch(), 201);
  });

  it('429 RATE_LIMITED for joins', async () => {
    const { a, b, sessionId } = await world.pair();
    for (let i = 0; i < 2; i++) expectOk(await a.join(sessionId));
    const seconds = expectRetryable(await a.join(sessionId), 429, 'RATE_LIMITED');
    assert.ok(seconds <= 60);
    expectOk(await b.join(sessionId));
  });

  it('403 DAILY_LIMIT_REACHED, with what was used and when there is more', async () => {
    const monday = await nextMonday();
    const free = { tier: 'free', levels: { fr: 'A2' } };
    const { a, sa, sessionId } = await world.conversation(free, { targetLanguageCode: 'fr' });
    expectOk(await a.end(sessionId));
    await sa.take('session_ended');
    expectError(await a.requestMatch({ targetLanguageCode: 'fr' }), 403, 'DAILY_LIMIT_REACHED', [
      { limit: 1, used: 1, resetsAt: new Date(monday).toISOString() },
    ]);
  });
});

describe('500 INTERNAL_ERROR', () => {
  let world;
  before(async () => {
    world = await World.create();
  });
  after(() => world.stop());

  it('says nothing of the inside; the log does, under the correlation id', async () => {
    const learner = world.learner();
    await world.db.query('ALTER TABLE topics RENAME TO topics_away');
    const answer = await learner.topics('targetLanguageCode=it&level=B2');
    expectError(answer, 500, 'INTERNAL_ERROR');
    await world.daemon.log(
      'of the failure',
      (line) => /^error$/i.test(line.level) && line.correlationId === answer.headers['x-correlation-id'],
    );
    await world.db.query('ALTER TABLE topics_away RENAME TO topics');
    await until(
      'the daemon to be well again',
      async () => (await learner.topics('targetLanguageCode=it&level=B2')).status === 200,
    );
  });
});

describe('503', () => {
  let world;
  let pg;
  let redis;
  before(async () => {
    ({ pg, redis } = await startServers());
    world = await World.create({ own: { pg, redis } });
  });
  after(async () => {
    try {
      await world?.stop();
    } finally {
      await allDone([pg?.destroy(), redis?.destroy()]);
    }
  });

  it('MATCHING_UNAVAILABLE without Redis, SERVICE_UNAVAILABLE without PostgreSQL', async () => {
    const learner = world.learner();
    await redis.kill();
    expectRetryable(await learner.requestMatch(), 503, 'MATCHING_UNAVAILABLE');
    await pg.kill();
    expectRetryable(await learner.history(), 503, 'SERVICE_UNAVAILABLE');
  });
});

describe('docs/api.md', () => {
  it('lists exactly the codes provoked here', () => {
    const page = fs.readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');
    const table = /## Errors\n[^]*?\n## /.exec(page)[0];
    const documented = [...table.matchAll(/^\| \d{3} \| `([A-Z_]+)`/gm)].map((match) => match[1]);
    assert.deepEqual([...seenCodes].sort(), documented.sort());
  });
});
