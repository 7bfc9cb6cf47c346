/* The waits that ended lately: what estimates start from. */
#include "conversation/base/clock.h"
#include "conversation/ports/db.h"
#include "db_records.h"

/* $1 now. The index on expires_at bounds the read: what ended within the hour had not expired before it. When
 * a cancelled request was cancelled is not stored, and scheduled ones may be paired before their wait begins.
 */
/* clang-format off */
static const struct pg_statement WAITS = {
    .name = "match_waits",
    .sql = "SELECT language, topic, level, matched, tandem, wish, " PG_MS("ended") ", " PG_MS("ended") " - " PG_MS("began")
           "  FROM (SELECT r.target_language_code AS language, r.topic_code AS topic, r.current_level AS level,"
           "               r.status = 'matched' AS matched, r.created_at AS began,"
           "               r.preferred_partner_native_language_code IS NOT NULL AS tandem,"
           "               r.preferred_partner_level AS wish,"
           "               coalesce(r.matched_at, r.expires_at) AS ended"
           "          FROM match_requests r"
           "         WHERE r.expires_at > " PG_AT("$1") " - interval '1 hour'"
           "           AND r.status IN ('matched', 'expired') AND r.mode = 'now'"
           "         ORDER BY r.expires_at DESC LIMIT 4000) w"
           " ORDER BY ended"};
/* clang-format on */

static enum err read_waits(struct flow *f, const struct pg_rows *rows, void *out)
{
    size_t count = (size_t)pg_row_count(rows);
    struct db_wait *items = ARENA_ARRAY(flow_arena(f), struct db_wait, count);
    for (size_t i = 0; i < count; i++) {
        struct cursor c = cursor_at(rows, (int)i);
        take_text(&c, items[i].language, sizeof items[i].language);
        take_text(&c, items[i].topic, sizeof items[i].topic);
        items[i].level = (enum level)take_name(&c, level_names, LEVEL_COUNT);
        items[i].is_matched = take_bool(&c);
        items[i].is_tandem_seeker = take_bool(&c);
        items[i].wish = (enum partner_level)take_name(&c, partner_level_names, PARTNER_ANY + 1);
        items[i].ended_at_ms = take_int(&c);
        items[i].wait_ms = take_int(&c);
        if (!c.ok)
            return ERR_INTERNAL;
    }
    *(struct db_waits *)out = (struct db_waits){items, count};
    return OK;
}

void db_match_waits(struct flow *f, struct db_waits *out)
{
    struct pg_args args = {0};
    pg_arg_time(&args, clock_now_ms());
    pg_run(f, &WAITS, &args, read_waits, out);
}
