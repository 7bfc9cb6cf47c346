/* Who is thought to be gone has come back to another instance, and no message has said so: the row knows. Ana
 * is here; Ben has been. */
#include "flows/fakes/elsewhere.h"
#include "flows/neighbours.h"

static void given_ben_came_back(void)
{
    live_start();
    given_active_session();
    socket_opens(ANAS, ANA);
    joins(ANA, ANAS);
    socket_opens(BENS, BEN);
    joins(BEN, BENS);
    pass_ms(NEIGHBOUR_PATIENCE_MS);
    bus_goes_away();
    fake_db.back = (struct db_ended){.session = *session_row(), .back_at = id_of(OTHER), .back_join = 7};
    socket_goes(BENS);
    sockets_forget();
    pass_ms(21000);
    assert_row(SESSION_ACTIVE, END_NONE);
    assert_int_equal(fake_db.asked.ending.join, 1);
    assert_told_nothing(ANAS);
}

static void he_is_found_when_the_bus_is_back(void **state)
{
    (void)state;
    given_ben_came_back();
    pass_ms(60000);
    assert_int_equal(port_calls(DB_SESSION_END), 1);
    bus_others("ws_events:", 1);
    bus_others("instance_events:", 1);
    bus_comes_back();
    pass_ms(0);
    other_says((struct said){.ben = 7, .shown = 1});
    next_told(ANAS, "partner_joined");
    pass_ms(14000); /* the other instance has not been heard for less than it takes to be given up */
    assert_true(live_has_partner(live_one(), 0));
    assert_row(SESSION_ACTIVE, END_NONE);
}

/* His socket there has said join_session twice, or the answer to the second was lost: the row has counted on,
 * the socket is the one of the first. */
static void his_socket_is_of_an_earlier_join_than_the_row_says(void **state)
{
    (void)state;
    given_ben_came_back();
    bus_others("ws_events:", 1);
    bus_others("instance_events:", 1);
    bus_comes_back();
    pass_ms(0);
    other_says((struct said){.ben = 6, .shown = 1});
    next_told(ANAS, "partner_joined");
    assert_true(live_has_partner(live_one(), 0));
    pass_answered_s(60);
    assert_row(SESSION_ACTIVE, END_NONE);
}

static void he_is_not_there_after_all(void **state)
{
    (void)state;
    given_ben_came_back();
    bus_comes_back();
    pass_ms(NEIGHBOUR_PATIENCE_MS + 1100); /* others may have been on their way back, too */
    assert_row(SESSION_ACTIVE, END_NONE);
    pass_ms(20000);
    assert_int_equal(fake_db.asked.ending.join, 7);
    assert_row(SESSION_COMPLETED, END_DROPPED);
}

/* The prompts and the limit are none of it. */
static void the_timers_go_on(void **state)
{
    (void)state;
    given_ben_came_back();
    bus_others("ws_events:", 1);
    bus_others("instance_events:", 1);
    pass_ms(session_row()->max_duration_seconds * INT64_C(1000));
    next_told(ANAS, "new_prompt");
    assert_row(SESSION_COMPLETED, END_TIMEOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(he_is_found_when_the_bus_is_back),
        WORLD_TEST(his_socket_is_of_an_earlier_join_than_the_row_says),
        WORLD_TEST(he_is_not_there_after_all),
        WORLD_TEST(the_timers_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
