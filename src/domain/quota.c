/* What a tier may do: conversations a week, and how long one lasts. */
#include "conversation/domain/quota.h"

#include "conversation/base/clock.h"

#define WEEK_MS (7 * INT64_C(86400000))

int quota_weekly(const struct quota_limits *q, enum tier tier)
{
    return tier == TIER_PREMIUM ? 0 : q->free_weekly;
}

bool quota_allows(const struct quota_limits *q, enum tier tier, int taken)
{
    int limit = quota_weekly(q, tier);
    return limit == 0 || taken < limit;
}

static int seconds_of(const struct quota_limits *q, enum tier tier)
{
    return tier == TIER_PREMIUM ? q->max_duration_premium_seconds : q->max_duration_free_seconds;
}

int quota_session_seconds(const struct quota_limits *q, enum tier a, enum tier b)
{
    int seconds_a = seconds_of(q, a), seconds_b = seconds_of(q, b);
    return seconds_a > seconds_b ? seconds_a : seconds_b;
}

int64_t quota_resets_at_ms(int64_t now_ms)
{
    return clock_week_start_ms(now_ms) + WEEK_MS;
}
