/* POST /sessions/:id/join: authorises, and gives what a client needs before it connects its socket. The
 * participant counts as joined when the socket joins (flows/event/join_session.c), so that asking twice
 * changes nothing. */
#include "flows/handlers.h"
#include "flows/participant_json.h"
#include "flows/session_open.h"

#include <stddef.h>

#include "conversation/base/clock.h"
#include "conversation/codec/ice_servers.h"
#include "conversation/config.h"
#include "conversation/ports/db.h"

struct join {
    struct uuid id;
    struct session session;
    struct db_session_prompts prompts;
};

static const struct field join_fields[] = {
    FIELD_ID_FROM_PATH(offsetof(struct join, id)),
    FIELDS_END,
};

static void write_participants(struct jsonw *w, const struct session *s)
{
    jsonw_key(w, "participants");
    jsonw_array(w);
    participant_write(w, &s->participants[0]);
    participant_write(w, &s->participants[1]);
    jsonw_end_array(w);
}

static void write_topic(struct jsonw *w, const struct join *c)
{
    const struct topic_prompt *first = topic_first_prompt(c->prompts.prompts, c->prompts.prompt_count);
    jsonw_key(w, "topic");
    jsonw_object(w);
    jsonw_m_z(w, "code", c->session.topic_code);
    jsonw_m_z_opt(w, "nameKey", c->prompts.topic_name_key);
    jsonw_m_z_opt(w, "firstPromptKey", first ? first->key : NULL);
    jsonw_end_object(w);
}

static void write_webrtc(struct jsonw *w, const struct uuid *user_id)
{
    const struct ice_servers servers = {
        .stun_urls = config.stun_server_url,
        .turn_urls = config.turn_server_url,
        .username = config.turn_username,
        .credential = config.turn_credential,
        .secret = config.turn_secret,
        .ttl_seconds = config.turn_ttl_seconds,
    };
    jsonw_key(w, "webrtcConfig");
    jsonw_object(w);
    jsonw_key(w, "iceServers");
    ice_servers_write(w, &servers, user_id, clock_now_ms());
    jsonw_end_object(w);
}

static void answer(struct flow *f, const struct join *c)
{
    struct jsonw *w = reply_begin(f, 200);
    jsonw_object(w);
    jsonw_key(w, "session");
    jsonw_object(w);
    jsonw_m_uuid(w, "id", &c->session.id);
    jsonw_m_z(w, "status", session_status_names[c->session.status]);
    write_participants(w, &c->session);
    write_topic(w, c);
    write_webrtc(w, caller_user_id(f));
    jsonw_key(w, "recording");
    jsonw_object(w);
    jsonw_m_bool(w, "enabled", false); /* this version does not record */
    jsonw_end_object(w);
    jsonw_m_int(w, "maxDurationSeconds", c->session.max_duration_seconds);
    jsonw_m_time_opt(w, "scheduledAt", c->session.scheduled_at_ms);
    jsonw_end_object(w);
    jsonw_end_object(w);
    reply_send(f);
}

static void run(struct flow *f)
{
    struct join *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, db_session_get(f, &c->id, &c->session));
    if (session_participant_index(&c->session, caller_user_id(f)) < 0)
        FLOW_FAIL(f, ERR_SESSION_NOT_FOUND);
    if (session_is_over(&c->session))
        FLOW_FAIL(f, ERR_SESSION_ENDED);
    check_session_is_open(f, &c->session);
    if (flow_error(f))
        goto fail;
    AWAIT(f, db_session_prompts(f, &c->session, &c->prompts));
    answer(f, c);
    FLOW_END(f);
fail:
    reply_error(f);
}

const struct handler rest_session_join = {
    .flow = {.name = "session.join", .run = run, .ctx_size = sizeof(struct join), .deadline_ms = 3000},
    .input = join_fields,
};
