/* What becomes of statements when a connection or the server ends, freezes or is not there, and that all
 * recovers by itself. */
#include "server.h"

const struct migration migrations[] = {{1, "0001_test", "CREATE TABLE item (id int PRIMARY KEY)"}};
const size_t migrations_count = 1;

static const struct pg_statement INSERT = {
    .name = "item_insert", .sql = "INSERT INTO item VALUES ($1)", .is_write = true};
static const struct pg_statement SLOW_WRITE = {
    .name = "slow_write", .sql = "SELECT 1 FROM pg_sleep($1::float8 / 1000)", .is_write = true};
static const struct pg_statement SLOW_READ = {.name = "slow_read",
                                              .sql = "SELECT 7 FROM pg_sleep($1::float8 / 1000)"};
static const struct pg_statement GATED_READ = {.name = "gated_read", .sql = "SELECT 7 FROM " GATE};
static const struct pg_statement READ = {.name = "read", .sql = "SELECT $1::bigint + 1"};

#define AT_ONCE_TURNS 3 /* of the loop: no time has a part in it */

#define BACKENDS "FROM pg_stat_activity WHERE application_name LIKE 'test %'"
#define NAPPING  BACKENDS " AND wait_event = 'PgSleep'"

static int setup(void **state)
{
    admin_do("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    return adapter_setup(state);
}

static bool is_napping(void *arg)
{
    (void)arg;
    return admin_int("SELECT count(*) " NAPPING) > 0;
}

static bool is_down(void *arg)
{
    (void)arg;
    return !db_is_up();
}

static void assert_usable(int64_t id)
{
    struct call write = call_of1(&INSERT, id), read = call_of1(&READ, id);
    TURN_UNTIL(is_usable, NULL);
    assert_int_equal(call_now(&write), OK);
    assert_int_equal(call_now(&read), OK);
    assert_int_equal(read.value, id + 1);
}

static void assert_metric_up(int up)
{
    struct buf text = {0};
    char line[64];
    metrics_render(&text);
    buf_addc(&text, '\0');
    snprintf(line, sizeof line, "dependency_up{dependency=\"postgresql\"} %d\n", up);
    assert_non_null(strstr(text.p, line));
    buf_done(&text);
}

static void assert_refused_at_once(void)
{
    struct call write = call_of1(&INSERT, 99), read = call_of1(&READ, 99);
    call_start(&write);
    call_start(&read);
    for (int i = 0; i < AT_ONCE_TURNS && flow_active_count() > 0; i++)
        uv_run(loop_uv(), UV_RUN_NOWAIT);
    assert_int_equal(flow_active_count(), 0);
    assert_int_equal(write.err, ERR_DB_UNAVAILABLE);
    assert_int_equal(read.err, ERR_DB_UNAVAILABLE);
}

static void a_read_whose_backend_ends_is_sent_again(void **state)
{
    (void)state;
    struct call read = call_of(&GATED_READ);
    start_adapter();
    gate_shut();
    call_start(&read);
    TURN_UNTIL(is_at_gate, NULL);
    admin_do("SELECT pg_terminate_backend(pid) " AT_GATE);
    gate_open();
    TURN_UNTIL(call_is_done, &read);
    assert_int_equal(read.err, OK);
    assert_int_equal(read.value, 7);
    assert_true(db_is_up());
}

static void a_write_whose_backend_ends_is_not(void **state)
{
    (void)state;
    struct call write = call_of1(&SLOW_WRITE, 10000), waiting = call_of1(&INSERT, 1);
    config.db_writers = 2;
    start_adapter();
    call_start(&write);
    TURN_UNTIL(is_napping, NULL);
    call_start(&waiting); /* by the other writer, as soon as it has connected */
    TURN_UNTIL(call_is_done, &waiting);
    admin_do("SELECT pg_terminate_backend(pid) " NAPPING);
    TURN_UNTIL(all_flows_ended, NULL);
    assert_int_equal(write.err, ERR_DB_UNAVAILABLE);
    assert_int_equal(waiting.err, OK);
    assert_usable(2);
}

static void a_write_that_was_not_sent_fails_with_the_last_writer(void **state)
{
    (void)state;
    struct call write = call_of1(&SLOW_WRITE, 10000), waiting = call_of1(&INSERT, 1);
    config.db_writers = 1;
    start_adapter();
    call_start(&write);
    TURN_UNTIL(is_napping, NULL);
    call_start(&waiting);
    admin_do("SELECT pg_terminate_backend(pid) " NAPPING);
    TURN_UNTIL(all_flows_ended, NULL);
    assert_int_equal(write.err, ERR_DB_UNAVAILABLE);
    assert_int_equal(waiting.err, ERR_DB_UNAVAILABLE);
    assert_usable(2);
    assert_int_equal(admin_int("SELECT sum(id) FROM item"), 2);
}

static void every_backend_ending_under_load_loses_no_acknowledged_write(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct call *calls = calloc(COUNT, sizeof *calls);
    int64_t acknowledged = 0;
    start_adapter();
    for (int i = 0; i < COUNT; i++) {
        calls[i] = call_of1(&INSERT, i);
        call_start(&calls[i]);
        if (i == COUNT / 2) {
            uv_run(loop_uv(), UV_RUN_NOWAIT);
            admin_do("SELECT pg_terminate_backend(pid) " BACKENDS);
        }
    }
    TURN_UNTIL(all_flows_ended, NULL);
    for (int i = 0; i < COUNT; i++) {
        assert_true(calls[i].err == OK || calls[i].err == ERR_DB_UNAVAILABLE);
        acknowledged += calls[i].err == OK;
    }
    assert_true(admin_int("SELECT count(*) FROM item") >= acknowledged);
    assert_usable(COUNT + 1);
    free(calls);
}

static void the_server_is_killed_and_comes_back(void **state)
{
    (void)state;
    struct call write = call_of1(&SLOW_WRITE, 10000), read = call_of1(&SLOW_READ, 10000);
    start_adapter();
    assert_usable(1);
    assert_metric_up(1);
    call_start(&write);
    call_start(&read);
    TURN_UNTIL(is_napping, NULL);
    server_signal_all(SIGKILL);
    server_stop(SIGKILL);
    TURN_UNTIL(all_flows_ended, NULL);
    assert_int_equal(write.err, ERR_DB_UNAVAILABLE);
    assert_int_equal(read.err, ERR_DB_UNAVAILABLE);
    TURN_UNTIL(is_down, NULL);
    assert_metric_up(0);
    assert_refused_at_once();
    server_run();
    assert_usable(2);
    assert_int_equal(admin_int("SELECT count(*) FROM item"), 2);
}

/* A backend that ends with our statement unread sends its last words, then a reset: both are there when the
 * loop looks again. */
static void a_reset_behind_the_last_words_is_noticed(void **state)
{
    (void)state;
    struct call read = call_of1(&READ, 1);
    config.db_host = "127.0.0.1";             /* a Unix socket knows no reset */
    config.db_statement_timeout_ms = 3600000; /* the watchdog would notice, too */
    start_adapter();
    server_signal_all(SIGSTOP);
    call_start(&read);
    uv_run(loop_uv(), UV_RUN_NOWAIT);
    uv_run(loop_uv(), UV_RUN_NOWAIT); /* sent */
    server_signal_all(SIGQUIT);
    server_signal_all(SIGCONT);
    server_stop(SIGQUIT);
    TURN_UNTIL(call_is_done, &read);
    assert_int_equal(read.err, ERR_DB_UNAVAILABLE);
    server_run();
    assert_usable(1);
}

static void a_crashed_backend_takes_all_down_for_a_while(void **state)
{
    (void)state;
    struct call write = call_of1(&SLOW_WRITE, 10000);
    start_adapter();
    call_start(&write);
    TURN_UNTIL(is_napping, NULL);
    kill((pid_t)admin_int("SELECT pid " NAPPING), SIGKILL);
    TURN_UNTIL(call_is_done, &write);
    assert_int_equal(write.err, ERR_DB_UNAVAILABLE);
    TURN_UNTIL(is_down, NULL); /* PostgreSQL ends all its processes and recovers */
    assert_usable(3);
}

/* From here on the server may take its time again. */
static void thaw(void)
{
    configure();
    server_signal_all(SIGCONT);
}

/* As when the machine sleeps for a while: the server stands still, too, and has not answered when we wake up.
 */
static void our_own_standstill_blames_nobody(void **state)
{
    (void)state;
    struct call write = call_of1(&INSERT, 1);
    start_adapter();
    config.db_statement_timeout_ms = 300; /* ours alone: the server has the usual one */
    server_signal_all(SIGSTOP);
    call_start(&write);
    for (int i = 0; i < AT_ONCE_TURNS; i++)
        uv_run(loop_uv(), UV_RUN_NOWAIT); /* sent */
    pause_ms(2000);                       /* the timeout, and a second for its answer */
    for (int i = 0; i < AT_ONCE_TURNS; i++) {
        uv_run(loop_uv(), UV_RUN_NOWAIT);
        pause_ms(2);
    }
    server_signal_all(SIGCONT);
    TURN_UNTIL(call_is_done, &write);
    assert_int_equal(write.err, OK);
    assert_true(db_is_up());
}

static void a_frozen_server_is_given_up(void **state)
{
    (void)state;
    config.db_statement_timeout_ms = 300;
    config.db_connect_timeout_ms = 300;
    struct call write = call_of1(&INSERT, 1), read = call_of1(&READ, 1);
    start_adapter();
    server_signal_all(SIGSTOP);
    int64_t begun_ms = real_ms();
    call_start(&write);
    call_start(&read);
    TURN_UNTIL(all_flows_ended, NULL);
    assert_int_equal(write.err, ERR_DB_UNAVAILABLE);
    assert_int_equal(read.err, ERR_DB_UNAVAILABLE);
    assert_true(real_ms() - begun_ms >= 1300);
    TURN_UNTIL(is_down, NULL); /* the idle connections are found to be dead, too */
    assert_refused_at_once();
    thaw();
    assert_usable(2);
}

static void a_server_that_froze_while_nobody_asked_is_noticed(void **state)
{
    (void)state;
    config.db_statement_timeout_ms = 300;
    config.db_connect_timeout_ms = 300;
    start_adapter();
    server_signal_all(SIGSTOP);
    TURN_UNTIL(is_down, NULL);
    assert_refused_at_once();
    thaw();
    assert_usable(3);
}

static void a_server_that_comes_late_is_found(void **state)
{
    (void)state;
    server_stop(SIGINT);
    db_start();
    assert_refused_at_once();
    assert_int_equal(db_schema_state(), DB_SCHEMA_UNKNOWN);
    server_run();
    assert_usable(1);
}

static void it_connects_by_name_over_tcp(void **state)
{
    (void)state;
    config.db_host = "localhost"; /* whose first address may be one where nobody listens */
    start_adapter();
    assert_usable(1);
}

static void a_name_that_does_not_resolve_is_no_end(void **state)
{
    (void)state;
    config.db_host = "nowhere.invalid";
    db_start();
    assert_refused_at_once();
    config.db_host = server.folder;
    assert_usable(1);
}

static void stopping_fails_what_is_on_its_way(void **state)
{
    (void)state;
    struct call write = call_of1(&SLOW_WRITE, 10000), read = call_of1(&SLOW_READ, 10000);
    struct call waiting = call_of1(&INSERT, 1);
    config.db_writers = 1;
    start_adapter();
    call_start(&write);
    call_start(&read);
    TURN_UNTIL(is_napping, NULL);
    call_start(&waiting);
    uv_run(loop_uv(), UV_RUN_NOWAIT);
    db_stop();
    TURN_UNTIL(all_flows_ended, NULL);
    assert_int_equal(write.err, ERR_DB_UNAVAILABLE);
    assert_int_equal(read.err, ERR_DB_UNAVAILABLE);
    assert_int_equal(waiting.err, ERR_DB_UNAVAILABLE);
    assert_false(db_is_up());
}

static void stopping_while_it_connects_leaves_nothing(void **state)
{
    (void)state;
    db_start(); /* the teardown asserts that no handle is left */
    uv_run(loop_uv(), UV_RUN_NOWAIT);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, adapter_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_read_whose_backend_ends_is_sent_again),
        CASE(a_write_whose_backend_ends_is_not),
        CASE(a_write_that_was_not_sent_fails_with_the_last_writer),
        CASE(every_backend_ending_under_load_loses_no_acknowledged_write),
        CASE(the_server_is_killed_and_comes_back),
        CASE(a_reset_behind_the_last_words_is_noticed),
        CASE(a_crashed_backend_takes_all_down_for_a_while),
        CASE(our_own_standstill_blames_nobody),
        CASE(a_frozen_server_is_given_up),
        CASE(a_server_that_froze_while_nobody_asked_is_noticed),
        CASE(a_server_that_comes_late_is_found),
        CASE(it_connects_by_name_over_tcp),
        CASE(a_name_that_does_not_resolve_is_no_end),
        CASE(stopping_fails_what_is_on_its_way),
        CASE(stopping_while_it_connects_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, server_create, server_destroy);
}
