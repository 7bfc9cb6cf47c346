/* What the score needs of a request besides its history: the part that the pairing index shares among all the
 * requests that have it in common. Private to domain/. */
#ifndef CONVERSATION_DOMAIN_MATCH_TRAITS_H
#define CONVERSATION_DOMAIN_MATCH_TRAITS_H

#include <stdbool.h>

#include "conversation/domain/match.h"

struct match_traits {
    const char *target_language, *native_language, *topic_code, *preferred_accent; /* borrowed */
    enum topic_category category;
    enum level level;
    enum partner_level preferred_partner_level;
    enum tier tier;
    bool is_tandem_seeker;
    bool history_is_known;
};

#define MATCH_HISTORY_POINTS_MAX 50

struct match_traits match_traits_of(const struct match_request *r); /* borrows the request's strings */

/* Both ask for tandem and each one's native language is the other's target. */
bool match_traits_cross(const struct match_traits *a, const struct match_traits *b);

/* How far the partner's level is from the wish of either side, the larger of both. With `any_is_free`, a side
 * that takes any level counts as satisfied; without, it is judged like `same`. */
int match_traits_distance(const struct match_traits *a, const struct match_traits *b, bool any_is_free);

/* The score without the history's points. */
int match_traits_score(const struct match_traits *a, const struct match_traits *b);
int match_history_points(enum match_history history);

/* What two last talks make, `now_ms` being now: 0 is "never", for sides whose list is known. */
enum match_history match_history_at(int64_t last_spoke_at_ms, int64_t now_ms);

#endif
