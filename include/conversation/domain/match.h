/* Match requests, and the score of a pair (docs/matchmaking.md). Pure. */
#ifndef CONVERSATION_DOMAIN_MATCH_H
#define CONVERSATION_DOMAIN_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/base/uuid.h"
#include "conversation/domain/level.h"
#include "conversation/domain/topic.h"

enum match_status { MATCH_PENDING, MATCH_MATCHED, MATCH_EXPIRED, MATCH_CANCELLED };
extern const char *const match_status_names[];

enum partner_level { PARTNER_SAME, PARTNER_HIGHER, PARTNER_LOWER, PARTNER_ANY };
extern const char *const partner_level_names[];

enum match_mode { MATCH_NOW, MATCH_SCHEDULED };
extern const char *const match_mode_names[];

/* One earlier partner of the asking user. */
struct match_past_partner {
    struct uuid user_id;
    int64_t last_spoke_at_ms;
};

/* A request as stored: everything the score needs, so that a decision needs no I/O. Plain data, copied
 * freely; the two arrays are borrowed from whoever made it. */
struct match_request {
    struct uuid id, user_id, learning_profile_id; /* profile: nil when absent */
    char target_language[LANG_MAX], native_language[LANG_MAX];
    char wanted_native_language[LANG_MAX]; /* "" unless tandem is asked for */
    char topic_code[TOPIC_MAX];
    char preferred_accent[ACCENT_MAX];                  /* "" when none */
    char display_name[NAME_MAX_BYTES], avatar_url[512]; /* of the profile; "" when none */
    enum topic_category topic_category;
    enum level level;
    enum partner_level preferred_partner_level;
    enum tier tier;
    enum match_mode mode;
    enum match_status status;
    bool recording_consent;
    int preferred_duration_minutes; /* 0: none */
    int max_wait_seconds;
    int64_t created_at_ms, expires_at_ms, scheduled_for_ms, matched_at_ms; /* 0: not set */
    int64_t session_scheduled_at_ms;           /* of a session arranged ahead, when matched; 0: none */
    struct uuid session_id, partner_id;        /* nil until matched */
    int compatibility_score, level_difference; /* when matched */

    bool history_is_known;
    const struct match_past_partner *history;
    size_t history_count;
    const struct uuid *excluded; /* blocked or reported, either direction */
    size_t excluded_count;
};

static inline bool match_is_tandem_seeker(const struct match_request *r)
{
    return r->wanted_native_language[0] != '\0';
}

/* When its wait began: creation, or the scheduled time. */
static inline int64_t match_wait_start_ms(const struct match_request *r)
{
    return r->scheduled_for_ms ? r->scheduled_for_ms : r->created_at_ms;
}

/* First come, first served: the earlier begin of the wait, then the smaller id. */
static inline bool match_is_before(const struct match_request *a, const struct match_request *b)
{
    int64_t start_a = match_wait_start_ms(a), start_b = match_wait_start_ms(b);
    return start_a != start_b ? start_a < start_b : uuid_cmp(&a->id, &b->id) < 0;
}

enum match_history {
    HISTORY_UNKNOWN,
    HISTORY_WITHIN_7_DAYS,
    HISTORY_NOT_RECENT,
    HISTORY_OLDER,
    HISTORY_NEVER
};

/* What is known of a and b at `now_ms`: the more recent talk of either side's list. Unknown when neither list
 * is known. */
enum match_history match_history_of(const struct match_request *a, const struct match_request *b,
                                    int64_t now_ms);

/* Symmetric: match_score(a, b, h) == match_score(b, a, h). */
int match_score(const struct match_request *a, const struct match_request *b, enum match_history history);

/* The widening of the criteria with the wait. */
enum match_phase { PHASE_STRICT, PHASE_LEVEL, PHASE_CATEGORY, PHASE_ANY_LEVEL, PHASE_COUNT };
extern const char *const match_phase_names[];           /* "strict", "level", "category", "any_level" */
extern const int64_t match_phase_start_ms[PHASE_COUNT]; /* 0, 30000, 60000, 120000 */

#endif
