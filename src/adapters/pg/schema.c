/* Watches the schema: each new connection asks which migrations the database has. Unless they are the
 * binary's, statements are refused, and the question is asked again from time to time; with automatic
 * migration the missing ones are applied first. */
#include "schema.h"

#include <stdlib.h>

#include "conversation/base/log.h"
#include "conversation/config.h"
#include "conversation/rt/loop.h"
#include "pool.h"
#include "rows.h"
#include "sqlstate.h"

#define RECHECK_MS     1000  /* while the schema is not the binary's */
#define RECHECK_MAX_MS 30000 /* after migrations that failed */

static const struct pg_statement schema_statement = {.name = "schema_migrations", .sql = pg_schema_sql};

/* One migration in the thread pool; owns itself. */
struct migrating {
    struct loop_work work;
    struct pg_migration_run run;
    bool is_abandoned; /* by pg_schema_stop: it frees itself */
};

static enum db_schema state;
static bool is_watching;
static struct timer recheck;
static struct migrating *migrating; /* NULL: none runs */
static int failed_migrations;       /* in a row */

enum db_schema db_schema_state(void)
{
    return state;
}

static void set_state(enum db_schema to, const char *problem)
{
    static const char *const events[] = {"schema.unknown", "schema.ok", "schema.older", "schema.newer"};
    if (state == to)
        return;
    state = to;
    if (to == DB_SCHEMA_OK)
        LOG(LOG_INFO, events[to], LOG_Z("dependency", "postgresql"));
    else if (to == DB_SCHEMA_OLDER && config.db_auto_migrate)
        LOG(LOG_INFO, events[to], LOG_Z("dependency", "postgresql"), LOG_Z("reason", "migrating"));
    else
        LOG(LOG_WARN, events[to], LOG_Z("dependency", "postgresql"), LOG_Z("reason", problem));
}

static void check_again(void)
{
    struct pg_conn *c = pg_pool_any_ready();
    if (c)
        pg_schema_check(c); /* else the next connection will */
}

/* --- automatic migration --- */

static void migrate_in_pool(struct loop_work *w)
{
    pg_migrate(&container_of(w, struct migrating, work)->run);
}

static void on_recheck(struct timer *t)
{
    (void)t;
    if (state != DB_SCHEMA_OK)
        check_again();
}

/* Doubles with every migration that failed. */
static int64_t recheck_ms(void)
{
    int64_t ms = RECHECK_MS;
    for (int i = 0; i < failed_migrations && ms < RECHECK_MAX_MS; i++)
        ms *= 2;
    return ms < RECHECK_MAX_MS ? ms : RECHECK_MAX_MS;
}

static void migrated(const struct pg_migration_run *run)
{
    if (run->outcome == DB_SCHEMA_OK) {
        failed_migrations = 0;
        LOG(LOG_INFO, "schema.migrated", LOG_INT("applied", run->applied));
        check_again();
    } else {
        failed_migrations++;
        LOG(LOG_ERROR, "schema.migration_failed", LOG_Z("reason", run->problem));
        timer_start(&recheck, recheck_ms(), on_recheck);
    }
}

static void on_migrated(struct loop_work *w)
{
    struct migrating *m = container_of(w, struct migrating, work);
    if (!m->is_abandoned) {
        migrating = NULL;
        migrated(&m->run);
    }
    free(m);
}

static void start_migrating(void)
{
    migrating = calloc(1, sizeof *migrating);
    if (!migrating)
        abort();
    migrating->work.work = migrate_in_pool;
    migrating->work.done = on_migrated;
    loop_work_start(&migrating->work);
}

/* --- watching --- */

static void judge(const PGresult *result, enum err err)
{
    char problem[512] = "";
    enum db_schema found = DB_SCHEMA_UNKNOWN;
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (!err)
        found = pg_schema_compare(result, problem, sizeof problem);
    else if (sqlstate && strcmp(sqlstate, PG_UNDEFINED_TABLE) == 0)
        found = pg_schema_compare(NULL, problem, sizeof problem);
    else
        pg_error_log(result, &schema_statement);
    set_state(found, problem);
    if (found == DB_SCHEMA_OK || migrating || timer_is_running(&recheck))
        return; /* nothing to do, or it is asked again anyway */
    if (found == DB_SCHEMA_OLDER && config.db_auto_migrate)
        start_migrating();
    else
        timer_start(&recheck, recheck_ms(), on_recheck);
}

/* The question which migrations the database has. */
struct check {
    struct pg_job job; /* first */
    struct pg_conn *conn;
};

static void on_checked(struct pg_job *job, enum err err)
{
    struct pg_conn *c = container_of(job, struct check, job)->conn;
    /* Without a result the connection broke: the next one asks again. */
    if (job->result && is_watching)
        judge(job->result, err);
    if (job->result && c->state == PG_SETTING_UP)
        pg_conn_set_up_done(c);
    PQclear(job->result);
    free(container_of(job, struct check, job));
}

void pg_schema_check(struct pg_conn *c)
{
    static const struct pg_job_kind kind = {.finish = on_checked};
    struct pg_batch *b = pg_batch_new(false);
    struct check *check = calloc(1, sizeof *check);
    if (!check)
        abort();
    *check = (struct check){.job = {.kind = &kind, .statement = &schema_statement}, .conn = c};
    pg_batch_add(b, &check->job);
    pg_pipeline_send(c, b);
}

void pg_schema_start(void)
{
    is_watching = true;
    state = DB_SCHEMA_UNKNOWN;
    failed_migrations = 0;
}

void pg_schema_stop(void)
{
    is_watching = false;
    state = DB_SCHEMA_UNKNOWN;
    timer_stop(&recheck);
    if (migrating) {
        migrating->is_abandoned = true;
        atomic_store(&migrating->run.is_stopped, true);
        migrating = NULL;
    }
}
