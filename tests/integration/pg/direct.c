#include "direct.h"

#include <glob.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../src/adapters/pg/pg.h"
#include "../../../src/adapters/pg/rows.h"
#include "../../../src/adapters/pg/sqlstate.h"

#define STATEMENTS_MAX 40
#define RACERS_MAX     8

struct flow {
    struct arena arena;
    PGconn *pq;
    enum err err;
    const struct pg_statement *prepared[STATEMENTS_MAX];
    int prepared_count;
    bool wants_plan;
    struct buf plan;
};

static char database[64];

/* --- what the statements need of the flow engine and the connection core --- */

struct arena *flow_arena(struct flow *f)
{
    return &f->arena;
}

const char *flow_correlation_id(const struct flow *f)
{
    (void)f;
    return CORRELATION;
}

static bool prepare(struct flow *f, const struct pg_statement *statement)
{
    for (int i = 0; i < f->prepared_count; i++)
        if (f->prepared[i] == statement)
            return true;
    assert_true(f->prepared_count < STATEMENTS_MAX);
    f->prepared[f->prepared_count++] = statement;
    PGresult *result = PQprepare(f->pq, statement->name, statement->sql, 0, NULL);
    bool is_prepared = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!is_prepared)
        fprintf(stderr, "%s: %s", statement->name, PQresultErrorMessage(result));
    PQclear(result);
    return is_prepared;
}

static enum err result_of(struct flow *f, const struct pg_statement *statement, PGresult *result,
                          pg_reader *read, void *out)
{
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK) {
        enum err err = pg_error_of(result, statement);
        if (err == ERR_INTERNAL)
            fprintf(stderr, "%s: %s", statement->name, PQresultErrorMessage(result));
        return err;
    }
    struct pg_rows rows = pg_rows_of(result);
    return read ? read(f, &rows, out) : OK;
}

static PGresult *exec(PGconn *pq, const char *sql)
{
    PGresult *result = PQexec(pq, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s\n%s", PQresultErrorMessage(result), sql);
    return result;
}

static void add_literal(struct flow *f, struct buf *sql, const char *value)
{
    char *literal = value ? PQescapeLiteral(f->pq, value, strlen(value)) : NULL;
    buf_addz(sql, literal ? literal : "NULL");
    PQfreemem(literal);
}

/* As a connection of the daemon would plan it in the long run. */
static void explain(struct flow *f, const struct pg_statement *statement, const char *const *values,
                    int count)
{
    struct buf sql = {0};
    buf_addf(&sql, "EXPLAIN EXECUTE %s", statement->name);
    for (int i = 0; i < count; i++) {
        buf_addz(&sql, i == 0 ? " (" : ", ");
        add_literal(f, &sql, values[i]);
    }
    buf_addz(&sql, count ? ")" : "");
    buf_addc(&sql, '\0');
    PQclear(exec(f->pq, "SET enable_seqscan = off"));
    PQclear(exec(f->pq, "SET plan_cache_mode = force_generic_plan"));
    PGresult *result = exec(f->pq, sql.p);
    for (int i = 0; i < PQntuples(result); i++)
        buf_addf(&f->plan, "%s\n", PQgetvalue(result, i, 0));
    PQclear(result);
    PQclear(exec(f->pq, "RESET ALL"));
    buf_done(&sql);
}

const char *direct_plan(struct flow *f)
{
    assert_false(f->wants_plan); /* a statement has run */
    return arena_str(&f->arena, buf_str(&f->plan)).p;
}

void direct_wants_plan(struct flow *f)
{
    f->plan.n = 0;
    f->wants_plan = true;
}

void pg_run(struct flow *f, const struct pg_statement *statement, struct pg_args *args, pg_reader *read,
            void *out)
{
    const char *values[PG_ARGS_MAX];
    for (int i = 0; i < args->count; i++)
        values[i] = args->offset[i] < 0 ? NULL : args->text.p + args->offset[i];
    f->err = ERR_INTERNAL;
    if (prepare(f, statement)) {
        if (f->wants_plan)
            explain(f, statement, values, args->count);
        f->wants_plan = false;
        PGresult *result = PQexecPrepared(f->pq, statement->name, args->count, values, NULL, NULL, 0);
        f->err = result_of(f, statement, result, read, out);
        PQclear(result);
    }
    buf_done(&args->text);
    *args = (struct pg_args){0};
}

/* A group of one. */
void pg_run_keyed(struct flow *f, struct pg_keyed *keyed, const struct uuid *id, void *out)
{
    struct pg_args args = {0};
    pg_arg_uuids(&args, id, 1);
    pg_run(f, &keyed->statement, &args, keyed->read, out);
}

/* --- connections --- */

static PGconn *connect_to(const char *name)
{
    /* Nobody misses these rows after a crash: no commit waits for the disk. */
    const char *keywords[] = {"options", "host", "port", "user", "password", "dbname", NULL};
    const char *values[] = {"-c synchronous_commit=off",
                            getenv("DB_HOST"),
                            getenv("DB_PORT"),
                            getenv("DB_USER"),
                            getenv("DB_PASSWORD"),
                            name,
                            NULL};
    PGconn *pq = PQconnectdbParams(keywords, values, 1);
    if (PQstatus(pq) != CONNECTION_OK) {
        fprintf(stderr, "no PostgreSQL to test with (DB_HOST, DB_PORT, …): %s", PQerrorMessage(pq));
        exit(1);
    }
    return pq;
}

struct flow *direct_open(void)
{
    struct flow *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->pq = connect_to(database);
    return f;
}

void direct_close(struct flow *f)
{
    PQfinish(f->pq);
    buf_done(&f->plan);
    arena_done(&f->arena);
    free(f);
}

enum err direct_result(const struct flow *f)
{
    return f->err;
}

/* --- statements of the test's own --- */

static const char *value_of(struct flow *f, const char *format, va_list ap)
{
    char *sql = NULL;
    if (vasprintf(&sql, format, ap) < 0)
        abort();
    PGresult *result = exec(f->pq, sql);
    const char *value = "";
    if (PQntuples(result) > 0)
        value = arena_strz(&f->arena, str_of(PQgetvalue(result, 0, 0)));
    PQclear(result);
    free(sql);
    return value;
}

const char *direct_value(struct flow *f, const char *sql_format, ...)
{
    va_list ap;
    va_start(ap, sql_format);
    const char *value = value_of(f, sql_format, ap);
    va_end(ap);
    return value;
}

int64_t direct_int(struct flow *f, const char *sql_format, ...)
{
    va_list ap;
    va_start(ap, sql_format);
    int64_t value = strtoll(value_of(f, sql_format, ap), NULL, 10);
    va_end(ap);
    return value;
}

void direct_truncate(struct flow *f)
{
    EXEC(f, "TRUNCATE instances, user_skills, match_requests, sessions, session_participants, past_partners, "
            "session_prompts, ratings, reports,"
            " recordings, user_flags, user_blocks, erasures, event_outbox RESTART IDENTITY");
}

/* --- the database --- */

static void apply_file(PGconn *pq, const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("cannot read %s", path);
    struct buf sql = {0};
    char part[4096];
    for (size_t n; (n = fread(part, 1, sizeof part, file)) > 0;)
        buf_add(&sql, part, n);
    fclose(file);
    buf_addc(&sql, '\0');
    PQclear(exec(pq, sql.p));
    buf_done(&sql);
}

int direct_create_database(void **state)
{
    (void)state;
    snprintf(database, sizeof database, "conversation_test_%ld", (long)getpid());
    const char *first = getenv("DB_NAME");
    PGconn *pq = connect_to(first ? first : "postgres");
    char sql[128];
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", database);
    PQclear(exec(pq, sql));
    PQfinish(pq);

    glob_t files;
    assert_int_equal(glob("migrations/*.sql", 0, NULL, &files), 0); /* from the project's folder; sorted */
    pq = connect_to(database);
    PQclear(exec(pq, "SET client_min_messages = warning"));
    for (size_t i = 0; i < files.gl_pathc; i++)
        apply_file(pq, files.gl_pathv[i]);
    globfree(&files);
    PQfinish(pq);
    return 0;
}

int direct_drop_database(void **state)
{
    (void)state;
    const char *first = getenv("DB_NAME");
    PGconn *pq = connect_to(first ? first : "postgres");
    char sql[128];
    snprintf(sql, sizeof sql, "DROP DATABASE %s WITH (FORCE)", database);
    PQclear(exec(pq, sql));
    PQfinish(pq);
    return 0;
}

/* --- races --- */

struct racer {
    int who;
    void (*run)(int who, void *arg);
    void *arg;
    pthread_barrier_t *start;
};

static void *racer_main(void *p)
{
    struct racer *r = p;
    pthread_barrier_wait(r->start);
    r->run(r->who, r->arg);
    return NULL;
}

void direct_race(int count, void (*run)(int who, void *arg), void *arg)
{
    pthread_t threads[RACERS_MAX];
    struct racer racers[RACERS_MAX];
    pthread_barrier_t start;
    assert_true(count <= RACERS_MAX);
    pthread_barrier_init(&start, NULL, (unsigned)count);
    for (int i = 0; i < count; i++) {
        racers[i] = (struct racer){i, run, arg, &start};
        assert_int_equal(pthread_create(&threads[i], NULL, racer_main, &racers[i]), 0);
    }
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
}
