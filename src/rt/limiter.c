/* Rate limits in memory. */
#include "conversation/rt/limiter.h"

#include <assert.h>
#include <stdlib.h>

#include "conversation/base/clock.h"
#include "conversation/base/list.h"
#include "conversation/base/map.h"

bool token_bucket_take(struct token_bucket *b, double cost, double capacity, int64_t window_ms)
{
    int64_t now_ms = clock_mono_ms();
    if (capacity <= 0)
        return true;
    assert(window_ms > 0);
    b->level -= (double)(now_ms - b->at_ms) * capacity / (double)window_ms;
    if (b->level < 0)
        b->level = 0;
    b->at_ms = now_ms;
    if (b->level + cost > capacity)
        return false;
    b->level += cost;
    return true;
}

/* What one key took: the times of its last takes, at most `limit`, in a ring. */
struct key_window {
    struct map_node node;
    struct list by_age; /* in sliding_window.keys */
    int first, count;
    int64_t at_ms[];
};

struct sliding_window {
    int limit;
    int64_t window_ms;
    struct map map;
    struct list keys; /* the least recently counted first: where forgotten keys are looked for */
};

struct sliding_window *sliding_window_new(int limit, int64_t window_ms)
{
    assert(limit >= 0 && window_ms > 0);
    struct sliding_window *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->limit = limit;
    w->window_ms = window_ms;
    list_init(&w->keys);
    return w;
}

static void forget(struct sliding_window *w, struct key_window *k)
{
    map_remove(&w->map, &k->node.key);
    list_remove(&k->by_age);
    free(k);
}

void sliding_window_free(struct sliding_window *w)
{
    if (!w)
        return;
    LIST_EACH_SAFE (n, after, &w->keys)
        forget(w, container_of(n, struct key_window, by_age));
    map_done(&w->map);
    free(w);
}

static void drop_old(const struct sliding_window *w, struct key_window *k, int64_t now_ms)
{
    while (k->count && k->at_ms[k->first] <= now_ms - w->window_ms) {
        k->first = (k->first + 1) % w->limit;
        k->count--;
    }
}

/* Two a call are more than one call can add, so the keys in memory are those of the last window. */
static void forget_idle_keys(struct sliding_window *w, int64_t now_ms)
{
    for (int i = 0; i < 2 && !list_is_empty(&w->keys); i++) {
        struct key_window *k = LIST_FIRST(&w->keys, struct key_window, by_age);
        drop_old(w, k, now_ms);
        if (k->count)
            return;
        forget(w, k);
    }
}

static struct key_window *window_of(struct sliding_window *w, const struct uuid *key)
{
    struct map_node *node = map_get(&w->map, key);
    if (node)
        return container_of(node, struct key_window, node);
    struct key_window *k = calloc(1, sizeof *k + (size_t)w->limit * sizeof k->at_ms[0]);
    if (!k)
        abort();
    map_put(&w->map, key, &k->node);
    return k;
}

bool sliding_window_take(struct sliding_window *w, const struct uuid *key, int64_t *retry_after_ms)
{
    int64_t now_ms = clock_mono_ms();
    if (w->limit == 0)
        return true;
    forget_idle_keys(w, now_ms);
    struct key_window *k = window_of(w, key);
    drop_old(w, k, now_ms);
    if (k->count == w->limit) {
        *retry_after_ms = k->at_ms[k->first] + w->window_ms - now_ms;
        return false;
    }
    k->at_ms[(k->first + k->count) % w->limit] = now_ms;
    k->count++;
    list_remove(&k->by_age);
    list_add_tail(&w->keys, &k->by_age);
    return true;
}
