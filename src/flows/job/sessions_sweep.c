/* sessions.sweep: ends what a crashed process left running.
 * Whatever has an owner is ended by its timers first; `slack` is how long they may be late. */
#include "flows/job.h"
#include "flows/session_ended.h"

#include "conversation/base/log.h"
#include "conversation/config.h"

#define SLACK_MS 10000

struct sweep {
    struct db_sweep_query query;
    struct db_swept swept;
};

static void announce(struct flow *f, const struct sweep *c)
{
    static const struct uuid nobody;
    for (size_t i = 0; i < c->swept.ended_count; i++)
        session_ended(f, &c->swept.ended[i], &nobody);
    if (c->swept.ended_count)
        LOG(LOG_INFO, "sessions.swept", LOG_INT("ended", (int64_t)c->swept.ended_count));
}

static void run(struct flow *f)
{
    struct sweep *c = flow_ctx(f);
    FLOW_BEGIN(f);
    c->query = (struct db_sweep_query){
        .slack_ms = SLACK_MS,
        .join_window_ms = config.session_join_window_seconds * 1000LL,
    };
    AWAIT(f, db_sessions_sweep(f, &c->query, &c->swept));
    announce(f, c);
    FLOW_END(f);
fail:
    return; /* the engine logs it; the next sweep tries again */
}

const struct flow_spec job_sessions_sweep = {
    .name = "sessions.sweep",
    .run = run,
    .ctx_size = sizeof(struct sweep),
    .deadline_ms = 30000,
};
