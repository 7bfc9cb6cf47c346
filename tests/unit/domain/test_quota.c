#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conversation/base/clock.h"
#include "conversation/domain/quota.h"

static const struct quota_limits limits = {
    .free_weekly = 3, .max_duration_free_seconds = 900, .max_duration_premium_seconds = 3600};

static void free_has_three_a_week(void **state)
{
    (void)state;
    assert_true(quota_allows(&limits, TIER_FREE, 0));
    assert_true(quota_allows(&limits, TIER_FREE, 2));
    assert_false(quota_allows(&limits, TIER_FREE, 3));
    assert_false(quota_allows(&limits, TIER_FREE, 100));
    assert_true(quota_allows(&limits, TIER_PREMIUM, 100));
}

static void the_weekly_number_is_the_free_tiers(void **state)
{
    (void)state;
    assert_int_equal(quota_weekly(&limits, TIER_FREE), 3);
    assert_int_equal(quota_weekly(&limits, TIER_PREMIUM), 0);
}

static void zero_is_no_limit(void **state)
{
    (void)state;
    struct quota_limits open = limits;
    open.free_weekly = 0;
    assert_true(quota_allows(&open, TIER_FREE, 1000));
}

static void the_more_generous_tier_decides_the_length(void **state)
{
    (void)state;
    assert_int_equal(quota_session_seconds(&limits, TIER_FREE, TIER_FREE), 900);
    assert_int_equal(quota_session_seconds(&limits, TIER_FREE, TIER_PREMIUM), 3600);
    assert_int_equal(quota_session_seconds(&limits, TIER_PREMIUM, TIER_FREE), 3600);
    assert_int_equal(quota_session_seconds(&limits, TIER_PREMIUM, TIER_PREMIUM), 3600);
}

static int64_t at(const char *iso)
{
    int64_t ms = 0;
    assert_true(clock_parse_iso(str_of(iso), &ms));
    return ms;
}

static void it_resets_on_monday(void **state)
{
    (void)state;
    int64_t monday = at("2025-01-20T00:00:00.000Z");
    assert_int_equal(quota_resets_at_ms(at("2025-01-13T00:00:00.000Z")), monday);
    assert_int_equal(quota_resets_at_ms(at("2025-01-15T10:30:00.000Z")), monday);
    assert_int_equal(quota_resets_at_ms(at("2025-01-19T23:59:59.999Z")), monday);
    assert_int_equal(quota_resets_at_ms(monday), at("2025-01-27T00:00:00.000Z"));
    assert_int_equal(quota_resets_at_ms(at("2024-12-31T12:00:00.000Z")), at("2025-01-06T00:00:00.000Z"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_has_three_a_week), cmocka_unit_test(the_weekly_number_is_the_free_tiers),
        cmocka_unit_test(zero_is_no_limit),      cmocka_unit_test(the_more_generous_tier_decides_the_length),
        cmocka_unit_test(it_resets_on_monday),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
