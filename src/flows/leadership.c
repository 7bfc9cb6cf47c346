#include "flows/leadership.h"

#include <assert.h>

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "conversation/rt/timer.h"
#include "flows/job.h"

#define REDIS_POLL_MS 250

static enum { STOPPED, FOLLOWING, LEADING } state;
static int64_t until_ms; /* LEADING: clock_mono_ms */
static struct timer ask_timer, end_timer;
static void (*tell_taken)(bool was_leading);

static int64_t lease_ms(void)
{
    return config.match_lease_seconds * INT64_C(1000);
}

static void ask(struct timer *t)
{
    if (kv_is_up())
        job_leadership_hold(lease_ms()); /* its answer starts the timer again */
    else
        timer_start(t, REDIS_POLL_MS, ask);
}

static void lose(const char *reason)
{
    if (state != LEADING)
        return;
    state = FOLLOWING;
    timer_stop(&end_timer);
    metric_set(M_IS_LEADER, 0, NULL);
    LOG(LOG_WARN, "matchmaker.leadership_lost", LOG_Z("reason", reason));
}

static void on_end(struct timer *t)
{
    (void)t;
    lose("the lease has run out");
}

static void hold(enum kv_lease lease, int64_t asked_ms)
{
    bool was_leading = state == LEADING;
    until_ms = asked_ms + lease_ms();
    if (until_ms <= clock_mono_ms())
        return; /* the answer took too long: on_end, or the next question, decides */
    state = LEADING;
    timer_start(&end_timer, until_ms - clock_mono_ms(), on_end);
    if (!was_leading) {
        metric_set(M_IS_LEADER, 1, NULL);
        LOG(LOG_INFO, "matchmaker.leadership_taken");
    }
    if (!was_leading || lease == KV_LEASE_TAKEN)
        tell_taken(was_leading);
}

void leadership_answered(enum err err, enum kv_lease lease, int64_t asked_ms)
{
    if (state == STOPPED)
        return;
    timer_start(&ask_timer, err ? REDIS_POLL_MS : lease_ms() / 3, ask);
    if (err)
        return; /* what is held is held until it runs out */
    if (lease == KV_LEASE_OTHERS)
        lose("another instance has the lease");
    else
        hold(lease, asked_ms);
}

bool leadership_is_held(void)
{
    return state == LEADING && clock_mono_ms() < until_ms;
}

void leadership_start(void (*taken)(bool was_leading))
{
    assert(state == STOPPED);
    state = FOLLOWING;
    tell_taken = taken;
    metric_set(M_IS_LEADER, 0, NULL);
    timer_start(&ask_timer, 0, ask);
}

void leadership_stop(void)
{
    bool was_leading = state == LEADING;
    state = STOPPED;
    timer_stop(&ask_timer);
    timer_stop(&end_timer);
    if (!was_leading)
        return;
    metric_set(M_IS_LEADER, 0, NULL);
    LOG(LOG_INFO, "matchmaker.leadership_released");
    job_leadership_release();
}
