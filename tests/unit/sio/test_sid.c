/* Random ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/sio/sid.h"

static void test_text_reads_back(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++) {
        char text[SID_LENGTH + 1];
        struct uuid key = sid_random(text), parsed;
        assert_int_equal(strlen(text), SID_LENGTH);
        assert_true(sid_parse(str_of(text), &parsed));
        assert_true(uuid_eq(&key, &parsed));
    }
}

static void test_digits_are_base64url(void **state)
{
    (void)state;
    struct uuid key;
    static const uint8_t want[16] = {0xff, 0xff, 0xff, 0xfb, 0xef, 0xbe};
    assert_true(sid_parse(STR("____----AAAAAAAAAAAA"), &key));
    assert_memory_equal(key.b, want, sizeof want);
}

static void test_other_texts_are_refused(void **state)
{
    (void)state;
    struct uuid key;
    assert_false(sid_parse((struct str){0}, &key));
    assert_false(sid_parse(STR("AAAAAAAAAAAAAAAAAAA"), &key));
    assert_false(sid_parse(STR("AAAAAAAAAAAAAAAAAAAAA"), &key));
    assert_false(sid_parse(STR("AAAAAAAAAAAAAAAAAAA="), &key));
    assert_false(sid_parse(STR("AAAAAAAAAAAAAAAAAAA+"), &key));
    assert_false(sid_parse(STR("AAAAAAAAAAAAAAAAAAA\0"), &key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_reads_back),
        cmocka_unit_test(test_digits_are_base64url),
        cmocka_unit_test(test_other_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
