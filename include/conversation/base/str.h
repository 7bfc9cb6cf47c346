/* Byte slices and the growable byte buffer. */
#ifndef CONVERSATION_BASE_STR_H
#define CONVERSATION_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A borrowed slice; not NUL-terminated. {NULL, 0} is "absent"; {"", 0} is "empty". */
struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_FMT      "%.*s"
#define STR_ARG(s)   (int)(s).n, (s).p

static inline struct str str_of(const char *z)
{
    return (struct str){z, z ? strlen(z) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_eqz(struct str a, const char *z)
{
    return a.n == strlen(z) && memcmp(a.p, z, a.n) == 0;
}

static inline bool str_starts_with(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_eq((struct str){s.p, prefix.n}, prefix);
}

bool str_eq_nocase(struct str a, struct str b); /* ASCII case-insensitive */
struct str str_trim(struct str s, const char *set);

/* Cuts `*rest` at the first `sep`: returns what stands before it, leaves what follows; {NULL,0} rest at the
 * end. */
struct str str_cut(struct str *rest, char sep);

/* Decimal digits only, no sign unless negative is allowed by min < 0; false leaves *out unchanged. */
bool str_to_int(struct str s, int64_t min, int64_t max, int64_t *out);

/* Copies into a fixed array and terminates; false (and "" written) when it does not fit. */
bool str_copy(struct str s, char *dst, size_t cap);

/* Bytes of the well-formed UTF-8 sequence (RFC 3629) at the front of `s`: 1 to 4; 0 when ill-formed, cut or
 * empty. */
size_t str_utf8_sequence(struct str s);
/* Number of Unicode code points, or -1 when the bytes are not valid UTF-8 (RFC 3629). */
long str_utf8_length(struct str s);
bool str_is_utf8(struct str s); /* the same question, fast for ASCII */

/* Growable heap buffer. All zero is a valid empty buffer. Growth aborts the process when memory is exhausted.
 */
struct buf {
    char *p;
    size_t n;
    size_t cap;
};

void buf_done(struct buf *b);                 /* frees; usable again after */
void buf_reserve(struct buf *b, size_t more); /* room for `more` bytes after n */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_str(struct buf *b, struct str s);
void buf_addz(struct buf *b, const char *z);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_consume(struct buf *b, size_t n); /* drops the first n bytes */
static inline struct str buf_str(const struct buf *b)
{
    return (struct str){b->p, b->n};
}

#endif
