/* Random queues for the property tests of the pairing index: small numbers of users, topics and languages and
 * whole seconds, so that everything that can coincide does. */
#ifndef TESTS_UNIT_DOMAIN_PAIRING_WORLD_H
#define TESTS_UNIT_DOMAIN_PAIRING_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pairing_oracle.h"

struct world {
    struct oracle o;
    struct pairing *p;
    struct topic_pair tables[2][PAIRS_MAX];
    uint64_t random, seed;
    bool is_crowded;           /* few languages and topics: many fit */
    unsigned scheduled_one_in; /* how many of the requests are scheduled */
};

static const char *const topic_pool[] = {"travel", "travel.airport", "travel.hotel", "travel.hotel.booking",
                                         "work",   "work.meeting",   "free_talk",    "news"};
static const enum topic_category topic_pool_category[] = {CATEGORY_TRAVEL, CATEGORY_TRAVEL, CATEGORY_TRAVEL,
                                                          CATEGORY_TRAVEL, CATEGORY_WORK,   CATEGORY_WORK,
                                                          CATEGORY_OTHER,  CATEGORY_NEWS};
static const char *const language_pool[] = {"es", "en", "es-MX", "fr"};

static inline unsigned below(struct world *w, unsigned n)
{
    return random_below(&w->random, n);
}

static inline struct pairing_rules random_rules(struct world *w)
{
    static const int scores[] = {50, 50, 50, 0, 90, 110};
    for (int i = 0; i < 2 * PAIRS_MAX; i++) {
        struct topic_pair *pair = &w->tables[i / PAIRS_MAX][i % PAIRS_MAX];
        strcpy(pair->a, topic_pool[below(w, 8)]);
        strcpy(pair->b, topic_pool[below(w, 8)]);
    }
    return (struct pairing_rules){.min_score = scores[below(w, 6)],
                                  .batch_max = below(w, 3) ? 0 : 1 + below(w, 12),
                                  .last_pass_ms = below(w, 3) * 1000,
                                  .compatible = w->tables[0],
                                  .compatible_count = below(w, PAIRS_MAX + 1)};
}

static inline void random_past(struct world *w, struct entry *e)
{
    struct match_request *r = &e->r;
    r->history_is_known = below(w, 4) > 0;
    r->history = e->history;
    r->history_count = below(w, 3) ? 0 : below(w, HISTORY_MAX + 1);
    for (size_t i = 0; i < HISTORY_MAX; i++) {
        /* around the seventh day too, so that talks age past it while the queue waits */
        int64_t ago = below(w, 3) ? (int64_t)below(w, 14 * 86400) * 1000 : 7 * DAY - below(w, 120) * 1000;
        e->history[i] = (struct match_past_partner){id_of(5000 + below(w, WORLD_USERS)), w->o.now - ago};
    }
    r->excluded = e->excluded;
    r->excluded_count = below(w, 4) ? 0 : below(w, EXCLUDED_MAX + 1);
    for (size_t i = 0; i < EXCLUDED_MAX; i++)
        e->excluded[i] = id_of(5000 + below(w, WORLD_USERS));
}

/* About now, or ahead by steps that are often just the five minutes apart that still count, or just not. */
static inline int64_t random_schedule(struct world *w)
{
    if (below(w, 3) == 0)
        return w->o.now + below(w, 60) * 1000 - 10000;
    return T0 + below(w, 12) * 100000 + (below(w, 4) ? 0 : (int64_t)below(w, 3) - 1);
}

static inline void random_request(struct world *w, struct entry *e)
{
    struct match_request *r = &e->r;
    memset(e, 0, sizeof *e);
    r->id = id_of((unsigned)random_next(&w->random)); /* ids in no relation to time */
    r->user_id = id_of(5000 + below(w, WORLD_USERS));
    unsigned topic = below(w, w->is_crowded ? 3 : 8);
    strcpy(r->topic_code, topic_pool[topic]);
    r->topic_category = topic_pool_category[topic];
    strcpy(r->target_language, language_pool[below(w, w->is_crowded ? 2 : 4)]);
    strcpy(r->native_language, language_pool[below(w, 4)]);
    if (below(w, 3) == 0)
        strcpy(r->wanted_native_language, r->target_language);
    if (below(w, 3) == 0)
        strcpy(r->preferred_accent, below(w, 2) ? "mexican" : "castilian");
    r->level = (enum level)(below(w, 2) ? LEVEL_A2 + (int)below(w, 2) : (int)below(w, LEVEL_COUNT));
    r->preferred_partner_level = (enum partner_level)below(w, 4);
    r->tier = below(w, 4) == 0 ? TIER_PREMIUM : TIER_FREE;
    /* whole seconds, so that equal waits and equal due times are common */
    r->created_at_ms = w->o.now - (below(w, 2) ? 0 : below(w, 130) * 1000);
    if (below(w, w->scheduled_one_in) == 0) {
        r->mode = MATCH_SCHEDULED;
        r->scheduled_for_ms = random_schedule(w);
    }
    r->expires_at_ms = below(w, 10) ? match_wait_start_ms(r) + 1000 * (1 + below(w, 200)) : 0;
    random_past(w, e);
    e->tried_until = INT64_MIN;
    e->is_in = true;
}

/* Everything anew but the index, which is the test's. */
static inline void world_begin(struct world *w, uint64_t seed)
{
    w->seed = w->random = seed;
    w->o.count = 0;
    w->o.now = T0;
    w->o.rules = random_rules(w);
    w->is_crowded = below(w, 2);
    w->scheduled_one_in = below(w, 3) ? 8 : 2;
}

static inline void fail_seed(const struct world *w, const char *what)
{
    fail_msg("%s differs: repeat with PAIRING_SEED=%llu PAIRING_QUEUES=1", what, (unsigned long long)w->seed);
}

#define CHECK(w, condition, what)   \
    do {                            \
        if (!(condition))           \
            fail_seed((w), (what)); \
    } while (0)

#endif
