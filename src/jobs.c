/* The periodic jobs: one row is one job. A job that is still running when its time comes again is not started
 * twice. */
#include "tables.h"

#include "conversation/config.h"
#include "conversation/rt/timer.h"
#include "flows/instance.h"
#include "flows/job.h"

struct job {
    const struct flow_spec *flow;
    int64_t every_ms;
    const int64_t *setting_ms; /* instead of every_ms */
    int64_t first_ms;          /* after the start */
    struct timer timer;
    struct flow *running;
};

static struct job jobs[] = {
    {.flow = &job_instance_beat, .every_ms = DB_INSTANCE_BEAT_MS},
    {.flow = &job_sessions_sweep, .setting_ms = &config.session_cleanup_interval_ms, .first_ms = 2000},
    {.flow = &job_sessions_abandoned, .every_ms = 5000, .first_ms = 2500},
    {.flow = &job_sessions_recover, .every_ms = DB_INSTANCE_SILENT_MS, .first_ms = 2000},
    {.flow = &job_sessions_reconcile, .every_ms = 15000, .first_ms = 15000},
    {.flow = &job_sessions_refresh, .every_ms = 1000, .first_ms = 1000},
    {.flow = &job_speech_carry, .every_ms = 10000, .first_ms = 10000},
    {.flow = &job_outbox_purge, .every_ms = 60000, .first_ms = 5000},
    /* Whether an erasing was left undone: what is asked for here begins at once. */
    {.flow = &job_users_erase, .every_ms = 30000, .first_ms = 3000},
    {.flow = &job_topics_popularity, .setting_ms = &config.popularity_interval_ms, .first_ms = 10000},
};

#define JOB_COUNT (sizeof jobs / sizeof jobs[0])

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
    timer_start(t, job->setting_ms ? *job->setting_ms : job->every_ms, on_due);
}

void jobs_start(void)
{
    instance_begins();
    for (size_t i = 0; i < JOB_COUNT; i++)
        timer_start(&jobs[i].timer, jobs[i].first_ms, on_due);
}

void jobs_stop(void)
{
    for (size_t i = 0; i < JOB_COUNT; i++)
        timer_stop(&jobs[i].timer);
    flow_start(&(struct flow_start){.spec = &job_speech_carry}); /* before the live sessions are forgotten */
    job_instance_stop();
}
