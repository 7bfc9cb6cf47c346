// What the daemon answers from memory or together for many (verified tokens, topic lists, sessions read by one
// statement), while what it remembers changes.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { expectError, expectOk } from '../lib/expect.js';
import { API } from '../lib/learner.js';
import { badTokens, claimsOf, ecKeys, publicPem, rsaKeys, sign } from '../lib/token.js';
import { until } from '../lib/wait.js';
import { World } from '../lib/world.js';

const TOPICS = `${API}/topics?targetLanguageCode=en`;

let world;
before(async () => {
  world = await World.create({ env: { JWT_LEEWAY_SECONDS: '0', TOPICS_CACHE_SECONDS: '1' } });
});
after(() => world.stop());

const statusOf = async (token) => (await world.rest.call('GET', TOPICS, { token })).status;

const lookups = (result) => world.metric(`jwt_cache_lookups_total{result="${result}"}`);

describe('verified tokens', () => {
  // Other texts for the same three parts, by characters that a lenient decoder drops or reads as others.
  function spellings(token) {
    const [header, payload, signature] = token.split('.');
    const last = signature.at(-1);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const neighbour = alphabet[alphabet.indexOf(last) ^ 1]; // 256 bytes end in four bits that no byte uses
    const plain = (part) => part.replaceAll('-', '+').replaceAll('_', '/');
    return {
      'leftover bits': `${token.slice(0, -1)}${neighbour}`,
      'padded signature': `${token}==`,
      'padded header': `${header}=.${payload}.${signature}`,
      'standard alphabet': `${header}.${payload}.${plain(signature)}`,
      'a fourth part': `${token}.`,
      'a dot in front': `.${token}`,
      'in quotes': `"${token}"`,
      'lower case': token.toLowerCase(),
    };
  }

  it('are verified once, and no other text passes for them', async () => {
    const person = { userId: crypto.randomUUID(), name: 'Ana', tier: 'free' };
    let token = world.token(person);
    while (!/[-_]/.test(token.split('.')[2])) token = world.token({ ...person, jti: crypto.randomUUID() });
    assert.equal(await statusOf(token), 200);
    const [hits, misses] = [await lookups('hit'), await lookups('miss')];
    for (let i = 0; i < 5; i++) assert.equal(await statusOf(token), 200);
    assert.equal(await lookups('hit'), hits + 5);
    assert.equal(await lookups('miss'), misses);
    for (const [what, text] of Object.entries(spellings(token)))
      assert.equal(await statusOf(text), 401, what);
    for (const [what, bad] of Object.entries(badTokens(world.keys, claimsOf(person))))
      assert.equal(await statusOf(bad), 401, what);
    assert.equal(await statusOf(token), 200);
    assert.equal(await lookups('hit'), hits + 6);
  });

  it('name the one who sends them, however many send at once', async () => {
    const learners = Array.from({ length: 60 }, (_, i) =>
      world.learner({ tier: i % 2 ? 'free' : 'premium' }),
    );
    for (let round = 0; round < 2; round++) {
      const answers = await Promise.all(learners.map((l) => l.topics('targetLanguageCode=en&level=B1')));
      answers.forEach((answer, i) => {
        const unlocked = expectOk(answer).topics.filter((topic) => topic.isUnlocked);
        assert.equal(unlocked.length > 0, i % 2 === 0); // the free tier ends at A2
      });
    }
  });

  it('expire while they are remembered', async () => {
    // Taken while it was good: it may have expired under a machine that stood still.
    const token = await until('a token to be taken', async () => {
      const made = world.token({ userId: crypto.randomUUID() }, 3);
      return (await statusOf(made)) === 200 && made;
    });
    await until('the token to expire', async () => (await statusOf(token)) === 401);
  });

  it('are good no longer when their key is gone', async () => {
    const file = path.join(world.dir, 'jwt.pub.pem');
    const reload = async (text, event) => {
      fs.writeFileSync(file, text);
      const seen = world.daemon.logs.length;
      world.daemon.signal('SIGHUP');
      await until(event, () => world.daemon.logs.slice(seen).some((line) => line.event === event));
    };
    const [oldKeys, newKeys, elliptic] = [world.keys, rsaKeys(), ecKeys()];
    const claims = claimsOf({ userId: crypto.randomUUID() });
    const by = (keys, kid, alg) => sign(claims, keys.privateKey, { alg, header: { kid } });
    const [old, fresh, ec] = [by(oldKeys, 'one'), by(newKeys, 'two'), by(elliptic, 'two', 'ES256')];
    const named = (kid, keys) => `kid: ${kid}\n${publicPem(keys)}`;
    try {
      assert.equal(await statusOf(old), 200);
      assert.equal(await statusOf(fresh), 401);
      await reload(named('one', oldKeys) + named('two', newKeys), 'config.reloaded');
      assert.deepEqual([await statusOf(old), await statusOf(fresh)], [200, 200]);
      assert.equal(await statusOf(by(oldKeys, 'two')), 401, 'the name of the other key');
      assert.equal(await statusOf(ec), 401, 'an algorithm that the key of this name is not for');
      await reload('no key', 'config.reload_failed');
      assert.deepEqual([await statusOf(old), await statusOf(fresh)], [200, 200], 'nothing has changed');
      await reload(named('two', newKeys), 'config.reloaded');
      assert.deepEqual([await statusOf(old), await statusOf(fresh)], [401, 200]);
    } finally {
      await reload(publicPem(oldKeys), 'config.reloaded');
    }
    assert.deepEqual([await statusOf(old), await statusOf(fresh)], [200, 401]);
  });
});

describe('topic lists', () => {
  const isUnlocked = async (learner, code) =>
    expectOk(await learner.topics()).topics.find((topic) => topic.code === code).isUnlocked;

  it('show what a skill unlocks, to the one who has it, once the copy of what is unlocked has gone', async () => {
    const [ana, ben] = [world.learner(), world.learner()];
    const code = 'restaurant.ordering';
    assert.equal(await isUnlocked(ana, code), false);
    await world.db.query(
      `INSERT INTO user_skills (user_id, skill_id, skill_code) VALUES ($1, $2, 'restaurant_vocab.en')`,
      [ana.userId, crypto.randomUUID()],
    );
    assert.equal(await isUnlocked(ana, code), false); // a skill behind the service's back
    world.redis.cli('DEL', `unlocked_topics:${ana.userId}`);
    assert.equal(await isUnlocked(ana, code), true);
    assert.equal(await isUnlocked(ben, code), false);
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => isUnlocked(i % 2 ? ana : ben, code)),
    );
    answers.forEach((unlocked, i) => assert.equal(unlocked, i % 2 === 1));
  });

  it('follow the catalogue within the time that is configured', async () => {
    const learner = world.learner();
    const listed = async () => {
      const answer = await learner.topics('targetLanguageCode=it');
      return { etag: answer.headers.etag, codes: expectOk(answer).topics.map((topic) => topic.code) };
    };
    const first = await listed();
    assert.ok(first.codes.includes('free_talk'));
    await world.db.query(
      `UPDATE topics SET is_active = false WHERE code = 'free_talk' AND target_language_code = 'it'`,
    );
    const next = await until('the topic to be gone', async () => {
      const now = await listed();
      return !now.codes.includes('free_talk') && now;
    });
    assert.notEqual(next.etag, first.etag);
    assert.equal(next.codes.length, first.codes.length - 1);
  });
});

describe('sessions', () => {
  it('are shown as they are at this moment', async () => {
    const { a, b, sessionId } = await world.pair();
    const seen = async () => expectOk(await a.session(sessionId)).session;
    assert.equal((await seen()).status, 'waiting');
    await world.db.query(`UPDATE session_participants SET spoken_seconds = 41 WHERE session_id = $1`, [
      sessionId,
    ]);
    assert.deepEqual(
      (await seen()).participants.map((p) => p.spokenSeconds),
      [41, 41],
    );
    expectOk(await b.leave(sessionId));
    assert.notEqual((await seen()).status, 'waiting');
    const transcript = crypto.randomUUID();
    await world.db.query(`UPDATE sessions SET transcript_id = $2 WHERE id = $1`, [sessionId, transcript]);
    assert.equal((await seen()).transcriptAvailable, true);
  });

  it('go each to its own participants, however many ask at once', async () => {
    const pairs = [await world.pair(), await world.pair(), await world.pair(), await world.pair()];
    const asks = Array.from({ length: 120 }, (_, i) => {
      const own = pairs[i % 4];
      const other = pairs[(i + 1) % 4];
      return i % 3 === 0
        ? { learner: own.a, id: other.sessionId, found: false }
        : i % 3 === 1
          ? { learner: own.b, id: own.sessionId, found: true }
          : { learner: own.a, id: crypto.randomUUID(), found: false };
    });
    const answers = await Promise.all(asks.map(({ learner, id }) => learner.session(id)));
    answers.forEach((answer, i) => {
      if (!asks[i].found) {
        expectError(answer, 404, 'SESSION_NOT_FOUND');
        return;
      }
      const { session } = expectOk(answer);
      assert.equal(session.id, asks[i].id);
      assert.ok(session.participants.some((p) => p.userId === asks[i].learner.userId));
    });
  });
});
