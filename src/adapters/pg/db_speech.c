/* Speech of running sessions, many in one statement. */
#include "conversation/ports/db_speech.h"

#include "conversation/base/arena.h"
#include "pg.h"

/* $1 sessions, $2 to $5 seconds and turns of the first participant of each, then of the second. Rows are
 * found one by one, whatever the planner makes of the tables' sizes, and stay where they are while they are
 * held. Who holds a row is about to end its session, or to store another instance's sum: nobody waits for
 * anybody here. */
/* clang-format off */
static const struct pg_statement SPEECH_CARRY = {
    .name = "speech_carry",
    .is_write = true,
    .sql = "WITH given AS ("
           "    SELECT session_id, position, seconds, turns"
           "      FROM unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $5::int[])"
           "           AS g (session_id, seconds_a, turns_a, seconds_b, turns_b)"
           "     CROSS JOIN LATERAL (VALUES (0, seconds_a, turns_a), (1, seconds_b, turns_b))"
           "           AS each (position, seconds, turns)"
           "), held AS MATERIALIZED ("
           "    SELECT p.place, g.seconds, g.turns"
           "      FROM given g"
           "     CROSS JOIN LATERAL (SELECT q.ctid AS place, q.is_live, q.spoken_seconds, q.turn_count"
           "                           FROM session_participants q"
           "                          WHERE q.session_id = g.session_id AND q.position = g.position"
           "                          LIMIT 1 FOR UPDATE SKIP LOCKED) p"
           "     WHERE p.is_live AND (p.spoken_seconds < g.seconds OR p.turn_count < g.turns)"
           ") "
           "UPDATE session_participants p"
           "   SET spoken_seconds = greatest(p.spoken_seconds, h.seconds),"
           "       turn_count = greatest(p.turn_count, h.turns)"
           "  FROM held h WHERE p.ctid = h.place"};
/* clang-format on */

enum column { SECONDS_A, TURNS_A, SECONDS_B, TURNS_B, COLUMNS };

static int value_of(const struct db_speech *s, enum column column)
{
    const struct speech_total *t = &s->totals[column / 2];
    return column % 2 ? t->turn_count : t->spoken_seconds;
}

static void arg_column(struct pg_args *args, const struct db_speech *items, size_t count, enum column column)
{
    struct buf text = {0};
    buf_addc(&text, '{');
    for (size_t i = 0; i < count; i++)
        buf_addf(&text, "%s%d", i ? "," : "", value_of(&items[i], column));
    buf_addc(&text, '}');
    pg_arg_str(args, buf_str(&text));
    buf_done(&text);
}

void db_speech_carry(struct flow *f, const struct db_speech *items, size_t count)
{
    struct pg_args args = {0};
    struct uuid *ids = ARENA_ARRAY(flow_arena(f), struct uuid, count);
    for (size_t i = 0; i < count; i++)
        ids[i] = items[i].session_id;
    pg_arg_uuids(&args, ids, count);
    for (enum column c = SECONDS_A; c < COLUMNS; c++)
        arg_column(&args, items, count, c);
    pg_run(f, &SPEECH_CARRY, &args, NULL, NULL);
}
