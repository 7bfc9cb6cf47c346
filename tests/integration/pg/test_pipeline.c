/* Statements on a healthy server: order, shared syncs, errors among neighbours, timeouts, flows that went
 * away. */
#include "server.h"

const struct migration migrations[] = {
    {1, "0001_test",
     "CREATE TABLE item (id int PRIMARY KEY, at_seq bigserial, n int NOT NULL DEFAULT 0);"
     "CREATE TABLE account (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);"
     "INSERT INTO account VALUES (1), (2);"
     "CREATE TABLE late (id int, CONSTRAINT late_unique UNIQUE (id) DEFERRABLE INITIALLY DEFERRED)"},
};
const size_t migrations_count = 1;

static const struct pg_violation item_violations[] = {{"item_pkey", ERR_ALREADY_MATCHED}, {NULL, OK}};
static const struct pg_violation late_violations[] = {{"late_unique", ERR_CONFLICT}, {NULL, OK}};

static const struct pg_statement INSERT = {.name = "item_insert",
                                           .sql = "INSERT INTO item (id) VALUES ($1) RETURNING id",
                                           .is_write = true,
                                           .violations = item_violations};
static const struct pg_statement INSERT_LATE = {.name = "late_insert",
                                                .sql = "INSERT INTO late VALUES ($1)",
                                                .is_write = true,
                                                .violations = late_violations};
static const struct pg_statement ADD = {
    .name = "account_add", .sql = "UPDATE account SET n = n + 1 WHERE id = $1 RETURNING n", .is_write = true};
static const struct pg_statement NAP = {
    .name = "nap", .sql = "SELECT 1 FROM pg_sleep($1::float8 / 1000)", .is_write = true};
static const struct pg_statement NAP_READ = {.name = "nap_read",
                                             .sql = "SELECT 1 FROM pg_sleep($1::float8 / 1000)"};
static const struct pg_statement DOUBLE = {.name = "double", .sql = "SELECT $1::bigint * 2"};
static const struct pg_statement DIVIDE = {.name = "divide", .sql = "SELECT 1 / $1::int"};
static const struct pg_statement BROKEN = {.name = "broken", .sql = "SELEC 1", .is_write = true};
static const struct pg_statement BROKEN_READ = {.name = "broken_read", .sql = "SELECT nothing FROM nowhere"};

static int setup(void **state)
{
    admin_do("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    return adapter_setup(state);
}

static void reads_are_answered_each_with_its_own(void **state)
{
    (void)state;
    struct call calls[500];
    start_adapter();
    for (int i = 0; i < 500; i++) {
        calls[i] = call_of1(&DOUBLE, i);
        call_start(&calls[i]);
    }
    TURN_UNTIL(all_flows_ended, NULL);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(calls[i].err, OK);
        assert_int_equal(calls[i].value, 2 * i);
    }
}

static void writes_of_one_turn_share_syncs_in_order(void **state)
{
    (void)state;
    struct call calls[100];
    config.db_writers = 1;
    start_adapter();
    for (int i = 0; i < 100; i++) {
        calls[i] = call_of1(&INSERT, i);
        call_start(&calls[i]);
    }
    TURN_UNTIL(all_flows_ended, NULL);
    assert_int_equal(admin_int("SELECT count(*) FROM item"), 100);
    assert_int_equal(
        admin_int("SELECT count(*) FROM (SELECT id, row_number() OVER (ORDER BY at_seq) - 1 AS place"
                  " FROM item) t WHERE id = place"),
        100);
    /* 64 and 36: a transaction a sync */
    assert_int_equal(admin_int("SELECT count(DISTINCT xmin::text) FROM item"), 2);
}

static void an_error_is_its_own_and_no_neighbours(void **state)
{
    (void)state;
    struct call calls[64];
    start_adapter();
    admin_do("INSERT INTO item (id) VALUES (17)");
    for (int i = 0; i < 64; i++) {
        calls[i] = call_of1(&INSERT, i);
        call_start(&calls[i]);
    }
    TURN_UNTIL(all_flows_ended, NULL);
    for (int i = 0; i < 64; i++)
        assert_int_equal(calls[i].err, i == 17 ? ERR_ALREADY_MATCHED : OK);
    assert_int_equal(admin_int("SELECT count(*) FROM item"), 64);
}

static void several_errors_in_one_sync_each_find_their_own(void **state)
{
    (void)state;
    struct call calls[60];
    start_adapter();
    for (int i = 0; i < 60; i++) {
        calls[i] = i % 3 == 0 ? call_of(&BROKEN) : call_of1(&INSERT, i % 3 == 1 ? i : -1);
        call_start(&calls[i]);
    }
    TURN_UNTIL(all_flows_ended, NULL);
    int duplicates = 0;
    for (int i = 0; i < 60; i++) {
        if (i % 3 == 2)
            duplicates += calls[i].err == ERR_ALREADY_MATCHED;
        else
            assert_int_equal(calls[i].err, i % 3 == 0 ? ERR_INTERNAL : OK);
    }
    assert_int_equal(duplicates, 19); /* of twenty that insert -1 */
    assert_int_equal(admin_int("SELECT count(*) FROM item"), 21);
}

static void an_error_of_the_commit_finds_its_statement(void **state)
{
    (void)state;
    struct call calls[10], lone = call_of1(&INSERT_LATE, 5);
    start_adapter();
    for (int i = 0; i < 10; i++) {
        calls[i] = i == 4 ? call_of1(&INSERT_LATE, 3) : call_of1(&INSERT_LATE, i);
        call_start(&calls[i]);
    }
    TURN_UNTIL(all_flows_ended, NULL);
    /* Sent again alone, over two writers: either of the two equal ones may come first. */
    assert_true(calls[3].err != calls[4].err);
    for (int i = 0; i < 10; i++)
        assert_true(calls[i].err == OK || ((i == 3 || i == 4) && calls[i].err == ERR_CONFLICT));
    assert_int_equal(call_now(&lone), ERR_CONFLICT);
    assert_int_equal(admin_int("SELECT count(*) FROM late"), 9);
}

/* Two full batches, one on each writer, that lock two rows in opposite order. */
static void a_deadlock_of_batches_is_resolved(void **state)
{
    (void)state;
    struct call calls[128];
    start_adapter();
    for (int i = 0; i < 128; i++) {
        int64_t first = i < 64 ? 1 : 2;
        if (i % 64 == 1)
            calls[i] = call_of1(&NAP, 300);
        else
            calls[i] = call_of1(&ADD, i % 64 == 0 ? first : i % 64 == 2 ? 3 - first : -1);
        call_start(&calls[i]);
    }
    TURN_UNTIL(all_flows_ended, NULL);
    for (int i = 0; i < 128; i++)
        assert_int_equal(calls[i].err, OK);
    assert_int_equal(server_log_count("ERROR:  deadlock detected"), 1);
    assert_int_equal(admin_int("SELECT n FROM account WHERE id = 1"), 2);
    assert_int_equal(admin_int("SELECT n FROM account WHERE id = 2"), 2);
}

static bool all_are_connected(void *arg)
{
    (void)arg;
    return admin_int("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'test %'") >=
           config.db_pool_size + config.db_writers;
}

/* The server's, as it was told by each connection. Our own watch, which is for servers that say nothing, is
 * out of it: when all stands still for a second it may come first. */
static void start_with_statement_timeout(int ms)
{
    int usual_ms = (int)config.db_statement_timeout_ms;
    config.db_statement_timeout_ms = ms;
    start_adapter();
    TURN_UNTIL(all_are_connected, NULL);
    config.db_statement_timeout_ms = usual_ms;
}

static void a_statement_that_takes_too_long_times_out_alone(void **state)
{
    (void)state;
    struct call slow = call_of1(&NAP, 10000), slow_read = call_of1(&NAP_READ, 10000);
    struct call neighbour = call_of1(&INSERT, 1), other = call_of1(&DOUBLE, 4);
    start_with_statement_timeout(2500); /* enough for the neighbours on any machine */
    call_start(&neighbour);
    call_start(&slow);
    call_start(&slow_read);
    call_start(&other);
    TURN_UNTIL(all_flows_ended, NULL);
    assert_int_equal(slow.err, ERR_TIMEOUT);
    assert_int_equal(slow_read.err, ERR_TIMEOUT);
    assert_int_equal(neighbour.err, OK);
    assert_int_equal(other.value, 8);
    assert_int_equal(admin_int("SELECT count(*) FROM item"), 1);
}

static void a_lock_that_is_held_too_long_times_out(void **state)
{
    (void)state;
    char url[256];
    struct call add = call_of1(&ADD, 1);
    start_with_statement_timeout(400);
    server_url(url);
    PGconn *holder = PQconnectdb(url);
    PQclear(PQexec(holder, "BEGIN; SELECT * FROM account WHERE id = 1 FOR UPDATE"));
    assert_int_equal(call_now(&add), ERR_TIMEOUT);
    PQfinish(holder);
}

static void errors_of_reads_do_not_touch_their_followers(void **state)
{
    (void)state;
    struct call calls[90];
    config.db_pool_size = 1;
    start_adapter();
    for (int i = 0; i < 90; i++) {
        calls[i] = i % 3 == 0 ? call_of(&BROKEN_READ) : call_of1(&DIVIDE, i % 3 - 1);
        call_start(&calls[i]);
    }
    TURN_UNTIL(all_flows_ended, NULL);
    for (int i = 0; i < 90; i++)
        assert_int_equal(calls[i].err, i % 3 == 2 ? OK : ERR_INTERNAL);
}

static void a_plan_that_the_schema_outgrew_is_made_anew(void **state)
{
    (void)state;
    static const struct pg_statement ALL = {.name = "item_all", .sql = "SELECT * FROM item"};
    struct call before = call_of(&ALL), after = call_of(&ALL);
    config.db_pool_size = 1;
    start_adapter();
    assert_int_equal(call_now(&before), OK);
    admin_do("ALTER TABLE item ADD COLUMN more text");
    assert_int_equal(call_now(&after), OK);
}

static void a_flow_that_left_is_not_sent(void **state)
{
    (void)state;
    struct call blocker = call_of1(&NAP, 300), left = call_of1(&INSERT, 1), stays = call_of1(&INSERT, 2);
    config.db_writers = 1;
    start_adapter();
    call_start(&blocker);
    uv_run(loop_uv(), UV_RUN_NOWAIT);
    uv_run(loop_uv(), UV_RUN_NOWAIT);
    call_start(&left);
    call_start(&stays);
    uv_run(loop_uv(), UV_RUN_NOWAIT);
    uv_run(loop_uv(), UV_RUN_NOWAIT);
    flow_cancel(left.flow, ERR_CANCELLED);
    TURN_UNTIL(all_flows_ended, NULL);
    assert_int_equal(left.err, ERR_CANCELLED);
    assert_int_equal(stays.err, OK);
    assert_int_equal(admin_int("SELECT sum(id) FROM item"), 2);
}

static void a_flow_that_left_after_sending_is_answered_to_nobody(void **state)
{
    (void)state;
    struct call left = call_of1(&NAP_READ, 200), next = call_of1(&DOUBLE, 21);
    config.db_pool_size = 1;
    start_adapter();
    call_start(&left);
    uv_run(loop_uv(), UV_RUN_NOWAIT);
    uv_run(loop_uv(), UV_RUN_NOWAIT);
    flow_cancel(left.flow, ERR_CANCELLED);
    assert_int_equal(call_now(&next), OK);
    assert_int_equal(next.value, 42);
    assert_int_equal(left.err, ERR_CANCELLED);
    assert_int_equal(left.rows, 0);
}

static void a_full_queue_refuses(void **state)
{
    (void)state;
    enum { COUNT = 10200 };
    struct call *calls = calloc(COUNT, sizeof *calls);
    int refused = 0;
    config.db_pool_size = 1;
    start_adapter();
    for (int i = 0; i < COUNT; i++) {
        calls[i] = call_of1(&DOUBLE, i);
        call_start(&calls[i]);
    }
    TURN_UNTIL(all_flows_ended, NULL);
    for (int i = 0; i < COUNT; i++) {
        assert_true(calls[i].err == OK || calls[i].err == ERR_OVERLOADED);
        refused += calls[i].err == ERR_OVERLOADED;
    }
    assert_int_equal(refused, 200);
    free(calls);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, adapter_teardown)
    const struct CMUnitTest tests[] = {
        CASE(reads_are_answered_each_with_its_own),
        CASE(writes_of_one_turn_share_syncs_in_order),
        CASE(an_error_is_its_own_and_no_neighbours),
        CASE(several_errors_in_one_sync_each_find_their_own),
        CASE(an_error_of_the_commit_finds_its_statement),
        CASE(a_deadlock_of_batches_is_resolved),
        CASE(a_statement_that_takes_too_long_times_out_alone),
        CASE(a_lock_that_is_held_too_long_times_out),
        CASE(errors_of_reads_do_not_touch_their_followers),
        CASE(a_plan_that_the_schema_outgrew_is_made_anew),
        CASE(a_flow_that_left_is_not_sent),
        CASE(a_flow_that_left_after_sending_is_answered_to_nobody),
        CASE(a_full_queue_refuses),
    };
    return cmocka_run_group_tests(tests, server_create, server_destroy);
}
