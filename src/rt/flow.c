/* Flow engine. A flow is re-entered only from a loop task, never from inside flow_op_done, flow_cancel or a
 * timer: the stack stays flat and adapters need not expect to be called back while they report.
 *
 *   flow_start -> queued -> run -> awaiting an op -> op done, cancel or deadline -> queued -> run … -> ended
 *
 * An ended flow's memory lives until the operations that it stopped awaiting have reported. */
#include "conversation/rt/flow.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>

#include "conversation/base/clock.h"
#include "conversation/base/jsonw.h"
#include "conversation/base/list.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/rt/loop.h"
#include "conversation/rt/timer.h"

#define OP_MAGIC 0x666c6f77u /* in an operation that has not reported */

struct flow {
    struct arena arena; /* this struct is its first allocation */
    const struct flow_spec *spec;
    const char *correlation_id;
    void *caller;
    void (*done)(struct flow *f);
    struct list link; /* in `active` until ended */
    struct timer deadline;
    struct loop_task resume; /* queued: the function runs again */
    struct flow_op *awaited; /* NULL while queued or running */
    int ops;                 /* that have not reported */
    int resume_point;
    int64_t started_ms;
    enum err error;      /* what flow_error says */
    enum err cancelled;  /* set by cancel and deadline; becomes `error` at the next entry */
    bool error_is_of_op; /* `error` was reported by the awaited operation: AWAIT_TRY may take it */
    bool is_running, has_ended;
    struct str details;
    alignas(max_align_t) char ctx[];
};

struct flow_op {
    struct flow *flow;
    struct timer sleep; /* flow_sleep only */
    bool is_wanted;
    uint32_t magic;
};

static struct list active = {&active, &active};
static size_t active_count;

void *flow_ctx(const struct flow *f)
{
    return (void *)f->ctx;
}

void *flow_caller(const struct flow *f)
{
    return f->caller;
}

void flow_set_caller(struct flow *f, void *caller)
{
    f->caller = caller;
}

struct arena *flow_arena(struct flow *f)
{
    return &f->arena;
}

const char *flow_correlation_id(const struct flow *f)
{
    return f->correlation_id;
}

const struct flow_spec *flow_spec_of(const struct flow *f)
{
    return f->spec;
}

int64_t flow_started_ms(const struct flow *f)
{
    return f->started_ms;
}

enum err flow_error(const struct flow *f)
{
    return f->error;
}

struct str flow_error_details(const struct flow *f)
{
    return f->details;
}

int *flow_resume_point(struct flow *f)
{
    return &f->resume_point;
}

size_t flow_active_count(void)
{
    return active_count;
}

/* --- the life of a flow --- */

static void free_if_done(struct flow *f)
{
    if (f->has_ended && f->ops == 0) {
        struct arena arena = f->arena;
        arena_done(&arena);
    }
}

static void log_end(const struct flow *f)
{
    enum log_level level = LOG_DEBUG;
    const char *error = NULL;
    if (f->error) {
        level = err_info(f->error)->level;
        error = err_info(f->error)->name;
        metric_add(M_FLOW_FAILURES, 1, f->spec->name, error, NULL);
    }
    LOG(level, "flow.ended", LOG_Z("flow", f->spec->name),
        LOG_INT("durationMs", clock_mono_ms() - f->started_ms), LOG_Z("error", error),
        LOG_Z("correlationId", f->correlation_id));
}

static void end(struct flow *f)
{
    timer_stop(&f->deadline);
    f->has_ended = true;
    list_remove(&f->link);
    active_count--;
    metric_add(M_FLOWS_ACTIVE, -1, NULL, NULL, NULL);
    log_end(f);
    if (f->done)
        f->done(f);
    free_if_done(f);
}

static void queue(struct flow *f)
{
    if (!list_is_linked(&f->resume.link))
        loop_defer(&f->resume);
}

static void report(struct flow_op *op, enum err err);

static void stop_awaiting(struct flow *f)
{
    struct flow_op *op = f->awaited;
    if (!op)
        return;
    f->awaited = NULL;
    op->is_wanted = false;
    if (timer_is_running(&op->sleep)) /* nobody else reports for a sleep, and it may be long */
        report(op, ERR_CANCELLED);
}

/* The flow was cancelled: its function is entered once more, at its AWAIT, to fail there. */
static void fail_at_await(struct flow *f)
{
    stop_awaiting(f);
    queue(f);
}

static void enter(struct flow *f)
{
    int point = f->resume_point;
    if (f->cancelled && (!f->error || f->error_is_of_op)) {
        f->error = f->cancelled;
        f->error_is_of_op = false;
    }
    f->is_running = true;
    f->spec->run(f);
    f->is_running = false;
    bool goes_on = f->awaited || list_is_linked(&f->resume.link);
    assert(goes_on || f->resume_point == point); /* an AWAIT whose expression submitted nothing */
    if (!goes_on)
        end(f);
    else if (f->cancelled)
        fail_at_await(f);
}

static void on_resume(struct loop_task *t)
{
    enter(container_of(t, struct flow, resume));
}

static void on_deadline(struct timer *t)
{
    flow_cancel(container_of(t, struct flow, deadline), ERR_TIMEOUT);
}

void flow_set_deadline(struct flow *f, int64_t ms)
{
    timer_start(&f->deadline, ms, on_deadline);
}

static const char *copy_correlation_id(struct flow *f, const char *given)
{
    if (!given) {
        struct uuid fresh = uuid_random();
        struct uuid_text text = uuid_text(&fresh);
        return arena_strz(&f->arena, str_of(text.z));
    }
    return arena_strz(&f->arena, (struct str){given, strnlen(given, CORRELATION_ID_MAX)});
}

static struct flow *create(const struct flow_start *how)
{
    struct arena arena = {0};
    struct flow *f = arena_alloc(&arena, sizeof *f + how->spec->ctx_size);
    f->arena = arena;
    f->spec = how->spec;
    f->caller = how->caller;
    f->done = how->done;
    f->correlation_id = copy_correlation_id(f, how->correlation_id);
    f->resume.run = on_resume;
    f->started_ms = clock_mono_ms();
    list_add_tail(&active, &f->link);
    active_count++;
    metric_add(M_FLOWS_ACTIVE, 1, NULL, NULL, NULL);
    return f;
}

struct flow *flow_start(const struct flow_start *how)
{
    struct flow *f = create(how);
    if (f->spec->deadline_ms)
        timer_start(&f->deadline, f->spec->deadline_ms, on_deadline);
    if (how->before) {
        f->is_running = true; /* as in the function: what `before` submits must not report inside it */
        how->before(f, how->before_arg);
        f->is_running = false;
    }
    if (f->cancelled)
        fail_at_await(f);
    else if (!f->awaited)
        queue(f);
    return f;
}

void flow_cancel(struct flow *f, enum err why)
{
    assert(why != OK);
    if (f->has_ended || f->cancelled)
        return;
    f->cancelled = why;
    if (!f->is_running)
        fail_at_await(f);
}

void flow_cancel_all(enum err why)
{
    LIST_EACH (n, &active)
        flow_cancel(container_of(n, struct flow, link), why);
}

/* --- errors --- */

void flow_set_error(struct flow *f, enum err err)
{
    assert(err != OK);
    f->error = err;
    f->error_is_of_op = false;
}

void flow_set_error_details(struct flow *f, enum err err, struct str details_json)
{
    flow_set_error(f, err);
    f->details = arena_str(&f->arena, details_json);
}

void flow_set_error_field(struct flow *f, enum err err, const char *field, const char *reason)
{
    struct buf json = {0};
    struct jsonw w = jsonw_on(&json);
    jsonw_array(&w);
    jsonw_object(&w);
    jsonw_m_z(&w, "field", field);
    jsonw_m_z(&w, "reason", reason);
    jsonw_end_object(&w);
    jsonw_end_array(&w);
    jsonw_finish(&w);
    flow_set_error_details(f, err, buf_str(&json));
    buf_done(&json);
}

bool flow_take_error(struct flow *f, enum err *result)
{
    if (f->error && !f->error_is_of_op)
        return false;
    *result = f->error;
    f->error = OK;
    f->error_is_of_op = false;
    return true;
}

/* --- operations --- */

struct flow_op *flow_op_begin(struct flow *f)
{
    assert(f->is_running && !f->error &&
           !f->awaited); /* from an AWAIT, one at a time, none after a failure */
    assert(!list_is_linked(&f->resume.link));
    struct flow_op *op = calloc(1, sizeof *op);
    if (!op)
        abort();
    op->flow = f;
    op->is_wanted = true;
    op->magic = OP_MAGIC;
    f->awaited = op;
    f->ops++;
    return op;
}

static void report(struct flow_op *op, enum err err)
{
    struct flow *f = op->flow;
    bool is_wanted = op->is_wanted;
    assert(op->magic == OP_MAGIC); /* reported twice */
    timer_stop(&op->sleep);
    op->magic = 0;
    free(op);
    f->ops--;
    if (is_wanted) {
        f->awaited = NULL;
        f->error = err;
        f->error_is_of_op = err != OK;
        queue(f);
    }
    free_if_done(f);
}

void flow_op_done(struct flow_op *op, enum err err)
{
    assert(op->magic == OP_MAGIC);
    assert(!op->is_wanted || !op->flow->is_running); /* inside the submit call: use flow_op_done_later */
    report(op, err);
}

/* Reporting only queues the flow, so that "later" costs nothing; it is the adapter's promise that differs. */
void flow_op_done_later(struct flow_op *op, enum err err)
{
    report(op, err);
}

bool flow_op_is_wanted(const struct flow_op *op)
{
    return op->is_wanted;
}

struct flow *flow_op_flow(const struct flow_op *op)
{
    return op->flow;
}

static void on_sleep_over(struct timer *t)
{
    flow_op_done(container_of(t, struct flow_op, sleep), OK);
}

void flow_sleep(struct flow *f, int64_t ms)
{
    timer_start(&flow_op_begin(f)->sleep, ms, on_sleep_over);
}
