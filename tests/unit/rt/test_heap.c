/* What the heap grows by is asked for in large pages, where the kernel has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "conversation/rt/heap.h"
#include "conversation/rt/loop.h"

#define GROWTH (4 * 1024 * 1024)

static bool kernel_gives_advised_ones(void)
{
    char text[64] = "";
    FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
    if (!f)
        return false;
    (void)!fgets(text, sizeof text, f);
    fclose(f);
    return !strstr(text, "[never]");
}

/* Whether the mapping that has `address` is one for which large pages are wanted (proc_pid_smaps(5)). */
static bool is_advised(uintptr_t address)
{
    char line[256];
    bool is_here = false, found = false;
    unsigned long long begin, end;
    FILE *f = fopen("/proc/self/smaps", "r");
    assert_non_null(f);
    while (!found && fgets(line, sizeof line, f)) {
        if (sscanf(line, "%llx-%llx ", &begin, &end) == 2)
            is_here = address >= begin && address < end;
        else if (is_here && strncmp(line, "VmFlags:", 8) == 0)
            found = strstr(line, " hg") != NULL;
    }
    fclose(f);
    return found;
}

static void growth_is_asked_for_in_large_pages(void **state)
{
    (void)state;
    if (!kernel_gives_advised_ones())
        skip();
    loop_init();
    heap_use_large_pages();
    loop_turn_for_test();
    for (int times = 0; times < 2; times++) {
        char *grown = sbrk(GROWTH); /* as malloc does */
        assert_ptr_not_equal(grown, (void *)-1);
        assert_false(is_advised((uintptr_t)grown + GROWTH / 2));
        loop_turn_for_test();
        assert_true(is_advised((uintptr_t)grown + GROWTH / 2));
    }
    loop_done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(growth_is_asked_for_in_large_pages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
