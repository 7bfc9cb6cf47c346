/* POST /sessions/:id/end and POST /sessions/:id/leave. On a session that is over both just show it. */
#include "flows/handlers.h"
#include "flows/job.h"
#include "flows/session_ended.h"
#include "session_json.h"

#include <stddef.h>

struct finish {
    struct uuid id;
    struct db_session_ending ending;
    struct db_ended ended;
};

static const struct field finish_fields[] = {
    FIELD_ID_FROM_PATH(offsetof(struct finish, id)),
    FIELDS_END,
};

/* One flow for both endpoints: what differs is the event. */
static enum session_event event_of(const struct flow *f)
{
    return flow_spec_of(f) == &rest_session_end.flow ? SESSION_EVENT_END : SESSION_EVENT_LEAVE;
}

static void finish(struct flow *f, struct finish *c)
{
    c->ending = (struct db_session_ending){.id = c->id, .by = *caller_user_id(f), .event = event_of(f)};
    session_end_submit(f, &c->ending, &c->ended);
}

/* The caller will not hear how it went, or was told to try again: the session may have ended all the same,
 * and those in it must be told. What was asked for is harmless to ask twice. */
static void carry_through(struct flow *f, const struct finish *c)
{
    enum err err = flow_error(f);
    if (!uuid_is_nil(&c->ending.id) && (err == ERR_CANCELLED || err_is_passing(err)))
        job_session_end_again(&c->ending);
}

static void run(struct flow *f)
{
    struct finish *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, finish(f, c));
    session_ended(f, &c->ended, caller_user_id(f));
    reply_session(f, &c->ended.session);
    FLOW_END(f);
fail:
    carry_through(f, c);
    reply_error(f);
}

const struct handler rest_session_end = {
    .flow = {.name = "session.end_by_user",
             .run = run,
             .ctx_size = sizeof(struct finish),
             .deadline_ms = 5000},
    .input = finish_fields,
};

const struct handler rest_session_leave = {
    .flow = {.name = "session.leave", .run = run, .ctx_size = sizeof(struct finish), .deadline_ms = 5000},
    .input = finish_fields,
};
