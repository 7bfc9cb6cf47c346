/* The lease and the queue's mark on a real Redis; the other instance is the test's own connection. */
#include "integration/redis/harness.h"

#include "conversation/base/instance.h"

#define LEASE "test:leader"

struct answers {
    enum kv_lease lease;
    bool is_whole;
};

static struct answers answers;

static void submit_hold(struct flow *f, struct call *c)
{
    kv_lease_hold(f, LEASE, c->limit.window_ms, &answers.lease);
}

static void submit_release(struct flow *f, struct call *c)
{
    (void)c;
    kv_lease_release(f, LEASE);
}

static void submit_check(struct flow *f, struct call *c)
{
    (void)c;
    kv_queue_check(f, &answers.is_whole);
}

static void submit_filled(struct flow *f, struct call *c)
{
    (void)c;
    kv_queue_filled(f);
}

static enum kv_lease hold(int64_t ms)
{
    struct call c = {.submit = submit_hold, .limit = {.window_ms = ms}};
    answers.lease = KV_LEASE_OTHERS;
    assert_int_equal(call_and_wait(&c), OK);
    return answers.lease;
}

static void do_now(void (*submit)(struct flow *f, struct call *c))
{
    assert_int_equal(call_and_wait(&(struct call){.submit = submit}), OK);
}

static bool is_whole(void)
{
    do_now(submit_check);
    return answers.is_whole;
}

/* --- the lease --- */

static void test_a_free_lease_is_taken_and_extended(void **state)
{
    (void)state;
    assert_int_equal(hold(30000), KV_LEASE_TAKEN);
    assert_string_equal(look_text("GET " LEASE), UUIDZ(instance_id()));
    assert_in_range(look_int("PTTL " LEASE), 15000, 30000);
    assert_int_equal(hold(60000), KV_LEASE_EXTENDED);
    assert_in_range(look_int("PTTL " LEASE), 45000, 60000);
}

static void test_anothers_lease_is_left_alone(void **state)
{
    (void)state;
    look_text("SET " LEASE " another PX 60000");
    assert_int_equal(hold(1000), KV_LEASE_OTHERS);
    do_now(submit_release);
    assert_string_equal(look_text("GET " LEASE), "another");
    assert_in_range(look_int("PTTL " LEASE), 50000, 60000);
}

static void test_a_lease_runs_out(void **state)
{
    (void)state;
    assert_int_equal(hold(50), KV_LEASE_TAKEN);
    run_until(look_int("EXISTS " LEASE) == 0);
    assert_int_equal(hold(50000), KV_LEASE_TAKEN);
}

static void test_a_released_lease_is_free(void **state)
{
    (void)state;
    assert_int_equal(hold(50000), KV_LEASE_TAKEN);
    do_now(submit_release);
    assert_int_equal(look_int("EXISTS " LEASE), 0);
    do_now(submit_release); /* again: harmless */
}

static void test_a_lease_that_redis_forgot_is_taken_anew(void **state)
{
    (void)state;
    assert_int_equal(hold(50000), KV_LEASE_TAKEN);
    look_text("FLUSHALL");
    assert_int_equal(hold(50000), KV_LEASE_TAKEN);
}

static void test_a_wrong_type_is_our_fault(void **state)
{
    (void)state;
    struct call c = {.submit = submit_hold, .limit = {.window_ms = 5000}};
    log_set_threshold(LOG_ERROR + 1);
    look_int("RPUSH " LEASE " x");
    assert_int_equal(call_and_wait(&c), ERR_INTERNAL);
    log_set_threshold(LOG_ERROR);
}

/* --- the mark --- */

static void test_the_queue_is_whole_once_it_was_filled(void **state)
{
    (void)state;
    assert_false(is_whole());
    assert_false(is_whole());
    do_now(submit_filled);
    assert_true(is_whole());
    look_text("FLUSHALL");
    assert_false(is_whole());
}

static void test_emptied_during_the_fill_it_is_not_whole(void **state)
{
    (void)state;
    assert_false(is_whole());
    look_text("FLUSHALL");
    do_now(submit_filled);
    assert_false(is_whole());
}

static void test_filled_by_two_it_is_whole_when_the_later_one_says_so(void **state)
{
    (void)state;
    assert_false(is_whole());
    look_text("SET match_queue_mark another");
    do_now(submit_filled);
    assert_string_equal(look_text("GET match_queue_mark"), "another");
}

/* --- away --- */

static void test_away_is_said_at_once(void **state)
{
    static void (*const submits[])(struct flow * f, struct call * c) = {submit_hold, submit_release,
                                                                        submit_check, submit_filled};
    (void)state;
    log_set_threshold(LOG_ERROR + 1);
    server_kill();
    run_until(!kv_is_up());
    for (size_t i = 0; i < sizeof submits / sizeof submits[0]; i++)
        assert_int_equal(call_and_wait(&(struct call){.submit = submits[i]}), ERR_KV_UNAVAILABLE);
    server_start();
    run_until(kv_is_up());
    log_set_threshold(LOG_ERROR);
    assert_int_equal(hold(50000), KV_LEASE_TAKEN);
}

static int begin(void **state)
{
    (void)state;
    kv_start_and_wait();
    look_text("FLUSHALL");
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_free_lease_is_taken_and_extended),
        TEST(test_anothers_lease_is_left_alone),
        TEST(test_a_lease_runs_out),
        TEST(test_a_released_lease_is_free),
        TEST(test_a_lease_that_redis_forgot_is_taken_anew),
        TEST(test_a_wrong_type_is_our_fault),
        TEST(test_the_queue_is_whole_once_it_was_filled),
        TEST(test_emptied_during_the_fill_it_is_not_whole),
        TEST(test_filled_by_two_it_is_whole_when_the_later_one_says_so),
        TEST(test_away_is_said_at_once),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
