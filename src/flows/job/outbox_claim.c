/* outbox.claim: asks for the lock of the relay. */
#include "flows/job.h"
#include "flows/outbox.h"

#include "conversation/ports/db_outbox.h"

static void run(struct flow *f)
{
    struct outbox_claim *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, db_outbox_claim(f, &c->is_held));
    FLOW_END(f);
fail:
    return; /* asked again in a second */
}

const struct flow_spec job_outbox_claim = {
    .name = "outbox.claim",
    .run = run,
    .ctx_size = sizeof(struct outbox_claim),
};
