/* The circuit breaker on a clock of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "adapters/profile/breaker.h"

#define START 1000000

static struct breaker b;
static int64_t now;

static int fresh(void **state)
{
    (void)state;
    b = (struct breaker){.failures_max = 3, .open_ms = 10000};
    now = START;
    return 0;
}

static struct breaker_pass let_through(void)
{
    struct breaker_pass pass;
    assert_true(breaker_ask(&b, now, &pass));
    return pass;
}

static void assert_refused(void)
{
    struct breaker_pass pass;
    assert_false(breaker_ask(&b, now, &pass));
}

static bool call(bool went_well)
{
    return breaker_tell(&b, let_through(), went_well, now);
}

static void open_it(void)
{
    for (int i = 0; i < 3; i++)
        call(false);
    assert_int_equal(b.state, BREAKER_OPEN);
}

static void it_opens_after_failures_in_a_row(void **state)
{
    (void)state;
    assert_false(call(false));
    assert_false(call(false));
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_true(call(false));
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_refused();
}

static void a_success_between_starts_the_count_anew(void **state)
{
    (void)state;
    call(false);
    call(false);
    assert_false(call(true));
    call(false);
    call(false);
    assert_int_equal(b.state, BREAKER_CLOSED);
    call(false);
    assert_int_equal(b.state, BREAKER_OPEN);
}

static void it_stays_open_for_its_time_to_the_millisecond(void **state)
{
    (void)state;
    open_it();
    now += 9999;
    assert_refused();
    assert_int_equal(b.state, BREAKER_OPEN);
    now += 1;
    let_through();
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
}

static void half_open_lets_one_probe_through_at_a_time(void **state)
{
    (void)state;
    open_it();
    now += 10000;
    struct breaker_pass probe = let_through();
    for (int i = 0; i < 100; i++)
        assert_refused();
    now += 3600000; /* however long it takes */
    assert_refused();
    assert_true(breaker_tell(&b, probe, true, now));
    assert_int_equal(b.state, BREAKER_CLOSED);
    let_through();
    let_through();
}

static void a_failed_probe_opens_it_for_the_whole_time_again(void **state)
{
    (void)state;
    open_it();
    now += 10000;
    struct breaker_pass probe = let_through();
    now += 2000;
    assert_true(breaker_tell(&b, probe, false, now));
    assert_int_equal(b.state, BREAKER_OPEN);
    now += 9999;
    assert_refused();
    now += 1;
    assert_true(breaker_tell(&b, let_through(), true, now));
    assert_int_equal(b.state, BREAKER_CLOSED);
}

static void closed_again_it_counts_from_zero(void **state)
{
    (void)state;
    open_it();
    now += 10000;
    call(true);
    call(false);
    call(false);
    assert_int_equal(b.state, BREAKER_CLOSED);
    call(false);
    assert_int_equal(b.state, BREAKER_OPEN);
}

/* Slow failures from before it opened come in while it is open, half-open, closed again: none counts. */
static void what_was_let_through_before_says_nothing_about_later(void **state)
{
    (void)state;
    struct breaker_pass late[4];
    for (int i = 0; i < 4; i++)
        late[i] = let_through();
    open_it();
    now += 5000;
    assert_false(breaker_tell(&b, late[0], false, now));
    assert_false(breaker_tell(&b, late[1], true, now));
    assert_int_equal(b.state, BREAKER_OPEN);
    now += 5000;
    struct breaker_pass probe = let_through();
    assert_false(breaker_tell(&b, late[2], false, now));
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    assert_refused();
    breaker_tell(&b, probe, true, now);
    assert_false(breaker_tell(&b, late[3], false, now));
    assert_int_equal(b.failures, 0);
}

static void zero_is_no_breaker(void **state)
{
    (void)state;
    b.failures_max = 0;
    for (int i = 0; i < 1000; i++)
        assert_false(call(false));
    assert_int_equal(b.state, BREAKER_CLOSED);
}

/* Whatever happens in whatever order: refused only while it is open or a probe is out, and never two probes.
 */
static void any_order_of_calls_keeps_the_rules(void **state)
{
    (void)state;
    enum { OUT_MAX = 8 };
    struct breaker_pass out[OUT_MAX];
    int count = 0, probes = 0, refused = 0;
    srand(4711);
    for (int i = 0; i < 200000; i++) {
        now += rand() % 3000;
        if (count < OUT_MAX && rand() % 2) {
            bool may = breaker_ask(&b, now, &out[count]);
            refused += !may;
            assert_true(may || now < b.open_until_ms || b.probe_is_out);
            probes += may && b.state == BREAKER_HALF_OPEN;
            count += may;
        } else if (count) {
            int which = rand() % count;
            bool is_probe = b.state == BREAKER_HALF_OPEN && out[which].era == b.era;
            bool moved = breaker_tell(&b, out[which], rand() % 4 == 0, now);
            assert_true(!is_probe || moved);
            probes -= is_probe;
            out[which] = out[--count];
        }
        assert_in_range(probes, 0, 1);
        assert_int_equal(probes, b.state == BREAKER_HALF_OPEN);
    }
    assert_true(refused > 1000 && b.era > 1000); /* the walk has been everywhere, again and again */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_opens_after_failures_in_a_row, fresh),
        cmocka_unit_test_setup(a_success_between_starts_the_count_anew, fresh),
        cmocka_unit_test_setup(it_stays_open_for_its_time_to_the_millisecond, fresh),
        cmocka_unit_test_setup(half_open_lets_one_probe_through_at_a_time, fresh),
        cmocka_unit_test_setup(a_failed_probe_opens_it_for_the_whole_time_again, fresh),
        cmocka_unit_test_setup(closed_again_it_counts_from_zero, fresh),
        cmocka_unit_test_setup(what_was_let_through_before_says_nothing_about_later, fresh),
        cmocka_unit_test_setup(zero_is_no_breaker, fresh),
        cmocka_unit_test_setup(any_order_of_calls_keeps_the_rules, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
