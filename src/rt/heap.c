/* malloc can do this by itself (glibc.malloc.hugetlb), but only if the environment says so. Here it is made
 * to grow the heap in large steps, and the kernel is told of each at the end of the loop's turn, before most
 * of it has been touched. */
#include "conversation/rt/heap.h"

#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conversation/rt/loop.h"

#define STEP_BYTES \
    (8 * 1024 * 1024) /* of address space; memory is taken by large pages as they are touched */

static uintptr_t page_bytes, told_until;

/* Where the heap ends, in whole pages. */
static uintptr_t heap_end(void)
{
    return (uintptr_t)sbrk(0) / page_bytes * page_bytes;
}

static void tell_kernel(void)
{
    uintptr_t end = heap_end();
    if (end > told_until)
        (void)madvise((void *)told_until, end - told_until, MADV_HUGEPAGE); /* no more than advice */
    told_until = end;
}

void heap_use_large_pages(void)
{
    page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    told_until = heap_end();
    mallopt(M_TOP_PAD, STEP_BYTES);
    mallopt(M_TRIM_THRESHOLD, 2 * STEP_BYTES);
    loop_at_turn_end(tell_kernel);
}
