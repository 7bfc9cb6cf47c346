// What must be so afterwards, of every request that was answered: it was matched once, expired or cancelled; every
// session has exactly two users, and nobody is in two. The outbox is the ledger: sessions that nobody joined are deleted.
import assert from 'node:assert/strict';

const ENDS = { matched: 'conversation.matched', expired: 'match.expired', cancelled: 'match.cancelled' };

function count(list) {
  const counts = new Map();
  for (const item of list) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

function groups(list, keyOf) {
  const all = new Map();
  for (const item of list) all.set(keyOf(item), [...(all.get(keyOf(item)) ?? []), item]);
  return all;
}

async function eventsOf(db, type, idsOf) {
  const rows = await db.query('SELECT payload FROM event_outbox WHERE event_type = $1', [type]);
  return rows.flatMap(({ payload }) => idsOf(payload));
}

export async function unsettled(db) {
  return (await db.one(`SELECT count(*)::int AS n FROM match_requests WHERE status = 'pending'`)).n;
}

// Answers how many of each end there were.
export async function audit(db, asked) {
  const requests = await db.query(
    `SELECT id, user_id, status, matched_session_id AS session, matched_with_user_id AS partner FROM match_requests`,
  );
  const byId = new Map(requests.map((r) => [r.id, r]));
  for (const { id, userId, told } of asked) {
    const r = byId.get(id);
    assert.ok(r, `request ${id} was answered and is gone`);
    assert.equal(r.user_id, userId);
    assert.ok(r.status in ENDS, `request ${id} is ${r.status}`);
    if (told) assert.equal(r.status, told, `request ${id}: what DELETE said`);
  }
  // A request that could not be put into Redis is taken back, and the retry makes another.
  const kept = requests.filter((r) => r.status !== 'cancelled');
  assert.equal(new Set(kept.map((r) => r.user_id)).size, kept.length, 'a retry made a second request');

  const matched = requests.filter((r) => r.status === 'matched');
  const bySession = groups(matched, (r) => r.session);
  for (const [session, pair] of bySession) {
    assert.equal(pair.length, 2, `session ${session} has ${pair.length} requests`);
    assert.equal(pair[0].partner, pair[1].user_id);
    assert.equal(pair[1].partner, pair[0].user_id);
  }
  const seats = await db.query(
    'SELECT session_id, count(*)::int AS n, count(DISTINCT user_id)::int AS users FROM session_participants GROUP BY 1',
  );
  for (const s of seats) {
    assert.deepEqual([s.n, s.users], [2, 2], `session ${s.session_id}`);
    assert.ok(bySession.has(s.session_id), `session ${s.session_id} is of no request`);
  }
  const sitting = await db.query('SELECT user_id FROM session_participants');
  assert.equal(new Set(sitting.map((s) => s.user_id)).size, sitting.length, 'somebody is in two sessions');

  const told = await eventsOf(db, 'match.requested', (p) => [p.matchRequestId]);
  assert.deepEqual(count(told), count(requests.map((r) => r.id)), 'match.requested, once of each');
  for (const [status, type] of Object.entries(ENDS)) {
    const ids = await eventsOf(db, type, (p) => p.matchRequestIds ?? [p.matchRequestId]);
    const ended = requests.filter((r) => r.status === status).map((r) => r.id);
    assert.deepEqual(count(ids), count(ended), `${type}, once of each ${status} request`);
  }
  return Object.fromEntries(count(requests.map((r) => r.status)));
}
