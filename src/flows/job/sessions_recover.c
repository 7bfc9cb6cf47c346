/* sessions.recover: once, after the start. Whoever joined a waiting session before this process began was on
 * a socket of a process that is gone, and does not count as joined; the sessions themselves go on when their
 * learners come back. */
#include "flows/job.h"

#include "conversation/base/clock.h"
#include "conversation/ports/db.h"

#define RETRY_MS 250 /* the database may not be there yet */

struct recover {
    int64_t started_at_ms;
    enum err err;
};

static void run(struct flow *f)
{
    struct recover *c = flow_ctx(f);
    FLOW_BEGIN(f);
    for (;;) {
        AWAIT_TRY(f, &c->err, db_sessions_unjoin(f, c->started_at_ms));
        if (!err_is_passing(c->err))
            break;
        AWAIT(f, flow_sleep(f, RETRY_MS));
    }
    if (c->err)
        FLOW_FAIL(f, c->err);
    FLOW_END(f);
fail:
    return; /* the engine logs it */
}

static const struct flow_spec sessions_recover = {
    .name = "sessions.recover",
    .run = run,
    .ctx_size = sizeof(struct recover),
};

void job_sessions_recover(void)
{
    struct recover *c = flow_ctx(flow_start(&(struct flow_start){.spec = &sessions_recover}));
    c->started_at_ms = clock_now_ms();
}
