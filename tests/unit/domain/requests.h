/* Match requests for tests: a plain B1 learner of Spanish, to be changed where the test cares. */
#ifndef TESTS_UNIT_DOMAIN_REQUESTS_H
#define TESTS_UNIT_DOMAIN_REQUESTS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conversation/domain/match.h"

#define T0  INT64_C(1736935200000) /* 2025-01-15T10:00:00Z */
#define DAY INT64_C(86400000)

static inline struct uuid id_of(unsigned n)
{
    struct uuid u = {{0}};
    u.b[12] = (uint8_t)(n >> 24);
    u.b[13] = (uint8_t)(n >> 16);
    u.b[14] = (uint8_t)(n >> 8);
    u.b[15] = (uint8_t)n;
    return u;
}

/* Request `n` of user `n`, waiting since T0, expiring after five minutes. */
static inline struct match_request request_of(unsigned n)
{
    struct match_request r = {.id = id_of(n), .user_id = id_of(n + 1000000)};
    strcpy(r.target_language, "es");
    strcpy(r.native_language, "fr");
    strcpy(r.topic_code, "travel.airport");
    r.topic_category = CATEGORY_TRAVEL;
    r.level = LEVEL_B1;
    r.created_at_ms = T0;
    r.expires_at_ms = T0 + 300000;
    return r;
}

/* splitmix64 */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state += 0x9E3779B97F4A7C15ULL;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
}

static inline unsigned random_below(uint64_t *state, unsigned n)
{
    return (unsigned)(random_next(state) % n);
}

/* The first seed of a random test, and how much it does. */
static inline uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);
    return value ? strtoull(value, NULL, 10) : otherwise;
}

#endif
