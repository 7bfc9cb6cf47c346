/* GET /moderation/flags: users whom many have reported, with what was reported of them. */
#include "flows/handlers.h"
#include "moderation_flag_json.h"
#include "page_json.h"

#include <stddef.h>

struct flags_input {
    bool is_reviewed;
    int limit, offset;
};

struct flags {
    struct flags_input in;
    struct db_flags found;
};

static const struct field flags_fields[] = {
    {"reviewed", FIELD_BOOL, .offset = offsetof(struct flags_input, is_reviewed)},
    {"limit", FIELD_INT, .offset = offsetof(struct flags_input, limit), .min = 1, .max = 100, .fallback = 20},
    {"offset", FIELD_INT, .offset = offsetof(struct flags_input, offset), .min = 0, .max = 1000000},
    FIELDS_END,
};

static void query(struct flow *f, struct flags *c)
{
    const struct db_flags_query q = {
        .is_reviewed = c->in.is_reviewed, .limit = c->in.limit, .offset = c->in.offset};
    db_flags(f, &q, &c->found);
}

static void write_report(struct jsonw *w, const struct db_flag_report *report)
{
    jsonw_object(w);
    jsonw_m_uuid(w, "id", &report->id);
    jsonw_m_uuid(w, "sessionId", &report->session_id);
    jsonw_m_uuid(w, "reporterId", &report->reporter_id);
    jsonw_m_z(w, "reason", report_reason_names[report->reason]);
    jsonw_m_z_opt(w, "details", report->details);
    jsonw_m_time(w, "createdAt", report->created_at_ms);
    jsonw_end_object(w);
}

static void write_flag(struct jsonw *w, const struct db_flag *flag)
{
    jsonw_object(w);
    flag_write(w, flag);
    jsonw_m_int(w, "reportCount", flag->report_count);
    jsonw_key(w, "reasons");
    jsonw_object(w);
    for (int i = 0; i < REPORT_REASON_COUNT; i++)
        if (flag->reason_counts[i])
            jsonw_m_int(w, report_reason_names[i], flag->reason_counts[i]);
    jsonw_end_object(w);
    jsonw_key(w, "reports");
    jsonw_array(w);
    for (size_t i = 0; i < flag->listed_count; i++)
        write_report(w, &flag->reports[i]);
    jsonw_end_array(w);
    jsonw_end_object(w);
}

static void answer(struct flow *f, const struct flags *c)
{
    struct jsonw *w = reply_page_begin(f, "flags");
    for (size_t i = 0; i < c->found.count; i++)
        write_flag(w, &c->found.items[i]);
    reply_page_send(f, w, c->in.offset, c->found.count, c->found.total);
}

static void run(struct flow *f)
{
    struct flags *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, query(f, c));
    answer(f, c);
    FLOW_END(f);
fail:
    reply_error(f);
}

const struct handler rest_flags_list = {
    .flow = {.name = "moderation.flags", .run = run, .ctx_size = sizeof(struct flags), .deadline_ms = 3000},
    .input = flags_fields,
};
