// The whole main job as two learners live it. Used by the end-to-end test, which keeps quiet, and by
// tests/e2e/two-learners, which prints every step.
import assert from 'node:assert/strict';
import { END_OF_CANDIDATES, candidate, sdp } from '../lib/sdp.js';

const LANGUAGE = 'en';
const LEVEL = 'B1';

function ok(answer, status = 200) {
  assert.equal(answer.status, status, answer.text);
  return answer.body;
}

async function chooseTopic(learner, say) {
  const { topics } = ok(await learner.topics(`targetLanguageCode=${LANGUAGE}&level=${LEVEL}`));
  const topic = topics.find((each) => each.isUnlocked);
  assert.ok(topic, 'a topic is open to a premium learner');
  say(`${topics.length} topics in ${LANGUAGE} at ${LEVEL}; both take ${topic.code} ("${topic.title}")`);
  return topic.code;
}

async function meet(a, b, topicCode, say) {
  for (const learner of [a, b]) {
    const { matchRequest } = ok(await learner.requestMatch({ targetLanguageCode: LANGUAGE, topicCode }), 201);
    assert.equal(matchRequest.status, 'pending');
    say(
      `${learner.name} asks for a partner: request ${matchRequest.id}, estimated wait ${matchRequest.estimatedWaitTimeSeconds} s`,
    );
  }
  const asked = performance.now();
  const ids = await Promise.all([a.matched(), b.matched()]);
  say(`both are matched after ${(performance.now() - asked).toFixed(1)} ms`);
  assert.equal(ids[0], ids[1], 'both are told the same session');
  return ids[0];
}

async function joinOverRest(a, b, sessionId, say) {
  for (const learner of [a, b]) {
    const { session } = ok(await learner.join(sessionId));
    assert.equal(session.id, sessionId);
    assert.equal(session.status, 'waiting');
    assert.deepEqual(session.participants.map((p) => p.userId).sort(), [a.userId, b.userId].sort());
    assert.ok(session.webrtcConfig.iceServers.length > 0, 'ICE servers are configured');
    say(
      `${learner.name} joins over REST: ${session.topic.code}, at most ${session.maxDurationSeconds} s, ${session.webrtcConfig.iceServers.length} ICE server(s)`,
    );
  }
}

async function joinWithSockets(a, b, sessionId, say) {
  const sockets = [await a.enter(sessionId), await b.enter(sessionId)];
  const partners = [b, a];
  for (const [i, socket] of sockets.entries()) {
    const event = await socket.take('partner_joined');
    assert.equal(event.partnerId, partners[i].userId);
    assert.equal(event.partnerName, partners[i].name);
    assert.equal(event.nativeLanguageCode, partners[i].person.native);
    assert.equal(event.targetLanguageCode, LANGUAGE);
    say(
      `${partners[1 - i].name} is told: partner_joined ${event.partnerName} (native ${event.nativeLanguageCode})`,
    );
  }
  return sockets;
}

// What `from` sends reaches `to` as it was sent, and nobody else.
async function relay({ from, to, sender, receiver, sessionId }, event, payload, say) {
  const ack = await from.emit(event, { sessionId, targetUserId: receiver.userId, ...payload });
  assert.equal(ack.status, 'ok', JSON.stringify(ack));
  const got = await to.take(event);
  assert.deepEqual(got, { from: sender.userId, ...payload });
  assert.ok(!(await from.untaken()).includes(event), `${event} does not come back to its sender`);
  say(`${sender.name} -> ${receiver.name}: ${event}, verbatim`);
}

async function negotiate(a, b, sa, sb, sessionId, say) {
  const there = { from: sa, to: sb, sender: a, receiver: b, sessionId };
  const back = { from: sb, to: sa, sender: b, receiver: a, sessionId };
  await relay(there, 'offer', { sdp: sdp('actpass', 'aaaa') }, say);
  await relay(back, 'answer', { sdp: sdp('active', 'bbbb') }, say);
  for (const port of [50001, 50002]) {
    await relay(there, 'ice_candidate', { candidate: candidate(port, 'aaaa') }, say);
    await relay(back, 'ice_candidate', { candidate: candidate(port + 10, 'bbbb') }, say);
  }
  await relay(there, 'ice_candidate', { candidate: END_OF_CANDIDATES }, say);
}

async function samePrompt(sa, sb) {
  const prompts = [await sa.take('new_prompt'), await sb.take('new_prompt')];
  assert.deepEqual(prompts[0], prompts[1], 'both see the same prompt');
  assert.ok(prompts[0].promptKey);
  return prompts[0];
}

// The first prompt comes by itself; the next one may be asked for once PROMPT_REQUEST_GAP_SECONDS have passed.
async function prompts(sa, sb, a, sessionId, say) {
  const first = await samePrompt(sa, sb);
  assert.equal(first.category, 'icebreaker');
  say(`icebreaker: ${first.promptKey}`);
  const next = await askForPrompt(sa, sb, sessionId, say);
  assert.notEqual(next.promptKey, first.promptKey);
  say(`${a.name} asks for the next prompt: ${next.promptKey} (${next.category})`);
}

async function askForPrompt(sa, sb, sessionId, say) {
  let refusals = 0;
  for (const deadline = Date.now() + 15_000; ;) {
    const ack = await sa.emit('request_next_prompt', { sessionId });
    if (ack.status === 'ok') return samePrompt(sa, sb);
    assert.equal(ack.code, 'RATE_LIMITED');
    if (refusals++ === 0) say('asked too early for the next prompt: RATE_LIMITED; trying on');
    assert.ok(Date.now() < deadline, 'a prompt may be asked for after a while');
    await new Promise((resolve) => {
      setTimeout(resolve, 250);
    });
  }
}

async function finish(a, b, sa, sb, sessionId, say) {
  const { session } = ok(await a.end(sessionId));
  assert.equal(session.status, 'completed');
  for (const [learner, socket] of [
    [a, sa],
    [b, sb],
  ]) {
    const ended = await socket.take('session_ended');
    assert.equal(ended.reason, 'completed');
    assert.equal(ended.durationSeconds, session.durationSeconds);
    say(`${learner.name} is told: session_ended ${ended.reason}, ${ended.durationSeconds} s`);
  }
}

async function rateAndRemember(a, b, sessionId, topicCode, say) {
  assert.deepEqual(ok(await a.rate(sessionId, 5, 'Patient and funny.')), { success: true, averageRating: 5 });
  assert.deepEqual(ok(await b.rate(sessionId, 4)), { success: true, averageRating: 4.5 });
  say(`${a.name} rates 5, ${b.name} rates 4: average 4.5`);
  for (const [learner, partner, rating] of [
    [a, b, 5],
    [b, a, 4],
  ]) {
    const { conversations } = ok(await learner.history());
    const entry = conversations.find((each) => each.sessionId === sessionId);
    assert.ok(entry, 'the conversation is in the history');
    assert.equal(entry.topicCode, topicCode);
    assert.equal(entry.partnerDisplayName, partner.name);
    assert.equal(entry.myRating, rating);
    say(
      `history of ${learner.name}: ${entry.topicCode} with ${entry.partnerDisplayName}, ${entry.durationSeconds} s, my rating ${entry.myRating}`,
    );
  }
}

// Lets two learners who never met have one conversation; answers its session id. say(line) tells each step.
export async function twoLearnersMeet(a, b, say = () => {}) {
  const topicCode = await chooseTopic(a, say);
  const sessionId = await meet(a, b, topicCode, say);
  await joinOverRest(a, b, sessionId, say);
  const [sa, sb] = await joinWithSockets(a, b, sessionId, say);
  await negotiate(a, b, sa, sb, sessionId, say);
  await prompts(sa, sb, a, sessionId, say);
  await finish(a, b, sa, sb, sessionId, say);
  await rateAndRemember(a, b, sessionId, topicCode, say);
  return sessionId;
}
