/* A binary heap of tickets by time, then wait start, then id. A ticket knows its place in each of the two
 * heaps, so that it can leave from the middle. Private to domain/. */
#ifndef CONVERSATION_DOMAIN_PAIRING_HEAP_H
#define CONVERSATION_DOMAIN_PAIRING_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct ticket;

enum heap_kind { HEAP_RISE, HEAP_EXPIRY, HEAP_KINDS };

struct heap_item {
    int64_t at_ms;
    struct ticket *ticket;
};

struct heap {
    enum heap_kind kind;
    struct heap_item *items;
    size_t count, capacity;
};

struct ticket *heap_top(const struct heap *h); /* NULL when empty */
int64_t heap_top_ms(const struct heap *h);     /* INT64_MAX when empty */
/* Puts the ticket at `at_ms`, whether it is in already or not; INT64_MAX takes it out. */
void heap_set(struct heap *h, struct ticket *t, int64_t at_ms);
void heap_done(struct heap *h);

#endif
