/* The heap in large pages. Connections and what belongs to them lie all over the heap, and a message touches
 * a dozen places of it: with pages of 4 KiB the processor has to look most of them up in memory. */
#ifndef CONVERSATION_RT_HEAP_H
#define CONVERSATION_RT_HEAP_H

/* From now on, as the heap grows; once per process, before it has. Where the kernel has no such pages, or
 * gives them to all (/sys/kernel/mm/transparent_hugepage/enabled), it makes no difference. */
void heap_use_large_pages(void);

#endif
