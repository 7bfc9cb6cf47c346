/* Intrusive hash table keyed by UUID: chained buckets, a power of two of them, at most one node a bucket on
 * average. The hash has no secret: only ids that this service made or that a verified token carries are ever
 * put, and keys that were mixed with one. */
#include "conversation/base/map.h"

#include <assert.h>
#include <stdlib.h>

#define BUCKETS_FIRST 16

static size_t hash_key(const struct uuid *key)
{
    uint64_t a, b;
    memcpy(&a, key->b, sizeof a);
    memcpy(&b, key->b + sizeof a, sizeof b);
    a = (a ^ (a >> 32)) *
        0x9E3779B97F4A7C15ULL; /* Fibonacci hashing: odd, near 2^64 divided by the golden ratio */
    b = (b ^ (b >> 29)) * 0xBF58476D1CE4E5B9ULL;
    a ^= b ^ (b >> 31);
    return (size_t)(a ^ (a >> 32));
}

/* The link that points at the node with the key, or the NULL link at the end of its bucket. */
static struct map_node **find(const struct map *m, const struct uuid *key)
{
    struct map_node **link = &m->buckets[hash_key(key) & (m->bucket_count - 1)];
    while (*link && !uuid_eq(&(*link)->key, key))
        link = &(*link)->next;
    return link;
}

static void grow(struct map *m)
{
    struct map old = *m;
    m->bucket_count = old.bucket_count ? old.bucket_count * 2 : BUCKETS_FIRST;
    m->buckets = calloc(m->bucket_count, sizeof *m->buckets);
    if (!m->buckets)
        abort();
    for (size_t i = 0; i < old.bucket_count; i++) {
        for (struct map_node *n = old.buckets[i], *after; n; n = after) {
            after = n->next;
            struct map_node **bucket = &m->buckets[hash_key(&n->key) & (m->bucket_count - 1)];
            n->next = *bucket;
            *bucket = n;
        }
    }
    free(old.buckets);
}

struct map_node *map_get(const struct map *m, const struct uuid *key)
{
    return m->count ? *find(m, key) : NULL;
}

void map_put(struct map *m, const struct uuid *key, struct map_node *node)
{
    if (m->count >= m->bucket_count)
        grow(m);
    struct map_node **link = find(m, key);
    assert(!*link);
    node->key = *key;
    node->next = NULL;
    *link = node;
    m->count++;
}

struct map_node *map_remove(struct map *m, const struct uuid *key)
{
    if (!m->count)
        return NULL;
    struct map_node **link = find(m, key);
    struct map_node *node = *link;
    if (node) {
        *link = node->next;
        node->next = NULL;
        m->count--;
    }
    return node;
}

void map_done(struct map *m)
{
    free(m->buckets);
    *m = (struct map){0};
}

void map_each(struct map *m, void (*visit)(struct map_node *node, void *arg), void *arg)
{
    for (size_t i = 0; i < m->bucket_count; i++) {
        for (struct map_node *n = m->buckets[i], *after; n; n = after) {
            after = n->next;
            visit(n, arg);
        }
    }
}
