// Every event in every state of a session: the row, its copy in Redis, what either learner is told, what goes to the
// outbox, and what is answered, against a table that is written out in tests/lib/session_table.js.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { SESSION_TABLE, STATES } from '../lib/session_table.js';
import { until } from '../lib/wait.js';
import { World } from '../lib/world.js';

const AT_ONCE = 6; // cells under way at the same time
const TALKED_MS = 120_000; // of a conversation that is past its first minute
const SHORT_SECONDS = 4; // a limit that is reached, though both have joined, and perhaps gone, before
const TRIES = 5; // to reach a state before its times have passed: the machine may stand still for as long
const sdp = [
  'v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'c=IN IP4 0.0.0.0',
  'a=ice-ufrag:abcd', 'a=ice-pwd:asd88fgpdd777uzjYhagZg12', `a=fingerprint:sha-256 ${Array(32).fill('AA').join(':')}`, '',
].join('\r\n');

// --- a pair, and the state that its session is brought to

let languages = 0; // each pair has one of its own: nobody who waits again is matched with another cell's
const letter = (n) => String.fromCharCode(97 + (Math.floor(n) % 26));

class Pair {
  constructor(world, maxSeconds) {
    this.world = world;
    this.id = crypto.randomUUID();
    this.language = `q${letter(languages / 26)}${letter(languages++)}`;
    [this.a, this.b] = ['Ana', 'Ben'].map((name) => world.learner({ name }));
    this.maxSeconds = maxSeconds;
    this.sockets = { a: null, b: null }; // the newest of each; its events are what the learner is told
  }

  // As a match left it, in `status`; the requests of both are matched.
  async store(status, reason = null) {
    await this.world.db.query(
      `WITH t AS (INSERT INTO topics (code, target_language_code, name_key, description_key, title, level, category,
                                      estimated_duration_minutes)
                  VALUES ('free_talk', $1, 'k', 'k', 'Free', 'A1', 'other', 15) RETURNING id)
       INSERT INTO topic_prompts (topic_id, prompt_key, type, sort_order)
       SELECT t.id, p.type, p.type, 1 FROM t CROSS JOIN unnest(ARRAY['icebreaker', 'main', 'follow_up']) AS p (type)`,
      [this.language],
    );
    const [ended, started] = [reason ? 'now()' : 'NULL', ['completed', 'aborted'].includes(status) ? 'now()' : 'NULL'];
    await this.world.db.query(
      `WITH s AS (INSERT INTO sessions (id, target_language_code, topic_code, target_level, session_type, max_duration_seconds,
                                        status, end_reason, started_at, ended_at)
                  VALUES ($1, $2, 'free_talk', 'B1', 'practice', $3, $4, $5, ${started}, ${ended}) RETURNING id),
            p AS (INSERT INTO session_participants (session_id, user_id, position, role, native_language_code,
                                                    target_language_code, display_name, is_live)
                  SELECT s.id, u.user_id, u.ordinal - 1, 'learner', 'es', $2, 'Ana', $5::text IS NULL
                    FROM s, unnest($6::uuid[]) WITH ORDINALITY AS u (user_id, ordinal))
       INSERT INTO match_requests (id, user_id, target_language_code, native_language_code, current_level,
                                   preferred_partner_level, topic_code, topic_category, mode, max_wait_seconds, tier, status,
                                   matched_session_id, matched_with_user_id, matched_at, expires_at)
       SELECT gen_random_uuid(), u.user_id, $2, 'es', 'B1', 'same', 'free_talk', 'other', 'now', 120, 'premium', 'matched',
              s.id, gen_random_uuid(), now(), now()
         FROM s, unnest($6::uuid[]) AS u (user_id)`,
      [this.id, this.language, this.maxSeconds, status, reason, [this.a.userId, this.b.userId]],
    );
  }

  async connect(who) {
    this.sockets[who] = await this[who].connect();
    return this.sockets[who];
  }

  join(who, socket = this.sockets[who]) {
    return socket.emit('join_session', { userId: this[who].userId, sessionId: this.id });
  }

  // Gone, and the daemon knows.
  async drop(who) {
    const { userId } = this[who];
    this.sockets[who].close();
    await this.world.daemon.log('of a socket that has gone', (line) => line.event === 'socket.disconnected' && line.userId === userId);
    this.sockets[who] = null;
  }

  // It has been active for two minutes, as far as the database knows.
  age() {
    return this.world.db.query(
      `UPDATE sessions SET started_at = started_at - $2 * interval '1 ms', first_joined_at = first_joined_at - $2 * interval '1 ms'
        WHERE id = $1`,
      [this.id, TALKED_MS],
    );
  }

  // Status and reason; of one that waits, who has joined it.
  async row() {
    const rows = await this.world.db.query(
      `SELECT s.status, s.end_reason,
              (SELECT string_agg(CASE p.position WHEN 0 THEN 'a' ELSE 'b' END, ' and ' ORDER BY p.position)
                 FROM session_participants p WHERE p.session_id = s.id AND p.joined_at IS NOT NULL AND s.status = 'waiting')
              AS joined
         FROM sessions s WHERE s.id = $1`,
      [this.id],
    );
    if (!rows.length) return 'deleted';
    const { status, end_reason: reason, joined } = rows[0];
    return [status, reason, joined && `with ${joined}`].filter(Boolean).join(' ');
  }

  async outbox() {
    const rows = await this.world.db.query(
      `SELECT event_type, key FROM event_outbox WHERE payload->>'sessionId' = $1 OR payload->>'userId' = ANY ($2) ORDER BY id`,
      [this.id, [this.a.userId, this.b.userId]],
    );
    for (const { key } of rows) assert.equal(key, this.a.userId, 'the key is the first participant');
    return rows.map((row) => row.event_type);
  }
}

// How each state is reached. Sockets of both are connected, whether they have joined or not, but where the state says that
// somebody is gone. Answers the row and how many events were in the outbox; what anybody is told from then on is left in
// their sockets' events.
async function reach(pair, state) {
  const { status, reason, joined, gone = [], isLate } = STATES[state];
  await pair.store(joined?.length === 2 ? 'waiting' : status, reason);
  for (const who of ['a', 'b']) await pair.connect(who);
  for (const who of joined ?? []) assert.equal((await pair.join(who)).status, 'ok');
  if (isLate) await pair.age();
  for (const who of gone) await pair.drop(who);
  for (const who of ['a', 'b']) await pair.sockets[who]?.barrier();
  for (const who of ['a', 'b']) pair.sockets[who]?.events.splice(0);
  const outbox = (await pair.outbox()).length;
  const row = await pair.row();
  assert.equal(row.split(' ')[0], status);
  return { row, outbox };
}

// A pair in that state: {pair, before}. Where times are short they may have ended its session on the way: then another one.
async function pairIn(world, state, { maxSeconds, witness }) {
  for (let left = witness ? TRIES : 1; ; left--) {
    const pair = new Pair(world, maxSeconds ?? 3600);
    try {
      return { pair, before: await reach(pair, state) };
    } catch (error) {
      const isOver = !/^(waiting|active)/.test(await pair.row());
      for (const learner of [pair.a, pair.b]) learner.close();
      if (left === 1 || !isOver) throw error;
    }
  }
}

// --- the events

const ack = (answer) => (answer.status === 'ok' ? 'ok' : answer.code);
const rest = (answer) => (answer.status === 200 ? 'ok' : answer.body.message);

const withSocket = async (pair, who) => pair.sockets[who] ?? (await pair.connect(who));

async function emit(pair, who, event, payload) {
  const socket = await withSocket(pair, who);
  return ack(await socket.emit(event, { sessionId: pair.id, ...payload }));
}

// Each answers what the one who did it is told. Those with a witness the daemon does by itself: when a session that was
// brought to that state afterwards has ended, all times of the one before have passed.
const EVENTS = {
  'a joins': async (p) => ack(await p.join('a', await withSocket(p, 'a'))),
  'b joins': async (p) => ack(await p.join('b', await withSocket(p, 'b'))),
  'a joins on a second socket': async (p) => {
    const older = p.sockets.a;
    const answer = ack(await p.join('a', await p.connect('a')));
    if (older) await until('the older one to know', async () => older.disconnectReason ?? (await older.untaken()));
    return `${answer}${older?.disconnectReason ? `, the older: ${toldTo(older)}, ${older.disconnectReason}` : ''}`;
  },
  'a stranger joins': async (p) => {
    const stranger = p.world.learner();
    const socket = await stranger.connect();
    return ack(await socket.emit('join_session', { userId: stranger.userId, sessionId: p.id }));
  },
  'a joins over REST': async (p) => rest(await p.a.join(p.id)),
  'a leaves': (p) => emit(p, 'a', 'leave_session', { userId: p.a.userId }),
  'b leaves over REST': async (p) => rest(await p.b.leave(p.id)),
  'a ends it over REST': async (p) => rest(await p.a.end(p.id)),
  'a stranger ends it over REST': async (p) => rest(await p.world.learner().end(p.id)),
  'a drops': async (p) => {
    if (p.sockets.a) await p.drop('a');
    return '-';
  },
  'a reports': (p) => emit(p, 'a', 'report_partner', { reason: 'spam' }),
  'b reports over REST': async (p) => rest(await p.b.call('POST', `/sessions/${p.id}/report`, { reason: 'spam' })),
  'a offers': (p) => emit(p, 'a', 'offer', { targetUserId: p.b.userId, sdp }),
  'a speaks': (p) => emit(p, 'a', 'speaking_state', { speaking: true }),
  'a asks for a prompt': (p) => emit(p, 'a', 'request_next_prompt', {}),
  'a rates': async (p) => rest(await p.a.rate(p.id, 5)),
  'its times pass': { witness: 'active, b gone' },
  'the limit is reached': { witness: 'active', maxSeconds: SHORT_SECONDS },
};

// --- what came of it

// The events a socket was sent and their point, in order; copies of one's own acks are not among them.
function toldTo(socket) {
  const points = ({ event, args }) => {
    const [payload] = args;
    return [event, payload?.reason ?? payload?.code ?? payload?.promptKey ?? payload?.speaking ?? payload?.partnerConnected].filter(
      (each) => each !== undefined,
    );
  };
  return socket?.events.map((each) => points(each).join(' ')).join(', ') || '-';
}

async function outcome(pair, answer, before) {
  for (const who of ['a', 'b']) if (pair.sockets[who] && !pair.sockets[who].disconnectReason) await pair.sockets[who].barrier();
  const outbox = (await pair.outbox()).slice(before.outbox);
  const row = await pair.row();
  return [
    answer,
    row === before.row ? 'as before' : row,
    toldTo(pair.sockets.a),
    toldTo(pair.sockets.b),
    outbox.join(', ') || '-',
  ];
}

// The copy in Redis agrees with the row; there is none of a session that nobody has joined, or that is over.
async function redisAgrees(pair) {
  const [status] = (await pair.row()).split(' ');
  const joined = await pair.world.db.query(
    'SELECT user_id FROM session_participants WHERE session_id = $1 AND joined_at IS NOT NULL',
    [pair.id],
  );
  const isLive = ['waiting', 'active'].includes(status);
  await until(`the copy of a session that is ${status}`, () => {
    const copy = pair.world.redis.cli('HGET', `session:${pair.id}`, 'status');
    return isLive && joined.length ? copy === status : isLive || copy === '';
  });
  if (isLive) return;
  for (const who of [pair.a, pair.b]) assert.notEqual(pair.world.redis.cli('GET', `user_session:${who.userId}`), pair.id);
}

const COLUMNS = ['answer', 'row', 'told to a', 'told to b', 'outbox'];

// What the daemon does by itself.
async function timesPass(world, event) {
  const { pair } = await pairIn(world, event.witness, event);
  await until('the witness to end', async () => !(await pair.row()).startsWith('active'));
  for (const learner of [pair.a, pair.b]) learner.close();
  return '-';
}

async function cell(world, state, name) {
  const event = EVENTS[name];
  const wanted = SESSION_TABLE[name][state];
  assert.ok(wanted, `no cell for "${name}" in "${state}"`);
  const { pair, before } = await pairIn(world, state, event);
  const answer = event.witness ? await timesPass(world, event) : await event(pair);
  // What follows comes soon; what must not come is seen by the barriers.
  await until(`the row to be ${wanted[1]}`, async () => wanted[1] === 'as before' || (await pair.row()) === wanted[1]).catch(
    () => {}, // the comparison says more
  );
  for (const [i, who] of ['a', 'b'].entries())
    for (const told of wanted[2 + i] === '-' ? [] : wanted[2 + i].split(', '))
      await until(`${who} to be told ${told}`, () => toldTo(pair.sockets[who]).includes(told)).catch(() => {});
  const is = await outcome(pair, answer, before);
  assert.deepEqual(
    Object.fromEntries(COLUMNS.map((column, i) => [column, is[i]])),
    Object.fromEntries(COLUMNS.map((column, i) => [column, wanted[i]])),
  );
  await redisAgrees(pair);
  for (const learner of [pair.a, pair.b]) learner.close();
}

// --- the two daemons: in one no timer ends, in the other all do soon

const LONG = { SESSION_JOIN_WINDOW_SECONDS: '300', SESSION_RECONNECT_GRACE_SECONDS: '300', SESSION_ABANDONED_SECONDS: '3600' };
const SHORT = {
  SESSION_JOIN_WINDOW_SECONDS: '2',
  SESSION_RECONNECT_GRACE_SECONDS: '2',
  SESSION_ABANDONED_SECONDS: '2',
  SESSION_CLEANUP_INTERVAL: '300',
};

// The limit comes before the grace there, and the window never.
const LIMITED = { ...LONG, PROMPTS_MAX: '1' };

function environmentOf(name) {
  if (!EVENTS[name].witness) return LONG;
  return EVENTS[name].maxSeconds ? LIMITED : SHORT;
}

for (const [title, env] of Object.entries({ 'by somebody': LONG, 'by a timer': SHORT, 'by the limit': LIMITED })) {
  describe(`every event in every state: ${title}`, () => {
    let world;
    before(async () => {
      world = await World.create({ env: { PROMPT_INTERVAL_MIN: '3000', PROMPT_INTERVAL_MAX: '3000', MATCH_LEASE_SECONDS: '60', ...env } });
      // A new leader tells again of what was paired just before: not of the sessions that are stored here, nor may there be
      // another new one because the daemon stood still.
      await world.daemon.log('that it leads', ({ event }) => event === 'matchmaker.told_again');
    });
    after(() => world.stop());

    for (const name of Object.keys(EVENTS).filter((each) => environmentOf(each) === env))
      it(name, async () => {
        const states = Object.keys(STATES);
        const failures = [];
        while (states.length)
          await Promise.all(
            states.splice(0, AT_ONCE).map((state) =>
              cell(world, state, name).catch((error) => failures.push(`${state}: ${error.message}`)),
            ),
          );
        assert.deepEqual(failures, [], failures.join('\n'));
      });
  });
}
