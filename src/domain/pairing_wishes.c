/* Whom the members of a batch may have instead: for each one the best few, and for each two that were paired
 * whether they may meet. The batch's kinds are hung up at the topics and categories of the index for the
 * time being; so many of a place and so many members of a kind are looked at, which bounds the work. The
 * order in which topics and kinds came to the index has no influence: likes are in the order of weight, then
 * of the places in the batch. */
#include <stdlib.h>
#include <string.h>

#include "pairing_batch.h"

enum { KINDS_LOOKED_AT = 192, MEMBERS_LOOKED_AT = 48 };

/* The members of one kind; its number is the place in the table, from 1 on. */
struct group {
    struct kind *kind;
    uint32_t first, count; /* in `by_kind` */
    uint32_t next_of_topic[2], next_of_category[2];
};

struct look {
    struct batch *batch;
    struct index *index;
    struct wishes *wishes;
    int64_t now_ms;
    struct group *groups;
    size_t group_count;
    uint16_t *by_kind;
    unsigned phase; /* the highest of all */
};

static void *new_array(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    if (!p)
        abort();
    return p;
}

/* --- groups --- */

static void hang_up(struct look *l, uint32_t number)
{
    struct group *g = &l->groups[number];
    for (int i = 0; i < 2 && g->kind->places[i].topic; i++) {
        struct topic_node *topic = g->kind->places[i].topic;
        struct space_category *category = &topic->space->categories[g->kind->key.category];
        g->next_of_topic[i] = topic->batch_group;
        topic->batch_group = number;
        g->next_of_category[i] = category->batch_group;
        category->batch_group = number;
    }
}

static void take_down(struct look *l, uint32_t number)
{
    struct kind *kind = l->groups[number].kind;
    for (int i = 0; i < 2 && kind->places[i].topic; i++) {
        struct topic_node *topic = kind->places[i].topic;
        topic->batch_group = 0;
        topic->space->categories[kind->key.category].batch_group = 0;
    }
    kind->batch_group = 0;
}

static struct group *group_of(struct look *l, const struct member *m)
{
    struct kind *kind = m->ticket->kind;
    if (!kind->batch_group) {
        kind->batch_group = (uint32_t)++l->group_count;
        l->groups[kind->batch_group].kind = kind;
        hang_up(l, kind->batch_group);
    }
    return &l->groups[kind->batch_group];
}

static bool takes_part(const struct member *m)
{
    return m->phase != PHASE_ASLEEP;
}

static void make_groups(struct look *l)
{
    struct batch *b = l->batch;
    l->groups = new_array(b->count + 1, sizeof *l->groups);
    l->by_kind = new_array(b->count, sizeof *l->by_kind);
    for (size_t i = 0; i < b->count; i++)
        if (takes_part(&b->members[i])) {
            group_of(l, &b->members[i])->count++;
            l->phase = b->members[i].phase > l->phase ? b->members[i].phase : l->phase;
        }
    uint32_t first = 0;
    for (size_t g = 1; g <= l->group_count; g++) {
        l->groups[g].first = first;
        first += l->groups[g].count;
        l->groups[g].count = 0;
    }
    for (size_t i = 0; i < b->count; i++)
        if (takes_part(&b->members[i])) {
            struct group *g = group_of(l, &b->members[i]);
            l->by_kind[g->first + g->count++] = (uint16_t)i;
        }
}

/* --- looking --- */

/* Of two with the same weight the next one behind `of`, round the batch, comes first: not all like the same.
 */
static bool comes_before(const struct batch *b, size_t of, const struct like *x, const struct like *y)
{
    if (x->weight != y->weight)
        return x->weight > y->weight;
    return (x->member + b->count - of) % b->count < (y->member + b->count - of) % b->count;
}

static void add_like(struct batch *b, size_t of, size_t whom, int weight)
{
    struct member *m = &b->members[of];
    struct like like = {(uint16_t)whom, (int16_t)weight};
    size_t n = m->like_count;
    if (n == MEMBER_LIKES && !comes_before(b, of, &like, &m->likes[n - 1]))
        return;
    for (size_t i = 0; i < n; i++)
        if (m->likes[i].member == whom)
            return;
    size_t place = n == MEMBER_LIKES ? n - 1 : m->like_count++;
    for (; place > 0 && comes_before(b, of, &like, &m->likes[place - 1]); place--)
        m->likes[place] = m->likes[place - 1];
    m->likes[place] = like;
}

/* What two members may have together: `base` is the score of their kinds, `first` the phase from which on
 * they may meet; 0: they may not. */
static int weight_of(const struct look *l, size_t a, size_t b, int base, enum match_phase first)
{
    const struct member *x = &l->batch->members[a], *y = &l->batch->members[b];
    enum match_phase phase = x->phase > y->phase ? x->phase : y->phase;
    if (phase < first || !ticket_may_meet(x->ticket, y->ticket))
        return 0;
    int score = base + ticket_history_points(x->ticket, y->ticket, l->now_ms);
    return score < pairing_min_score(&l->index->rules, phase) ? 0 : score + 1;
}

static void look_at_member(struct look *l, size_t of, size_t other, int base, enum match_phase first)
{
    const struct wishes *w = l->wishes;
    if (other <= of) /* itself, or one that has looked already; those who were left alone do not look */
        return;
    int weight = weight_of(l, of, other, base, first);
    if (!weight)
        return;
    w->weights[of * w->columns + other] = (int16_t)weight;
    if (other < w->rows)
        w->weights[other * w->columns + of] = (int16_t)weight;
    add_like(l->batch, of, other, weight);
    add_like(l->batch, other, of, weight);
}

static void look_at_group(struct look *l, size_t of, const struct group *g, bool topics_are_related)
{
    const struct match_traits *own = &l->batch->members[of].ticket->kind->traits;
    enum match_phase first = pairing_first_phase(own, &g->kind->traits, topics_are_related);
    if (first > l->phase)
        return;
    int base = match_traits_score(own, &g->kind->traits);
    size_t count = g->count < MEMBERS_LOOKED_AT ? g->count : MEMBERS_LOOKED_AT;
    for (size_t i = 0; i < count; i++)
        look_at_member(l, of, l->by_kind[g->first + (of + i) % g->count], base, first);
}

static bool is_related(const struct topic_node *topic, const struct topic_node *other)
{
    for (size_t i = 0; i < topic->related_count; i++)
        if (topic->related[i] == other)
            return true;
    return false;
}

/* As a search of the index does it, but among the batch only. */
static void look_round_space(struct look *l, size_t of, struct space *space, int place)
{
    const struct kind_key *key = &l->batch->members[of].ticket->kind->key;
    const struct topic_node *topic = index_topic(l->index, space, key->topic->code);
    for (size_t i = 0; i < topic->related_count; i++) {
        int looks = KINDS_LOOKED_AT;
        for (uint32_t n = topic->related[i]->batch_group; n && looks > 0; looks--) {
            look_at_group(l, of, &l->groups[n], true);
            n = l->groups[n].next_of_topic[place];
        }
    }
    int looks = l->phase >= PHASE_CATEGORY ? KINDS_LOOKED_AT : 0;
    for (uint32_t n = space->categories[key->category].batch_group; n && looks > 0; looks--) {
        if (!is_related(topic, l->groups[n].kind->places[place].topic))
            look_at_group(l, of, &l->groups[n], false);
        n = l->groups[n].next_of_category[place];
    }
}

static void look_round(struct look *l, size_t of)
{
    const struct ticket *t = l->batch->members[of].ticket;
    look_round_space(l, of, ticket_space(t), 0);
    struct space *crossed = index_crossed_space(l->index, t);
    if (crossed)
        look_round_space(l, of, crossed, 1);
}

void wishes_make(struct wishes *w, struct batch *b, struct index *x, int64_t now_ms)
{
    struct look l = {.batch = b, .index = x, .wishes = w, .now_ms = now_ms};
    w->rows = b->paired_count;
    w->columns = b->count;
    w->weights = new_array(w->rows * w->columns, sizeof *w->weights);
    make_groups(&l);
    for (size_t i = 0; i < b->paired_count; i++)
        if (takes_part(&b->members[i]))
            look_round(&l, i);
    for (size_t g = 1; g <= l.group_count; g++)
        take_down(&l, (uint32_t)g);
    free(l.groups);
    free(l.by_kind);
}

void wishes_done(struct wishes *w)
{
    free(w->weights);
}
