/* Everything the pairing index must hold, in one read. */
#include "conversation/base/clock.h"
#include "conversation/ports/db.h"
#include "db_match.h"
#include "db_records.h"

/* $1 now. Set by set and not user by user, so that 100,000 waiting requests are a few hash joins. A user who is in a live
 * session can have a pending request only through a race of two of their own calls; it waits until the session is over, since no
 * claim of it could succeed. */
static const struct pg_statement REQUESTS_PENDING = {
    .name = "match_requests_pending",
    .sql = "WITH r AS MATERIALIZED ("
           "    SELECT r.* FROM match_requests r"
           "     WHERE r.status = 'pending' AND coalesce(r.scheduled_for, r.created_at) <= " PG_AT("$1")
           "       AND NOT EXISTS (SELECT FROM session_participants p WHERE p.user_id = r.user_id AND p.is_live)"
           "), past AS ("
           "    SELECT r.user_id, q.user_id AS partner_id, max(coalesce(s.ended_at, s.started_at)) AS spoke_at"
           "      FROM r"
           "      JOIN session_participants p ON p.user_id = r.user_id"
           "      JOIN sessions s ON s.id = p.session_id AND s.started_at IS NOT NULL"
           "      JOIN session_participants q ON q.session_id = p.session_id AND q.position = 1 - p.position"
           "     GROUP BY r.user_id, q.user_id"
           "), history AS ("
           "    SELECT user_id, array_agg(partner_id ORDER BY partner_id) AS partners,"
           "           array_agg(" PG_MS("spoke_at") " ORDER BY partner_id) AS times"
           "      FROM past GROUP BY user_id"
           "), apart (user_id, other_id) AS ("
           "    SELECT blocker_id, blocked_id FROM user_blocks"
           "    UNION SELECT blocked_id, blocker_id FROM user_blocks"
           "    UNION SELECT reporter_id, reported_user_id FROM reports"
           "    UNION SELECT reported_user_id, reporter_id FROM reports"
           "), excluded AS ("
           "    SELECT a.user_id, array_agg(a.other_id ORDER BY a.other_id) AS others"
           "      FROM apart a JOIN r ON r.user_id = a.user_id GROUP BY a.user_id"
           ") "
           "SELECT " MATCH_COLUMNS ", coalesce(h.partners, '{}'), coalesce(h.times, '{}'), coalesce(e.others, '{}')"
           "  FROM r LEFT JOIN history h ON h.user_id = r.user_id LEFT JOIN excluded e ON e.user_id = r.user_id"
           " ORDER BY coalesce(r.scheduled_for, r.created_at), r.id"};

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
