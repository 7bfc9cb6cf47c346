/* What a tier may do (docs/api.md, "Tiers and quotas"). Pure. */
#ifndef CONVERSATION_DOMAIN_QUOTA_H
#define CONVERSATION_DOMAIN_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/domain/level.h"

struct quota_limits {
    int free_weekly; /* conversations a calendar week; 0: no limit */
    int max_duration_free_seconds, max_duration_premium_seconds;
};

/* Conversations of the tier a calendar week; 0: no limit. */
int quota_weekly(const struct quota_limits *q, enum tier tier);
/* A further one, when `taken` are used up or may come to be. */
bool quota_allows(const struct quota_limits *q, enum tier tier, int taken);
/* A session lasts as long as its more generous tier allows. */
int quota_session_seconds(const struct quota_limits *q, enum tier a, enum tier b);
/* Next Monday 00:00 UTC after `now_ms`. */
int64_t quota_resets_at_ms(int64_t now_ms);

#endif
