/* Streaming JSON writer (RFC 8259). */
#include "conversation/base/jsonw.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "conversation/base/clock.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

static void before_value(struct jsonw *w)
{
    if (w->need_comma)
        buf_addc(w->out, ',');
    w->need_comma = true;
}

static void open_with(struct jsonw *w, char bracket)
{
    before_value(w);
    buf_addc(w->out, bracket);
    w->need_comma = false;
    w->depth++;
}

static void close_with(struct jsonw *w, char bracket)
{
    assert(w->depth > 0);
    buf_addc(w->out, bracket);
    w->need_comma = true;
    w->depth--;
}

void jsonw_object(struct jsonw *w)
{
    open_with(w, '{');
}

void jsonw_array(struct jsonw *w)
{
    open_with(w, '[');
}

void jsonw_end_object(struct jsonw *w)
{
    close_with(w, '}');
}

void jsonw_end_array(struct jsonw *w)
{
    close_with(w, ']');
}

void jsonw_finish(const struct jsonw *w)
{
    assert(w->depth == 0);
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static void add_escape(struct buf *out, unsigned char c)
{
    static const char shorts[] = {
        ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if (shorts[c])
        buf_add(out, (const char[]){'\\', shorts[c]}, 2);
    else
        buf_addf(out, "\\u%04x", c);
}

static void add_string(struct buf *out, struct str s)
{
    buf_reserve(out, s.n + 2);
    buf_addc(out, '"');
    while (s.n) {
        size_t n = 0;
        while (n < s.n && is_plain((unsigned char)s.p[n]))
            n++;
        buf_add(out, s.p, n);
        s.p += n;
        s.n -= n;
        if (s.n == 0)
            break;
        n = str_utf8_sequence(s);
        if (n > 1)
            buf_add(out, s.p, n);
        else if (n == 1)
            add_escape(out, (unsigned char)s.p[0]);
        else
            buf_addz(out, REPLACEMENT);
        n += n == 0;
        s.p += n;
        s.n -= n;
    }
    buf_addc(out, '"');
}

void jsonw_key(struct jsonw *w, const char *key)
{
    before_value(w);
    add_string(w->out, str_of(key));
    buf_addc(w->out, ':');
    w->need_comma = false;
}

void jsonw_str(struct jsonw *w, struct str s)
{
    before_value(w);
    add_string(w->out, s);
}

void jsonw_z(struct jsonw *w, const char *z)
{
    if (z)
        jsonw_str(w, str_of(z));
    else
        jsonw_null(w);
}

void jsonw_int(struct jsonw *w, int64_t i)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%" PRId64, i);
    jsonw_raw(w, (struct str){digits, (size_t)n});
}

/* 15 digits survive the way from text to double and back, 17 the way from double to text and back. */
void jsonw_double(struct jsonw *w, double d)
{
    char text[32];
    int n = 0;
    if (!isfinite(d)) {
        jsonw_null(w);
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        n = snprintf(text, sizeof text, "%.*g", precision, d);
        if (strtod(text, NULL) == d)
            break;
    }
    jsonw_raw(w, (struct str){text, (size_t)n});
}

void jsonw_bool(struct jsonw *w, bool b)
{
    jsonw_raw(w, b ? STR("true") : STR("false"));
}

void jsonw_null(struct jsonw *w)
{
    jsonw_raw(w, STR("null"));
}

void jsonw_uuid(struct jsonw *w, const struct uuid *u)
{
    before_value(w);
    buf_reserve(w->out, UUID_TEXT_LENGTH + 3);
    buf_addc(w->out, '"');
    uuid_format(u, w->out->p + w->out->n);
    w->out->n += UUID_TEXT_LENGTH;
    buf_addc(w->out, '"');
}

void jsonw_time(struct jsonw *w, int64_t at_ms)
{
    char text[CLOCK_ISO_LENGTH + 1];
    clock_format_iso(at_ms, text);
    jsonw_str(w, (struct str){text, CLOCK_ISO_LENGTH});
}

void jsonw_raw(struct jsonw *w, struct str json)
{
    assert(json.n > 0);
    before_value(w);
    buf_add_str(w->out, json);
}

void jsonw_m_str(struct jsonw *w, const char *key, struct str s)
{
    jsonw_key(w, key);
    jsonw_str(w, s);
}

void jsonw_m_z(struct jsonw *w, const char *key, const char *z)
{
    jsonw_key(w, key);
    jsonw_z(w, z);
}

void jsonw_m_z_opt(struct jsonw *w, const char *key, const char *z)
{
    if (z && z[0])
        jsonw_m_z(w, key, z);
}

void jsonw_m_int(struct jsonw *w, const char *key, int64_t i)
{
    jsonw_key(w, key);
    jsonw_int(w, i);
}

void jsonw_m_double(struct jsonw *w, const char *key, double d)
{
    jsonw_key(w, key);
    jsonw_double(w, d);
}

void jsonw_m_bool(struct jsonw *w, const char *key, bool b)
{
    jsonw_key(w, key);
    jsonw_bool(w, b);
}

void jsonw_m_uuid(struct jsonw *w, const char *key, const struct uuid *u)
{
    jsonw_key(w, key);
    jsonw_uuid(w, u);
}

void jsonw_m_uuid_opt(struct jsonw *w, const char *key, const struct uuid *u)
{
    if (u && !uuid_is_nil(u))
        jsonw_m_uuid(w, key, u);
}

void jsonw_m_time(struct jsonw *w, const char *key, int64_t at_ms)
{
    jsonw_key(w, key);
    jsonw_time(w, at_ms);
}

void jsonw_m_time_opt(struct jsonw *w, const char *key, int64_t at_ms)
{
    if (at_ms)
        jsonw_m_time(w, key, at_ms);
}
