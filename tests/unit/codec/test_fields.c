/* Field tables: every type accepted and refused with its exact reason, from JSON, query and path; and query
 * strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/base/uuid.h"
#include "conversation/codec/fields.h"

#define ID "550e8400-e29b-41d4-a716-446655440000"

struct input {
    struct uuid path_id;
    struct str text, code, word;
    int limit, count, level;
    bool consent;
    struct uuid id;
    int64_t at_ms;
};

static bool is_lower_case(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < 'a' || s.p[i] > 'z')
            return false;
    }
    return true;
}

static const char *const level_choices[] = {"same", "higher", "lower", "any", NULL};

#define OF(member) offsetof(struct input, member)
static const struct field table[] = {
    FIELD_ID_FROM_PATH(OF(path_id)),
    {"text", FIELD_STRING, .offset = OF(text)},
    {"code", FIELD_STRING, .offset = OF(code), .min = 1, .max = 5, .valid = is_lower_case,
     .expected = "must be \"lower\" case"},
    {"word", FIELD_STRING, .offset = OF(word), .min = 3, .max = 500},
    {"limit", FIELD_INT, .offset = OF(limit), .min = 30, .max = 300, .fallback = 60,
     .err = ERR_INVALID_RATING},
    {"count", FIELD_INT, .offset = OF(count), .fallback = -1},
    {"level", FIELD_ENUM, .offset = OF(level), .choices = level_choices, .fallback = 3},
    {"consent", FIELD_BOOL, .offset = OF(consent), .fallback = true},
    {"userId", FIELD_UUID, .offset = OF(id)},
    {"at", FIELD_TIME, .offset = OF(at_ms)},
    FIELDS_END,
};

static const struct field required_table[] = {
    {"first", FIELD_STRING, .is_required = true, .offset = OF(text)},
    {"second", FIELD_INT, .is_required = true, .offset = OF(limit), .min = 1, .max = 5,
     .err = ERR_INVALID_RATING},
    FIELDS_END,
};

/* What one decoding gave; the arena is released by the next. */
static struct arena arena;
static struct input input;
static struct str details;

static enum err decode_with(const struct field *fields, struct str json)
{
    arena_done(&arena);
    memset(&input, 0xA5, sizeof input); /* what a decoder must set shows */
    details = (struct str){0};
    return fields_decode_json(fields, json, &input, &arena, &details);
}

static void accepts(const char *json)
{
    enum err err = decode_with(table, str_of(json));
    if (err)
        fail_msg("%s refused: " STR_FMT, json, STR_ARG(details));
}

static void expect_details(const char *source, enum err err, enum err expected, const char *expected_details)
{
    if (err != expected || !str_eqz(details, expected_details))
        fail_msg("%s: %s, " STR_FMT "\n     not %s, %s", source, err ? err_info(err)->name : "OK",
                 STR_ARG(details), err_info(expected)->name, expected_details);
}

static void refuses_whole(const char *json, enum err expected, const char *expected_details)
{
    expect_details(json, decode_with(table, str_of(json)), expected, expected_details);
}

/* `reason` as it stands in JSON. */
static void refuses(const char *json, const char *field, const char *reason)
{
    char expected[512];
    snprintf(expected, sizeof expected, "[{\"field\":\"%s\",\"reason\":\"%s\"}]", field, reason);
    refuses_whole(json, strcmp(field, "limit") == 0 ? ERR_INVALID_RATING : ERR_INVALID_REQUEST, expected);
}

/* A member whose value is `n` times `unit`. */
static char *json_of_length(const char *name, const char *unit, size_t n)
{
    struct buf json = {0};
    buf_addf(&json, "{\"%s\":\"", name);
    while (n--)
        buf_addz(&json, unit);
    buf_add(&json, "\"}", 3);
    return json.p;
}

/* --- JSON --- */

static void stores_every_type(void **state)
{
    (void)state;
    struct uuid id;
    assert_true(uuid_parse(STR(ID), &id));
    accepts("{\"text\":\"h\\u00e9 \\ud83d\\ude00\","
            "\"code\":\"abc\",\"limit\":30,\"count\":-2147483648,"
            "\"level\":\"lower\",\"consent\":false,\"userId\":\"" ID "\",\"at\":\"2025-01-15T10:30:00Z\"}");
    assert_true(str_eqz(input.text, "hé 😀"));
    assert_int_equal(input.text.p[input.text.n], '\0');
    assert_true(str_eqz(input.code, "abc"));
    assert_int_equal(input.limit, 30);
    assert_int_equal(input.count, INT32_MIN);
    assert_int_equal(input.level, 2);
    assert_false(input.consent);
    assert_true(uuid_eq(&input.id, &id));
    assert_int_equal(input.at_ms, 1736937000000);
}

static void sets_what_is_absent_and_nothing_of_the_path(void **state)
{
    (void)state;
    static const char *const inputs[] = {"", "{}", " {\"unknown\":[{}]} ",
                                         "{\"text\":null,\"limit\":null,\"userId\":null}"};
    struct input untouched;
    memset(&untouched, 0xA5, sizeof untouched);
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        accepts(inputs[i]);
        assert_null(input.text.p);
        assert_int_equal(input.text.n, 0);
        assert_null(input.code.p);
        assert_int_equal(input.limit, 60);
        assert_int_equal(input.count, -1);
        assert_int_equal(input.level, 3);
        assert_true(input.consent);
        assert_true(uuid_is_nil(&input.id));
        assert_int_equal(input.at_ms, 0);
        assert_true(uuid_eq(&input.path_id, &untouched.path_id));
    }
}

static void tells_empty_from_absent(void **state)
{
    (void)state;
    accepts("{\"text\":\"\"}");
    assert_non_null(input.text.p);
    assert_int_equal(input.text.n, 0);
}

static void of_duplicate_members_takes_the_last(void **state)
{
    (void)state;
    accepts("{\"limit\":\"x\",\"limit\":31,\"limit\":32}");
    assert_int_equal(input.limit, 32);
}

static void a_table_may_be_absent(void **state)
{
    (void)state;
    assert_int_equal(decode_with(NULL, STR("not json")), OK);
    assert_int_equal(fields_decode_params(NULL, FIELD_FROM_PATH, NULL, 0, &input, &arena, &details), OK);
}

static void refuses_strings(void **state)
{
    (void)state;
    static const char *const no_strings[] = {"1", "1.5", "true", "[]", "{}"};
    char json[64];
    for (size_t i = 0; i < sizeof no_strings / sizeof no_strings[0]; i++) {
        snprintf(json, sizeof json, "{\"text\":%s}", no_strings[i]);
        refuses(json, "text", "must be a string");
    }
    refuses("{\"text\":\"a\\u0000b\"}", "text", "must not contain U+0000");
    refuses("{\"code\":\"\"}", "code", "must not be empty");
    refuses("{\"code\":\"abcdef\"}", "code", "must be at most 5 characters");
    refuses("{\"code\":\"aBc\"}", "code", "must be \\\"lower\\\" case");
    refuses("{\"word\":\"\"}", "word", "must not be empty");
    refuses("{\"word\":\"ab\"}", "word", "must be at least 3 characters");
}

static void counts_code_points_not_bytes(void **state)
{
    (void)state;
    const struct {
        const char *name, *unit, *reason;
        size_t max;
    } cases[] = {
        {"text", "a", "must be at most 255 characters", 255},
        {"text", "😀", "must be at most 255 characters", 255},
        {"word", "é", "must be at most 500 characters", 500},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *fits = json_of_length(cases[i].name, cases[i].unit, cases[i].max);
        char *too_long = json_of_length(cases[i].name, cases[i].unit, cases[i].max + 1);
        accepts(fits);
        refuses(too_long, cases[i].name, cases[i].reason);
        free(fits);
        free(too_long);
    }
}

static void refuses_numbers(void **state)
{
    (void)state;
    static const char *const wrong[] = {"29",  "301",    "-30",  "30.0", "30.5",
                                        "3e1", "\"30\"", "true", "[30]", "9223372036854775807"};
    char json[64];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(json, sizeof json, "{\"limit\":%s}", wrong[i]);
        refuses(json, "limit", "must be an integer from 30 to 300");
        if (i > 2) {
            snprintf(json, sizeof json, "{\"count\":%s}", wrong[i]);
            refuses(json, "count", "must be an integer");
        }
    }
    refuses("{\"count\":2147483648}", "count", "must be an integer");
    accepts("{\"limit\":300,\"count\":2147483647}");
}

static void refuses_the_other_types(void **state)
{
    (void)state;
    static const char *const time_reason =
        "must be an ISO 8601 date-time with an offset, such as 2025-01-15T10:30:00Z";
    refuses("{\"consent\":\"true\"}", "consent", "must be true or false");
    refuses("{\"consent\":1}", "consent", "must be true or false");
    refuses("{\"userId\":\"x\"}", "userId", "must be a UUID");
    refuses("{\"userId\":7}", "userId", "must be a UUID");
    refuses("{\"userId\":\"" ID "\\u0000\"}", "userId", "must be a UUID");
    refuses("{\"level\":\"Same\"}", "level", "must be one of same, higher, lower, any");
    refuses("{\"level\":\"same\\u0000\"}", "level", "must be one of same, higher, lower, any");
    refuses("{\"level\":0}", "level", "must be one of same, higher, lower, any");
    refuses("{\"at\":\"2025-01-15\"}", "at", time_reason);
    refuses("{\"at\":\"2025-01-15T10:30:00\"}", "at", time_reason);
    refuses("{\"at\":1736937000000}", "at", time_reason);
}

static void reports_all_in_the_order_of_the_table(void **state)
{
    (void)state;
    refuses_whole("{\"at\":1,\"consent\":0,\"text\":0,\"limit\":0}", ERR_INVALID_REQUEST,
                  "[{\"field\":\"text\",\"reason\":\"must be a string\"},"
                  "{\"field\":\"limit\",\"reason\":\"must be an integer from 30 to 300\"},"
                  "{\"field\":\"consent\",\"reason\":\"must be true or false\"},"
                  "{\"field\":\"at\",\"reason\":\"must be an ISO 8601 date-time with an offset, "
                  "such as 2025-01-15T10:30:00Z\"}]");
    refuses_whole("{\"consent\":0,\"limit\":0}", ERR_INVALID_RATING,
                  "[{\"field\":\"limit\",\"reason\":\"must be an integer from 30 to 300\"},"
                  "{\"field\":\"consent\",\"reason\":\"must be true or false\"}]");
}

static void required_fields_must_be_there(void **state)
{
    (void)state;
    static const char *const both =
        "[{\"field\":\"first\",\"reason\":\"required\"},{\"field\":\"second\",\"reason\":\"required\"}]";
    static const char *const inputs[] = {"", "{}", "{\"first\":null,\"second\":null}"};
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
        expect_details(inputs[i], decode_with(required_table, str_of(inputs[i])), ERR_INVALID_REQUEST, both);
    enum err err = decode_with(required_table, STR("{\"first\":\"x\"}"));
    expect_details("first", err, ERR_INVALID_RATING, "[{\"field\":\"second\",\"reason\":\"required\"}]");
    assert_int_equal(decode_with(required_table, STR("{\"first\":\"x\",\"second\":5}")), OK);
}

static void says_where_the_json_breaks(void **state)
{
    (void)state;
    refuses("{\"a\": x}", "body", "not valid JSON at line 1, column 7");
    refuses("{\n\"a\": 1,\n}", "body", "not valid JSON at line 3, column 1");
    refuses("{\"a\":1} x", "body", "not valid JSON at line 1, column 9");
    refuses("{\"limit\":99999999999999999999}", "body", "number out of range at line 1, column 29");
    refuses("{\"limit\":1e999}", "body", "number out of range at line 1, column 14");
    static const char *const objects_not[] = {"[]", "3", "\"x\"", "null", "true", "[{\"text\":1}]"};
    for (size_t i = 0; i < sizeof objects_not / sizeof objects_not[0]; i++)
        refuses(objects_not[i], "body", "must be a JSON object");
}

static void refuses_broken_json(void **state)
{
    (void)state;
    static const char *const broken[] = {
        " ",
        "{",
        "}",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1,}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":NaN}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\xC0\x80\"}",
        "{\"a\":\"\xED\xA0\x80\"}",
        "{\"a\":\"\xFF\"}",
        "{\"a\":\"\n\"}",
        "{} {}",
        "\xEF\xBB\xBF{}",
        "{/**/}",
        "tru",
        "\"",
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        if (decode_with(table, str_of(broken[i])) != ERR_INVALID_REQUEST ||
            !str_starts_with(details, STR("[{\"field\":\"body\"")))
            fail_msg("%s taken: " STR_FMT, broken[i], STR_ARG(details));
    }
    assert_int_equal(decode_with(table, (struct str){"{\"a\":\"\0\"}", 9}), ERR_INVALID_REQUEST);
    assert_int_equal(decode_with(table, (struct str){"{}\0", 3}), ERR_INVALID_REQUEST);
    assert_int_equal(decode_with(table, (struct str){"{\"a\":1\0}", 8}), ERR_INVALID_REQUEST);
    assert_int_equal(decode_with(table, (struct str){"{\"a\":null\0}", 11}), ERR_INVALID_REQUEST);
}

/* Every prefix of a good body is refused, and none is read beyond its end. */
static void refuses_cut_json(void **state)
{
    (void)state;
    static const char whole[] = "{\"text\":\"\\u00e9\",\"limit\":30,\"unknown\":[{\"x\":[1.5e3,true,null]}],"
                                "\"at\":\"2025-01-15T10:30:00Z\"}";
    for (size_t n = 1; n < sizeof whole - 1; n++) {
        char *cut = malloc(n);
        memcpy(cut, whole, n);
        assert_int_equal(decode_with(table, (struct str){cut, n}), ERR_INVALID_REQUEST);
        free(cut);
    }
    accepts(whole);
}

static struct buf json_of_values(const char *open, const char *value, size_t n, const char *close)
{
    struct buf json = {0};
    buf_addz(&json, open);
    while (n--)
        buf_addz(&json, value);
    buf_add(&json, close, strlen(close) + 1);
    return json;
}

static void bounds_how_much_the_parser_has_to_hold(void **state)
{
    (void)state;
    static const char *const reason = "must not hold more than 2000 values";
    struct buf most = json_of_values("{\"x\":[1", ",1", 1998, "]}"),
               more = json_of_values("{\"x\":[1", ",1", 1999, "]}"),
               objects = json_of_values("{\"x\":[{}", ",{}", 300000, "]}"),
               deep = json_of_values("{\"x\":", "[", 300000, "}"),
               deepest = json_of_values("{\"x\":", "[", 1999, "}");
    accepts(most.p);
    refuses(more.p, "body", reason);
    refuses(objects.p, "body", reason);
    refuses(deep.p, "body", reason);
    assert_int_equal(decode_with(table, str_of(deepest.p)), ERR_INVALID_REQUEST);
    buf_done(&most);
    buf_done(&more);
    buf_done(&objects);
    buf_done(&deep);
    buf_done(&deepest);
}

/* --- query and path --- */

static enum err decode_query(const char *query)
{
    struct field_param params[16];
    arena_done(&arena);
    memset(&input, 0xA5, sizeof input);
    details = (struct str){0};
    int n = query_parse(str_of(query), params, 16, &arena);
    assert_true(n >= 0);
    return fields_decode_params(table, FIELD_FROM_INPUT, params, (size_t)n, &input, &arena, &details);
}

static void query_refuses(const char *query, enum err expected, const char *expected_details)
{
    expect_details(query, decode_query(query), expected, expected_details);
}

static void reads_a_query(void **state)
{
    (void)state;
    assert_int_equal(
        decode_query("text=h%C3%A9+x&limit=30&limit=31&count=-5&level=any&consent=false&userId=" ID
                     "&at=2025-01-15T12:30:00%2B02:00&unknown=1"),
        OK);
    assert_true(str_eqz(input.text, "hé x"));
    assert_int_equal(input.limit, 31);
    assert_int_equal(input.count, -5);
    assert_int_equal(input.level, 3);
    assert_false(input.consent);
    assert_int_equal(input.at_ms, 1736937000000);
    assert_int_equal(decode_query(""), OK);
    assert_int_equal(input.limit, 60);
    assert_null(input.text.p);
    assert_true(input.consent);
}

static void refuses_a_query(void **state)
{
    (void)state;
    query_refuses("limit=x&consent=yes", ERR_INVALID_RATING,
                  "[{\"field\":\"limit\",\"reason\":\"must be an integer from 30 to 300\"},"
                  "{\"field\":\"consent\",\"reason\":\"must be true or false\"}]");
    query_refuses("count=3.0", ERR_INVALID_REQUEST,
                  "[{\"field\":\"count\",\"reason\":\"must be an integer\"}]");
    query_refuses("count=", ERR_INVALID_REQUEST, "[{\"field\":\"count\",\"reason\":\"must be an integer\"}]");
    query_refuses("count=99999999999999999999", ERR_INVALID_REQUEST,
                  "[{\"field\":\"count\",\"reason\":\"must be an integer\"}]");
    query_refuses("text=a%00b", ERR_INVALID_REQUEST,
                  "[{\"field\":\"text\",\"reason\":\"must not contain U+0000\"}]");
    query_refuses("userId=" ID "0", ERR_INVALID_REQUEST,
                  "[{\"field\":\"userId\",\"reason\":\"must be a UUID\"}]");
    query_refuses("code=", ERR_INVALID_REQUEST, "[{\"field\":\"code\",\"reason\":\"must not be empty\"}]");
}

static enum err decode_path(struct str value, size_t count)
{
    const struct field_param params[] = {{"id", value}};
    memset(&input, 0xA5, sizeof input);
    return fields_decode_params(table, FIELD_FROM_PATH, params, count, &input, &arena, &details);
}

static void reads_the_path_alone(void **state)
{
    (void)state;
    struct uuid id;
    assert_true(uuid_parse(STR(ID), &id));
    assert_int_equal(decode_path(STR(ID), 1), OK);
    assert_true(uuid_eq(&input.path_id, &id));
    assert_int_equal(input.limit, (int)0xA5A5A5A5);
    expect_details("x", decode_path(STR("x"), 1), ERR_INVALID_REQUEST,
                   "[{\"field\":\"id\",\"reason\":\"must be a UUID\"}]");
    expect_details("none", decode_path(STR(""), 0), ERR_INVALID_REQUEST,
                   "[{\"field\":\"id\",\"reason\":\"required\"}]");
}

static void refuses_text_that_is_not_utf8(void **state)
{
    (void)state;
    const struct field_param params[] = {{"text", STR("\xFF")}};
    enum err err = fields_decode_params(table, FIELD_FROM_INPUT, params, 1, &input, &arena, &details);
    expect_details("0xFF", err, ERR_INVALID_REQUEST,
                   "[{\"field\":\"text\",\"reason\":\"must be valid UTF-8\"}]");
}

/* --- query strings --- */

static void splits_query_strings(void **state)
{
    (void)state;
    struct field_param p[4];
    assert_int_equal(query_parse((struct str){0}, p, 4, &arena), 0);
    assert_int_equal(query_parse(STR("&&"), p, 4, &arena), 0);
    assert_int_equal(query_parse(STR("a=1&b=%20+x&&c&a=2=%3D&d="), p, 4, &arena), 4);
    assert_string_equal(p[0].name, "a");
    assert_true(str_eqz(p[0].value, "2=="));
    assert_string_equal(p[1].name, "b");
    assert_true(str_eqz(p[1].value, "  x"));
    assert_string_equal(p[2].name, "c");
    assert_true(str_eqz(p[2].value, ""));
    assert_string_equal(p[3].name, "d");
    assert_true(str_eqz(p[3].value, ""));
    assert_int_equal(query_parse(STR("%61%2b=%e2%82%AC"), p, 4, &arena), 1);
    assert_string_equal(p[0].name, "a+");
    assert_true(str_eqz(p[0].value, "€"));
}

static void a_nul_does_not_shorten_a_name(void **state)
{
    (void)state;
    struct field_param p[4];
    assert_int_equal(query_parse(STR("a%00b=1&c=x%00y"), p, 4, &arena), 1);
    assert_string_equal(p[0].name, "c");
    assert_int_equal(p[0].value.n, 3);
}

static void refuses_query_strings(void **state)
{
    (void)state;
    static const char *const wrong[] = {"a=%", "a=%4",  "a=%4&b=1", "a=%zz",       "a=%4g",
                                        "%=1", "a=%FF", "a=%C0%80", "a=%ED%A0%80", "\xFF=1"};
    struct field_param p[4];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (query_parse(str_of(wrong[i]), p, 4, &arena) != -1)
            fail_msg("%s taken", wrong[i]);
    }
    assert_int_equal(query_parse(STR("a&b&c&d&d&a"), p, 4, &arena), 4);
    assert_int_equal(query_parse(STR("a&b&c&d&e"), p, 4, &arena), -1);
}

static int release(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_every_type),
        cmocka_unit_test(sets_what_is_absent_and_nothing_of_the_path),
        cmocka_unit_test(tells_empty_from_absent),
        cmocka_unit_test(of_duplicate_members_takes_the_last),
        cmocka_unit_test(a_table_may_be_absent),
        cmocka_unit_test(refuses_strings),
        cmocka_unit_test(counts_code_points_not_bytes),
        cmocka_unit_test(refuses_numbers),
        cmocka_unit_test(refuses_the_other_types),
        cmocka_unit_test(reports_all_in_the_order_of_the_table),
        cmocka_unit_test(required_fields_must_be_there),
        cmocka_unit_test(says_where_the_json_breaks),
        cmocka_unit_test(refuses_broken_json),
        cmocka_unit_test(refuses_cut_json),
        cmocka_unit_test(bounds_how_much_the_parser_has_to_hold),
        cmocka_unit_test(reads_a_query),
        cmocka_unit_test(refuses_a_query),
        cmocka_unit_test(reads_the_path_alone),
        cmocka_unit_test(refuses_text_that_is_not_utf8),
        cmocka_unit_test(splits_query_strings),
        cmocka_unit_test(a_nul_does_not_shorten_a_name),
        cmocka_unit_test(refuses_query_strings),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
