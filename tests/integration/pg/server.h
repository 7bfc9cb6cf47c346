/* A private PostgreSQL for one test program, and flows that run one statement each. Included by one file a
 * program. The server listens on a Unix socket in its own folder and on a loopback port. It is the test's to
 * kill, freeze and restart. */
#ifndef TESTS_PG_SERVER_H
#define TESTS_PG_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "../../../src/adapters/pg/pg.h"
#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "conversation/ports/db.h"
#include "conversation/ports/migrations.h"
#include "conversation/rt/loop.h"
#include "unit/net/free_port.h"

#define MAYBE_UNUSED __attribute__((unused))
#define PATIENCE_MS  20000

static struct {
    char folder[64];
    int port;
    pid_t pid; /* 0: not running */
} server;

/* --- time --- */

static int64_t real_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* --- the server --- */

/* PostgreSQL refuses to be root. */
static void become_postgres(void)
{
    struct passwd *who = getpwnam("postgres");
    if (geteuid() != 0)
        return;
    if (!who || setgid(who->pw_gid) != 0 || setuid(who->pw_uid) != 0)
        _exit(126);
}

static const char *program(const char *name, char path[256])
{
    const char *folder = getenv("PG_BIN");
    snprintf(path, 256, "%s/%s", folder ? folder : "/usr/lib/postgresql/15/bin", name);
    return path;
}

static pid_t spawn(char *const argv[])
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    char log[128];
    become_postgres();
    prctl(PR_SET_PDEATHSIG, SIGQUIT); /* when the test dies it takes its server along */
    snprintf(log, sizeof log, "%s/log", server.folder);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    execv(argv[0], argv);
    _exit(127);
}

static void server_url(char url[256])
{
    snprintf(url, 256, "host=%s port=%d user=postgres dbname=postgres connect_timeout=5 options='-c %s'",
             server.folder, server.port, "client_min_messages=warning");
}

/* Until the server answers; started if it is not running, after a crash perhaps several times until the old
 * processes are gone. */
static void server_run(void)
{
    char path[256], data[80], port[12], url[256];
    int64_t due_ms = real_ms() + PATIENCE_MS;
    snprintf(data, sizeof data, "%s/data", server.folder);
    snprintf(port, sizeof port, "%d", server.port);
    server_url(url);
    char *const argv[] = {(char *)program("postgres", path),
                          "-D",
                          data,
                          "-p",
                          port,
                          "-k",
                          server.folder,
                          "-c",
                          "listen_addresses=127.0.0.1",
                          "-c",
                          "fsync=off",
                          "-c",
                          "deadlock_timeout=100ms",
                          NULL};
    while (PQping(url) != PQPING_OK) {
        if (server.pid == 0 || waitpid(server.pid, NULL, WNOHANG) == server.pid)
            server.pid = spawn(argv);
        assert_true(real_ms() < due_ms);
        pause_ms(20);
    }
}

static int server_create(void **state)
{
    (void)state;
    char path[256], data[80];
    snprintf(server.folder, sizeof server.folder, "/tmp/conversation-pg-XXXXXX");
    if (access(program("postgres", path), X_OK) != 0)
        return -1;
    assert_non_null(mkdtemp(server.folder));
    if (geteuid() == 0) {
        struct passwd *who = getpwnam("postgres");
        assert_non_null(who);
        assert_int_equal(chown(server.folder, who->pw_uid, who->pw_gid), 0);
    }
    snprintf(data, sizeof data, "%s/data", server.folder);
    char *const argv[] = {
        (char *)program("initdb", path), "-D", data, "-A", "trust", "-U", "postgres", "-N", NULL};
    int status = -1;
    waitpid(spawn(argv), &status, 0);
    assert_int_equal(status, 0);
    server.port = free_port();
    server_run();
    return 0;
}

static void MAYBE_UNUSED server_signal_all(int signal)
{
    DIR *proc = opendir("/proc");
    for (struct dirent *e; (e = readdir(proc));) {
        char path[300];
        int parent = 0;
        snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
        FILE *stat = atoi(e->d_name) > 0 ? fopen(path, "r") : NULL;
        if (stat && fscanf(stat, "%*d (%*[^)]) %*c %d", &parent) == 1 && parent == server.pid)
            kill(atoi(e->d_name), signal);
        if (stat)
            fclose(stat);
    }
    closedir(proc);
    kill(server.pid, signal);
}

static void server_stop(int signal)
{
    if (server.pid == 0)
        return;
    kill(server.pid, signal);
    waitpid(server.pid, NULL, 0);
    server.pid = 0;
}

static int server_destroy(void **state)
{
    (void)state;
    char command[128];
    server_stop(SIGQUIT);
    snprintf(command, sizeof command, "rm -rf %s", server.folder);
    return system(command);
}

/* How often the server's log has the text so far. */
static int MAYBE_UNUSED server_log_count(const char *text)
{
    char path[80], line[1024];
    int count = 0;
    snprintf(path, sizeof path, "%s/log", server.folder);
    FILE *log = fopen(path, "r");
    assert_non_null(log);
    while (fgets(line, sizeof line, log))
        count += strstr(line, text) != NULL;
    fclose(log);
    return count;
}

/* --- the test's own view of the database, past the adapter --- */

static PGresult *admin(const char *sql)
{
    char url[256];
    server_url(url);
    PGconn *pq = PQconnectdb(url);
    PGresult *result = PQexec(pq, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s%s", sql, PQresultErrorMessage(result), PQerrorMessage(pq));
    PQfinish(pq);
    return result;
}

static void MAYBE_UNUSED admin_do(const char *sql)
{
    PQclear(admin(sql));
}

static int64_t MAYBE_UNUSED admin_int(const char *sql)
{
    PGresult *result = admin(sql);
    int64_t i = PQntuples(result) ? atoll(PQgetvalue(result, 0, 0)) : -1;
    PQclear(result);
    return i;
}

/* A statement that calls GATE waits, once the gate was shut, for as long as the test likes. */
#define GATE "pg_advisory_xact_lock_shared(7264)"

static PGconn *gate;

static void MAYBE_UNUSED gate_shut(void)
{
    char url[256];
    server_url(url);
    gate = PQconnectdb(url);
    PGresult *result = PQexec(gate, "SELECT pg_advisory_lock(7264)");
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    PQclear(result);
}

static void MAYBE_UNUSED gate_open(void)
{
    PQclear(PQexec(gate, "SELECT pg_advisory_unlock(7264)"));
    PQfinish(gate);
}

#define AT_GATE "FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

static bool MAYBE_UNUSED is_at_gate(void *arg)
{
    (void)arg;
    return admin_int("SELECT count(*) " AT_GATE) > 0;
}

/* --- the adapter --- */

static void configure(void)
{
    config.service_name = "test";
    config.db_host = server.folder;
    config.db_port = server.port;
    config.db_name = config.db_user = "postgres";
    config.db_password = "";
    config.db_sslmode = "prefer";
    config.db_pool_size = 3;
    config.db_writers = 2;
    config.db_auto_migrate = true;
    config.db_statement_timeout_ms = 15000; /* less than our patience, and more than a machine stands still */
    config.db_connect_timeout_ms = 5000;
}

static int adapter_setup(void **state)
{
    (void)state;
    configure();
    log_init("test", LOG_ERROR + 1); /* faults are the subject here: no lines about them */
    if (getenv("TEST_LOG"))
        log_set_threshold(LOG_DEBUG);
    clock_update();
    loop_init();
    return 0;
}

static int adapter_teardown(void **state)
{
    (void)state;
    db_stop();
    loop_stop();
    loop_run();
    loop_done();
    metrics_reset();
    return 0;
}

static void on_tick(uv_timer_t *t)
{
    (void)t;
}

/* Turns the loop until `is_so` says yes; fails the test when it takes too long. */
static void turn_until_true(bool (*is_so)(void *arg), void *arg, const char *what)
{
    int64_t due_ms = real_ms() + PATIENCE_MS;
    uv_timer_t tick; /* bounds each turn */
    uv_timer_init(loop_uv(), &tick);
    uv_timer_start(&tick, on_tick, 5, 5);
    while (!is_so(arg)) {
        if (real_ms() > due_ms)
            fail_msg("waited in vain for %s", what);
        uv_run(loop_uv(), UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(loop_uv(), UV_RUN_NOWAIT);
}
#define TURN_UNTIL(is_so, arg) turn_until_true((is_so), (arg), #is_so)

static bool is_usable(void *arg)
{
    (void)arg;
    return db_is_up() && db_schema_state() == DB_SCHEMA_OK;
}

static void MAYBE_UNUSED start_adapter(void)
{
    db_start();
    TURN_UNTIL(is_usable, NULL);
}

/* --- one statement, one flow --- */

struct call {
    const struct pg_statement *statement;
    int64_t args[3];
    int arg_count;
    struct flow *flow;
    bool is_done;
    enum err err;
    int64_t value; /* first column of the first row */
    int rows;
};

static enum err read_int(struct flow *f, const struct pg_rows *rows, void *out)
{
    (void)f;
    struct call *c = out;
    c->rows = pg_row_count(rows);
    c->value = c->rows > 0 ? pg_int(rows, 0, 0) : -1;
    return OK;
}

static void call_submit(struct flow *f, struct call *c)
{
    struct pg_args args = {0};
    for (int i = 0; i < c->arg_count; i++)
        pg_arg_int(&args, c->args[i]);
    pg_run(f, c->statement, &args, read_int, c);
}

static void call_run(struct flow *f)
{
    struct call *c = flow_caller(f);
    FLOW_BEGIN(f);
    AWAIT(f, call_submit(f, c));
    FLOW_END(f);
fail:
    c->err = flow_error(f);
}

static void call_done(struct flow *f)
{
    struct call *c = flow_caller(f);
    c->is_done = true;
}

static const struct flow_spec call_spec = {.name = "test.call", .run = call_run};

static void call_start(struct call *c)
{
    c->flow = flow_start(&(struct flow_start){.spec = &call_spec, .caller = c, .done = call_done});
}

static struct call MAYBE_UNUSED call_of(const struct pg_statement *statement)
{
    return (struct call){.statement = statement};
}

static struct call MAYBE_UNUSED call_of1(const struct pg_statement *statement, int64_t arg)
{
    return (struct call){.statement = statement, .args = {arg}, .arg_count = 1};
}

static bool MAYBE_UNUSED call_is_done(void *arg)
{
    return ((struct call *)arg)->is_done;
}

static bool MAYBE_UNUSED all_flows_ended(void *arg)
{
    (void)arg;
    return flow_active_count() == 0;
}

/* Starts it and waits for its answer. */
static enum err MAYBE_UNUSED call_now(struct call *c)
{
    call_start(c);
    TURN_UNTIL(call_is_done, c);
    return c->err;
}

#endif
