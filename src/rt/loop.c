/* The event loop. A turn of libuv is: timers, idle, prepare, poll (sleep and I/O callbacks), check, closing
 * callbacks. All of ours hangs on prepare, the last step before the sleep: deferred tasks, the end-of-turn
 * hooks, arming the wheel's timer. So everything a callback of this turn left behind is done before the
 * process sleeps. */
#include "conversation/rt/loop.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

#include "conversation/base/clock.h"
#include "conversation/base/metrics.h"
#include "conversation/rt/timer.h"

#define HOOKS_MAX 8
/* Tasks that defer tasks are run on in the same turn this often; then sockets come first (nothing starves
 * I/O). */
#define ROUNDS_MAX 16

static struct {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_idle_t idle;       /* active while tasks wait: poll then does not sleep */
    uv_timer_t timer;     /* the wheel's */
    int64_t timer_due_ms; /* clock_mono_ms for which `timer` is armed; 0: it is not */
    bool has_put_off;     /* `timer` was late, and sockets came first */
    struct list tasks;
    void (*hooks[HOOKS_MAX])(void);
    int hook_count;
    int works; /* in the thread pool */
} loop = {.tasks = {&loop.tasks, &loop.tasks}};

struct uv_loop_s *loop_uv(void)
{
    return &loop.uv;
}

static void run_tasks_of_round(void)
{
    struct list round;
    if (list_is_empty(&loop.tasks))
        return;
    round = loop.tasks; /* the whole list moves to `round`, from which loop_undefer still unlinks */
    round.next->prev = round.prev->next = &round;
    list_init(&loop.tasks);
    while (!list_is_empty(&round)) {
        struct loop_task *t = LIST_FIRST(&round, struct loop_task, link);
        list_remove(&t->link);
        t->run(t);
    }
}

static void run_tasks(void)
{
    for (int i = 0; i < ROUNDS_MAX && !list_is_empty(&loop.tasks); i++)
        run_tasks_of_round();
}

/* After a standstill of this process sockets come first, once: an answer that lies there was in time. */
static void on_timer(uv_timer_t *t)
{
    clock_update();
    int64_t now_ms = clock_mono_ms();
    int64_t late_ms = now_ms - loop.timer_due_ms;
    if (late_ms > TIMER_STOOD_STILL_MS && !loop.has_put_off) {
        loop.has_put_off = true;
        uv_timer_start(t, on_timer, 1, 0); /* with 0 it would fire before the poll */
        return;
    }
    metric_observe(M_LOOP_LAG, late_ms > 0 ? (double)late_ms / 1000 : 0, NULL);
    loop.timer_due_ms = 0;
    timer_wheel_advance(now_ms);
}

/* A timer that is armed for an earlier time than needed stays: it then fires in vain once, which is cheaper
 * than arming anew for every request whose deadline is taken away again. */
static void arm_timer(void)
{
    int64_t after_ms = timer_wheel_next_ms();
    if (after_ms < 0) {
        loop.timer_due_ms = 0;
        uv_timer_stop(&loop.timer);
        return;
    }
    int64_t due_ms = clock_mono_ms() + after_ms;
    if (loop.timer_due_ms && loop.timer_due_ms <= due_ms)
        return;
    loop.timer_due_ms = due_ms;
    loop.has_put_off = false;
    uv_timer_start(&loop.timer, on_timer, (uint64_t)after_ms, 0);
}

static void on_idle(uv_idle_t *i)
{
    (void)i;
}

static void before_sleep(uv_prepare_t *p)
{
    (void)p;
    run_tasks();
    for (int i = 0; i < loop.hook_count; i++)
        loop.hooks[i]();
    arm_timer();
    if (list_is_empty(&loop.tasks))
        uv_idle_stop(&loop.idle);
    else
        uv_idle_start(&loop.idle, on_idle);
    clock_update();
}

void loop_init(void)
{
    int rc = uv_loop_init(&loop.uv);
    if (rc == 0)
        rc = uv_prepare_init(&loop.uv, &loop.prepare);
    if (rc == 0)
        rc = uv_idle_init(&loop.uv, &loop.idle);
    if (rc == 0)
        rc = uv_timer_init(&loop.uv, &loop.timer);
    if (rc == 0)
        rc = uv_prepare_start(&loop.prepare, before_sleep);
    if (rc != 0)
        abort(); /* no epoll descriptor: nothing can be done, not even serve an error */
    loop.timer_due_ms = 0;
    loop.hook_count = 0;
}

static void close_own_handles(void)
{
    uv_close((uv_handle_t *)&loop.prepare, NULL);
    uv_close((uv_handle_t *)&loop.idle, NULL);
    uv_close((uv_handle_t *)&loop.timer, NULL);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

void loop_run(void)
{
    uv_run(&loop.uv, UV_RUN_DEFAULT);
    while (loop.works > 0)
        uv_run(&loop.uv, UV_RUN_ONCE);
    run_tasks();
    close_own_handles();
}

void loop_turn_for_test(void)
{
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

void loop_stop(void)
{
    uv_stop(&loop.uv);
}

void loop_done(void)
{
    if (!uv_is_closing((uv_handle_t *)&loop.prepare))
        close_own_handles(); /* never ran */
    int rc = uv_loop_close(&loop.uv);
    assert(rc == 0);
}

void loop_defer(struct loop_task *t)
{
    assert(!list_is_linked(&t->link));
    list_add_tail(&loop.tasks, &t->link);
}

void loop_undefer(struct loop_task *t)
{
    list_remove(&t->link);
}

void loop_at_turn_end(void (*run)(void))
{
    assert(loop.hook_count < HOOKS_MAX);
    loop.hooks[loop.hook_count++] = run;
}

static void on_work(uv_work_t *request)
{
    struct loop_work *w = request->data;
    w->work(w);
}

static void on_work_done(uv_work_t *request, int status)
{
    struct loop_work *w = request->data;
    assert(status == 0); /* we never cancel */
    loop.works--;
    w->request = NULL;
    free(request);
    w->done(w);
}

void loop_work_start(struct loop_work *w)
{
    uv_work_t *request = calloc(1, sizeof *request);
    if (!request)
        abort();
    request->data = w;
    w->request = request;
    loop.works++;
    int rc = uv_queue_work(&loop.uv, request, on_work, on_work_done);
    assert(rc == 0); /* fails only without a work function */
}
