/* What the pairing index is made of: which requests are pending, and those requests themselves. */
#include "conversation/base/clock.h"
#include "conversation/ports/db.h"
#include "db_match.h"
#include "db_records.h"

/* --- which --- */

/* $1 after or null, $2 how many. Along idx_match_pending: a page costs the same wherever it begins. */
/* clang-format off */
static const struct pg_statement REQUESTS_PENDING = {
    .name = "match_requests_pending",
    .sql = "SELECT id FROM match_requests"
           " WHERE status = 'pending' AND id > coalesce($1::uuid, '00000000-0000-0000-0000-000000000000')"
           " ORDER BY id LIMIT $2::int"};
/* clang-format on */

void db_match_requests_pending(struct flow *f, const struct uuid *after, int limit, struct db_ids *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, after);
    pg_arg_int(&args, limit);
    pg_run(f, &REQUESTS_PENDING, &args, read_ids, out);
}

/* --- the requests --- */

/* $1 ids, $2 now. Not those whose time has come and whom no claim could succeed for: their user is in a
 * session, after a race of two of their own calls, or when a scheduled request's time comes; or one that was
 * arranged ahead is near. They come back when that is over. */
/* clang-format off */
static const struct pg_statement REQUESTS_BY_ID = {
    .name = "match_requests_by_id",
    .sql = "SELECT " MATCH_COLUMNS ", past.partners, past.times, " MATCH_EXCLUDED("r.user_id")
           "  FROM match_requests r" MATCH_PAST("r.user_id")
           " WHERE r.id = ANY ($1::uuid[]) AND r.status = 'pending'"
           "   AND (coalesce(r.scheduled_for, r.created_at) > " PG_AT("$2")
           "        OR NOT (" MATCH_IS_TALKING("r.user_id")
           "                OR " MATCH_IS_BOOKED("r.user_id", PG_AT("$2"), PG_AT("$2") " + " MATCH_OPENS_EARLY) "))"
           " ORDER BY coalesce(r.scheduled_for, r.created_at), r.id"};
/* clang-format on */

static enum err read_requests(struct flow *f, const struct pg_rows *rows, void *out)
{
    struct arena *arena = flow_arena(f);
    size_t count = (size_t)pg_row_count(rows);
    struct match_request *items = ARENA_ARRAY(arena, struct match_request, count);
    for (size_t i = 0; i < count; i++) {
        struct cursor c = cursor_at(rows, (int)i);
        take_match_request(&c, &items[i]);
        items[i].history_is_known = true;
        items[i].history = take_history(&c, arena, &items[i].history_count);
        items[i].excluded = take_uuids(&c, arena, &items[i].excluded_count);
        if (!c.ok)
            return ERR_INTERNAL;
    }
    *(struct db_match_requests *)out = (struct db_match_requests){items, count};
    return OK;
}

void db_match_requests_by_id(struct flow *f, const struct uuid *ids, size_t count,
                             struct db_match_requests *out)
{
    struct pg_args args = {0};
    pg_arg_uuids(&args, ids, count);
    pg_arg_time(&args, clock_now_ms());
    pg_run(f, &REQUESTS_BY_ID, &args, read_requests, out);
}
