/* instance.beat: this instance is alive. instance.stop: it is no longer, and what it ran is open to others.
 */
#include "flows/instance.h"
#include "flows/job.h"

static void run_beat(struct flow *f)
{
    FLOW_BEGIN(f);
    if (!db_is_up()) /* it would fail, and be logged, all the time */
        return;
    AWAIT(f, db_instance_beat(f, false));
    instance_was_seen();
    FLOW_END(f);
fail:
    return; /* the next one comes soon */
}

const struct flow_spec job_instance_beat = {
    .name = "instance.beat",
    .run = run_beat,
    .deadline_ms = DB_INSTANCE_BEAT_MS,
};

static void run_stop(struct flow *f)
{
    FLOW_BEGIN(f);
    AWAIT(f, db_instance_beat(f, true));
    FLOW_END(f);
fail:
    return; /* its silence says the same, later */
}

static const struct flow_spec instance_stop = {
    .name = "instance.stop",
    .run = run_stop,
    .deadline_ms = DB_INSTANCE_BEAT_MS,
};

void job_instance_stop(void)
{
    flow_start(&(struct flow_start){.spec = &instance_stop});
}
