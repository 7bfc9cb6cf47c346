/* session.end: a timer ended a session. Tried until the database has decided, since nobody else would. */
#include "flows/job.h"
#include "flows/live.h"
#include "flows/session_ended.h"

#define RETRY_MS 1000

struct session_end {
    struct db_session_ending ending;
    struct db_ended ended;
    enum err err;
};

static void run(struct flow *f)
{
    struct session_end *c = flow_ctx(f);
    FLOW_BEGIN(f);
    for (;;) {
        AWAIT_TRY(f, &c->err, db_session_end(f, &c->ending, &c->ended));
        if (!err_is_passing(c->err))
            break;
        AWAIT(f, flow_sleep(f, RETRY_MS));
    }
    if (c->err)
        FLOW_FAIL(f, c->err);
    session_ended(f, &c->ended, &c->ending.by);
    FLOW_END(f);
fail:
    live_forget(&c->ending.id);
}

static const struct flow_spec session_end = {
    .name = "session.end",
    .run = run,
    .ctx_size = sizeof(struct session_end),
};

void job_session_end(const struct db_session_ending *ending)
{
    struct session_end *c = flow_ctx(flow_start(&(struct flow_start){.spec = &session_end}));
    c->ending = *ending;
}
