/* Arena: many allocations, one end. A request, a flow or a decoded message owns one. */
#ifndef CONVERSATION_BASE_ARENA_H
#define CONVERSATION_BASE_ARENA_H

#include <stddef.h>

#include "conversation/base/str.h"

struct arena_chunk;

/* All zero is a valid empty arena. */
struct arena {
    struct arena_chunk *chunks;
    size_t left; /* bytes free in the newest chunk */
    char *next;
};

/* Zeroed memory, aligned for any type, valid until arena_done. Aborts the process when memory is exhausted.
 */
void *arena_alloc(struct arena *a, size_t n);
#define ARENA_NEW(a, type)          ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_alloc((a), sizeof(type) * (count)))

char *arena_strz(struct arena *a, struct str s);     /* NUL-terminated copy */
struct str arena_str(struct arena *a, struct str s); /* copy; also NUL-terminated */
struct str arena_fmt(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void arena_done(struct arena *a); /* frees all; usable again after */

#endif
