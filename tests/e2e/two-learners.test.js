// Two learners meet, and what must not happen when they do.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sdp, candidate } from '../lib/sdp.js';
import { World } from '../lib/world.js';
import { twoLearnersMeet } from './scenario.js';

let world;
before(async () => {
  world = await World.create({
    env: { SESSION_RECONNECT_GRACE_SECONDS: '1', PROMPT_REQUEST_GAP_SECONDS: '2' },
  });
});
after(() => world.stop());

function refused(ack, code) {
  assert.equal(ack.status, 'error', JSON.stringify(ack));
  assert.equal(ack.code, code);
  assert.equal(typeof ack.message, 'string');
}

const SIGNALS = {
  offer: () => ({ sdp: sdp() }),
  answer: () => ({ sdp: sdp('active') }),
  ice_candidate: () => ({ candidate: candidate(50000) }),
};

describe('two learners meet', () => {
  it('does the whole job, and leaves its events in the outbox in order', async () => {
    const [a, b] = [world.learner({ native: 'es' }), world.learner({ native: 'fr' })];
    const sessionId = await twoLearnersMeet(a, b);
    const events = await world.db.query(
      `SELECT event_type FROM event_outbox WHERE payload->>'sessionId' = $1 ORDER BY id`,
      [sessionId],
    );
    assert.deepEqual(
      events.map((row) => row.event_type),
      [
        'conversation.matched',
        'conversation.started',
        'conversation.completed',
        'conversation.rated',
        'conversation.rated',
      ],
    );
  });
});

describe('what must and must not happen', { concurrency: true }, () => {
  it('tells a waiting learner of the match on the socket', async () => {
    const person = { levels: { en: 'C1' } }; // nobody else's in this file
    const [a, b] = [world.learner(person), world.learner(person)];
    const [sa, sb] = [await a.connect(), await b.connect()];
    const [ra, rb] = [await a.requestMatch(), await b.requestMatch()];
    for (const [socket, answer, partner] of [
      [sa, ra, b],
      [sb, rb, a],
    ]) {
      const found = await socket.take('match_found');
      assert.equal(found.matchRequestId, answer.body.matchRequest.id);
      assert.equal(found.sessionId, await partner.matched());
      assert.equal(found.topicCode, 'free_talk');
      assert.equal(found.sessionType, 'practice');
      assert.equal(found.levelDifference, 0);
      assert.ok(JSON.stringify(found.partner).includes(partner.name), JSON.stringify(found.partner));
      assert.equal(found.notice, undefined);
    }
  });

  it('keeps a third user out of the session, over REST and over the socket', async () => {
    const { a, b, sessionId, sa, sb } = await world.conversation();
    const stranger = world.learner();
    for (const call of ['join', 'leave', 'end', 'session']) {
      const answer = await stranger[call](sessionId);
      assert.equal(answer.status, 404, `${call}: ${answer.text}`);
      assert.equal(answer.body.message, 'SESSION_NOT_FOUND');
    }
    const rating = await stranger.rate(sessionId, 1);
    assert.equal(rating.body.message, 'SESSION_NOT_FOUND');

    const socket = await stranger.connect();
    refused(await socket.emit('join_session', { userId: stranger.userId, sessionId }), 'SESSION_NOT_FOUND');
    refused(await socket.emit('join_session', { userId: a.userId, sessionId }), 'FORBIDDEN');
    for (const [event, payload] of Object.entries(SIGNALS)) {
      const ack = await socket.emit(event, { sessionId, targetUserId: b.userId, ...payload() });
      assert.equal(ack.status, 'error', `${event} of a stranger`);
    }
    assert.equal((await socket.emit('request_next_prompt', { sessionId })).status, 'error');
    assert.equal(
      (await socket.emit('leave_session', { sessionId, userId: stranger.userId })).status,
      'error',
    );
    refused(await socket.emit('leave_session', { sessionId, userId: a.userId }), 'FORBIDDEN');

    await sa.emit('offer', { sessionId, targetUserId: b.userId, sdp: sdp() });
    await sb.take('offer');
    assert.deepEqual(await socket.untaken(), [], 'the stranger sees nothing');
    assert.deepEqual(await sa.untaken(), [], 'the participants see nothing of the stranger');
    assert.deepEqual(await sb.untaken(), []);
    assert.equal((await a.session(sessionId)).body.session.status, 'active');
  });

  it('relays to the partner only', async () => {
    const { b, sessionId, sa, sb } = await world.conversation();
    const other = await world.conversation();
    for (const [event, payload] of Object.entries(SIGNALS)) {
      refused(await sa.emit(event, { sessionId, targetUserId: other.a.userId, ...payload() }), 'FORBIDDEN');
      const foreign = await sa.emit(event, {
        sessionId: other.sessionId,
        targetUserId: other.a.userId,
        ...payload(),
      });
      assert.equal(foreign.status, 'error');
      const ack = await sa.emit(event, { sessionId, targetUserId: b.userId, ...payload() });
      assert.equal(ack.status, 'ok');
      await sb.take(event);
    }
    for (const socket of [sa, sb, other.sa, other.sb]) assert.deepEqual(await socket.untaken(), []);
  });

  it('refuses bad SDP and candidates and relays none of it', async () => {
    const { b, sessionId, sa, sb } = await world.conversation();
    const good = sdp();
    const bad = {
      empty: '',
      'not SDP': 'hello',
      'no version': good.replace('v=0\r\n', ''),
      'wrong order': good.replace('s=-\r\nt=0 0', 't=0 0\r\ns=-'),
      'no media': good.slice(0, good.indexOf('m=audio')),
      'no fingerprint': good.replace(/a=fingerprint.*\r\n/, ''),
      'no ICE credentials': good.replace(/a=ice-ufrag.*\r\n/, ''),
      'control character': good.replace('s=-', 's=\u0001'),
      'over 10 KiB': good + 'a=x:0123456789\r\n'.repeat(700),
    };
    for (const [why, text] of Object.entries(bad)) {
      for (const event of ['offer', 'answer']) {
        const ack = await sa.emit(event, { sessionId, targetUserId: b.userId, sdp: text });
        assert.equal(ack.code, 'INVALID_SDP', `${event} with ${why}: ${JSON.stringify(ack)}`);
      }
    }
    for (const text of ['nonsense', 'candidate:1 1 udp', `candidate:${'x'.repeat(2000)}`]) {
      const ack = await sa.emit('ice_candidate', {
        sessionId,
        targetUserId: b.userId,
        candidate: { ...candidate(1), candidate: text },
      });
      assert.equal(ack.code, 'INVALID_CANDIDATE', text.slice(0, 40));
    }
    assert.deepEqual(await sb.untaken(), []);
  });

  it('says what was wrong in `exception` when no acknowledgement was asked for', async () => {
    const { b, sessionId, sa } = await world.conversation();
    sa.send('offer', { sessionId, targetUserId: b.userId, sdp: 'x' });
    const exception = await sa.take('exception');
    assert.equal(exception.status, 'error');
    assert.equal(exception.code, 'INVALID_SDP');
    assert.equal(exception.event, 'offer');
  });

  it('refuses an expired token everywhere, but does not cut a running conversation', async () => {
    const { a, sessionId, sa } = await world.conversation();
    const late = world.token(a.person, -60);
    const answer = await a.call('GET', `/sessions/${sessionId}`, undefined, { token: late });
    assert.equal(answer.status, 401);
    assert.equal(answer.body.message, 'UNAUTHORIZED');
    const error = await a.socket({ auth: { token: late } }).refused();
    assert.equal(error.message, 'Invalid token');
    assert.equal((await sa.emit('offer', { sessionId, targetUserId: a.userId, sdp: 'x' })).status, 'error');
    assert.equal(sa.disconnectReason, undefined);
  });

  it('aborts when one drops out in the first minute and does not come back', async () => {
    const { a, b, sessionId, sa, sb } = await world.conversation();
    sa.drop();
    assert.deepEqual(await sb.take('partner_left'), { partnerId: a.userId, reason: 'disconnect' });
    const ended = await sb.take('session_ended');
    assert.equal(ended.reason, 'partner_left');
    const { session } = (await b.session(sessionId)).body;
    assert.equal(session.status, 'aborted');
    assert.equal(session.endReason, 'dropped');
    const { conversations } = (await b.history()).body;
    assert.deepEqual(conversations, [], 'an aborted conversation is not in the history');
  });

  it('aborts when one leaves in the first minute', async () => {
    const { a, b, sessionId, sa, sb } = await world.conversation();
    assert.equal((await sa.emit('leave_session', { sessionId, userId: a.userId })).status, 'ok');
    assert.equal((await sb.take('session_ended')).reason, 'partner_left');
    const { session } = (await b.session(sessionId)).body;
    assert.equal(session.status, 'aborted');
    assert.equal(session.endReason, 'left');
  });
});

describe('a dropped socket within the grace', () => {
  let patient;
  before(async () => {
    patient = await World.create({ env: { SESSION_RECONNECT_GRACE_SECONDS: '20' } });
  });
  after(() => patient.stop());

  it('may come back: the session goes on', async () => {
    const { a, b, sessionId, sa, sb } = await patient.conversation();
    sa.drop();
    await sb.take('partner_left');
    const again = await a.enter(sessionId);
    assert.equal((await again.take('session_state')).sessionId, sessionId);
    assert.equal((await sb.take('partner_joined')).partnerId, a.userId);
    assert.equal((await again.emit('offer', { sessionId, targetUserId: b.userId, sdp: sdp() })).status, 'ok');
    await sb.take('offer');
    assert.equal((await b.session(sessionId)).body.session.status, 'active');
  });

  it('a second socket takes over from the first', async () => {
    const { a, b, sessionId, sa, sb } = await patient.conversation();
    const second = await a.enter(sessionId);
    await sa.disconnected();
    await sb.emit('offer', { sessionId, targetUserId: a.userId, sdp: sdp() });
    assert.equal((await second.take('offer')).from, b.userId);
    assert.equal((await b.session(sessionId)).body.session.status, 'active');
  });
});
