/* Sending batches and taking in their answers. Everything between two syncs is one transaction to PostgreSQL:
 * its first error rolls the whole batch back and skips the rest. So a result counts only once its sync has
 * answered, and of a batch that failed every statement but the culprit is sent again, each with a sync of its
 * own. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "conn.h"
#include "conninfo.h"
#include "conversation/config.h"
#include "pool.h"
#include "sqlstate.h"

/* Beyond the server's own statement timeout: then it is the server or the network that does not answer. */
#define WATCHDOG_SLACK_MS 1000

/* --- prepared statements --- */

/* Some fifty statements: the scan costs less than sending a parameter. */
static struct pg_prepared *prepared_of(struct pg_conn *c, const struct pg_statement *statement)
{
    for (int i = 0; i < c->prepared_count; i++)
        if (c->prepared[i].statement == statement)
            return &c->prepared[i];
    c->prepared = realloc(c->prepared, sizeof *c->prepared * (size_t)(c->prepared_count + 1));
    if (!c->prepared)
        abort();
    struct pg_prepared *fresh = &c->prepared[c->prepared_count++];
    *fresh = (struct pg_prepared){.statement = statement};
    return fresh;
}

/* Every Parse uses a new name, so that one that is stale is never in the way. */
static bool send_prepare(struct pg_conn *c, struct pg_prepared *p)
{
    snprintf(p->name, sizeof p->name, "%d_%s", ++c->prepared_serial, p->statement->name);
    p->is_sent = true;
    return PQsendPrepare(c->pq, p->name, p->statement->sql, 0, NULL);
}

static void forget_prepared(struct pg_conn *c, const struct pg_statement *statement)
{
    prepared_of(c, statement)->is_sent = false;
}

/* --- sending --- */

void pg_pipeline_init(struct pg_conn *c)
{
    list_init(&c->batches);
}

void pg_pipeline_reset(struct pg_conn *c)
{
    free(c->prepared);
    c->prepared = NULL;
    c->prepared_count = 0;
}

struct pg_batch *pg_batch_new(bool is_shared)
{
    struct pg_batch *b = calloc(1, sizeof *b);
    if (!b)
        abort();
    list_init(&b->jobs);
    b->current = &b->jobs;
    b->is_shared = is_shared;
    return b;
}

void pg_batch_add(struct pg_batch *b, struct pg_job *job)
{
    list_add_tail(&b->jobs, &job->link);
    b->current = b->jobs.next;
}

static bool send_job(struct pg_conn *c, struct pg_job *job)
{
    const char *values[PG_ARGS_MAX];
    struct pg_prepared *p = prepared_of(c, job->statement);
    job->sends++;
    job->awaits_prepare = !p->is_sent;
    if (!p->is_sent && !send_prepare(c, p))
        return false;
    for (int i = 0; i < job->args.count; i++)
        values[i] = job->args.offset[i] < 0 ? NULL : job->args.text.p + job->args.offset[i];
    return PQsendQueryPrepared(c->pq, p->name, job->args.count, values, NULL, NULL, 0);
}

static bool send_jobs(struct pg_conn *c, struct pg_batch *b)
{
    LIST_EACH (n, &b->jobs) {
        if (!send_job(c, container_of(n, struct pg_job, link)))
            return false;
    }
    return PQpipelineSync(c->pq);
}

static void on_silence(struct timer *t);

static void watch(struct pg_conn *c)
{
    if (list_is_empty(&c->batches) || config.db_statement_timeout_ms == 0)
        timer_stop(&c->watchdog);
    else
        timer_start(&c->watchdog, config.db_statement_timeout_ms + WATCHDOG_SLACK_MS, on_silence);
}

/* When it was this process that stood still, the server is not blamed: it gets its time anew. */
static void on_silence(struct timer *t)
{
    struct pg_conn *c = container_of(t, struct pg_conn, watchdog);
    if (timer_stood_still(t)) {
        watch(c);
        return;
    }
    pg_conn_lost(c, PG_LOSS_SILENT, "no answer within the statement timeout");
    pg_pool_probe_idle(); /* the others may be as dead */
}

void pg_pipeline_send(struct pg_conn *c, struct pg_batch *b)
{
    list_add_tail(&c->batches, &b->link);
    c->batch_count++;
    if (!timer_is_running(&c->watchdog))
        watch(c);
    if (send_jobs(c, b)) {
        pg_conn_flush(c);
    } else {
        char why[256];
        pg_message_copy(PQerrorMessage(c->pq), why, sizeof why);
        pg_conn_lost(c, PG_LOSS_BROKEN, why);
    }
}

/* --- answers --- */

static bool is_error(const PGresult *result)
{
    return result && PQresultStatus(result) == PGRES_FATAL_ERROR;
}

static void keep_result(struct pg_job *job, PGresult *result)
{
    PQclear(job->result);
    job->result = result;
}

static struct pg_job *take_first(struct pg_batch *b)
{
    struct pg_job *job = LIST_FIRST(&b->jobs, struct pg_job, link);
    list_remove(&job->link);
    return job;
}

static struct pg_batch *take_batch(struct pg_conn *c)
{
    struct pg_batch *b = LIST_FIRST(&c->batches, struct pg_batch, link);
    list_remove(&b->link);
    c->batch_count--;
    return b;
}

static void settle_committed(const struct pg_conn *c, struct pg_batch *b)
{
    if (!list_is_empty(&b->jobs))
        pg_pool_committed(c->pool);
    while (!list_is_empty(&b->jobs)) {
        struct pg_job *job = take_first(b);
        job->kind->finish(job, OK);
    }
}

/* A job of a batch that was rolled back: answered with its own error, or onto the list `again`. */
static void settle_rolled_back(struct pg_conn *c, struct pg_job *job, struct list *again)
{
    const struct pg_sqlstate *state = is_error(job->result) ? pg_sqlstate_of(job->result) : NULL;
    if (state && state->prepared_is_stale)
        forget_prepared(c, job->statement);
    if (job->kind->may_repeat && (!state || job->sends <= state->retries)) {
        keep_result(job, NULL);
        job->is_alone = true;
        list_add_tail(again, &job->link);
    } else {
        job->kind->finish(job, state ? pg_error_of(job->result, job->statement) : ERR_DB_UNAVAILABLE);
    }
}

static void settle(struct pg_conn *c, struct pg_batch *b)
{
    struct list again;
    list_init(&again);
    if (!b->has_failed)
        settle_committed(c, b);
    while (!list_is_empty(&b->jobs))
        settle_rolled_back(c, take_first(b), &again);
    free(b);
    pg_pool_put_back(c->pool, &again);
}

/* The error of the commit itself (a deferred constraint, a serialization failure): only a lone statement is
 * to blame for sure. */
static void take_commit_error(struct pg_batch *b, PGresult *result)
{
    bool is_lone = !list_is_empty(&b->jobs) && b->jobs.next == b->jobs.prev;
    if (is_lone) {
        keep_result(LIST_FIRST(&b->jobs, struct pg_job, link), result);
        return;
    }
    LIST_EACH (n, &b->jobs)
        keep_result(container_of(n, struct pg_job, link), NULL);
    PQclear(result);
}

/* Of a Parse that failed, the error is the job's: its Execute is answered next, as skipped. */
static void take_prepare_result(struct pg_conn *c, struct pg_job *job, PGresult *result)
{
    job->awaits_prepare = false;
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        forget_prepared(c, job->statement);
    if (is_error(result))
        keep_result(job, result);
    else
        PQclear(result);
}

static void take_result(struct pg_conn *c, PGresult *result)
{
    struct pg_batch *b = LIST_FIRST(&c->batches, struct pg_batch, link);
    struct pg_job *job = container_of(b->current, struct pg_job, link);
    b->has_failed |= is_error(result);
    if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
        PQclear(result);
        settle(c, take_batch(c));
    } else if (b->current == &b->jobs) {
        take_commit_error(b, result);
    } else if (job->awaits_prepare) {
        take_prepare_result(c, job, result);
    } else {
        b->current = b->current->next;
        if (PQresultStatus(result) == PGRES_PIPELINE_ABORTED)
            PQclear(result);
        else
            keep_result(job, result);
    }
}

/* What has arrived whole is taken in even from a connection that is already broken: it may hold the answer to
 * a commit. Nothing called from here ends the connection, so `c` stays valid. */
bool pg_pipeline_receive(struct pg_conn *c, char *why, size_t cap)
{
    bool is_whole = PQconsumeInput(c->pq), is_between = false;
    if (!is_whole)
        pg_message_copy(PQerrorMessage(c->pq), why, cap);
    while (!PQisBusy(c->pq) && !list_is_empty(&c->batches)) {
        PGresult *result = PQgetResult(c->pq);
        if (is_error(result) && pg_error_is_fatal(result)) {
            pg_message_copy(PQresultErrorMessage(result), why, cap);
            PQclear(result);
            return false;
        }
        if (!result && is_between)
            break;
        is_between = !result; /* NULL once after each statement's results */
        if (result)
            take_result(c, result);
    }
    watch(c);
    return is_whole;
}

void pg_pipeline_fail(struct pg_conn *c, enum pg_loss loss)
{
    struct list again;
    list_init(&again);
    timer_stop(&c->watchdog);
    while (!list_is_empty(&c->batches)) {
        struct pg_batch *b = take_batch(c);
        while (!list_is_empty(&b->jobs)) {
            struct pg_job *job = take_first(b);
            if (b->has_failed)
                settle_rolled_back(c, job, &again);
            else if (job->kind->may_repeat && c->pool->may_retry_lost && loss == PG_LOSS_BROKEN &&
                     job->sends == 1)
                list_add_tail(&again, &job->link);
            else
                job->kind->finish(job, ERR_DB_UNAVAILABLE);
        }
        free(b);
    }
    pg_pool_put_back(c->pool, &again);
}
