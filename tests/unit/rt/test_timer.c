#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/base/clock.h"
#include "conversation/rt/timer.h"

#define TICK_MS INT64_C(8)

/* Each test goes on from where the one before it left the clock: the wheel is one for the process. */
static int64_t now_ms = 1000;

static void set_clock(int64_t ms)
{
    now_ms = ms;
    clock_set_for_test(0, ms);
}

static void advance_to(int64_t ms)
{
    set_clock(ms);
    timer_wheel_advance(ms);
}

struct probe {
    struct timer timer;
    int fired;
    int64_t fired_at_ms;
};

static struct probe *probe_of(struct timer *t)
{
    return container_of(t, struct probe, timer);
}

static void on_fire(struct timer *t)
{
    probe_of(t)->fired++;
    probe_of(t)->fired_at_ms = clock_mono_ms();
}

static int set_up(void **state)
{
    (void)state;
    set_clock((now_ms / 64 + 1) * 64);
    assert_int_equal(timer_wheel_next_ms(), -1);
    return 0;
}

static void fires_once_and_never_early(void **state)
{
    (void)state;
    int64_t start = now_ms;
    struct probe p = {0};
    timer_start(&p.timer, 20, on_fire);
    assert_true(timer_is_running(&p.timer));
    for (int64_t ms = 1; ms < 100; ms++)
        advance_to(start + ms);
    assert_int_equal(p.fired, 1);
    assert_int_equal(p.fired_at_ms, start + 24);
    assert_false(timer_is_running(&p.timer));
}

static void does_not_fire_inside_start(void **state)
{
    (void)state;
    struct probe zero = {0}, negative = {0};
    timer_start(&zero.timer, 0, on_fire);
    timer_start(&negative.timer, -5, on_fire);
    assert_int_equal(zero.fired + negative.fired, 0);
    assert_in_range(timer_wheel_next_ms(), 1, TICK_MS);
    advance_to(now_ms + TICK_MS);
    assert_int_equal(zero.fired, 1);
    assert_int_equal(negative.fired, 1);
}

static void stop_and_restart(void **state)
{
    (void)state;
    int64_t start = now_ms;
    struct probe p = {0};
    timer_stop(&p.timer);
    timer_start(&p.timer, 50, on_fire);
    timer_start(&p.timer, 500, on_fire);
    advance_to(start + 100);
    assert_int_equal(p.fired, 0);
    timer_stop(&p.timer);
    assert_int_equal(timer_wheel_next_ms(), -1);
    advance_to(start + 1000);
    assert_int_equal(p.fired, 0);
    timer_start(&p.timer, 10, on_fire);
    advance_to(start + 1016);
    assert_int_equal(p.fired, 1);
}

static void very_long_times_neither_fire_nor_overflow(void **state)
{
    (void)state;
    struct probe never = {0}, year = {0};
    timer_start(&never.timer, INT64_MAX, on_fire);
    timer_start(&year.timer, INT64_C(365) * 86400000, on_fire);
    advance_to(now_ms + INT64_C(364) * 86400000);
    assert_int_equal(year.fired, 0);
    advance_to(now_ms + INT64_C(2) * 86400000);
    assert_int_equal(year.fired, 1);
    assert_int_equal(never.fired, 0);
    timer_stop(&never.timer);
}

/* --- timers that touch timers --- */

static struct probe group[3];

static void fire_and_stop_the_next(struct timer *t)
{
    on_fire(t);
    timer_stop(&group[1].timer);
}

static void a_firing_timer_may_stop_others_that_are_due(void **state)
{
    (void)state;
    memset(group, 0, sizeof group);
    timer_start(&group[0].timer, 16, fire_and_stop_the_next);
    timer_start(&group[1].timer, 16, on_fire);
    timer_start(&group[2].timer, 16, on_fire);
    advance_to(now_ms + 16);
    assert_int_equal(group[0].fired, 1);
    assert_int_equal(group[1].fired, 0);
    assert_int_equal(group[2].fired, 1);
}

static void fire_and_restart_all(struct timer *t)
{
    on_fire(t);
    timer_start(&group[0].timer, 0, on_fire);
    timer_start(&group[1].timer, 30, on_fire);
}

static void a_firing_timer_may_restart_itself_and_others(void **state)
{
    (void)state;
    int64_t start = now_ms;
    memset(group, 0, sizeof group);
    timer_start(&group[0].timer, 16, fire_and_restart_all);
    timer_start(&group[1].timer, 16, on_fire);
    advance_to(start + 16);
    assert_int_equal(group[1].fired, 0);
    advance_to(start + 24);
    assert_int_equal(group[0].fired, 2);
    advance_to(start + 100);
    assert_int_equal(group[1].fired, 1);
    assert_int_equal(group[1].fired_at_ms, start + 100);
}

static void fire_and_free(struct timer *t)
{
    free(probe_of(t));
}

static void a_firing_timer_may_free_itself(void **state)
{
    (void)state;
    struct probe *p = calloc(1, sizeof *p);
    timer_start(&p->timer, 5, fire_and_free);
    advance_to(now_ms + 16);
    assert_int_equal(timer_wheel_next_ms(), -1);
}

static void fire_and_repeat(struct timer *t)
{
    on_fire(t);
    timer_start(t, 0, fire_and_repeat);
}

static void a_timer_that_repeats_at_once_ends_each_advance(void **state)
{
    (void)state;
    struct probe p = {0};
    timer_start(&p.timer, 0, fire_and_repeat);
    for (int i = 0; i < 10; i++)
        advance_to(now_ms + TICK_MS);
    assert_in_range(p.fired, 10, 20);
    timer_stop(&p.timer);
}

enum { MANY = 200 };
static struct probe many[MANY];
static int64_t last_due_tick;
static int out_of_order;

static void fire_and_check_order(struct timer *t)
{
    int64_t due_tick = (t->due_ms + TICK_MS - 1) / TICK_MS;
    on_fire(t);
    out_of_order += due_tick < last_due_tick;
    last_due_tick = due_tick;
}

static void start_many(void)
{
    memset(many, 0, sizeof many);
    for (int i = 0; i < MANY; i++)
        timer_start(&many[i].timer, (i * 7919) % 1000 * 100 + 1, fire_and_check_order);
}

static void one_long_leap_fires_all_in_order_of_time(void **state)
{
    (void)state;
    last_due_tick = out_of_order = 0;
    start_many();
    advance_to(now_ms + 200000);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(many[i].fired, 1);
    assert_int_equal(out_of_order, 0);
}

static void sleeping_as_told_fires_all_in_time(void **state)
{
    (void)state;
    start_many();
    while (timer_wheel_next_ms() > 0)
        advance_to(now_ms + timer_wheel_next_ms());
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(many[i].fired, 1);
        assert_in_range(many[i].fired_at_ms - many[i].timer.due_ms, 0, TICK_MS - 1);
    }
}

/* --- against an oracle --- */

enum { TIMERS = 300 };
static struct oracle_row {
    struct probe probe;
    bool is_running;
    int64_t due_ms;
} rows[TIMERS];
static int64_t previous_ms; /* the time of the advance before */
static int64_t running_count;

static int64_t random_after(void)
{
    static const int64_t scales[] = {1, 10, 100, 1000, 60000, 3600000, 86400000, INT64_C(30) * 86400000};
    int64_t scale = scales[random() % 8];
    return random() % (10 * scale);
}

static void on_row(struct timer *t);

static void start_row(struct oracle_row *r)
{
    int64_t after_ms = random_after();
    running_count += !r->is_running;
    r->is_running = true;
    r->due_ms = now_ms + after_ms;
    timer_start(&r->probe.timer, after_ms, on_row);
}

static void stop_row(struct oracle_row *r)
{
    running_count -= r->is_running;
    r->is_running = false;
    timer_stop(&r->probe.timer);
}

static void do_something_random(void)
{
    struct oracle_row *r = &rows[random() % TIMERS];
    if (random() % 3)
        start_row(r);
    else
        stop_row(r);
}

static void on_row(struct timer *t)
{
    struct oracle_row *r = container_of(probe_of(t), struct oracle_row, probe);
    assert_true(r->is_running);
    assert_true(r->due_ms <= now_ms);
    /* It could not have fired at the advance before: its tick had not come then. */
    assert_true((r->due_ms + TICK_MS - 1) / TICK_MS * TICK_MS > previous_ms - TICK_MS);
    r->is_running = false;
    running_count--;
    if (random() % 2)
        do_something_random();
}

static void assert_rows_agree(void)
{
    int64_t soonest = INT64_MAX;
    for (int i = 0; i < TIMERS; i++) {
        struct oracle_row *r = &rows[i];
        assert_int_equal(timer_is_running(&r->probe.timer), r->is_running);
        if (!r->is_running)
            continue;
        /* Everything at least one tick overdue has fired. */
        assert_true(r->due_ms + TICK_MS > now_ms);
        if (r->due_ms < soonest)
            soonest = r->due_ms;
    }
    int64_t next = timer_wheel_next_ms();
    if (running_count == 0) {
        assert_int_equal(next, -1);
        return;
    }
    /* It may wake up early to sort far timers, never too late. */
    assert_true(next >= 1);
    assert_true(now_ms + next <= soonest + 2 * TICK_MS);
}

static void agrees_with_an_oracle_over_years(void **state)
{
    (void)state;
    srandom(7);
    previous_ms = now_ms;
    for (int step = 0; step < 60000; step++) {
        for (long n = random() % 3; n > 0; n--)
            do_something_random();
        previous_ms = now_ms;
        int64_t next = timer_wheel_next_ms();
        int64_t leap = random() % 10 == 0 ? random_after() : random() % 40;
        if (random() % 2 && next > 0)
            leap = next;
        advance_to(now_ms + leap);
        assert_rows_agree();
    }
    for (int i = 0; i < TIMERS; i++)
        stop_row(&rows[i]);
}

/* An idle process wakes only a few times on the way to one far timer. */
static void wakes_rarely_for_a_far_timer(void **state)
{
    (void)state;
    struct probe p = {0};
    int wakes = 0;
    timer_start(&p.timer, INT64_C(5) * 86400000 + 12345, on_fire);
    for (; !p.fired; wakes++)
        advance_to(now_ms + timer_wheel_next_ms());
    assert_in_range(wakes, 1, 10);
    assert_in_range(p.fired_at_ms - p.timer.due_ms, 0, TICK_MS - 1);
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fires_once_and_never_early),
        TEST(does_not_fire_inside_start),
        TEST(stop_and_restart),
        TEST(very_long_times_neither_fire_nor_overflow),
        TEST(a_firing_timer_may_stop_others_that_are_due),
        TEST(a_firing_timer_may_restart_itself_and_others),
        TEST(a_firing_timer_may_free_itself),
        TEST(a_timer_that_repeats_at_once_ends_each_advance),
        TEST(one_long_leap_fires_all_in_order_of_time),
        TEST(sleeping_as_told_fires_all_in_time),
        TEST(agrees_with_an_oracle_over_years),
        TEST(wakes_rarely_for_a_far_timer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
