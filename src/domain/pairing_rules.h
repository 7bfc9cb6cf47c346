/* The terms on which two requests may be paired, apart from who the two users are. Private to domain/. */
#ifndef CONVERSATION_DOMAIN_PAIRING_RULES_H
#define CONVERSATION_DOMAIN_PAIRING_RULES_H

#include "conversation/domain/pairing.h"

#include "match_traits.h"

/* The same code, one the dotted parent of the other, or a pair of the table (which is symmetric). */
bool pairing_topics_are_related(const struct pairing_rules *rules, const char *a, const char *b);

/* For each of the terms the first phase in which it lets two such requests meet; PHASE_COUNT: never. */
struct pairing_bounds {
    enum match_phase language, tandem, topic, level;
};

struct pairing_bounds pairing_bounds_of(const struct match_traits *a, const struct match_traits *b,
                                        bool topics_are_related);

/* The first phase in which two such requests may meet, the score left aside; PHASE_COUNT: never. */
enum match_phase pairing_first_phase(const struct match_traits *a, const struct match_traits *b,
                                     bool topics_are_related);

/* The phase after a wait. */
enum match_phase pairing_phase_of(const struct pairing_rules *rules, int64_t waited_ms);

int pairing_min_score(const struct pairing_rules *rules, enum match_phase phase);

/* When a request is in the any-level phase whatever its wait, because it is about to expire; INT64_MAX:
 * never. */
int64_t pairing_last_pass_at_ms(const struct pairing_rules *rules, int64_t expires_at_ms);

#endif
