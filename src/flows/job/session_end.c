/* session.end and session.look: what the database makes of a session, carried to whoever is in it. Tried
 * until the database has answered, since nobody else would: a timer has ended the session, or a caller's
 * answer was lost. */
#include "flows/job.h"
#include "flows/live.h"
#include "flows/session_ended.h"

#define RETRY_MS 1000
#define RETRY_FAULT_MS                                                                  \
    30000 /* after an error of ours: it does not pass by itself, and each try is logged \
           */

struct session_end {
    struct db_session_ending ending;
    struct db_ended ended;
    bool only_look;
    bool is_doubtful; /* an answer may have been lost: what has changed may have changed by this flow */
    enum err err;
};

/* Who is to be dropped may come back while the database is away. */
static bool is_outdated(const struct db_session_ending *ending)
{
    struct live *l = live_get(&ending->id);
    return ending->event == SESSION_EVENT_DROP && l && live_must_not_drop(l, &ending->by);
}

static void try(struct flow *f, struct session_end *c)
{
    if (!c->only_look && is_outdated(&c->ending))
        c->only_look = true;
    if (c->only_look)
        db_session_get(f, &c->ending.id, &c->ended.session);
    else
        session_end_submit(f, &c->ending, &c->ended);
}

/* The event is not legal in the session's status: what this process thinks of it is out of date. */
static bool must_look(struct session_end *c)
{
    if (c->err != ERR_CONFLICT || c->only_look)
        return false;
    c->only_look = true;
    return true;
}

static void carry(struct flow *f, struct session_end *c)
{
    const struct session *s = &c->ended.session;
    struct live *l = live_get(&s->id);
    c->ended.changed |= c->is_doubtful;
    if (session_is_over(s))
        session_ended(f, &c->ended, &c->ending.by);
    else if (l && !uuid_is_nil(&c->ended.back_at))
        live_came_back(l, live_participant(l, &c->ending.by), &c->ended.back_at, c->ended.back_join);
    else if (l && s->status == SESSION_ACTIVE)
        live_activate(l, s);
}

static void run(struct flow *f)
{
    struct session_end *c = flow_ctx(f);
    FLOW_BEGIN(f);
    for (;;) {
        AWAIT_TRY(f, &c->err, try(f, c));
        if (must_look(c))
            continue;
        if (c->err == OK || c->err == ERR_SESSION_NOT_FOUND)
            break;
        c->is_doubtful |= !c->only_look;
        AWAIT(f, flow_sleep(f, err_is_passing(c->err) ? RETRY_MS : RETRY_FAULT_MS));
    }
    if (c->err)
        FLOW_FAIL(f, c->err);
    carry(f, c);
    FLOW_END(f);
fail:
    if (flow_error(f) == ERR_SESSION_NOT_FOUND)
        live_forget(&c->ending.id);
}

static const struct flow_spec session_end = {
    .name = "session.end",
    .run = run,
    .ctx_size = sizeof(struct session_end),
};

static const struct flow_spec session_look = {
    .name = "session.look",
    .run = run,
    .ctx_size = sizeof(struct session_end),
};

void job_session_end(const struct db_session_ending *ending)
{
    struct session_end *c = flow_ctx(flow_start(&(struct flow_start){.spec = &session_end}));
    c->ending = *ending;
}

void job_session_end_again(const struct db_session_ending *ending)
{
    struct session_end *c = flow_ctx(flow_start(&(struct flow_start){.spec = &session_end}));
    c->ending = *ending;
    c->is_doubtful = true;
}

void job_session_look(const struct uuid *session_id)
{
    struct session_end *c = flow_ctx(flow_start(&(struct flow_start){.spec = &session_look}));
    c->ending.id = *session_id;
    c->only_look = true;
}

void job_session_look_ended(const struct uuid *session_id, const struct uuid *by)
{
    struct session_end *c = flow_ctx(flow_start(&(struct flow_start){.spec = &session_look}));
    c->ending.id = *session_id;
    c->ending.by = *by;
    c->only_look = true;
}
