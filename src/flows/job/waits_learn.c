/* waits.learn: once at the start, the waits that ended lately, so that the first learners get an estimate,
 * too. */
#include "flows/job.h"
#include "flows/wait_times.h"

struct waits_learn {
    struct db_waits waits;
    enum err err;
};

static void run(struct flow *f)
{
    struct waits_learn *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT_LASTING(f, &c->err, db_match_waits(f, &c->waits));
    if (c->err)
        FLOW_FAIL(f, c->err);
    wait_times_learn(&c->waits);
    FLOW_END(f);
fail:; /* estimates then come from what ends from now on; the engine has logged why */
}

const struct flow_spec job_waits_learn = {
    .name = "waits.learn",
    .run = run,
    .ctx_size = sizeof(struct waits_learn),
};
