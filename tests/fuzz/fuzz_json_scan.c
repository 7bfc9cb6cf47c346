/* base/json_scan.h against jansson: both take the same texts, but for the differences named below, and see
 * the same values in them. */
#include "fuzz.h"

#include <jansson.h>

#include "conversation/base/json_scan.h"

#define KEY_MAX 256 /* names from this length on cannot be looked for */

/* Brackets around the innermost value. */
static int depth_of(json_t *tree)
{
    int deepest = 0;
    size_t i;
    const char *key;
    json_t *item;
    json_array_foreach(tree, i, item)
    {
        int depth = depth_of(item);
        deepest = depth > deepest ? depth : deepest;
    }
    json_object_foreach(tree, key, item)
    {
        int depth = depth_of(item);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + (json_is_array(tree) || json_is_object(tree));
}

/* What jansson refuses although RFC 8259 does not: numbers that it cannot hold, U+0000 in names, halves of
 * surrogate pairs. */
static bool is_refused_by_jansson_alone(const json_error_t *error)
{
    return json_error_code(error) == json_error_numeric_overflow ||
           json_error_code(error) == json_error_null_byte_in_key || strstr(error->text, "invalid Unicode");
}

static struct str unescaped(struct str string, char *out, size_t cap)
{
    size_t n = 0;
    assert(json_unescape(string, out, cap, &n));
    assert(n <= string.n - 2); /* an escape is never shorter than what it stands for */
    return (struct str){out, n};
}

static void compare(struct str text, enum json_type type, json_t *tree);

static void compare_array(struct str array, json_t *tree)
{
    struct str rest = json_inside(array), item;
    enum json_type type;
    size_t count = 0;
    for (; json_next_item(&rest, &item, &type); count++) {
        assert(fuzz_lies_within(item, array));
        compare(item, type, json_array_get(tree, count));
    }
    assert(count == json_array_size(tree));
}

static void compare_object(struct str object, json_t *tree)
{
    struct str rest = json_inside(object), key, value, last;
    enum json_type type, last_type;
    size_t count = 0;
    while (json_next_member(&rest, &key, &value, &type)) {
        char *block = malloc(key.n + 1);
        struct str name = unescaped(key, block, key.n);
        block[name.n] = '\0';
        assert(fuzz_lies_within(key, object) && fuzz_lies_within(value, object));
        if (name.n < KEY_MAX) {
            assert(json_member(object, name.p, &last, &last_type));
            if (last.p == value.p) { /* of duplicates, jansson has the last too */
                compare(value, type, json_object_getn(tree, name.p, name.n));
                count++;
            }
        } else {
            count += json_object_getn(tree, name.p, name.n) != NULL;
        }
        free(block);
    }
    assert(count >= json_object_size(tree));
}

static void compare_string(struct str string, json_t *tree)
{
    char *block = malloc(string.n);
    struct str text = unescaped(string, block, string.n - 2);
    assert(str_eq(text, (struct str){json_string_value(tree), json_string_length(tree)}));
    free(block);
}

static void compare(struct str text, enum json_type type, json_t *tree)
{
    assert(tree && json_is_valid(text));
    switch (type) {
    case SCAN_OBJECT: compare_object(text, tree); break;
    case SCAN_ARRAY: compare_array(text, tree); break;
    case SCAN_STRING: compare_string(text, tree); break;
    case SCAN_NUMBER: assert(json_is_number(tree)); break;
    case SCAN_TRUE: assert(json_is_true(tree)); break;
    case SCAN_FALSE: assert(json_is_false(tree)); break;
    case SCAN_NULL: assert(json_is_null(tree)); break;
    }
}

/* Every member of every object is found by the index as by reading. */
static void compare_index(const struct json_index *index, const struct json_wanted *object, struct str text)
{
    struct str rest = json_inside(text), key, value;
    enum json_type type;
    while (json_next_member(&rest, &key, &value, &type)) {
        char *block = malloc(key.n);
        struct json_wanted wanted = {.key = unescaped(key, block, key.n - 2)};
        block[wanted.key.n] = '\0';
        if (wanted.key.n < KEY_MAX && strlen(block) == wanted.key.n) { /* json_member's names end at a NUL */
            assert(json_member(text, block, &value, &type));
            json_find(index, object, &wanted, 1);
            assert(wanted.value.p == value.p && wanted.value.n == value.n && wanted.type == type);
            if (type == SCAN_OBJECT)
                compare_index(index, &wanted, value);
        }
        free(block);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str text = fuzz_input(data, n), rest = text, value;
    enum json_type type;
    json_error_t error;
    json_t *tree = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    bool is_valid = json_is_valid(text);
    if (is_valid && tree) {
        assert(json_take_value(&rest, &value, &type));
        compare(value, type, tree);
        struct json_index index;
        assert(json_take_indexed(&(struct str){text.p, text.n}, &type, &index));
        assert(index.text.p == value.p && index.text.n == value.n);
        if (type == SCAN_OBJECT)
            compare_index(&index, NULL, value);
    } else if (is_valid) {
        assert(is_refused_by_jansson_alone(&error));
    } else if (tree) { /* jansson skips a zero byte behind a number */
        assert(depth_of(tree) > JSON_DEPTH_MAX || memchr(text.p, '\0', text.n));
    }
    json_decref(tree);
    return 0;
}
