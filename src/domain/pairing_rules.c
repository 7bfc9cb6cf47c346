/* Who may be paired (docs/matchmaking.md, "Who may be paired"). */
#include "pairing_rules.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define STRICT_MIN_SCORE 100

static bool is_parent(const char *parent, const char *child)
{
    const char *dot = strrchr(child, '.');
    size_t n = dot ? (size_t)(dot - child) : 0;
    return n > 0 && strlen(parent) == n && memcmp(parent, child, n) == 0;
}

bool pairing_topics_are_related(const struct pairing_rules *rules, const char *a, const char *b)
{
    if (strcmp(a, b) == 0 || is_parent(a, b) || is_parent(b, a))
        return true;
    for (size_t i = 0; i < rules->compatible_count; i++) {
        const struct topic_pair *pair = &rules->compatible[i];
        if ((strcmp(pair->a, a) == 0 && strcmp(pair->b, b) == 0) ||
            (strcmp(pair->a, b) == 0 && strcmp(pair->b, a) == 0))
            return true;
    }
    return false;
}

static enum match_phase later(enum match_phase a, enum match_phase b)
{
    return a > b ? a : b;
}

struct pairing_bounds pairing_bounds_of(const struct match_traits *a, const struct match_traits *b,
                                        bool topics_are_related)
{
    struct pairing_bounds bounds = {PHASE_STRICT, PHASE_STRICT, PHASE_STRICT, PHASE_STRICT};
    if (!match_traits_cross(a, b)) {
        if (strcmp(a->target_language, b->target_language) != 0)
            bounds.language = PHASE_COUNT;
        if (a->is_tandem_seeker || b->is_tandem_seeker)
            bounds.tandem = PHASE_CATEGORY; /* plain practice is the seeker's second best */
    }
    if (!topics_are_related)
        bounds.topic = a->category == b->category ? PHASE_CATEGORY : PHASE_COUNT;
    int distance = match_traits_distance(a, b, true);
    if (distance > 0)
        bounds.level = distance == 1 ? PHASE_LEVEL : PHASE_ANY_LEVEL;
    return bounds;
}

enum match_phase pairing_first_phase(const struct match_traits *a, const struct match_traits *b,
                                     bool topics_are_related)
{
    struct pairing_bounds bounds = pairing_bounds_of(a, b, topics_are_related);
    return later(later(bounds.language, bounds.tandem), later(bounds.topic, bounds.level));
}

int pairing_min_score(const struct pairing_rules *rules, enum match_phase phase)
{
    if (phase == PHASE_STRICT)
        return STRICT_MIN_SCORE;
    return phase == PHASE_ANY_LEVEL ? INT_MIN : rules->min_score;
}

int64_t pairing_phase_start_ms(const struct pairing_rules *rules, enum match_phase phase)
{
    return rules->phase_start_ms ? rules->phase_start_ms[phase] : match_phase_start_ms[phase];
}

enum match_phase pairing_phase_of(const struct pairing_rules *rules, int64_t waited_ms)
{
    enum match_phase phase = PHASE_STRICT;
    while (phase + 1 < PHASE_COUNT && waited_ms >= pairing_phase_start_ms(rules, phase + 1))
        phase++;
    return phase;
}

int64_t pairing_last_pass_at_ms(const struct pairing_rules *rules, int64_t expires_at_ms)
{
    return expires_at_ms ? expires_at_ms - rules->last_pass_ms : INT64_MAX;
}

static enum match_phase phase_at(const struct pairing_rules *rules, const struct match_request *r,
                                 int64_t now_ms)
{
    if (now_ms >= pairing_last_pass_at_ms(rules, r->expires_at_ms))
        return PHASE_ANY_LEVEL;
    return pairing_phase_of(rules, now_ms - match_wait_start_ms(r));
}

static bool excludes(const struct match_request *r, const struct uuid *user_id)
{
    for (size_t i = 0; i < r->excluded_count; i++) {
        if (uuid_eq(&r->excluded[i], user_id))
            return true;
    }
    return false;
}

static struct pairing_ticket ticket_of(const struct match_request *r)
{
    struct pairing_ticket t = {.request_id = r->id,
                               .user_id = r->user_id,
                               .wait_start_ms = match_wait_start_ms(r),
                               .expires_at_ms = r->expires_at_ms,
                               .tier = r->tier};
    memcpy(t.target_language, r->target_language, sizeof t.target_language);
    return t;
}

static int64_t later_of(int64_t a_ms, int64_t b_ms)
{
    return a_ms > b_ms ? a_ms : b_ms;
}

/* Both scheduled, neither one's time has come, and the times are near each other. */
static bool may_meet_ahead(const struct match_request *a, const struct match_request *b, int64_t now_ms)
{
    return a->scheduled_for_ms && b->scheduled_for_ms && now_ms < a->scheduled_for_ms &&
           now_ms < b->scheduled_for_ms &&
           llabs(a->scheduled_for_ms - b->scheduled_for_ms) <= PAIRING_AHEAD_MS;
}

bool pairing_admits(const struct pairing_rules *rules, const struct match_request *a,
                    const struct match_request *b, int64_t now_ms, struct pairing_pair *out)
{
    int64_t later_start_ms = later_of(match_wait_start_ms(a), match_wait_start_ms(b));
    bool is_ahead = may_meet_ahead(a, b, now_ms);
    if (now_ms < later_start_ms && !is_ahead)
        return false;
    if (uuid_eq(&a->user_id, &b->user_id) || excludes(a, &b->user_id) || excludes(b, &a->user_id))
        return false;
    struct match_traits of_a = match_traits_of(a), of_b = match_traits_of(b);
    enum match_phase phase =
        is_ahead ? PHASE_STRICT : later(phase_at(rules, a, now_ms), phase_at(rules, b, now_ms));
    if (phase <
        pairing_first_phase(&of_a, &of_b, pairing_topics_are_related(rules, a->topic_code, b->topic_code)))
        return false;
    int score = match_score(a, b, match_history_of(a, b, is_ahead ? later_start_ms : now_ms));
    if (score < pairing_min_score(rules, phase))
        return false;
    bool a_is_first = match_is_before(a, b);
    *out = (struct pairing_pair){.first = ticket_of(a_is_first ? a : b),
                                 .second = ticket_of(a_is_first ? b : a),
                                 .score = score,
                                 .level_difference = abs((int)a->level - (int)b->level),
                                 .is_tandem = match_traits_cross(&of_a, &of_b),
                                 .is_any_level = phase == PHASE_ANY_LEVEL,
                                 .is_ahead = is_ahead,
                                 .scheduled_at_ms = is_ahead ? later_start_ms : 0,
                                 .phase = phase};
    return true;
}
