/* join_session {userId, sessionId}: the socket takes its place in the session; the second one makes it
 * active. See docs/sessions.md. Not cancelled when the socket goes: what the database was told must be told
 * to the live session, too. */
#include "flows/handlers.h"
#include "flows/live.h"
#include "flows/session_ended.h"

#include <stddef.h>

#include "conversation/base/clock.h"
#include "conversation/ports/db.h"
#include "conversation/ports/kv.h"

struct join_input {
    struct uuid user_id, session_id;
};

struct join {
    struct join_input in;
    struct session session;
    struct db_session_prompts prompts;
    struct db_join joined;
    bool is_new_here;
    enum err ignored; /* of what can be had again: the Redis copy, the second look */
};

static const struct field join_fields[] = {
    {"userId", FIELD_UUID, .is_required = true, .offset = offsetof(struct join_input, user_id)},
    {"sessionId", FIELD_UUID, .is_required = true, .offset = offsetof(struct join_input, session_id)},
    FIELDS_END,
};

static void check(struct flow *f, const struct join_input *in)
{
    if (!uuid_eq(&in->user_id, caller_user_id(f)))
        flow_set_error_field(f, ERR_FORBIDDEN, "userId", "is not the user of this socket");
    else if (event_token_expires_ms(f) < clock_now_ms())
        flow_set_error_field(f, ERR_UNAUTHORIZED, "token", "expired");
}

/* The live session is opened as it was before this join, so that its activation is seen once. */
static void enter(struct flow *f, struct join *c)
{
    const struct session *s = &c->joined.session;
    struct session before = *s;
    if (c->joined.activated)
        before.status = SESSION_WAITING;
    c->is_new_here = !live_get(&s->id);
    struct live *l = live_open(&before, &c->prompts);
    live_join(l, session_participant_index(s, caller_user_id(f)), event_socket(f));
    if (c->joined.activated)
        live_activate(l, s);
}

static void answer(struct flow *f, const struct session *s)
{
    struct jsonw *w = event_ack_begin(f);
    jsonw_m_uuid(w, "sessionId", &s->id);
    jsonw_m_z(w, "sessionStatus", session_status_names[s->status]);
    event_ack_send(f);
}

/* Somebody may have ended the session after the join was stored and before its answer was read: then it must
 * not stay live. */
static void look_again(struct flow *f, struct join *c)
{
    static const struct uuid nobody;
    struct db_ended ended = {.session = c->session, .changed = false};
    if (c->ignored == OK && session_is_over(&c->session))
        session_ended(f, &ended, &nobody);
}

static void run(struct flow *f)
{
    struct join *c = flow_ctx(f);
    FLOW_BEGIN(f);
    check(f, &c->in);
    if (flow_error(f))
        goto fail;
    AWAIT(f, db_session_get(f, &c->in.session_id, &c->session));
    AWAIT(f, db_session_prompts(f, &c->session, &c->prompts));
    AWAIT(f, db_session_join(f, &c->in.session_id, caller_user_id(f), &c->joined));
    enter(f, c);
    answer(f, &c->joined.session);
    AWAIT_TRY(f, &c->ignored, kv_session_put(f, &c->joined.session, (int)c->prompts.shown_count));
    if (c->is_new_here) {
        AWAIT_TRY(f, &c->ignored, db_session_get(f, &c->in.session_id, &c->session));
        look_again(f, c);
    }
    FLOW_END(f);
fail:
    reply_error(f);
}

const struct handler event_join_session = {
    .flow = {.name = "event.join_session", .run = run, .ctx_size = sizeof(struct join), .deadline_ms = 5000},
    .input = join_fields,
};
