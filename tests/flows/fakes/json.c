/* Comparing JSON by value. */
#include "flows/fakes/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <jansson.h>

#include <cmocka.h>

char *json_of_quoted(const char *quoted)
{
    char *text = strdup(quoted);
    assert_non_null(text);
    for (char *c = text; *c; c++) {
        if (*c == '\'')
            *c = '"';
    }
    return text;
}

char *copy_text(struct str s)
{
    char *copy = s.p ? calloc(1, s.n + 1) : NULL;
    if (copy)
        memcpy(copy, s.p, s.n);
    return copy;
}

static json_t *parse(const char *text, const char *what, const char *file, int line)
{
    json_error_t error;
    json_t *value = text ? json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error) : NULL;
    if (!value) {
        print_error("%s:%d: %s: %s in: %s\n", file, line, what, text ? error.text : "nothing",
                    text ? text : "");
        _fail(file, line);
    }
    return value;
}

void assert_json_at(const char *actual, const char *expected, const char *file, int line)
{
    char *quoted = json_of_quoted(expected);
    json_t *want = parse(quoted, "expected", file, line), *have = parse(actual, "actual", file, line);
    bool is_equal = json_equal(want, have);
    if (!is_equal) {
        char *a = json_dumps(have, JSON_SORT_KEYS | JSON_INDENT(1) | JSON_ENCODE_ANY);
        char *b = json_dumps(want, JSON_SORT_KEYS | JSON_INDENT(1) | JSON_ENCODE_ANY);
        print_error("%s:%d: got\n%s\nwanted\n%s\n", file, line, a, b);
        free(a);
        free(b);
    }
    json_decref(want);
    json_decref(have);
    free(quoted);
    if (!is_equal)
        _fail(file, line);
}
