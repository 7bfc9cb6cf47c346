/* The JSON scanner against jansson as the oracle, on random documents, whole and damaged.
 * JSON_SEED=n, JSON_DOCUMENTS=n   as for every random test: the first seed, and how many documents */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <jansson.h>

#include "alone.h"
#include "conversation/base/json_scan.h"
#include "unit/domain/requests.h" /* random_next, random_below, from_environment */

static void add_random_string(struct buf *b, uint64_t *random)
{
    static const char *const pieces[] = {"a",        "join_session",
                                         " ",        "\\n",
                                         "\\\"",     "\\\\",
                                         "\\/",      "\\u0041",
                                         "\\u0000",  "\\uD83D\\uDE00",
                                         "\\ud800",  "é",
                                         "€",        "😀",
                                         "{",        "]",
                                         "12345678", ":",
                                         ",",        "\x7F"};
    buf_addc(b, '"');
    for (unsigned n = random_below(random, 6); n > 0; n--)
        buf_addz(b, pieces[random_below(random, sizeof pieces / sizeof pieces[0])]);
    buf_addc(b, '"');
}

static void add_random_space(struct buf *b, uint64_t *random)
{
    static const char *const spaces[] = {"", "", "", "", " ", "\n", "\t", "\r\n"};
    buf_addz(b, spaces[random_below(random, 8)]);
}

static void add_random_value(struct buf *b, uint64_t *random, int depth)
{
    static const char *const scalars[] = {"0",    "-1",    "1.5",  "2e3",   "1E-2",
                                          "true", "false", "null", "12345", "-0.0"};
    unsigned kind = random_below(random, depth < 5 ? 4 : 2);
    add_random_space(b, random);
    if (kind == 0) {
        buf_addz(b, scalars[random_below(random, 10)]);
    } else if (kind == 1) {
        add_random_string(b, random);
    } else {
        buf_addc(b, kind == 2 ? '[' : '{');
        unsigned count = random_below(random, 5);
        for (unsigned i = 0; i < count; i++) {
            if (kind == 3) {
                add_random_space(b, random);
                add_random_string(b, random);
                add_random_space(b, random);
                buf_addc(b, ':');
            }
            add_random_value(b, random, depth + 1);
            buf_addz(b, i + 1 < count ? "," : "");
        }
        add_random_space(b, random);
        buf_addc(b, kind == 2 ? ']' : '}');
    }
    add_random_space(b, random);
}

static void damage(struct buf *b, uint64_t *random)
{
    static const char bytes[] = "[]{}\":,\\u0eE+-.x \n\t\x01\x80\xC3\xED\xF4";
    for (unsigned n = 1 + random_below(random, 2); n > 0 && b->n > 0; n--) {
        unsigned at = random_below(random, (unsigned)b->n);
        char byte =
            bytes[random_below(random, sizeof bytes - 1)]; /* no NUL: jansson skips it between values */
        switch (random_below(random, 4)) {
        case 0: b->p[at] = byte; break;
        case 1: b->n = at; break; /* cut off */
        case 2:
            memmove(b->p + at, b->p + at + 1, b->n - at - 1);
            b->n--;
            break;
        default:
            buf_addc(b, 0);
            memmove(b->p + at + 1, b->p + at, b->n - at - 1);
            b->p[at] = byte;
        }
    }
}

/* Where jansson refuses what RFC 8259 allows: numbers out of its range, keys with NUL, lone surrogates, and
 * the depth it does not share. */
static bool is_jansson_only(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);
    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
           code == json_error_null_character || strstr(error->text, "invalid Unicode '\\u");
}

/* Walks jansson's tree along with the scanner's slices. */
static void compare_trees(json_t *tree, struct str text, uint64_t seed)
{
    struct str rest, key, value;
    enum json_type type;
    size_t n = 0;
    if (json_is_array(tree)) {
        rest = json_inside(text);
        for (; json_next_item(&rest, &value, &type); n++)
            compare_trees(json_array_get(tree, n), value, seed);
        assert_int_equal(n, json_array_size(tree));
    } else if (json_is_object(tree)) {
        rest = json_inside(text);
        while (json_next_member(&rest, &key, &value, &type)) {
            char name[256];
            size_t length;
            assert_true(json_unescape(key, name, sizeof name - 1, &length));
            name[length] = '\0';
            struct str last;
            assert_true(json_member(text, name, &last, &type));
            assert_non_null(json_object_get(tree, name));
            compare_trees(json_object_get(tree, name), last, seed);
        }
    } else if (json_is_string(tree)) {
        char plain[256];
        assert_true(json_unescape(text, plain, sizeof plain, &n));
        struct str expected = {json_string_value(tree), json_string_length(tree)};
        if (!str_eq((struct str){plain, n}, expected))
            fail_msg("a string differs: JSON_SEED=%llu", (unsigned long long)seed);
    }
}

/* Every member of every object, by the index and by reading. */
static void compare_index(const struct json_index *index, const struct json_wanted *object, struct str text,
                          uint64_t seed)
{
    struct str rest = json_inside(text), key, value;
    enum json_type type;
    while (json_next_member(&rest, &key, &value, &type)) {
        char name[256];
        size_t n;
        assert_true(json_unescape(key, name, sizeof name - 1, &n));
        name[n] = '\0';
        if (strlen(name) != n)
            continue; /* json_member takes names that end at a NUL */
        struct json_wanted wanted = {.key = {name, n}};
        assert_true(json_member(text, name, &value, &type));
        json_find(index, object, &wanted, 1);
        if (wanted.value.p != value.p || wanted.value.n != value.n || wanted.type != type)
            fail_msg("the index differs: JSON_SEED=%llu", (unsigned long long)seed);
        if (type == SCAN_OBJECT)
            compare_index(index, &wanted, value, seed);
    }
}

static void compare_takes(struct str text, uint64_t seed)
{
    struct str rest = text, indexed_rest = text, value;
    struct json_index index;
    enum json_type type, indexed_type;
    bool is_taken = json_take_value(&rest, &value, &type);
    assert_int_equal(json_take_indexed(&indexed_rest, &indexed_type, &index), is_taken);
    if (!is_taken)
        return;
    assert_int_equal(type, indexed_type);
    assert_true(rest.p == indexed_rest.p && index.text.p == value.p && index.text.n == value.n);
    if (type == SCAN_OBJECT)
        compare_index(&index, NULL, value, seed);
}

static void compare(struct str text, struct str scanned, uint64_t seed, unsigned counts[2])
{
    json_error_t error;
    json_t *tree = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    bool is_valid = json_is_valid(scanned);
    if (is_valid != (tree != NULL) && !(is_valid && is_jansson_only(&error)))
        fail_msg("JSON_SEED=%llu: scanner %d, jansson %s: " STR_FMT, (unsigned long long)seed, is_valid,
                 tree ? "accepts" : error.text, STR_ARG(text));
    counts[is_valid]++;
    compare_takes(scanned, seed);
    if (tree)
        compare_trees(tree, str_trim(scanned, " \t\r\n"), seed);
    json_decref(tree);
}

static void equals_jansson_on_random_documents(void **state)
{
    (void)state;
    uint64_t first = from_environment("JSON_SEED", 1), documents = from_environment("JSON_DOCUMENTS", 20000);
    unsigned counts[2] = {0};
    for (uint64_t seed = first; seed < first + documents; seed++) {
        uint64_t random = seed;
        struct buf text = {0};
        add_random_value(&text, &random, 0);
        for (int round = 0; round < 4; round++) { /* whole, then more and more damaged */
            struct str copy = alone(buf_str(&text));
            compare(buf_str(&text), copy, seed, counts);
            free((char *)copy.p);
            damage(&text, &random);
        }
        buf_done(&text);
    }
    print_message("seeds %llu to %llu: %u valid and %u invalid texts\n", (unsigned long long)first,
                  (unsigned long long)(first + documents - 1), counts[1], counts[0]);
    assert_true(counts[0] > documents / 2 && counts[1] > documents / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_jansson_on_random_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
