/* What reading JSON is made of: characters, and runs of them. Private to json_*.c. */
#ifndef BASE_JSON_CHARS_H
#define BASE_JSON_CHARS_H

#include <stdint.h>

#include "conversation/base/json_scan.h"
#include "conversation/base/wide.h"

/* Nearly everywhere there is none. */
static inline bool is_space(char c)
{
    return (unsigned char)c <= ' ' && (c == ' ' || c == '\n' || c == '\r' || c == '\t');
}

static inline void skip_space(struct str *s)
{
    while (s->n && is_space(*s->p)) {
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

/* Behind the leading bytes that stand for themselves in a string: no control character, quote or backslash,
 * and ASCII. */
static inline const char *plain_end(const char *p, const char *end)
{
    for (; end - p >= (ptrdiff_t)WIDE_BYTES; p += WIDE_BYTES) {
        wide c = wide_load(p);
        unsigned special = wide_bits((c < ' ') | (c == '"') | (c == '\\'));
        if (special)
            return p + __builtin_ctz(special);
    }
    while (p < end && is_plain((unsigned char)*p))
        p++;
    return p;
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
