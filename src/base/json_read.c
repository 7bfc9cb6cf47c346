/* Looking into JSON text that has been validated: ends need only be found. */
#include <assert.h>

#include "json_chars.h"

#define KEY_MAX 256 /* longest member name that can be looked for */

/* --- iteration --- */

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
    char scratch[KEY_MAX];
    struct str text;
    return json_text(string, scratch, sizeof scratch, &text) && str_eq(text, key);
}

static void find_in_text(struct str object, struct json_wanted *wanted, int count)
{
    struct str rest = json_inside(object), name, value;
    enum json_type type;
    while (json_next_member(&rest, &name, &value, &type)) {
        for (int i = 0; i < count; i++) {
            if (string_is(name, wanted[i].key)) {
                wanted[i].value = value;
                wanted[i].type = type;
            }
        }
    }
}

static bool is_key_of(const struct json_node *node, struct str key)
{
    if (!node->key_is_plain)
        return string_is(node->key, key);
    return node->key.n == key.n + 2 && memcmp(node->key.p + 1, key.p, key.n) == 0;
}

/* Clients send members in the order in which they are described, which is the order in which they are wanted:
 * the one after the last found is compared first. */
static void find_among(const struct json_node *object, struct json_wanted *wanted, int count)
{
    struct json_wanted *first = wanted, *end = wanted + count;
    for (const struct json_node *node = object + 1; node < object->next; node = node->next) {
        struct json_wanted *w = first;
        int left = count;
        for (; left > 0 && !is_key_of(node, w->key); left--)
            w = w + 1 < end ? w + 1 : wanted;
        if (left == 0)
            continue;
        w->value = node->value;
        w->type = node->type;
        w->is_plain = node->is_plain;
        w->node = node;
        first = w + 1 < end ? w + 1 : wanted;
    }
}

void json_find(const struct json_index *index, const struct json_wanted *object, struct json_wanted *wanted,
               int count)
{
    for (int i = 0; i < count; i++) {
        assert(wanted[i].key.n < KEY_MAX);
        wanted[i].value = (struct str){NULL, 0};
        wanted[i].is_plain = false;
    }
    if (index->is_complete)
        find_among(object ? object->node : index->nodes, wanted, count);
    else
        find_in_text(object ? object->value : index->text, wanted, count);
}

bool json_member(struct str object, const char *key, struct str *value, enum json_type *type)
{
    struct json_wanted wanted = {.key = str_of(key)};
    assert(wanted.key.n < KEY_MAX);
    find_in_text(object, &wanted, 1);
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
        struct str run = {s.p, (size_t)(plain_end(s.p, s.p + s.n) - s.p)};
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

bool json_text(struct str string, char *scratch, size_t cap, struct str *text)
{
    *text = json_inside(string);
    if (!memchr(text->p, '\\', text->n))
        return text->n <= cap;
    text->p = scratch;
    return json_unescape(string, scratch, cap, &text->n);
}

bool json_wanted_text(const struct json_wanted *found, char *scratch, size_t cap, struct str *text)
{
    if (!found->is_plain)
        return json_text(found->value, scratch, cap, text);
    *text = json_inside(found->value);
    return text->n <= cap;
}

bool json_read_uuid(const struct json_wanted *found, struct uuid *out)
{
    char scratch[UUID_TEXT_LENGTH];
    struct str text;
    if (!found->value.p || found->type != SCAN_STRING)
        return false;
    return json_wanted_text(found, scratch, sizeof scratch, &text) && uuid_parse(text, out);
}
