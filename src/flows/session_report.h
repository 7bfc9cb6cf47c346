/* A participant reports the other one: what POST /sessions/:id/report and the event report_partner share. */
#ifndef FLOWS_SESSION_REPORT_H
#define FLOWS_SESSION_REPORT_H

#include "conversation/codec/fields.h"
#include "conversation/ports/db_moderation.h"

struct session_report_input {
    struct uuid session_id;
    int reason;
    struct str details;
};

/* The context of both flows, and of the job that carries one through. */
struct session_report {
    struct session_report_input in;
    struct db_report report;
    struct db_reported reported;
    struct db_session_ending ending;
    struct db_ended ended;
    enum err err;
};

/* clang-format off */
#define SESSION_REPORT_FIELDS                                                                              \
    {"reason", FIELD_ENUM, .is_required = true, .offset = offsetof(struct session_report_input, reason),   \
     .choices = report_reason_names},                                                                      \
    {"details", FIELD_STRING, .offset = offsetof(struct session_report_input, details),                    \
     .max = REPORT_DETAILS_MAX}
/* clang-format on */

/* The flow's function: stores the report and ends the session if that is running; `answer` tells the caller.
 */
void session_report_run(struct flow *f, void (*answer)(struct flow *f, const struct db_reported *reported));

#endif
