/* The periodic jobs: one row is one job. A job that is still running when its time comes again is not started
 * twice. */
#include "tables.h"

#include "conversation/base/clock.h"
#include "conversation/config.h"
#include "conversation/rt/timer.h"
#include "flows/job.h"

struct job {
    const struct flow_spec *flow;
    const int64_t *interval_ms; /* of the configuration */
    struct timer timer;
    struct flow *running;
};

static struct job jobs[] = {
    {.flow = &job_sessions_sweep, .interval_ms = &config.session_cleanup_interval_ms},
};

#define FIRST_RUN_MS 2000 /* soon after the start: what the last process left is waiting */
#define JOB_COUNT    (sizeof jobs / sizeof jobs[0])

static void on_due(struct timer *t);

static void ended(struct flow *f)
{
    struct job *job = flow_caller(f);
    job->running = NULL;
}

static void on_due(struct timer *t)
{
    struct job *job = container_of(t, struct job, timer);
    if (!job->running)
        job->running = flow_start(&(struct flow_start){.spec = job->flow, .caller = job, .done = ended});
    timer_start(t, *job->interval_ms, on_due);
}

/* Once: see flows/job/sessions_recover.c. */
static struct timer recover_timer;
static int64_t started_at_ms;

static void on_grace_over(struct timer *t)
{
    (void)t;
    job_sessions_recover(started_at_ms);
}

void jobs_start(void)
{
    started_at_ms = clock_now_ms();
    timer_start(&recover_timer, config.session_reconnect_grace_seconds * 1000LL, on_grace_over);
    for (size_t i = 0; i < JOB_COUNT; i++)
        timer_start(&jobs[i].timer, FIRST_RUN_MS, on_due);
}

void jobs_stop(void)
{
    timer_stop(&recover_timer);
    for (size_t i = 0; i < JOB_COUNT; i++)
        timer_stop(&jobs[i].timer);
}
