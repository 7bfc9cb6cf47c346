/* What reading JSON is made of: characters, and runs of them. Private to json_*.c. */
#ifndef BASE_JSON_CHARS_H
#define BASE_JSON_CHARS_H

#include <endian.h>
#include <stdint.h>

#include "conversation/base/json_scan.h"

static inline void skip_space(struct str *s)
{
    while (s->n && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t')) {
        s->p++;
        s->n--;
    }
}

static inline void advance(struct str *s, size_t n)
{
    s->p += n;
    s->n -= n;
}

static inline bool take_char(struct str *s, char c)
{
    if (!s->n || *s->p != c)
        return false;
    advance(s, 1);
    return true;
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static inline bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

typedef signed char chars __attribute__((vector_size(16)));
typedef uint64_t words __attribute__((vector_size(16)));

/* Number of leading bytes that stand for themselves in a string: no control character, quote or backslash,
 * and ASCII. Sixteen at a time; bytes from 0x80 on are negative. */
static inline size_t plain_run(struct str s)
{
    size_t i = 0;
    for (; i + sizeof(chars) <= s.n; i += sizeof(chars)) {
        chars c;
        memcpy(&c, s.p + i, sizeof c);
        words special = (words)((c < ' ') | (c == '"') | (c == '\\'));
        if (special[0])
            return i + (size_t)__builtin_ctzll(le64toh(special[0])) / 8;
        if (special[1])
            return i + 8 + (size_t)__builtin_ctzll(le64toh(special[1])) / 8;
    }
    while (i < s.n && is_plain((unsigned char)s.p[i]))
        i++;
    return i;
}

static inline bool type_of(struct str s, enum json_type *type)
{
    if (!s.n)
        return false;
    switch (*s.p) {
    case '{': *type = SCAN_OBJECT; return true;
    case '[': *type = SCAN_ARRAY; return true;
    case '"': *type = SCAN_STRING; return true;
    case 't': *type = SCAN_TRUE; return true;
    case 'f': *type = SCAN_FALSE; return true;
    case 'n': *type = SCAN_NULL; return true;
    default: *type = SCAN_NUMBER; return *s.p == '-' || is_digit(*s.p);
    }
}

#endif
