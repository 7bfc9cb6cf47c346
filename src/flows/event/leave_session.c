/* leave_session {sessionId, userId}: as POST /sessions/:id/leave, from the socket. */
#include "flows/handlers.h"
#include "flows/job.h"
#include "flows/session_ended.h"

#include <stddef.h>

struct leave_input {
    struct uuid user_id, session_id;
};

struct leave {
    struct leave_input in;
    struct db_session_ending ending;
    struct db_ended ended;
};

static const struct field leave_fields[] = {
    {"userId", FIELD_UUID, .offset = offsetof(struct leave_input, user_id)},
    {"sessionId", FIELD_UUID, .is_required = true, .offset = offsetof(struct leave_input, session_id)},
    FIELDS_END,
};

static bool claims_another(struct flow *f, const struct leave_input *in)
{
    return !uuid_is_nil(&in->user_id) && !uuid_eq(&in->user_id, caller_user_id(f));
}

static void leave(struct flow *f, struct leave *c)
{
    c->ending = (struct db_session_ending){
        .id = c->in.session_id,
        .by = *caller_user_id(f),
        .event = SESSION_EVENT_LEAVE,
    };
    session_end_submit(f, &c->ending, &c->ended);
}

static void answer(struct flow *f, const struct session *s)
{
    struct jsonw *w = event_ack_begin(f);
    jsonw_m_z(w, "sessionStatus", session_status_names[s->status]);
    event_ack_send(f);
}

static void run(struct flow *f)
{
    struct leave *c = flow_ctx(f);
    FLOW_BEGIN(f);
    if (claims_another(f, &c->in))
        FLOW_FAIL_FIELD(f, ERR_FORBIDDEN, "userId", "is not the user of this socket");
    AWAIT(f, leave(f, c));
    answer(f, &c->ended.session);
    session_ended(f, &c->ended, caller_user_id(f));
    FLOW_END(f);
fail:
    if (!uuid_is_nil(&c->ending.id) && err_is_passing(flow_error(f)))
        job_session_end_again(&c->ending); /* it may have ended all the same, and those in it must be told */
    reply_error(f);
}

const struct handler event_leave_session = {
    .flow = {.name = "event.leave_session",
             .run = run,
             .ctx_size = sizeof(struct leave),
             .deadline_ms = 5000},
    .input = leave_fields,
};
