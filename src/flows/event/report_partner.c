/* report_partner {sessionId, reason, details?}: as POST /sessions/:id/report, from the socket. */
#include "flows/handlers.h"
#include "flows/session_report.h"

static const struct field report_fields[] = {
    {"sessionId", FIELD_UUID, .is_required = true,
     .offset = offsetof(struct session_report_input, session_id)},
    SESSION_REPORT_FIELDS,
    FIELDS_END,
};

static void answer(struct flow *f, const struct db_reported *reported)
{
    struct jsonw *w = event_ack_begin(f);
    jsonw_m_uuid(w, "reportId", &reported->report_id);
    event_ack_send(f);
}

static void run(struct flow *f)
{
    session_report_run(f, answer);
}

const struct handler event_report_partner = {
    .flow = {.name = "event.report_partner",
             .run = run,
             .ctx_size = sizeof(struct session_report),
             .deadline_ms = 5000},
    .input = report_fields,
};
