/* Query strings: application/x-www-form-urlencoded as the WHATWG URL standard parses it, but strict: a
 * malformed escape is an error, not text. */
#include "conversation/codec/fields.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* NUL-terminated, in the arena; false when an escape is malformed or the result is not UTF-8. */
static bool decode(struct str text, struct arena *arena, struct str *out)
{
    char *decoded = arena_alloc(arena, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = text.n - i > 2 ? hex_value(text.p[i + 1]) : -1;
            int low = text.n - i > 2 ? hex_value(text.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        decoded[n++] = c;
    }
    *out = (struct str){decoded, n};
    return str_utf8_length(*out) >= 0;
}

static int find(const struct field_param *params, int count, const char *name)
{
    int i = 0;
    while (i < count && strcmp(params[i].name, name) != 0)
        i++;
    return i;
}

int query_parse(struct str query, struct field_param *out, int max, struct arena *arena)
{
    int count = 0;
    while (query.p) {
        struct str value = str_cut(&query, '&'), name;
        if (!value.n)
            continue;
        struct str raw_name = str_cut(&value, '=');
        if (!decode(raw_name, arena, &name) || !decode(value, arena, &value))
            return -1;
        if (strlen(name.p) !=
            name.n) /* U+0000 in a name: no name of ours, and it must not pass for the part before it */
            continue;
        int i = find(out, count, name.p);
        if (i == max)
            return -1;
        out[i] = (struct field_param){name.p, value};
        count += i == count;
    }
    return count;
}
