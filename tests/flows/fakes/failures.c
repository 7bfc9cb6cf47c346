/* Enumerates steps and failures. */
#include "flows/fakes/failures.h"

static const enum err failures[] = {ERR_DB_UNAVAILABLE, ERR_KV_UNAVAILABLE, ERR_TIMEOUT, ERR_INTERNAL};
enum {
    FAILURE_COUNT = sizeof failures / sizeof failures[0],
    STEPS_MAX = 20,
    DEADLINE_MAX_MS = 61000,
    SETTLE_MS = 40000
};

/* How many calls the scenario makes when all goes well. */
static int steps_of(const struct scenario *s)
{
    world_again();
    s->given();
    port_forget();
    const struct caller *c = s->start();
    pass_ms(s->watch_ms);
    int steps = port_calls_in_all();
    if (c)
        assert_int_equal(c->err, OK);
    assert_in_range(steps, 1, STEPS_MAX);
    return steps;
}

static bool is_tolerated(const struct scenario *s, enum port port)
{
    return (s->tolerated & PORT_BIT(port)) != 0;
}

static void explain(const char *what, int step, enum port port, enum err err)
{
    print_message("    %s at call %d, %s%s%s\n", what, step, port_names[port], err ? ": " : "",
                  err ? err_info(err)->name : "");
}

static void begin(const struct scenario *s, int step, struct port_script script, struct attempt *a)
{
    world_again();
    s->given();
    port_forget();
    port_script_call(step, script);
    a->caller = s->start();
    pass_ms(s->watch_ms);
    a->port = port_of_call(step);
}

static void finish(const struct scenario *s, const struct attempt *a)
{
    if (a->caller) {
        assert_int_equal(a->caller->answers, 1);
        assert_null(a->caller->flow);
    }
    if (s->then)
        s->then(a);
    pass_ms(SETTLE_MS);
    assert_int_equal(flow_active_count(), 0);
}

static void assert_error(const struct attempt *a, enum err expected)
{
    if (a->caller)
        assert_string_equal(a->caller->err ? err_info(a->caller->err)->name : "OK",
                            expected ? err_info(expected)->name : "OK");
}

static void fail_each(const struct scenario *s, bool is_lost, const char *what)
{
    int steps = steps_of(s);
    for (int step = 1; step <= steps; step++) {
        for (int i = 0; i < FAILURE_COUNT; i++) {
            struct attempt a = {.err = failures[i], .took_effect = is_lost};
            begin(s, step, (struct port_script){.err = failures[i], .is_lost = is_lost}, &a);
            explain(what, step, a.port, failures[i]);
            assert_error(&a, is_tolerated(s, a.port) ? OK : failures[i]);
            finish(s, &a);
        }
    }
}

void every_upstream_fails(void **state)
{
    fail_each(*state, false, "failure");
}

void every_answer_is_lost(void **state)
{
    fail_each(*state, true, "lost answer");
}

void every_upstream_is_silent(void **state)
{
    const struct scenario *s = *state;
    int steps = steps_of(s);
    for (int step = 1; step <= steps; step++) {
        struct attempt a = {.err = ERR_TIMEOUT, .took_effect = true};
        begin(s, step, (struct port_script){.is_held = true}, &a);
        explain("silence", step, a.port, OK);
        bool was_answered = a.caller && a.caller->answers > 0;
        pass_ms(DEADLINE_MAX_MS);
        assert_error(&a, was_answered ? OK : ERR_TIMEOUT);
        assert_true(port_release()); /* the late answer */
        pass_ms(0);
        assert_error(&a, was_answered ? OK : ERR_TIMEOUT);
        finish(s, &a);
    }
}

void client_goes_at_every_step(void **state)
{
    const struct scenario *s = *state;
    int steps = steps_of(s);
    for (int step = 1; step <= steps; step++) {
        struct attempt a = {.err = ERR_CANCELLED, .took_effect = true};
        begin(s, step, (struct port_script){.is_held = true}, &a);
        explain("client gone", step, a.port, OK);
        assert_non_null(a.caller->flow);
        flow_cancel(a.caller->flow, ERR_CANCELLED);
        pass_ms(0);
        assert_null(a.caller->flow);
        assert_true(port_release());
        pass_ms(0);
        finish(s, &a);
    }
}
