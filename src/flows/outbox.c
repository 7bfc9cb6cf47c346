/* When the relay does what. What a pass does is outbox.relay (job/outbox_relay.c). */
#include "flows/outbox.h"

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "conversation/ports/db_outbox.h"
#include "conversation/ports/publisher.h"
#include "conversation/rt/timer.h"
#include "flows/job.h"

#define SOON_MS \
    5 /* from a commit, or a pass that found something, to the next: those of the same moment go together */
#define LOOK_MS 5000

static struct {
    bool is_on, is_stopping;
    bool is_open;    /* the connection for it */
    bool is_held;    /* the lock, by that connection */
    bool is_woken;   /* something was committed since the pass began */
    bool is_flushed; /* stopping, and what this process has written is sent */
    int max;         /* events of the next pass: few after a failure, to find out whose it was */
    struct flow *running;
    struct timer next, look;
} relay;

static void on_due(struct timer *t);

static void go_on(int64_t after_ms)
{
    if (relay.is_on && relay.is_open)
        timer_start(&relay.next, after_ms, on_due);
}

/* --- the lock --- */

static void set_held(bool is_held, const char *event)
{
    if (relay.is_held == is_held)
        return;
    relay.is_held = is_held;
    metric_set(M_OUTBOX_IS_RELAY, is_held, NULL);
    LOG(LOG_INFO, event);
}

static void on_changed(bool is_open)
{
    relay.is_open = is_open;
    if (!is_open)
        set_held(false, "outbox.relay_lost");
    if (!is_open)
        timer_stop(&relay.next);
    else if (!relay.running && !relay.is_stopping)
        go_on(0);
}

static void claimed(struct flow *f)
{
    const struct outbox_claim *c = flow_ctx(f);
    relay.running = NULL;
    if (!flow_error(f) && c->is_held)
        set_held(true, "outbox.relay_taken");
    if (!relay.is_stopping)
        go_on(relay.is_held ? 0 : OUTBOX_RETRY_MS);
}

/* --- a pass --- */

static int64_t pause_ms(enum err err, const struct outbox_pass *p)
{
    if (err || p->has_failed || !relay.is_held)
        return OUTBOX_RETRY_MS;
    if (p->read == (size_t)p->max)
        return 0;
    return relay.is_woken || p->read > 0 ? SOON_MS : OUTBOX_POLL_MS;
}

static void passed(struct flow *f)
{
    const struct outbox_pass *p = flow_ctx(f);
    int64_t after_ms = pause_ms(flow_error(f), p);
    relay.running = NULL;
    relay.is_flushed = relay.is_stopping && after_ms > 0 && !relay.is_woken;
    relay.max = p->has_failed ? 1 : relay.max * 4 < OUTBOX_PASS_MAX ? relay.max * 4 : OUTBOX_PASS_MAX;
    if (!relay.is_stopping ||
        after_ms < OUTBOX_RETRY_MS) /* stopping, what fails is left to another instance */
        go_on(after_ms);
}

static void begin_pass(void)
{
    relay.is_woken = false;
    relay.running = flow_start(&(struct flow_start){.spec = &job_outbox_relay, .done = passed});
    ((struct outbox_pass *)flow_ctx(relay.running))->max = relay.max;
}

static void on_due(struct timer *t)
{
    (void)t;
    if (relay.is_held)
        begin_pass();
    else if (!relay.is_stopping)
        relay.running = flow_start(&(struct flow_start){.spec = &job_outbox_claim, .done = claimed});
}

/* Stopping, what cannot be sent now is left to another instance. */
static bool is_of_use(void)
{
    return relay.is_held && (!relay.is_stopping || publisher_is_up());
}

static void on_committed(void)
{
    relay.is_woken = true;
    bool is_soon = timer_is_running(&relay.next) && relay.next.due_ms <= clock_mono_ms() + SOON_MS;
    bool is_in_trouble = relay.max < OUTBOX_PASS_MAX; /* its pause is not cut short */
    if (!is_of_use())
        return;
    relay.is_flushed = false;
    if (!relay.running && !is_soon && !is_in_trouble)
        go_on(SOON_MS);
}

/* --- its life --- */

static void on_look(struct timer *t)
{
    flow_start(&(struct flow_start){.spec = &job_outbox_look});
    timer_start(t, LOOK_MS, on_look);
}

void outbox_start(void)
{
    static const struct db_outbox_watch watch = {.changed = on_changed, .committed = on_committed};
    if (!config.kafka_brokers[0])
        return;
    relay.is_on = true;
    relay.max = OUTBOX_PASS_MAX;
    metric_set(M_OUTBOX_IS_RELAY, 0, NULL);
    db_outbox_start(&watch);
    timer_start(&relay.look, LOOK_MS, on_look);
}

void outbox_stop(void)
{
    timer_stop(&relay.look);
    relay.is_stopping = true;
    if (!is_of_use()) {
        timer_stop(&relay.next);
        if (relay.running)
            flow_cancel(relay.running, ERR_DRAINING);
    } else if (!relay.running) {
        go_on(0);
    }
}

bool outbox_is_resting(void)
{
    return relay.is_flushed || (!relay.running && !timer_is_running(&relay.next));
}

void outbox_done(void)
{
    relay.is_on = relay.is_open = relay.is_held = relay.is_stopping = relay.is_flushed = false;
    timer_stop(&relay.next);
    timer_stop(&relay.look);
}
