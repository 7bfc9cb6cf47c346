#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/base/clock.h"
#include "conversation/rt/limiter.h"

static void at(int64_t ms)
{
    clock_set_for_test(0, ms);
}

static void bucket_starts_full_and_refills_evenly(void **state)
{
    (void)state;
    struct token_bucket b = {0};
    at(100000);
    for (int i = 0; i < 10; i++)
        assert_true(token_bucket_take(&b, 1, 10, 1000));
    assert_false(token_bucket_take(&b, 1, 10, 1000));
    at(100099);
    assert_false(token_bucket_take(&b, 1, 10, 1000));
    at(100100);
    assert_true(token_bucket_take(&b, 1, 10, 1000));
    assert_false(token_bucket_take(&b, 1, 10, 1000));
    at(200000);
    assert_true(token_bucket_take(&b, 10, 10, 1000));
    assert_false(token_bucket_take(&b, 1, 10, 1000));
}

static void bucket_refuses_without_taking(void **state)
{
    (void)state;
    struct token_bucket b = {0};
    at(5000);
    assert_true(token_bucket_take(&b, 6, 10, 1000));
    assert_false(token_bucket_take(&b, 5, 10, 1000));
    assert_true(token_bucket_take(&b, 4, 10, 1000));
    assert_false(token_bucket_take(&b, 11, 10, 1000));
}

static void bucket_of_no_capacity_is_off(void **state)
{
    (void)state;
    struct token_bucket b = {0};
    at(1);
    for (int i = 0; i < 1000; i++)
        assert_true(token_bucket_take(&b, 1, 0, 1000));
}

/* `limit` in the window, spread over it: the next one waits until the oldest is as old as the window. */
static void assert_limit(int limit, int64_t window_ms)
{
    struct sliding_window *w = sliding_window_new(limit, window_ms);
    struct uuid user = uuid_random();
    int64_t begin = 1000000, last = begin + (limit - 1) * 1000, retry_ms = 0;
    for (int i = 0; i < limit; i++) {
        at(begin + i * 1000);
        assert_true(sliding_window_take(w, &user, &retry_ms));
    }
    assert_false(sliding_window_take(w, &user, &retry_ms));
    assert_int_equal(retry_ms, begin + window_ms - last);
    at(begin + window_ms - 1);
    assert_false(sliding_window_take(w, &user, &retry_ms));
    assert_int_equal(retry_ms, 1);
    at(begin + window_ms);
    assert_true(sliding_window_take(w, &user, &retry_ms));
    assert_false(sliding_window_take(w, &user, &retry_ms)); /* the second one is a second younger */
    assert_int_equal(retry_ms, 1000);
    sliding_window_free(w);
}

static void ten_requests_an_hour_and_five_joins_a_minute(void **state)
{
    (void)state;
    assert_limit(10, 3600000);
    assert_limit(5, 60000);
}

static void window_counts_per_key(void **state)
{
    (void)state;
    struct sliding_window *w = sliding_window_new(3, 1000);
    struct uuid a = uuid_random(), b = uuid_random();
    int64_t retry_ms = -1;
    at(10000);
    assert_true(sliding_window_take(w, &a, &retry_ms));
    at(10400);
    assert_true(sliding_window_take(w, &a, &retry_ms));
    assert_true(sliding_window_take(w, &a, &retry_ms));
    at(10500);
    assert_int_equal(retry_ms, -1);
    assert_false(sliding_window_take(w, &a, &retry_ms));
    assert_int_equal(retry_ms, 500);
    assert_true(sliding_window_take(w, &b, &retry_ms));
    at(10999);
    assert_false(sliding_window_take(w, &a, &retry_ms));
    at(11000);
    assert_true(sliding_window_take(w, &a, &retry_ms));
    assert_false(sliding_window_take(w, &a, &retry_ms));
    assert_int_equal(retry_ms, 400);
    sliding_window_free(w);
}

static void window_without_limit_is_off(void **state)
{
    (void)state;
    struct sliding_window *w = sliding_window_new(0, 1000);
    struct uuid a = uuid_random();
    int64_t retry_ms;
    for (int i = 0; i < 100; i++)
        assert_true(sliding_window_take(w, &a, &retry_ms));
    sliding_window_free(w);
    sliding_window_free(NULL);
}

static void window_agrees_with_an_oracle(void **state)
{
    (void)state;
    enum { KEYS = 20, LIMIT = 4, WINDOW_MS = 300 };
    struct sliding_window *w = sliding_window_new(LIMIT, WINDOW_MS);
    static struct uuid keys[KEYS];
    static int64_t takes[KEYS][100000];
    static int counts[KEYS];
    int64_t now_ms = 1000000;
    srandom(11);
    for (int i = 0; i < KEYS; i++)
        keys[i] = uuid_random();
    for (int step = 0; step < 100000; step++) {
        int k = (int)(random() % KEYS);
        int recent = 0;
        int64_t retry_ms, oldest = 0;
        now_ms += random() % 7;
        at(now_ms);
        for (int i = counts[k] - 1; i >= 0 && takes[k][i] > now_ms - WINDOW_MS; i--) {
            recent++;
            oldest = takes[k][i];
        }
        bool ok = sliding_window_take(w, &keys[k], &retry_ms);
        assert_int_equal(ok, recent < LIMIT);
        if (ok)
            takes[k][counts[k]++] = now_ms;
        else
            assert_int_equal(retry_ms, oldest + WINDOW_MS - now_ms);
    }
    sliding_window_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bucket_starts_full_and_refills_evenly),
        cmocka_unit_test(bucket_refuses_without_taking),
        cmocka_unit_test(bucket_of_no_capacity_is_off),
        cmocka_unit_test(ten_requests_an_hour_and_five_joins_a_minute),
        cmocka_unit_test(window_counts_per_key),
        cmocka_unit_test(window_without_limit_is_off),
        cmocka_unit_test(window_agrees_with_an_oracle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
