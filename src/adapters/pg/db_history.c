/* A user's completed conversations. */
#include "conversation/ports/db.h"
#include "db_records.h"

/* $1 user, $2 language ('': any; the one this user practised, which in a tandem need not be the session's;
 * "en-GB" is also what was practised as "en"), $3 limit, $4 offset. One row also when the page is empty: it
 * carries the total. */
/* clang-format off */
static const struct pg_statement HISTORY = {
    .name = "history",
    .sql = "WITH mine AS ("
           "    SELECT s.id, s.topic_code, s.target_language_code, s.duration_seconds, s.ended_at,"
           "           s.transcript_id, p.position"
           "      FROM session_participants p"
           "      JOIN sessions s ON s.id = p.session_id AND s.status = 'completed'"
           "     WHERE p.user_id = $1 AND ($2 = '' OR p.target_language_code IN ($2, split_part($2, '-', 1)))"
           "), page AS ("
           "    SELECT * FROM mine ORDER BY ended_at DESC, id LIMIT $3::bigint OFFSET $4::bigint"
           ") "
           "SELECT (SELECT count(*) FROM mine), g.id, g.topic_code, t.name_key, q.display_name,"
           "       g.duration_seconds, " PG_MS("g.ended_at") ", r.rating, g.transcript_id IS NOT NULL"
           "  FROM (VALUES (1)) one"
           "  LEFT JOIN page g ON true"
           "  LEFT JOIN session_participants q ON q.session_id = g.id AND q.position = 1 - g.position"
           "  LEFT JOIN topics t ON t.code = g.topic_code AND t.target_language_code = g.target_language_code"
           "  LEFT JOIN ratings r ON r.session_id = g.id AND r.user_id = $1"
           " ORDER BY g.ended_at DESC, g.id"};
/* clang-format on */

static enum err read_history(struct flow *f, const struct pg_rows *rows, void *out)
{
    struct arena *arena = flow_arena(f);
    size_t count = (size_t)pg_row_count(rows);
    struct history_entry *items = ARENA_ARRAY(arena, struct history_entry, count);
    struct db_history history = {.items = items};
    for (size_t i = 0; i < count; i++) {
        struct cursor c = cursor_at(rows, (int)i);
        history.total = take_int(&c);
        struct history_entry entry = {.session_id = take_uuid(&c)};
        if (uuid_is_nil(&entry.session_id))
            break; /* the one row that carries only the total */
        entry.topic_code = take_string(&c, arena);
        entry.topic_name_key = take_string(&c, arena);
        entry.partner_display_name = take_string(&c, arena);
        entry.duration_seconds = (int)take_int(&c);
        entry.completed_at_ms = take_time(&c);
        entry.my_rating = (int)take_int(&c);
        entry.transcript_available = take_bool(&c);
        items[history.count++] = entry;
    }
    *(struct db_history *)out = history;
    return OK;
}

void db_history(struct flow *f, const struct db_history_query *q, struct db_history *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, &q->user_id);
    pg_arg_text(&args, q->language);
    pg_arg_int(&args, q->limit);
    pg_arg_int(&args, q->offset);
    pg_run(f, &HISTORY, &args, read_history, out);
}
