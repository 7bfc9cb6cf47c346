#include "flows/match_found.h"

#include "flows/participant_json.h"
#include "flows/user_events.h"

void match_found_write(struct jsonw *w, const struct uuid *request_id, const struct session *s, int who,
                       int level_difference)
{
    jsonw_object(w);
    jsonw_m_uuid(w, "matchRequestId", request_id);
    jsonw_m_uuid(w, "sessionId", &s->id);
    jsonw_key(w, "partner");
    participant_write(w, &s->participants[1 - who]);
    jsonw_m_z(w, "topicCode", s->topic_code);
    jsonw_m_z(w, "sessionType", session_type_names[s->type]);
    jsonw_m_time_opt(w, "scheduledAt", s->scheduled_at_ms);
    jsonw_m_int(w, "levelDifference", level_difference);
}

void match_found_send(const struct match_found *found)
{
    struct buf text = {0};
    struct jsonw w = jsonw_on(&text);
    match_found_write(&w, found->request_id, found->session, found->who, found->level_difference);
    if (found->is_any_level)
        jsonw_m_z(&w, "notice", "estimated level difference");
    jsonw_end_object(&w);
    user_events_send(&found->session->participants[found->who].user_id, "match_found", buf_str(&text));
    buf_done(&text);
}
