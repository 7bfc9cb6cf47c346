/* What clients are told of their session: the events that the service itself makes. */
#include "conversation/base/jsonw.h"
#include "conversation/ports/sockets.h"
#include "flows/live_parts.h"
#include "flows/user_events.h"

static struct buf scratch; /* one event's payload; emptied before each use */

static struct jsonw payload_begin(void)
{
    scratch.n = 0;
    struct jsonw w = jsonw_on(&scratch);
    jsonw_object(&w);
    return w;
}

static void payload_send(struct jsonw *w, uint64_t socket_id, const char *event)
{
    jsonw_end_object(w);
    jsonw_finish(w);
    struct str part = buf_str(&scratch);
    sockets_emit(socket_id, event, &part, 1);
}

void tell_partner_joined(uint64_t socket_id, const struct participant *partner)
{
    struct jsonw w = payload_begin();
    jsonw_m_uuid(&w, "partnerId", &partner->user_id);
    jsonw_m_z(&w, "partnerName", partner->display_name);
    jsonw_m_z_opt(&w, "partnerAvatar", partner->avatar_url);
    jsonw_m_z(&w, "nativeLanguageCode", partner->native_language);
    jsonw_m_z(&w, "targetLanguageCode", partner->target_language);
    payload_send(&w, socket_id, "partner_joined");
}

void tell_partner_left(uint64_t socket_id, const struct participant *partner, const char *reason)
{
    struct jsonw w = payload_begin();
    jsonw_m_uuid(&w, "partnerId", &partner->user_id);
    jsonw_m_z(&w, "reason", reason);
    payload_send(&w, socket_id, "partner_left");
}

void tell_partner_speaking(uint64_t socket_id, const struct uuid *partner_id, bool is_speaking)
{
    char id[UUID_TEXT_LENGTH + 1];
    uuid_format(partner_id, id);
    const struct str parts[] = {STR("{\"partnerId\":\""),
                                {id, UUID_TEXT_LENGTH},
                                is_speaking ? STR("\",\"speaking\":true}") : STR("\",\"speaking\":false}")};
    sockets_emit(socket_id, "partner_speaking", parts, sizeof parts / sizeof parts[0]);
}

void tell_prompt(const struct live *l, const char *key, const char *category)
{
    for (int who = 0; who < 2; who++) {
        if (!l->peers[who].socket_id)
            continue;
        struct jsonw w = payload_begin();
        jsonw_m_z(&w, "promptKey", key);
        jsonw_m_z(&w, "category", category);
        payload_send(&w, l->peers[who].socket_id, "new_prompt");
    }
}

/* Where the session stands, for a socket that comes back. */
void tell_session_state(const struct live *l, int who)
{
    const struct session *s = &l->session;
    struct jsonw w = payload_begin();
    jsonw_m_uuid(&w, "sessionId", &s->id);
    jsonw_m_z(&w, "status", session_status_names[s->status]);
    jsonw_m_uuid(&w, "partnerId", &s->participants[1 - who].user_id);
    jsonw_m_bool(&w, "partnerConnected", live_has_partner(l, who));
    jsonw_m_time_opt(&w, "startedAt", s->started_at_ms);
    jsonw_m_time_opt(&w, "endsAt", l->run.limit_at_ms);
    jsonw_m_int(&w, "maxDurationSeconds", s->max_duration_seconds);
    jsonw_m_int(&w, "promptsShown", l->run.prompts_shown);
    if (l->run.prompts_shown > 0)
        jsonw_m_z(&w, "promptKey", l->run.shown_keys[l->run.prompts_shown - 1]);
    payload_send(&w, l->peers[who].socket_id, "session_state");
}

void tell_taken_over(uint64_t socket_id)
{
    struct jsonw w = payload_begin();
    jsonw_m_z(&w, "status", "error");
    jsonw_m_z(&w, "code", err_info(ERR_SESSION_TAKEN_OVER)->wire_code);
    jsonw_m_z(&w, "message", "another socket of this user has joined the session");
    jsonw_m_z(&w, "event", "join_session");
    payload_send(&w, socket_id, "exception");
}

void tell_session_ended(const struct session *s, int who, uint64_t socket_id)
{
    struct jsonw w = payload_begin();
    jsonw_m_uuid(&w, "sessionId", &s->id);
    jsonw_m_z(&w, "reason", session_end_wire_reason(s->end_reason));
    jsonw_m_int(&w, "durationSeconds", s->duration_seconds);
    jsonw_end_object(&w);
    jsonw_finish(&w);
    if (socket_id)
        sockets_emit_ended(socket_id, &s->id, buf_str(&scratch));
    else
        user_events_session_ended(&s->participants[who].user_id, &s->id, buf_str(&scratch));
}

void tell_done(void)
{
    buf_done(&scratch);
}
