// After the call: reports, blocks, the review of flagged users, ratings sent twice, history.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { expectError, expectOk, expectRetryable } from '../lib/expect.js';
import { until } from '../lib/wait.js';
import { World } from '../lib/world.js';

const report = (learner, sessionId, body = { reason: 'spam' }) =>
  learner.call('POST', `/sessions/${sessionId}/report`, body);
const block = (learner, userId) => learner.call('POST', `/users/${userId}/block`);
const unblock = (learner, userId) => learner.call('DELETE', `/users/${userId}/block`);
const blocks = (learner, query = '') => learner.call('GET', `/users/me/blocks${query}`);
const flags = (learner, query = '') => learner.call('GET', `/moderation/flags${query}`);
const review = (learner, userId, body) =>
  learner.call('POST', `/moderation/flags/${userId}/review`, body);

// A conversation that is over, written as it would have been left: {sessionId} of these two.
async function storeTalk(db, first, second, { minutesAgo = 60, language = 'en' } = {}) {
  const id = crypto.randomUUID();
  await db.query(
    `INSERT INTO sessions (id, target_language_code, topic_code, target_level, session_type, status, end_reason,
                           started_at, ended_at, created_at, duration_seconds, max_duration_seconds)
     VALUES ($1, $3, 'free_talk', 'B1', 'practice', 'completed', 'completed',
             now() - $2 * interval '1 min', now() - $2 * interval '1 min' + interval '30 s',
             now() - $2 * interval '1 min', 30, 900)`,
    [id, minutesAgo, language],
  );
  await db.query(
    `INSERT INTO session_participants (session_id, user_id, position, role, native_language_code,
                                       target_language_code, display_name, is_live, created_at)
     SELECT $1, user_id, ordinal - 1, 'learner', 'es', $4, name, false, now() - $5 * interval '1 min'
       FROM unnest($2::uuid[], $3::text[]) WITH ORDINALITY AS g (user_id, name, ordinal)`,
    [id, [first.userId, second.userId], [first.name, second.name], language, minutesAgo],
  );
  return id;
}

// Two who talked lately wait, the first one's calls going to `rest`: not enough points to be paired within half a minute.
async function twoWhoWait(world, language, rest) {
  const person = { tier: 'free', levels: { [language]: 'A2' } }; // premium would give them points
  const learners = [world.learner(person, rest), world.learner(person)];
  const [a, b] = learners.map(({ userId }) => userId);
  await world.db.query(`INSERT INTO past_partners VALUES ($1, $2, now()), ($2, $1, now())`, [a, b]);
  for (const learner of learners) expectOk(await learner.requestMatch({ targetLanguageCode: language }), 201);
  return learners;
}

// How many of those who wait with this learner it could have when it has waited long enough; undefined while the queue
// does not hold the request.
async function admittedLater(learner) {
  const { body } = await learner.matchExplanation();
  return body.explanation?.nextPhases.at(-1).admits;
}

describe('after the call', { concurrency: true }, () => {
  let world;
  before(async () => {
    world = await World.create({ env: { RATE_LIMIT_REPORTS: '0', RATE_LIMIT_BLOCKS: '0', LOG_LEVEL: 'error' } });
  });
  after(() => world.stop());

  const eventsOf = (sessionId, type) =>
    world.db.query(
      `SELECT key, correlation_id, payload FROM event_outbox
        WHERE event_type = $2 AND payload->>'sessionId' = $1 ORDER BY id`,
      [sessionId, type],
    );

  const endReasonOf = async (learner, sessionId) => {
    const { session } = expectOk(await learner.session(sessionId));
    return `${session.status} ${session.endReason}`;
  };

  it('a report ends the conversation and tells both', async () => {
    const { a, b, sessionId, sa, sb } = await world.conversation();
    const answer = await report(a, sessionId, { reason: 'harassment', details: 'His address: …' });
    const { success, reportId } = expectOk(answer);
    assert.equal(success, true);
    assert.match(reportId, /^[0-9a-f-]{36}$/);
    assert.equal(await endReasonOf(b, sessionId), 'completed reported');
    assert.deepEqual(await sb.take('partner_left'), { partnerId: a.userId, reason: 'ended' });
    for (const socket of [sa, sb]) assert.equal((await socket.take('session_ended')).reason, 'error');

    const [event, ...more] = await eventsOf(sessionId, 'conversation.reported');
    assert.deepEqual(more, []);
    const [{ user_id: first }] = await world.db.query(
      'SELECT user_id FROM session_participants WHERE session_id = $1 AND position = 0',
      [sessionId],
    );
    assert.equal(event.key, first);
    assert.equal(event.correlation_id, answer.headers['x-correlation-id']);
    assert.deepEqual(event.payload, {
      sessionId,
      reporterId: a.userId,
      reportedUserId: b.userId,
      reason: 'harassment',
      topicCode: 'free_talk',
    });
    const [completed] = await eventsOf(sessionId, 'conversation.completed');
    assert.ok(completed);

    assert.deepEqual(expectOk(await report(a, sessionId, { reason: 'other' })), { success, reportId });
    assert.equal((await eventsOf(sessionId, 'conversation.reported')).length, 1);
    expectOk(await report(b, sessionId));
  });

  it('from a socket it is the same, also in the first minute and after the end', async () => {
    const { a, b, sessionId, sa, sb } = await world.conversation();
    const ack = await sb.emit('report_partner', { sessionId, reason: 'inappropriate', details: 'x' });
    assert.deepEqual(Object.keys(ack), ['status', 'reportId']);
    assert.equal(ack.status, 'ok');
    assert.deepEqual(await sa.take('partner_left'), { partnerId: b.userId, reason: 'ended' });
    for (const socket of [sa, sb]) assert.equal((await socket.take('session_ended')).reason, 'error');
    assert.equal(await endReasonOf(a, sessionId), 'completed reported');
    assert.deepEqual(await sb.emit('report_partner', { sessionId, reason: 'spam' }), ack);
    assert.equal((await sa.emit('report_partner', { sessionId, reason: 'spam' })).status, 'ok');
    for (const payload of [{ sessionId }, { sessionId, reason: 'no' }, { reason: 'spam' }]) {
      assert.equal((await sa.emit('report_partner', payload)).code, 'INVALID_REQUEST');
    }
    const stranger = { sessionId: crypto.randomUUID(), reason: 'spam' };
    assert.equal((await sa.emit('report_partner', stranger)).code, 'SESSION_NOT_FOUND');
    sa.send('report_partner', stranger);
    assert.deepEqual(await sa.take('exception'), {
      status: 'error',
      code: 'SESSION_NOT_FOUND',
      message: 'SESSION_NOT_FOUND',
      event: 'report_partner',
    });
  });

  it('a session that has not begun is cancelled', async () => {
    const { a, b, sessionId } = await world.pair();
    const socket = await b.enter(sessionId);
    expectOk(await report(a, sessionId));
    assert.equal((await socket.take('session_ended')).reason, 'error');
    assert.equal(await endReasonOf(b, sessionId), 'cancelled reported');
    expectError(await b.join(sessionId), 410, 'SESSION_ENDED');
  });

  it('only its participants report a session, with a reason of the list', async () => {
    const [a, b] = [world.learner(), world.learner()];
    const sessionId = await storeTalk(world.db, a, b);
    const details = [{ field: 'reason', reason: 'required' }];
    expectError(await report(a, sessionId, {}), 400, 'INVALID_REQUEST', details);
    for (const body of [{ reason: 'rude' }, { reason: 'spam', details: 1 }, { reason: 'spam', details: 'é'.repeat(1001) }])
      assert.equal((await report(a, sessionId, body)).body.message, 'INVALID_REQUEST');
    expectError(await report(world.learner(), sessionId), 404, 'SESSION_NOT_FOUND');
    expectError(await report(world.learner({ role: 'admin' }), sessionId), 404, 'SESSION_NOT_FOUND');
    expectError(await report(a, crypto.randomUUID()), 404, 'SESSION_NOT_FOUND');
    expectOk(await report(a, sessionId, { reason: 'spam', details: '😀'.repeat(1000) }));
  });

  it('two who have a report between them are not paired again', async () => {
    const person = { levels: { de: 'B1' } };
    const german = { targetLanguageCode: 'de' };
    const { a, b, sessionId } = await world.pair(person, german);
    expectOk(await report(a, sessionId));
    expectOk(await a.requestMatch(german), 201);
    expectOk(await b.requestMatch(german), 201);
    assert.equal(await admittedLater(b), 0);
    const other = world.learner(person);
    expectOk(await other.requestMatch(german), 201);
    await other.matched();
    const statuses = await Promise.all([a, b].map(async (who) => (await who.matchStatus()).body.matchRequest.status));
    assert.deepEqual(statuses.sort(), ['matched', 'pending']);
  });

  it('two who wait are kept apart from the moment of a block on, until it is taken back', async () => {
    const [a, b] = await twoWhoWait(world, 'it', world.rest);
    assert.equal(await admittedLater(a), 1);
    assert.deepEqual(expectOk(await block(a, b.userId)), { success: true });
    for (const who of [a, b]) await until('the queue to know', async () => (await admittedLater(who)) === 0);
    assert.deepEqual(expectOk(await unblock(a, b.userId)), { success: true });
    for (const who of [a, b]) await until('the queue to know', async () => (await admittedLater(who)) === 1);
    for (const learner of [a, b]) {
      const { matchRequest } = expectOk(await learner.matchStatus());
      expectOk(await learner.cancelMatch(matchRequest.id));
    }
  });

  it("blocks are one's own, and idempotent", async () => {
    const [a, b] = [world.learner(), world.learner({ name: 'Zoë' })];
    const stranger = crypto.randomUUID();
    await storeTalk(world.db, a, b);
    assert.deepEqual(expectOk(await blocks(a)), { blocks: [], total: 0, hasMore: false });
    for (const userId of [b.userId, b.userId, stranger, b.userId.toUpperCase()])
      assert.deepEqual(expectOk(await block(a, userId)), { success: true });
    const { blocks: listed, total, hasMore } = expectOk(await blocks(a));
    assert.deepEqual([total, hasMore], [2, false]);
    assert.deepEqual(
      listed.map(({ userId, displayName }) => [userId, displayName]),
      [
        [stranger, undefined],
        [b.userId, 'Zoë'],
      ],
    );
    assert.match(listed[0].blockedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const page = expectOk(await blocks(a, '?limit=1&offset=1'));
    assert.deepEqual([page.blocks.length, page.total, page.hasMore], [1, 2, false]);
    assert.equal(expectOk(await blocks(a, '?limit=1')).hasMore, true);
    assert.equal(expectOk(await blocks(b)).total, 0);
    for (let i = 0; i < 2; i++) expectOk(await unblock(a, b.userId));
    assert.equal(expectOk(await blocks(a)).total, 1);

    const self = [{ field: 'userId', reason: 'is yourself' }];
    expectError(await block(a, a.userId), 400, 'INVALID_REQUEST', self);
    expectError(await unblock(a, a.userId), 400, 'INVALID_REQUEST', self);
    expectError(await block(a, 'me'), 400, 'INVALID_REQUEST', [{ field: 'userId', reason: 'must be a UUID' }]);
    assert.equal((await a.call('GET', `/users/${b.userId}/block`)).status, 405);
  });

  const audits = (correlationId) =>
    world.daemon.logs.filter((line) => line.event === 'audit' && line.correlationId === correlationId);

  // The one audit line of an answer, without what every line has.
  async function auditOf(answer) {
    const id = answer.headers['x-correlation-id'];
    await until('an audit line', () => audits(id).length > 0);
    const [{ timestamp, level, service, event, correlationId, ...line }, ...more] = audits(id);
    assert.deepEqual([level, more], ['INFO', []]);
    return line;
  }

  it('the fourth reporter flags a user; a moderator reviews; then it counts anew', async () => {
    const moderator = world.learner({ role: 'moderator' });
    const admin = world.learner({ roles: ['learner', 'admin'] });
    const bad = world.learner();
    const openFlag = async () => {
      const answer = await flags(moderator, '?limit=100');
      return expectOk(answer).flags.find(({ userId }) => userId === bad.userId);
    };
    const reportedBy = async (count) => {
      for (let i = 0; i < count; i++) {
        const other = world.learner();
        expectOk(await report(other, await storeTalk(world.db, other, bad), { reason: 'spam', details: `no ${i}` }));
      }
    };
    await reportedBy(3);
    assert.equal(await openFlag(), undefined);
    await reportedBy(1);
    const flag = await openFlag();
    assert.deepEqual(Object.keys(flag).sort(), [
      'createdAt', 'id', 'reasons', 'reportCount', 'reporterCount', 'reports', 'userId',
    ]);
    assert.deepEqual([flag.reporterCount, flag.reportCount, flag.reasons], [4, 4, { spam: 4 }]);
    assert.equal(flag.reports.length, 4);
    assert.equal(flag.reports[0].details, 'no 0');
    assert.equal(flag.reports[0].reason, 'spam');

    const answer = await review(admin, bad.userId, { decision: 'confirmed', notes: 'Warned.' });
    const closed = expectOk(answer).flag;
    assert.deepEqual(
      [closed.id, closed.reviewedBy, closed.decision, closed.notes],
      [flag.id, admin.userId, 'confirmed', 'Warned.'],
    );
    assert.deepEqual(await auditOf(answer), {
      action: 'moderation.review', outcome: 'granted', status: 200, actorId: admin.userId, role: 'admin',
      userId: bad.userId,
    });
    assert.deepEqual(expectOk(await review(moderator, bad.userId, { decision: 'dismissed' })).flag, closed);
    assert.equal(await openFlag(), undefined);
    const reviewed = expectOk(await flags(admin, '?reviewed=true&limit=100')).flags;
    assert.equal(reviewed.find(({ id }) => id === flag.id).reports.length, 4);

    await reportedBy(3);
    assert.equal(await openFlag(), undefined);
    await reportedBy(1);
    assert.notEqual((await openFlag()).id, flag.id);
    expectOk(await review(moderator, bad.userId, {}));
  });

  it('moderation is for moderators, and who tries is noted', async () => {
    const [learner, moderator] = [world.learner({ role: 'teacher' }), world.learner({ roles: ['moderator'] })];
    const whom = crypto.randomUUID();
    const details = [{ field: 'Authorization', reason: 'the role moderator or admin is required' }];
    for (const [call, action, about] of [
      [flags(learner), 'moderation.flags', {}],
      [review(learner, whom, {}), 'moderation.review', { userId: whom }],
    ]) {
      const answer = await call;
      expectError(answer, 403, 'FORBIDDEN', details);
      assert.deepEqual(await auditOf(answer), {
        action, outcome: 'denied', status: 403, actorId: learner.userId, role: 'none', ...about,
      });
    }
    const missing = await review(moderator, whom, {});
    expectError(missing, 404, 'NOT_FOUND');
    assert.equal((await auditOf(missing)).outcome, 'denied');
    assert.deepEqual(await auditOf(await flags(moderator)), {
      action: 'moderation.flags', outcome: 'granted', status: 200, actorId: moderator.userId, role: 'moderator',
    });
    assert.equal((await auditOf(await flags(moderator, '?limit=0'))).outcome, 'failed');
    expectError(await world.rest.call('GET', '/api/conversations/moderation/flags'), 401, 'UNAUTHORIZED', [
      { field: 'Authorization', reason: 'a bearer token is required' },
    ]);
    assert.equal((await review(moderator, 'nobody', {})).status, 400);
    assert.equal((await review(moderator, whom, { decision: 'burn' })).status, 400);
  });

  it('moderators read every session and its recording, which is noted', async () => {
    const [a, b] = [world.learner(), world.learner()];
    const sessionId = await storeTalk(world.db, a, b);
    await world.db.query(`UPDATE sessions SET recording_url = 's3://bucket/x.webm' WHERE id = $1`, [sessionId]);
    for (const role of ['moderator', 'admin']) {
      const reader = world.learner({ role });
      const answer = await reader.session(sessionId);
      assert.equal(expectOk(answer).session.recordingUrl, 's3://bucket/x.webm');
      assert.deepEqual(await auditOf(answer), {
        action: 'session.get', outcome: 'granted', status: 200, actorId: reader.userId, role, sessionId,
      });
      const transcript = await reader.call('GET', `/sessions/${sessionId}/transcript`);
      expectOk(transcript);
      assert.equal((await auditOf(transcript)).action, 'session.transcript');
    }
    const own = await a.session(sessionId);
    assert.equal(expectOk(own).session.recordingUrl, undefined);
    expectError(await world.learner().session(sessionId), 404, 'SESSION_NOT_FOUND');
    assert.deepEqual(audits(own.headers['x-correlation-id']), []);
  });

  it('the history has pages, a filter, and for admins everybody', async () => {
    const [a, b] = [world.learner({ name: 'Ana' }), world.learner({ name: 'Bo' })];
    const talks = [];
    for (let i = 0; i < 5; i++)
      talks.unshift(await storeTalk(world.db, a, b, { minutesAgo: 100 - i, language: i === 4 ? 'fr' : 'en' }));
    await world.db.query('UPDATE sessions SET transcript_id = $2 WHERE id = $1', [talks[4], crypto.randomUUID()]);
    expectOk(await a.rate(talks[4], 4));
    const ids = ({ conversations }) => conversations.map(({ sessionId }) => sessionId);
    const all = expectOk(await a.history());
    assert.deepEqual([ids(all), all.total, all.hasMore], [talks, 5, false]);
    const { completedAt, ...oldest } = all.conversations[4];
    assert.ok(completedAt);
    assert.deepEqual(oldest, {
      sessionId: talks[4], topicCode: 'free_talk', topicNameKey: 'topic.free_talk.name', partnerDisplayName: 'Bo',
      durationSeconds: 30, myRating: 4, transcriptAvailable: true,
    });
    assert.equal(all.conversations[0].transcriptAvailable, false);
    const page = expectOk(await a.history('?limit=2&offset=2'));
    assert.deepEqual([ids(page), page.total, page.hasMore], [talks.slice(2, 4), 5, true]);
    const beyond = expectOk(await a.history('?offset=5'));
    assert.deepEqual([ids(beyond), beyond.total, beyond.hasMore], [[], 5, false]);
    assert.deepEqual(ids(expectOk(await a.history('?targetLanguageCode=fr'))), [talks[0]]);
    assert.equal(expectOk(await a.history('?targetLanguageCode=en&limit=1')).total, 4);
    for (const query of ['?limit=0', '?limit=101', '?offset=-1', '?limit=two', '?targetLanguageCode=x!', '?userId=1'])
      assert.equal((await a.history(query)).body.message, 'INVALID_REQUEST', query);

    const admin = world.learner({ role: 'admin' });
    const read = await admin.history(`?userId=${a.userId}`);
    assert.deepEqual(ids(expectOk(read)), talks);
    assert.deepEqual(await auditOf(read), {
      action: 'history.list', outcome: 'granted', status: 200, actorId: admin.userId, role: 'admin', userId: a.userId,
    });
    const refused = await world.learner({ role: 'moderator' }).history(`?userId=${a.userId}`);
    expectError(refused, 403, 'FORBIDDEN', [
      { field: 'userId', reason: "only an admin may read another user's history" },
    ]);
    assert.equal((await auditOf(refused)).outcome, 'denied');
  });

  it('a rating that is sent again counts once, and leaves one event', async () => {
    const [a, b] = [world.learner(), world.learner()];
    const sessionId = await storeTalk(world.db, a, b, { language: 'es' });
    await world.db.query(`UPDATE sessions SET topic_code = 'rated.once' WHERE id = $1`, [sessionId]);
    const mean = () => world.metric('conversation_rating_avg{topic="rated.once"}');
    for (let i = 0; i < 3; i++) assert.equal(expectOk(await a.rate(sessionId, 1, 'Hm')).averageRating, 1);
    assert.equal(expectOk(await b.rate(sessionId, 4)).averageRating, 2.5);
    assert.equal(await mean(), 2.5);
    assert.equal((await eventsOf(sessionId, 'conversation.rated')).length, 2);
    assert.equal(expectOk(await a.rate(sessionId, 2, 'Hm')).averageRating, 3);
    assert.equal(await mean(), 2.5);
    assert.equal((await eventsOf(sessionId, 'conversation.rated')).length, 3);
  });
});

describe('limits after the call', () => {
  let world;
  before(async () => {
    world = await World.create({ env: { RATE_LIMIT_REPORTS: '3', RATE_LIMIT_BLOCKS: '2' } });
  });
  after(() => world.stop());

  it('reports are limited for a user, over REST and sockets together', async () => {
    const [a, b] = [world.learner(), world.learner()];
    const sessionId = await storeTalk(world.db, a, b);
    const socket = await a.connect();
    expectOk(await report(a, sessionId));
    assert.equal((await socket.emit('report_partner', { sessionId, reason: 'spam' })).status, 'ok');
    expectOk(await report(a, sessionId));
    const seconds = expectRetryable(await report(a, sessionId), 429, 'RATE_LIMITED');
    assert.ok(seconds > 3000 && seconds <= 3600, `${seconds}`);
    assert.equal((await socket.emit('report_partner', { sessionId, reason: 'spam' })).code, 'RATE_LIMITED');
    expectOk(await report(b, sessionId));
  });

  it('blocks are limited for a user, taking them back is not', async () => {
    const a = world.learner();
    const whom = crypto.randomUUID();
    for (let i = 0; i < 2; i++) expectOk(await block(a, whom));
    expectRetryable(await block(a, whom), 429, 'RATE_LIMITED');
    for (let i = 0; i < 4; i++) expectOk(await unblock(a, whom));
  });
});

describe('after the call on two instances', () => {
  let world;
  let other;
  before(async () => {
    world = await World.create();
    other = await world.startAnother();
  });
  after(() => world.stop());

  it('a report taken by an instance that has neither socket ends the conversation at the one that has them', async () => {
    const { a, b, sessionId, sa, sb } = await world.conversation();
    a.rest = other.rest;
    expectOk(await report(a, sessionId));
    assert.deepEqual(await sb.take('partner_left'), { partnerId: a.userId, reason: 'ended' });
    for (const socket of [sa, sb]) assert.equal((await socket.take('session_ended')).reason, 'error');
    for (const socket of [sa, sb]) assert.deepEqual(await socket.untaken(), []);
    assert.equal(expectOk(await b.session(sessionId)).session.endReason, 'reported');
  });

  it('a report from a socket at one instance ends the conversation for the partner at the other', async () => {
    const { a, b, sessionId } = await world.pair();
    const sa = await a.enter(sessionId);
    b.rest = other.rest;
    const sb = await b.enter(sessionId);
    for (const socket of [sa, sb]) await socket.take('partner_joined');
    assert.equal((await sa.emit('report_partner', { sessionId, reason: 'spam' })).status, 'ok');
    assert.deepEqual(await sb.take('partner_left'), { partnerId: a.userId, reason: 'ended' });
    for (const socket of [sa, sb]) assert.equal((await socket.take('session_ended')).reason, 'error');
  });

  it('a block taken by one instance is known to the queue of the other', async () => {
    const [a, b] = await twoWhoWait(world, 'it', other.rest);
    for (const learner of [a, b]) await until('both to be known', async () => (await admittedLater(learner)) === 1);
    expectOk(await block(a, b.userId));
    for (const learner of [a, b]) await until('it to be known', async () => (await admittedLater(learner)) === 0);
    expectOk(await unblock(a, b.userId));
    for (const learner of [a, b]) await until('it to be known', async () => (await admittedLater(learner)) === 1);
  });
});
