/* The newest packets that a socket was sent, as bytes in a circular buffer. Every packet has a number,
 * counted from 1 and never used again: the offset that the client knows it by. */
#ifndef SIO_SENT_RING_H
#define SIO_SENT_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/base/str.h"

/* The parts of a packet's text, and its attachments. */
struct sent_packet {
    const struct str *parts;
    int part_count;
    const struct str *attachments;
    int attachment_count;
};

struct sent_ring {
    char *p;
    size_t cap, begin, n;
    uint64_t first, next; /* numbers of the oldest packet held, and of the one to come; equal: none is held */
    uint64_t added;       /* bytes of all records there ever were, also of those that were never held */
};

/* When a packet was sent (clock_mono_ms) decides whether it is still held: those from before `since_ms` are
 * not. */
struct sent_bounds {
    size_t bytes;
    int64_t since_ms;
};

typedef void sent_fn(void *arg, bool is_binary, const struct str *parts, int part_count);

void sent_ring_init(struct sent_ring *r);
void sent_ring_done(struct sent_ring *r); /* frees; its numbers go on */
/* Makes room by dropping the oldest; what is larger than all of the room is not held, and neither is what
 * came before it. Allocates only to grow, by doubling, and to give back memory of which less than half is
 * allowed now. */
void sent_ring_add(struct sent_ring *r, const struct sent_bounds *bounds, int64_t now_ms,
                   const struct sent_packet *packet);
/* A packet is about to be added. The oldest one, which may have to go, has not been touched for long: the
 * processor may fetch it meanwhile. */
static inline void sent_ring_expect(const struct sent_ring *r)
{
    __builtin_prefetch(r->p + r->begin);
}

/* Whether all packets after number `after` are still held. */
bool sent_ring_reaches(const struct sent_ring *r, uint64_t after);
/* Hands them out again, in order: the text as one or two parts, then each attachment likewise. */
void sent_ring_replay(const struct sent_ring *r, uint64_t after, sent_fn *send, void *arg);
void sent_ring_shrink(struct sent_ring *r); /* to what is held */
/* Goes on with number `next`, which is larger than any before; nothing is held. */
void sent_ring_skip(struct sent_ring *r, uint64_t next);

/* --- records as bytes, for another process (of the same byte order) --- */

/* The newest `n` bytes, at most r->n, as one or two slices; returns how many. They begin with a record when
 * `n` is by how much `added` has grown since some time. */
int sent_ring_newest(const struct sent_ring *r, size_t n, struct str out[2]);
/* Fills an empty ring with whole records, numbered from `first` on, as if they had been sent now; of more
 * than `limit` bytes the oldest are left out. False: these are no records; nothing has changed. */
bool sent_ring_restore(struct sent_ring *r, uint64_t first, struct str records, size_t limit, int64_t now_ms);

#endif
