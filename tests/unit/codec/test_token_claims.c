/* The claims of well-signed tokens: which refuse the token, which are left out, and what is read. */
#include "token_fixture.h"

static void reads_the_whole_identity(void **state)
{
    (void)state;
    expect_more(&plain_policy,
                ",\"name\":\"Ana \\u00d1\",\"picture\":\"https://cdn.example.com/a.png?x=1\","
                "\"tier\":\"premium\",\"role\":\"moderator\",\"roles\":[\"admin\",\"cook\",7],"
                "\"nativeLanguageCode\":\"es\",\"accent\":\"en-GB\",\"levels\":{\"en\":\"B1\","
                "\"pt-BR\":\"C2\"},\"iat\":1736936999.5,\"nbf\":1736936000",
                NULL);
    assert_string_equal(who.display_name, "Ana Ñ");
    assert_string_equal(who.avatar_url, "https://cdn.example.com/a.png?x=1");
    assert_int_equal(who.tier, TIER_PREMIUM);
    assert_int_equal(who.roles, ROLE_MODERATOR | ROLE_ADMIN);
    assert_string_equal(who.native_language, "es");
    assert_string_equal(who.accent, "en-GB");
    assert_int_equal(who.level_count, 2);
    assert_string_equal(who.levels[0].language, "en");
    assert_int_equal(who.levels[0].level, LEVEL_B1);
    assert_string_equal(who.levels[1].language, "pt-BR");
    assert_int_equal(who.levels[1].level, LEVEL_C2);
    assert_int_equal(who.expires_at_ms, 1736940600000);
}

static void checks_the_times(void **state)
{
    (void)state;
    static const char *const exp_type = "claim exp must be a time in seconds";
    static const struct {
        const char *exp, *expected;
    } cases[] = {
        {"1736936971", NULL}, /* 29 s ago */
        {"1736936970", "token expired"},
        {"1736936970.001", NULL},
        {"1.736940600e9", NULL},
        {"0", "token expired"},
        {"-1", "token expired"},
        {"-1736940600", "token expired"},
        {"253402300799", NULL},
        {"253402300800", "claim exp must be a time in seconds"},
        {"1736940600000", "claim exp must be a time in seconds"},
        {"9223372036854775807", "claim exp must be a time in seconds"},
        {"-9223372036854775808", "claim exp must be a time in seconds"},
        {"1e300", "claim exp must be a time in seconds"},
        {"-1e300", "claim exp must be a time in seconds"},
        {"9223372036854775808", "malformed token"},
    };
    static const char *const no_numbers[] = {"\"1736940600\"", "null", "true", "[1736940600]", "{}"};
    char claims[128];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(claims, sizeof claims, "{\"sub\":\"" USER "\",\"exp\":%s}", cases[i].exp);
        expect_claims(&plain_policy, claims, cases[i].expected);
    }
    for (size_t i = 0; i < sizeof no_numbers / sizeof no_numbers[0]; i++) {
        snprintf(claims, sizeof claims, "{\"sub\":\"" USER "\",\"exp\":%s}", no_numbers[i]);
        expect_claims(&plain_policy, claims, exp_type);
    }
    expect_claims(&plain_policy, "{\"sub\":\"" USER "\"}", exp_type);
    expect_more(&plain_policy, ",\"exp\":1", "token expired"); /* of duplicates the last */
}

static void checks_not_before_and_issued_at(void **state)
{
    (void)state;
    expect_more(&plain_policy, ",\"nbf\":1736937030", NULL);
    expect_more(&plain_policy, ",\"nbf\":1736937030.5", "token not valid yet");
    expect_more(&plain_policy, ",\"nbf\":1736937031", "token not valid yet");
    expect_more(&plain_policy, ",\"nbf\":-5", NULL);
    expect_more(&(struct token_policy){0}, ",\"nbf\":1736937001", "token not valid yet");
    expect_more(&plain_policy, ",\"iat\":1736937031", NULL);
    static const char *const wrong[] = {"\"1736936000\"", "null", "true", "[]", "1e200", "1736936000000"};
    char more[64];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(more, sizeof more, ",\"nbf\":%s", wrong[i]);
        expect_more(&plain_policy, more, "claim nbf must be a time in seconds");
        snprintf(more, sizeof more, ",\"iat\":%s", wrong[i]);
        expect_more(&plain_policy, more, "claim iat must be a time in seconds");
    }
}

static void checks_issuer_and_audience(void **state)
{
    (void)state;
    const struct token_policy policy = {.issuer = "https://auth.example", .audience = "conversations"};
    static const struct {
        const char *iss, *aud, *expected;
    } cases[] = {
        {"\"https://auth.example\"", "\"conversations\"", NULL},
        {"\"https://auth.example\"", "[\"x\",\"conversations\"]", NULL},
        {"\"https://auth.example/\"", "\"conversations\"", "wrong issuer"},
        {"\"https://auth.example\\u0000\"", "\"conversations\"", "wrong issuer"},
        {"\"\"", "\"conversations\"", "wrong issuer"},
        {"[\"https://auth.example\"]", "\"conversations\"", "claim iss must be a string"},
        {"null", "\"conversations\"", "claim iss must be a string"},
        {"\"https://auth.example\"", "\"conversation\"", "wrong audience"},
        {"\"https://auth.example\"", "\"conversations \"", "wrong audience"},
        {"\"https://auth.example\"", "[]", "wrong audience"},
        {"\"https://auth.example\"", "[\"x\"]", "wrong audience"},
        {"\"https://auth.example\"", "null", "claim aud must be a string or an array of strings"},
        {"\"https://auth.example\"", "{\"conversations\":1}",
         "claim aud must be a string or an array of strings"},
        {"\"https://auth.example\"", "[\"conversations\",1]",
         "claim aud must be a string or an array of strings"},
    };
    char more[256];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(more, sizeof more, ",\"iss\":%s,\"aud\":%s", cases[i].iss, cases[i].aud);
        expect_more(&policy, more, cases[i].expected);
    }
    expect_more(&policy, ",\"aud\":\"conversations\"", "wrong issuer");
    expect_more(&policy, ",\"iss\":\"https://auth.example\"", "wrong audience");
}

static void types_count_even_where_nothing_is_required(void **state)
{
    (void)state;
    const struct token_policy empty = {.issuer = "", .audience = ""};
    expect_more(&empty, ",\"iss\":\"any\",\"aud\":[\"any\"]", NULL);
    expect_more(&plain_policy, ",\"iss\":\"any\",\"aud\":\"any\"", NULL);
    expect_more(&plain_policy, ",\"iss\":7", "claim iss must be a string");
    expect_more(&plain_policy, ",\"aud\":7", "claim aud must be a string or an array of strings");
    expect_more(&plain_policy, ",\"aud\":[[]]", "claim aud must be a string or an array of strings");
}

static void the_subject_is_a_uuid(void **state)
{
    (void)state;
    static const char *const wrong[] = {"7",
                                        "null",
                                        "\"\"",
                                        "\"ana\"",
                                        "[\"" USER "\"]",
                                        "\"" USER "\\u0000\"",
                                        "\"" USER " \"",
                                        "\"00000000-0000-0000-0000-000000000000\""};
    char claims[128];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(claims, sizeof claims, "{\"sub\":%s,\"exp\":1736940600}", wrong[i]);
        expect_claims(&plain_policy, claims, "claim sub must be a UUID");
    }
    expect_claims(&plain_policy, "{\"exp\":1736940600}", "claim sub must be a UUID");
}

/* RFC 7519 section 4: refuse duplicates, or take the last. */
static void of_duplicate_claims_the_last_counts(void **state)
{
    (void)state;
    static const char other[] = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
    struct uuid user;
    char claims[512];
    snprintf(claims, sizeof claims, "{\"sub\":\"%s\",\"exp\":1,\"sub\":\"" USER "\",\"exp\":1736940600}",
             other);
    assert_true(uuid_parse(STR(USER), &user));
    expect_claims(&plain_policy, claims, NULL);
    assert_true(uuid_eq(&who.user_id, &user));
    expect_more(&plain_policy, ",\"exp\":1", "token expired");
    expect_more(&plain_policy, ",\"sub\":null", "claim sub must be a UUID");
}

static void a_tier_that_is_not_known_is_free(void **state)
{
    (void)state;
    static const char *const unknown[] = {"\"gold\"",      "\"Premium\"",       "\"\"", "1", "true",
                                          "[\"premium\"]", "\"premium\\u0000\""};
    char more[64];
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        snprintf(more, sizeof more, ",\"tier\":%s", unknown[i]);
        expect_more(&plain_policy, more, NULL);
        assert_int_equal(who.tier, TIER_FREE);
    }
    expect_more(&plain_policy, ",\"tier\":\"free\"", NULL);
    assert_int_equal(who.tier, TIER_FREE);
    expect_more(&plain_policy, ",\"tier\":null", NULL);
    assert_int_equal(who.tier, TIER_FREE);
}

/* What describes the learner and makes no sense is as if it were absent. */
static void malformed_profile_claims_are_left_out(void **state)
{
    (void)state;
    static const char *const more[] = {
        "",
        ",\"name\":7,\"picture\":7,\"role\":7,\"roles\":7,\"nativeLanguageCode\":7,\"levels\":7,\"accent\":7",
        ",\"name\":null,\"picture\":null,\"role\":null,\"roles\":null,\"nativeLanguageCode\":null,"
        "\"levels\":null,\"accent\":null",
        ",\"name\":[],\"picture\":{},\"role\":[\"admin\"],\"roles\":\"admin\",\"nativeLanguageCode\":[],"
        "\"levels\":[\"en\"]",
        ",\"name\":\"a\\u0000b\",\"picture\":\"https://x.example/\\u0000\",\"role\":\"admin\\u0000\","
        "\"nativeLanguageCode\":\"es\\u0000\"",
        ",\"name\":\"a\\nb\",\"role\":\"Admin\",\"roles\":[\"root\",[\"admin\"]],"
        "\"nativeLanguageCode\":\"Spanish\",\"accent\":\"british\"",
        ",\"levels\":{\"en\":\"b1\",\"EN\":\"B1\",\"es\":3,\"x\":\"A1\",\"fr\\ud83d\\ude00\":\"A1\","
        "\"de\":null,\"it\":\"A1\\u0000\"}",
    };
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        expect_more(&plain_policy, more[i], NULL);
        struct identity expected = {.user_id = who.user_id, .expires_at_ms = 1736940600000};
        assert_string_equal(who.display_name, "");
        assert_string_equal(who.avatar_url, "");
        assert_string_equal(who.native_language, "");
        assert_string_equal(who.accent, "");
        assert_int_equal(who.level_count, 0);
        assert_int_equal(who.roles, expected.roles);
        assert_int_equal(who.tier, expected.tier);
    }
}

static void takes_http_urls_only(void **state)
{
    (void)state;
    static const char *const good[] = {"https://x.example", "http://x.example/a",
                                       "HTTPS://x.example/%20?q=~#f"};
    static const char *const bad[] = {"javascript:alert(1)",
                                      "data:image/png;base64,AA",
                                      "//x.example/a",
                                      "x.png",
                                      "https:",
                                      "https://",
                                      "https:/x",
                                      "https://x/\\u00e9",
                                      "https://x/ a",
                                      "https://x/\\\"onload",
                                      "https://x/<b>",
                                      "ftp://x"};
    char more[700], long_path[512];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(more, sizeof more, ",\"picture\":\"%s\"", good[i]);
        expect_more(&plain_policy, more, NULL);
        assert_string_equal(who.avatar_url, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(more, sizeof more, ",\"picture\":\"%s\"", bad[i]);
        expect_more(&plain_policy, more, NULL);
        assert_string_equal(who.avatar_url, "");
    }
    memset(long_path, 'p', sizeof long_path);
    for (int fits = 1; fits >= 0; fits--) {
        snprintf(more, sizeof more, ",\"picture\":\"https://%.*s\"", (int)sizeof who.avatar_url - 8 - fits,
                 long_path);
        expect_more(&plain_policy, more, NULL);
        assert_int_equal(strlen(who.avatar_url), fits ? sizeof who.avatar_url - 1 : 0);
    }
}

static void takes_names_that_fit_and_the_first_levels(void **state)
{
    (void)state;
    char more[512], name[NAME_MAX_BYTES + 1];
    memset(name, 'n', sizeof name);
    snprintf(more, sizeof more, ",\"name\":\"%.*s\"", NAME_MAX_BYTES - 1, name);
    expect_more(&plain_policy, more, NULL);
    assert_int_equal(strlen(who.display_name), NAME_MAX_BYTES - 1);
    snprintf(more, sizeof more, ",\"name\":\"%.*s\"", NAME_MAX_BYTES, name);
    expect_more(&plain_policy, more, NULL);
    assert_int_equal(strlen(who.display_name), NAME_MAX_BYTES - 1); /* cut */
    memset(name, 'n', NAME_MAX_BYTES - 2);
    memcpy(name + NAME_MAX_BYTES - 2, "\u00e9", 3);
    snprintf(more, sizeof more, ",\"name\":\"%s\"", name);
    expect_more(&plain_policy, more, NULL);
    assert_int_equal(strlen(who.display_name), NAME_MAX_BYTES - 2); /* not within a character */
    expect_more(&plain_policy,
                ",\"levels\":{\"aa\":\"A1\",\"bb\":\"A2\",\"cc\":\"B1\",\"zz\":\"?\",\"dd\":\"B2\","
                "\"ee\":\"C1\",\"ff\":\"C2\",\"gg\":\"A1\",\"hh\":\"A1\",\"ii\":\"A1\"}",
                NULL);
    assert_int_equal(who.level_count, IDENTITY_LEVELS_MAX);
    assert_string_equal(who.levels[IDENTITY_LEVELS_MAX - 1].language, "hh");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_whole_identity),
        cmocka_unit_test(checks_the_times),
        cmocka_unit_test(checks_not_before_and_issued_at),
        cmocka_unit_test(checks_issuer_and_audience),
        cmocka_unit_test(types_count_even_where_nothing_is_required),
        cmocka_unit_test(the_subject_is_a_uuid),
        cmocka_unit_test(of_duplicate_claims_the_last_counts),
        cmocka_unit_test(a_tier_that_is_not_known_is_free),
        cmocka_unit_test(malformed_profile_claims_are_left_out),
        cmocka_unit_test(takes_http_urls_only),
        cmocka_unit_test(takes_names_that_fit_and_the_first_levels),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
