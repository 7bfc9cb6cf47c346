/* prompt.store: a prompt has been shown. The record must not delay the learners, so it follows the showing.
 */
#include "flows/job.h"

#include "conversation/ports/db.h"

struct prompt_store {
    struct uuid session_id;
    struct topic_prompt prompt;
};

static void run(struct flow *f)
{
    struct prompt_store *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, db_session_prompt_shown(f, &c->session_id, &c->prompt));
    FLOW_END(f);
fail:
    return; /* the engine logs it; the record lacks one prompt */
}

static const struct flow_spec prompt_store = {
    .name = "prompt.store",
    .run = run,
    .ctx_size = sizeof(struct prompt_store),
    .deadline_ms = 10000,
};

void job_prompt_store(const struct uuid *session_id, const struct topic_prompt *prompt)
{
    struct prompt_store *c = flow_ctx(flow_start(&(struct flow_start){.spec = &prompt_store}));
    c->session_id = *session_id;
    c->prompt = *prompt;
}
