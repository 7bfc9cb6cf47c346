/* What the flow tests share: a fake adapter, a flow of three steps, and time. Included by one test program
 * each. */
#ifndef CONVERSATION_TESTS_FLOW_FIXTURE_H
#define CONVERSATION_TESTS_FLOW_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/base/clock.h"
#include "conversation/base/metrics.h"
#include "conversation/rt/flow.h"
#include "conversation/rt/loop.h"
#include "conversation/rt/timer.h"

/* --- a fake adapter: keeps what was submitted, until the test reports --- */

enum { OPS_MAX = 16 };
static struct flow_op *ops[OPS_MAX];
static int op_count;
static bool report_at_once; /* op_done_later inside the submit call */
static enum err report_at_once_with;

static inline void submit(struct flow *f)
{
    struct flow_op *op = flow_op_begin(f);
    assert_ptr_equal(flow_op_flow(op), f);
    assert_true(flow_op_is_wanted(op));
    if (report_at_once)
        flow_op_done_later(op, report_at_once_with);
    else
        ops[op_count++] = op;
}

static inline struct flow_op *last_op(void)
{
    assert_in_range(op_count, 1, OPS_MAX);
    return ops[op_count - 1];
}

/* --- a flow of three steps that writes down where it was --- */

#define DEADLINE_MS 1000

struct steps {
    int resumed_at; /* the step that its last AWAIT was in */
    int failed_at;  /* 0: it did not fail */
    int ends;       /* how often it came to its end or to `fail` */
    enum err try_result;
    int told; /* by init, or by the test after flow_start */
};

/* Survives the flow, for asserting after it was freed. */
static struct steps last;
static enum err last_error;
static int done_calls;

static inline void leave(struct flow *f, int failed)
{
    struct steps *c = flow_ctx(f);
    c->ends++;
    if (failed)
        c->failed_at = c->resumed_at + 1;
    last = *c;
}

static inline void run_steps(struct flow *f)
{
    struct steps *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, submit(f));
    c->resumed_at = 1;
    AWAIT(f, submit(f));
    c->resumed_at = 2;
    AWAIT(f, submit(f));
    c->resumed_at = 3;
    leave(f, false);
    FLOW_END(f);
fail:
    leave(f, true);
}

static const struct flow_spec steps_spec = {"test.steps", run_steps, sizeof(struct steps), DEADLINE_MS};

static inline void on_done(struct flow *f)
{
    done_calls++;
    last_error = flow_error(f);
}

static inline struct flow *start(const struct flow_spec *spec)
{
    return flow_start(&(struct flow_start){.spec = spec, .correlation_id = "c-1", .done = on_done});
}

static int64_t now_ms = 100000;

static inline void pass_ms(int64_t ms)
{
    now_ms += ms;
    clock_set_for_test(0, now_ms);
    timer_wheel_advance(now_ms);
    loop_turn_for_test();
}

static inline void turn(void)
{
    loop_turn_for_test();
}

/* Brings a new flow to the AWAIT of step 1, 2 or 3. */
static inline struct flow *flow_at_step(int step)
{
    struct flow *f = start(&steps_spec);
    turn();
    for (int i = 1; i < step; i++) {
        flow_op_done(last_op(), OK);
        turn();
    }
    assert_int_equal(op_count, step);
    return f;
}

static inline void assert_ended(enum err why, int failed_at)
{
    assert_int_equal(done_calls, 1);
    assert_int_equal(last.ends, 1);
    assert_int_equal(last_error, why);
    assert_int_equal(last.failed_at, failed_at);
    assert_int_equal(flow_active_count(), 0);
}

static inline void forget(void)
{
    op_count = done_calls = 0;
    report_at_once = false;
    report_at_once_with = OK;
    last = (struct steps){0};
    last_error = OK;
}

static inline int set_up(void **state)
{
    (void)state;
    forget();
    clock_set_for_test(0, now_ms);
    log_set_threshold(LOG_ERROR);
    loop_init();
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    assert_int_equal(flow_active_count(), 0);
    loop_done();
    metrics_reset();
    log_done();
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
