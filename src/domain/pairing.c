/* Who is tried when. Every ticket stands in a heap by the time its phase next rises (a scheduled one first by
 * its creation, for the try ahead of time); what has risen by now is
 * first moved to its new phase, all of it, and put on the ready list in due order; then the ready ones are
 * tried. So every try sees every ticket in the phase it has at that moment. */
#include "conversation/domain/pairing.h"
#include "conversation/domain/pairing_explain.h"

#include <stdlib.h>
#include <string.h>

#include "pairing_batch.h"

struct pairing {
    struct index index;
    struct map by_id;
    struct heap rises, expiries;
    struct list ready; /* by due time, wait start, id */
    int64_t now_ms;    /* the latest seen */
    struct batch batch;
    struct pairing_pair *pairs; /* what was decided last */
    size_t pairs_capacity;
};

#define RISES_AT_ONCE 8192 /* tickets moved to their new phases by one call */

struct pairing *pairing_new(const struct pairing_rules *rules)
{
    struct pairing *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    index_init(&p->index, rules);
    if (!p->index.rules.batch_max || p->index.rules.batch_max > PAIRING_BATCH_MAX)
        p->index.rules.batch_max = PAIRING_BATCH_MAX;
    p->rises.kind = HEAP_RISE;
    p->expiries.kind = HEAP_EXPIRY;
    list_init(&p->ready);
    p->now_ms = INT64_MIN;
    return p;
}

static void drop(struct pairing *p, struct ticket *t)
{
    map_remove(&p->by_id, &t->by_id.key);
    heap_set(&p->rises, t, INT64_MAX);
    heap_set(&p->expiries, t, INT64_MAX);
    list_remove(&t->in_ready);
    ticket_free(&p->index, t);
}

static void drop_node(struct map_node *node, void *arg)
{
    drop(arg, container_of(node, struct ticket, by_id));
}

void pairing_free(struct pairing *p)
{
    if (!p)
        return;
    map_each(&p->by_id, drop_node, p);
    map_done(&p->by_id);
    heap_done(&p->rises);
    heap_done(&p->expiries);
    index_done(&p->index);
    batch_done(&p->batch);
    free(p->pairs);
    free(p);
}

void pairing_set_compatible(struct pairing *p, const struct topic_pair *pairs, size_t count)
{
    index_set_compatible(&p->index, pairs, count);
}

bool pairing_add(struct pairing *p, const struct match_request *r)
{
    if (map_get(&p->by_id, &r->id))
        return false;
    struct ticket *t = ticket_new(&p->index, r);
    map_put(&p->by_id, &r->id, &t->by_id);
    bool is_ahead = t->is_scheduled && r->created_at_ms < t->wait_start_ms;
    heap_set(&p->rises, t, is_ahead ? r->created_at_ms : t->wait_start_ms);
    heap_set(&p->expiries, t, t->expires_at_ms ? t->expires_at_ms : INT64_MAX);
    return true;
}

static struct ticket *find(const struct pairing *p, const struct uuid *request_id)
{
    struct map_node *node = map_get(&p->by_id, request_id);
    return node ? container_of(node, struct ticket, by_id) : NULL;
}

bool pairing_remove(struct pairing *p, const struct uuid *request_id)
{
    struct ticket *t = find(p, request_id);
    if (t)
        drop(p, t);
    return t != NULL;
}

bool pairing_contains(const struct pairing *p, const struct uuid *request_id)
{
    return find(p, request_id) != NULL;
}

/* --- due --- */

static unsigned phase_now(const struct pairing *p, const struct ticket *t)
{
    if (p->now_ms < t->wait_start_ms)
        return PHASE_ASLEEP;
    if (p->now_ms >= pairing_last_pass_at_ms(&p->index.rules, t->expires_at_ms))
        return PHASE_ANY_LEVEL;
    return pairing_phase_of(&p->index.rules, p->now_ms - t->wait_start_ms);
}

/* When its phase rises next. */
static int64_t next_rise_ms(const struct pairing *p, const struct ticket *t)
{
    if (t->phase == PHASE_ASLEEP)
        return t->wait_start_ms;
    if (t->phase == PHASE_ANY_LEVEL)
        return INT64_MAX;
    int64_t bound = t->wait_start_ms + pairing_phase_start_ms(&p->index.rules, t->phase + 1);
    int64_t last_pass = pairing_last_pass_at_ms(&p->index.rules, t->expires_at_ms);
    return bound < last_pass ? bound : last_pass;
}

static void make_ready(struct pairing *p, struct ticket *t, int64_t due_ms)
{
    if (list_is_linked(&t->in_ready))
        return; /* keeps its earlier due time */
    t->due_ms = due_ms;
    struct list *after = p->ready.prev;
    while (after != &p->ready) {
        const struct ticket *other = container_of(after, struct ticket, in_ready);
        if (other->due_ms < due_ms || (other->due_ms == due_ms && ticket_is_before(other, t)))
            break;
        after = after->prev;
    }
    list_add_tail(after->next, &t->in_ready);
}

bool pairing_advance(struct pairing *p, int64_t now_ms)
{
    if (now_ms > p->now_ms)
        p->now_ms = now_ms;
    for (int left = RISES_AT_ONCE; heap_top_ms(&p->rises) <= p->now_ms; left--) {
        if (left == 0)
            return false;
        struct ticket *t = heap_top(&p->rises);
        make_ready(p, t, heap_top_ms(&p->rises));
        ticket_set_phase(&p->index, t, phase_now(p, t));
        heap_set(&p->rises, t, next_rise_ms(p, t));
    }
    return true;
}

/* --- pairs --- */

static struct pairing_ticket describe(const struct ticket *t)
{
    struct pairing_ticket out = {.request_id = t->by_id.key,
                                 .user_id = t->user_id,
                                 .wait_start_ms = t->wait_start_ms,
                                 .expires_at_ms = t->expires_at_ms,
                                 .level = t->kind->key.level,
                                 .tier = t->kind->key.tier};
    memcpy(out.target_language, ticket_space(t)->target, sizeof out.target_language);
    return out;
}

static struct pairing_pair pair_of(const struct member *a, const struct member *b)
{
    bool a_is_first = ticket_is_before(a->ticket, b->ticket);
    const struct ticket *first = a_is_first ? a->ticket : b->ticket,
                        *second = a_is_first ? b->ticket : a->ticket;
    const struct match_traits *of_first = &first->kind->traits, *of_second = &second->kind->traits;
    bool is_ahead = a->phase == PHASE_ASLEEP; /* and so is b */
    unsigned phase = is_ahead ? PHASE_STRICT : a->phase > b->phase ? a->phase : b->phase;
    return (struct pairing_pair){.first = describe(first),
                                 .second = describe(second),
                                 .score = a->weight - 1,
                                 .level_difference = abs((int)of_first->level - (int)of_second->level),
                                 .is_tandem = match_traits_cross(of_first, of_second),
                                 .is_any_level = phase == PHASE_ANY_LEVEL,
                                 .is_ahead = is_ahead,
                                 .scheduled_at_ms = is_ahead ? second->wait_start_ms : 0,
                                 .phase = (enum match_phase)phase};
}

/* Out of reach of the others, but still there: it may get another partner. */
static void set_aside(struct pairing *p, struct ticket *t)
{
    list_remove(&t->in_ready);
    ticket_set_phase(&p->index, t, PHASE_NONE);
}

/* Who is tried and left alone is not found by one who is tried after it, since either both may meet or none.
 */
static void try_due(struct pairing *p)
{
    size_t taken = 0;
    batch_clear(&p->batch);
    while (!list_is_empty(&p->ready) && (taken == 0 || taken + 2 <= p->index.rules.batch_max)) {
        struct ticket *t = LIST_FIRST(&p->ready, struct ticket, in_ready);
        list_remove(&t->in_ready);
        int score;
        struct ticket *partner = index_best(&p->index, t, p->now_ms, &score);
        taken += partner ? 2 : 1;
        if (partner) {
            batch_add_pair(&p->batch, t, partner, score);
            set_aside(p, t);
            set_aside(p, partner);
        } else if (t->phase != PHASE_ASLEEP) {
            batch_add_lone(&p->batch, t);
        }
    }
}

static size_t take_pairs(struct pairing *p)
{
    struct batch *b = &p->batch;
    size_t count = 0, room = (b->paired_count + b->lone_count) / 2;
    if (p->pairs_capacity < room) {
        p->pairs_capacity = room;
        p->pairs = realloc(p->pairs, room * sizeof *p->pairs);
        if (!p->pairs)
            abort();
    }
    for (size_t i = 0; i < b->paired_count; i++)
        if (b->members[i].partner > (int32_t)i)
            p->pairs[count++] = pair_of(&b->members[i], &b->members[b->members[i].partner]);
    for (size_t i = 0; i < b->count; i++)
        if (b->members[i].partner >= 0)
            drop(p, b->members[i].ticket);
    return count;
}

bool pairing_has_due(const struct pairing *p, int64_t now_ms)
{
    return !list_is_empty(&p->ready) || heap_top_ms(&p->rises) <= (now_ms > p->now_ms ? now_ms : p->now_ms);
}

size_t pairing_decide(struct pairing *p, int64_t now_ms, const struct pairing_pair **pairs)
{
    if (!pairing_advance(p, now_ms))
        return 0;
    try_due(p);
    batch_exchange(&p->batch, &p->index, p->now_ms);
    size_t count = take_pairs(p);
    *pairs = p->pairs;
    return count;
}

bool pairing_expire(struct pairing *p, int64_t now_ms, struct pairing_ticket *out)
{
    if (heap_top_ms(&p->expiries) > now_ms)
        return false;
    struct ticket *t = heap_top(&p->expiries);
    *out = describe(t);
    drop(p, t);
    return true;
}

int64_t pairing_next_due_ms(const struct pairing *p)
{
    int64_t rise = heap_top_ms(&p->rises), expiry = heap_top_ms(&p->expiries);
    int64_t due = rise < expiry ? rise : expiry;
    if (!list_is_empty(&p->ready)) {
        int64_t ready = LIST_FIRST(&p->ready, struct ticket, in_ready)->due_ms;
        due = ready < due ? ready : due;
    }
    return due;
}

bool pairing_explain(struct pairing *p, const struct uuid *request_id, int64_t now_ms,
                     struct pairing_explanation *out)
{
    const struct ticket *t = find(p, request_id);
    if (!t)
        return false;
    while (!pairing_advance(p, now_ms))
        continue;
    index_explain(&p->index, t, p->now_ms, out);
    return true;
}

size_t pairing_count(const struct pairing *p)
{
    return p->by_id.count;
}

size_t pairing_count_of(const struct pairing *p, const char *language)
{
    const struct space *space = index_space(&p->index, language);
    return space ? space->ticket_count - space->ahead_count : 0;
}

/* The lists are by wait: the first of each will do. */
static int64_t oldest_wait_start_ms(const struct space *space)
{
    int64_t oldest_ms = INT64_MAX;
    for (int category = 0; category < CATEGORY_COUNT; category++) {
        LIST_EACH (l, &space->categories[category].kinds) {
            const struct kind *kind = container_of(l, struct kind, places[0].in_category);
            for (int phase = 0; phase < PHASE_COUNT; phase++) {
                if (!kind->phase_counts[phase])
                    continue;
                const struct ticket *first = LIST_FIRST(&kind->tickets[phase], struct ticket, in_kind);
                oldest_ms = first->wait_start_ms < oldest_ms ? first->wait_start_ms : oldest_ms;
            }
        }
    }
    return oldest_ms;
}

void pairing_each_queue(const struct pairing *p, void (*each)(const struct pairing_queue *queue, void *arg),
                        void *arg)
{
    LIST_EACH (l, &p->index.all_spaces) {
        const struct space *space = container_of(l, struct space, in_index);
        if (space->is_tandem)
            continue;
        each(&(struct pairing_queue){.language = space->target,
                                     .waiting = space->ticket_count - space->ahead_count,
                                     .scheduled = space->ahead_count,
                                     .oldest_wait_start_ms = oldest_wait_start_ms(space)},
             arg);
    }
}

struct visit {
    void (*each)(const struct uuid *request_id, void *arg);
    void *arg;
};

static void visit_node(struct map_node *node, void *arg)
{
    const struct visit *v = arg;
    v->each(&node->key, v->arg);
}

void pairing_each(const struct pairing *p, void (*each)(const struct uuid *request_id, void *arg), void *arg)
{
    struct map by_id = p->by_id; /* visited, not changed */
    map_each(&by_id, visit_node, &(struct visit){each, arg});
}
