/* Reports: stored with their event, and the flag that enough of them raise. */
#include "conversation/base/clock.h"
#include "conversation/ports/db_moderation.h"
#include "db_moderation.h"
#include "db_records.h"

/* $1 session, $2 reporter, $3 reason, $4 details, $5 now, $6 correlation id, $7 reporters tolerated; the
 * function: migrations/0008_after_the_call.sql. */
/* clang-format off */
static const struct pg_statement SESSION_REPORT = {
    .name = "session_report",
    .is_write = true,
    .sql = "SELECT report, reported_user, is_new, is_running, is_flagged, " PENDING_REQUESTS("$2::uuid", "reported_user") ", "
           "       " ARRANGED_SESSIONS("$2::uuid", "reported_user", "$1::uuid")
           "  FROM session_report($1::uuid, $2::uuid, $3::text, $4::text, " PG_AT("$5") ", $6::text, $7::int)"};
/* clang-format on */

static enum err read_reported(struct flow *f, const struct pg_rows *rows, void *out)
{
    if (pg_row_count(rows) == 0)
        return ERR_SESSION_NOT_FOUND;
    struct cursor c = cursor_at(rows, 0);
    struct db_reported reported = {.report_id = take_uuid(&c)};
    reported.reported_user_id = take_uuid(&c);
    reported.is_new = take_bool(&c);
    reported.is_running = take_bool(&c);
    reported.is_flagged = take_bool(&c);
    reported.requests.items = take_uuids(&c, flow_arena(f), &reported.requests.count);
    reported.arranged.items = take_uuids(&c, flow_arena(f), &reported.arranged.count);
    if (c.ok)
        *(struct db_reported *)out = reported;
    return cursor_result(&c);
}

void db_session_report(struct flow *f, const struct db_report *report, struct db_reported *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, &report->session_id);
    pg_arg_uuid(&args, &report->reporter_id);
    pg_arg_text(&args, report_reason_names[report->reason]);
    pg_arg_str(&args, report->details);
    pg_arg_time(&args, clock_now_ms());
    pg_arg_text(&args, flow_correlation_id(f));
    pg_arg_int(&args, REPORTERS_TOLERATED);
    pg_run(f, &SESSION_REPORT, &args, read_reported, out);
}
