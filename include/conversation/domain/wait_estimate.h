/* How long a learner is going to wait (docs/matchmaking.md, "Waiting time"). Pure: no clock, no I/O; memory
 * is bounded by the requests that wait and by the languages.
 *
 * What is estimated is the time from the begin of the wait to its end, by a match or by the expiry, if the
 * learner does not give up before. It is learnt from the waits that ended lately: of the same language, level
 * and topic when there are enough, else of the language and level, else of the language, else of all. Recent
 * waits count more (half after WAIT_HALF_LIFE_MS), and so do those that began with a queue as long as now,
 * and those of tandem seekers for a tandem seeker, and those with the same wish for the partner's level.
 *
 * Waits that were cut off (cancelled, or expired when others may wait longer) say only that it would have
 * taken longer than that; the distribution is the product-limit estimate (Kaplan and Meier, 1958) of both
 * kinds. The interval is the shortest one around the median that holds about the wanted share. What share is
 * wanted so that 80 % come true is learnt from how the intervals given before have fared, for each language
 * and level, and of those apart for tandem seekers and for each wish. */
#ifndef CONVERSATION_DOMAIN_WAIT_ESTIMATE_H
#define CONVERSATION_DOMAIN_WAIT_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/base/uuid.h"
#include "conversation/domain/match.h"

enum {
    WAIT_SECONDS_MAX = 600,  /* longer ones count as this */
    WAIT_LANGUAGES_MAX = 64, /* others are known by the waits of all only */
    WAIT_RING = 512, /* the latest waits that are kept of a language and level, of a language, of all */
    WAIT_HALF_LIFE_MS = 1800000 /* 30 min */
};

enum wait_end {
    WAIT_MATCHED,
    WAIT_EXPIRED,
    WAIT_CANCELLED, /* or lost from sight */
    WAIT_END_COUNT
};
enum wait_source { WAIT_FROM_TOPIC, WAIT_FROM_LEVEL, WAIT_FROM_LANGUAGE, WAIT_FROM_ALL, WAIT_FROM_NOTHING };
extern const char *const wait_source_names[]; /* "topic", "level", "language", "all", "nothing" */

struct wait_key {
    const char *language, *topic; /* borrowed for the call */
    enum level level;
    bool is_tandem_seeker;
    enum partner_level wish;
};

/* Seconds still to wait: 80 % of the waits like this end from `low` to `high`, half of them by `median`. */
struct wait_interval {
    int low, median, high;
    enum wait_source source;
};

struct wait_stats;
struct wait_stats *wait_stats_new(void);
void wait_stats_free(struct wait_stats *s);

/* A request begins to wait. No effect when its id waits already. */
void wait_stats_began(struct wait_stats *s, const struct uuid *id, const struct wait_key *key,
                      int64_t start_ms);
/* It waits no longer. No effect when the id is not known. */
void wait_stats_ended(struct wait_stats *s, const struct uuid *id, int64_t now_ms, enum wait_end end);
/* A wait that ended before this process knew of it; oldest first. */
void wait_stats_learn(struct wait_stats *s, const struct wait_key *key, int64_t ended_at_ms, int64_t wait_ms,
                      enum wait_end end);

/* For a request that has waited `waited_ms` and will wait `max_wait_seconds` in all at most. `id`, if it
 * waits and this is its first estimate, is remembered with it, to learn how the estimate fares; may be NULL.
 */
struct wait_question {
    const struct uuid *id;
    struct wait_key key;
    int64_t waited_ms;
    int max_wait_seconds;
};
struct wait_interval wait_stats_estimate(struct wait_stats *s, const struct wait_question *q, int64_t now_ms);
/* What can be said without having seen any wait: it will end some time before its end. */
struct wait_interval wait_interval_unknown(const struct wait_question *q);

#endif
