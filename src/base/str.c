/* Byte slices and the growable byte buffer. */
#include "conversation/base/str.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    }
    return true;
}

static bool is_in_set(char c, const char *set)
{
    return c != '\0' && strchr(set, c);
}

struct str str_trim(struct str s, const char *set)
{
    while (s.n && is_in_set(s.p[0], set)) {
        s.p++;
        s.n--;
    }
    while (s.n && is_in_set(s.p[s.n - 1], set))
        s.n--;
    return s;
}

struct str str_cut(struct str *rest, char sep)
{
    struct str before = *rest;
    const char *at = rest->n ? memchr(rest->p, sep, rest->n) : NULL;
    if (!at) {
        *rest = (struct str){0};
        return before;
    }
    before.n = (size_t)(at - before.p);
    rest->p = at + 1;
    rest->n -= before.n + 1;
    return before;
}

bool str_to_int(struct str s, int64_t min, int64_t max, int64_t *out)
{
    bool negative = s.n && s.p[0] == '-' && min < 0;
    size_t i = negative ? 1 : 0;
    int64_t value = 0; /* counted downwards: the negative range is the larger one */
    if (i == s.n)
        return false;
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, s.p[i] - '0', &value))
            return false;
    }
    if (!negative && __builtin_sub_overflow((int64_t)0, value, &value))
        return false;
    if (value < min || value > max)
        return false;
    *out = value;
    return true;
}

bool str_copy(struct str s, char *dst, size_t cap)
{
    assert(cap > 0);
    if (s.n >= cap) {
        dst[0] = '\0';
        return false;
    }
    if (s.n)
        memcpy(dst, s.p, s.n);
    dst[s.n] = '\0';
    return true;
}

static bool is_continuation(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

/* RFC 3629 section 4: the second byte's range excludes overlong forms, surrogates and what lies above
 * U+10FFFF. */
size_t str_utf8_sequence(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    if (s.n == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    if (p[0] < 0xE0)
        return s.n >= 2 && is_continuation(p[1]) ? 2 : 0;
    if (p[0] < 0xF0) {
        if (s.n < 3 || !is_continuation(p[1]) || !is_continuation(p[2]))
            return 0;
        bool overlong = p[0] == 0xE0 && p[1] < 0xA0;
        bool surrogate = p[0] == 0xED && p[1] > 0x9F;
        return overlong || surrogate ? 0 : 3;
    }
    if (s.n < 4 || !is_continuation(p[1]) || !is_continuation(p[2]) || !is_continuation(p[3]))
        return 0;
    bool overlong = p[0] == 0xF0 && p[1] < 0x90;
    bool too_high = p[0] == 0xF4 && p[1] > 0x8F;
    return overlong || too_high ? 0 : 4;
}

long str_utf8_length(struct str s)
{
    long points = 0;
    while (s.n) {
        size_t n = str_utf8_sequence(s);
        if (n == 0)
            return -1;
        s.p += n;
        s.n -= n;
        points++;
    }
    return points;
}

bool str_is_utf8(struct str s)
{
    size_t i = 0;
    uint64_t word;
    for (; i + sizeof word <= s.n; i += sizeof word) {
        memcpy(&word, s.p + i, sizeof word);
        if (word & 0x8080808080808080)
            break;
    }
    return i == s.n || str_utf8_length((struct str){s.p + i, s.n - i}) >= 0;
}

#define BUF_SIZE_MIN 64

void buf_done(struct buf *b)
{
    free(b->p);
    *b = (struct buf){0};
}

void buf_reserve(struct buf *b, size_t more)
{
    size_t need;
    if (more <= b->cap - b->n)
        return;
    if (__builtin_add_overflow(b->n, more, &need))
        abort();
    size_t cap = b->cap ? b->cap : BUF_SIZE_MIN;
    while (cap < need) {
        if (__builtin_mul_overflow(cap, 2, &cap))
            abort();
    }
    char *p = realloc(b->p, cap);
    if (!p)
        abort();
    b->p = p;
    b->cap = cap;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    if (n == 0)
        return;
    buf_reserve(b, n);
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.n);
}

void buf_addz(struct buf *b, const char *z)
{
    buf_add(b, z, strlen(z));
}

void buf_addc(struct buf *b, char c)
{
    buf_reserve(b, 1);
    b->p[b->n++] = c;
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    buf_reserve(b, BUF_SIZE_MIN);
    va_start(args, fmt);
    int n = vsnprintf(b->p + b->n, b->cap - b->n, fmt, args);
    va_end(args);
    assert(n >= 0);
    if ((size_t)n >= b->cap - b->n) {
        buf_reserve(b, (size_t)n + 1);
        va_start(args, fmt);
        vsnprintf(b->p + b->n, b->cap - b->n, fmt, args);
        va_end(args);
    }
    b->n += (size_t)n;
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= b->n);
    b->n -= n;
    if (n && b->n)
        memmove(b->p, b->p + n, b->n);
}
