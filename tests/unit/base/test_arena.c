#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/base/arena.h"

static void gives_zeroed_aligned_disjoint_memory(void **state)
{
    (void)state;
    struct arena a = {0};
    enum { COUNT = 2000 };
    static struct {
        unsigned char *p;
        size_t n;
    } blocks[COUNT];
    for (int i = 0; i < COUNT; i++) {
        size_t n = i % 97 == 0 ? 20000 : (size_t)(i * 7 % 301);
        blocks[i].p = arena_alloc(&a, n);
        blocks[i].n = n;
        assert_int_equal((uintptr_t)blocks[i].p % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(blocks[i].p[k], 0);
        memset(blocks[i].p, i & 0xFF, n);
    }
    for (int i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < blocks[i].n; k++)
            assert_int_equal(blocks[i].p[k], i & 0xFF);
    }
    arena_done(&a);
}

static void is_usable_after_done(void **state)
{
    (void)state;
    struct arena a = {0};
    arena_done(&a);
    int *first = ARENA_NEW(&a, int);
    assert_int_equal(*first, 0);
    arena_done(&a);
    int *array = ARENA_ARRAY(&a, int, 10);
    assert_int_equal(array[9], 0);
    arena_done(&a);
}

static void copies_strings(void **state)
{
    (void)state;
    struct arena a = {0};
    char text[] = "hello";
    char *z = arena_strz(&a, (struct str){text, 4});
    struct str s = arena_str(&a, STR("world"));
    text[0] = 'X';
    assert_string_equal(z, "hell");
    assert_string_equal(s.p, "world");
    assert_int_equal(s.n, 5);
    assert_string_equal(arena_strz(&a, (struct str){0}), "");
    assert_string_equal(arena_fmt(&a, "%d-%s", 7, "x").p, "7-x");
    assert_int_equal(arena_fmt(&a, "%5000d", 7).n, 5000);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_zeroed_aligned_disjoint_memory),
        cmocka_unit_test(is_usable_after_done),
        cmocka_unit_test(copies_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
