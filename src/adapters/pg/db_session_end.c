/* How sessions end: one at a time, or by the sweep what nobody ended; and those that never began. Which
 * status and reason an event leads to is not written here: domain/session.h's session_ending_of says it, and
 * the statements get its answers.
 */
#include "conversation/base/clock.h"
#include "conversation/base/instance.h"
#include "conversation/ports/db.h"
#include "db_session.h"

/* Two parameters: the status and the reason that `event` leads to; both null when it is not legal. */
static void arg_ending(struct pg_args *args, enum session_status from, enum session_event event,
                       int64_t active_ms)
{
    struct session_ending ending;
    bool is_legal = session_ending_of(from, event, active_ms, &ending);
    pg_arg_text(args, is_legal ? session_status_names[ending.status] : NULL);
    pg_arg_text(args, is_legal ? session_end_reason_names[ending.reason] : NULL);
}

/* Two parameters: this instance, and since when another one must have been seen to be alive. */
static void arg_instances(struct pg_args *args)
{
    pg_arg_uuid(args, instance_id());
    pg_arg_time(args, clock_now_ms() - DB_INSTANCE_SILENT_MS);
}

static void take_requeued(struct cursor *c, struct db_requeued *out)
{
    out->request_id = take_uuid(c);
    out->user_id = take_uuid(c);
    out->expires_at_ms = take_time(c);
}

/* --- end --- */

/* $1 session, $2 participant or null, $3 when it happened, $4 correlation id, $5 the abort window in ms; $6
 * to $11 the endings of a session that is waiting, of one active for less than that, and of one active for
 * longer; $12 to $15 what was spoken, seconds and turns of each participant; $16 this instance, $17 since
 * when another one must have been seen; $18 of a drop, the number of the latest join known here, else null.
 *
 * back: a later one, at an instance that is alive. Where the instances do not hear each other only the row
 * knows of it; at this one its answer may be on its way.
 *
 * started_at is set to what it is: an UPDATE first tries the row of its snapshot, where a join that the lock
 * waited for has not yet set it, and checks the constraints of that attempt before it turns to the row as it
 * has become. */
/* clang-format off */
static const struct pg_statement SESSION_END = {
    .name = "session_end",
    .is_write = true,
    .sql = "WITH endings (from_status, is_early, status, reason) AS ("
           "    VALUES ('waiting', false, $6, $7), ('active', true, $8, $9), ('active', false, $10, $11)"
           "), " SESSION_LOCKED ", back AS ("
           "    SELECT p.joined_by, p.joins FROM seats p"
           "     WHERE ($2::uuid IS NULL OR p.user_id = $2) AND p.joins > $18::int"
           "       AND (p.joined_by = $16::uuid OR EXISTS (SELECT FROM instances i WHERE i.id = p.joined_by"
           "                                    AND NOT i.is_stopped AND i.seen_at > " PG_AT("$17") "))"
           "     LIMIT 1"
           "), moved AS ("
           "    UPDATE sessions s"
           "       SET status = e.status, end_reason = e.reason, started_at = l.started_at,"
           "           ended_at = " PG_AT("$3") ", updated_at = " PG_AT("$3") ","
           "           duration_seconds = CASE l.status WHEN 'waiting' THEN 0 ELSE"
           "               greatest(floor(extract(epoch FROM " PG_AT("$3") " - l.started_at)), 0) END"
           "      FROM locked l"
           "      JOIN endings e ON e.from_status = l.status AND e.status IS NOT NULL"
           "       AND e.is_early = (l.status = 'active'"
           "                         AND " PG_AT("$3") " - l.started_at < $5::int * interval '1 ms')"
           "     WHERE s.id = l.id AND NOT EXISTS (SELECT FROM back)"
           "    RETURNING s.*"
           "), " SESSION_LEFT(PG_AT("$3"), "CASE p.position WHEN 0 THEN $12::int ELSE $14::int END",
                              "CASE p.position WHEN 0 THEN $13::int ELSE $15::int END")
           ", " SESSION_END_EVENT(PG_AT("$3"), "$4") ", "
           SESSION_REQUEUE(PG_AT("$3"), "$4", "$16::uuid", PG_AT("$17")) ", all_seats AS ("
           "    SELECT * FROM seats_after UNION ALL SELECT * FROM seats WHERE NOT EXISTS (SELECT FROM moved)"
           "), q AS ("
           "    SELECT * FROM requeued"
           "    UNION ALL (SELECT * FROM match_requests WHERE requeued_from = $1 LIMIT 1)"
           "), " SESSION_AFTER " "
           "SELECT EXISTS (SELECT FROM moved), (SELECT joined_by FROM back),"
           "       coalesce((SELECT joins FROM back), 0), " REQUEUED_COLUMNS ", " SESSION_COLUMNS
           "  FROM s" SESSION_SEATS("all_seats") " LEFT JOIN q ON q.status = 'pending'"};
/* clang-format on */

static enum err read_ended(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    if (pg_row_count(rows) == 0)
        return ERR_SESSION_NOT_FOUND;
    struct cursor c = cursor_at(rows, 0);
    struct db_ended ended = {.changed = take_bool(&c)};
    ended.back_at = take_uuid(&c);
    ended.back_join = (int)take_int(&c);
    take_requeued(&c, &ended.requeued);
    take_session(&c, &ended.session);
    if (!c.ok)
        return ERR_INTERNAL;
    if (!session_is_over(&ended.session) && uuid_is_nil(&ended.back_at))
        return ERR_CONFLICT; /* the event is not legal in this status */
    *(struct db_ended *)out = ended;
    return OK;
}

void db_session_end(struct flow *f, const struct db_session_ending *ending, struct db_ended *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, &ending->id);
    pg_arg_uuid(&args, &ending->by);
    pg_arg_time(&args, ending->at_ms ? ending->at_ms : clock_now_ms());
    pg_arg_text(&args, flow_correlation_id(f));
    pg_arg_int(&args, SESSION_ABORT_WINDOW_MS);
    arg_ending(&args, SESSION_WAITING, ending->event, 0);
    arg_ending(&args, SESSION_ACTIVE, ending->event, 0);
    arg_ending(&args, SESSION_ACTIVE, ending->event, SESSION_ABORT_WINDOW_MS);
    for (int who = 0; who < 2; who++) {
        pg_arg_int(&args, ending->speech[who].spoken_seconds);
        pg_arg_int(&args, ending->speech[who].turn_count);
    }
    arg_instances(&args);
    if (ending->event == SESSION_EVENT_DROP)
        pg_arg_int(&args, ending->join);
    else
        pg_arg_text(&args, NULL);
    pg_run(f, &SESSION_END, &args, read_ended, out);
}

/* --- sweep --- */

/* $1 now, $2 slack, $3 join window (all ms), $4 correlation id; then the endings of active sessions and of
 * waiting ones; $9 this instance, $10 since when another one must have been seen.
 *
 * A row that someone holds is being changed right now: it is skipped, and the next sweep looks again. The
 * duration is at most the session's limit: what came after it was nobody's conversation. */
/* clang-format off */
static const struct pg_statement SESSIONS_SWEEP = {
    .name = "sessions_sweep",
    .is_write = true,
    .sql = "WITH endings (from_status, status, reason) AS ("
           "    VALUES ('active', $5, $6), ('waiting', $7, $8)"
           "), overdue AS MATERIALIZED ("
           "    SELECT s.* FROM sessions s"
           "     WHERE s.status = 'active'"
           "       AND s.started_at + s.max_duration_seconds * interval '1 s' + $2::bigint * interval '1 ms'"
           "           <= " PG_AT("$1")
           "        OR s.status = 'waiting'"
           "       AND greatest(s.first_joined_at, s.scheduled_at) + ($2::bigint + $3::bigint) * interval '1 ms'"
           "           <= " PG_AT("$1") " AND s.first_joined_at IS NOT NULL"
           "     ORDER BY s.id FOR UPDATE SKIP LOCKED"
           "), moved AS ("
           "    UPDATE sessions s"
           "       SET status = e.status, end_reason = e.reason, started_at = o.started_at,"
           "           ended_at = " PG_AT("$1") ", updated_at = " PG_AT("$1") ","
           "           duration_seconds = CASE o.status WHEN 'waiting' THEN 0 ELSE"
           "               least(floor(extract(epoch FROM " PG_AT("$1") " - o.started_at)),"
           "                     o.max_duration_seconds) END"
           "      FROM overdue o JOIN endings e ON e.from_status = o.status"
           "     WHERE s.id = o.id"
           "    RETURNING s.*"
           "), " SESSION_LEFT(PG_AT("$1"), "0", "0") ", " SESSION_END_EVENT(PG_AT("$1"), "$4") ", "
           SESSION_REQUEUE(PG_AT("$1"), "$4", "$9::uuid", PG_AT("$10")) " "
           "SELECT " REQUEUED_COLUMNS ", " SESSION_COLUMNS
           "  FROM moved s" SESSION_SEATS("seats_after")
           "  LEFT JOIN requeued q ON q.requeued_from = s.id"
           " ORDER BY s.ended_at, s.id"};
/* clang-format on */

static enum err read_swept(struct flow *f, const struct pg_rows *rows, void *out)
{
    size_t count = (size_t)pg_row_count(rows);
    struct db_ended *ended = ARENA_ARRAY(flow_arena(f), struct db_ended, count);
    struct db_swept swept = {.ended = ended};
    for (size_t i = 0; i < count; i++) {
        struct cursor c = cursor_at(rows, (int)i);
        struct db_ended *e = &ended[swept.ended_count++];
        e->changed = true;
        take_requeued(&c, &e->requeued);
        take_session(&c, &e->session);
        if (!c.ok)
            return ERR_INTERNAL;
    }
    *(struct db_swept *)out = swept;
    return OK;
}

void db_sessions_sweep(struct flow *f, const struct db_sweep_query *q, struct db_swept *out)
{
    struct pg_args args = {0};
    pg_arg_time(&args, clock_now_ms());
    pg_arg_int(&args, q->slack_ms);
    pg_arg_int(&args, q->join_window_ms);
    pg_arg_text(&args, flow_correlation_id(f));
    arg_ending(&args, SESSION_ACTIVE, SESSION_EVENT_LIMIT, SESSION_ABORT_WINDOW_MS);
    arg_ending(&args, SESSION_WAITING, SESSION_EVENT_NO_SHOW, 0);
    arg_instances(&args);
    pg_run(f, &SESSIONS_SWEEP, &args, read_swept, out);
}

/* --- abandoned --- */

/* $1 now, $2 for how long, in ms. Along idx_session_status. One that somebody is about to join is held by the
 * join, and skipped. */
/* clang-format off */
static const struct pg_statement SESSIONS_ABANDONED = {
    .name = "sessions_abandoned",
    .is_write = true,
    .sql = "WITH abandoned AS MATERIALIZED ("
           "    SELECT s.id FROM sessions s"
           "     WHERE s.status = 'waiting' AND s.first_joined_at IS NULL"
           "       AND s.created_at <= " PG_AT("$1") " - $2::bigint * interval '1 ms'"
           "       AND coalesce(s.scheduled_at <= " PG_AT("$1") " - $2::bigint * interval '1 ms', true)"
           "     ORDER BY s.created_at FOR UPDATE SKIP LOCKED"
           "), deleted AS ("
           "    DELETE FROM sessions s USING abandoned d WHERE s.id = d.id RETURNING s.id"
           ") "
           "SELECT count(*) FROM deleted"};
/* clang-format on */

static enum err read_deleted(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    *(int *)out = (int)pg_int(rows, 0, 0);
    return OK;
}

void db_sessions_abandoned(struct flow *f, int64_t abandoned_ms, int *deleted)
{
    struct pg_args args = {0};
    pg_arg_time(&args, clock_now_ms());
    pg_arg_int(&args, abandoned_ms);
    pg_run(f, &SESSIONS_ABANDONED, &args, read_deleted, deleted);
}
