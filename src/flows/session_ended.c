/* What follows the end of a session. The row has changed already: nothing here can fail it. */
#include "flows/session_ended.h"

#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "flows/job.h"
#include "flows/live.h"

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

void session_ended(struct flow *f, const struct db_ended *ended, const struct uuid *by)
{
    const struct session *s = &ended->session;
    if (!ended->changed && !live_get(&s->id))
        return; /* told before */
    count(s);
    log_end(f, s);
    job_session_clear(s);
    live_close(s, session_participant_index(s, by));
}
