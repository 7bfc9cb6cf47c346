/* The life of a flow: start, each step succeeding, failing, timing out and being cancelled. */
#include "unit/rt/flow_fixture.h"

/* --- success --- */

static void runs_from_the_loop_and_ends_once(void **state)
{
    (void)state;
    struct flow *f = start(&steps_spec);
    assert_int_equal(op_count, 0); /* not inside flow_start */
    assert_int_equal(flow_active_count(), 1);
    turn();
    for (int step = 1; step <= 3; step++) {
        assert_int_equal(op_count, step);
        assert_int_equal(done_calls, 0);
        assert_int_equal(((struct steps *)flow_ctx(f))->resumed_at, step - 1);
        flow_op_done(last_op(), OK);
        assert_int_equal(op_count, step); /* not inside flow_op_done either */
        turn();
    }
    assert_ended(OK, 0);
}

static void fill_steps(struct flow *f, void *arg)
{
    struct steps *c = flow_ctx(f);
    assert_int_equal(c->told, 0);
    c->told = *(const int *)arg;
}

static void knows_how_it_was_started(void **state)
{
    (void)state;
    int caller, told = 5;
    struct flow *f = flow_start(&(struct flow_start){.spec = &steps_spec,
                                                     .correlation_id = "abc",
                                                     .caller = &caller,
                                                     .done = on_done,
                                                     .before = fill_steps,
                                                     .before_arg = &told});
    assert_ptr_equal(flow_caller(f), &caller);
    flow_set_caller(f, NULL);
    assert_null(flow_caller(f));
    assert_string_equal(flow_correlation_id(f), "abc");
    assert_ptr_equal(flow_spec_of(f), &steps_spec);
    assert_int_equal(flow_started_ms(f), now_ms);
    assert_int_equal(((struct steps *)flow_ctx(f))->told, 5);
    assert_int_equal((uintptr_t)flow_ctx(f) % _Alignof(max_align_t), 0);
    assert_non_null(arena_alloc(flow_arena(f), 10000));
    flow_cancel(f, ERR_CANCELLED);
    turn();
    assert_int_equal(done_calls, 1);
}

static void makes_and_bounds_correlation_ids(void **state)
{
    (void)state;
    char longest[CORRELATION_ID_MAX + 10];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    struct flow *with = flow_start(&(struct flow_start){.spec = &steps_spec, .correlation_id = longest});
    struct flow *without = flow_start(&(struct flow_start){.spec = &steps_spec});
    struct uuid u;
    assert_int_equal(strlen(flow_correlation_id(with)), CORRELATION_ID_MAX);
    assert_true(uuid_parse(str_of(flow_correlation_id(without)), &u));
    flow_cancel_all(ERR_DRAINING);
    turn();
}

static void an_operation_may_report_inside_submit_when_it_says_later(void **state)
{
    (void)state;
    report_at_once = true;
    start(&steps_spec);
    turn(); /* all three steps: nothing sleeps in between */
    assert_ended(OK, 0);
}

static void run_nothing(struct flow *f)
{
    struct steps *c = flow_ctx(f);
    FLOW_BEGIN(f);
    c->resumed_at = 9;
    leave(f, false);
    FLOW_END(f);
fail:
    leave(f, true);
}

static const struct flow_spec nothing_spec = {"test.nothing", run_nothing, sizeof(struct steps), 0};

static void a_function_that_awaits_nothing_is_finished(void **state)
{
    (void)state;
    start(&nothing_spec);
    turn();
    assert_ended(OK, 0);
    assert_int_equal(last.resumed_at, 9);
}

static void run_loop(struct flow *f)
{
    struct steps *c = flow_ctx(f);
    FLOW_BEGIN(f);
    for (; c->resumed_at < 100; c->resumed_at++)
        AWAIT(f, submit(f));
    leave(f, false);
    FLOW_END(f);
fail:
    leave(f, true);
}

static const struct flow_spec loop_spec = {"test.loop", run_loop, sizeof(struct steps), 0};

static void may_await_in_a_loop(void **state)
{
    (void)state;
    report_at_once = true;
    start(&loop_spec);
    for (int i = 0; i < 100 && !done_calls; i++)
        turn();
    assert_ended(OK, 0);
    assert_int_equal(last.resumed_at, 100);
}

/* --- failures --- */

static void fails_in_each_step(void **state)
{
    (void)state;
    for (int step = 1; step <= 3; step++) {
        forget();
        flow_at_step(step);
        flow_op_done(last_op(), ERR_DB_UNAVAILABLE);
        turn();
        assert_ended(ERR_DB_UNAVAILABLE, step);
    }
}

static void fails_in_each_step_when_reported_inside_submit(void **state)
{
    (void)state;
    report_at_once = true;
    report_at_once_with = ERR_KV_UNAVAILABLE;
    start(&steps_spec);
    turn();
    assert_ended(ERR_KV_UNAVAILABLE, 1);
}

static void times_out_at_each_step_and_lives_until_the_late_report(void **state)
{
    (void)state;
    for (int step = 1; step <= 3; step++) {
        forget();
        flow_at_step(step);
        pass_ms(DEADLINE_MS - 1);
        assert_int_equal(done_calls, 0);
        pass_ms(9);
        assert_ended(ERR_TIMEOUT, step);
        assert_false(flow_op_is_wanted(last_op()));
        /* The context is still there to be written to. */
        struct steps *c = flow_ctx(flow_op_flow(last_op()));
        c->told = 42;
        flow_op_done(last_op(), OK);
        turn();
        assert_ended(ERR_TIMEOUT, step);
    }
}

static void is_cancelled_at_each_step(void **state)
{
    (void)state;
    for (int step = 1; step <= 3; step++) {
        forget();
        struct flow *f = flow_at_step(step);
        flow_cancel(f, ERR_CANCELLED);
        assert_int_equal(done_calls, 0); /* not inside the call */
        flow_cancel(f, ERR_DRAINING);    /* the first reason stays */
        turn();
        assert_ended(ERR_CANCELLED, step);
        flow_cancel(f, ERR_DRAINING); /* ended; its memory is held by the operation */
        turn();
        flow_op_done(last_op(), ERR_DB_UNAVAILABLE);
        assert_ended(ERR_CANCELLED, step);
    }
}

static void is_cancelled_before_its_first_step(void **state)
{
    (void)state;
    struct flow *f = start(&steps_spec);
    flow_cancel(f, ERR_CANCELLED);
    turn();
    assert_ended(ERR_CANCELLED, 1);
    assert_int_equal(op_count, 0);
}

static void reports_late_before_the_failure_was_handled(void **state)
{
    (void)state;
    struct flow *f = flow_at_step(2);
    flow_cancel(f, ERR_CANCELLED);
    flow_op_done(last_op(), OK); /* between the cancel and the flow's next entry */
    turn();
    assert_ended(ERR_CANCELLED, 2);
}

/* Whatever comes before the function is entered again decides; a deadline is not forgotten. */
static void report_and_deadline_in_the_same_turn(void **state)
{
    (void)state;
    flow_at_step(2);
    flow_op_done(last_op(), OK);
    pass_ms(DEADLINE_MS + 8);
    assert_ended(ERR_TIMEOUT, 2);
}

static void failed_report_and_cancel_in_the_same_turn(void **state)
{
    (void)state;
    struct flow *f = flow_at_step(1);
    flow_op_done(last_op(), ERR_DB_UNAVAILABLE);
    flow_cancel(f, ERR_CANCELLED);
    turn();
    assert_ended(ERR_CANCELLED, 1);
}

static void an_ended_flow_has_no_deadline(void **state)
{
    (void)state;
    flow_at_step(3);
    flow_op_done(last_op(), OK);
    turn();
    assert_int_equal(timer_wheel_next_ms(), -1);
    pass_ms(2 * DEADLINE_MS);
    assert_ended(OK, 0);
}

/* --- what stands before the flow --- */

static void submit_before(struct flow *f, void *arg)
{
    *(int *)arg += 1;
    submit(f);
}

static struct flow *start_with_before(void (*before)(struct flow *f, void *arg), int *calls)
{
    return flow_start(
        &(struct flow_start){.spec = &steps_spec, .done = on_done, .before = before, .before_arg = calls});
}

static void before_succeeds_and_the_flow_begins(void **state)
{
    (void)state;
    int calls = 0;
    start_with_before(submit_before, &calls);
    assert_int_equal(calls, 1);
    turn();
    assert_int_equal(op_count, 1);
    for (int i = 0; i < 4; i++) {
        flow_op_done(last_op(), OK);
        turn();
    }
    assert_int_equal(op_count, 4);
    assert_ended(OK, 0);
}

static void before_fails_and_no_step_is_taken(void **state)
{
    (void)state;
    int calls = 0;
    start_with_before(submit_before, &calls);
    flow_op_done(last_op(), ERR_RATE_LIMITED);
    turn();
    assert_ended(ERR_RATE_LIMITED, 1);
    assert_int_equal(op_count, 1);
}

static void before_is_cancelled_and_times_out(void **state)
{
    (void)state;
    int calls = 0;
    struct flow *f = start_with_before(submit_before, &calls);
    flow_cancel(f, ERR_CANCELLED);
    turn();
    assert_ended(ERR_CANCELLED, 1);
    flow_op_done(last_op(), OK);
    turn();
    assert_ended(ERR_CANCELLED, 1);

    forget();
    start_with_before(submit_before, &calls);
    pass_ms(DEADLINE_MS + 8);
    assert_ended(ERR_TIMEOUT, 1);
    flow_op_done(last_op(), OK);
}

static void refuse_before(struct flow *f, void *arg)
{
    (void)arg;
    flow_set_error_field(f, ERR_INVALID_REQUEST, "topic\"Code", "required");
}

static void cancel_inside_before(struct flow *f, void *arg)
{
    submit_before(f, arg);
    flow_cancel(f, ERR_DRAINING);
}

static void do_nothing_before(struct flow *f, void *arg)
{
    (void)f;
    (void)arg;
}

static void before_may_decide_at_once(void **state)
{
    (void)state;
    int calls = 0;
    struct flow *f = start_with_before(refuse_before, &calls);
    assert_true(str_eqz(flow_error_details(f), "[{\"field\":\"topic\\\"Code\",\"reason\":\"required\"}]"));
    turn();
    assert_ended(ERR_INVALID_REQUEST, 1);

    forget();
    start_with_before(cancel_inside_before, &calls);
    turn();
    assert_ended(ERR_DRAINING, 1);
    flow_op_done(last_op(), OK);

    f = start_with_before(do_nothing_before, &calls);
    turn();
    assert_int_equal(op_count, 2);
    flow_cancel(f, ERR_CANCELLED);
    flow_op_done(last_op(), OK);
    turn();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(runs_from_the_loop_and_ends_once),
        TEST(knows_how_it_was_started),
        TEST(makes_and_bounds_correlation_ids),
        TEST(an_operation_may_report_inside_submit_when_it_says_later),
        TEST(a_function_that_awaits_nothing_is_finished),
        TEST(may_await_in_a_loop),
        TEST(fails_in_each_step),
        TEST(fails_in_each_step_when_reported_inside_submit),
        TEST(times_out_at_each_step_and_lives_until_the_late_report),
        TEST(is_cancelled_at_each_step),
        TEST(is_cancelled_before_its_first_step),
        TEST(reports_late_before_the_failure_was_handled),
        TEST(report_and_deadline_in_the_same_turn),
        TEST(failed_report_and_cancel_in_the_same_turn),
        TEST(an_ended_flow_has_no_deadline),
        TEST(before_succeeds_and_the_flow_begins),
        TEST(before_fails_and_no_step_is_taken),
        TEST(before_is_cancelled_and_times_out),
        TEST(before_may_decide_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
