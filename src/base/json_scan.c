/* One pass over JSON text without recursion: the open brackets are bits of one word, which also bounds the
 * nesting. */
#include "json_chars.h"

_Static_assert(JSON_DEPTH_MAX <= 64, "one bit a level");

/* --- scalars --- */

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

/* *is_plain: without escapes. */
static bool take_string(struct str *s, bool *is_plain)
{
    *is_plain = true;
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
            *is_plain = false;
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

static bool take_scalar(struct str *s, enum json_type type)
{
    bool is_plain;
    switch (type) {
    case SCAN_STRING: return take_string(s, &is_plain);
    case SCAN_NUMBER: return take_number(s);
    case SCAN_TRUE: return take_word(s, STR("true"));
    case SCAN_FALSE: return take_word(s, STR("false"));
    case SCAN_NULL: return take_word(s, STR("null"));
    case SCAN_OBJECT:
    case SCAN_ARRAY: break;
    }
    return false;
}

struct nesting {
    uint64_t is_object; /* bit i: the bracket at depth i is a brace */
    int depth;
    struct str key; /* of the member whose value comes next */
    bool key_is_plain;
    uint16_t open[JSON_DEPTH_MAX]; /* nodes of the open brackets; only with an index */
};

static bool take_key(struct str *s, struct nesting *nesting)
{
    skip_space(s);
    const char *begin = s->p;
    if (!take_string(s, &nesting->key_is_plain))
        return false;
    nesting->key = (struct str){begin, (size_t)(s->p - begin)};
    skip_space(s);
    return take_char(s, ':');
}

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
    nesting->key.n = 0;
    return !is_object || take_key(s, nesting);
}

/* --- the index --- */

static uint16_t begin_node(struct json_index *index, const char *at, enum json_type type,
                           const struct nesting *nesting)
{
    /* set by whoever has an index, the only ones to come here */
    /* cppcheck-suppress ctuuninitvar */
    struct str key = nesting->key;
    uint16_t node = index->count;
    if (node == JSON_NODES_MAX)
        index->is_complete = false;
    else
        index->count++;
    index->nodes[node] = (struct json_node){.begin = (uint32_t)(at - index->text.p),
                                            .key = key.n ? (uint32_t)(key.p - index->text.p) : 0,
                                            .key_n = (uint32_t)key.n,
                                            .key_is_plain = nesting->key_is_plain,
                                            .type = (uint8_t)type};
    return node;
}

static void end_node(struct json_index *index, uint16_t node, const char *end)
{
    struct json_node *n = &index->nodes[node];
    n->n = (uint32_t)(end - index->text.p) - n->begin;
    n->next = index->count;
}

/* After a value: closes what ends here and steps over the comma before the next one. */
static inline bool close_brackets(struct str *s, struct nesting *nesting, struct json_index *index)
{
    while (nesting->depth > 0) {
        bool is_object = nesting->is_object >> (nesting->depth - 1) & 1;
        skip_space(s);
        nesting->key.n = 0;
        if (take_char(s, ','))
            return !is_object || take_key(s, nesting);
        if (!take_char(s, is_object ? '}' : ']'))
            return false;
        nesting->depth--;
        if (index)
            end_node(index, nesting->open[nesting->depth], s->p);
    }
    return true;
}

/* One value, or the begin of one that has others in it, and the brackets that end with it. */
static inline bool take_step(struct str *s, struct nesting *nesting, struct json_index *index)
{
    enum json_type type;
    bool is_whole = true;
    uint16_t node = 0;
    skip_space(s);
    if (!type_of(*s, &type))
        return false;
    if (index)
        node = begin_node(index, s->p, type, nesting);
    if (type == SCAN_OBJECT || type == SCAN_ARRAY) {
        if (!open_bracket(s, nesting, type == SCAN_OBJECT, &is_whole))
            return false;
    } else if (!take_scalar(s, type)) {
        return false;
    }
    if (!is_whole) {
        nesting->open[nesting->depth - 1] = node;
        return true;
    }
    if (index)
        end_node(index, node, s->p);
    return close_brackets(s, nesting, index);
}

bool json_take_value(struct str *rest, struct str *value, enum json_type *type)
{
    struct str s = *rest;
    struct nesting nesting;
    skip_space(&s);
    const char *begin = s.p;
    if (!type_of(s, type))
        return false;
    nesting.depth = 0;
    nesting.is_object = 0;
    do {
        if (!take_step(&s, &nesting, NULL))
            return false;
    } while (nesting.depth > 0);
    *rest = s;
    *value = (struct str){begin, (size_t)(s.p - begin)};
    return true;
}

bool json_take_indexed(struct str *rest, enum json_type *type, struct json_index *out)
{
    struct str s = *rest;
    struct nesting nesting;
    skip_space(&s);
    if (!type_of(s, type))
        return false;
    nesting.depth = 0;
    nesting.is_object = 0;
    nesting.key.n = 0;
    nesting.key_is_plain = true;
    out->text.p = s.p;
    out->count = 0;
    out->is_complete = s.n <= UINT32_MAX;
    do {
        if (!take_step(&s, &nesting, out))
            return false;
    } while (nesting.depth > 0);
    *rest = s;
    out->text.n = (size_t)(s.p - out->text.p);
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
