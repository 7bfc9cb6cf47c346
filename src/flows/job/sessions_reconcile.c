/* sessions.reconcile: what this instance holds and what the rows say is its own are compared, both ways.
 *
 * An active session that the rows say is of this instance, and that it does not hold, nobody would end: the
 * others see a living owner. It comes about when the answer to a join is lost and the learner does not come
 * again. session.adopt holds it again, like one that was joined; not without the bus, for whoever else holds
 * it could not say so.
 *
 * One that it holds and that is active no more was ended at an instance that could not say so, or died before
 * it did; one that waits may have begun, likewise. */
#include "flows/job.h"

#include "conversation/ports/db.h"
#include "flows/live.h"
#include "flows/neighbours.h"

/* --- one of them --- */

struct adopt {
    struct db_own_session own;
    struct session session;
    struct db_session_prompts prompts;
};

static bool is_wanted(const struct adopt *c)
{
    return c->session.status == SESSION_ACTIVE && !live_get(&c->own.id);
}

static void run_one(struct flow *f)
{
    struct adopt *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, db_session_get(f, &c->own.id, &c->session));
    if (!is_wanted(c))
        return;
    AWAIT(f, db_session_prompts(f, &c->session, &c->prompts));
    if (is_wanted(c))
        live_adopt(live_open(&c->session, &c->prompts), c->own.joins);
    FLOW_END(f);
fail:
    return; /* the engine logs it; the next look finds it again */
}

static const struct flow_spec session_adopt = {
    .name = "session.adopt",
    .run = run_one,
    .ctx_size = sizeof(struct adopt),
    .deadline_ms = 5000,
};

void job_session_adopt(const struct db_own_session *own)
{
    struct adopt *c = flow_ctx(flow_start(&(struct flow_start){.spec = &session_adopt}));
    c->own = *own;
}

/* --- which there are --- */

struct look {
    struct db_own_sessions own;
};

static void run(struct flow *f)
{
    struct look *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, db_sessions_own(f, &c->own));
    for (size_t i = 0; i < c->own.count; i++)
        if (!live_mark(&c->own.items[i].id) && neighbours_are_settled())
            job_session_adopt(&c->own.items[i]);
    live_look_at_unmarked();
    FLOW_END(f);
fail:
    return; /* the engine logs it; the next one tries again */
}

const struct flow_spec job_sessions_reconcile = {
    .name = "sessions.reconcile",
    .run = run,
    .ctx_size = sizeof(struct look),
    .deadline_ms = 30000,
};
