#include "pairing_heap.h"

#include <stdbool.h>
#include <stdlib.h>

#include "pairing_index.h"

/* ticket->heap_slot is the place plus one, so that zero is "not in". */

static bool is_before(const struct heap_item *a, const struct heap_item *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : ticket_is_before(a->ticket, b->ticket);
}

static void put(struct heap *h, size_t at, struct heap_item item)
{
    h->items[at] = item;
    item.ticket->heap_slot[h->kind] = (uint32_t)at + 1;
}

/* Places `item` at `at` or wherever it must move from there. */
static void settle(struct heap *h, size_t at, struct heap_item item)
{
    while (at > 0 && is_before(&item, &h->items[(at - 1) / 2])) {
        put(h, at, h->items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < h->count && is_before(&h->items[child + 1], &h->items[child]))
            child++;
        if (child >= h->count || !is_before(&h->items[child], &item))
            break;
        put(h, at, h->items[child]);
        at = child;
    }
    put(h, at, item);
}

static void grow(struct heap *h)
{
    h->capacity = h->capacity ? h->capacity * 2 : 64;
    h->items = realloc(h->items, h->capacity * sizeof *h->items);
    if (!h->items)
        abort();
}

static void take_out(struct heap *h, struct ticket *t)
{
    size_t at = t->heap_slot[h->kind] - 1;
    t->heap_slot[h->kind] = 0;
    struct heap_item last = h->items[--h->count];
    if (at < h->count)
        settle(h, at, last);
}

void heap_set(struct heap *h, struct ticket *t, int64_t at_ms)
{
    if (t->heap_slot[h->kind])
        take_out(h, t);
    if (at_ms == INT64_MAX)
        return;
    if (h->count == h->capacity)
        grow(h);
    h->count++;
    settle(h, h->count - 1, (struct heap_item){.at_ms = at_ms, .ticket = t});
}

struct ticket *heap_top(const struct heap *h)
{
    return h->count ? h->items[0].ticket : NULL;
}

int64_t heap_top_ms(const struct heap *h)
{
    return h->count ? h->items[0].at_ms : INT64_MAX;
}

void heap_done(struct heap *h)
{
    free(h->items);
    *h = (struct heap){.kind = h->kind};
}
