/* Rows by id for many flows at once: who shares a statement, and that everybody gets the own row, or the
 * failure. */
#include "server.h"

const struct migration migrations[] = {
    {1, "0001_test", "CREATE TABLE item (id uuid PRIMARY KEY, n bigint NOT NULL)"}};
const size_t migrations_count = 1;

enum { ASKS = 300, IDS_A_STATEMENT = 64, NO_VALUE = -7 };

struct asking {
    struct pg_keyed *keyed;
    struct uuid id;
    struct flow *flow;
    bool is_done;
    enum err err;
    int rows;
    int64_t n;
};

static enum err read_n(struct flow *f, const struct pg_rows *rows, void *out)
{
    struct asking *a = out;
    assert_ptr_equal(flow_caller(f), a);
    a->rows = pg_row_count(rows);
    if (a->rows == 0)
        return ERR_NOT_FOUND;
    struct uuid id = pg_uuid(rows, 0, 0);
    assert_true(uuid_eq(&id, &a->id));
    a->n = pg_is_null(rows, 0, 1) ? NO_VALUE : pg_int(rows, 0, 1);
    return OK;
}

static struct pg_keyed ITEM = {
    .statement = {.name = "item", .sql = "SELECT i.id, i.n FROM item i WHERE i.id = ANY ($1::uuid[])"},
    .read = read_n};
static struct pg_keyed OTHER = {
    .statement = {.name = "other", .sql = "SELECT asked.id, -1 FROM unnest($1::uuid[]) AS asked (id)"},
    .read = read_n};
static struct pg_keyed HOLES = {
    .statement = {.name = "holes",
                  .sql = "SELECT asked.id, nullif(get_byte(uuid_send(asked.id), 12) % 2, 0)"
                         "  FROM unnest($1::uuid[]) AS asked (id)"},
    .read = read_n};
static struct pg_keyed SLOW = {.statement = {.name = "slow",
                                             .sql =
                                                 "SELECT asked.id, 7 FROM unnest($1::uuid[]) AS asked (id),"
                                                 " " GATE},
                               .read = read_n};
static struct pg_keyed BROKEN = {.statement = {.name = "broken", .sql = "SELECT nothing FROM nowhere"},
                                 .read = read_n};

static int setup(void **state)
{
    admin_do("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    adapter_setup(state);
    start_adapter();
    return 0;
}

static struct uuid id_of(int n)
{
    struct uuid id = {.b = {1}};
    memcpy(id.b + 12, &n, sizeof n);
    return id;
}

static void run(struct flow *f)
{
    struct asking *a = flow_caller(f);
    FLOW_BEGIN(f);
    AWAIT(f, pg_run_keyed(f, a->keyed, &a->id, a));
    FLOW_END(f);
fail:
    a->err = flow_error(f);
}

static void done(struct flow *f)
{
    ((struct asking *)flow_caller(f))->is_done = true;
}

static void ask(struct asking *a, struct pg_keyed *keyed, int n)
{
    static const struct flow_spec spec = {.name = "test.ask", .run = run};
    *a = (struct asking){.keyed = keyed, .id = id_of(n)};
    a->flow = flow_start(&(struct flow_start){.spec = &spec, .caller = a, .done = done});
}

static void insert_items(int count)
{
    for (int i = 0; i < count; i++) {
        char sql[160];
        struct uuid id = id_of(i);
        snprintf(sql, sizeof sql, "INSERT INTO item VALUES ('%s', %d)", UUIDZ(&id), i);
        admin_do(sql);
    }
}

static int statements(void)
{
    static const char line[] = "dependency_request_duration_seconds_count{dependency=\"postgresql\"} ";
    struct buf text = {0};
    metrics_render(&text);
    buf_addc(&text, '\0');
    const char *at = strstr(text.p, line);
    int count = at ? atoi(at + strlen(line)) : 0;
    buf_done(&text);
    return count;
}

static void those_of_one_turn_share_statements(void **state)
{
    (void)state;
    struct asking asks[ASKS];
    int ids = 40, before = statements();
    insert_items(ids / 2); /* every second id has no row */
    for (int i = 0; i < ASKS; i++)
        ask(&asks[i], &ITEM, i % ids);
    TURN_UNTIL(all_flows_ended, NULL);
    for (int i = 0; i < ASKS; i++) {
        bool is_there = i % ids < ids / 2;
        assert_int_equal(asks[i].err, is_there ? OK : ERR_NOT_FOUND);
        assert_int_equal(asks[i].rows, is_there);
        if (is_there)
            assert_int_equal(asks[i].n, i % ids);
    }
    assert_int_equal(statements() - before, 1);
}

static void more_ids_than_fit_go_in_several(void **state)
{
    (void)state;
    struct asking asks[ASKS];
    int before = statements();
    for (int i = 0; i < ASKS; i++)
        ask(&asks[i], &OTHER, i);
    TURN_UNTIL(all_flows_ended, NULL);
    for (int i = 0; i < ASKS; i++) {
        assert_int_equal(asks[i].err, OK);
        assert_int_equal(asks[i].n, -1);
    }
    assert_int_equal(statements() - before, (ASKS + IDS_A_STATEMENT - 1) / IDS_A_STATEMENT);
}

static void kinds_do_not_mix(void **state)
{
    (void)state;
    struct asking asks[20];
    insert_items(20);
    for (int i = 0; i < 20; i++)
        ask(&asks[i], i % 2 ? &OTHER : &ITEM, i);
    TURN_UNTIL(all_flows_ended, NULL);
    for (int i = 0; i < 20; i++)
        assert_int_equal(asks[i].n, i % 2 ? -1 : i);
}

static void nulls_are_each_rows_own(void **state)
{
    (void)state;
    struct asking asks[8];
    for (int i = 0; i < 8; i++)
        ask(&asks[i], &HOLES, i);
    TURN_UNTIL(all_flows_ended, NULL);
    for (int i = 0; i < 8; i++)
        assert_int_equal(asks[i].n, i % 2 ? 1 : NO_VALUE);
}

static void two_turns(void)
{
    uv_run(loop_uv(), UV_RUN_NOWAIT);
    uv_run(loop_uv(), UV_RUN_NOWAIT);
}

static void an_answer_is_as_fresh_as_a_statement_of_its_own(void **state)
{
    (void)state;
    struct asking first, second, slow, late;
    insert_items(1);
    ask(&first, &ITEM, 0);
    TURN_UNTIL(all_flows_ended, NULL);
    admin_do("UPDATE item SET n = 8");
    ask(&second, &ITEM, 0);
    TURN_UNTIL(all_flows_ended, NULL);
    assert_int_equal(first.n, 0);
    assert_int_equal(second.n, 8);
    gate_shut();
    ask(&slow, &SLOW, 0); /* one that is on its way takes nobody in any more */
    two_turns();
    assert_null(SLOW.open);
    int before = statements();
    ask(&late, &SLOW, 0);
    gate_open();
    TURN_UNTIL(all_flows_ended, NULL);
    assert_int_equal(statements() - before, 2);
}

/* With two on their way, what comes next gathers, unless it fills a group. */
static void groups_grow_while_two_are_on_their_way(void **state)
{
    (void)state;
    struct asking asks[10], many[2 * IDS_A_STATEMENT + 1];
    int before = statements();
    gate_shut();
    for (int i = 0; i < 10; i++) {
        ask(&asks[i], &SLOW, i);
        two_turns();
    }
    gate_open();
    TURN_UNTIL(all_flows_ended, NULL);
    for (int i = 0; i < 10; i++)
        assert_int_equal(asks[i].err, OK);
    assert_int_equal(statements() - before, 3);
    before = statements();
    for (int i = 0; i < 2 * IDS_A_STATEMENT + 1; i++)
        ask(&many[i], &SLOW, i);
    TURN_UNTIL(all_flows_ended, NULL);
    assert_int_equal(statements() - before, 3);
}

/* What waits for the others fails with the connections that it would have gone to. */
static void a_group_that_waits_is_not_forgotten(void **state)
{
    (void)state;
    struct asking asks[6];
    gate_shut();
    for (int i = 0; i < 6; i++) {
        ask(&asks[i], &SLOW, i);
        two_turns();
    }
    assert_non_null(SLOW.open);
    db_stop();
    gate_open();
    TURN_UNTIL(all_flows_ended, NULL);
    for (int i = 0; i < 6; i++)
        assert_int_equal(asks[i].err, ERR_DB_UNAVAILABLE);
    assert_null(SLOW.open);
    assert_int_equal(SLOW.in_flight, 0);
}

static void flows_that_went_away_are_left_out(void **state)
{
    (void)state;
    struct asking asks[6];
    int before = statements();
    insert_items(6);
    for (int i = 0; i < 6; i++)
        ask(&asks[i], &ITEM, i);
    uv_run(loop_uv(), UV_RUN_NOWAIT); /* sent */
    for (int i = 0; i < 3; i++)
        flow_cancel(asks[i].flow, ERR_TIMEOUT);
    TURN_UNTIL(all_flows_ended, NULL);
    for (int i = 0; i < 6; i++)
        assert_int_equal(asks[i].err, i < 3 ? ERR_TIMEOUT : OK);
    assert_int_equal(statements() - before, 1);
}

static void an_error_is_everybodys(void **state)
{
    (void)state;
    struct asking asks[10], good;
    for (int i = 0; i < 10; i++)
        ask(&asks[i], &BROKEN, i);
    ask(&good, &OTHER, 1);
    TURN_UNTIL(all_flows_ended, NULL);
    for (int i = 0; i < 10; i++)
        assert_int_equal(asks[i].err, ERR_INTERNAL);
    assert_int_equal(good.err, OK);
}

static void a_lost_group_is_sent_again(void **state)
{
    (void)state;
    struct asking asks[10], late;
    gate_shut();
    for (int i = 0; i < 10; i++)
        ask(&asks[i], &SLOW, i);
    TURN_UNTIL(is_at_gate, NULL);
    admin_do("SELECT pg_terminate_backend(pid) " AT_GATE);
    ask(&late, &SLOW, 99); /* a group of its own beside the one that waits again */
    gate_open();
    TURN_UNTIL(all_flows_ended, NULL);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(asks[i].err, OK);
        assert_int_equal(asks[i].n, 7);
    }
    assert_int_equal(late.err, OK);
}

static void stopping_fails_all_and_a_stopped_adapter_refuses(void **state)
{
    (void)state;
    struct asking sent[3], late;
    gate_shut();
    for (int i = 0; i < 3; i++)
        ask(&sent[i], &SLOW, i);
    TURN_UNTIL(is_at_gate, NULL);
    db_stop();
    gate_open();
    TURN_UNTIL(all_flows_ended, NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(sent[i].err, ERR_DB_UNAVAILABLE);
    ask(&late, &SLOW, 1);
    TURN_UNTIL(all_flows_ended, NULL);
    assert_int_equal(late.err, ERR_DB_UNAVAILABLE);
    assert_null(SLOW.open);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, adapter_teardown)
    const struct CMUnitTest tests[] = {
        CASE(those_of_one_turn_share_statements),
        CASE(more_ids_than_fit_go_in_several),
        CASE(kinds_do_not_mix),
        CASE(nulls_are_each_rows_own),
        CASE(an_answer_is_as_fresh_as_a_statement_of_its_own),
        CASE(groups_grow_while_two_are_on_their_way),
        CASE(a_group_that_waits_is_not_forgotten),
        CASE(flows_that_went_away_are_left_out),
        CASE(an_error_is_everybodys),
        CASE(a_lost_group_is_sent_again),
        CASE(stopping_fails_all_and_a_stopped_adapter_refuses),
    };
    return cmocka_run_group_tests(tests, server_create, server_destroy);
}
