/* Erasing everything about a user, in parts. What the parts do is written in the migration that made them
 * functions. */
#include "conversation/base/clock.h"
#include "conversation/ports/db_privacy.h"
#include "db_records.h"

/* clang-format off */

/* $1 user, $2 now. Whoever is at it will see that it was made again, and leave it for the next claim. */
static const struct pg_statement ERASURE_REQUEST = {
    .name = "erasure_request",
    .is_write = true,
    .sql = "INSERT INTO erasures (user_id, requested_at) VALUES ($1, " PG_AT("$2") ")"
           " ON CONFLICT (user_id) DO UPDATE SET requested_at = excluded.requested_at"};

/* $1 now, $2 ms */
static const struct pg_statement ERASURE_CLAIM = {
    .name = "erasure_claim",
    .is_write = true,
    .sql = "UPDATE erasures SET claimed_until = " PG_AT("$1") " + $2::bigint * interval '1 ms'"
           " WHERE user_id = (SELECT e.user_id FROM erasures e"
           "                   WHERE e.claimed_until IS NULL OR e.claimed_until <= " PG_AT("$1")
           "                   ORDER BY e.requested_at LIMIT 1 FOR UPDATE SKIP LOCKED)"
           " RETURNING user_id, " PG_MS("requested_at")};

/* $1 user */
static const struct pg_statement ERASURE_OPEN = {
    .name = "erasure_open",
    .sql = "SELECT ARRAY(SELECT r.id FROM match_requests r WHERE r.user_id = $1 AND r.status = 'pending'),"
           "       ARRAY(SELECT p.session_id FROM session_participants p WHERE p.user_id = $1 AND p.is_live)"};

/* Whoever works at a promise has it for as long again: a long history, or outbox, takes longer than a claim lasts.
 * $1 user */
#define STILL_AT_IT(now, ms) \
    "WITH at_it AS (UPDATE erasures SET claimed_until = " PG_AT(now) " + " ms "::bigint * interval '1 ms'" \
    "                WHERE user_id = $1) "

/* $1 user, $2 batch, $3 now, $4 ms */
static const struct pg_statement ERASURE_STEP = {
    .name = "erasure_step",
    .is_write = true,
    .sql = STILL_AT_IT("$3", "$4")
           "SELECT user_erase_sessions($1, $2::int, " PG_AT("$3") ") + user_erase_rest($1, $2::int)"};

/* $1 user, $2 after, $3 batch, $4 now, $5 ms */
static const struct pg_statement ERASURE_EVENTS = {
    .name = "erasure_events",
    .is_write = true,
    .sql = STILL_AT_IT("$4", "$5")
           "SELECT coalesce(user_erase_events($1, $2::bigint, $3::int), -1)"};

/* $1 user, $2 when it was asked for. Whoever has come back since has new data; and a promise that was made again is a
 * new one. */
static const struct pg_statement ERASURE_FINISH = {
    .name = "erasure_finish",
    .is_write = true,
    .sql = "WITH kept AS ("
           "    DELETE FROM erasures"
           "     WHERE user_id = $1 AND " PG_MS("requested_at") " = $2::bigint"
           "       AND NOT EXISTS (SELECT FROM session_participants p WHERE p.user_id = $1)"
           "       AND NOT EXISTS (SELECT FROM match_requests r WHERE r.user_id = $1)"
           "    RETURNING 1"
           "), given_back AS ("
           "    UPDATE erasures SET claimed_until = NULL WHERE user_id = $1 AND NOT EXISTS (SELECT FROM kept)"
           ") "
           "SELECT EXISTS (SELECT FROM kept)"};

/* clang-format on */

void db_erasure_request(struct flow *f, const struct uuid *user_id)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, user_id);
    pg_arg_time(&args, clock_now_ms());
    pg_run(f, &ERASURE_REQUEST, &args, NULL, NULL);
}

static enum err read_erasure(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    struct db_erasure erasure = {0};
    struct cursor c = cursor_at(rows, 0);
    if (pg_row_count(rows) > 0) {
        erasure.user_id = take_uuid(&c);
        erasure.requested_at_ms = take_time(&c);
    }
    *(struct db_erasure *)out = erasure;
    return OK;
}

void db_erasure_claim(struct flow *f, struct db_erasure *out)
{
    struct pg_args args = {0};
    pg_arg_time(&args, clock_now_ms());
    pg_arg_int(&args, DB_ERASE_CLAIM_MS);
    pg_run(f, &ERASURE_CLAIM, &args, read_erasure, out);
}

static enum err read_open(struct flow *f, const struct pg_rows *rows, void *out)
{
    struct db_erasure_open *open = out;
    struct cursor c = cursor_at(rows, 0);
    open->request_ids = take_uuids(&c, flow_arena(f), &open->request_count);
    open->session_ids = take_uuids(&c, flow_arena(f), &open->session_count);
    return cursor_result(&c);
}

void db_erasure_open(struct flow *f, const struct uuid *user_id, struct db_erasure_open *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, user_id);
    pg_run(f, &ERASURE_OPEN, &args, read_open, out);
}

static enum err read_changed(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    *(int *)out = (int)pg_int(rows, 0, 0);
    return OK;
}

void db_erasure_step(struct flow *f, const struct uuid *user_id, int *changed)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, user_id);
    pg_arg_int(&args, DB_ERASE_BATCH);
    pg_arg_time(&args, clock_now_ms());
    pg_arg_int(&args, DB_ERASE_CLAIM_MS);
    pg_run(f, &ERASURE_STEP, &args, read_changed, changed);
}

static enum err read_position(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    *(int64_t *)out = pg_int(rows, 0, 0);
    return OK;
}

void db_erasure_events(struct flow *f, const struct uuid *user_id, int64_t *after)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, user_id);
    pg_arg_int(&args, *after);
    pg_arg_int(&args, DB_ERASE_EVENT_BATCH);
    pg_arg_time(&args, clock_now_ms());
    pg_arg_int(&args, DB_ERASE_CLAIM_MS);
    pg_run(f, &ERASURE_EVENTS, &args, read_position, after);
}

static enum err read_done(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    *(bool *)out = pg_bool(rows, 0, 0);
    return OK;
}

void db_erasure_finish(struct flow *f, const struct db_erasure *erasure, bool *is_done)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, &erasure->user_id);
    pg_arg_time(&args, erasure->requested_at_ms);
    pg_run(f, &ERASURE_FINISH, &args, read_done, is_done);
}
