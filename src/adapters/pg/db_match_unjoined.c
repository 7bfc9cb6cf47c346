/* Who was paired lately and has not come yet. */
#include "conversation/ports/db.h"
#include "db_records.h"

/* $1 since when. OFFSET 0, and nothing is said of the requests' status: a user's own ones are looked at,
 * never all that were ever matched, whenever the plan was made. Whoever has a session was matched. */
/* clang-format off */
static const struct pg_statement UNJOINED = {
    .name = "match_unjoined",
    .sql = "SELECT r.id, p.position, r.level_difference, s.is_any_level, " SESSION_COLUMNS
           "  FROM sessions s" SESSION_SEATS("session_participants")
           " CROSS JOIN LATERAL (VALUES (0, a.user_id, a.joined_at), (1, b.user_id, b.joined_at))"
           "       p(position, user_id, joined_at)"
           " CROSS JOIN LATERAL (SELECT q.id, q.level_difference FROM match_requests q"
           "                      WHERE q.user_id = p.user_id AND q.matched_session_id = s.id OFFSET 0) r"
           " WHERE s.status = 'waiting' AND s.created_at >= " PG_AT("$1") " AND p.joined_at IS NULL"
           " ORDER BY s.created_at DESC, s.id, p.position LIMIT 1000"};
/* clang-format on */

static enum err read_unjoined(struct flow *f, const struct pg_rows *rows, void *out)
{
    size_t count = (size_t)pg_row_count(rows);
    struct db_paired *items = ARENA_ARRAY(flow_arena(f), struct db_paired, count);
    for (size_t i = 0; i < count; i++) {
        struct cursor c = cursor_at(rows, (int)i);
        items[i].request_id = take_uuid(&c);
        items[i].who = (int)take_int(&c);
        items[i].level_difference = (int)take_int(&c);
        items[i].is_any_level = take_bool(&c);
        take_session(&c, &items[i].session);
        if (!c.ok)
            return ERR_INTERNAL;
    }
    *(struct db_paired_list *)out = (struct db_paired_list){items, count};
    return OK;
}

void db_match_unjoined(struct flow *f, int64_t since_ms, struct db_paired_list *out)
{
    struct pg_args args = {0};
    pg_arg_time(&args, since_ms);
    pg_run(f, &UNJOINED, &args, read_unjoined, out);
}
