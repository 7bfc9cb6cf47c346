/* One pass over JSON text without recursion: the open brackets are bits of one word, which also bounds the
 * nesting. */
#include "conversation/base/json_scan.h"

#include <assert.h>
#include <endian.h>
#include <stdint.h>

#define KEY_MAX 256 /* longest member name that can be looked for */

_Static_assert(JSON_DEPTH_MAX <= 64, "one bit a level");

/* --- characters --- */

static void skip_space(struct str *s)
{
    while (s->n && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t')) {
        s->p++;
        s->n--;
    }
}

static void advance(struct str *s, size_t n)
{
    s->p += n;
    s->n -= n;
}

static bool take_char(struct str *s, char c)
{
    if (!s->n || *s->p != c)
        return false;
    advance(s, 1);
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* --- scalars --- */

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Number of leading bytes that stand for themselves in a string: no control character, quote or backslash,
 * and ASCII. Eight at a time: a set high bit in `special` marks a byte that is none of these. A borrow may
 * mark plain bytes above it, but never below, so the lowest mark is right. */
static size_t plain_run(struct str s)
{
    const uint64_t ones = 0x0101010101010101ULL, highs = 0x8080808080808080ULL;
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t word;
        memcpy(&word, s.p + i, sizeof word);
        word = le64toh(word);
        uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
        uint64_t special = ((word - ones * 0x20) | (quote - ones) | (backslash - ones) | word) & highs;
        if (special)
            return i + (size_t)__builtin_ctzll(special) / 8;
    }
    while (i < s.n && is_plain((unsigned char)s.p[i]))
        i++;
    return i;
}

static bool is_short_escape(char c)
{
    switch (c) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': return true;
    default: return false;
    }
}

static bool take_escape(struct str *s)
{
    advance(s, 1);
    if (!s->n)
        return false;
    char c = *s->p;
    advance(s, 1);
    if (c != 'u')
        return is_short_escape(c);
    for (int i = 0; i < 4; i++) {
        if ((size_t)i >= s->n || hex_value(s->p[i]) < 0)
            return false;
    }
    advance(s, 4);
    return true;
}

static bool take_string(struct str *s)
{
    if (!take_char(s, '"'))
        return false;
    for (;;) {
        advance(s, plain_run(*s));
        if (!s->n)
            return false;
        unsigned char c = (unsigned char)*s->p;
        if (c == '"') {
            advance(s, 1);
            return true;
        }
        if (c == '\\') {
            if (!take_escape(s))
                return false;
            continue;
        }
        size_t n = c < 0x20 ? 0 : str_utf8_sequence(*s);
        if (n == 0)
            return false;
        advance(s, n);
    }
}

static bool take_digits(struct str *s)
{
    size_t n = 0;
    while (n < s->n && is_digit(s->p[n]))
        n++;
    advance(s, n);
    return n > 0;
}

static bool take_number(struct str *s)
{
    take_char(s, '-');
    if (!take_char(s, '0') && !take_digits(s))
        return false;
    if (take_char(s, '.') && !take_digits(s))
        return false;
    if (take_char(s, 'e') || take_char(s, 'E')) {
        if (!take_char(s, '+'))
            take_char(s, '-');
        return take_digits(s);
    }
    return true;
}

static bool take_word(struct str *s, struct str word)
{
    if (!str_starts_with(*s, word))
        return false;
    advance(s, word.n);
    return true;
}

/* --- values --- */

static bool type_of(struct str s, enum json_type *type)
{
    if (!s.n)
        return false;
    switch (*s.p) {
    case '{': *type = JSON_OBJECT; return true;
    case '[': *type = JSON_ARRAY; return true;
    case '"': *type = JSON_STRING; return true;
    case 't': *type = JSON_TRUE; return true;
    case 'f': *type = JSON_FALSE; return true;
    case 'n': *type = JSON_NULL; return true;
    default: *type = JSON_NUMBER; return *s.p == '-' || is_digit(*s.p);
    }
}

static bool take_scalar(struct str *s, enum json_type type)
{
    switch (type) {
    case JSON_STRING: return take_string(s);
    case JSON_NUMBER: return take_number(s);
    case JSON_TRUE: return take_word(s, STR("true"));
    case JSON_FALSE: return take_word(s, STR("false"));
    case JSON_NULL: return take_word(s, STR("null"));
    case JSON_OBJECT:
    case JSON_ARRAY: break;
    }
    return false;
}

static bool take_key(struct str *s)
{
    skip_space(s);
    if (!take_string(s))
        return false;
    skip_space(s);
    return take_char(s, ':');
}

struct nesting {
    uint64_t is_object; /* bit i: the bracket at depth i is a brace */
    int depth;
};

/* Steps over an opening bracket, and over the closing one too when nothing is inside: then *is_empty. */
static bool open_bracket(struct str *s, struct nesting *nesting, bool is_object, bool *is_empty)
{
    if (nesting->depth == JSON_DEPTH_MAX)
        return false;
    advance(s, 1);
    skip_space(s);
    *is_empty = take_char(s, is_object ? '}' : ']');
    if (*is_empty)
        return true;
    uint64_t bit = UINT64_C(1) << nesting->depth++;
    nesting->is_object = is_object ? nesting->is_object | bit : nesting->is_object & ~bit;
    return !is_object || take_key(s);
}

/* After a value: closes what ends here and steps over the comma before the next one. */
static bool close_brackets(struct str *s, struct nesting *nesting)
{
    while (nesting->depth > 0) {
        bool is_object = nesting->is_object >> (nesting->depth - 1) & 1;
        skip_space(s);
        if (take_char(s, ','))
            return !is_object || take_key(s);
        if (!take_char(s, is_object ? '}' : ']'))
            return false;
        nesting->depth--;
    }
    return true;
}

bool json_take_value(struct str *rest, struct str *value, enum json_type *type)
{
    struct str s = *rest;
    skip_space(&s);
    const char *start = s.p;
    enum json_type outer, inner;
    if (!type_of(s, &outer))
        return false;
    struct nesting nesting = {0};
    do {
        skip_space(&s);
        if (!type_of(s, &inner))
            return false;
        bool is_whole = true;
        if (inner == JSON_OBJECT || inner == JSON_ARRAY) {
            if (!open_bracket(&s, &nesting, inner == JSON_OBJECT, &is_whole))
                return false;
        } else if (!take_scalar(&s, inner)) {
            return false;
        }
        if (is_whole && !close_brackets(&s, &nesting))
            return false;
    } while (nesting.depth > 0);
    *rest = s;
    *value = (struct str){start, (size_t)(s.p - start)};
    *type = outer;
    return true;
}

bool json_is_valid(struct str text)
{
    struct str value;
    enum json_type type;
    if (!json_take_value(&text, &value, &type))
        return false;
    skip_space(&text);
    return text.n == 0;
}

/* --- iteration: over text that has been validated, so that ends need only be found --- */

static void skip_string(struct str *s)
{
    const char *end = s->p + s->n, *quote = s->p;
    size_t backslashes;
    do {
        quote = memchr(quote + 1, '"', (size_t)(end - quote - 1));
        assert(quote);
        for (backslashes = 0; quote[-1 - (ptrdiff_t)backslashes] == '\\';)
            backslashes++;
    } while (backslashes % 2); /* the quote is escaped */
    advance(s, (size_t)(quote + 1 - s->p));
}

static bool is_in_scalar(char c)
{
    return c > ' ' && c != ',' && c != ':' && c != ']' && c != '}';
}

static void skip_scalar(struct str *s)
{
    size_t n = 0;
    while (n < s->n && is_in_scalar(s->p[n]))
        n++;
    advance(s, n);
}

static void skip_value(struct str *s)
{
    int depth = 0;
    do {
        assert(s->n);
        switch (*s->p) {
        case '"': skip_string(s); break;
        case '{':
        case '[':
            depth++;
            advance(s, 1);
            break;
        case '}':
        case ']':
            depth--;
            advance(s, 1);
            break;
        case ',':
        case ':':
        case ' ':
        case '\n':
        case '\r':
        case '\t': advance(s, 1); break;
        default: skip_scalar(s);
        }
    } while (depth > 0);
}

struct str json_inside(struct str array_or_object)
{
    assert(array_or_object.n >= 2);
    return (struct str){array_or_object.p + 1, array_or_object.n - 2};
}

bool json_next_item(struct str *rest, struct str *item, enum json_type *type)
{
    skip_space(rest);
    if (!type_of(*rest, type))
        return false;
    const char *start = rest->p;
    skip_value(rest);
    *item = (struct str){start, (size_t)(rest->p - start)};
    skip_space(rest);
    take_char(rest, ',');
    return true;
}

bool json_next_member(struct str *rest, struct str *key, struct str *value, enum json_type *type)
{
    skip_space(rest);
    if (!rest->n)
        return false;
    const char *start = rest->p;
    skip_string(rest);
    *key = (struct str){start, (size_t)(rest->p - start)};
    skip_space(rest);
    take_char(rest, ':');
    return json_next_item(rest, value, type);
}

/* Whether a string's text, with its quotes, says `key`. An escape is longer than what it stands for. */
static bool string_is(struct str string, struct str key)
{
    struct str inside = json_inside(string);
    if (inside.n < key.n)
        return false;
    if (!memchr(inside.p, '\\', inside.n))
        return str_eq(inside, key);
    char text[KEY_MAX];
    size_t n;
    return json_unescape(string, text, sizeof text, &n) && str_eq((struct str){text, n}, key);
}

void json_members(struct str object, struct json_wanted *wanted, int count)
{
    struct str rest = json_inside(object), name, value;
    enum json_type type;
    for (int i = 0; i < count; i++) {
        assert(wanted[i].key.n < KEY_MAX);
        wanted[i].value = (struct str){NULL, 0};
    }
    while (json_next_member(&rest, &name, &value, &type)) {
        for (int i = 0; i < count; i++) {
            if (string_is(name, wanted[i].key)) {
                wanted[i].value = value;
                wanted[i].type = type;
            }
        }
    }
}

bool json_member(struct str object, const char *key, struct str *value, enum json_type *type)
{
    struct json_wanted wanted = {.key = str_of(key)};
    json_members(object, &wanted, 1);
    if (!wanted.value.p)
        return false;
    *value = wanted.value;
    *type = wanted.type;
    return true;
}

/* --- unescaping --- */

static unsigned take_hex4(struct str *s)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 4 | (unsigned)hex_value(s->p[i]);
    advance(s, 4);
    return value;
}

/* The code point of a \u escape whose "\u" has been read; takes the second half of a surrogate pair with it.
 */
static unsigned take_code_point(struct str *s)
{
    const unsigned replacement = 0xFFFD;
    unsigned unit = take_hex4(s);
    if (unit < 0xD800 || unit > 0xDFFF)
        return unit;
    if (unit > 0xDBFF || s->n < 6 || s->p[0] != '\\' || s->p[1] != 'u')
        return replacement;
    struct str after = {s->p + 2, s->n - 2};
    unsigned second = take_hex4(&after);
    if (second < 0xDC00 || second > 0xDFFF)
        return replacement;
    *s = after;
    return 0x10000 + ((unit - 0xD800) << 10) + (second - 0xDC00);
}

static size_t utf8_encode(unsigned c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    out[0] = (char)(lead[n] | c);
    return n;
}

/* The bytes that the next piece of a string's inside stands for. */
static size_t take_piece(struct str *s, char out[4])
{
    char c = *s->p;
    advance(s, 1);
    if (c != '\\') {
        out[0] = c;
        return 1;
    }
    static const char letters[] = "bfnrt", controls[] = "\b\f\n\r\t";
    c = *s->p;
    advance(s, 1);
    if (c == 'u')
        return utf8_encode(take_code_point(s), out);
    const char *letter = strchr(letters, c);
    out[0] = letter ? controls[letter - letters] : c;
    return 1;
}

bool json_unescape(struct str string, char *out, size_t cap, size_t *n)
{
    struct str s = json_inside(string);
    size_t length = 0;
    while (s.n) {
        char piece[4];
        struct str run = {s.p, plain_run(s)};
        if (run.n)
            advance(&s, run.n);
        else
            run = (struct str){piece, take_piece(&s, piece)};
        if (run.n > cap - length)
            return false;
        memcpy(out + length, run.p, run.n);
        length += run.n;
    }
    *n = length;
    return true;
}

bool json_read_uuid(const struct json_wanted *found, struct uuid *out)
{
    char text[UUID_TEXT_LENGTH];
    size_t n;
    if (!found->value.p || found->type != JSON_STRING)
        return false;
    struct str inside = json_inside(found->value);
    if (inside.n == UUID_TEXT_LENGTH) /* with an escape in it, it would stand for less */
        return uuid_parse(inside, out);
    return json_unescape(found->value, text, sizeof text, &n) && uuid_parse((struct str){text, n}, out);
}
