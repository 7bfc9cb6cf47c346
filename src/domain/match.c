/* The score of a pair and the phases of the wait (docs/matchmaking.md). Every part is symmetric in the two
 * requests. */
#include "conversation/domain/match.h"

#include <stdlib.h>
#include <string.h>

#include "match_traits.h"

const char *const match_status_names[] = {"pending", "matched", "expired", "cancelled", NULL};
const char *const partner_level_names[] = {"same", "higher", "lower", "any", NULL};
const char *const match_mode_names[] = {"now", "scheduled", NULL};
const char *const match_phase_names[] = {"strict", "level", "category", "any_level", NULL};
const int64_t match_phase_start_ms[PHASE_COUNT] = {0, 30000, 60000, 120000};

#define RECENT_MS (7 * INT64_C(86400000))

enum {
    POINTS_LEVEL_EXACT = 50,
    POINTS_LEVEL_NEAR = 30,
    POINTS_TANDEM = 100,
    POINTS_ACCENT = 20,
    POINTS_PREMIUM = 50
};

struct match_traits match_traits_of(const struct match_request *r)
{
    return (struct match_traits){.target_language = r->target_language,
                                 .native_language = r->native_language,
                                 .topic_code = r->topic_code,
                                 .preferred_accent = r->preferred_accent,
                                 .category = r->topic_category,
                                 .level = r->level,
                                 .preferred_partner_level = r->preferred_partner_level,
                                 .tier = r->tier,
                                 .is_tandem_seeker = match_is_tandem_seeker(r),
                                 .history_is_known = r->history_is_known};
}

bool match_traits_cross(const struct match_traits *a, const struct match_traits *b)
{
    return a->is_tandem_seeker && b->is_tandem_seeker &&
           language_is_same(a->native_language, b->target_language) &&
           language_is_same(b->native_language, a->target_language);
}

/* How far `partner` is from the wish of `t`. */
static int one_distance(const struct match_traits *t, enum level partner, bool any_is_free)
{
    int wished = (int)t->level;
    switch (t->preferred_partner_level) {
    case PARTNER_HIGHER: wished = wished == LEVEL_C2 ? LEVEL_C2 : wished + 1; break;
    case PARTNER_LOWER: wished = wished == LEVEL_A1 ? LEVEL_A1 : wished - 1; break;
    case PARTNER_ANY:
        if (any_is_free)
            return 0;
        break;
    case PARTNER_SAME: break;
    }
    return abs(wished - (int)partner);
}

int match_traits_distance(const struct match_traits *a, const struct match_traits *b, bool any_is_free)
{
    int of_a = one_distance(a, b->level, any_is_free), of_b = one_distance(b, a->level, any_is_free);
    return of_a > of_b ? of_a : of_b;
}

int match_traits_score(const struct match_traits *a, const struct match_traits *b)
{
    int score = 0, distance = match_traits_distance(a, b, false);
    if (distance == 0)
        score += POINTS_LEVEL_EXACT;
    else if (distance == 1)
        score += POINTS_LEVEL_NEAR;
    if (match_traits_cross(a, b))
        score += POINTS_TANDEM;
    if (a->preferred_accent[0] && strcmp(a->preferred_accent, b->preferred_accent) == 0)
        score += POINTS_ACCENT;
    if (a->tier == TIER_PREMIUM || b->tier == TIER_PREMIUM)
        score += POINTS_PREMIUM;
    return score;
}

int match_history_points(enum match_history history)
{
    switch (history) {
    case HISTORY_UNKNOWN: return 0;
    case HISTORY_WITHIN_7_DAYS: return 10;
    case HISTORY_NOT_RECENT: return 30;
    case HISTORY_OLDER: return 40;
    case HISTORY_NEVER: return MATCH_HISTORY_POINTS_MAX;
    }
    return 0;
}

enum match_history match_history_at(int64_t last_spoke_at_ms, int64_t now_ms)
{
    if (last_spoke_at_ms == 0)
        return HISTORY_NEVER;
    return now_ms - last_spoke_at_ms < RECENT_MS ? HISTORY_WITHIN_7_DAYS : HISTORY_OLDER;
}

/* When `r` last spoke to `user_id`, or 0. */
static int64_t last_spoke(const struct match_request *r, const struct uuid *user_id)
{
    int64_t last = 0;
    for (size_t i = 0; r->history_is_known && i < r->history_count; i++) {
        if (uuid_eq(&r->history[i].user_id, user_id) && r->history[i].last_spoke_at_ms > last)
            last = r->history[i].last_spoke_at_ms;
    }
    return last;
}

enum match_history match_history_of(const struct match_request *a, const struct match_request *b,
                                    int64_t now_ms)
{
    if (!a->history_is_known && !b->history_is_known)
        return HISTORY_UNKNOWN;
    int64_t of_a = last_spoke(a, &b->user_id), of_b = last_spoke(b, &a->user_id);
    return match_history_at(of_a > of_b ? of_a : of_b, now_ms);
}

int match_score(const struct match_request *a, const struct match_request *b, enum match_history history)
{
    struct match_traits of_a = match_traits_of(a), of_b = match_traits_of(b);
    return match_traits_score(&of_a, &of_b) + match_history_points(history);
}
