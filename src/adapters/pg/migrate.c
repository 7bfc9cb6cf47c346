/* Applies migrations, over a connection of its own that waits in poll(2): for `--migrate` in the main thread,
 * for automatic migration in the thread pool, where another thread can stop it. Instances that start together
 * take turns by an advisory lock; each migration and its row are one transaction, so a process that dies
 * leaves nothing half done. */
#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "conninfo.h"
#include "conversation/base/log.h"
#include "conversation/base/str.h"
#include "conversation/config.h"
#include "conversation/ports/migrations.h"
#include "schema.h"

#define STOP_POLL_MS 100
/* Any number that nobody else locks in this database: "conv" in ASCII. */
#define LOCK_SQL "SELECT pg_advisory_lock(1668247158)"
#define CREATE_SQL                                                                              \
    "CREATE TABLE IF NOT EXISTS schema_migrations (number int PRIMARY KEY, name text NOT NULL," \
    " applied_at timestamptz NOT NULL DEFAULT now())"
#define RECORD_SQL "INSERT INTO schema_migrations (number, name) VALUES ($1, $2)"

const char pg_schema_sql[] = "SELECT number, name FROM schema_migrations ORDER BY number";

/* --- comparing --- */

static const struct migration *migration_of_number(int number)
{
    for (size_t i = 0; i < migrations_count; i++)
        if (migrations[i].number == number)
            return &migrations[i];
    return NULL;
}

static bool is_applied(const PGresult *rows, const struct migration *m)
{
    for (int i = 0; rows && i < PQntuples(rows); i++)
        if (atoi(PQgetvalue(rows, i, 0)) == m->number)
            return true;
    return false;
}

/* An applied migration that the binary does not know, or knows by another name. */
static bool find_unknown(const PGresult *rows, char *problem, size_t cap)
{
    for (int i = 0; rows && i < PQntuples(rows); i++) {
        const char *name = PQgetvalue(rows, i, 1);
        const struct migration *m = migration_of_number(atoi(PQgetvalue(rows, i, 0)));
        if (!m) {
            snprintf(problem, cap,
                     "the database is newer than this binary: it has migration %s, the binary's newest is %s",
                     name, migrations_count ? migrations[migrations_count - 1].name : "none");
            return true;
        }
        if (strcmp(m->name, name) != 0) {
            snprintf(problem, cap,
                     "the database was migrated by another binary: migration %d is %s there and %s here",
                     m->number, name, m->name);
            return true;
        }
    }
    return false;
}

enum db_schema pg_schema_compare(const PGresult *rows, char *problem, size_t cap)
{
    if (find_unknown(rows, problem, cap))
        return DB_SCHEMA_NEWER;
    for (size_t i = 0; i < migrations_count; i++) {
        if (!is_applied(rows, &migrations[i])) {
            snprintf(problem, cap, "migration %s is not applied: run conversationd --migrate",
                     migrations[i].name);
            return DB_SCHEMA_OLDER;
        }
    }
    return DB_SCHEMA_OK;
}

/* --- a connection that can be stopped --- */

static int64_t mono_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool fail_with(struct pg_migration_run *run, const char *what, const char *message)
{
    char line[384];
    pg_message_copy(message, line, sizeof line);
    snprintf(run->problem, sizeof run->problem, "%s: %s", what, line);
    return false;
}

/* Until the socket is ready; `due_ms` 0: no matter how long. False: stopped or due. */
static bool wait_socket(struct pg_migration_run *run, int fd, short events, int64_t due_ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    while (!atomic_load(&run->is_stopped) && (due_ms == 0 || mono_ms() < due_ms)) {
        if (poll(&p, 1, STOP_POLL_MS) > 0)
            return true;
    }
    return false;
}

static void drop_notice(void *arg, const PGresult *notice)
{
    (void)arg;
    (void)notice;
}

static bool finish_connect(struct pg_migration_run *run, PGconn *pq)
{
    int64_t due_ms = mono_ms() + config.db_connect_timeout_ms;
    PostgresPollingStatusType want = PGRES_POLLING_WRITING;
    if (PQstatus(pq) == CONNECTION_BAD)
        return fail_with(run, "connecting", PQerrorMessage(pq));
    while (want == PGRES_POLLING_READING || want == PGRES_POLLING_WRITING) {
        if (!wait_socket(run, PQsocket(pq), want == PGRES_POLLING_READING ? POLLIN : POLLOUT, due_ms))
            return fail_with(run, "connecting", "it took too long");
        want = PQconnectPoll(pq);
    }
    return want == PGRES_POLLING_OK || fail_with(run, "connecting", PQerrorMessage(pq));
}

static PGconn *begin_connect(void)
{
    struct pg_conninfo info;
    pg_conninfo_init(&info, "conversationd migrate", 0);
    pg_conninfo_add(&info, "host", config.db_host);
    PGconn *pq = PQconnectStartParams(info.keywords, info.values, 0);
    if (!pq)
        abort(); /* no memory */
    PQsetNoticeReceiver(pq, drop_notice, NULL);
    return pq;
}

static bool wait_result(struct pg_migration_run *run, PGconn *pq)
{
    while (PQisBusy(pq)) {
        if (!wait_socket(run, PQsocket(pq), POLLIN, 0))
            return fail_with(run, "migrating", "stopped");
        if (!PQconsumeInput(pq))
            return fail_with(run, "migrating", PQerrorMessage(pq));
    }
    return true;
}

/* The results of what was just sent; *last is the last one's and the caller's, if wanted. */
static bool take_results(struct pg_migration_run *run, PGconn *pq, const char *what, PGresult **last)
{
    PGresult *result;
    bool is_ok = true;
    while (is_ok && (is_ok = wait_result(run, pq)) && (result = PQgetResult(pq))) {
        ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
            is_ok = fail_with(run, what, PQresultErrorMessage(result));
        if (last && is_ok) {
            PQclear(*last);
            *last = result;
        } else {
            PQclear(result);
        }
    }
    return is_ok;
}

static bool execute(struct pg_migration_run *run, PGconn *pq, const char *what, const char *sql,
                    PGresult **last)
{
    if (!PQsendQuery(pq, sql))
        return fail_with(run, what, PQerrorMessage(pq));
    return take_results(run, pq, what, last);
}

/* --- migrating --- */

static bool record(struct pg_migration_run *run, PGconn *pq, const struct migration *m)
{
    char number[12];
    const char *values[] = {number, m->name};
    snprintf(number, sizeof number, "%d", m->number);
    if (!PQsendQueryParams(pq, RECORD_SQL, 2, NULL, values, NULL, NULL, 0))
        return fail_with(run, m->name, PQerrorMessage(pq));
    return take_results(run, pq, m->name, NULL);
}

static bool apply(struct pg_migration_run *run, PGconn *pq, const struct migration *m)
{
    bool is_ok = execute(run, pq, m->name, "BEGIN", NULL) && execute(run, pq, m->name, m->sql, NULL) &&
                 record(run, pq, m) && execute(run, pq, m->name, "COMMIT", NULL);
    run->applied += is_ok;
    return is_ok;
}

static bool apply_missing(struct pg_migration_run *run, PGconn *pq, const PGresult *rows)
{
    for (size_t i = 0; i < migrations_count; i++)
        if (!is_applied(rows, &migrations[i]) && !apply(run, pq, &migrations[i]))
            return false;
    return true;
}

static enum db_schema migrate_over(struct pg_migration_run *run, PGconn *pq)
{
    PGresult *rows = NULL;
    enum db_schema outcome = DB_SCHEMA_UNKNOWN;
    if (!execute(run, pq, "locking", LOCK_SQL, NULL) ||
        !execute(run, pq, "schema_migrations", CREATE_SQL, NULL) ||
        !execute(run, pq, "schema_migrations", pg_schema_sql, &rows))
        goto out;
    if (pg_schema_compare(rows, run->problem, sizeof run->problem) == DB_SCHEMA_NEWER)
        outcome = DB_SCHEMA_NEWER;
    else if (apply_missing(run, pq, rows))
        outcome = DB_SCHEMA_OK;
out:
    PQclear(rows);
    return outcome;
}

void pg_migrate(struct pg_migration_run *run)
{
    PGconn *pq = begin_connect();
    run->outcome = DB_SCHEMA_UNKNOWN;
    if (finish_connect(run, pq))
        run->outcome = migrate_over(run, pq);
    PQfinish(pq); /* rolls back what is not committed, and unlocks */
}

int db_migrate_now(void)
{
    struct pg_migration_run run = {0};
    pg_migrate(&run);
    if (run.outcome != DB_SCHEMA_OK) {
        fprintf(stderr, "conversationd: migration failed: %s\n", run.problem);
        return 1;
    }
    LOG(LOG_INFO, "schema.migrated", LOG_INT("applied", run.applied));
    return 0;
}
