/* Those who wait stand in one array, longest first. A member is `due` when something about it changed since
 * it was last looked at: it arrived, or its phase rose. Two members of whom neither is due cannot be paired:
 * they could have been before. */
#include "matchsim/pool.h"

#include <stdlib.h>
#include <string.h>

#include "matchsim/blossom.h"

struct member {
    const struct match_request *request;
    int64_t due_ms; /* when its phase next rises; INT64_MAX: never */
    bool is_due;
};

struct pool {
    struct pairing_rules rules;
    int64_t interval_ms; /* 0: at once, the oldest */
    int64_t decided_at_ms;
    struct member *members;
    size_t count, capacity;
    struct pairing_pair *decided; /* last */
    size_t decided_count, decided_capacity;
};

static void *grown(void *p, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return p;
    *capacity = *capacity ? 2 * *capacity : 256;
    p = realloc(p, *capacity * size);
    if (!p)
        abort();
    return p;
}

void *pool_start_batch(const struct pairing_rules *rules, int64_t interval_ms)
{
    struct pool *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    p->rules = *rules;
    p->interval_ms = interval_ms;
    return p;
}

void *pool_start_oldest(const struct pairing_rules *rules, int64_t interval_ms)
{
    (void)interval_ms;
    return pool_start_batch(rules, 0);
}

void pool_stop(void *state)
{
    struct pool *p = state;
    free(p->members);
    free(p->decided);
    free(p);
}

void pool_add(void *state, const struct match_request *r)
{
    struct pool *p = state;
    p->members = grown(p->members, p->count, &p->capacity, sizeof *p->members);
    size_t i = p->count++;
    for (; i > 0 && match_is_before(r, p->members[i - 1].request); i--)
        p->members[i] = p->members[i - 1];
    p->members[i] = (struct member){.request = r, .due_ms = match_wait_start_ms(r)};
}

bool pool_remove(void *state, const struct uuid *id)
{
    struct pool *p = state;
    for (size_t i = 0; i < p->count; i++) {
        if (!uuid_eq(&p->members[i].request->id, id))
            continue;
        memmove(&p->members[i], &p->members[i + 1], (p->count - i - 1) * sizeof *p->members);
        p->count--;
        return true;
    }
    return false;
}

/* The first time after `now_ms` at which the terms for it change. */
static int64_t next_rise_ms(const struct pool *p, const struct match_request *r, int64_t now_ms)
{
    int64_t next = INT64_MAX, last_pass = r->expires_at_ms - p->rules.last_pass_ms;
    for (int phase = PHASE_COUNT - 1; phase >= 0; phase--) {
        int64_t at = match_wait_start_ms(r) + pairing_phase_start_ms(&p->rules, (enum match_phase)phase);
        if (at > now_ms)
            next = at;
    }
    return last_pass > now_ms && last_pass < next ? last_pass : next;
}

static void find_due(struct pool *p, int64_t now_ms)
{
    for (size_t i = 0; i < p->count; i++) {
        struct member *m = &p->members[i];
        if (m->due_ms > now_ms)
            continue;
        m->is_due = true;
        m->due_ms = next_rise_ms(p, m->request, now_ms);
    }
}

/* --- the oldest --- */

static bool next_oldest(struct pool *p, int64_t now_ms, struct pairing_pair *out)
{
    for (size_t i = 0; i < p->count; i++) {
        if (!p->members[i].is_due)
            continue;
        for (size_t j = 0; j < p->count; j++) {
            if (j == i ||
                !pairing_admits(&p->rules, p->members[i].request, p->members[j].request, now_ms, out))
                continue;
            pool_remove(p, &out->first.request_id);
            pool_remove(p, &out->second.request_id);
            return true;
        }
        p->members[i].is_due = false;
    }
    return false;
}

/* --- the greatest total score --- */

/* Matches the n members that have somebody to be paired with. */
static void match_all(struct pool *p, const size_t *who, size_t n, int64_t now_ms)
{
    int32_t *weights = calloc(n * n, sizeof *weights), *partner = calloc(n, sizeof *partner);
    struct pairing_pair pair;
    if (!weights || !partner)
        abort();
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++) {
            const struct member *a = &p->members[who[i]], *b = &p->members[who[j]];
            if ((a->is_due || b->is_due) && pairing_admits(&p->rules, a->request, b->request, now_ms, &pair))
                weights[i * n + j] = weights[j * n + i] =
                    pair.score + 1; /* so that a score of 0 is an edge */
        }
    blossom_match(weights, n, partner);
    for (size_t i = 0; i < n; i++) {
        if (partner[i] < (int32_t)i)
            continue;
        p->decided = grown(p->decided, p->decided_count, &p->decided_capacity, sizeof *p->decided);
        (void)pairing_admits(&p->rules, p->members[who[i]].request, p->members[who[partner[i]]].request,
                             now_ms, &p->decided[p->decided_count++]);
    }
    free(weights);
    free(partner);
}

/* Only who has an edge is worth a place in the matrix. */
static void decide_batch(struct pool *p, int64_t now_ms)
{
    size_t n = 0, *who = calloc(p->count ? p->count : 1, sizeof *who);
    bool *has_edge = calloc(p->count ? p->count : 1, sizeof *has_edge);
    struct pairing_pair pair;
    if (!who || !has_edge)
        abort();
    for (size_t i = 0; i < p->count; i++)
        for (size_t j = 0; p->members[i].is_due && j < p->count; j++)
            if (j != i && !(has_edge[i] && has_edge[j]) &&
                pairing_admits(&p->rules, p->members[i].request, p->members[j].request, now_ms, &pair))
                has_edge[i] = has_edge[j] = true;
    for (size_t i = 0; i < p->count; i++)
        if (has_edge[i])
            who[n++] = i;
    if (n)
        match_all(p, who, n, now_ms);
    for (size_t i = 0; i < p->count; i++)
        p->members[i].is_due = false;
    for (size_t i = 0; i < p->decided_count; i++) {
        pool_remove(p, &p->decided[i].first.request_id);
        pool_remove(p, &p->decided[i].second.request_id);
    }
    free(who);
    free(has_edge);
}

static int64_t batch_of(const struct pool *p, int64_t at_ms)
{
    return (at_ms + p->interval_ms - 1) / p->interval_ms * p->interval_ms;
}

/* pool_decide leaves nobody out. */
bool pool_has_due(const void *state, int64_t now_ms)
{
    (void)state;
    (void)now_ms;
    return false;
}

size_t pool_decide(void *state, int64_t now_ms, const struct pairing_pair **pairs)
{
    struct pool *p = state;
    struct pairing_pair pair;
    p->decided_count = 0;
    if (p->interval_ms == 0) {
        find_due(p, now_ms);
        while (next_oldest(p, now_ms, &pair)) {
            p->decided = grown(p->decided, p->decided_count, &p->decided_capacity, sizeof *p->decided);
            p->decided[p->decided_count++] = pair;
        }
    } else if (batch_of(p, now_ms) == now_ms && p->decided_at_ms != now_ms) {
        p->decided_at_ms = now_ms;
        find_due(p, now_ms);
        decide_batch(p, now_ms);
    }
    *pairs = p->decided;
    return p->decided_count;
}

bool pool_expire(void *state, int64_t now_ms, struct pairing_ticket *out)
{
    struct pool *p = state;
    for (size_t i = 0; i < p->count; i++) {
        const struct match_request *r = p->members[i].request;
        if (r->expires_at_ms > now_ms)
            continue;
        *out = (struct pairing_ticket){.request_id = r->id, .user_id = r->user_id};
        return pool_remove(p, &r->id);
    }
    return false;
}

int64_t pool_next_due_ms(const void *state)
{
    const struct pool *p = state;
    int64_t due = INT64_MAX;
    for (size_t i = 0; i < p->count; i++) {
        const struct member *m = &p->members[i];
        int64_t at = m->due_ms;
        if (p->interval_ms && at < INT64_MAX)
            at = batch_of(p, at);
        due = at < due ? at : due;
        due = m->request->expires_at_ms < due ? m->request->expires_at_ms : due;
    }
    return due;
}
