/* Reads the Idempotency-Key header field. */
#include "idempotency_key.h"

#define FIELD_NAME "Idempotency-Key"

static bool is_printable(char c)
{
    return c >= 0x20 && c <= 0x7e;
}

/* A String of RFC 9651 section 4.2.5, without the opening quote; parameters are not taken. */
static bool take_quoted(struct str s, char text[IDEMPOTENCY_KEY_MAX], struct str *key)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"') {
            *key = (struct str){text, n};
            return n > 0 && i + 1 == s.n;
        }
        if (s.p[i] == '\\' && (++i == s.n || !memchr("\"\\", s.p[i], 2)))
            return false;
        if (!is_printable(s.p[i]) || n == IDEMPOTENCY_KEY_MAX)
            return false;
        text[n++] = s.p[i];
    }
    return false;
}

/* Nothing that a list or a parameter could be made of. */
static bool take_bare(struct str s, char text[IDEMPOTENCY_KEY_MAX], struct str *key)
{
    if (s.n == 0 || s.n > IDEMPOTENCY_KEY_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_printable(s.p[i]) || memchr(" \"\\,;", s.p[i], 5))
            return false;
    memcpy(text, s.p, s.n);
    *key = (struct str){text, s.n};
    return true;
}

bool idempotency_key_take(const struct http_request *r, char text[IDEMPOTENCY_KEY_MAX], struct str *key)
{
    int at = 0;
    struct str value = http_header_next(r, FIELD_NAME, &at);
    *key = (struct str){NULL, 0};
    if (!value.p)
        return true;
    if (http_header_next(r, FIELD_NAME, &at).p)
        return false;
    if (value.n > 0 && value.p[0] == '"')
        return take_quoted((struct str){value.p + 1, value.n - 1}, text, key);
    return take_bare(value, text, key);
}
