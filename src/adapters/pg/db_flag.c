/* Flagged users, for those who review them. */
#include "conversation/base/clock.h"
#include "conversation/ports/db_moderation.h"
#include "db_records.h"

/* clang-format off */

/* Of a relation named u; read by take_flag. */
#define FLAG_COLUMNS                                                                                         \
    "u.id, u.user_id, u.reporter_count, " PG_MS("u.created_at") ", " PG_MS("u.reviewed_at") ", "             \
    "u.reviewed_by, u.decision, u.notes"

/* A page of the flags that are `wanted`, in `order`, each with how many reports `of_it` there are, of which
 * reason, and the latest of them: a row a report. One row also when the page is empty: it carries the total.
 * $1 limit, $2 offset, $3 reports of each. */
#define FLAGS(wanted, order, of_it)                                                                          \
    "WITH page AS MATERIALIZED ("                                                                            \
    "    SELECT * FROM user_flags u WHERE " wanted " ORDER BY " order " LIMIT $1::bigint OFFSET $2::bigint"  \
    ") "                                                                                                     \
    "SELECT (SELECT count(*) FROM user_flags u WHERE " wanted "), " FLAG_COLUMNS ","                         \
    "       n.reports, " FLAG_COUNT("inappropriate") ", " FLAG_COUNT("harassment") ", "                      \
    "       " FLAG_COUNT("spam") ", " FLAG_COUNT("minor_safety") ", " FLAG_COUNT("other") ","                \
    "       c.id, c.session_id, c.reporter_id, c.reason, c.details, " PG_MS("c.created_at")                  \
    "  FROM (VALUES (1)) one"                                                                                \
    "  LEFT JOIN page u ON true"                                                                             \
    "  LEFT JOIN LATERAL (SELECT count(*) AS reports, array_agg(c.reason) AS reasons"                        \
    "                       FROM reports c WHERE " of_it ") n ON true"                                       \
    "  LEFT JOIN LATERAL (SELECT * FROM reports c WHERE " of_it                                              \
    "                      ORDER BY c.created_at DESC, c.id LIMIT $3::int) c ON true"                        \
    " ORDER BY " order ", c.created_at DESC, c.id"
#define FLAG_COUNT(reason) "cardinality(array_positions(n.reasons, '" reason "'))"

static const struct pg_statement FLAGS_OPEN = {
    .name = "flags_open",
    .sql = FLAGS("u.reviewed_at IS NULL", "u.created_at, u.id",
                 "c.reported_user_id = u.user_id AND c.reviewed_at IS NULL")};

static const struct pg_statement FLAGS_REVIEWED = {
    .name = "flags_reviewed",
    .sql = FLAGS("u.reviewed_at IS NOT NULL", "u.reviewed_at DESC, u.id", "c.flag_id = u.id")};

/* $1 flagged user, $2 reviewer, $3 decision, $4 notes, $5 now; the function:
 * migrations/0008_after_the_call.sql. */
static const struct pg_statement FLAG_REVIEW = {
    .name = "flag_review",
    .is_write = true,
    .sql = "SELECT " FLAG_COLUMNS
           "  FROM flag_review($1::uuid, $2::uuid, $3::text, $4::text, " PG_AT("$5") ") u"};

/* clang-format on */

static struct db_flag take_flag(struct cursor *c, struct arena *arena)
{
    struct db_flag flag = {.id = take_uuid(c)};
    flag.user_id = take_uuid(c);
    flag.reporter_count = (int)take_int(c);
    flag.created_at_ms = take_time(c);
    flag.reviewed_at_ms = take_time(c);
    flag.reviewed_by = take_uuid(c);
    bool is_decided = !pg_is_null(c->rows, c->row, c->col);
    flag.decision = take_name(c, flag_decision_names, FLAG_DECISION_COUNT);
    if (!is_decided)
        flag.decision = -1;
    flag.notes = take_string(c, arena);
    return flag;
}

static void take_counts(struct cursor *c, struct db_flag *flag)
{
    flag->report_count = (int)take_int(c);
    for (int i = 0; i < REPORT_REASON_COUNT; i++)
        flag->reason_counts[i] = (int)take_int(c);
}

static struct db_flag_report take_report(struct cursor *c, struct arena *arena)
{
    struct db_flag_report report = {.id = take_uuid(c)};
    report.session_id = take_uuid(c);
    report.reporter_id = take_uuid(c);
    report.reason = take_name(c, report_reason_names, REPORT_REASON_COUNT);
    report.details = take_string(c, arena);
    report.created_at_ms = take_time(c);
    return report;
}

/* Rows of one flag follow one another; so do their reports. */
static enum err read_flags(struct flow *f, const struct pg_rows *rows, void *out)
{
    struct arena *arena = flow_arena(f);
    size_t count = (size_t)pg_row_count(rows);
    struct db_flag *items = ARENA_ARRAY(arena, struct db_flag, count);
    struct db_flag_report *reports = ARENA_ARRAY(arena, struct db_flag_report, count);
    struct db_flags flags = {.items = items};
    for (size_t i = 0; i < count; i++) {
        struct cursor c = cursor_at(rows, (int)i);
        flags.total = take_int(&c);
        struct db_flag flag = take_flag(&c, arena);
        if (uuid_is_nil(&flag.id))
            break; /* the one row that carries only the total */
        take_counts(&c, &flag);
        flag.reports = &reports[i];
        if (!flags.count || !uuid_eq(&items[flags.count - 1].id, &flag.id))
            items[flags.count++] = flag;
        reports[i] = take_report(&c, arena);
        items[flags.count - 1].listed_count += !uuid_is_nil(&reports[i].id);
        if (!c.ok)
            return ERR_INTERNAL;
    }
    *(struct db_flags *)out = flags;
    return OK;
}

void db_flags(struct flow *f, const struct db_flags_query *q, struct db_flags *out)
{
    struct pg_args args = {0};
    pg_arg_int(&args, q->limit);
    pg_arg_int(&args, q->offset);
    pg_arg_int(&args, DB_FLAG_REPORTS_MAX);
    pg_run(f, q->is_reviewed ? &FLAGS_REVIEWED : &FLAGS_OPEN, &args, read_flags, out);
}

static enum err read_flag(struct flow *f, const struct pg_rows *rows, void *out)
{
    if (pg_row_count(rows) == 0)
        return ERR_NOT_FOUND;
    struct cursor c = cursor_at(rows, 0);
    struct db_flag flag = take_flag(&c, flow_arena(f));
    if (c.ok)
        *(struct db_flag *)out = flag;
    return cursor_result(&c);
}

void db_flag_review(struct flow *f, const struct db_review *review, struct db_flag *out)
{
    struct pg_args args = {0};
    pg_arg_uuid(&args, &review->user_id);
    pg_arg_uuid(&args, &review->reviewer_id);
    pg_arg_text(&args, review->decision < 0 ? NULL : flag_decision_names[review->decision]);
    pg_arg_str(&args, review->notes);
    pg_arg_time(&args, clock_now_ms());
    pg_run(f, &FLAG_REVIEW, &args, read_flag, out);
}
