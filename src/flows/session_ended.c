/* What follows the end of a session. The row has changed already: nothing here can fail it. */
#include "flows/session_ended.h"

#include "conversation/base/jsonw.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "flows/job.h"
#include "flows/live.h"
#include "flows/match_events.h"
#include "flows/matchmaker.h"
#include "flows/speaking.h"
#include "flows/user_events.h"

void session_end_submit(struct flow *f, struct db_session_ending *ending, struct db_ended *out)
{
    struct live *l = live_get(&ending->id);
    if (l)
        speaking_totals(live_speaking(l), ending->speech);
    db_session_end(f, ending, out);
}

static const char *duration_range(int seconds)
{
    static const struct {
        int below_seconds;
        const char *name;
    } ranges[] = {{60, "0-1m"}, {300, "1-5m"}, {900, "5-15m"}, {1800, "15-30m"}, {3600, "30-60m"}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (seconds < ranges[i].below_seconds)
            return ranges[i].name;
    return "60m+";
}

static void count(const struct session *s)
{
    if (s->status == SESSION_COMPLETED)
        metric_add(M_CONVERSATIONS_COMPLETED, 1, s->target_language, duration_range(s->duration_seconds),
                   NULL);
    else if (s->status == SESSION_ABORTED)
        metric_inc(M_CONVERSATIONS_ABORTED, s->target_language);
}

static void log_end(struct flow *f, const struct session *s)
{
    static const char *const names[SESSION_STATUS_COUNT] = {
        [SESSION_COMPLETED] = "conversation.completed",
        [SESSION_ABORTED] = "conversation.aborted",
        [SESSION_EXPIRED] = "session.expired",
        [SESSION_CANCELLED] = "session.cancelled",
    };
    LOG(s->status == SESSION_ABORTED ? LOG_WARN : LOG_INFO, names[s->status], LOG_UUID("sessionId", &s->id),
        LOG_Z("endReason", session_end_reason_names[s->end_reason]),
        LOG_INT("durationSeconds", s->duration_seconds), LOG_Z("correlationId", flow_correlation_id(f)));
}

/* The request is read by its id, here and elsewhere: this instance may have ended it for another's learner.
 */
static void requeue(struct flow *f, const struct db_ended *ended)
{
    const struct db_requeued *r = &ended->requeued;
    struct buf text = {0};
    struct jsonw w = jsonw_on(&text);
    jsonw_object(&w);
    jsonw_m_uuid(&w, "matchRequestId", &r->request_id);
    jsonw_m_uuid(&w, "sessionId", &ended->session.id);
    jsonw_m_time(&w, "expiresAt", r->expires_at_ms);
    jsonw_end_object(&w);
    user_events_send(&r->user_id, "match_requeued", buf_str(&text));
    buf_done(&text);
    matchmaker_look(&r->request_id, 1);
    match_events_say(MATCH_ADDED, &r->request_id);
    LOG(LOG_INFO, "match.requeued", LOG_UUID("matchRequestId", &r->request_id),
        LOG_UUID("userId", &r->user_id), LOG_UUID("sessionId", &ended->session.id),
        LOG_Z("correlationId", flow_correlation_id(f)));
}

void session_ended(struct flow *f, const struct db_ended *ended, const struct uuid *by)
{
    const struct session *s = &ended->session;
    if (ended->changed) {
        count(s);
        log_end(f, s);
    }
    if (ended->changed || live_get(&s->id))
        job_session_clear(s); /* a join that was on its way may have put them after the end */
    live_close(s, session_participant_index(s, by), ended->changed);
    if (ended->changed && !uuid_is_nil(&ended->requeued.request_id))
        requeue(f, ended);
}
