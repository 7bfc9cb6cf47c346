/* The matchmaker: pairing index + one timer. Invariant: whenever the loop sleeps, either nothing can be
 * paired or expire before the timer, or the database is away and the timer polls for its return. */
#include "flows/matchmaker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "conversation/base/clock.h"
#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "conversation/rt/timer.h"
#include "flows/job.h"

#define LAST_PASS_MS     1000 /* the any-level pass comes this long before the expiry */
#define DATABASE_POLL_MS 250
#define RELOAD_MS        200 /* coalesces the reloads that several lost claims ask for */
#define EXPIRE_BATCH     256

static struct pairing *waiting; /* NULL while stopped: flows that finish during a stop find nothing to do */
static struct topic_pair *compatible;
static struct timer pump_timer, reload_timer;

static void on_pump(struct timer *t);

static void arm(int64_t at_ms)
{
    if (at_ms == INT64_MAX) {
        timer_stop(&pump_timer);
        return;
    }
    int64_t wait = at_ms - clock_now_ms();
    timer_start(&pump_timer, wait > 0 ? wait : 0, on_pump);
}

static void set_gauge(const char *language, size_t n, void *arg)
{
    (void)arg;
    metric_set(M_QUEUE_SIZE, (double)n, language);
}

static void gauge_queue(void)
{
    metric_zero(M_QUEUE_SIZE); /* the index forgets a language with its last request */
    pairing_count_by_language(waiting, set_gauge, NULL);
}

static void expire_due(int64_t now)
{
    struct pairing_ticket batch[EXPIRE_BATCH];
    size_t n = 0;
    while (pairing_expire(waiting, now, &batch[n]))
        if (++n == EXPIRE_BATCH) {
            job_match_expire(batch, n);
            n = 0;
        }
    if (n)
        job_match_expire(batch, n);
}

static void on_pump(struct timer *t)
{
    (void)t;
    if (!db_is_up()) { /* nothing could be claimed: keep everybody */
        arm(clock_now_ms() + DATABASE_POLL_MS);
        return;
    }
    int64_t now = clock_now_ms();
    struct pairing_pair pair;
    while (pairing_next(waiting, now, &pair))
        job_match_claim(&pair);
    expire_due(now);
    gauge_queue();
    arm(pairing_next_due_ms(waiting));
}

void matchmaker_add(const struct match_request *r)
{
    if (waiting && pairing_add(waiting, r))
        arm(clock_now_ms());
}

void matchmaker_remove(const struct uuid *request_id)
{
    if (waiting && pairing_remove(waiting, request_id))
        gauge_queue();
}

static void on_reload(struct timer *t)
{
    if (db_is_up() && db_schema_state() == DB_SCHEMA_OK)
        flow_start(&(struct flow_start){.spec = &job_matchmaker_load});
    else
        timer_start(t, DATABASE_POLL_MS, on_reload); /* a load would fail, and be logged, at every try */
}

void matchmaker_reload_soon(void)
{
    if (waiting && !timer_is_running(&reload_timer))
        timer_start(&reload_timer, RELOAD_MS, on_reload);
}

void matchmaker_set_compatible(const struct db_topic_pairs *pairs)
{
    if (!waiting)
        return;
    struct topic_pair *copy = calloc(pairs->count ? pairs->count : 1, sizeof *copy);
    if (!copy)
        abort();
    if (pairs->count)
        memcpy(copy, pairs->items, pairs->count * sizeof *copy);
    pairing_set_compatible(waiting, copy, pairs->count);
    free(compatible);
    compatible = copy;
}

size_t matchmaker_waiting(void)
{
    return waiting ? pairing_count(waiting) : 0;
}

static void count_finished(double matched_now, double expired_now)
{
    static double matched, expired;
    matched += matched_now;
    expired += expired_now;
    metric_set(M_MATCH_SUCCESS_RATE, 100.0 * matched / (matched + expired), NULL);
}

void matchmaker_count_match(const struct pairing_pair *pair)
{
    int64_t now = clock_now_ms();
    metric_observe(M_MATCH_WAIT, (double)(now - pair->first.wait_start_ms) / 1000, NULL);
    metric_observe(M_MATCH_WAIT, (double)(now - pair->second.wait_start_ms) / 1000, NULL);
    count_finished(2, 0);
}

void matchmaker_count_expired(const char *language)
{
    metric_inc(M_MATCH_EXPIRED, language);
    count_finished(0, 1);
}

void matchmaker_start(void)
{
    assert(!waiting);
    waiting = pairing_new(&(struct pairing_rules){
        .min_score = config.min_compatibility_score,
        .last_pass_ms = LAST_PASS_MS,
    });
    matchmaker_reload_soon();
}

void matchmaker_stop(void)
{
    timer_stop(&pump_timer);
    timer_stop(&reload_timer);
    pairing_free(waiting);
    free(compatible);
    waiting = NULL;
    compatible = NULL;
}
