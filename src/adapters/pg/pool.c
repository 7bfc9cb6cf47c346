/* The queues. A statement waits in its pool until the end of the loop's turn, or longer while the connections
 * are busy: what has gathered by then shares a sync, so that batches grow with the load and an idle service
 * waits for nothing. */
#include "pool.h"

#include <assert.h>
#include <stdlib.h>

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "conversation/ports/db.h"
#include "conversation/ports/db_outbox.h"
#include "conversation/rt/loop.h"
#include "conversation/rt/timer.h"
#include "rows.h"
#include "schema.h"
#include "sqlstate.h"

#define PROBE_MS       5000
#define WAITING_MAX    10000 /* a pool's queue; beyond it the service is overloaded */
#define SHARED_MAX     64    /* statements a sync: what fails rolls so many neighbours back */
#define PIPELINE_DEPTH 32    /* batches of one in flight on a connection */

static struct pg_pool readers = {.name = "reader", .batch_max = 1, .may_retry_lost = true};
static struct pg_pool writers = {.name = "writer", .batch_max = SHARED_MAX};
/* One connection, for its lock must not be another's (db_outbox_claim); none before db_outbox_start. */
static struct pg_pool relay = {.name = "outbox", .batch_max = 1};
static void (*tell_committed)(void);
static enum { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN } health;
static bool is_started;
static struct timer probe_timer;

/* --- a statement's end --- */

/* One operation of one flow. */
struct lone_job {
    struct pg_job job; /* first */
    struct flow_op *op;
    pg_reader *read;
    void *out;
};

static struct lone_job *lone_of(const struct pg_job *job)
{
    return container_of(job, struct lone_job, job);
}

void pg_job_done(struct pg_job *job, enum err err)
{
    bool is_error = job->result && PQresultStatus(job->result) == PGRES_FATAL_ERROR;
    if (err == ERR_INTERNAL && is_error)
        pg_error_log(job->result, job->statement);
    if (err && err_info(err)->http_status >= 500)
        metric_inc(M_DEPENDENCY_ERRORS, "postgresql");
    if (job->sends > 0)
        metric_observe(M_DEPENDENCY_LATENCY, (double)(uv_hrtime() - job->asked_ns) / 1e9, "postgresql");
    PQclear(job->result);
    buf_done(&job->args.text);
}

static enum err read_rows(const struct lone_job *l)
{
    struct pg_rows rows = pg_rows_of(l->job.result);
    if (!l->read || !flow_op_is_wanted(l->op))
        return OK;
    return l->read(flow_op_flow(l->op), &rows, l->out);
}

static void finish(struct pg_job *job, enum err err)
{
    struct lone_job *l = lone_of(job);
    struct flow_op *op = l->op;
    enum err outcome = err ? err : read_rows(l);
    pg_job_done(job, err);
    free(l);
    flow_op_done(op, outcome);
}

static bool is_wanted(const struct pg_job *job)
{
    return flow_op_is_wanted(lone_of(job)->op);
}

/* --- the queue --- */

static struct pg_job *take_waiting(struct pg_pool *pool)
{
    struct pg_job *job = LIST_FIRST(&pool->waiting, struct pg_job, link);
    list_remove(&job->link);
    pool->waiting_count--;
    return job;
}

static void fail_waiting(struct pg_pool *pool)
{
    while (!list_is_empty(&pool->waiting)) {
        struct pg_job *job = take_waiting(pool);
        job->kind->finish(job, ERR_DB_UNAVAILABLE);
    }
}

void pg_pool_put_back(struct pg_pool *pool, struct list *jobs)
{
    while (!list_is_empty(jobs)) {
        struct list *last = jobs->prev;
        list_remove(last);
        list_add_tail(pool->waiting.next, last); /* before the first */
        pool->waiting_count++;
    }
    if (pool->ready == 0)
        fail_waiting(pool);
}

/* The next statement to send, after dropping those that nobody waits for any more; NULL: none. */
static struct pg_job *peek_wanted(struct pg_pool *pool)
{
    while (!list_is_empty(&pool->waiting)) {
        struct pg_job *job = LIST_FIRST(&pool->waiting, struct pg_job, link);
        if (job->kind->is_wanted(job))
            return job;
        take_waiting(pool);
        job->kind->finish(job, ERR_CANCELLED);
    }
    return NULL;
}

static bool goes_alone(const struct pg_pool *pool, const struct pg_job *job)
{
    return job->is_alone || pool->batch_max == 1;
}

/* A shared batch has its connection for itself: while it is on its way the next one gathers. */
static bool has_room(const struct pg_conn *c, bool is_alone)
{
    if (c->state != PG_READY)
        return false;
    if (c->batch_count == 0)
        return true;
    return is_alone && c->batch_count < PIPELINE_DEPTH &&
           !LIST_FIRST(&c->batches, struct pg_batch, link)->is_shared;
}

static struct pg_conn *least_loaded(const struct pg_pool *pool, bool is_alone)
{
    struct pg_conn *best = NULL;
    for (int i = 0; i < pool->count; i++) {
        struct pg_conn *c = &pool->conns[i];
        if (has_room(c, is_alone) && (!best || c->batch_count < best->batch_count))
            best = c;
    }
    return best;
}

static struct pg_batch *gather(struct pg_pool *pool)
{
    struct pg_job *job = peek_wanted(pool);
    int max = goes_alone(pool, job) ? 1 : pool->batch_max;
    struct pg_batch *b = pg_batch_new(max > 1);
    for (int n = 0; n < max && job && (n == 0 || !job->is_alone); n++) {
        if (job->kind->leaves_queue)
            job->kind->leaves_queue(job);
        pg_batch_add(b, take_waiting(pool));
        job = peek_wanted(pool);
    }
    return b;
}

static void dispatch(struct pg_pool *pool)
{
    struct pg_job *job;
    struct pg_conn *c;
    while ((job = peek_wanted(pool)) && (c = least_loaded(pool, goes_alone(pool, job))))
        pg_pipeline_send(c, gather(pool));
}

static void at_turn_end(void)
{
    if (!is_started)
        return;
    dispatch(&readers);
    dispatch(&writers);
    if (relay.count)
        dispatch(&relay);
}

static struct pg_pool *pool_for(const struct pg_statement *statement)
{
    if (statement->is_relays)
        return &relay;
    return statement->is_write ? &writers : &readers;
}

enum err pg_pool_refusal(const struct pg_statement *statement)
{
    const struct pg_pool *pool = pool_for(statement);
    if (pool->ready == 0 || db_schema_state() != DB_SCHEMA_OK)
        return ERR_DB_UNAVAILABLE;
    return pool->waiting_count >= WAITING_MAX ? ERR_OVERLOADED : OK;
}

void pg_pool_submit(struct pg_job *job)
{
    struct pg_pool *pool = pool_for(job->statement);
    job->asked_ns = uv_hrtime();
    list_add_tail(&pool->waiting, &job->link);
    pool->waiting_count++;
}

void pg_run(struct flow *f, const struct pg_statement *statement, struct pg_args *args, pg_reader *read,
            void *out)
{
    static const struct pg_job_kind kind = {.finish = finish, .is_wanted = is_wanted, .may_repeat = true};
    struct flow_op *op = flow_op_begin(f);
    enum err refusal = pg_pool_refusal(statement);
    if (refusal) {
        buf_done(&args->text);
        *args = (struct pg_args){0};
        flow_op_done_later(op, refusal);
        return;
    }
    struct lone_job *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    *l = (struct lone_job){
        .job = {.kind = &kind, .statement = statement, .args = *args}, .op = op, .read = read, .out = out};
    *args = (struct pg_args){0};
    pg_pool_submit(&l->job);
}

/* --- the connections --- */

static void each_conn(void (*visit)(struct pg_conn *c))
{
    for (int i = 0; i < readers.count; i++)
        visit(&readers.conns[i]);
    for (int i = 0; i < writers.count; i++)
        visit(&writers.conns[i]);
    for (int i = 0; i < relay.count; i++)
        visit(&relay.conns[i]);
}

static void open_if_waiting(struct pg_conn *c)
{
    if (c->state == PG_BACKOFF)
        pg_conn_open(c);
}

static void report_health(const char *why)
{
    bool is_up = db_is_up();
    if (health == (is_up ? HEALTH_UP : HEALTH_DOWN))
        return;
    if (!is_up && !why)
        return; /* still on its way up */
    health = is_up ? HEALTH_UP : HEALTH_DOWN;
    metric_set(M_DEPENDENCY_UP, is_up, "postgresql");
    if (is_up)
        LOG(LOG_INFO, "dependency.up", LOG_Z("dependency", "postgresql"));
    else
        LOG(LOG_ERROR, "dependency.down", LOG_Z("dependency", "postgresql"), LOG_Z("reason", why));
}

void pg_pool_conn_changed(struct pg_conn *c, enum pg_conn_state from, const char *why)
{
    struct pg_pool *pool = c->pool;
    pool->ready += (c->state == PG_READY) - (from == PG_READY);
    if (pool->changed && (from == PG_READY || c->state == PG_READY))
        pool->changed(c->state == PG_READY);
    if (is_started)
        report_health(why);
    if (pool->ready == 0)
        fail_waiting(pool);
    if (c->state == PG_READY && is_started)
        each_conn(open_if_waiting); /* the server is there: no reason to wait any longer */
}

void pg_pool_committed(const struct pg_pool *pool)
{
    if (pool == &writers && tell_committed)
        tell_committed();
}

struct pg_conn *pg_pool_any_ready(void)
{
    struct pg_conn *c = least_loaded(&readers, true);
    return c ? c : least_loaded(&writers, true);
}

static void probe_if_idle(struct pg_conn *c)
{
    if (c->state == PG_READY && c->batch_count == 0)
        pg_pipeline_send(c, pg_batch_new(false));
}

void pg_pool_probe_idle(void)
{
    each_conn(probe_if_idle);
}

/* A server that froze while nobody asked anything is noticed all the same, as /readyz must. */
static void on_probe(struct timer *t)
{
    pg_pool_probe_idle();
    timer_start(t, PROBE_MS, on_probe);
}

static void fill(struct pg_pool *pool, int count)
{
    pool->conns = calloc((size_t)count, sizeof *pool->conns);
    if (!pool->conns)
        abort();
    pool->count = count;
    list_init(&pool->waiting);
    for (int i = 0; i < count; i++)
        pg_conn_init(&pool->conns[i], pool, i);
}

static void drain(struct pg_pool *pool)
{
    for (int i = 0; i < pool->count; i++)
        pg_conn_close(&pool->conns[i]);
    free(pool->conns);
    pool->conns = NULL;
    pool->count = 0;
}

void db_start(void)
{
    assert(!is_started);
    is_started = true;
    health = HEALTH_UNKNOWN;
    metric_set(M_DEPENDENCY_UP, 0, "postgresql");
    fill(&readers, config.db_pool_size);
    fill(&writers, config.db_writers);
    loop_at_turn_end(at_turn_end);
    pg_schema_start();
    each_conn(pg_conn_open);
    timer_start(&probe_timer, PROBE_MS, on_probe);
}

void db_outbox_start(const struct db_outbox_watch *watch)
{
    assert(is_started && relay.count == 0);
    relay.changed = watch->changed;
    tell_committed = watch->committed;
    fill(&relay, 1);
    pg_conn_open(&relay.conns[0]);
}

void db_stop(void)
{
    if (!is_started)
        return;
    is_started = false;
    timer_stop(&probe_timer);
    pg_schema_stop();
    drain(&readers);
    drain(&writers);
    relay.changed = NULL;
    tell_committed = NULL;
    drain(&relay);
    metric_set(M_DEPENDENCY_UP, 0, "postgresql");
}

bool db_is_up(void)
{
    return readers.ready > 0 && writers.ready > 0;
}
