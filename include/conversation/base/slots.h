/* Pointers by number: an array, so that a look-up is one read. A number is never given twice: it is a slot
 * and how many items the slot has had. Items are the caller's. */
#ifndef CONVERSATION_BASE_SLOTS_H
#define CONVERSATION_BASE_SLOTS_H

#include <stddef.h>
#include <stdint.h>

struct slot {
    void *item;         /* NULL: free */
    uint32_t used;      /* how many items it has had, this one too */
    uint32_t next_free; /* free: 1 + the next free slot, or 0 */
};

/* All zero is valid and empty. */
struct slots {
    struct slot *slots;
    size_t count;        /* of items */
    uint32_t size;       /* of the array; it grows by doubling and does not shrink */
    uint32_t first_free; /* 1 + it, or 0 */
};

uint64_t slots_put(struct slots *t, void *item);         /* the item's number; not 0 */
void *slots_get(const struct slots *t, uint64_t number); /* NULL: it is not, or no longer, an item's number */
void slots_remove(struct slots *t, uint64_t number);     /* an item's number (asserted) */
void slots_done(struct slots *t);                        /* frees the array */

#endif
