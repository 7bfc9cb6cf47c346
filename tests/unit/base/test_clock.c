#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "conversation/base/clock.h"

#define MS_PER_DAY INT64_C(86400000)

static void libc_iso(int64_t at_ms, char out[64])
{
    time_t seconds = at_ms / 1000 - (at_ms % 1000 < 0);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    snprintf(out, 64, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(at_ms - seconds * 1000));
}

static void assert_agrees_with_libc(int64_t at_ms)
{
    char want[64], got[CLOCK_ISO_LENGTH + 1];
    int64_t back = -1;
    libc_iso(at_ms, want);
    clock_format_iso(at_ms, got);
    if (strcmp(want, got) != 0)
        fail_msg("%lld: %s, not %s", (long long)at_ms, got, want);
    if (!clock_parse_iso(str_of(got), &back) || back != at_ms)
        fail_msg("%s reads back as %lld", got, (long long)back);
}

static void agrees_with_libc_on_every_day(void **state)
{
    (void)state;
    for (int64_t day = -719528; day < 2932897; day++) /* 0000-01-01 to 9999-12-31 */
        assert_agrees_with_libc(day * MS_PER_DAY + (day * 7919) % MS_PER_DAY * (day % 2 ? 1 : 0) * (day > 0));
    assert_agrees_with_libc(0);
    assert_agrees_with_libc(-1);
    assert_agrees_with_libc(1736937000123);
}

static void clamps_to_four_digit_years(void **state)
{
    (void)state;
    char got[CLOCK_ISO_LENGTH + 1];
    clock_format_iso(INT64_MAX, got);
    assert_string_equal(got, "9999-12-31T23:59:59.999Z");
    clock_format_iso(INT64_MIN, got);
    assert_string_equal(got, "0000-01-01T00:00:00.000Z");
}

static void reads_fractions_and_offsets(void **state)
{
    (void)state;
    static const struct {
        const char *text, *same;
    } cases[] = {
        {"2025-01-15T10:30:00Z", "2025-01-15T10:30:00.000Z"},
        {"2025-01-15t10:30:00z", "2025-01-15T10:30:00.000Z"},
        {"2025-01-15T10:30:00.1Z", "2025-01-15T10:30:00.100Z"},
        {"2025-01-15T10:30:00.1239999999999Z", "2025-01-15T10:30:00.123Z"},
        {"2025-01-15T10:30:00+02:00", "2025-01-15T08:30:00.000Z"},
        {"2025-01-15T10:30:00.5-05:30", "2025-01-15T16:00:00.500Z"},
        {"2025-01-01T00:00:00+00:01", "2024-12-31T23:59:00.000Z"},
        {"2024-02-29T23:59:59-00:01", "2024-03-01T00:00:59.000Z"},
        {"2000-02-29T00:00:00-00:00", "2000-02-29T00:00:00.000Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t at_ms;
        char got[CLOCK_ISO_LENGTH + 1];
        assert_true(clock_parse_iso(str_of(cases[i].text), &at_ms));
        clock_format_iso(at_ms, got);
        assert_string_equal(got, cases[i].same);
    }
}

static void refuses_what_is_no_date_time(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2025",
        "2025-01-15",
        "2025-01-15T10:30Z",
        "2025-01-15T10:30:00",
        "2025-01-15 10:30:00Z",
        "2025-01-15T10:30:00.Z",
        "2025-01-15T10:30:00,5Z",
        "2025-01-15T10:30:00ZZ",
        "2025-01-15T10:30:00Z ",
        " 2025-01-15T10:30:00Z",
        "2025-00-15T10:30:00Z",
        "2025-13-15T10:30:00Z",
        "2025-01-00T10:30:00Z",
        "2025-01-32T10:30:00Z",
        "2025-02-29T10:30:00Z",
        "1900-02-29T10:30:00Z",
        "2025-04-31T10:30:00Z",
        "2025-01-15T24:00:00Z",
        "2025-01-15T10:60:00Z",
        "2025-01-15T10:30:60Z",
        "2025-01-15T10:30:00+24:00",
        "2025-01-15T10:30:00+02:60",
        "2025-01-15T10:30:00+0200",
        "2025-01-15T10:30:00+2:00",
        "+025-01-15T10:30:00Z",
        "25-01-15T10:30:00Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t at_ms = 4711;
        if (clock_parse_iso(str_of(bad[i]), &at_ms))
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(at_ms, 4711);
    }
}

static void weeks_start_on_monday(void **state)
{
    (void)state;
    int64_t monday;
    assert_true(clock_parse_iso(STR("2025-01-13T00:00:00Z"), &monday));
    assert_int_equal(clock_week_start_ms(monday), monday);
    assert_int_equal(clock_week_start_ms(monday + 7 * MS_PER_DAY - 1), monday);
    assert_int_equal(clock_week_start_ms(monday - 1), monday - 7 * MS_PER_DAY);
    for (int64_t day = -1000; day < 1000; day++) {
        time_t start = (time_t)(clock_week_start_ms(day * MS_PER_DAY + 12345) / 1000);
        struct tm tm;
        gmtime_r(&start, &tm);
        assert_int_equal(tm.tm_wday, 1);
        assert_int_equal(tm.tm_hour + tm.tm_min + tm.tm_sec, 0);
        assert_in_range(day - start / 86400, 0, 6);
    }
}

static void is_constant_between_updates(void **state)
{
    (void)state;
    struct timespec pause = {.tv_nsec = 3000000};
    int64_t now = clock_now_ms(), mono = clock_mono_ms();
    nanosleep(&pause, NULL);
    assert_int_equal(clock_now_ms(), now);
    assert_int_equal(clock_mono_ms(), mono);
    clock_update();
    nanosleep(&pause, NULL); /* the reading is taken after the sleep, not before it */
    time_t earlier = time(NULL);
    assert_true(clock_mono_ms() >= mono + 6);
    assert_in_range(clock_now_ms() / 1000, earlier, time(NULL) + 1); /* time() may be a tick behind */
}

static void test_clock_stays(void **state)
{
    (void)state;
    clock_set_for_test(1000, 50);
    clock_update();
    assert_int_equal(clock_now_ms(), 1000);
    assert_int_equal(clock_mono_ms(), 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_libc_on_every_day),
        cmocka_unit_test(clamps_to_four_digit_years),
        cmocka_unit_test(reads_fractions_and_offsets),
        cmocka_unit_test(refuses_what_is_no_date_time),
        cmocka_unit_test(weeks_start_on_monday),
        cmocka_unit_test(is_constant_between_updates),
        cmocka_unit_test(test_clock_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
