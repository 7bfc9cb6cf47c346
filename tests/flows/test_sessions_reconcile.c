/* What this instance holds and what the rows say is its own, compared: after the end of a join, of a handing
 * over, or of a session was lost. */
#include "flows/fakes/elsewhere.h"
#include "flows/fakes/failures.h"
#include "flows/job.h"
#include "flows/neighbours.h"

static void look(void)
{
    flow_start(&(struct flow_start){.spec = &job_sessions_reconcile});
    pass_ms(0);
}

/* Both joined here, by the row; nobody is. */
static void given_own(void)
{
    live_start();
    given_active_session();
    fake_db.has_own = true;
    fake_db.joins[0][0] = 3;
    fake_db.joins[0][1] = 5;
    pass_ms(NEIGHBOUR_PATIENCE_MS);
    bus_forget();
}

static void nobody_comes_and_it_is_dropped(void **state)
{
    (void)state;
    given_own();
    look();
    assert_non_null(live_one());
    int64_t adopted_at_ms = world_now_ms();
    look(); /* it is held by now */
    pass_ms(19900);
    assert_row(SESSION_ACTIVE, END_NONE);
    pass_ms(200);
    assert_row(SESSION_COMPLETED, END_DROPPED);
    assert_int_equal(session_row()->ended_at_ms, adopted_at_ms);
    assert_null(live_one());
}

static void who_comes_back_finds_it(void **state)
{
    (void)state;
    given_own();
    look();
    socket_opens(ANAS, ANA);
    joins(ANA, ANAS);
    next_told(ANAS, "session_state");
    next_told(ANAS, "new_prompt");
    socket_opens(BENS, BEN);
    joins(BEN, BENS);
    next_told(ANAS, "partner_joined");
    pass_ms(30000);
    assert_row(SESSION_ACTIVE, END_NONE);
}

/* `ana`, `ben`: the numbers of the joins of who is there. */
static void other_has(int ana, int ben)
{
    other_says((struct said){.ana = ana, .ben = ben, .shown = 1, .shown_at_ms = world_now_ms()});
}

static void another_instance_has_it_and_gets_it(void **state)
{
    (void)state;
    given_own();
    bus_others("ws_events:", 1);
    look();
    other_has(2, 0); /* Ana, by an older join */
    assert_null(live_one());
    assert_string_equal(UUIDZ(&fake_db.handed_over.to), OTHER);
    assert_int_equal(fake_db.handed_over.joins[0], 3);
    assert_int_equal(fake_db.handed_over.joins[1], 5);
    assert_row(SESSION_ACTIVE, END_NONE);
}

/* A socket closed while its join was written, and the learner's other one is at the other instance. */
static void a_join_without_a_socket_is_given_up_with_the_session(void **state)
{
    (void)state;
    given_own();
    bus_others("ws_events:", 1);
    static const struct topic_prompt no_prompts[1];
    struct db_session_prompts none = {.prompts = no_prompts};
    struct live *l = live_open(session_row(), &none);
    live_join(l, &(struct live_seat){.who = 0, .socket_id = ANAS, .join_number = 3});
    other_has(2, 1);
    assert_null(live_one());
    assert_int_equal(fake_db.handed_over.joins[0], 3);
    assert_int_equal(fake_db.handed_over.joins[1], 0);
}

static void a_join_said_twice_on_one_socket_is_given_up_with_the_session(void **state)
{
    (void)state;
    given_own();
    bus_others("ws_events:", 1);
    fake_db.joins[0][0] = 0;
    socket_opens(ANAS, ANA);
    joins(ANA, ANAS);
    joins(ANA, ANAS);
    assert_int_equal(fake_db.joins[0][0], 2);
    other_has(0, 6);
    socket_goes(ANAS);
    other_has(0, 6);
    assert_null(live_one());
    assert_int_equal(fake_db.handed_over.joins[0], 2);
}

static void its_end_is_found(void)
{
    fake_db.has_own = true;
    sockets_forget();
    look();
    assert_told_nothing(ANAS);
    session_row()->status = SESSION_COMPLETED;
    session_row()->end_reason = END_COMPLETED;
    look();
    next_told(ANAS, "session_ended");
    next_told(BENS, "session_ended");
    assert_null(live_one());
}

/* Ended at another instance, which could not say so. */
static void one_that_is_held_and_over_is_told(void **state)
{
    (void)state;
    live_start();
    given_conversation();
    pass_ms(NEIGHBOUR_PATIENCE_MS);
    its_end_is_found();
}

static void one_that_is_over_by_now_is_left_alone(void **state)
{
    (void)state;
    given_own();
    struct db_own_session own = {.id = session_row()->id, .joins = {3, 5}};
    session_row()->status = SESSION_COMPLETED;
    job_session_adopt(&own);
    pass_ms(0);
    assert_null(live_one());
}

/* Without the bus: neither that it is over, nor that it has begun, was heard. */
static void it_is_told_without_the_bus(void **state)
{
    (void)state;
    live_start();
    given_conversation();
    bus_goes_away();
    its_end_is_found();
}

static void given_ana_waits(void)
{
    live_start();
    given_session();
    bus_goes_away();
    fake_db.has_own = true;
    socket_opens(ANAS, ANA);
    joins(ANA, ANAS);
    sockets_forget();
}

static void one_that_waits_and_is_over_is_told(void **state)
{
    (void)state;
    given_ana_waits();
    session_row()->status = SESSION_CANCELLED;
    session_row()->end_reason = END_LEFT;
    look();
    next_told(ANAS, "session_ended");
    assert_null(live_one());
}

/* Ben has come to another instance. */
static void one_that_waits_and_has_begun_begins(void **state)
{
    (void)state;
    given_ana_waits();
    pass_ms(1000);
    session_row()->status = SESSION_ACTIVE;
    session_row()->started_at_ms = world_now_ms();
    pass_ms(25000);
    fake_db.back = (struct db_ended){.session = *session_row(), .back_at = id_of(OTHER), .back_join = 1};
    look();
    next_told(ANAS, "new_prompt");
    pass_ms(100000);
    assert_row(SESSION_ACTIVE, END_NONE);
    assert_int_equal(port_calls(DB_SESSION_END), 1);
}

/* Whoever has it could not say so. */
static void without_the_bus_none_is_adopted(void **state)
{
    (void)state;
    given_own();
    bus_goes_away();
    look();
    assert_null(live_one());
    bus_comes_back();
    pass_ms(NEIGHBOUR_PATIENCE_MS - 2);
    look();
    assert_null(live_one());
    pass_ms(2);
    look();
    assert_non_null(live_one());
}

static struct caller *start(void)
{
    flow_start(&(struct flow_start){.spec = &job_sessions_reconcile});
    return NULL;
}

static const struct scenario adopting = {.given = given_own, .start = start};

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(nobody_comes_and_it_is_dropped),
        WORLD_TEST(who_comes_back_finds_it),
        WORLD_TEST(another_instance_has_it_and_gets_it),
        WORLD_TEST(a_join_without_a_socket_is_given_up_with_the_session),
        WORLD_TEST(a_join_said_twice_on_one_socket_is_given_up_with_the_session),
        WORLD_TEST(one_that_is_held_and_over_is_told),
        WORLD_TEST(one_that_is_over_by_now_is_left_alone),
        WORLD_TEST(it_is_told_without_the_bus),
        WORLD_TEST(one_that_waits_and_is_over_is_told),
        WORLD_TEST(one_that_waits_and_has_begun_begins),
        WORLD_TEST(without_the_bus_none_is_adopted),
        FAILURE_TESTS_OF_JOB(adopting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
