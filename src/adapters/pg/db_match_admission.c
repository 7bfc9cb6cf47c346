/* What decides whether a match request is admitted and how it is matched: one read, one row. */
#include "conversation/base/clock.h"
#include "conversation/ports/db.h"
#include "db_match.h"
#include "db_records.h"

/* $1 user, $2 language, $3 topic, $4 week's start, $5 now, $6 key, $7 what was asked for with it, $8 mode,
 * $9 and $10 the time the request is for.
 *
 * topic: of the language as asked for, or else of the language without its region. */
/* clang-format off */
static const struct pg_statement ADMISSION = {
    .name = "match_admission",
    .sql = "WITH topic AS MATERIALIZED ("
           "    SELECT * FROM topics t"
           "     WHERE t.code = $3 AND t.is_active AND t.target_language_code IN ($2, split_part($2, '-', 1))"
           "     ORDER BY t.target_language_code = $2 DESC LIMIT 1"
           ") "
           "SELECT " MATCH_FIRST_COLUMNS("$7") ","
           "       week.used, week.reserved,"
           "       $8 = 'now' AND " MATCH_IS_TALKING("$1") " OR " MATCH_IS_BOOKED("$1", PG_AT("$9"), PG_AT("$10")) ","
           "       EXISTS (SELECT FROM match_requests r"
           "                WHERE r.user_id = $1 AND r.status = 'pending' AND r.mode = $8),"
           "       past.partners, past.times, " MATCH_EXCLUDED("$1") ","
           "       t.id IS NOT NULL, " TOPIC_COLUMNS("$1::uuid")
           "  FROM (VALUES (1)) one" MATCH_PAST("$1") MATCH_FIRST("$1", "$6", PG_AT("$5"))
           MATCH_WEEK("$1", PG_AT("$4"), "true")
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
    pg_arg_time(&args, q->week_start_ms);
    pg_arg_time(&args, clock_now_ms());
    pg_arg_str(&args, q->repeatable.key);
    pg_arg_str(&args, q->repeatable.asked);
    pg_arg_text(&args, match_mode_names[q->time.mode]);
    pg_arg_time(&args, q->time.from_ms);
    pg_arg_time(&args, q->time.until_ms);
    pg_run(f, &ADMISSION, &args, read_admission, out);
}
