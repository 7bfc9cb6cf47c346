/* Time goes from event to event: an arrival, a learner who gives up, a partner of a no-show who comes back,
 * and what the policy has to do by itself. At one moment, leaving comes before arriving, both before
 * deciding, as in the daemon, which decides at the end of what a turn of its loop has brought. */
#include "matchsim/simulate.h"

#include <stdlib.h>
#include <string.h>

#include "conversation/base/list.h"

#define NO_SHOW_MS 60000 /* how long a partner waits for one who does not come: the daemon's join window */

struct cancel {
    int64_t at_ms;
    uint32_t who;
};

/* A second life in the queue, with the wait earned before. */
struct comeback {
    struct map_node by_id;
    struct match_request request;
    int64_t at_ms;
};

struct run {
    struct simulation *s;
    const struct workload *w;
    const struct policy_kind *kind;
    void *policy;
    struct wait_stats *stats;
    struct buf *trace; /* or NULL */
    struct cancel *cancels;
    struct comeback **comebacks; /* in the order of their times */
    size_t next_arrival, next_cancel, cancel_count;
    size_t next_comeback, comeback_count, comeback_capacity, waiting;
    struct map by_id, comebacks_by_id;
};

static void *new_array(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    if (!p)
        abort();
    return p;
}

/* The learner of a request; NULL: it is a comeback. */
static struct learner *learner_of(const struct run *r, const struct uuid *id)
{
    struct map_node *node = map_get(&r->by_id, id);
    return node ? container_of(node, struct learner, by_id) : NULL;
}

static uint32_t place_of(const struct run *r, const struct learner *l)
{
    return (uint32_t)(l - r->w->learners);
}

/* --- events --- */

static void enter(struct run *r, const struct match_request *request, int64_t now_ms)
{
    r->kind->add(r->policy, request);
    r->waiting++;
    if (r->waiting > r->s->peak_waiting)
        r->s->peak_waiting = r->waiting;
    if (r->trace)
        match_trace_write_added(r->trace, now_ms, request);
}

static void arrive(struct run *r, int64_t now_ms)
{
    struct learner *l = &r->w->learners[r->next_arrival++];
    const struct match_request *q = &l->request;
    const struct wait_question question = {
        .id = &q->id,
        .key = {.language = q->target_language,
                .topic = q->topic_code,
                .level = q->level,
                .is_tandem_seeker = match_is_tandem_seeker(q),
                .wish = q->preferred_partner_level},
        .max_wait_seconds = q->max_wait_seconds,
    };
    wait_stats_began(r->stats, &q->id, &question.key, match_wait_start_ms(q));
    r->s->outcomes[place_of(r, l)].promised = wait_stats_estimate(r->stats, &question, now_ms);
    if (r->trace && (l->behaviour.cancels_at_ms || l->behaviour.is_no_show))
        match_trace_write_behaviour(r->trace, now_ms, &q->id, &l->behaviour);
    enter(r, q, now_ms);
}

static void give_up(struct run *r, int64_t now_ms)
{
    uint32_t who = r->cancels[r->next_cancel++].who;
    const struct match_request *q = &r->w->learners[who].request;
    if (!r->kind->remove(r->policy, &q->id))
        return;
    r->waiting--;
    r->s->outcomes[who].end = WAIT_CANCELLED;
    r->s->outcomes[who].wait_ms = now_ms - match_wait_start_ms(q);
    wait_stats_ended(r->stats, &q->id, now_ms, WAIT_CANCELLED);
    if (r->trace)
        match_trace_write_removed(r->trace, now_ms, &q->id, REMOVED_CANCELLED);
}

static void come_back(struct run *r, int64_t now_ms)
{
    enter(r, &r->comebacks[r->next_comeback++]->request, now_ms);
    r->s->returns++;
}

/* The one who came waits for the other in vain, and asks again with the wait it had earned. */
static void plan_comeback(struct run *r, const struct match_request *request, int64_t now_ms)
{
    struct comeback *c = new_array(1, sizeof *c);
    int64_t earned = now_ms - match_wait_start_ms(request);
    c->at_ms = now_ms + NO_SHOW_MS;
    c->request = *request;
    c->request.id.b[0] ^= 0xFF; /* a request of its own */
    c->request.created_at_ms = c->at_ms - earned;
    c->request.scheduled_for_ms = 0;
    c->request.expires_at_ms = c->at_ms + request->max_wait_seconds * INT64_C(1000);
    if (r->comeback_count == r->comeback_capacity) {
        r->comeback_capacity = r->comeback_capacity ? 2 * r->comeback_capacity : 64;
        r->comebacks = realloc(r->comebacks, r->comeback_capacity * sizeof(struct comeback *));
        if (!r->comebacks)
            abort();
    }
    r->comebacks[r->comeback_count++] = c;
    map_put(&r->comebacks_by_id, &c->request.id, &c->by_id);
}

/* --- decisions --- */

static void settle(struct run *r, const struct pairing_pair *pair, const struct pairing_ticket *ticket,
                   const struct pairing_ticket *partner, int64_t now_ms)
{
    struct learner *l = learner_of(r, &ticket->request_id), *other = learner_of(r, &partner->request_id);
    bool other_is_away = other && other->behaviour.is_no_show;
    if (!l) {
        r->s->returns_matched++;
        return;
    }
    struct outcome *o = &r->s->outcomes[place_of(r, l)];
    o->end = WAIT_MATCHED;
    o->wait_ms = now_ms - match_wait_start_ms(&l->request);
    o->score = pair->score;
    o->level_difference = pair->level_difference;
    o->phase = pair->phase;
    o->partner = other ? place_of(r, other) : UINT32_MAX;
    o->is_tandem = pair->is_tandem;
    o->is_broken = other_is_away || l->behaviour.is_no_show;
    wait_stats_ended(r->stats, &l->request.id, now_ms, WAIT_MATCHED);
    if (other_is_away && !l->behaviour.is_no_show)
        plan_comeback(r, &l->request, now_ms);
}

static void take_pair(struct run *r, const struct pairing_pair *pair, int64_t now_ms)
{
    r->waiting -= 2;
    if (r->trace)
        match_trace_write_decision(r->trace, now_ms, pair);
    settle(r, pair, &pair->first, &pair->second, now_ms);
    settle(r, pair, &pair->second, &pair->first, now_ms);
}

static void take_expired(struct run *r, const struct uuid *id, int64_t now_ms)
{
    struct learner *l = learner_of(r, id);
    r->waiting--;
    if (r->trace)
        match_trace_write_expired(r->trace, now_ms, id);
    if (!l)
        return;
    struct outcome *o = &r->s->outcomes[place_of(r, l)];
    o->end = WAIT_EXPIRED;
    o->wait_ms = now_ms - match_wait_start_ms(&l->request);
    wait_stats_ended(r->stats, id, now_ms, WAIT_EXPIRED);
}

static size_t decide_once(struct run *r, int64_t now_ms)
{
    bool was_due = r->kind->has_due(r->policy, now_ms);
    const struct pairing_pair *pairs;
    size_t count = r->kind->decide(r->policy, now_ms, &pairs);
    for (size_t i = 0; i < count; i++)
        take_pair(r, &pairs[i], now_ms);
    if (r->trace && was_due && count == 0)
        match_trace_write_none(r->trace, now_ms);
    return count;
}

static void decide(struct run *r, int64_t now_ms)
{
    struct pairing_ticket ticket;
    while (decide_once(r, now_ms) > 0 || r->kind->has_due(r->policy, now_ms))
        continue;
    while (r->kind->expire(r->policy, now_ms, &ticket))
        take_expired(r, &ticket.request_id, now_ms);
}

/* --- the clock --- */

static int64_t arrival_ms(const struct run *r)
{
    return r->next_arrival < r->w->count ? r->w->learners[r->next_arrival].arrives_at_ms : INT64_MAX;
}

static int64_t cancel_ms(const struct run *r)
{
    return r->next_cancel < r->cancel_count ? r->cancels[r->next_cancel].at_ms : INT64_MAX;
}

static int64_t comeback_ms(const struct run *r)
{
    return r->next_comeback < r->comeback_count ? r->comebacks[r->next_comeback]->at_ms : INT64_MAX;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void run_all(struct run *r)
{
    for (int64_t now = INT64_MIN;;) {
        int64_t next =
            least(least(arrival_ms(r), cancel_ms(r)), least(comeback_ms(r), r->kind->next_due_ms(r->policy)));
        if (next == INT64_MAX)
            return;
        now = next > now ? next : now;
        while (cancel_ms(r) <= now)
            give_up(r, now);
        while (comeback_ms(r) <= now)
            come_back(r, now);
        while (arrival_ms(r) <= now)
            arrive(r, now);
        decide(r, now);
    }
}

static int compare_cancels(const void *a, const void *b)
{
    const struct cancel *x = a, *y = b;
    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return (x->who > y->who) - (x->who < y->who);
}

static void prepare(struct run *r)
{
    const struct workload *w = r->w;
    r->cancels = new_array(w->count, sizeof *r->cancels);
    for (size_t i = 0; i < w->count; i++) {
        struct learner *l = &w->learners[i];
        map_put(&r->by_id, &l->request.id, &l->by_id);
        if (l->behaviour.cancels_at_ms > l->arrives_at_ms)
            r->cancels[r->cancel_count++] = (struct cancel){l->behaviour.cancels_at_ms, (uint32_t)i};
    }
    qsort(r->cancels, r->cancel_count, sizeof *r->cancels, compare_cancels);
}

void simulate(struct simulation *s, const struct workload *w, const struct policy_choice *policy,
              struct buf *trace)
{
    struct pairing_rules rules;
    policy_rules(policy, &w->rules, &rules);
    *s = (struct simulation){.workload = w, .outcomes = new_array(w->count, sizeof *s->outcomes)};
    struct run r = {.s = s,
                    .w = w,
                    .kind = policy->kind,
                    .policy = policy->kind->start(&rules, policy->interval_ms),
                    .stats = wait_stats_new(),
                    .trace = trace};
    if (trace)
        match_trace_write_start(trace, w->count ? w->learners[0].arrives_at_ms : 0, &rules);
    prepare(&r);
    run_all(&r);
    r.kind->stop(r.policy);
    for (size_t i = 0; i < r.comeback_count; i++)
        free(r.comebacks[i]);
    wait_stats_free(r.stats);
    map_done(&r.by_id);
    map_done(&r.comebacks_by_id);
    free(r.comebacks);
    free(r.cancels);
}

void simulation_done(struct simulation *s)
{
    free(s->outcomes);
    *s = (struct simulation){0};
}
