/* The life of a match request: stored, cancelled, looked up, expired. The claim of a pair is in
 * db_match_claim.c. */
#include "conversation/base/clock.h"
#include "conversation/ports/db.h"
#include "db_match.h"
#include "db_records.h"

/* --- insert --- */

/* The parameters are the columns of `added` in their order, then the correlation id, the weekly limit, the
 * week's start and the end of the time the maker must be free. The checks of `state` serve the answer; what
 * decides in a race of two inserts are the unique indexes: the second waits for the first and then adds
 * nothing. `freed` is older than the time a key is kept; `added` looks at it, so that it comes after. */
/* clang-format off */
static const struct pg_statement REQUEST_INSERT = {
    .name = "match_request_insert",
    .is_write = true,
    .sql =
        "WITH state AS ("
        "    SELECT $15 = 'now' AND " MATCH_IS_TALKING("$2::uuid")
        "           OR " MATCH_IS_BOOKED("$2::uuid", "coalesce(" PG_AT("$21") ", " PG_AT("$19") ")", PG_AT("$28"))
        "              AS in_session,"
        "           EXISTS (SELECT FROM match_requests r WHERE r.user_id = $2::uuid"
        "                      AND r.status = 'pending' AND r.mode = $15) AS has_request,"
        "           week.used, week.reserved,"
        "           $26::int > 0 AND week.used + week.reserved >= $26::int AS is_used_up"
        "      FROM (VALUES (1)) one" MATCH_WEEK("$2::uuid", PG_AT("$27"), "$26::int > 0")
        "), freed AS ("
        "    UPDATE match_requests SET idempotency_key = NULL, idempotency_digest = NULL"
        "     WHERE user_id = $2::uuid AND idempotency_key = $22"
        "       AND created_at <= " PG_AT("$19") " - " MATCH_KEY_KEPT
        "    RETURNING id"
        "), added AS ("
        "    INSERT INTO match_requests ("
        "        id, user_id, learning_profile_id, target_language_code, native_language_code,"
        "        preferred_partner_native_language_code, topic_code, preferred_accent, display_name,"
        "        avatar_url, topic_category, current_level, preferred_partner_level, tier, mode,"
        "        recording_consent, preferred_duration_minutes, max_wait_seconds, created_at, expires_at,"
        "        scheduled_for, idempotency_key, idempotency_digest, estimated_wait_seconds)"
        "    SELECT $1::uuid, $2::uuid, $3::uuid, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,"
        "           $16::boolean, $17::int, $18::int, " PG_AT("$19") ", " PG_AT("$20") ", " PG_AT("$21") ","
        "           $22, " MATCH_DIGEST("$23") ", $24::int"
        "      FROM state WHERE NOT in_session AND NOT has_request AND NOT is_used_up"
        "       AND (SELECT count(*) FROM freed) >= 0"
        "    ON CONFLICT DO NOTHING"
        "    RETURNING *"
        "), event AS ("
        "    " OUTBOX_INSERT
        "    SELECT 'match.requested', r.user_id, $25, r.created_at, " MATCH_REQUESTED_PAYLOAD " FROM added r"
        ") "
        "SELECT EXISTS (SELECT FROM added), in_session, NOT has_request AND is_used_up, used, reserved FROM state"};
/* clang-format on */

struct db_week take_week(struct cursor *c)
{
    struct db_week week = {.used = (int)take_int(c)};
    week.reserved = (int)take_int(c);
    return week;
}

static enum err read_inserted(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    struct cursor c = cursor_at(rows, 0);
    bool is_added = take_bool(&c), is_in_session = take_bool(&c), is_used_up = take_bool(&c);
    *(struct db_week *)out = take_week(&c);
    if (is_added)
        return OK;
    if (is_in_session)
        return ERR_ALREADY_IN_SESSION;
    return is_used_up ? ERR_DAILY_LIMIT_REACHED : ERR_ALREADY_MATCHED;
}

void db_match_request_insert(struct flow *f, const struct match_request *r,
                             const struct db_insert_terms *terms, struct db_week *week)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, &r->id);
    pg_arg_uuid(&args, &r->user_id);
    pg_arg_uuid(&args, &r->learning_profile_id);
    pg_arg_text(&args, r->target_language);
    pg_arg_text(&args, r->native_language);
    pg_arg_text_opt(&args, r->wanted_native_language);
    pg_arg_text(&args, r->topic_code);
    pg_arg_text_opt(&args, r->preferred_accent);
    pg_arg_text(&args, r->display_name);
    pg_arg_text_opt(&args, r->avatar_url);
    pg_arg_text(&args, topic_category_names[r->topic_category]);
    pg_arg_text(&args, level_names[r->level]);
    pg_arg_text(&args, partner_level_names[r->preferred_partner_level]);
    pg_arg_text(&args, tier_names[r->tier]);
    pg_arg_text(&args, match_mode_names[r->mode]);
    pg_arg_bool(&args, r->recording_consent);
    if (r->preferred_duration_minutes)
        pg_arg_int(&args, r->preferred_duration_minutes);
    else
        pg_arg_text(&args, NULL);
    pg_arg_int(&args, r->max_wait_seconds);
    pg_arg_time(&args, r->created_at_ms);
    pg_arg_time(&args, r->expires_at_ms);
    pg_arg_time(&args, r->scheduled_for_ms);
    pg_arg_str(&args, terms->repeatable.key);
    pg_arg_str(&args, terms->repeatable.key.p ? terms->repeatable.asked : (struct str){NULL, 0});
    pg_arg_int(&args, terms->estimated_wait_seconds);
    pg_arg_text(&args, flow_correlation_id(f));
    pg_arg_int(&args, terms->weekly_limit);
    pg_arg_time(&args, terms->week_start_ms);
    pg_arg_time(&args, terms->free_until_ms ? terms->free_until_ms : r->expires_at_ms);
    pg_run(f, &REQUEST_INSERT, &args, read_inserted, week);
}

/* --- the first result --- */

/* $1 user, $2 key, $3 what was asked for, $4 now. */
/* clang-format off */
static const struct pg_statement FIRST_RESULT = {
    .name = "match_first_result",
    .sql = "SELECT " MATCH_FIRST_COLUMNS("$3") "  FROM (VALUES (1)) one" MATCH_FIRST("$1", "$2", PG_AT("$4"))};
/* clang-format on */

struct db_first_result take_first_result(struct cursor *c)
{
    struct db_first_result first = {.request_id = take_uuid(c)};
    first.is_found = !uuid_is_nil(&first.request_id);
    first.is_same = take_bool(c);
    first.estimated_wait_seconds = (int)take_int(c);
    first.expires_at_ms = take_time(c);
    return first;
}

static enum err read_first_result(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    struct cursor c = cursor_at(rows, 0);
    *(struct db_first_result *)out = take_first_result(&c);
    return cursor_result(&c);
}

void db_match_first_result(struct flow *f, const struct uuid *user_id, const struct db_repeatable *repeatable,
                           struct db_first_result *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, user_id);
    pg_arg_str(&args, repeatable->key);
    pg_arg_str(&args, repeatable->asked);
    pg_arg_time(&args, clock_now_ms());
    pg_run(f, &FIRST_RESULT, &args, read_first_result, out);
}

/* --- cancel --- */

/* $1 id, $2 user, $3 now, $4 correlation id, $5 whether the key is free again. `locked` reads the row as the
 * last committed writer left it. */
/* clang-format off */
static const struct pg_statement REQUEST_CANCEL = {
    .name = "match_request_cancel",
    .is_write = true,
    .sql = "WITH locked AS MATERIALIZED ("
           "    SELECT * FROM match_requests WHERE id = $1 AND user_id = $2 FOR UPDATE"
           "), moved AS ("
           "    UPDATE match_requests r"
           "       SET status = 'cancelled',"
           "           idempotency_key = CASE WHEN NOT $5::boolean THEN r.idempotency_key END,"
           "           idempotency_digest = CASE WHEN NOT $5::boolean THEN r.idempotency_digest END"
           "      FROM locked l WHERE r.id = l.id AND l.status = 'pending' RETURNING r.*"
           "), event AS ("
           "    " OUTBOX_INSERT
           "    SELECT 'match.cancelled', r.user_id, $4, " PG_AT("$3") ", " MATCH_EVENT_PAYLOAD
           "      FROM moved r"
           "), r AS ("
           "    SELECT * FROM moved UNION ALL SELECT * FROM locked WHERE NOT EXISTS (SELECT FROM moved)"
           ") "
           "SELECT EXISTS (SELECT FROM moved), " MATCH_COLUMNS " FROM r"};
/* clang-format on */

static enum err read_cancelled(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    if (pg_row_count(rows) == 0)
        return ERR_MATCH_REQUEST_NOT_FOUND;
    struct cursor c = cursor_at(rows, 0);
    struct db_cancel cancel = {.changed = take_bool(&c)};
    take_match_request(&c, &cancel.request);
    if (c.ok)
        *(struct db_cancel *)out = cancel;
    return cursor_result(&c);
}

static void run_cancel(struct flow *f, struct pg_args *args, bool frees_key, struct db_cancel *out)
{
    pg_arg_time(args, clock_now_ms());
    pg_arg_text(args, flow_correlation_id(f));
    pg_arg_bool(args, frees_key);
    pg_run(f, &REQUEST_CANCEL, args, read_cancelled, out);
}

void db_match_request_cancel(struct flow *f, const struct uuid *id, const struct uuid *user_id,
                             struct db_cancel *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, id);
    pg_arg_uuid(&args, user_id);
    run_cancel(f, &args, false, out);
}

void db_match_request_take_back(struct flow *f, const struct uuid *id, const struct uuid *user_id,
                                struct db_cancel *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, id);
    pg_arg_uuid(&args, user_id);
    run_cancel(f, &args, true, out);
}

/* --- latest --- */

/* clang-format off */
static const struct pg_statement REQUEST_LATEST = {
    .name = "match_request_latest",
    .sql = "SELECT " MATCH_COLUMNS "  FROM match_requests r"
           " WHERE r.id = coalesce((SELECT id FROM match_requests WHERE user_id = $1 AND status = 'pending'"
           "                         ORDER BY mode LIMIT 1)," /* 'now' before 'scheduled' */
           "                       (SELECT id FROM match_requests WHERE user_id = $1"
           "                         ORDER BY created_at DESC, expires_at DESC LIMIT 1))"}; /* after a no-show two */
/* clang-format on */

static enum err read_one(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    if (pg_row_count(rows) == 0)
        return ERR_MATCH_REQUEST_NOT_FOUND;
    struct cursor c = cursor_at(rows, 0);
    struct match_request request;
    take_match_request(&c, &request);
    if (c.ok)
        *(struct match_request *)out = request;
    return cursor_result(&c);
}

void db_match_request_latest(struct flow *f, const struct uuid *user_id, struct match_request *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, user_id);
    pg_run(f, &REQUEST_LATEST, &args, read_one, out);
}

/* --- one of them --- */

/* clang-format off */
static const struct pg_statement REQUEST_GET = {
    .name = "match_request_get",
    .sql = "SELECT " MATCH_COLUMNS "  FROM match_requests r WHERE r.id = $1 AND r.user_id = $2"};
static const struct pg_statement REQUESTS_SETTLED = {
    .name = "match_requests_settled",
    .sql = "SELECT r.user_id FROM match_requests r WHERE r.id = ANY ($1::uuid[]) AND r.status <> 'pending'"};
/* clang-format on */

void db_match_request_get(struct flow *f, const struct uuid *id, const struct uuid *user_id,
                          struct match_request *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, id);
    pg_arg_uuid(&args, user_id);
    pg_run(f, &REQUEST_GET, &args, read_one, out);
}

void db_match_requests_settled(struct flow *f, const struct uuid *request_ids, size_t count,
                               struct db_ids *out)
{
    struct pg_args args = {0};
    pg_arg_uuids(&args, request_ids, count);
    pg_run(f, &REQUESTS_SETTLED, &args, read_ids, out);
}

/* --- expire --- */

/* $1 ids, $2 now, $3 correlation id. Rows are locked in the order of their ids, as by the claim: no deadlock.
 * A row that was claimed or cancelled while the lock was awaited is looked at again and drops out. */
/* clang-format off */
static const struct pg_statement REQUESTS_EXPIRE = {
    .name = "match_requests_expire",
    .is_write = true,
    .sql = "WITH locked AS MATERIALIZED ("
           "    SELECT id FROM match_requests"
           "     WHERE id = ANY ($1::uuid[]) AND status = 'pending' AND expires_at <= " PG_AT("$2")
           "     ORDER BY id FOR UPDATE"
           "), r AS ("
           "    UPDATE match_requests m SET status = 'expired'"
           "      FROM locked l WHERE m.id = l.id RETURNING m.*"
           "), event AS ("
           "    " OUTBOX_INSERT
           "    SELECT 'match.expired', r.user_id, $3, " PG_AT("$2") ", " MATCH_EVENT_PAYLOAD
           "      FROM r ORDER BY r.expires_at, r.id"
           ") "
           "SELECT " MATCH_COLUMNS " FROM (SELECT * FROM r UNION ALL"
           "    SELECT * FROM match_requests WHERE id = ANY ($1::uuid[]) AND status = 'expired') r"
           " ORDER BY r.expires_at, r.id"};
/* clang-format on */

static enum err read_requests(struct flow *f, const struct pg_rows *rows, void *out)
{
    size_t count = (size_t)pg_row_count(rows);
    struct match_request *items = ARENA_ARRAY(flow_arena(f), struct match_request, count);
    for (size_t i = 0; i < count; i++) {
        struct cursor c = cursor_at(rows, (int)i);
        take_match_request(&c, &items[i]);
        if (!c.ok)
            return ERR_INTERNAL;
    }
    *(struct db_match_requests *)out = (struct db_match_requests){items, count};
    return OK;
}

void db_match_requests_expire(struct flow *f, const struct uuid *ids, size_t count,
                              struct db_match_requests *out)
{
    struct pg_args args = {0};
    pg_arg_uuids(&args, ids, count);
    pg_arg_time(&args, clock_now_ms());
    pg_arg_text(&args, flow_correlation_id(f));
    pg_run(f, &REQUESTS_EXPIRE, &args, read_requests, out);
}
