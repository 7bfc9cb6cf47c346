/* sessions.refresh: the copies in Redis of sessions that are here are written again before they run out. At
 * most AT_ONCE in a second: however many came at the same moment, they do not hold up the loop together. */
#include "flows/job.h"
#include "flows/session_keys.h"

#define AT_ONCE 250

struct refresh {
    struct kv_running *items; /* the flow's arena */
    size_t count;
};

static void run(struct flow *f)
{
    struct refresh *c = flow_ctx(f);
    FLOW_BEGIN(f);
    if (!kv_is_up()) /* those that are due stay so */
        return;
    c->items = ARENA_ARRAY(flow_arena(f), struct kv_running, AT_ONCE);
    c->count = session_keys_take(c->items, AT_ONCE);
    if (c->count)
        AWAIT(f, kv_sessions_refresh(f, c->items, c->count));
    FLOW_END(f);
fail:
    return; /* the engine logs it; the next time they are due is soon enough */
}

const struct flow_spec job_sessions_refresh = {
    .name = "sessions.refresh",
    .run = run,
    .ctx_size = sizeof(struct refresh),
    .deadline_ms = 10000,
};
