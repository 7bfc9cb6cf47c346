/* Bits of sixteen bytes: by the processor's instruction and by the way that works anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "conversation/base/wide.h"

static void assert_bits(const char bytes[16], unsigned want)
{
    assert_int_equal(wide_bits(wide_load(bytes)), want);
    assert_int_equal(wide_bits_anywhere(wide_load(bytes)), want);
}

static void each_byte_has_its_bit(void **state)
{
    (void)state;
    for (unsigned want = 0; want <= UINT16_MAX; want++) {
        char bytes[16];
        for (int i = 0; i < 16; i++)
            bytes[i] = (char)(want >> i & 1 ? 0x80 + i : 0x7f - i);
        assert_bits(bytes, want);
    }
}

static void a_comparison_tells_where_it_holds(void **state)
{
    (void)state;
    wide w = wide_load("a b  c\xC3\xA9\"d efgh ");
    assert_int_equal(wide_bits(w == ' '), 0x841A);
    assert_int_equal(wide_bits(w < ' '), 0x00C0); /* those beyond ASCII are negative */
    assert_int_equal(wide_bits_anywhere(w == ' '), 0x841A);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_byte_has_its_bit),
        cmocka_unit_test(a_comparison_tells_where_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
