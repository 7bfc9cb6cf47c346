/* The wait estimate: from which group, what cut-off waits say, and how it follows what came of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/domain/wait_estimate.h"
#include "requests.h"

#define SECOND 1000

static struct wait_stats *s;

static int setup(void **state)
{
    (void)state;
    s = wait_stats_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wait_stats_free(s);
    return 0;
}

static const struct wait_key travel = {.language = "es", .topic = "travel", .level = LEVEL_B1};

static struct wait_key key(const char *language, enum level level, const char *topic)
{
    return (struct wait_key){.language = language, .topic = topic, .level = level};
}

/* `n` waits of `seconds` that ended just now. */
static void learn(const struct wait_key *k, int n, int seconds, enum wait_end end)
{
    for (int i = 0; i < n; i++)
        wait_stats_learn(s, k, T0, seconds * SECOND, end);
}

static struct wait_interval ask(const struct wait_key *k, int waited_seconds)
{
    const struct wait_question q = {.key = *k, .waited_ms = waited_seconds * SECOND, .max_wait_seconds = 120};
    return wait_stats_estimate(s, &q, T0);
}

static void without_any_wait_it_is_anything(void **state)
{
    (void)state;
    struct wait_interval e = ask(&travel, 0);
    assert_true(e.low == 0 && e.median == 60 && e.high == 120);
    assert_int_equal(e.source, WAIT_FROM_NOTHING);
    e = ask(&travel, 100);
    assert_true(e.low == 0 && e.median == 10 && e.high == 20);
}

static void it_comes_from_the_narrowest_group_with_enough(void **state)
{
    (void)state;
    const struct wait_key french = key("fr", LEVEL_A1, "work"), c1 = key("es", LEVEL_C1, "work"),
                          work = key("es", LEVEL_B1, "work");
    learn(&french, 100, 90, WAIT_MATCHED);
    assert_int_equal(ask(&travel, 0).source, WAIT_FROM_ALL);
    assert_int_equal(ask(&travel, 0).median, 90);
    learn(&c1, 100, 70, WAIT_MATCHED);
    assert_int_equal(ask(&travel, 0).source, WAIT_FROM_LANGUAGE);
    assert_int_equal(ask(&travel, 0).median, 70);
    learn(&work, 100, 50, WAIT_MATCHED);
    assert_int_equal(ask(&travel, 0).source, WAIT_FROM_LEVEL);
    assert_int_equal(ask(&travel, 0).median, 50);
    learn(&travel, 100, 20, WAIT_MATCHED);
    assert_int_equal(ask(&travel, 0).source, WAIT_FROM_TOPIC);
    assert_int_equal(ask(&travel, 0).median, 20);
}

static void the_interval_holds_eighty_percent(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++)
        learn(&travel, 1, i % 100, WAIT_MATCHED);
    struct wait_interval e = ask(&travel, 0);
    assert_in_range(e.high - e.low + 1, 76, 84);
    assert_in_range(e.median, 48, 52);
}

/* Half of them cancelled at 10 s: of those who went on, half were matched at 20 s, half at 40 s. */
static void cut_off_waits_do_not_shorten_the_estimate(void **state)
{
    (void)state;
    learn(&travel, 200, 10, WAIT_CANCELLED);
    learn(&travel, 100, 20, WAIT_MATCHED);
    learn(&travel, 105, 40, WAIT_MATCHED);
    struct wait_interval e = ask(&travel, 0);
    assert_true(e.low == 20 && e.median == 40 && e.high == 40);
}

static void who_is_never_matched_waits_to_the_end(void **state)
{
    (void)state;
    learn(&travel, 100, 120, WAIT_EXPIRED);
    struct wait_interval e = ask(&travel, 0);
    assert_true(e.low == 120 && e.median == 120 && e.high == 120);
}

static void what_has_been_waited_counts(void **state)
{
    (void)state;
    learn(&travel, 100, 5, WAIT_MATCHED);
    learn(&travel, 100, 60, WAIT_MATCHED);
    assert_int_equal(ask(&travel, 0).low, 5);
    struct wait_interval e = ask(&travel, 20);
    assert_true(e.low == 40 && e.median == 40 && e.high == 40);
    e = ask(&travel, 120);
    assert_true(e.low == 0 && e.high == 0);
}

static void old_waits_fade(void **state)
{
    (void)state;
    learn(&travel, 60, 100, WAIT_MATCHED);
    for (int i = 0; i < 40; i++)
        wait_stats_learn(s, &travel, T0 + 2 * WAIT_HALF_LIFE_MS, 10 * SECOND, WAIT_MATCHED);
    const struct wait_question q = {.key = travel, .max_wait_seconds = 120};
    assert_int_equal(wait_stats_estimate(s, &q, T0 + 2 * WAIT_HALF_LIFE_MS).median, 10);
}

static void tandem_seekers_have_waits_of_their_own(void **state)
{
    (void)state;
    struct wait_key tandem = travel;
    tandem.is_tandem_seeker = true;
    learn(&travel, 200, 10, WAIT_MATCHED);
    learn(&tandem, 200, 80, WAIT_MATCHED);
    assert_int_equal(ask(&travel, 0).median, 10);
    assert_int_equal(ask(&tandem, 0).median, 80);
}

/* --- requests that wait --- */

static void wait_for(unsigned n, int seconds, enum wait_end end)
{
    struct uuid id = id_of(n);
    wait_stats_began(s, &id, &travel, T0 - seconds * SECOND);
    wait_stats_ended(s, &id, T0, end);
}

static void ended_waits_are_learnt(void **state)
{
    (void)state;
    struct uuid unknown = id_of(99999);
    for (unsigned i = 0; i < 100; i++)
        wait_for(i, 33, WAIT_MATCHED);
    wait_stats_ended(s, &unknown, T0, WAIT_MATCHED);
    struct wait_interval e = ask(&travel, 0);
    assert_true(e.low == 33 && e.median == 33 && e.high == 33);
    assert_int_equal(e.source, WAIT_FROM_TOPIC);
}

/* Alone in the queue one waits 60 s, with ten others 5 s. */
static void the_queue_counts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        wait_for(i, 60, WAIT_MATCHED);
    for (unsigned i = 0; i < 10; i++) {
        struct uuid id = id_of(1000 + i);
        wait_stats_began(s, &id, &travel, T0);
    }
    for (unsigned i = 0; i < 100; i++)
        wait_for(i, 5, WAIT_MATCHED);
    assert_int_equal(ask(&travel, 0).median, 5);
    for (unsigned i = 0; i < 10; i++) {
        struct uuid id = id_of(1000 + i);
        wait_stats_ended(s, &id, T0, WAIT_CANCELLED);
    }
    assert_int_equal(ask(&travel, 0).median, 60);
}

/* Waits grow from day to day faster than old ones fade: the promises of the curve alone would hold too
 * seldom. */
static void promises_that_break_make_wider_ones(void **state)
{
    (void)state;
    uint64_t random = 5;
    int held = 0, asked = 0;
    for (unsigned i = 0; i < 3000; i++) {
        struct uuid id = id_of(i);
        int64_t now = T0 + i * INT64_C(2000);
        int seconds = (int)(i / 40) + (int)random_below(&random, 30);
        const struct wait_question q = {.id = &id, .key = travel, .max_wait_seconds = 300};
        wait_stats_began(s, &id, &travel, now);
        struct wait_interval e = wait_stats_estimate(s, &q, now);
        wait_stats_ended(s, &id, now + seconds * SECOND, WAIT_MATCHED);
        if (i >= 1000) {
            asked++;
            held += seconds >= e.low && seconds <= e.high;
        }
    }
    assert_in_range(100 * held / asked, 75, 85);
}

/* More languages than there is room for, longer waits than the curve, empty lives: nothing breaks. */
static void bounds_are_kept(void **state)
{
    (void)state;
    for (int i = 0; i < 3 * WAIT_LANGUAGES_MAX; i++) {
        char language[LANG_MAX];
        snprintf(language, sizeof language, "x%hd", (short)i);
        const struct wait_key k = key(language, LEVEL_C2, "travel");
        struct uuid id = id_of((unsigned)i);
        wait_stats_began(s, &id, &k, T0 - 10000 * SECOND);
        wait_stats_began(s, &id, &k, T0); /* known already */
        wait_stats_ended(s, &id, T0, WAIT_MATCHED);
    }
    const struct wait_key last = key("last", LEVEL_C2, "travel");
    assert_int_equal(ask(&last, 0).source, WAIT_FROM_ALL);
    assert_int_equal(ask(&last, 0).high, 120);
    const struct wait_question none = {.key = last, .max_wait_seconds = 0};
    assert_int_equal(wait_stats_estimate(s, &none, T0).high, 0);
    struct uuid left = id_of(5000000);
    wait_stats_began(s, &left, &travel, T0); /* freed with the rest */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(without_any_wait_it_is_anything),
        TEST(it_comes_from_the_narrowest_group_with_enough),
        TEST(the_interval_holds_eighty_percent),
        TEST(cut_off_waits_do_not_shorten_the_estimate),
        TEST(who_is_never_matched_waits_to_the_end),
        TEST(what_has_been_waited_counts),
        TEST(old_waits_fade),
        TEST(tandem_seekers_have_waits_of_their_own),
        TEST(ended_waits_are_learnt),
        TEST(the_queue_counts),
        TEST(promises_that_break_make_wider_ones),
        TEST(bounds_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
