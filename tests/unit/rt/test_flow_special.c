/* AWAIT_TRY, the flow's own errors, sleep, many flows, metrics, logs, and misuse. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/rt/flow_fixture.h"

/* --- AWAIT_TRY --- */

static void run_try(struct flow *f)
{
    struct steps *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT_TRY(f, &c->try_result, submit(f));
    c->resumed_at = 1;
    AWAIT(f, submit(f));
    c->resumed_at = 2;
    leave(f, false);
    FLOW_END(f);
fail:
    leave(f, true);
}

static const struct flow_spec try_spec = {"test.try", run_try, sizeof(struct steps), DEADLINE_MS};

static void try_goes_on_after_the_operation_failed(void **state)
{
    (void)state;
    static const enum err results[] = {OK, ERR_CONFLICT, ERR_TIMEOUT};
    for (size_t i = 0; i < 3; i++) {
        forget();
        struct flow *f = start(&try_spec);
        turn();
        flow_op_done(last_op(), results[i]);
        turn();
        assert_int_equal(((struct steps *)flow_ctx(f))->try_result, results[i]);
        assert_int_equal(flow_error(f), OK);
        flow_op_done(last_op(), OK);
        turn();
        assert_ended(OK, 0);
    }
}

static void try_fails_when_cancelled_or_timed_out(void **state)
{
    (void)state;
    struct flow *f = start(&try_spec);
    turn();
    flow_op_done(last_op(), ERR_CONFLICT);
    flow_cancel(f, ERR_CANCELLED); /* after the report, before the flow saw it */
    turn();
    assert_ended(ERR_CANCELLED, 1);

    forget();
    start(&try_spec);
    turn();
    pass_ms(DEADLINE_MS + 8);
    assert_ended(ERR_TIMEOUT, 1);
    flow_op_done(last_op(), OK);
}

/* --- errors the flow sets itself --- */

static void run_refusing(struct flow *f)
{
    struct steps *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, submit(f));
    c->resumed_at = 1;
    if (c->told == 1)
        FLOW_FAIL(f, ERR_TOPIC_LOCKED);
    if (c->told == 2)
        FLOW_FAIL_FIELD(f, ERR_INVALID_REQUEST, "id", "unknown");
    leave(f, false);
    FLOW_END(f);
fail:
    leave(f, true);
}

static const struct flow_spec refusing_spec = {"test.refusing", run_refusing, sizeof(struct steps),
                                               DEADLINE_MS};

static char details_at_done[100];

static void keep_details(struct flow *f)
{
    on_done(f);
    str_copy(flow_error_details(f), details_at_done, sizeof details_at_done);
}

static void a_flow_refuses(void **state)
{
    (void)state;
    for (int how = 1; how <= 2; how++) {
        forget();
        struct flow *f = flow_start(&(struct flow_start){.spec = &refusing_spec, .done = keep_details});
        ((struct steps *)flow_ctx(f))->told = how;
        turn();
        flow_op_done(last_op(), OK);
        turn();
        assert_ended(how == 1 ? ERR_TOPIC_LOCKED : ERR_INVALID_REQUEST, 2);
        assert_string_equal(details_at_done, how == 1 ? "" : "[{\"field\":\"id\",\"reason\":\"unknown\"}]");
    }
}

/* --- cancelled from inside itself --- */

static void run_cancelling(struct flow *f)
{
    struct steps *c = flow_ctx(f);
    FLOW_BEGIN(f);
    if (c->told == 1)
        flow_cancel(f, ERR_CANCELLED);
    c->resumed_at = 1;
    AWAIT(f, submit(f));
    c->resumed_at = 2;
    flow_cancel(f, ERR_DRAINING); /* as when the answer could not be written: the flow is at its end anyway */
    leave(f, false);
    FLOW_END(f);
fail:
    leave(f, true);
}

static const struct flow_spec cancelling_spec = {"test.cancelling", run_cancelling, sizeof(struct steps), 0};

static void a_running_flow_is_cancelled_at_its_next_await(void **state)
{
    (void)state;
    for (int at_once = 0; at_once <= 1; at_once++) {
        forget();
        report_at_once = at_once;
        struct flow *f = start(&cancelling_spec);
        ((struct steps *)flow_ctx(f))->told = 1;
        turn();
        assert_ended(ERR_CANCELLED, 2);
        if (!at_once)
            flow_op_done(last_op(), OK);
    }
    forget();
    start(&cancelling_spec);
    turn();
    flow_op_done(last_op(), OK);
    turn();
    assert_ended(OK, 0);
}

/* --- sleep --- */

static void run_sleeping(struct flow *f)
{
    struct steps *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, flow_sleep(f, 500));
    c->resumed_at = 1;
    AWAIT(f, flow_sleep(f, 10 * DEADLINE_MS));
    c->resumed_at = 2;
    leave(f, false);
    FLOW_END(f);
fail:
    leave(f, true);
}

static const struct flow_spec sleeping_spec = {"test.sleeping", run_sleeping, sizeof(struct steps), 0};

static void sleeps(void **state)
{
    (void)state;
    struct flow *f = start(&sleeping_spec);
    turn();
    pass_ms(499);
    assert_int_equal(((struct steps *)flow_ctx(f))->resumed_at, 0);
    pass_ms(9);
    assert_int_equal(((struct steps *)flow_ctx(f))->resumed_at, 1);
    pass_ms(10 * DEADLINE_MS + 8);
    assert_ended(OK, 0);
}

static void a_cancelled_sleep_leaves_no_timer(void **state)
{
    (void)state;
    struct flow *f = start(&sleeping_spec);
    turn();
    flow_cancel(f, ERR_DRAINING);
    turn();
    assert_ended(ERR_DRAINING, 1);
    assert_int_equal(timer_wheel_next_ms(), -1);
}

/* --- many --- */

static void cancel_all_reaches_every_flow(void **state)
{
    (void)state;
    flow_at_step(3);
    start(&sleeping_spec);
    start(&try_spec);
    assert_int_equal(flow_active_count(), 3);
    flow_cancel_all(ERR_DRAINING);
    turn();
    assert_int_equal(flow_active_count(), 0);
    assert_int_equal(done_calls, 3);
    flow_op_done(last_op(), ERR_CANCELLED);
}

/* Flows that fail, time out, are cancelled and report at random: each ends once, nothing leaks. */
static void random_flows_end_once(void **state)
{
    (void)state;
    enum { FLOWS = 3000 };
    int started = 0;
    srandom(5);
    while (done_calls < FLOWS) {
        if (started < FLOWS && op_count < OPS_MAX - 1 && random() % 2) {
            struct flow *f = start(random() % 2 ? &steps_spec : &try_spec);
            started++;
            if (random() % 8 == 0)
                flow_cancel(f, ERR_CANCELLED);
        }
        report_at_once = op_count >= OPS_MAX - 2 || random() % 4 == 0;
        report_at_once_with = random() % 4 ? OK : ERR_KV_UNAVAILABLE;
        if (random() % 2 && op_count > 0) {
            int i = (int)(random() % op_count);
            struct flow_op *op = ops[i];
            ops[i] = ops[--op_count];
            if (random() % 8 == 0)
                flow_cancel(flow_op_flow(op), ERR_CANCELLED);
            flow_op_done(op, random() % 4 ? OK : ERR_DB_UNAVAILABLE);
        }
        if (random() % 50 == 0)
            pass_ms(random() % DEADLINE_MS);
        else if (random() % 3 || op_count >= OPS_MAX - 2)
            turn();
    }
    assert_int_equal(started, FLOWS);
    while (op_count > 0)
        flow_op_done(ops[--op_count], OK);
    assert_int_equal(done_calls, FLOWS);
}

/* --- metrics and logs --- */

static void counts_flows_and_failures(void **state)
{
    (void)state;
    struct buf text = {0};
    flow_at_step(1);
    metrics_render(&text);
    buf_addc(&text, '\0');
    assert_non_null(strstr(text.p, "\nflows_active 1\n"));
    assert_null(strstr(text.p, "flow_failures_total{"));
    flow_op_done(last_op(), ERR_DB_UNAVAILABLE);
    turn();
    text.n = 0;
    metrics_render(&text);
    buf_addc(&text, '\0');
    assert_non_null(strstr(text.p, "\nflows_active 0\n"));
    assert_non_null(
        strstr(text.p, "\nflow_failures_total{flow=\"test.steps\",error=\"ERR_DB_UNAVAILABLE\"} 1\n"));
    buf_done(&text);
}

static void logs_one_line_a_flow_at_the_level_of_its_error(void **state)
{
    (void)state;
    char line[512] = "";
    int fds[2], saved = dup(STDOUT_FILENO);
    flow_at_step(1);
    log_set_threshold(LOG_WARN);
    fflush(stdout);
    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    dup2(fds[1], STDOUT_FILENO);
    flow_op_done(last_op(), ERR_DB_UNAVAILABLE);
    pass_ms(40);
    flow_cancel(start(&steps_spec), ERR_CANCELLED); /* a client that left is worth a debug line only */
    turn();
    dup2(saved, STDOUT_FILENO);
    close(saved);
    ssize_t n = read(fds[0], line, sizeof line - 1);
    close(fds[0]);
    close(fds[1]);
    assert_true(n > 0);
    assert_ptr_equal(strchr(line, '\n'), line + n - 1);
    assert_non_null(strstr(line, "\"level\":\"WARN\""));
    assert_non_null(strstr(line, "\"event\":\"flow.ended\",\"flow\":\"test.steps\",\"durationMs\":40,"
                                 "\"error\":\"ERR_DB_UNAVAILABLE\",\"correlationId\":\"c-1\"}"));
}

/* --- our own bugs stop the process --- */

/* True when `act` does not come to its end: a failed assertion, or a report of the sanitizer. */
static bool stops_the_process(void (*act)(void))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL); /* cmocka catches it */
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        act();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status != 0;
}

static void done_inside(struct flow *f)
{
    flow_op_done(flow_op_begin(f), OK);
}

static void begin_two(struct flow *f)
{
    submit(f);
    submit(f);
}

static void (*misbehave)(struct flow *f);

static void run_misbehaving(struct flow *f)
{
    FLOW_BEGIN(f);
    AWAIT(f, misbehave(f));
    FLOW_END(f);
fail:
    submit(f); /* nothing may be awaited any more */
}

static const struct flow_spec misbehaving_spec = {"test.misbehaving", run_misbehaving, 0, 0};

static void run_it(void)
{
    start(&misbehaving_spec);
    turn();
}

static void await_after_failure(void)
{
    flow_cancel(start(&misbehaving_spec), ERR_CANCELLED);
    turn();
}

static void submit_nothing(struct flow *f)
{
    (void)f;
}

static void misuse_of_operations_stops_the_process(void **state)
{
    (void)state;
    misbehave = done_inside;
    assert_true(stops_the_process(run_it));
    misbehave = begin_two;
    assert_true(stops_the_process(run_it));
    misbehave = submit_nothing;
    assert_true(stops_the_process(run_it));
    assert_true(stops_the_process(await_after_failure));
}

static void report_twice(void)
{
    flow_at_step(1);
    flow_op_done(last_op(), OK);
    flow_op_done(last_op(), OK);
}

static void reporting_twice_stops_the_process(void **state)
{
    (void)state;
    assert_true(stops_the_process(report_twice));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(try_goes_on_after_the_operation_failed),
        TEST(try_fails_when_cancelled_or_timed_out),
        TEST(a_flow_refuses),
        TEST(a_running_flow_is_cancelled_at_its_next_await),
        TEST(sleeps),
        TEST(a_cancelled_sleep_leaves_no_timer),
        TEST(cancel_all_reaches_every_flow),
        TEST(random_flows_end_once),
        TEST(counts_flows_and_failures),
        TEST(logs_one_line_a_flow_at_the_level_of_its_error),
        TEST(misuse_of_operations_stops_the_process),
        TEST(reporting_twice_stops_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
