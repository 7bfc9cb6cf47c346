/* The JSON scanner: tables in the manner of JSONTestSuite, slices, the index of members. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alone.h"
#include "conversation/base/json_scan.h"

/* --- tables --- */

static const struct str valid[] = {
    STR("0"),
    STR("-0"),
    STR("-1"),
    STR("1.5"),
    STR("1e5"),
    STR("1E+5"),
    STR("1.25e-10"),
    STR("123456789012345678901234567890"),
    STR("1e999"),
    STR("-0.0"),
    STR("true"),
    STR("false"),
    STR("null"),
    STR("\"\""),
    STR("\"a\""),
    STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    STR("\"\\u0000\""),
    STR("\"\\uD83D\\uDE00\""),
    STR("\"\\uD800\""),
    STR("\"\\uDFAA\\uD800\""),
    STR("\"\\u00e9\\u00E9\""),
    STR("\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""),
    STR("\"\xEF\xBF\xBF\""),
    STR("\"\xF4\x8F\xBF\xBF\""),
    STR("\"\x7F\""),
    STR("\"\xE2\x80\xA8\""),
    STR("[]"),
    STR("[ ]"),
    STR("[\t\r\n ]"),
    STR("{}"),
    STR("{ }"),
    STR("[[]   ]"),
    STR("[1,null,true,false,\"x\",[],{}]"),
    STR("{\"a\":1}"),
    STR("{\"a\":1,\"a\":2}"),
    STR("{\"\":0}"),
    STR("{\"a\" : [ ] , \"b\" :\t{ } }"),
    STR(" [1] "),
    STR("\n{\"a\":\r\n1}\n"),
    STR("{\"a\\u0000b\":1}"),
    STR("[1 ,2]"),
    STR("[0e1]"),
    STR("[0e+1]"),
    STR("\"12345678\\n12345678\""),
    STR("\"1234567\\\\\""),
    STR("\"/*comment*/\""),
};

static const struct str invalid[] = {
    STR(""),
    STR(" "),
    STR("\0"),
    STR("01"),
    STR("-01"),
    STR("-"),
    STR("+1"),
    STR(".5"),
    STR("1."),
    STR("-.5"),
    STR("1.e5"),
    STR("1e"),
    STR("1e+"),
    STR("1eE2"),
    STR("0x1"),
    STR("1 2"),
    STR("1a"),
    STR("--1"),
    STR("Infinity"),
    STR("NaN"),
    STR("-Infinity"),
    STR("tru"),
    STR("TRUE"),
    STR("truee"),
    STR("nul"),
    STR("fals"),
    STR("undefined"),
    STR("\""),
    STR("\"a"),
    STR("'a'"),
    STR("a"),
    STR("\"\\\""),
    STR("\"\\x41\""),
    STR("\"\\a\""),
    STR("\"\\\0\""),
    STR("\"\\u\""),
    STR("\"\\u00\""),
    STR("\"\\u00G0\""),
    STR("\"\\U0041\""),
    STR("\"\n\""),
    STR("\"\t\""),
    STR("\"\0\""),
    STR("\"1234567\x1F\""),
    STR("\"\x80\""),
    STR("\"\xC0\xAF\""),
    STR("\"\xC3\""),
    STR("\"\xE0\x80\x80\""),
    STR("\"\xED\xA0\x80\""),
    STR("\"\xF4\x90\x80\x80\""),
    STR("\"\xF5\x80\x80\x80\""),
    STR("\"\xFF\""),
    STR("\"1234567\xFF\""),
    STR("\xEF\xBB\xBF{}"),
    STR("["),
    STR("]"),
    STR("[1"),
    STR("[1,"),
    STR("[1,]"),
    STR("[,1]"),
    STR("[,]"),
    STR("[1,,2]"),
    STR("[1 2]"),
    STR("[1}"),
    STR("[1:2]"),
    STR("[]]"),
    STR("[][]"),
    STR("[\f]"),
    STR("[\xC2\xA0]"),
    STR("{"),
    STR("}"),
    STR("{]"),
    STR("{\"a\"}"),
    STR("{\"a\":}"),
    STR("{\"a\" 1}"),
    STR("{\"a\",1}"),
    STR("{a:1}"),
    STR("{1:1}"),
    STR("{'a':1}"),
    STR("{\"a\":1,}"),
    STR("{,}"),
    STR("{\"a\":1 \"b\":2}"),
    STR("{\"a\":1,,\"b\":2}"),
    STR("{\"a\"::1}"),
    STR("{\"a\":1:2}"),
    STR("{[]:1}"),
    STR("{\"a\":1"),
    STR("{\"a\":[}"),
    STR("{\"a\":1}}"),
    STR("{\"a\":1}/**/"),
    STR("{\"a\":/**/1}"),
    STR("{}#"),
    STR("[\"a\0\"]"),
};

static bool is_valid_alone(struct str s)
{
    struct str copy = alone(s);
    bool is_valid = json_is_valid(copy);
    free((char *)copy.p);
    return is_valid;
}

static void the_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++) {
        if (!is_valid_alone(valid[i]))
            fail_msg("refused: " STR_FMT, STR_ARG(valid[i]));
    }
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        if (is_valid_alone(invalid[i]))
            fail_msg("accepted: " STR_FMT, STR_ARG(invalid[i]));
    }
    assert_false(json_is_valid((struct str){NULL, 0}));
}

static void nesting_ends_at_the_limit(void **state)
{
    (void)state;
    static const char *const open[] = {"[", "{\"a\":"}, *const close[] = {"]", "}"};
    for (int kind = 0; kind < 2; kind++) {
        for (int depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
            struct buf text = {0};
            for (int i = 0; i < depth; i++)
                buf_addz(&text, i + 1 < depth ? open[kind] : "[");
            for (int i = 0; i < depth; i++)
                buf_addz(&text, i ? close[kind] : "]");
            assert_int_equal(is_valid_alone(buf_str(&text)), depth <= JSON_DEPTH_MAX);
            buf_done(&text);
        }
    }
}

/* A long way down does not hurt either. */
static void a_million_brackets_are_refused(void **state)
{
    (void)state;
    size_t n = 1000000;
    char *p = malloc(n);
    memset(p, '[', n);
    assert_false(json_is_valid((struct str){p, n}));
    free(p);
}

/* --- slices --- */

static void a_value_is_taken_from_the_front(void **state)
{
    (void)state;
    struct str rest = STR("  {\"a\":[1,\"]\"]}  [2]x"), value;
    enum json_type type;
    assert_true(json_take_value(&rest, &value, &type));
    assert_true(str_eqz(value, "{\"a\":[1,\"]\"]}") && type == SCAN_OBJECT);
    assert_true(json_take_value(&rest, &value, &type));
    assert_true(str_eqz(value, "[2]") && type == SCAN_ARRAY);
    assert_true(str_eqz(rest, "x"));
    assert_false(json_take_value(&rest, &value, &type));
    assert_true(str_eqz(rest, "x") && str_eqz(value, "[2]")); /* untouched */
}

static void a_string_is_taken_from_the_front(void **state)
{
    (void)state;
    struct str rest = STR(" \"a\\n\"\"b\" 1"), string;
    bool is_plain;
    assert_true(json_take_string(&rest, &string, &is_plain));
    assert_true(str_eqz(string, "\"a\\n\"") && !is_plain);
    assert_true(json_take_string(&rest, &string, &is_plain));
    assert_true(str_eqz(string, "\"b\"") && is_plain && str_eqz(rest, " 1"));
    assert_false(json_take_string(&rest, &string, &is_plain));
    assert_true(str_eqz(rest, " 1")); /* untouched */
    rest = STR("\"open");
    assert_false(json_take_string(&rest, &string, &is_plain));
    assert_true(str_eqz(rest, "\"open"));
}

static void every_type_is_told(void **state)
{
    (void)state;
    static const struct {
        struct str text;
        enum json_type type;
    } rows[] = {{STR("{}"), SCAN_OBJECT},     {STR("[]"), SCAN_ARRAY},  {STR("\"\""), SCAN_STRING},
                {STR("-1.5e3"), SCAN_NUMBER}, {STR("true"), SCAN_TRUE}, {STR("false"), SCAN_FALSE},
                {STR("null"), SCAN_NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct str rest = rows[i].text, value;
        enum json_type type;
        assert_true(json_take_value(&rest, &value, &type));
        assert_int_equal(type, rows[i].type);
        assert_true(str_eq(value, rows[i].text) && rest.n == 0);
    }
}

static void an_array_is_iterated(void **state)
{
    (void)state;
    struct str rest = json_inside(STR("[ \"join\" , {\"a\":[1,2]},3 ,[ ],null ]")), item;
    static const char *const items[] = {"\"join\"", "{\"a\":[1,2]}", "3", "[ ]", "null"};
    enum json_type type;
    size_t n = 0;
    while (json_next_item(&rest, &item, &type))
        assert_true(str_eqz(item, items[n++]));
    assert_int_equal(n, 5);
    rest = json_inside(STR("[ ]"));
    assert_false(json_next_item(&rest, &item, &type));
}

static void an_object_is_iterated(void **state)
{
    (void)state;
    struct str rest = json_inside(STR("{ \"a\" : 1 ,\"b,}\":\"x\",\"\":{\"c\":[]} }")), key, value;
    static const char *const keys[] = {"\"a\"", "\"b,}\"", "\"\""}, *const values[] = {"1", "\"x\"",
                                                                                       "{\"c\":[]}"};
    enum json_type type;
    size_t n = 0;
    while (json_next_member(&rest, &key, &value, &type)) {
        assert_true(str_eqz(key, keys[n]) && str_eqz(value, values[n]));
        n++;
    }
    assert_int_equal(n, 3);
    rest = json_inside(STR("{\t}"));
    assert_false(json_next_member(&rest, &key, &value, &type));
}

static void a_member_is_found_by_its_name(void **state)
{
    (void)state;
    struct str object = STR("{\"x\":{\"sdp\":0},\"sdp\":1,\"s\\u0064p\":\"2\",\"sdpx\":3,\"n\\u0000\":4}"),
               value;
    enum json_type type;
    assert_true(json_member(object, "sdp", &value, &type));
    assert_true(str_eqz(value, "\"2\"") && type == SCAN_STRING); /* the last one, escaped though it is */
    assert_true(json_member(object, "x", &value, &type) && str_eqz(value, "{\"sdp\":0}"));
    value = STR("kept");
    assert_false(json_member(object, "sd", &value, &type));
    assert_false(json_member(object, "n", &value, &type));
    assert_false(json_member(object, "", &value, &type));
    assert_false(json_member(STR("{}"), "a", &value, &type));
    assert_true(str_eqz(value, "kept"));
    /* a name with a backslash is not the name whose escape looks like it */
    assert_false(json_member(STR("{\"\\\"(\":1}"), "\\\"(", &value, &type));
    assert_true(json_member(STR("{\"\\\\(\":1,\"\\\"(\":2}"), "\\(", &value, &type) && str_eqz(value, "1"));
}

static void a_long_escaped_key_is_just_another_key(void **state)
{
    (void)state;
    struct buf text = {0};
    struct str value;
    enum json_type type;
    buf_addz(&text, "{\"");
    for (int i = 0; i < 1000; i++)
        buf_addz(&text, "\\u0061");
    buf_addz(&text, "\":1,\"a\":2}");
    assert_true(json_member(buf_str(&text), "a", &value, &type) && str_eqz(value, "2"));
    buf_done(&text);
}

static void members_of_members_are_found_by_the_index(void **state)
{
    (void)state;
    struct str rest =
        STR(" {\"a\":[{\"b\":0}],\"o\":{\"a\":{},\"b\":{\"c\":\"x\"},\"\\u0062\":[1]},\"b\":2 }, 3");
    struct json_index index;
    enum json_type type;
    assert_true(json_take_indexed(&rest, &type, &index));
    assert_true(str_eqz(rest, ", 3") && type == SCAN_OBJECT && index.is_complete);
    struct json_wanted top[] = {{.key = STR("o")}, {.key = STR("b")}, {.key = STR("c")}};
    json_find(&index, NULL, top, 3);
    assert_true(str_eqz(top[0].value, "{\"a\":{},\"b\":{\"c\":\"x\"},\"\\u0062\":[1]}") &&
                top[0].type == SCAN_OBJECT);
    assert_true(str_eqz(top[1].value, "2") && top[1].type == SCAN_NUMBER);
    assert_null(top[2].value.p);
    struct json_wanted inner[] = {{.key = STR("a")}, {.key = STR("b")}};
    json_find(&index, &top[0], inner, 2);
    assert_true(str_eqz(inner[0].value, "{}") && str_eqz(inner[1].value, "[1]")); /* the last of two */
    json_find(&index, &inner[0], top, 3);
    assert_null(top[0].value.p);
}

/* Those who send them in another order, twice or with others between get the same. */
static void members_are_found_in_any_order(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"a\":1,\"b\":2,\"c\":3}",
        "{\"c\":3,\"b\":2,\"a\":1}",
        "{\"x\":{\"a\":9},\"b\":2,\"y\":\"a\",\"c\":3,\"\":0,\"a\":1}",
        "{\"c\":0,\"c\":0,\"a\":1,\"c\":0,\"\\u0063\":3,\"b\":2}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct str rest = str_of(texts[i]);
        struct json_index index;
        enum json_type type;
        struct json_wanted found[] = {
            {.key = STR("a")}, {.key = STR("b")}, {.key = STR("c")}, {.key = STR("d")}};
        assert_true(json_take_indexed(&rest, &type, &index));
        json_find(&index, NULL, found, 4);
        assert_true(str_eqz(found[0].value, "1") && str_eqz(found[1].value, "2") &&
                    str_eqz(found[2].value, "3"));
        assert_null(found[3].value.p);
    }
}

/* Whether it has escapes was seen by the pass that validated it. */
static void a_found_string_says_its_text(void **state)
{
    (void)state;
    struct str rest = STR("{\"plain\":\"ab\\u0063\",\"plain\":\"abc\",\"escaped\":\"abcd\\n\"}"), text;
    struct json_wanted found[] = {{.key = STR("plain")}, {.key = STR("escaped")}};
    struct json_index index;
    enum json_type type;
    char scratch[8];
    assert_true(json_take_indexed(&rest, &type, &index));
    json_find(&index, NULL, found, 2);
    assert_true(found[0].is_plain && !found[1].is_plain);
    assert_true(json_wanted_text(&found[0], NULL, 3, &text) && str_eqz(text, "abc"));
    assert_ptr_equal(text.p, found[0].value.p + 1);
    assert_false(json_wanted_text(&found[0], NULL, 2, &text));
    assert_true(json_wanted_text(&found[1], scratch, 5, &text) && str_eqz(text, "abcd\n"));
    assert_false(json_wanted_text(&found[1], scratch, 4, &text));
}

/* All the same answers, from the text itself. */
static void an_index_that_is_too_small_does_not_show(void **state)
{
    (void)state;
    for (int items = 0; items < 2 * JSON_NODES_MAX; items++) {
        struct buf text = {0};
        buf_addz(&text, "{\"o\":{\"a\":1},\"list\":[");
        for (int i = 0; i < items; i++)
            buf_addf(&text, "%s[%d]", i ? "," : "", i);
        buf_addz(&text, "],\"o\":{\"a\":[2],\"b\":3}}");
        struct str rest = buf_str(&text);
        struct json_index index;
        enum json_type type;
        assert_true(json_take_indexed(&rest, &type, &index));
        assert_int_equal(index.is_complete, 8 + 2 * items < JSON_NODES_MAX);
        struct json_wanted outer = {.key = STR("o")}, inner[] = {{.key = STR("b")}, {.key = STR("a")}};
        json_find(&index, NULL, &outer, 1);
        json_find(&index, &outer, inner, 2);
        assert_true(str_eqz(inner[0].value, "3") && str_eqz(inner[1].value, "[2]"));
        buf_done(&text);
    }
}

/* --- unescaping --- */

static void strings_are_unescaped(void **state)
{
    (void)state;
    static const struct {
        struct str text, plain;
    } rows[] = {
        {STR("\"\""), STR("")},
        {STR("\"abc\""), STR("abc")},
        {STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), STR("\"\\/\b\f\n\r\t")},
        {STR("\"v=0\\r\\no=-\""), STR("v=0\r\no=-")},
        {STR("\"\\u0041\\u00e9\\u20AC\""), STR("A\xC3\xA9\xE2\x82\xAC")},
        {STR("\"\\u0000\""), STR("\0")},
        {STR("\"\\u007f\\u0080\\u07FF\\u0800\\uFFFF\""), STR("\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF")},
        {STR("\"\\uD83D\\uDE00\""), STR("\xF0\x9F\x98\x80")},
        {STR("\"\\uDBFF\\uDFFF\""), STR("\xF4\x8F\xBF\xBF")},
        {STR("\"\\uD800\""), STR("\xEF\xBF\xBD")},
        {STR("\"\\uDE00\""), STR("\xEF\xBF\xBD")},
        {STR("\"\\uD800x\""), STR("\xEF\xBF\xBDx")},
        {STR("\"\\uD800\\n\""), STR("\xEF\xBF\xBD\n")},
        {STR("\"\\uD800\\u0041\""), STR("\xEF\xBF\xBD"
                                        "A")},
        {STR("\"\\uD800\\uD83D\\uDE00\""), STR("\xEF\xBF\xBD\xF0\x9F\x98\x80")},
        {STR("\"\\uDE00\\uD83D\""), STR("\xEF\xBF\xBD\xEF\xBF\xBD")},
        {STR("\"\xC3\xA9\""), STR("\xC3\xA9")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[64];
        size_t n = 99;
        struct str text = alone(rows[i].text);
        assert_true(json_unescape(text, out, rows[i].plain.n, &n)); /* fits exactly */
        assert_true(str_eq((struct str){out, n}, rows[i].plain));
        n = 99;
        if (rows[i].plain.n > 0)
            assert_false(json_unescape(text, out, rows[i].plain.n - 1, &n));
        if (rows[i].plain.n > 0)
            assert_int_equal(n, 99);
        free((char *)text.p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables),
        cmocka_unit_test(nesting_ends_at_the_limit),
        cmocka_unit_test(a_million_brackets_are_refused),
        cmocka_unit_test(a_value_is_taken_from_the_front),
        cmocka_unit_test(a_string_is_taken_from_the_front),
        cmocka_unit_test(every_type_is_told),
        cmocka_unit_test(an_array_is_iterated),
        cmocka_unit_test(an_object_is_iterated),
        cmocka_unit_test(a_member_is_found_by_its_name),
        cmocka_unit_test(a_long_escaped_key_is_just_another_key),
        cmocka_unit_test(members_of_members_are_found_by_the_index),
        cmocka_unit_test(members_are_found_in_any_order),
        cmocka_unit_test(a_found_string_says_its_text),
        cmocka_unit_test(an_index_that_is_too_small_does_not_show),
        cmocka_unit_test(strings_are_unescaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
