/* Which instances are alive, the sessions that those who are dead have left, and those of this one. Times are
 * of the instances' own clocks: DB_INSTANCE_SILENT_MS is far more than they may differ. */
#include "conversation/base/clock.h"
#include "conversation/base/instance.h"
#include "conversation/ports/db.h"
#include "db_session.h"

/* $1 instance, $2 now, $3 whether it stops. Who has stopped is never alive again, though a sign of life may
 * come last: they travel on several connections. Rows of long ago are of no use to anybody. */
/* clang-format off */
static const struct pg_statement INSTANCE_BEAT = {
    .name = "instance_beat",
    .is_write = true,
    .sql = "WITH old AS ("
           "    DELETE FROM instances WHERE id <> $1::uuid AND seen_at < " PG_AT("$2") " - interval '1 day'"
           ") "
           "INSERT INTO instances (id, seen_at, is_stopped) VALUES ($1::uuid, " PG_AT("$2") ", $3::boolean)"
           " ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at,"
           "       is_stopped = instances.is_stopped OR excluded.is_stopped"};
/* clang-format on */

void db_instance_beat(struct flow *f, bool is_stopping)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, instance_id());
    pg_arg_time(&args, clock_now_ms());
    pg_arg_bool(&args, is_stopping);
    pg_run(f, &INSTANCE_BEAT, &args, NULL, NULL);
}

/* $1 this instance, $2 since when an instance must have been seen. Who stopped gets the same time, so that
 * the learners can find another instance. The oldest first, in the order of an index, and the seats session
 * by session: whenever it was planned, it reads no session that is over. */
/* clang-format off */
static const struct pg_statement SESSIONS_LEFT = {
    .name = "sessions_left",
    .sql = "SELECT " SESSION_COLUMNS ", " PG_MS("greatest(s.started_at, owner.seen_at)")
           "  FROM sessions s"
           SESSION_SEATS("LATERAL (SELECT * FROM session_participants p WHERE p.session_id = s.id OFFSET 0)")
           " CROSS JOIN LATERAL (SELECT max(i.seen_at) AS seen_at, coalesce(bool_or(i.id = $1), false) AS is_me"
           "                       FROM instances i WHERE i.id IN (a.joined_by, b.joined_by)) owner"
           " WHERE s.status = 'active' AND NOT owner.is_me"
           "   AND coalesce(owner.seen_at, s.started_at) <= " PG_AT("$2")
           " ORDER BY s.created_at"};
/* clang-format on */

static enum err read_left(struct flow *f, const struct pg_rows *rows, void *out)
{
    size_t count = (size_t)pg_row_count(rows);
    struct db_left_session *items = ARENA_ARRAY(flow_arena(f), struct db_left_session, count);
    for (size_t i = 0; i < count; i++) {
        struct cursor c = cursor_at(rows, (int)i);
        take_session(&c, &items[i].session);
        items[i].left_at_ms = take_time(&c);
        if (!c.ok)
            return ERR_INTERNAL;
    }
    *(struct db_left_sessions *)out = (struct db_left_sessions){items, count};
    return OK;
}

void db_sessions_left(struct flow *f, int64_t grace_ms, struct db_left_sessions *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, instance_id());
    pg_arg_time(&args, clock_now_ms() - DB_INSTANCE_SILENT_MS - grace_ms);
    pg_run(f, &SESSIONS_LEFT, &args, read_left, out);
}

/* $1 this instance. Lateral and grouped, so that the seats are looked up session by session: joined, they
 * would all be read while most sessions are active. */
/* clang-format off */
static const struct pg_statement SESSIONS_OWN = {
    .name = "sessions_own",
    .sql = "SELECT s.id, own.first_join, own.second_join"
           "  FROM sessions s"
           " CROSS JOIN LATERAL (SELECT coalesce(max(p.joins) FILTER (WHERE p.position = 0), 0) AS first_join,"
           "                           coalesce(max(p.joins) FILTER (WHERE p.position = 1), 0) AS second_join"
           "                      FROM session_participants p"
           "                     WHERE p.session_id = s.id AND p.joined_by = $1"
           "                    HAVING count(*) > 0) own"
           " WHERE s.status = 'active'"};
/* clang-format on */

static enum err read_own(struct flow *f, const struct pg_rows *rows, void *out)
{
    size_t count = (size_t)pg_row_count(rows);
    struct db_own_session *items = ARENA_ARRAY(flow_arena(f), struct db_own_session, count);
    for (size_t i = 0; i < count; i++) {
        struct cursor c = cursor_at(rows, (int)i);
        items[i].id = take_uuid(&c);
        items[i].joins[0] = (int)take_int(&c);
        items[i].joins[1] = (int)take_int(&c);
        if (!c.ok)
            return ERR_INTERNAL;
    }
    *(struct db_own_sessions *)out = (struct db_own_sessions){items, count};
    return OK;
}

void db_sessions_own(struct flow *f, struct db_own_sessions *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, instance_id());
    pg_run(f, &SESSIONS_OWN, &args, read_own, out);
}
