/* leadership.hold and leadership.release: the lease of the instance that decides who is paired. */
#include "flows/leadership.h"
#include "flows/job.h"

struct hold {
    int64_t lease_ms;
    enum kv_lease lease;
    enum err err;
};

static void run_hold(struct flow *f)
{
    struct hold *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT_TRY(f, &c->err, kv_lease_hold(f, LEADERSHIP_LEASE, c->lease_ms, &c->lease));
    leadership_answered(c->err, c->lease, flow_started_ms(f));
    FLOW_END(f);
fail:
    return; /* the process ends */
}

static const struct flow_spec leadership_hold = {
    .name = "leadership.hold",
    .run = run_hold,
    .ctx_size = sizeof(struct hold),
};

void job_leadership_hold(int64_t lease_ms)
{
    struct hold *c = flow_ctx(flow_start(&(struct flow_start){.spec = &leadership_hold}));
    c->lease_ms = lease_ms;
}

static void run_release(struct flow *f)
{
    FLOW_BEGIN(f);
    AWAIT(f, kv_lease_release(f, LEADERSHIP_LEASE));
    FLOW_END(f);
fail:
    return; /* it runs out by itself */
}

static const struct flow_spec leadership_release = {
    .name = "leadership.release",
    .run = run_release,
};

void job_leadership_release(void)
{
    flow_start(&(struct flow_start){.spec = &leadership_release});
}
