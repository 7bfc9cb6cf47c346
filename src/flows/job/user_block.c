/* user.block_carried: a block whose caller did not wait for the answer, and what follows from it. */
#include "flows/job.h"
#include "flows/keep_apart.h"

#include "conversation/ports/db_moderation.h"

struct carried_block {
    struct db_block block;
    struct db_blocked blocked;
    enum err err;
};

static void run(struct flow *f)
{
    struct carried_block *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT_LASTING(f, &c->err, db_user_block(f, &c->block, &c->blocked));
    if (c->err)
        FLOW_FAIL(f, c->err);
    keep_apart(&c->block.user_id, &c->blocked.requests, &c->blocked.arranged);
    FLOW_END(f);
fail:
    return;
}

static const struct flow_spec block_carried = {
    .name = "user.block_carried",
    .run = run,
    .ctx_size = sizeof(struct carried_block),
};

void job_user_block(const struct db_block *block)
{
    struct carried_block *c = flow_ctx(flow_start(&(struct flow_start){.spec = &block_carried}));
    c->block = *block;
}
