#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "conversation/base/clock.h"
#include "conversation/base/metrics.h"
#include "conversation/rt/loop.h"
#include "conversation/rt/timer.h"

static char trace[4096];

static void note(const char *what)
{
    strncat(trace, what, sizeof trace - strlen(trace) - 1);
}

struct task {
    struct loop_task task;
    const char *name;
    struct task *then_defer, *then_undefer;
    int runs, repeat;
};

static void on_task(struct loop_task *t)
{
    struct task *task = container_of(t, struct task, task);
    note(task->name);
    task->runs++;
    if (task->then_defer)
        loop_defer(&task->then_defer->task);
    if (task->then_undefer)
        loop_undefer(&task->then_undefer->task);
    if (task->repeat-- > 0)
        loop_defer(t);
}

static struct task task_named(const char *name)
{
    return (struct task){.task.run = on_task, .name = name};
}

static int set_up(void **state)
{
    (void)state;
    trace[0] = '\0';
    loop_init();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    loop_done();
    metrics_reset();
    return 0;
}

static void tasks_run_in_order_before_the_sleep(void **state)
{
    (void)state;
    struct task a = task_named("a"), b = task_named("b"), c = task_named("c");
    a.then_defer = &c;
    loop_defer(&a.task);
    loop_defer(&b.task);
    assert_string_equal(trace, "");
    loop_turn_for_test();
    assert_string_equal(trace, "abc");
    loop_turn_for_test();
    assert_string_equal(trace, "abc");
}

static void a_task_may_be_taken_back(void **state)
{
    (void)state;
    struct task a = task_named("a"), b = task_named("b"), c = task_named("c");
    a.then_undefer = &b;
    loop_defer(&a.task);
    loop_defer(&b.task);
    loop_defer(&c.task);
    loop_undefer(&c.task);
    loop_undefer(&c.task);
    loop_turn_for_test();
    assert_string_equal(trace, "a");
}

static void on_stop_timer(struct timer *t)
{
    (void)t;
    note("T");
    loop_stop();
}

static void run_until_timer(int64_t ms)
{
    struct timer stop = {0};
    timer_start(&stop, ms, on_stop_timer);
    loop_run();
}

static struct {
    struct timer timer;
    const struct task *of;
} few_runs;

static void on_few_runs(struct timer *t)
{
    note("T");
    if (few_runs.of->runs > 100 || strlen(trace) == 20)
        loop_stop();
    else
        timer_start(t, 20, on_few_runs);
}

/* A task that defers itself for ever: sockets and timers still get their turn, and the loop does not sleep on
 * it. */
static void endless_tasks_starve_neither_io_nor_timers(void **state)
{
    (void)state;
    struct task a = task_named("");
    a.repeat = INT32_MAX;
    loop_defer(&a.task);
    timer_start(&few_runs.timer, 20, on_few_runs);
    few_runs.of = &a;
    loop_run();
    assert_in_range(strlen(trace), 1, 20); /* once, unless this process got no turn itself */
    assert_true(a.runs > 100);
    loop_undefer(&a.task);
}

static int hook_runs;
static struct task from_hook;

static void hook(void)
{
    if (hook_runs++ == 0)
        loop_defer(&from_hook.task);
    note("H");
}

static void second_hook(void)
{
    note("2");
}

static void hooks_run_after_tasks_and_what_they_defer_is_not_slept_over(void **state)
{
    (void)state;
    struct task a = task_named("a");
    hook_runs = 0;
    from_hook = task_named("b");
    loop_at_turn_end(hook);
    loop_at_turn_end(second_hook);
    loop_defer(&a.task);
    loop_turn_for_test();
    assert_string_equal(trace, "aH2");
    assert_int_equal(uv_backend_timeout(loop_uv()), 0);
    loop_turn_for_test();
    assert_string_equal(trace, "aH2bH2");
    assert_int_not_equal(uv_backend_timeout(loop_uv()), 0);
}

static void an_idle_loop_sleeps_until_its_timer(void **state)
{
    (void)state;
    hook_runs = 1;
    loop_at_turn_end(hook);
    clock_update();
    int64_t start = clock_mono_ms();
    run_until_timer(60);
    clock_update();
    assert_in_range(clock_mono_ms() - start, 60, 5000);
    assert_in_range(hook_runs, 2, 12); /* turns: the start, the timer, a few that sort the wheel */
    assert_non_null(strchr(trace, 'T'));
}

static int64_t seen_before_ms, seen_after_ms;

static void on_readable(uv_poll_t *p, int status, int events)
{
    char byte;
    (void)status;
    (void)events;
    assert_int_equal(read((int)(intptr_t)p->data, &byte, 1), 1);
    seen_after_ms = clock_mono_ms();
    uv_close((uv_handle_t *)p, NULL);
    loop_stop();
}

static void write_a_byte_later(void *fd)
{
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    assert_int_equal(write(*(int *)fd, "x", 1), 1);
}

/* The first I/O callback after a long sleep must not see the time from before it. */
static void io_callbacks_see_the_time_after_the_sleep(void **state)
{
    (void)state;
    int fds[2];
    uv_poll_t poll;
    uv_thread_t writer;
    assert_int_equal(pipe(fds), 0);
    poll.data = (void *)(intptr_t)fds[0];
    assert_int_equal(uv_poll_init(loop_uv(), &poll, fds[0]), 0);
    assert_int_equal(uv_poll_start(&poll, UV_READABLE, on_readable), 0);
    clock_update();
    seen_before_ms = clock_mono_ms();
    assert_int_equal(uv_thread_create(&writer, write_a_byte_later, &fds[1]), 0);
    loop_run();
    uv_thread_join(&writer);
    assert_true(seen_after_ms >= seen_before_ms + 49);
    close(fds[0]);
    close(fds[1]);
}

static void stand_still(void)
{
    nanosleep(&(struct timespec){.tv_nsec = (TIMER_STOOD_STILL_MS + 50) * 1000000L}, NULL);
}

static uv_poll_t slow_poll;

static void on_byte_slowly(uv_poll_t *p, int status, int events)
{
    (void)p;
    (void)status;
    (void)events;
    note("R");
    stand_still();
}

static void on_deadline(struct timer *t)
{
    uv_close((uv_handle_t *)&slow_poll, NULL);
    on_stop_timer(t);
}

/* A deadline that passed while this process stood still: what came before it is read first. Once only,
 * however slow that is. */
static void what_came_during_a_standstill_is_read_before_timers(void **state)
{
    (void)state;
    struct timer deadline = {0};
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(uv_poll_init(loop_uv(), &slow_poll, fds[0]), 0);
    assert_int_equal(uv_poll_start(&slow_poll, UV_READABLE, on_byte_slowly), 0);
    clock_update();
    timer_start(&deadline, 20, on_deadline);
    loop_turn_for_test();
    assert_int_equal(write(fds[1], "x", 1), 1);
    stand_still();
    loop_run();
    assert_string_equal(trace, "RT");
    close(fds[0]);
    close(fds[1]);
}

struct sum {
    struct loop_work work;
    int input, output;
    uv_thread_t ran_on;
};

static int sums_done;

static void add_up(struct loop_work *w)
{
    struct sum *s = container_of(w, struct sum, work);
    s->ran_on = uv_thread_self();
    for (int i = 0; i <= s->input; i++)
        s->output += i;
}

static void on_sum(struct loop_work *w)
{
    (void)w;
    if (++sums_done == 10)
        loop_stop();
}

static void work_runs_in_the_pool_and_reports_on_the_loop(void **state)
{
    (void)state;
    struct sum sums[10] = {0};
    uv_thread_t self = uv_thread_self();
    sums_done = 0;
    for (int i = 0; i < 10; i++) {
        sums[i].work.work = add_up;
        sums[i].work.done = on_sum;
        sums[i].input = i * 100;
        loop_work_start(&sums[i].work);
    }
    assert_int_equal(sums_done, 0);
    loop_run();
    assert_int_equal(sums_done, 10);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(sums[i].output, i * 100 * (i * 100 + 1) / 2);
        assert_false(uv_thread_equal(&sums[i].ran_on, &self));
    }
}

static void on_sum_quietly(struct loop_work *w)
{
    (void)w;
    sums_done++;
}

static void stopping_waits_for_work_and_tasks(void **state)
{
    (void)state;
    struct sum s = {.work = {.work = add_up, .done = on_sum_quietly}, .input = 10000};
    struct task a = task_named("a");
    sums_done = 0;
    loop_work_start(&s.work);
    loop_defer(&a.task);
    loop_stop();
    loop_run();
    assert_int_equal(sums_done, 1);
    assert_string_equal(trace, "a");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tasks_run_in_order_before_the_sleep),
        TEST(a_task_may_be_taken_back),
        TEST(endless_tasks_starve_neither_io_nor_timers),
        TEST(hooks_run_after_tasks_and_what_they_defer_is_not_slept_over),
        TEST(an_idle_loop_sleeps_until_its_timer),
        TEST(io_callbacks_see_the_time_after_the_sleep),
        TEST(what_came_during_a_standstill_is_read_before_timers),
        TEST(work_runs_in_the_pool_and_reports_on_the_loop),
        TEST(stopping_waits_for_work_and_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
