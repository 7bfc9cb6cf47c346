/* First the report, then the end: a session that ends as `reported` has its report. Both are harmless to ask
 * for twice, and what nobody waits for any more is carried through by a job. */
#include "flows/session_report.h"

#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/edge/reply.h"
#include "flows/job.h"
#include "flows/keep_apart.h"
#include "flows/session_ended.h"

static void submit(struct flow *f, struct session_report *c)
{
    c->report = (struct db_report){
        .session_id = c->in.session_id,
        .reporter_id = *caller_user_id(f),
        .reason = (enum report_reason)c->in.reason,
        .details = c->in.details.n ? c->in.details : (struct str){NULL, 0},
    };
    db_session_report(f, &c->report, &c->reported);
}

/* What follows a report that is stored. */
static void note(struct flow *f, const struct session_report *c)
{
    const struct db_reported *r = &c->reported;
    /* Also when it was stored before: an answer may have been lost, and with it this. */
    keep_apart(&c->report.reporter_id, &r->requests, &r->arranged);
    if (!r->is_new)
        return;
    metric_inc(M_REPORTS, report_reason_names[c->report.reason]);
    LOG(LOG_INFO, "conversation.reported", LOG_UUID("sessionId", &c->report.session_id),
        LOG_UUID("userId", &c->report.reporter_id), LOG_UUID("reportedUserId", &r->reported_user_id),
        LOG_Z("reason", report_reason_names[c->report.reason]),
        LOG_Z("correlationId", flow_correlation_id(f)));
    if (!r->is_flagged)
        return;
    metric_inc(M_USERS_FLAGGED, NULL);
    LOG(LOG_WARN, "user.flagged", LOG_UUID("userId", &r->reported_user_id),
        LOG_Z("correlationId", flow_correlation_id(f)));
}

static struct db_session_ending ending_of(const struct db_report *report)
{
    return (struct db_session_ending){
        .id = report->session_id, .by = report->reporter_id, .event = SESSION_EVENT_REPORT};
}

static void end(struct flow *f, struct session_report *c)
{
    c->ending = ending_of(&c->report);
    session_end_submit(f, &c->ending, &c->ended);
}

/* The caller will not hear how it went, or was told to try again. What is reported must end, and those in it
 * be told; and the report may be stored all the same. */
static void carry_through(struct flow *f, const struct session_report *c)
{
    enum err err = flow_error(f);
    if (!uuid_is_nil(&c->ending.id))
        job_session_end_again(&c->ending);
    else if (!uuid_is_nil(&c->report.session_id) && (err == ERR_CANCELLED || err_is_passing(err)))
        job_session_report(&c->report);
}

void session_report_run(struct flow *f, void (*answer)(struct flow *f, const struct db_reported *reported))
{
    struct session_report *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, submit(f, c));
    note(f, c);
    if (c->reported.is_running) {
        AWAIT_TRY(f, &c->err, end(f, c));
        if (c->err && c->err != ERR_SESSION_NOT_FOUND) /* deleted: over as well */
            FLOW_FAIL(f, c->err);
        if (!c->err)
            session_ended(f, &c->ended, &c->report.reporter_id);
    }
    answer(f, &c->reported);
    FLOW_END(f);
fail:
    carry_through(f, c);
    reply_error(f);
}

/* --- the job --- */

static void run_job(struct flow *f)
{
    struct session_report *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT_LASTING(f, &c->err, db_session_report(f, &c->report, &c->reported));
    if (c->err)
        FLOW_FAIL(f, c->err);
    note(f, c);
    c->ending = ending_of(&c->report);
    if (c->reported.is_running)
        job_session_end(&c->ending);
    FLOW_END(f);
fail:
    return;
}

static const struct flow_spec session_report = {
    .name = "session.report_carried",
    .run = run_job,
    .ctx_size = sizeof(struct session_report),
};

void job_session_report(const struct db_report *report)
{
    struct flow *f = flow_start(&(struct flow_start){.spec = &session_report});
    struct session_report *c = flow_ctx(f);
    c->report = *report;
    if (report->details.p)
        c->report.details = arena_str(flow_arena(f), report->details);
}
