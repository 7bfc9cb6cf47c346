/* Intrusive hash table keyed by UUID; grows by doubling. Nodes are owned by the caller. */
#ifndef CONVERSATION_BASE_MAP_H
#define CONVERSATION_BASE_MAP_H

#include <stddef.h>

#include "conversation/base/uuid.h"

struct map_node {
    struct map_node *next; /* in its bucket */
    struct uuid key;
};

/* All zero is a valid empty map. */
struct map {
    struct map_node **buckets;
    size_t count, bucket_count;
};

struct map_node *map_get(const struct map *m, const struct uuid *key); /* NULL when absent */
/* The key must be absent (asserted). Sets node->key. */
void map_put(struct map *m, const struct uuid *key, struct map_node *node);
struct map_node *map_remove(struct map *m, const struct uuid *key); /* the node, or NULL */
void map_done(struct map *m);                                       /* frees the table, not the nodes */

/* Visits every node; the visitor may remove the node it is given (and free it), nothing else. */
void map_each(struct map *m, void (*visit)(struct map_node *node, void *arg), void *arg);

#endif
