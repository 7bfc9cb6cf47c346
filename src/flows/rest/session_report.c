/* POST /sessions/:id/report: one a reporter and session; again: the same answer. */
#include "flows/session_report.h"
#include "flows/handlers.h"

static const struct field report_fields[] = {
    FIELD_ID_FROM_PATH(offsetof(struct session_report_input, session_id)),
    SESSION_REPORT_FIELDS,
    FIELDS_END,
};

static void answer(struct flow *f, const struct db_reported *reported)
{
    struct jsonw *w = reply_begin(f, 200);
    jsonw_object(w);
    jsonw_m_bool(w, "success", true);
    jsonw_m_uuid(w, "reportId", &reported->report_id);
    jsonw_end_object(w);
    reply_send(f);
}

static void run(struct flow *f)
{
    session_report_run(f, answer);
}

const struct handler rest_session_report = {
    .flow = {.name = "session.report",
             .run = run,
             .ctx_size = sizeof(struct session_report),
             .deadline_ms = 5000},
    .input = report_fields,
};
