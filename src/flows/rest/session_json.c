/* A session as JSON. */
#include "session_json.h"

#include "conversation/base/clock.h"
#include "conversation/edge/reply.h"

static void write_participant(struct jsonw *w, const struct participant *p)
{
    jsonw_object(w);
    jsonw_m_uuid(w, "userId", &p->user_id);
    jsonw_m_z(w, "displayName", p->display_name);
    jsonw_m_z(w, "nativeLanguageCode", p->native_language);
    jsonw_m_z(w, "targetLanguageCode", p->target_language);
    jsonw_m_int(w, "spokenSeconds", p->spoken_seconds);
    jsonw_m_int(w, "turnCount", p->turn_count);
    jsonw_end_object(w);
}

/* A running session shows how long it has lasted so far. */
static int64_t duration_seconds(const struct session *s)
{
    if (s->status != SESSION_ACTIVE)
        return s->duration_seconds;
    int64_t ms = clock_now_ms() - s->started_at_ms;
    return ms > 0 ? ms / 1000 : 0;
}

void reply_session(struct flow *f, const struct session *s)
{
    struct jsonw *w = reply_begin(f, 200);
    jsonw_object(w);
    jsonw_key(w, "session");
    jsonw_object(w);
    jsonw_m_uuid(w, "id", &s->id);
    jsonw_m_z(w, "status", session_status_names[s->status]);
    jsonw_m_z(w, "topicCode", s->topic_code);
    jsonw_key(w, "participants");
    jsonw_array(w);
    write_participant(w, &s->participants[0]);
    write_participant(w, &s->participants[1]);
    jsonw_end_array(w);
    jsonw_m_int(w, "durationSeconds", duration_seconds(s));
    jsonw_m_time_opt(w, "scheduledAt", s->scheduled_at_ms);
    jsonw_m_time_opt(w, "startedAt", s->started_at_ms);
    jsonw_m_time_opt(w, "endedAt", s->ended_at_ms);
    jsonw_m_z_opt(w, "endReason", session_end_reason_names[s->end_reason]);
    if (rest_identity(f)->roles)
        jsonw_m_z_opt(w, "recordingUrl", s->recording_url);
    jsonw_m_bool(w, "transcriptAvailable", s->transcript_available);
    jsonw_end_object(w);
    jsonw_end_object(w);
    reply_send(f);
}
