/* prompt.store: a prompt has been shown. The record must not delay the learners, so it follows the showing,
 * and is tried until the database is there: otherwise the prompt would come again after a restart. */
#include "flows/job.h"

#include "conversation/base/clock.h"
#include "conversation/ports/db.h"

struct prompt_store {
    struct uuid session_id;
    struct topic_prompt prompt;
    int64_t displayed_at_ms;
    enum err err;
};

static void run(struct flow *f)
{
    struct prompt_store *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT_LASTING(f, &c->err, db_session_prompt_shown(f, &c->session_id, &c->prompt, c->displayed_at_ms));
    if (c->err)
        FLOW_FAIL(f, c->err);
    FLOW_END(f);
fail:
    return; /* the engine logs it; a session that has ended needs the record no more */
}

static const struct flow_spec prompt_store = {
    .name = "prompt.store",
    .run = run,
    .ctx_size = sizeof(struct prompt_store),
};

void job_prompt_store(const struct uuid *session_id, const struct topic_prompt *prompt)
{
    struct prompt_store *c = flow_ctx(flow_start(&(struct flow_start){.spec = &prompt_store}));
    c->session_id = *session_id;
    c->prompt = *prompt;
    c->displayed_at_ms = clock_now_ms();
}
