/* What decides whether a match request is admitted and how it is matched: one read, one row. */
#include "conversation/base/clock.h"
#include "conversation/ports/db.h"
#include "db_match.h"
#include "db_records.h"

/* $1 user, $2 language, $3 topic, $4 level, $5 week's start, $6 now, $7 key, $8 what was asked for with it,
 * $9 mode, $10 and $11 the time the request is for.
 *
 * topic: of the language as asked for, or else of the language without its region. waits: of the latest 200
 * matches in the language within the last hour; the bound keeps the read short on a busy day, when the latest
 * 200 say more than the hour. */
/* clang-format off */
static const struct pg_statement ADMISSION = {
    .name = "match_admission",
    .sql = "WITH topic AS MATERIALIZED ("
           "    SELECT * FROM topics t"
           "     WHERE t.code = $3 AND t.is_active AND t.target_language_code IN ($2, split_part($2, '-', 1))"
           "     ORDER BY t.target_language_code = $2 DESC LIMIT 1"
           "), waits AS ("
           "    SELECT r.current_level = $4 AS is_level,"
           "           r.current_level = $4 AND r.topic_code = $3 AS is_topic,"
           "           extract(epoch FROM r.matched_at - coalesce(r.scheduled_for, r.created_at)) AS seconds"
           "      FROM match_requests r"
           "     WHERE r.status = 'matched' AND r.target_language_code = (SELECT target_language_code FROM topic)"
           "       AND r.matched_at > " PG_AT("$6") " - interval '1 hour'"
           "     ORDER BY r.matched_at DESC LIMIT 200"
           "), median AS ("
           "    SELECT CASE WHEN count(*) FILTER (WHERE is_topic) >= 5"
           "                THEN percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE is_topic)"
           "                WHEN count(*) FILTER (WHERE is_level) >= 5"
           "                THEN percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE is_level)"
           "                WHEN count(*) >= 5"
           "                THEN percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)"
           "           END AS seconds"
           "      FROM waits"
           ") "
           "SELECT " MATCH_FIRST_COLUMNS("$8") ","
           "       week.used, week.reserved,"
           "       $9 = 'now' AND " MATCH_IS_TALKING("$1") " OR " MATCH_IS_BOOKED("$1", PG_AT("$10"), PG_AT("$11")) ","
           "       EXISTS (SELECT FROM match_requests r"
           "                WHERE r.user_id = $1 AND r.status = 'pending' AND r.mode = $9),"
           "       coalesce((SELECT greatest(round(seconds), 0)::bigint"
           "                   FROM median WHERE seconds IS NOT NULL), -1),"
           "       past.partners, past.times, " MATCH_EXCLUDED("$1") ","
           "       t.id IS NOT NULL, " TOPIC_COLUMNS("$1::uuid")
           "  FROM (VALUES (1)) one" MATCH_PAST("$1") MATCH_FIRST("$1", "$7", PG_AT("$6"))
           MATCH_WEEK("$1", PG_AT("$5"), "true")
           "  LEFT JOIN topic t ON true"};
/* clang-format on */

static enum err read_admission(struct flow *f, const struct pg_rows *rows, void *out)
{
    struct arena *arena = flow_arena(f);
    struct cursor c = cursor_at(rows, 0);
    struct db_admission a = {.first = take_first_result(&c)};
    a.week = take_week(&c);
    a.has_live_session = take_bool(&c);
    a.has_live_request = take_bool(&c);
    a.recent_wait_seconds = (int)take_int(&c);
    a.history = take_history(&c, arena, &a.history_count);
    a.excluded = take_uuids(&c, arena, &a.excluded_count);
    a.topic_found = take_bool(&c);
    if (a.topic_found)
        take_topic(&c, arena, &a.topic);
    if (c.ok)
        *(struct db_admission *)out = a;
    return cursor_result(&c);
}

void db_match_admission(struct flow *f, const struct db_admission_query *q, struct db_admission *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, &q->user_id);
    pg_arg_text(&args, q->language);
    pg_arg_text(&args, q->topic_code);
    pg_arg_text(&args, level_names[q->level]);
    pg_arg_time(&args, q->week_start_ms);
    pg_arg_time(&args, clock_now_ms());
    pg_arg_str(&args, q->repeatable.key);
    pg_arg_str(&args, q->repeatable.asked);
    pg_arg_text(&args, match_mode_names[q->time.mode]);
    pg_arg_time(&args, q->time.from_ms);
    pg_arg_time(&args, q->time.until_ms);
    pg_run(f, &ADMISSION, &args, read_admission, out);
}
