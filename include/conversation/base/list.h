/* Intrusive doubly linked list. A node belongs to at most one list; a zeroed or initialised node is in none.
 */
#ifndef CONVERSATION_BASE_LIST_H
#define CONVERSATION_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev, *next;
};

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}

static inline bool list_is_linked(const struct list *n)
{
    return n->next && n->next != n;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_add_tail(struct list *head, struct list *n)
{
    n->prev = head->prev;
    n->next = head;
    head->prev->next = n;
    head->prev = n;
}

/* Harmless on a node that is in no list. */
static inline void list_remove(struct list *n)
{
    if (!n->next)
        return;
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}

#define LIST_EACH(n, head) for (struct list *n = (head)->next; n != (head); n = n->next)
#define LIST_EACH_SAFE(n, after, head) \
    for (struct list *n = (head)->next, *after = n->next; n != (head); n = after, after = n->next)
#define LIST_FIRST(head, type, member) container_of((head)->next, type, member)

#endif
