/* Arena: a list of chunks, each twice as large as the one before it up to a limit, so that a small flow costs
 * one small block and a large body few blocks. Under the address sanitizer every allocation is a block of its
 * own, so that running over its end is seen. */
#include "conversation/base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK_SIZE_FIRST 512
#define CHUNK_SIZE_LAST  16384
#define ALIGNMENT        alignof(max_align_t)

struct arena_chunk {
    struct arena_chunk *older;
    size_t size; /* including this header */
    alignas(max_align_t) char bytes[];
};

static_assert(offsetof(struct arena_chunk, bytes) % ALIGNMENT == 0, "chunks keep malloc's alignment");

static struct arena_chunk *chunk_new(size_t size)
{
    struct arena_chunk *c = malloc(size);
    if (!c)
        abort();
    c->older = NULL;
    c->size = size;
    return c;
}

/* A block for one allocation. It goes behind the newest chunk, whose free bytes stay in use. */
static void *alloc_alone(struct arena *a, size_t n)
{
    struct arena_chunk *c = chunk_new(sizeof *c + n);
    if (a->chunks) {
        c->older = a->chunks->older;
        a->chunks->older = c;
    } else {
        a->chunks = c;
    }
    return memset(c->bytes, 0, n);
}

static size_t next_chunk_size(const struct arena *a)
{
    if (!a->chunks)
        return CHUNK_SIZE_FIRST;
    size_t size = CHUNK_SIZE_FIRST;
    while (size <= a->chunks->size && size < CHUNK_SIZE_LAST)
        size *= 2;
    return size;
}

static void add_chunk(struct arena *a, size_t size)
{
    struct arena_chunk *c = chunk_new(size);
    c->older = a->chunks;
    a->chunks = c;
    a->next = c->bytes;
    a->left = size - sizeof *c;
}

void *arena_alloc(struct arena *a, size_t n)
{
#ifdef __SANITIZE_ADDRESS__
    return alloc_alone(a, n);
#endif
    if (n > SIZE_MAX / 2)
        abort();
    n = (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (n > a->left) {
        size_t size = next_chunk_size(a);
        if (n > size - sizeof(struct arena_chunk))
            return alloc_alone(a, n);
        add_chunk(a, size);
    }
    void *p = a->next;
    a->next += n;
    a->left -= n;
    return memset(p, 0, n);
}

char *arena_strz(struct arena *a, struct str s)
{
    char *z = arena_alloc(a, s.n + 1);
    if (s.n)
        memcpy(z, s.p, s.n);
    return z;
}

struct str arena_str(struct arena *a, struct str s)
{
    return (struct str){arena_strz(a, s), s.n};
}

struct str arena_fmt(struct arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    assert(n >= 0);
    char *z = arena_alloc(a, (size_t)n + 1);
    va_start(args, fmt);
    vsnprintf(z, (size_t)n + 1, fmt, args);
    va_end(args);
    return (struct str){z, (size_t)n};
}

void arena_done(struct arena *a)
{
    struct arena_chunk *c = a->chunks;
    *a = (struct arena){0};
    while (c) {
        struct arena_chunk *older = c->older;
        free(c);
        c = older;
    }
}
