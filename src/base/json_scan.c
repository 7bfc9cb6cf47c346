/* One pass over JSON text without recursion: the open brackets are bits of one word. What reads something is
 * given where it begins, or might, and where the text ends; it returns where what it read has ended, or NULL
 * when it is not there. */
#include "json_chars.h"

_Static_assert(JSON_DEPTH_MAX <= 64, "a bit for each open bracket");

/* --- scalars --- */

static inline const char *read_space(const char *p, const char *end)
{
    while (p < end && is_space(*p))
        p++;
    return p;
}

/* `c`, nearly always where it is looked for, else behind space. */
static inline const char *read_char(const char *p, const char *end, char c)
{
    if (p < end && *p == c)
        return p + 1;
    p = read_space(p, end);
    return p < end && *p == c ? p + 1 : NULL;
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

static const char *read_escape(const char *p, const char *end)
{
    p++;
    if (p == end)
        return NULL;
    if (*p != 'u')
        return is_short_escape(*p) ? p + 1 : NULL;
    p++;
    for (int i = 0; i < 4; i++, p++) {
        if (p == end || hex_value(*p) < 0)
            return NULL;
    }
    return p;
}

/* Beyond ASCII. */
static const char *read_sequence(const char *p, const char *end)
{
    size_t n = (unsigned char)*p < 0x80 ? 0 : str_utf8_sequence((struct str){p, (size_t)(end - p)});
    return n ? p + n : NULL;
}

/* On inside a string, from a character that does not stand for itself. */
static const char *read_on(const char *p, const char *end, bool *is_plain)
{
    while (p && p < end) {
        if (*p == '"')
            return p + 1;
        *is_plain &= *p != '\\';
        p = *p == '\\' ? read_escape(p, end) : read_sequence(p, end);
        p = p ? plain_end(p, end) : NULL;
    }
    return NULL;
}

/* On behind the opening quote. *is_plain: without escapes. */
static inline const char *read_string(const char *p, const char *end, bool *is_plain)
{
    *is_plain = true;
    p = plain_end(p, end);
    return p < end && *p == '"' ? p + 1 : read_on(p, end, is_plain);
}

static const char *read_digits(const char *p, const char *end)
{
    const char *begin = p;
    while (p < end && is_digit(*p))
        p++;
    return p > begin ? p : NULL;
}

static const char *read_number(const char *p, const char *end)
{
    p += *p == '-';
    p = p < end && *p == '0' ? p + 1 : read_digits(p, end);
    if (p && p < end && *p == '.')
        p = read_digits(p + 1, end);
    if (!p || p == end || (*p != 'e' && *p != 'E'))
        return p;
    p++;
    p += p < end && (*p == '+' || *p == '-');
    return read_digits(p, end);
}

static const char *read_word(const char *p, const char *end, struct str word)
{
    return str_starts_with((struct str){p, (size_t)(end - p)}, word) ? p + word.n : NULL;
}

/* --- values --- */

/* A value of which a part has been read. */
struct reading {
    const char *end;
    struct json_node *next, *last; /* for the next value; for all that do not fit, from which on the index is
                                      not complete */
    uint64_t braces; /* a bit for each open bracket, the innermost one's lowest: whether it is a brace */
    int depth;
    struct json_node *open[JSON_DEPTH_MAX]; /* the nodes of the open brackets */
};

static inline void end_node(const struct reading *r, struct json_node *node, const char *p)
{
    node->value.n = (size_t)(p - node->value.p);
    node->next = r->next;
}

/* The name and the colon of a member; an item has none. */
static inline const char *read_key(const struct reading *r, const char *p, struct json_node *node)
{
    node->key.n = 0;
    if (!(r->braces & 1))
        return p;
    p = read_char(p, r->end, '"');
    if (!p)
        return NULL;
    node->key.p = p - 1;
    p = read_string(p, r->end, &node->key_is_plain);
    if (!p)
        return NULL;
    node->key.n = (size_t)(p - node->key.p);
    return read_char(p, r->end, ':');
}

/* An opening bracket; the closing one, too, when nothing is inside: then *is_whole. */
static inline const char *read_bracket(struct reading *r, const char *p, struct json_node *node,
                                       bool *is_whole)
{
    bool is_brace = *p == '{';
    node->type = is_brace ? SCAN_OBJECT : SCAN_ARRAY;
    if (r->depth == JSON_DEPTH_MAX)
        return NULL;
    p = read_space(p + 1, r->end);
    *is_whole = p < r->end && *p == (is_brace ? '}' : ']');
    if (*is_whole)
        return p + 1;
    r->open[r->depth++] = node;
    r->braces = r->braces << 1 | is_brace;
    return p;
}

/* After a value: the brackets that end with it, and the comma before the next one. */
static inline const char *read_behind(struct reading *r, const char *p)
{
    while (r->depth > 0) {
        const char *next = read_char(p, r->end, ',');
        if (next)
            return next;
        p = read_char(p, r->end, r->braces & 1 ? '}' : ']');
        if (!p)
            return NULL;
        r->braces >>= 1;
        end_node(r, r->open[--r->depth], p);
    }
    return p;
}

static inline const char *read_value(struct reading *r, const char *p, struct json_node *node, bool *is_whole)
{
    const char *end = r->end;
    node->value.p = p;
    node->is_plain = false;
    *is_whole = true;
    switch (*p) {
    case '{':
    case '[': return read_bracket(r, p, node, is_whole);
    case '"': node->type = SCAN_STRING; return read_string(p + 1, end, &node->is_plain);
    case 't': node->type = SCAN_TRUE; return read_word(p, end, STR("true"));
    case 'f': node->type = SCAN_FALSE; return read_word(p, end, STR("false"));
    case 'n': node->type = SCAN_NULL; return read_word(p, end, STR("null"));
    default: node->type = SCAN_NUMBER; return read_number(p, end);
    }
}

/* One value and what stands around it, or the begin of one that has others in it. */
static inline const char *read_step(struct reading *r, const char *p)
{
    struct json_node *node = r->next;
    bool is_whole;
    r->next += node < r->last;
    p = read_key(r, p, node);
    if (!p)
        return NULL;
    p = read_space(p, r->end);
    if (p == r->end)
        return NULL;
    p = read_value(r, p, node, &is_whole);
    if (!p || !is_whole)
        return p;
    end_node(r, node, p);
    return read_behind(r, p);
}

bool json_take_indexed(struct str *rest, enum json_type *type, struct json_index *out)
{
    struct reading r; /* not `open`: it is written before it is read */
    const char *p = read_space(rest->p, rest->p + rest->n);
    r.end = rest->p + rest->n;
    /* nodes are written before they are read */
    /* cppcheck-suppress ctuuninitvar */
    r.next = out->nodes;
    r.last = &out->nodes[JSON_NODES_MAX];
    r.braces = 0;
    r.depth = 0;
    out->text.p = p;
    do {
        p = read_step(&r, p);
        if (!p)
            return false;
    } while (r.depth > 0);
    out->text.n = (size_t)(p - out->text.p);
    out->is_complete = r.next < r.last;
    *type = out->nodes[0].type;
    *rest = (struct str){p, (size_t)(r.end - p)};
    return true;
}

bool json_take_string(struct str *rest, struct str *string, bool *is_plain)
{
    const char *end = rest->p + rest->n, *p = read_char(rest->p, end, '"');
    if (!p)
        return false;
    const char *begin = p - 1;
    p = read_string(p, end, is_plain);
    if (!p)
        return false;
    *string = (struct str){begin, (size_t)(p - begin)};
    *rest = (struct str){p, (size_t)(end - p)};
    return true;
}

bool json_take_value(struct str *rest, struct str *value, enum json_type *type)
{
    struct json_index index;
    if (!json_take_indexed(rest, type, &index))
        return false;
    *value = index.text;
    return true;
}

bool json_is_valid(struct str text)
{
    struct str value;
    enum json_type type;
    return json_take_value(&text, &value, &type) && read_space(text.p, text.p + text.n) == text.p + text.n;
}
