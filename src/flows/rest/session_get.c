/* GET /sessions/:id and GET /sessions/:id/transcript: for its participants, and for moderators and admins. To
 * anyone else the session does not exist. */
#include "flows/handlers.h"
#include "session_json.h"

#include <stddef.h>

#include "conversation/ports/db.h"

struct get {
    struct uuid id;
    struct session session;
};

static const struct field get_fields[] = {
    FIELD_ID_FROM_PATH(offsetof(struct get, id)),
    FIELDS_END,
};

/* Moderators and admins see every session, and that they look is noted. */
static void read_session(struct flow *f, struct get *c)
{
    if (rest_identity(f)->roles)
        rest_audit(f, flow_spec_of(f)->name, NULL, &c->id);
    db_session_get(f, &c->id, &c->session);
}

static bool may_see(struct flow *f, const struct session *s)
{
    return rest_identity(f)->roles || session_participant_index(s, caller_user_id(f)) >= 0;
}

static void answer_transcript(struct flow *f, const struct session *s)
{
    struct jsonw *w = reply_begin(f, 200);
    jsonw_object(w);
    jsonw_m_uuid(w, "sessionId", &s->id);
    jsonw_m_bool(w, "transcriptAvailable", s->transcript_available);
    jsonw_m_uuid_opt(w, "transcriptId", &s->transcript_id);
    jsonw_end_object(w);
    reply_send(f);
}

static void run_get(struct flow *f)
{
    struct get *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, read_session(f, c));
    if (!may_see(f, &c->session))
        FLOW_FAIL(f, ERR_SESSION_NOT_FOUND);
    reply_session(f, &c->session);
    FLOW_END(f);
fail:
    reply_error(f);
}

static void run_transcript(struct flow *f)
{
    struct get *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, read_session(f, c));
    if (!may_see(f, &c->session))
        FLOW_FAIL(f, ERR_SESSION_NOT_FOUND);
    answer_transcript(f, &c->session);
    FLOW_END(f);
fail:
    reply_error(f);
}

const struct handler rest_session_get = {
    .flow = {.name = "session.get", .run = run_get, .ctx_size = sizeof(struct get), .deadline_ms = 3000},
    .input = get_fields,
};

const struct handler rest_session_transcript = {
    .flow = {.name = "session.transcript",
             .run = run_transcript,
             .ctx_size = sizeof(struct get),
             .deadline_ms = 3000},
    .input = get_fields,
};
