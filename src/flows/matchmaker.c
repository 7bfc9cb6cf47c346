/* The index and its timer. Invariant on the leader: whenever the loop sleeps, either nothing can be paired or
 * expire before the timer, or the database is away and the timer polls for its return. */
#include "flows/matchmaker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "conversation/base/clock.h"
#include "conversation/config.h"
#include "conversation/rt/timer.h"
#include "flows/job.h"
#include "flows/leadership.h"
#include "flows/match_events.h"
#include "flows/match_metrics.h"
#include "flows/match_trace.h"
#include "flows/matchmaker_parts.h"
#include "flows/wait_times.h"

#define LAST_PASS_MS     1000 /* the any-level pass comes this long before the expiry */
#define DATABASE_POLL_MS 250
#define EXPIRE_BATCH     256

static struct pairing *waiting; /* NULL while stopped */
static struct topic_pair *compatible;
static bool is_reconciled; /* since leadership was taken: only then the leader decides */
static struct timer pump_timer;

static void on_pump(struct timer *t);

struct pairing *matchmaker_pairing(void)
{
    return waiting;
}

/* --- deciding --- */

static void arm(int64_t at_ms)
{
    if (at_ms == INT64_MAX) {
        timer_stop(&pump_timer);
        return;
    }
    int64_t wait = at_ms - clock_now_ms();
    timer_start(&pump_timer, wait > 0 ? wait : 0, on_pump);
}

static void claim(int64_t now, const struct pairing_pair *pair)
{
    match_trace_decision(now, pair);
    match_read_forget(&pair->first.request_id);
    match_read_forget(&pair->second.request_id);
    job_match_claim(pair);
}

static void claim_pairs(int64_t now)
{
    const struct pairing_pair *pairs;
    size_t count = pairing_decide(waiting, now, &pairs);
    for (size_t i = 0; i < count; i++)
        claim(now, &pairs[i]);
    if (count == 0)
        match_trace_none(now);
}

static void expire_due(int64_t now)
{
    struct pairing_ticket batch[EXPIRE_BATCH];
    size_t n = 0;
    while (n < EXPIRE_BATCH && pairing_expire(waiting, now, &batch[n]))
        match_trace_expired(now, &batch[n++].request_id);
    if (n)
        job_match_expire(batch, n);
}

/* One step a turn of the loop: after a take-over everybody is due at once. */
static void decide(int64_t now)
{
    if (!db_is_up()) { /* nothing could be claimed: keep everybody */
        arm(now + DATABASE_POLL_MS);
        return;
    }
    if (pairing_has_due(waiting, now))
        claim_pairs(now);
    else
        expire_due(now);
    arm(pairing_next_due_ms(waiting));
}

/* So that not all is left for the moment of a take-over. Without further steps it is armed again when
 * something comes. */
static void follow(int64_t now)
{
    if (!pairing_advance(waiting, now))
        arm(now);
}

static void on_pump(struct timer *t)
{
    (void)t;
    if (leadership_is_held() && is_reconciled)
        decide(clock_now_ms());
    else
        follow(clock_now_ms());
}

/* What this instance knew as a follower may be out of date: it compares first. So does a leader whose Redis
 * has been emptied, but it goes on deciding meanwhile. */
static void on_leadership(bool was_leading)
{
    if (!was_leading)
        is_reconciled = false;
    match_reconcile_soon();
}

void matchmaker_reconciled(void)
{
    bool was_reconciled = is_reconciled;
    is_reconciled = leadership_is_held();
    if (is_reconciled && !was_reconciled)
        job_match_tell();
    arm(clock_now_ms());
}

/* --- arrivals and departures --- */

static bool take_in(const struct match_request *r)
{
    if (!pairing_add(waiting, r))
        return false;
    match_trace_added(r);
    wait_times_began(r);
    return true;
}

void matchmaker_add(const struct match_request *r)
{
    if (waiting && take_in(r))
        arm(clock_now_ms());
    wait_times_promise(r);
    /* Also while this process drains, and when a comparison has found the row before. */
    match_events_say(MATCH_ADDED, &r->id);
}

static void forget(const struct uuid *request_id, enum wait_end end)
{
    match_read_forget(request_id);
    wait_times_ended(request_id, end);
    if (pairing_remove(waiting, request_id))
        match_trace_removed(request_id, end == WAIT_CANCELLED ? REMOVED_CANCELLED : REMOVED_ELSEWHERE);
}

void matchmaker_drop(const struct uuid *request_id)
{
    forget(request_id, WAIT_CANCELLED);
}

static const enum match_event event_of[] = {
    [WAIT_MATCHED] = MATCH_PAIRED, [WAIT_EXPIRED] = MATCH_TIMED_OUT, [WAIT_CANCELLED] = MATCH_REMOVED};

void matchmaker_remove(const struct uuid *request_id, enum wait_end end)
{
    if (waiting)
        forget(request_id, end);
    match_events_say(event_of[end], request_id);
}

/* It goes on waiting, as far as its wait is concerned. */
static void read_anew(const struct uuid *request_id)
{
    match_read_forget(request_id); /* what is being read may be from before the change */
    if (pairing_remove(waiting, request_id))
        match_trace_removed(request_id, REMOVED_ELSEWHERE);
    match_lookup_add(LOOKUP_ELSEWHERE, request_id);
}

void matchmaker_changed(const struct uuid *request_ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (waiting)
            read_anew(&request_ids[i]);
        match_events_say(MATCH_CHANGED, &request_ids[i]);
    }
}

static void on_heard(enum match_event event, const struct uuid *request_id)
{
    if (event == MATCH_CHANGED)
        read_anew(request_id);
    else if (event == MATCH_ADDED)
        match_lookup_add(LOOKUP_ELSEWHERE, request_id);
    else if (event == MATCH_PAIRED)
        forget(request_id, WAIT_MATCHED);
    else
        forget(request_id, event == MATCH_TIMED_OUT ? WAIT_EXPIRED : WAIT_CANCELLED);
}

void matchmaker_look(const struct uuid *request_ids, size_t count)
{
    for (size_t i = 0; waiting && i < count; i++)
        match_lookup_add(LOOKUP_DOUBTFUL, &request_ids[i]);
}

void matchmaker_reload_soon(void)
{
    if (waiting)
        match_reconcile_soon();
}

void matchmaker_set_compatible(const struct db_topic_pairs *pairs)
{
    struct topic_pair *copy = calloc(pairs->count ? pairs->count : 1, sizeof *copy);
    if (!copy)
        abort();
    if (pairs->count)
        memcpy(copy, pairs->items, pairs->count * sizeof *copy);
    pairing_set_compatible(waiting, copy, pairs->count);
    match_trace_compatible(copy, pairs->count);
    free(compatible);
    compatible = copy;
}

bool matchmaker_explain(const struct uuid *request_id, struct pairing_explanation *out)
{
    return waiting && pairing_explain(waiting, request_id, clock_now_ms(), out);
}

size_t matchmaker_waiting(void)
{
    return waiting ? pairing_count(waiting) : 0;
}

/* --- reads under way --- */

static struct list reads = {&reads, &reads};

void match_read_begin(struct match_read *read, struct uuid *ids, size_t count)
{
    if (count)
        qsort(ids, count, sizeof *ids, uuid_order);
    read->ids = ids;
    read->count = count;
    list_add_tail(&reads, &read->link);
}

void match_read_end(struct match_read *read)
{
    list_remove(&read->link);
}

static struct uuid *find_id(const struct match_read *read, const struct uuid *id)
{
    return read->count ? bsearch(id, read->ids, read->count, sizeof *id, uuid_order) : NULL;
}

void match_read_take(struct match_read *read, const struct db_match_requests *found)
{
    size_t added = 0;
    for (size_t i = 0; waiting && i < found->count; i++)
        if (find_id(read, &found->items[i].id))
            added += take_in(&found->items[i]);
    match_read_end(read);
    if (added)
        arm(clock_now_ms());
}

void match_read_forget(const struct uuid *request_id)
{
    LIST_EACH (n, &reads) {
        struct match_read *read = container_of(n, struct match_read, link);
        struct uuid *id = find_id(read, request_id);
        if (!id)
            continue;
        read->count--;
        memmove(id, id + 1, (size_t)(read->ids + read->count - id) * sizeof *id);
    }
}

/* --- start and stop --- */

void matchmaker_start(void)
{
    assert(!waiting);
    const struct pairing_rules rules = {
        .min_score = config.min_compatibility_score,
        .last_pass_ms = LAST_PASS_MS,
    };
    waiting = pairing_new(&rules);
    match_trace_start(&rules);
    wait_times_start();
    is_reconciled = false;
    match_metrics_start();
    match_events_start(on_heard);
    match_lookup_start();
    match_reconcile_start();
    leadership_start(on_leadership);
}

void matchmaker_stop(void)
{
    if (!waiting)
        return;
    leadership_stop();
    match_reconcile_stop();
    match_lookup_stop();
    match_events_stop();
    timer_stop(&pump_timer);
    match_trace_stop();
    wait_times_stop();
    pairing_free(waiting);
    free(compatible);
    waiting = NULL;
    compatible = NULL;
}
