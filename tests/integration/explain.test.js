// GET /match-request/explain against a real queue.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { expectError, expectOk } from '../lib/expect.js';
import { World } from '../lib/world.js';

const GERMAN = { targetLanguageCode: 'de', topicCode: 'travel.airport' };

const explanationOf = async (learner) => expectOk(await learner.matchExplanation()).explanation;
const excludedBy = (explanation) =>
  Object.fromEntries(explanation.constraints.filter((c) => c.excluded).map((c) => [c.code, c.excluded]));

describe('an explanation', () => {
  let world;
  before(async () => {
    world = await World.create();
  });
  after(() => world.stop());

  const waiting = async (level, body) => {
    const learner = world.learner({ native: 'es', levels: { de: level } });
    const { matchRequest } = expectOk(await learner.requestMatch({ ...GERMAN, ...body }), 201);
    return Object.assign(learner, { requestId: matchRequest.id, expiresAt: Date.parse(matchRequest.expiresAt) });
  };

  it('is there only for a live request', async () => {
    const learner = await waiting('C2');
    assert.equal((await explanationOf(learner)).matchRequestId, learner.requestId);
    expectOk(await learner.cancelMatch(learner.requestId));
    expectError(await learner.matchExplanation(), 404, 'MATCH_REQUEST_NOT_FOUND');
    expectError(await world.learner().matchExplanation(), 404, 'MATCH_REQUEST_NOT_FOUND');
  });

  it('counts whom each term keeps away, what comes next, and what would help', async () => {
    const asking = await waiting('B1');
    const others = [
      await waiting('B2', { preferredPartnerLevel: 'lower' }),
      await waiting('C1', { topicCode: 'travel.hotel' }),
      await waiting('B1', { topicCode: 'travel.hotel' }),
      await waiting('B1', { topicCode: 'free_talk', preferredPartnerNativeLanguageCode: 'de' }),
    ];
    const explanation = await explanationOf(asking);
    assert.equal(explanation.candidates, 4);
    assert.equal(explanation.eligible, 0);
    assert.equal(explanation.isExact, true);
    assert.deepEqual(excludedBy(explanation), { TANDEM: 1, TOPIC: 2, LEVEL: 1 });
    assert.deepEqual(
      explanation.nextPhases.map(({ phase, admits }) => [phase, admits]),
      [
        ['level', 1],
        ['category', 2],
        ['any_level', 3],
      ],
    );
    const last = explanation.nextPhases.at(-1);
    assert.equal(Date.parse(last.at), asking.expiresAt - 1000, 'the last pass');
    const more = Object.fromEntries(explanation.suggestions.map((s) => [s.text, s.more]));
    assert.deepEqual(more, {
      '1 more if you accept B2': 1,
      '1 more if you accept any level': 1,
      '1 more in this category': 1,
      '1 more for travel.hotel': 1,
    });
    for (const learner of [asking, ...others]) expectOk(await learner.cancelMatch(learner.requestId));
  });

  it('keeps its word: who accepts B2 is paired at once', async () => {
    const asking = await waiting('B1');
    const partner = await waiting('B2', { preferredPartnerLevel: 'lower' });
    const { suggestions } = await explanationOf(asking);
    const { preferredPartnerLevel } = suggestions.find((s) => s.level === 'B2');
    expectOk(await asking.cancelMatch(asking.requestId));
    expectOk(await asking.requestMatch({ ...GERMAN, preferredPartnerLevel }), 201);
    assert.equal(await asking.matched(), await partner.matched());
    expectError(await asking.matchExplanation(), 404, 'MATCH_REQUEST_NOT_FOUND');
  });
});
