#include "matchsim/offline.h"

#include <stdlib.h>
#include <string.h>

#include "matchsim/blossom.h"
#include "matchsim/simulate.h"

#define LONG_MS 3600000 /* nobody expires while the pool of one moment is looked at */

struct problem {
    const struct pairing_rules *rules;
    struct match_request *requests;
    const int64_t *last_ms; /* of each, in hindsight: the last moment at which it can be paired; or NULL */
    int64_t now_ms;         /* the moment, when last_ms is NULL */
    size_t count;
};

static void *new_array(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    if (!p)
        abort();
    return p;
}

static int32_t weight_of(const struct problem *p, size_t i, size_t j)
{
    struct pairing_pair pair;
    int64_t at = p->now_ms;
    if (p->last_ms) /* what is admitted once stays so: the last common moment has the widest terms */
        at = p->last_ms[i] < p->last_ms[j] ? p->last_ms[i] : p->last_ms[j];
    return pairing_admits(p->rules, &p->requests[i], &p->requests[j], at, &pair) ? pair.score : 0;
}

static int32_t *weights_of(const struct problem *p)
{
    size_t n = p->count;
    int32_t *weights = new_array(n * n, sizeof *weights);
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            weights[i * n + j] = weights[j * n + i] = weight_of(p, i, j);
    return weights;
}

static struct offline_sum sum_of(const int32_t *weights, size_t n, const int32_t *partner)
{
    struct offline_sum sum = {0, 0};
    for (size_t i = 0; i < n; i++)
        if (partner[i] > (int32_t)i) {
            sum.score += weights[i * n + (size_t)partner[i]];
            sum.pairs++;
        }
    return sum;
}

static int32_t place_of(const struct problem *p, const struct uuid *id)
{
    size_t i = 0;
    while (!uuid_eq(&p->requests[i].id, id))
        i++;
    return (int32_t)i;
}

static void match_by_index(const struct problem *p, int32_t *partner)
{
    struct pairing *index = pairing_new(p->rules);
    for (size_t i = 0; i < p->count; i++) {
        pairing_add(index, &p->requests[i]);
        partner[i] = -1;
    }
    while (pairing_has_due(index, p->now_ms)) {
        const struct pairing_pair *pairs;
        size_t count = pairing_decide(index, p->now_ms, &pairs);
        for (size_t i = 0; i < count; i++) {
            int32_t a = place_of(p, &pairs[i].first.request_id), b = place_of(p, &pairs[i].second.request_id);
            partner[a] = b;
            partner[b] = a;
        }
    }
    pairing_free(index);
}

static void measure_phase(const struct problem *p, enum match_phase phase, struct offline_gap *out)
{
    int32_t *weights = weights_of(p), *partner = new_array(p->count, sizeof *partner);
    match_by_index(p, partner);
    out->index[phase] = sum_of(weights, p->count, partner);
    blossom_match(weights, p->count, partner);
    out->best[phase] = sum_of(weights, p->count, partner);
    free(weights);
    free(partner);
}

static void measure_moment(const struct workload *part, const struct pairing_rules *rules,
                           struct offline_gap *out)
{
    struct problem p = {.rules = rules, .requests = new_array(part->count, sizeof *p.requests)};
    int64_t start = part->learners[0].arrives_at_ms;
    p.count = part->count;
    for (size_t i = 0; i < p.count; i++) {
        p.requests[i] = part->learners[i].request;
        p.requests[i].created_at_ms = start;
        p.requests[i].scheduled_for_ms = 0;
        p.requests[i].expires_at_ms = start + LONG_MS;
    }
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        p.now_ms = start + pairing_phase_start_ms(rules, (enum match_phase)phase);
        measure_phase(&p, (enum match_phase)phase, out);
    }
    free(p.requests);
}

static struct offline_sum online_of(const struct workload *part, const struct policy_choice *policy)
{
    struct simulation s;
    struct offline_sum sum = {0, 0};
    simulate(&s, part, policy, NULL);
    for (size_t i = 0; i < part->count; i++)
        if (s.outcomes[i].end == WAIT_MATCHED && s.outcomes[i].partner > i) {
            sum.score += s.outcomes[i].score;
            sum.pairs++;
        }
    simulation_done(&s);
    return sum;
}

static struct offline_sum hindsight_of(const struct workload *part, const struct pairing_rules *rules)
{
    struct problem p = {.rules = rules, .requests = new_array(part->count, sizeof *p.requests)};
    int64_t *last_ms = new_array(part->count, sizeof *last_ms);
    p.count = part->count;
    for (size_t i = 0; i < p.count; i++) {
        const struct learner *l = &part->learners[i];
        int64_t cancels = l->behaviour.cancels_at_ms, expires = l->request.expires_at_ms;
        p.requests[i] = l->request;
        last_ms[i] = (cancels && cancels < expires ? cancels : expires) - 1;
    }
    p.last_ms = last_ms;
    int32_t *weights = weights_of(&p), *partner = new_array(p.count, sizeof *partner);
    blossom_match(weights, p.count, partner);
    struct offline_sum sum = sum_of(weights, p.count, partner);
    free(weights);
    free(partner);
    free(p.requests);
    free(last_ms);
    return sum;
}

/* Those who do not come are not looked at here: their partners' second requests would count for one side
 * only. */
static void copy_part(const struct workload *w, size_t first, size_t pool, struct workload *out)
{
    *out = (struct workload){.rules = w->rules};
    for (size_t i = first; i < w->count && i < first + pool; i++) {
        struct learner *l = workload_add(out);
        *l = w->learners[i];
        l->behaviour.is_no_show = false;
    }
}

void offline_measure(const struct workload *w, size_t first, size_t pool, const struct policy_choice *policy,
                     struct offline_gap *out)
{
    struct workload part;
    struct pairing_rules rules;
    *out = (struct offline_gap){0};
    copy_part(w, first, pool < BLOSSOM_VERTICES_MAX ? pool : BLOSSOM_VERTICES_MAX, &part);
    out->requests = part.count;
    policy_rules(policy, &w->rules, &rules);
    if (part.count) {
        measure_moment(&part, &rules, out);
        out->online = online_of(&part, policy);
        out->hindsight = hindsight_of(&part, &rules);
    }
    workload_done(&part);
}
