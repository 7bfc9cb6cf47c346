/* sessions.abandoned: sessions that nobody joined are deleted soon after their time, so that the two may ask
 * for another partner. Nobody's timer does it: no instance holds what nobody has joined. */
#include "flows/job.h"

#include "conversation/base/log.h"
#include "conversation/config.h"

struct abandoned {
    int deleted;
};

static void run(struct flow *f)
{
    struct abandoned *c = flow_ctx(f);
    FLOW_BEGIN(f);
    if (!db_is_up()) /* it would fail, and be logged, all the time */
        return;
    AWAIT(f, db_sessions_abandoned(f, config.session_abandoned_seconds * INT64_C(1000), &c->deleted));
    if (c->deleted)
        LOG(LOG_INFO, "sessions.abandoned", LOG_INT("deleted", c->deleted));
    FLOW_END(f);
fail:
    return; /* the engine logs it; the next one tries again */
}

const struct flow_spec job_sessions_abandoned = {
    .name = "sessions.abandoned",
    .run = run,
    .ctx_size = sizeof(struct abandoned),
    .deadline_ms = 10000,
};
