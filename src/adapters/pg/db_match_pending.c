/* Everything the pairing index must hold, in one read. */
#include "conversation/base/clock.h"
#include "conversation/ports/db.h"
#include "db_match.h"
#include "db_records.h"

/* $1 now. A user who is in a live session can have a pending request only through a race of two of their own
 * calls; it waits until the session is over, since no claim of it could succeed. */
/* clang-format off */
static const struct pg_statement REQUESTS_PENDING = {
    .name = "match_requests_pending",
    .sql = "SELECT " MATCH_COLUMNS ", past.partners, past.times, " MATCH_EXCLUDED("r.user_id")
           "  FROM match_requests r" MATCH_PAST("r.user_id")
           " WHERE r.status = 'pending' AND coalesce(r.scheduled_for, r.created_at) <= " PG_AT("$1")
           "   AND NOT EXISTS (SELECT FROM session_participants p WHERE p.user_id = r.user_id AND p.is_live)"
           " ORDER BY coalesce(r.scheduled_for, r.created_at), r.id"};
/* clang-format on */

static enum err read_pending(struct flow *f, const struct pg_rows *rows, void *out)
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

void db_match_requests_pending(struct flow *f, struct db_match_requests *out)
{
    struct pg_args args = {0};
    pg_arg_time(&args, clock_now_ms());
    pg_run(f, &REQUESTS_PENDING, &args, read_pending, out);
}
