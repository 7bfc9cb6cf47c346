/* Migrations: applied once by whoever comes first, refused where the database is ahead, retried where they
 * fail. */
#include "server.h"

/* The second one takes long enough that processes which start together meet in it. */
const struct migration migrations[] = {
    {1, "0001_first", "CREATE TABLE first (id int); INSERT INTO first VALUES (1)"},
    {2, "0002_second",
     "SELECT pg_sleep(0.2); SELECT " GATE
     "; CREATE TABLE second AS SELECT id FROM first; INSERT INTO first VALUES (2)"},
};
const size_t migrations_count = 2;

static const struct pg_statement COUNT = {.name = "count", .sql = "SELECT count(*) FROM first"};

static int setup(void **state)
{
    admin_do("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    return adapter_setup(state);
}

/* In a process of its own, as --migrate is; its exit status. */
static pid_t migrate_start(void)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char path[80];
        snprintf(path, sizeof path, "%s/stderr", server.folder);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, 2);
        _exit(db_migrate_now());
    }
    return pid;
}

static int migrate_end(pid_t pid)
{
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* On standard error, in one line. */
static void assert_said(const char *text)
{
    char path[80], line[1024] = "", more[8];
    snprintf(path, sizeof path, "%s/stderr", server.folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_null(fgets(more, sizeof more, file));
    fclose(file);
    if (!strstr(line, text))
        fail_msg("'%s' is not in: %s", text, line);
}

static void assert_migrated_once(void)
{
    assert_int_equal(admin_int("SELECT count(*) FROM schema_migrations"), 2);
    assert_int_equal(admin_int("SELECT count(*) FROM first"), 2);
    assert_int_equal(admin_int("SELECT count(*) FROM second"), 1);
}

static bool is_state(void *arg)
{
    return db_schema_state() == *(enum db_schema *)arg;
}

static void turn_until_state(enum db_schema wanted)
{
    turn_until_true(is_state, &wanted, "the schema's state");
}

static void processes_that_start_at_once_take_turns(void **state)
{
    (void)state;
    pid_t pids[4];
    for (int i = 0; i < 4; i++)
        pids[i] = migrate_start();
    for (int i = 0; i < 4; i++)
        assert_int_equal(migrate_end(pids[i]), 0);
    assert_migrated_once();
}

static void a_process_that_dies_leaves_nothing_half_done(void **state)
{
    (void)state;
    gate_shut();
    pid_t pid = migrate_start();
    TURN_UNTIL(is_at_gate, NULL);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    gate_open();
    assert_int_equal(migrate_end(migrate_start()), 0);
    assert_migrated_once();
}

static void a_newer_database_is_refused(void **state)
{
    (void)state;
    assert_int_equal(migrate_end(migrate_start()), 0);
    admin_do("INSERT INTO schema_migrations VALUES (3, '0003_future')");
    assert_int_equal(migrate_end(migrate_start()), 1);
    assert_said("the database is newer than this binary: it has migration 0003_future, the binary's newest "
                "is 0002_second");
    struct call call = call_of(&COUNT);
    db_start();
    turn_until_state(DB_SCHEMA_NEWER);
    assert_int_equal(call_now(&call), ERR_DB_UNAVAILABLE);
    assert_int_equal(admin_int("SELECT count(*) FROM schema_migrations"), 3);
    admin_do("DELETE FROM schema_migrations WHERE number = 3");
    turn_until_state(DB_SCHEMA_OK);
}

static void another_history_is_refused(void **state)
{
    (void)state;
    assert_int_equal(migrate_end(migrate_start()), 0);
    admin_do("UPDATE schema_migrations SET name = '0002_other' WHERE number = 2");
    assert_int_equal(migrate_end(migrate_start()), 1);
    assert_said("migration 2 is 0002_other there and 0002_second here");
}

static void a_server_that_is_away_is_one_line(void **state)
{
    (void)state;
    config.db_host = "127.0.0.1";
    config.db_port = free_port();
    assert_int_equal(migrate_end(migrate_start()), 1);
    assert_said("connecting: connection to server at");
}

static void the_daemon_migrates_by_itself(void **state)
{
    (void)state;
    struct call call = call_of(&COUNT);
    db_start();
    assert_int_equal(call_now(&call),
                     ERR_DB_UNAVAILABLE); /* at once: the loop is not blocked, the schema not there */
    turn_until_state(DB_SCHEMA_OK);
    call = call_of(&COUNT);
    assert_int_equal(call_now(&call), OK);
    assert_int_equal(call.value, 2);
    assert_migrated_once();
}

static void the_daemon_waits_for_someone_else_to_migrate(void **state)
{
    (void)state;
    config.db_auto_migrate = false;
    db_start();
    turn_until_state(DB_SCHEMA_OLDER);
    assert_int_equal(migrate_end(migrate_start()), 0);
    turn_until_state(DB_SCHEMA_OK);
}

static bool has_met_the_obstacle(void *arg)
{
    (void)arg;
    return server_log_count("relation \"second\" already exists") > 0;
}

static void a_migration_that_fails_is_tried_again(void **state)
{
    (void)state;
    admin_do("CREATE TABLE second (in_the_way int)");
    db_start();
    turn_until_state(DB_SCHEMA_OLDER);
    TURN_UNTIL(has_met_the_obstacle, NULL);
    assert_int_equal(admin_int("SELECT count(*) FROM first"),
                     1); /* the first stays, the second left nothing */
    admin_do("DROP TABLE second");
    turn_until_state(DB_SCHEMA_OK);
    assert_migrated_once();
}

static void stopping_ends_a_migration(void **state)
{
    (void)state;
    char url[256];
    server_url(url);
    PGconn *rival = PQconnectdb(url);
    PQclear(PQexec(rival, "SELECT pg_advisory_lock(1668247158)"));
    db_start();
    TURN_UNTIL(is_at_gate, NULL); /* at the rival's lock, this time */
    adapter_teardown(state);      /* it would wait for the rival, who has not gone yet */
    PQfinish(rival);
    adapter_setup(state);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, adapter_teardown)
    const struct CMUnitTest tests[] = {
        CASE(processes_that_start_at_once_take_turns),
        CASE(a_process_that_dies_leaves_nothing_half_done),
        CASE(a_newer_database_is_refused),
        CASE(another_history_is_refused),
        CASE(a_server_that_is_away_is_one_line),
        CASE(the_daemon_migrates_by_itself),
        CASE(the_daemon_waits_for_someone_else_to_migrate),
        CASE(a_migration_that_fails_is_tried_again),
        CASE(stopping_ends_a_migration),
    };
    return cmocka_run_group_tests(tests, server_create, server_destroy);
}
