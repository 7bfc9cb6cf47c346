#include "conversation/base/slots.h"

#include <assert.h>
#include <stdlib.h>

#define SLOTS_FIRST 16

static void grow(struct slots *t)
{
    uint32_t size = t->size ? t->size * 2 : SLOTS_FIRST;
    assert(size > t->size);
    t->slots = realloc(t->slots, size * sizeof *t->slots);
    if (!t->slots)
        abort();
    for (uint32_t i = t->size; i < size; i++)
        t->slots[i] = (struct slot){.next_free = i + 1 < size ? i + 2 : 0};
    t->first_free = t->size + 1;
    t->size = size;
}

uint64_t slots_put(struct slots *t, void *item)
{
    assert(item);
    if (!t->first_free)
        grow(t);
    uint32_t at = t->first_free - 1;
    struct slot *s = &t->slots[at];
    t->first_free = s->next_free;
    t->count++;
    s->item = item;
    s->used++;
    return (uint64_t)s->used << 32 | at;
}

/* The slot that a number names, while it is the same item's; else NULL. */
static struct slot *find(const struct slots *t, uint64_t number)
{
    uint32_t at = (uint32_t)number;
    struct slot *s = at < t->size ? &t->slots[at] : NULL;
    return s && s->item && s->used == number >> 32 ? s : NULL;
}

void *slots_get(const struct slots *t, uint64_t number)
{
    const struct slot *s = find(t, number);
    return s ? s->item : NULL;
}

void slots_remove(struct slots *t, uint64_t number)
{
    struct slot *s = find(t, number);
    assert(s);
    s->item = NULL;
    t->count--;
    if (s->used == UINT32_MAX)
        return; /* its numbers are used up */
    s->next_free = t->first_free;
    t->first_free = (uint32_t)(s - t->slots) + 1;
}

void slots_done(struct slots *t)
{
    free(t->slots);
    *t = (struct slots){0};
}
