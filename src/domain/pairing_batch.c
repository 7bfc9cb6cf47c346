/* The exchange: paths along which pairs change partners. A path opens with a member that gives up its
 * partner, or has none, and takes one it likes; whose former partner takes the next one; at the end the first
 * and the last ones given up take each other, or somebody takes one who has nobody. It is followed while what
 * was taken weighs more than what was given up: an exchange that gains has an end from which that holds all
 * along (Lin and Kernighan, 1973). Short paths are tried first. */
#include "pairing_batch.h"

#include <stdlib.h>

enum {
    PATH_TAKES = 3, /* partners taken along a path, the one that closes it aside */
    PATH_MEMBERS = 2 * PATH_TAKES + 2,
    ROUNDS = 8,      /* over all members, for one length */
    STEPS = 1000000, /* of all paths together: some milliseconds */
    NOBODY = -1
};

struct exchange {
    struct batch *batch;
    const struct wishes *wishes;
    int32_t path[PATH_MEMBERS]; /* gave up, takes; gave up, takes; … the first may be NOBODY */
    size_t path_count;
    int takes_max, steps_left;
};

static bool is_on_path(const struct exchange *e, int32_t member)
{
    for (size_t i = 0; i < e->path_count; i++)
        if (e->path[i] == member)
            return true;
    return false;
}

static void put_on_path(struct exchange *e, int32_t taken, int32_t gives_up)
{
    e->path[e->path_count++] = taken;
    e->path[e->path_count++] = gives_up;
}

/* Whatever it takes next, nothing can be gained any more. */
static bool is_hopeless(const struct member *m, int gain)
{
    return m->like_count == 0 || gain + m->likes[0].weight <= 0;
}

/* Whether the path may end with its last one taking the first one that was given up. */
static bool closes(const struct exchange *e, int32_t last, int gain)
{
    if (e->path[0] == NOBODY)
        return false;
    int weight = wishes_weight(e->wishes, (size_t)e->path[0], (size_t)last);
    return weight && gain + weight > 0;
}

/* Looks for whom the last one on the path takes, `gain` being what was taken less what was given up. True:
 * the path is an exchange that gains. */
static bool follow(struct exchange *e, int gain, int takes)
{
    const struct member *members = e->batch->members, *m = &members[e->path[e->path_count - 1]];
    for (const struct like *like = m->likes; like < m->likes + m->like_count; like++) {
        if (gain + like->weight <= 0 || --e->steps_left < 0)
            return false;
        int32_t taken = like->member, gives_up = members[taken].partner;
        if (is_on_path(e, taken) || (gives_up == NOBODY && e->path[0] != NOBODY))
            continue; /* the first one given up would be left alone */
        int rest = gain + like->weight - members[taken].weight;
        if (gives_up != NOBODY && is_hopeless(&members[gives_up], rest))
            continue;
        put_on_path(e, taken, gives_up);
        if (gives_up == NOBODY || closes(e, gives_up, rest) ||
            (takes < e->takes_max && follow(e, rest, takes + 1)))
            return true;
        e->path_count -= 2;
    }
    return false;
}

static void unite(struct exchange *e, int32_t a, int32_t b, int weight)
{
    struct member *x = &e->batch->members[a], *y = &e->batch->members[b];
    x->partner = b;
    y->partner = a;
    x->weight = y->weight = (int16_t)weight;
}

static int liking(const struct member *m, int32_t whom)
{
    const struct like *like = m->likes;
    while (like->member != whom)
        like++;
    return like->weight;
}

static void carry_out(struct exchange *e)
{
    for (size_t i = 1; i + 1 < e->path_count; i += 2)
        unite(e, e->path[i], e->path[i + 1], liking(&e->batch->members[e->path[i]], e->path[i + 1]));
    int32_t first = e->path[0], last = e->path[e->path_count - 1];
    if (first != NOBODY)
        unite(e, first, last, wishes_weight(e->wishes, (size_t)first, (size_t)last));
}

static bool exchange_from(struct exchange *e, int32_t member)
{
    const struct member *m = &e->batch->members[member];
    e->path_count = 0;
    put_on_path(e, m->partner, member);
    if (!follow(e, -m->weight, 1))
        return false;
    carry_out(e);
    return true;
}

/* Whoever found nothing to gain is asked again only after an exchange of its own. */
static bool exchange_round(struct exchange *e)
{
    bool has_gained = false;
    for (size_t i = 0; i < e->batch->count; i++) {
        struct member *m = &e->batch->members[i];
        if (m->is_settled)
            continue;
        m->is_settled = true;
        if (!exchange_from(e, (int32_t)i))
            continue;
        has_gained = true;
        for (size_t k = 0; k < e->path_count; k++)
            if (e->path[k] != NOBODY)
                e->batch->members[e->path[k]].is_settled = false;
    }
    return has_gained;
}

static void exchange_all(struct exchange *e)
{
    for (e->takes_max = 1; e->takes_max <= PATH_TAKES; e->takes_max++) {
        for (size_t i = 0; i < e->batch->count; i++)
            e->batch->members[i].is_settled = false;
        for (int round = 0; round < ROUNDS && exchange_round(e); round++)
            continue;
    }
}

/* --- the batch --- */

static void make_room(struct batch *b, size_t count)
{
    if (count <= b->capacity)
        return;
    b->capacity = 2 * count;
    b->members = realloc(b->members, b->capacity * sizeof *b->members);
    if (!b->members)
        abort();
}

static void put_member(struct batch *b, struct ticket *t, int32_t partner, int weight)
{
    struct member *m = &b->members[b->count++];
    m->ticket = t;
    m->phase = t->phase;
    m->partner = partner;
    m->weight = (int16_t)weight;
    m->like_count = 0;
}

void batch_add_pair(struct batch *b, struct ticket *a, struct ticket *partner, int score)
{
    int32_t at = (int32_t)b->count;
    make_room(b, b->count + 2);
    put_member(b, a, at + 1, score + 1);
    put_member(b, partner, at, score + 1);
    b->paired_count = b->count;
}

void batch_add_lone(struct batch *b, struct ticket *t)
{
    if (b->lone_count == b->lone_capacity) {
        b->lone_capacity = b->lone_capacity ? 2 * b->lone_capacity : 16;
        b->lone = realloc(b->lone, b->lone_capacity * sizeof(struct ticket *));
        if (!b->lone)
            abort();
    }
    b->lone[b->lone_count++] = t;
}

void batch_clear(struct batch *b)
{
    b->count = b->paired_count = b->lone_count = 0;
}

void batch_done(struct batch *b)
{
    free(b->members);
    free(b->lone);
}

void batch_exchange(struct batch *b, struct index *x, int64_t now_ms)
{
    /* One pair and one alone, or several alone: nothing can be gained. */
    if (b->paired_count == 0 || (b->paired_count == 2 && b->lone_count < 2))
        return;
    struct wishes wishes;
    struct exchange e = {.batch = b, .wishes = &wishes, .steps_left = STEPS};
    make_room(b, b->paired_count + b->lone_count);
    for (size_t i = 0; i < b->lone_count; i++)
        put_member(b, b->lone[i], NOBODY, 0);
    wishes_make(&wishes, b, x, now_ms);
    exchange_all(&e);
    wishes_done(&wishes);
}
