/* join_session {userId, sessionId}: the socket takes its place in the session; the second one makes it
 * active. See docs/sessions.md. Not cancelled when the socket goes: what the database was told must be told
 * to the live session, too. */
#include "flows/handlers.h"
#include "flows/job.h"
#include "flows/live.h"
#include "flows/session_open.h"

#include <stddef.h>

#include "conversation/base/clock.h"
#include "conversation/config.h"
#include "conversation/ports/bus.h"
#include "conversation/ports/db.h"

struct join_input {
    struct uuid user_id, session_id;
};

struct join {
    struct join_input in;
    struct session session;
    struct db_session_prompts prompts;
    struct db_join joined;
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
    else if (clock_now_ms() >= event_token_expires_ms(f) + config.jwt_leeway_seconds * 1000LL)
        flow_set_error_field(f, ERR_UNAUTHORIZED, "token", "expired");
}

/* The live session is opened as it was before it became active, so that its start is seen once, by whoever
 * learns of it: this join, or the next one when the answer to the one that made it active was lost. */
static void enter(struct flow *f, const struct join *c)
{
    const struct session *s = &c->joined.session;
    struct session before = *s;
    if (c->joined.activated)
        before.status = SESSION_WAITING;
    bool is_new_here = !live_get(&s->id);
    struct live *l = live_open(&before, &c->prompts);
    int who = session_participant_index(s, caller_user_id(f));
    live_join(l, &(struct live_seat){who, event_socket(f), c->joined.number, c->joined.partner_at});
    if (s->status == SESSION_ACTIVE && live_get(&s->id) == l)
        live_activate(l, s);
    job_session_put(s, (int)c->prompts.shown_count);
    /* Somebody may have ended it after the join was stored and before it was live here. On the bus that is
     * looked at when its channel is listened to: then nothing is missed any more. */
    if (is_new_here && !bus_listening_ms())
        job_session_look(&s->id);
}

static void answer(struct flow *f, const struct session *s)
{
    struct jsonw *w = event_ack_begin(f);
    jsonw_m_uuid(w, "sessionId", &s->id);
    jsonw_m_z(w, "sessionStatus", session_status_names[s->status]);
    event_ack_send(f);
}

static void run(struct flow *f)
{
    struct join *c = flow_ctx(f);
    FLOW_BEGIN(f);
    check(f, &c->in);
    if (flow_error(f))
        goto fail;
    AWAIT(f, db_session_get(f, &c->in.session_id, &c->session));
    check_session_is_open(f, &c->session);
    if (flow_error(f))
        goto fail;
    AWAIT(f, db_session_prompts(f, &c->session, &c->prompts));
    AWAIT(f, db_session_join(f, &c->in.session_id, caller_user_id(f), &c->joined));
    enter(f, c);
    answer(f, &c->joined.session);
    FLOW_END(f);
fail:
    if (live_get(&c->in.session_id)) /* the join may have been stored all the same */
        job_session_look(&c->in.session_id);
    reply_error(f);
}

const struct handler event_join_session = {
    .flow = {.name = "event.join_session", .run = run, .ctx_size = sizeof(struct join), .deadline_ms = 5000},
    .input = join_fields,
};
