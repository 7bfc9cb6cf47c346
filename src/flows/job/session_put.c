/* session.put: the session's copy in Redis, for observers. It must not delay the learners. */
#include "flows/job.h"

#include "conversation/ports/kv.h"

struct session_put {
    struct session session;
    int prompts_shown;
};

static void run(struct flow *f)
{
    struct session_put *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, kv_session_put(f, &c->session, c->prompts_shown));
    FLOW_END(f);
fail:
    return; /* the engine logs it; the row has everything */
}

static const struct flow_spec session_put = {
    .name = "session.put",
    .run = run,
    .ctx_size = sizeof(struct session_put),
    .deadline_ms = 10000,
};

void job_session_put(const struct session *s, int prompts_shown)
{
    struct session_put *c = flow_ctx(flow_start(&(struct flow_start){.spec = &session_put}));
    c->session = *s;
    c->prompts_shown = prompts_shown;
}
