#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/base/str.h"

static void compares(void **state)
{
    (void)state;
    assert_true(str_eq(STR("abc"), str_of("abc")));
    assert_false(str_eq(STR("abc"), STR("abd")));
    assert_false(str_eq(STR("abc"), STR("ab")));
    assert_true(str_eq((struct str){0}, STR("")));
    assert_true(str_eqz(STR("abc"), "abc"));
    assert_true(str_eq_nocase(STR("Content-LENGTH"), STR("content-length")));
    assert_false(
        str_eq_nocase(STR("a["), STR("a{"))); /* 0x5B and 0x7B differ in the case bit, but are no letters */
    assert_false(str_eq_nocase(STR("a"), STR("ab")));
    assert_true(str_starts_with(STR("/v1/x"), STR("/v1")));
    assert_true(str_starts_with(STR("/v1"), STR("")));
    assert_false(str_starts_with(STR("/v"), STR("/v1")));
}

static void trims(void **state)
{
    (void)state;
    assert_true(str_eqz(str_trim(STR(" \t a b\t "), " \t"), "a b"));
    assert_true(str_eqz(str_trim(STR("   "), " "), ""));
    assert_true(str_eqz(str_trim(STR(""), " "), ""));
    struct str nul = str_trim((struct str){"\0a\0", 3}, " ");
    assert_int_equal(nul.n, 3); /* NUL is in no set */
}

static void cuts_into_all_parts_and_ends(void **state)
{
    (void)state;
    struct str rest = STR("a,,bc,");
    const char *want[] = {"a", "", "bc", ""};
    for (size_t i = 0; i < 4; i++) {
        assert_non_null(rest.p);
        assert_true(str_eqz(str_cut(&rest, ','), want[i]));
    }
    assert_null(rest.p);
    assert_null(str_cut(&rest, ',').p);
}

static void reads_integers_within_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t min, max, want;
        bool ok;
    } cases[] = {
        {"0", 0, 10, 0, true},
        {"10", 0, 10, 10, true},
        {"0010", 0, 10, 10, true},
        {"11", 0, 10, 0, false},
        {"-1", -5, 5, -1, true},
        {"-6", -5, 5, 0, false},
        {"-1", 0, 5, 0, false},
        {"-", -5, 5, 0, false},
        {"", 0, 5, 0, false},
        {"+1", 0, 5, 0, false},
        {" 1", 0, 5, 0, false},
        {"1 ", 0, 5, 0, false},
        {"1e1", 0, 50, 0, false},
        {"9223372036854775807", INT64_MIN, INT64_MAX, INT64_MAX, true},
        {"9223372036854775808", INT64_MIN, INT64_MAX, 0, false},
        {"-9223372036854775808", INT64_MIN, INT64_MAX, INT64_MIN, true},
        {"-9223372036854775809", INT64_MIN, INT64_MAX, 0, false},
        {"99999999999999999999999", 0, INT64_MAX, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t got = 4711;
        assert_int_equal(str_to_int(str_of(cases[i].text), cases[i].min, cases[i].max, &got), cases[i].ok);
        assert_true(got == (cases[i].ok ? cases[i].want : 4711));
    }
}

static void copies_what_fits(void **state)
{
    (void)state;
    char small[4] = "zzz";
    assert_true(str_copy(STR("abc"), small, sizeof small));
    assert_string_equal(small, "abc");
    assert_false(str_copy(STR("abcd"), small, sizeof small));
    assert_string_equal(small, "");
    assert_true(str_copy((struct str){0}, small, 1));
}

static void counts_code_points(void **state)
{
    (void)state;
    assert_int_equal(str_utf8_length(STR("")), 0);
    assert_int_equal(str_utf8_length(STR("abc")), 3);
    assert_int_equal(str_utf8_length(STR("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80")), 3);
    assert_int_equal(str_utf8_length(STR("\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF")), 5);
    assert_int_equal(str_utf8_length(STR("\xED\x9F\xBF\xEE\x80\x80\xF0\x90\x80\x80\xF4\x8F\xBF\xBF")), 4);
    assert_int_equal(str_utf8_length((struct str){"a\0b", 3}), 3);
}

static void refuses_ill_formed_utf8(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80", /* lone continuation */
        "\xBF",
        "\xC0\x80", /* overlong NUL */
        "\xC1\xBF", /* overlong DEL */
        "\xC3",     /* cut */
        "\xC3\x28", /* no continuation */
        "\xC3\xC3",
        "\xE0\x80\x80", /* overlong */
        "\xE0\x9F\xBF",
        "\xE2\x82", /* cut */
        "\xE2\x28\xA1",
        "\xE2\x82\x28",
        "\xED\xA0\x80",     /* first surrogate */
        "\xED\xBF\xBF",     /* last surrogate */
        "\xF0\x80\x80\x80", /* overlong */
        "\xF0\x8F\xBF\xBF",
        "\xF0\x9F\x98", /* cut */
        "\xF0\x28\x8C\xBC",
        "\xF0\x90\x28\xBC",
        "\xF0\x90\x8C\x28",
        "\xF4\x90\x80\x80", /* above U+10FFFF */
        "\xF5\x80\x80\x80",
        "\xF8\x88\x80\x80\x80",
        "\xFE",
        "\xFF",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        /* In a heap block of its exact size: the sanitizer sees a read past the end. */
        size_t n = strlen(bad[i]);
        char *copy = malloc(n);
        memcpy(copy, bad[i], n);
        assert_int_equal(str_utf8_sequence((struct str){copy, n}), 0);
        assert_int_equal(str_utf8_length((struct str){copy, n}), -1);
        free(copy);
    }
    assert_int_equal(str_utf8_sequence(STR("")), 0);
}

static size_t encode(uint32_t c, char *p)
{
    if (c < 0x80)
        return p[0] = (char)c, 1;
    if (c < 0x800)
        return p[0] = (char)(0xC0 | c >> 6), p[1] = (char)(0x80 | (c & 63)), 2;
    if (c < 0x10000)
        return p[0] = (char)(0xE0 | c >> 12), p[1] = (char)(0x80 | (c >> 6 & 63)),
               p[2] = (char)(0x80 | (c & 63)), 3;
    p[0] = (char)(0xF0 | c >> 18);
    p[1] = (char)(0x80 | (c >> 12 & 63));
    p[2] = (char)(0x80 | (c >> 6 & 63));
    p[3] = (char)(0x80 | (c & 63));
    return 4;
}

static void takes_every_code_point_but_surrogates(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x120000; c++) {
        char bytes[4];
        size_t n = encode(c, bytes);
        bool is_scalar = c < 0x110000 && !(c >= 0xD800 && c < 0xE000);
        if (str_utf8_sequence((struct str){bytes, n}) != (is_scalar ? n : 0))
            fail_msg("U+%04X", c);
    }
}

static void buffer_grows_and_consumes(void **state)
{
    (void)state;
    struct buf b = {0};
    for (int i = 0; i < 1000; i++)
        buf_addf(&b, "%d,", i);
    buf_addz(&b, "z");
    buf_addc(&b, '!');
    buf_add_str(&b, STR("s"));
    buf_add_str(&b, (struct str){0});
    assert_int_equal(b.n, 10 * 2 + 90 * 3 + 900 * 4 + 3);
    assert_memory_equal(b.p, "0,1,2,", 6);
    buf_consume(&b, 4);
    assert_memory_equal(b.p, "2,3,", 4);
    buf_consume(&b, b.n);
    assert_int_equal(b.n, 0);
    buf_consume(&b, 0);
    buf_done(&b);
    assert_null(b.p);
    buf_addz(&b, "again");
    assert_true(str_eqz(buf_str(&b), "again"));
    buf_done(&b);
}

static void formats_longer_than_the_room(void **state)
{
    (void)state;
    struct buf b = {0};
    char text[5000];
    for (size_t n = 1; n < sizeof text; n = n * 3 / 2 + 1) {
        memset(text, 'x', n);
        text[n] = '\0';
        b.n = 0;
        buf_addf(&b, "<%s>", text);
        assert_int_equal(b.n, n + 2);
        assert_int_equal(b.p[n + 1], '>');
    }
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares),
        cmocka_unit_test(trims),
        cmocka_unit_test(cuts_into_all_parts_and_ends),
        cmocka_unit_test(reads_integers_within_bounds),
        cmocka_unit_test(copies_what_fits),
        cmocka_unit_test(counts_code_points),
        cmocka_unit_test(refuses_ill_formed_utf8),
        cmocka_unit_test(takes_every_code_point_but_surrogates),
        cmocka_unit_test(buffer_grows_and_consumes),
        cmocka_unit_test(formats_longer_than_the_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
