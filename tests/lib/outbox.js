// Events as if the daemon's statements had written them, at any rate, and what must be so of them on the topic.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

const BATCH_MS = 20;

// Of so many users; each one's events are numbered in the payload: `sequence`, from 0.
export class EventLoad {
  constructor(db, users) {
    this.db = db;
    this.users = Array.from({ length: users }, () => crypto.randomUUID());
    this.next = this.users.map(() => 0);
    this.turn = 0;
    this.written = new Map(); // user -> how many of its events were committed
    this.isEnough = false;
  }

  // One transaction; when it fails nothing was written.
  async write(count) {
    const next = [...this.next];
    const rows = [];
    for (let i = 0; i < count; i++) {
      const user = this.turn++ % this.users.length;
      rows.push({ key: this.users[user], sequence: next[user]++, request: crypto.randomUUID() });
    }
    await this.db.query(
      `INSERT INTO event_outbox (event_type, key, payload, correlation_id)
       SELECT 'match.requested', r.key,
              jsonb_build_object('matchRequestId', r.request, 'userId', r.key, 'targetLanguageCode', 'en',
                                 'topicCode', 'free_talk', 'preferredPartnerLevel', 'same', 'sequence', r.sequence),
              gen_random_uuid()
         FROM jsonb_to_recordset($1) AS r (key text, sequence int, request text)`,
      [JSON.stringify(rows)],
    );
    this.next = next;
    for (const { key } of rows) this.written.set(key, (this.written.get(key) ?? 0) + 1);
  }

  // So many, at this many a second, or until enough(). What could not be written because the database was away is
  // written later; a transaction whose answer got lost may have been made, so its users' numbers are looked up first.
  async run(count, perSecond) {
    const size = Math.max(1, Math.round((perSecond * BATCH_MS) / 1000));
    let due = Date.now();
    let isUnsure = false;
    for (let left = count; left > 0 && !this.isEnough; ) {
      try {
        if (isUnsure) left -= await this.#recount();
        isUnsure = false;
        const now = Math.min(size, left);
        await this.write(now);
        left -= now;
      } catch {
        isUnsure = true;
      }
      due += BATCH_MS;
      await delay(Math.max(0, due - Date.now()));
    }
    if (isUnsure) await this.#recount().catch(() => {}); // away for good: then the test has failed
  }

  // Nothing is begun any more; run() has ended soon after.
  enough() {
    this.isEnough = true;
  }

  // Takes the numbers from the table; answers how many were there that we did not know of.
  async #recount() {
    const rows = await this.db.query(`SELECT key, count(*)::int AS n FROM event_outbox GROUP BY key`);
    let found = 0;
    for (const { key, n } of rows) {
      const user = this.users.indexOf(key);
      if (user < 0) continue;
      found += n - (this.written.get(key) ?? 0);
      this.written.set(key, n);
      this.next[user] = n;
    }
    return found;
  }
}

// Nothing is missing, and by the first occurrence of each event each user's are in order; answers how many came again.
export function assertComplete(events, written) {
  const seen = new Set();
  const next = new Map();
  let again = 0;
  for (const { eventId, payload } of events) {
    if (seen.has(eventId)) {
      again++;
      continue;
    }
    seen.add(eventId);
    assert.equal(payload.sequence, next.get(payload.userId) ?? 0, `an event of ${payload.userId} out of order`);
    next.set(payload.userId, payload.sequence + 1);
  }
  assert.deepEqual(next, written);
  return again;
}
