/* Sixteen bytes of a text at a time: what most of the bytes of a message are looked at with. Written with the
 * compiler's vectors, so that it is the same on every machine. */
#ifndef CONVERSATION_BASE_WIDE_H
#define CONVERSATION_BASE_WIDE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Bytes from 0x80 on are negative. Comparing two gives -1 in each byte where it holds, else 0. */
typedef int8_t wide __attribute__((vector_size(16)));
#define WIDE_BYTES sizeof(wide)

static inline wide wide_load(const char *p)
{
    wide w;
    memcpy(&w, p, sizeof w);
    return w;
}

/* The top bits of eight bytes, the first one's lowest: the multiplication moves bit 8*i to bit 56+i. */
static inline unsigned wide_half_bits(uint64_t half)
{
    return (unsigned)((le64toh(half) >> 7 & 0x0101010101010101) * 0x0102040810204080 >> 56);
}

static inline unsigned wide_bits_anywhere(wide w)
{
    uint64_t halves[2];
    memcpy(halves, &w, sizeof halves);
    return wide_half_bits(halves[0]) | wide_half_bits(halves[1]) << 8;
}

/* Bit i: the top bit of byte i; of a comparison, whether it holds there. */
static inline unsigned wide_bits(wide w)
{
#ifdef __SSE2__
    return (unsigned)_mm_movemask_epi8((__m128i)w);
#else
    return wide_bits_anywhere(w);
#endif
}

#endif
