/* Why a request has no partner yet, and what would change that (docs/matchmaking.md, "Why nobody yet"). */
#ifndef CONVERSATION_DOMAIN_PAIRING_EXPLAIN_H
#define CONVERSATION_DOMAIN_PAIRING_EXPLAIN_H

#include "conversation/domain/pairing.h"

/* What can keep two apart, in the order in which they are looked at: a request counts for the first that
 * does. That somebody is blocked or reported, whoever did it, is not told: it would tell a learner that
 * somebody who has blocked them is waiting. Such a one counts for what else speaks against it, and without
 * that as one of another language: as somebody with whom nothing can be done. */
enum pairing_constraint {
    CONSTRAINT_LANGUAGE, /* neither the same target language nor crossed for a tandem */
    CONSTRAINT_TIME,     /* scheduled ones only: more than PAIRING_AHEAD_MS apart */
    CONSTRAINT_TANDEM,   /* one of them seeks a tandem, and plain practice not yet */
    CONSTRAINT_TOPIC,
    CONSTRAINT_LEVEL,
    CONSTRAINT_SCORE,
    CONSTRAINT_COUNT
};
extern const char *const pairing_constraint_names[]; /* "LANGUAGE"… */

/* So many kinds of request and so many single requests are looked at for one explanation: it bounds the time.
 */
#define PAIRING_EXPLAIN_LOOKS_MAX 5000
#define PAIRING_EXPLAIN_TOPICS    3

struct pairing_outlook {
    enum match_phase phase;
    int64_t at_ms;
    size_t admits; /* of those who wait now, those who fit by then, were it only for this request's wait */
};

struct pairing_topic_outlook {
    char code[TOPIC_MAX];
    size_t more;
};

/* "Others" are the waiting requests, or for one that sleeps, the scheduled requests that sleep too. */
struct pairing_explanation {
    int64_t now_ms, wait_start_ms, expires_at_ms;
    bool is_asleep; /* scheduled, and its time has not come */
    bool is_exact;  /* false: there were too many to look at; those left out count as strangers, or not at all
                     */
    enum match_phase phase;
    enum level level;
    enum partner_level wish;
    enum topic_category category;

    size_t others;                      /* of every language */
    size_t candidates;                  /* of its language, or crossed when both seek a tandem */
    size_t eligible;                    /* candidates nothing speaks against; usually 0 */
    size_t excluded[CONSTRAINT_COUNT];  /* by the first that speaks against; with `eligible`: all others */
    size_t only_this[CONSTRAINT_COUNT]; /* by this one alone; 0 for LANGUAGE and TIME, which are not tried */

    struct pairing_outlook outlooks[PHASE_COUNT]; /* the phases still to come; none while it sleeps */
    size_t outlook_count;

    /* How many more would be eligible now, … */
    size_t more_with_wish[PARTNER_ANY + 1]; /* … with this preferred_partner_level; 0 for its own */
    size_t more_without_tandem;             /* … if a tandem seeker did not seek a tandem */
    size_t more_in_category;                /* … if any topic of its category did */
    struct pairing_topic_outlook topics[PAIRING_EXPLAIN_TOPICS]; /* … for this topic; the most first */
    size_t topic_count;
};

/* False when the request is not in the index. Moves the index to `now_ms` (pairing_advance). */
bool pairing_explain(struct pairing *p, const struct uuid *request_id, int64_t now_ms,
                     struct pairing_explanation *out);

#endif
