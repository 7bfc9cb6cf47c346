#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/base/uuid.h"

static void random_ones_are_version_4_and_differ(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static struct uuid made[COUNT];
    for (int i = 0; i < COUNT; i++) {
        made[i] = uuid_random();
        assert_int_equal(made[i].b[6] >> 4, 4);
        assert_int_equal(made[i].b[8] >> 6, 2);
    }
    qsort(made, COUNT, sizeof made[0], uuid_order);
    for (int i = 1; i < COUNT; i++)
        assert_true(uuid_cmp(&made[i - 1], &made[i]) < 0);
}

static void text_round_trips(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct uuid u = uuid_random(), back;
        assert_true(uuid_parse(str_of(UUIDZ(&u)), &back));
        assert_true(uuid_eq(&u, &back));
    }
    struct uuid u;
    assert_true(uuid_parse(STR("0123ABCD-ef01-2345-6789-abcdefABCDEF"), &u));
    assert_string_equal(UUIDZ(&u), "0123abcd-ef01-2345-6789-abcdefabcdef");
    assert_false(uuid_is_nil(&u));
    assert_true(uuid_parse(STR("00000000-0000-0000-0000-000000000000"), &u));
    assert_true(uuid_is_nil(&u));
}

static void refuses_other_text_and_leaves_the_output(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "0123abcd-ef01-2345-6789-abcdefabcde",
        "0123abcd-ef01-2345-6789-abcdefabcdef0",
        "0123abcdef01-2345-6789-abcdefabcdef-",
        "0123abcd-ef01-2345-6789_abcdefabcdef",
        "g123abcd-ef01-2345-6789-abcdefabcdef",
        "0123abcd-ef01-2345-6789-abcdefabcd f",
        "{123abcd-ef01-2345-6789-abcdefabcde}",
        "0123abcd0ef01-2345-6789-abcdefabcdef",
    };
    struct uuid u = uuid_random(), before = u;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(uuid_parse(str_of(bad[i]), &u));
        assert_true(uuid_eq(&u, &before));
    }
}

/* Every byte in the place of every digit, hyphen and neighbour. */
static void takes_exactly_the_hex_digits(void **state)
{
    (void)state;
    static const char good[] = "0123abcd-ef01-2345-6789-abcdefabcdef";
    for (size_t at = 0; at < UUID_TEXT_LENGTH; at++) {
        for (int c = 0; c < 256; c++) {
            char text[sizeof good];
            struct uuid u;
            memcpy(text, good, sizeof good);
            text[at] = (char)c;
            bool is_taken = uuid_parse((struct str){text, UUID_TEXT_LENGTH}, &u);
            assert_int_equal(is_taken,
                             good[at] == '-' ? c == '-' : c != 0 && strchr("0123456789abcdefABCDEF", c));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_ones_are_version_4_and_differ),
        cmocka_unit_test(text_round_trips),
        cmocka_unit_test(takes_exactly_the_hex_digits),
        cmocka_unit_test(refuses_other_text_and_leaves_the_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
