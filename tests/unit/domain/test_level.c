#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conversation/domain/level.h"

static void levels_are_parsed_exactly(void **state)
{
    (void)state;
    enum level level = LEVEL_C2;
    for (int i = 0; i < LEVEL_COUNT; i++) {
        assert_true(level_parse(str_of(level_names[i]), &level));
        assert_int_equal(level, i);
    }
    assert_null(level_names[LEVEL_COUNT]);
    level = LEVEL_B1;
    static const char *const wrong[] = {"", "a1", "A", "A3", "B1 ", " B1", "B11", "C0", "D1", "native"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(level_parse(str_of(wrong[i]), &level));
    assert_false(level_parse((struct str){NULL, 0}, &level));
    assert_int_equal(level, LEVEL_B1); /* untouched */
}

static void the_mean_is_rounded_half_up(void **state)
{
    (void)state;
    assert_int_equal(level_mean(LEVEL_A1, LEVEL_A1), LEVEL_A1);
    assert_int_equal(level_mean(LEVEL_A1, LEVEL_A2), LEVEL_A2);
    assert_int_equal(level_mean(LEVEL_A1, LEVEL_B1), LEVEL_A2);
    assert_int_equal(level_mean(LEVEL_C2, LEVEL_A1), LEVEL_B2);
    assert_int_equal(level_mean(LEVEL_C2, LEVEL_C1), LEVEL_C2);
    for (int a = 0; a < LEVEL_COUNT; a++)
        for (int b = 0; b < LEVEL_COUNT; b++)
            assert_int_equal(level_mean((enum level)a, (enum level)b),
                             level_mean((enum level)b, (enum level)a));
}

static void language_codes(void **state)
{
    (void)state;
    static const char *const good[] = {"es",      "fil",        "pt-BR",      "es-419",
                                       "zh-Hant", "zh-Hant-TW", "de-CH-1996", "en-GB"};
    static const char *const bad[] = {
        "",     "e",      "engl",  "ES", "Es",     "es-",          "-es",          "es_MX",
        "es-M", "es--MX", "es MX", "e1", "es-MX-", "zh-Hant-TW-x", "es-abcdefghi", "\xC3\xA9s"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!language_code_is_valid(str_of(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (language_code_is_valid(str_of(bad[i])))
            fail_msg("accepted: %s", bad[i]);
    assert_false(language_code_is_valid((struct str){NULL, 0}));
    assert_false(language_code_is_valid(STR("es\0x")));
}

static void topic_codes(void **state)
{
    (void)state;
    static const char *const good[] = {"travel",
                                       "restaurant.ordering",
                                       "a.b.c",
                                       "free_talk",
                                       "b2b.a1",
                                       "_",
                                       "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz12345678901"};
    static const char *const bad[] = {"",
                                      ".",
                                      "travel.",
                                      ".travel",
                                      "travel..airport",
                                      "Travel",
                                      "travel airport",
                                      "travel-a",
                                      "tr/avel",
                                      "é",
                                      "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz123456789012"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!topic_code_is_valid(str_of(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (topic_code_is_valid(str_of(bad[i])))
            fail_msg("accepted: %s", bad[i]);
}

static void regions_do_not_make_another_language(void **state)
{
    (void)state;
    assert_true(language_is_same("es", "es"));
    assert_true(language_is_same("es-MX", "es"));
    assert_true(language_is_same("es", "es-MX"));
    assert_true(language_is_same("zh-Hant", "zh-Hans-CN"));
    assert_false(language_is_same("es", "est"));
    assert_false(language_is_same("es", "en"));
    assert_false(language_is_same("es", "e"));
    assert_false(language_is_same("", "es"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_are_parsed_exactly),
        cmocka_unit_test(the_mean_is_rounded_half_up),
        cmocka_unit_test(language_codes),
        cmocka_unit_test(topic_codes),
        cmocka_unit_test(regions_do_not_make_another_language),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
