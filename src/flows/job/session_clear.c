/* session.clear: a session is over; its keys in Redis go. They would run out by themselves. */
#include "flows/job.h"

#include "conversation/ports/kv.h"

struct session_clear {
    struct session session;
};

static void run(struct flow *f)
{
    struct session_clear *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, kv_session_clear(f, &c->session));
    FLOW_END(f);
fail:
    return; /* the engine logs it; the keys expire */
}

static const struct flow_spec session_clear = {
    .name = "session.clear",
    .run = run,
    .ctx_size = sizeof(struct session_clear),
    .deadline_ms = 10000,
};

void job_session_clear(const struct session *s)
{
    struct session_clear *c = flow_ctx(flow_start(&(struct flow_start){.spec = &session_clear}));
    c->session = *s;
}
