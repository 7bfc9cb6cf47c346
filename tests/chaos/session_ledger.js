// What must be so of every session afterwards: it has ended once, for one reason, with the events of its life each once in
// the outbox; and whoever was told of its end was told that.
import assert from 'node:assert/strict';
import { until } from '../lib/wait.js';

const WIRE_REASONS = {
  completed: 'completed',
  left: 'partner_left',
  dropped: 'partner_left',
  no_show: 'partner_left',
  timeout: 'timeout',
  reported: 'error',
};
// What a session in each status has had, in this order. One that nobody joined is deleted: it was matched.
const LIVES = {
  completed: 'conversation.matched conversation.started conversation.completed',
  aborted: 'conversation.matched conversation.started conversation.aborted',
  expired: 'conversation.matched',
  cancelled: 'conversation.matched',
  deleted: 'conversation.matched',
};

// And nobody waits any more who could be in another one: learners who have stopped were perhaps put back into the queue, and are
// paired with each other after a while. Both at one moment, or a session begins between the two looks.
// Those that have not are told with their seats, and with what is known of the instances there: who should have ended them?
export async function allHaveEnded(db) {
  const live = await db.query(
    `SELECT 'session' AS what, s.id, s.status, s.created_at, s.first_joined_at, s.started_at,
            json_agg(json_build_object('joinedAt', p.joined_at, 'joins', p.joins, 'at', p.joined_by,
                                       'seenAt', i.seen_at, 'isStopped', i.is_stopped) ORDER BY p.position) AS seats
       FROM sessions s JOIN session_participants p ON p.session_id = s.id LEFT JOIN instances i ON i.id = p.joined_by
      WHERE s.status IN ('waiting', 'active') GROUP BY s.id
      UNION ALL
     SELECT 'request', id, status, created_at, NULL, NULL, NULL FROM match_requests WHERE status = 'pending'`,
  );
  assert.deepEqual(live, []);
  return true;
}

// Answers how many of each status and reason there were.
export async function auditSessions(db, notes) {
  const sessions = await db.query('SELECT id, status, end_reason AS reason FROM sessions');
  const byId = new Map(sessions.map((s) => [s.id, s]));
  for (const [key, told] of notes.told) {
    const [id] = key.split(' ');
    assert.ok(byId.has(id), `session ${id} was told to be over and is gone`);
    assert.equal(told, WIRE_REASONS[byId.get(id).reason], `session ${id}: what was told of its end`);
  }

  const events = await db.query(
    `SELECT event_id, event_type AS type, payload->>'sessionId' AS session FROM event_outbox
      WHERE event_type LIKE 'conversation.%' ORDER BY id`,
  );
  assert.equal(new Set(events.map((e) => e.event_id)).size, events.length, 'every eventId once');
  const lives = new Map();
  for (const { type, session } of events) lives.set(session, [...(lives.get(session) ?? []), type]);
  for (const [id, life] of lives)
    assert.equal(life.join(' '), LIVES[byId.get(id)?.status ?? 'deleted'], `events of session ${id}`);
  for (const id of byId.keys()) assert.ok(lives.has(id), `session ${id} has no events`);

  const seats = await db.query('SELECT count(*)::int AS n FROM session_participants WHERE is_live');
  assert.equal(seats[0].n, 0, 'nobody is in a session any more');
  const ends = {};
  for (const { status, reason } of sessions) ends[`${status} ${reason}`] = (ends[`${status} ${reason}`] ?? 0) + 1;
  return ends;
}

export async function allAreSent(db) {
  const { n } = await db.one('SELECT count(*)::int AS n FROM event_outbox WHERE sent_at IS NULL');
  assert.equal(n, 0);
  return true;
}

// On the topic is every event of the outbox and no other, those of one key in their order. What comes again after a fault
// is known by its eventId. Answers how many came again.
export async function auditTopic(db, topic) {
  const rows = await db.query('SELECT event_id AS id, key FROM event_outbox ORDER BY event_outbox.id');
  await until('every event to be on the topic', () => new Set(topic.ids()).size >= rows.length, 60_000);
  const firsts = new Map();
  for (const { key, headers } of topic.messages) {
    const seen = firsts.get(key) ?? new Set();
    firsts.set(key, seen.add(headers['event-id']));
  }
  const written = new Map();
  for (const { id, key } of rows) written.set(key, [...(written.get(key) ?? []), id]);
  assert.deepEqual(new Set(firsts.keys()), new Set(written.keys()), 'keys on the topic');
  for (const [key, ids] of written) assert.deepEqual([...firsts.get(key)], ids, `events of ${key}`);
  return topic.messages.length - rows.length;
}
