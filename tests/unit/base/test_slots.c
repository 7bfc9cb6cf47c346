#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/base/slots.h"

enum { ITEMS = 1000 };
static int items[ITEMS];
static uint64_t numbers[ITEMS];

static void empty_table_has_nothing(void **state)
{
    (void)state;
    struct slots t = {0};
    assert_null(slots_get(&t, 0));
    assert_null(slots_get(&t, UINT64_C(1) << 32));
    slots_done(&t);
}

static void items_are_found_by_their_numbers(void **state)
{
    (void)state;
    struct slots t = {0};
    for (int i = 0; i < ITEMS; i++) {
        numbers[i] = slots_put(&t, &items[i]);
        assert_true(numbers[i] != 0);
    }
    assert_int_equal(t.count, ITEMS);
    for (int i = 0; i < ITEMS; i++)
        assert_ptr_equal(slots_get(&t, numbers[i]), &items[i]);
    assert_null(slots_get(&t, numbers[0] + ITEMS * 100));
    slots_done(&t);
}

static void number_of_what_is_gone_is_nobodys(void **state)
{
    (void)state;
    struct slots t = {0};
    uint64_t first = slots_put(&t, &items[0]);
    slots_remove(&t, first);
    assert_null(slots_get(&t, first));
    uint64_t second = slots_put(&t, &items[1]); /* in the same slot */
    assert_int_equal((uint32_t)second, (uint32_t)first);
    assert_true(second != first);
    assert_null(slots_get(&t, first));
    assert_ptr_equal(slots_get(&t, second), &items[1]);
    slots_done(&t);
}

static void slots_are_used_again(void **state)
{
    (void)state;
    struct slots t = {0};
    for (int i = 0; i < ITEMS; i++)
        numbers[i] = slots_put(&t, &items[i]);
    uint32_t size = t.size;
    for (int i = 0; i < ITEMS; i += 2)
        slots_remove(&t, numbers[i]);
    assert_int_equal(t.count, ITEMS / 2);
    for (int i = 0; i < ITEMS; i += 2)
        numbers[i] = slots_put(&t, &items[i]);
    assert_int_equal(t.size, size);
    for (int i = 0; i < ITEMS; i++)
        assert_ptr_equal(slots_get(&t, numbers[i]), &items[i]);
    slots_done(&t);
}

static void slot_whose_numbers_are_used_up_rests(void **state)
{
    (void)state;
    struct slots t = {0};
    uint64_t first = slots_put(&t, &items[0]);
    slots_remove(&t, first);
    t.slots[0].used = UINT32_MAX - 1;
    uint64_t last = slots_put(&t, &items[0]);
    assert_int_equal(last >> 32, UINT32_MAX);
    slots_remove(&t, last);
    assert_int_not_equal((uint32_t)slots_put(&t, &items[1]), (uint32_t)last);
    assert_null(slots_get(&t, last));
    slots_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_table_has_nothing),
        cmocka_unit_test(items_are_found_by_their_numbers),
        cmocka_unit_test(number_of_what_is_gone_is_nobodys),
        cmocka_unit_test(slots_are_used_again),
        cmocka_unit_test(slot_whose_numbers_are_used_up_rests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
