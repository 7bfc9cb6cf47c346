/* The auth-service's answer: what is taken, what is left out, what is refused and how that is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "conversation/codec/learning_profile.h"

#define USER    "0b5ad4e0-7f0c-4f4e-9a35-1d6f0a3c1b11"
#define PROFILE "5b0f5f0e-3c39-4c58-8a5f-6f1f1e0f7a11"

static struct arena arena;
static struct profile profile;
static struct str problems;

static int release(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static struct uuid uuid_of(const char *text)
{
    struct uuid u;
    assert_true(uuid_parse(str_of(text), &u));
    return u;
}

static enum err decode(const char *json)
{
    struct uuid user = uuid_of(USER);
    profile = (struct profile){.level = LEVEL_C2}; /* recognisably not written */
    return learning_profile_decode(str_of(json), &user, &profile, &arena, &problems);
}

/* A good answer in which `member` (its name with quotes) is `value`; NULL leaves it out. */
static const char *with(const char *member, const char *value)
{
    static const char *const members[][2] = {
        {"\"userId\"", "\"" USER "\""},
        {"\"displayName\"", "\"Ana\""},
        {"\"avatarUrl\"", "\"https://cdn.example/ana.png\""},
        {"\"nativeLanguageCode\"", "\"pt-BR\""},
        {"\"tier\"", "\"premium\""},
        {"\"learningProfileId\"", "\"" PROFILE "\""},
        {"\"level\"", "\"B2\""},
        {"\"preferredAccent\"", "\"en-GB\""},
    };
    static char json[8192];
    int n = snprintf(json, sizeof json, "{\"more\":{\"is\":[\"ignored\"]}");
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const char *is = member && strcmp(member, members[i][0]) == 0 ? value : members[i][1];
        if (is)
            n += snprintf(json + n, sizeof json - (size_t)n, ",%s:%s", members[i][0], is);
    }
    snprintf(json + n, sizeof json - (size_t)n, "}");
    return json;
}

static void assert_bad(const char *member, const char *value, const char *reason)
{
    char expected[256];
    assert_int_equal(decode(with(member, value)), ERR_INVALID_REQUEST);
    snprintf(expected, sizeof expected, "[{\"field\":%s,\"reason\":\"%s\"}]", member, reason);
    assert_string_equal(problems.p, expected);
    assert_int_equal(profile.level, LEVEL_C2);
}

static void every_member_is_taken(void **state)
{
    (void)state;
    struct uuid id = uuid_of(PROFILE);
    assert_int_equal(decode(with(NULL, NULL)), OK);
    assert_true(uuid_eq(&profile.learning_profile_id, &id));
    assert_string_equal(profile.display_name, "Ana");
    assert_string_equal(profile.avatar_url, "https://cdn.example/ana.png");
    assert_string_equal(profile.native_language, "pt-BR");
    assert_string_equal(profile.accent, "en-GB");
    assert_int_equal(profile.tier, TIER_PREMIUM);
    assert_int_equal(profile.level, LEVEL_B2);
}

static void two_members_are_optional(void **state)
{
    (void)state;
    assert_int_equal(decode(with("\"avatarUrl\"", NULL)), OK);
    assert_string_equal(profile.avatar_url, "");
    assert_int_equal(decode(with("\"preferredAccent\"", "null")), OK);
    assert_string_equal(profile.accent, "");
}

static void the_others_are_required(void **state)
{
    static const char *const required[] = {"\"userId\"", "\"displayName\"",       "\"nativeLanguageCode\"",
                                           "\"tier\"",   "\"learningProfileId\"", "\"level\""};
    (void)state;
    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
        assert_bad(required[i], NULL, "required");
        assert_bad(required[i], "null", "required");
    }
}

static void wrong_types_and_values_are_named(void **state)
{
    (void)state;
    assert_bad("\"userId\"", "1", "must be a UUID");
    assert_bad("\"userId\"", "\"" PROFILE "\"", "is that of another user");
    assert_bad("\"displayName\"", "[]", "must be a string");
    assert_bad("\"displayName\"", "\"a\\u0000b\"", "must not contain U+0000");
    assert_bad("\"avatarUrl\"", "false", "must be a string");
    assert_bad("\"nativeLanguageCode\"", "\"Spanish\"", "must be a language code");
    assert_bad("\"nativeLanguageCode\"", "\"\"", "must be a language code");
    assert_bad("\"tier\"", "2", "must be a string");
    assert_bad("\"learningProfileId\"", "\"\"", "must be a UUID");
    assert_bad("\"level\"", "\"b2\"", "must be one of A1, A2, B1, B2, C1, C2");
    assert_bad("\"level\"", "4", "must be one of A1, A2, B1, B2, C1, C2");
    assert_bad("\"preferredAccent\"", "{}", "must be a string");
}

static void all_that_is_wrong_is_named_at_once(void **state)
{
    (void)state;
    assert_int_equal(decode("{\"userId\":\"" USER "\",\"displayName\":1,\"tier\":\"free\",\"level\":\"B1\","
                            "\"learningProfileId\":\"" PROFILE "\"}"),
                     ERR_INVALID_REQUEST);
    assert_string_equal(problems.p, "[{\"field\":\"displayName\",\"reason\":\"must be a string\"},"
                                    "{\"field\":\"nativeLanguageCode\",\"reason\":\"required\"}]");
}

static void what_is_no_object_is_refused(void **state)
{
    static const char *const bodies[] = {
        "", "null", "[]", "\"x\"", "{", "<html>", "{\"userId\":\"" USER "\"} x"};
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_int_equal(decode(bodies[i]), ERR_INVALID_REQUEST);
        assert_int_equal(profile.level, LEVEL_C2);
    }
}

static void decorations_that_make_no_sense_are_left_out(void **state)
{
    (void)state;
    assert_int_equal(decode(with("\"avatarUrl\"", "\"javascript:alert(1)\"")), OK);
    assert_string_equal(profile.avatar_url, "");
    assert_int_equal(decode(with("\"preferredAccent\"", "\"very posh\"")), OK);
    assert_string_equal(profile.accent, "");
    assert_int_equal(decode(with("\"displayName\"", "\"A\\nB\"")), OK);
    assert_string_equal(profile.display_name, "");
}

static void a_tier_that_is_not_known_is_free(void **state)
{
    (void)state;
    assert_int_equal(decode(with("\"tier\"", "\"gold\"")), OK);
    assert_int_equal(profile.tier, TIER_FREE);
    assert_int_equal(decode(with("\"tier\"", "\"free\"")), OK);
    assert_int_equal(profile.tier, TIER_FREE);
}

static void a_long_name_is_cut_between_characters(void **state)
{
    char name[2 + 2 * 150 + 1];
    (void)state;
    memset(name, 0, sizeof name);
    name[0] = '"';
    for (int i = 0; i < 150; i++)
        memcpy(name + 1 + 2 * i, "\xc3\xa9", 2);
    name[1 + 2 * 150] = '"';
    assert_int_equal(decode(with("\"displayName\"", name)), OK);
    assert_int_equal(strlen(profile.display_name), 198);
    assert_true(str_is_utf8(str_of(profile.display_name)));
}

static void what_is_encoded_decodes_to_the_same(void **state)
{
    struct buf json = {0};
    struct uuid user = uuid_of(USER);
    (void)state;
    assert_int_equal(decode(with("\"displayName\"", "\"Ana \\\"\\u00e9\\\" \\ud83d\\ude00\"")), OK);
    struct profile before = profile;
    learning_profile_encode(&before, &user, &json);
    buf_addc(&json, '\0');
    assert_int_equal(decode(json.p), OK);
    assert_memory_equal(&profile, &before, sizeof before);
    buf_done(&json);
}

#define TEST(name) cmocka_unit_test_teardown(name, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_member_is_taken),
        TEST(two_members_are_optional),
        TEST(the_others_are_required),
        TEST(wrong_types_and_values_are_named),
        TEST(all_that_is_wrong_is_named_at_once),
        TEST(what_is_no_object_is_refused),
        TEST(decorations_that_make_no_sense_are_left_out),
        TEST(a_tier_that_is_not_known_is_free),
        TEST(a_long_name_is_cut_between_characters),
        TEST(what_is_encoded_decodes_to_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
