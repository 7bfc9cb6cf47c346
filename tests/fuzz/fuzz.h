/* What the fuzz targets share. A target asserts properties of a parser; an assertion that fails ends the
 * process, and libFuzzer keeps the input. See README.md. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conversation/base/str.h"

/* The target: libFuzzer's entry point. 0, or -1 for an input that is not to be kept. `data` is a block of
 * exactly `n` bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static inline struct str fuzz_input(const uint8_t *data, size_t n)
{
    return (struct str){(const char *)data, n};
}

/* The first byte of the input, for what is not part of the text; 0 of an empty one. */
static inline uint8_t fuzz_take_byte(struct str *input)
{
    if (input->n == 0)
        return 0;
    uint8_t byte = (uint8_t)input->p[0];
    *input = (struct str){input->p + 1, input->n - 1};
    return byte;
}

/* A block of exactly that many bytes, so that the address sanitizer sees a read past its end; to be freed. */
static inline char *fuzz_copy(struct str s)
{
    char *copy = malloc(s.n ? s.n : 1);
    if (!copy)
        abort();
    if (s.n)
        memcpy(copy, s.p, s.n);
    return copy;
}

static inline bool fuzz_lies_within(struct str part, struct str whole)
{
    return part.n == 0 ||
           (part.p >= whole.p && part.n <= whole.n && part.p - whole.p <= (ptrdiff_t)(whole.n - part.n));
}

/* How a stream is cut into pieces: one of 256 ways. 0: not at all; 1: into single bytes. */
struct fuzz_cuts {
    uint8_t way;
    uint32_t state;
};

static inline struct fuzz_cuts fuzz_cut(uint8_t way)
{
    return (struct fuzz_cuts){way, way};
}

/* The length of the next piece, 1 to `left`; most are short. */
static inline size_t fuzz_next_piece(struct fuzz_cuts *cuts, size_t left)
{
    if (cuts->way < 2)
        return cuts->way == 0 ? left : 1;
    cuts->state =
        cuts->state * 1664525 + 1013904223; /* Numerical Recipes' generator: its high bits are good */
    size_t piece = 1 + (cuts->state >> 24) % (cuts->state >> 23 & 1 ? 4 : 64);
    return piece < left ? piece : left;
}

#endif
