/* A session whose participants are at two instances: messages are lost, Redis goes away, and the other
 * instance dies, stands still, or this one stops. */
#include "conversation/base/instance.h"
#include "flows/fakes/elsewhere.h"
#include "flows/neighbours.h"

/* --- losses --- */

static void nobody_hears_it_and_the_partner_counts_as_gone(void **state)
{
    (void)state;
    given_shared();
    bus_others("ws_events:", 0);
    assert_int_equal(ana_emits("into the void"), OK);
    pass_ms(0);
    assert_told(ANAS, "partner_left", LEFT_BEN("disconnect"));
    bus_others("ws_events:", 1);
    bus_forget();
    other_says((struct said){.asks = 1, .ben = 1});
    assert_told(ANAS, "partner_joined", JOINED_BEN);
    assert_says(0, 1, 1, 0); /* there, too, they must negotiate anew: something was lost */
}

/* Ben's instance came to listen after the question; what it says comes before Redis' answer to that. */
static void that_nobody_heard_it_says_nothing_of_who_came_later(void **state)
{
    char ben[128];
    (void)state;
    given_shared();
    other_says((struct said){.ben = 0});
    next_told(ANAS, "partner_left");
    bus_others("ws_events:", 0);
    assert_true(bus_says(CHANNEL, "emit 1 1 offer {}")); /* it is answered with who is here */
    snprintf(ben, sizeof ben, "state " OTHER " 0 0 0 2 1 %lld", (long long)T0);
    assert_true(bus_says(CHANNEL, ben));
    bus_others("ws_events:", 1);
    pass_answered_s(3);
    assert_told(ANAS, "partner_joined", JOINED_BEN);
    assert_told_nothing(ANAS);
    assert_true(live_has_partner(live_one(), 0));
    bus_others("ws_events:", 0); /* asked again, and now it does */
    pass_answered_s(2);
    assert_told(ANAS, "partner_left", LEFT_BEN("disconnect"));
}

static void what_may_be_lost_makes_both_negotiate_anew(void **state)
{
    (void)state;
    given_shared();
    bus_others("ws_events:", -1); /* nobody knows */
    assert_int_equal(ana_emits("perhaps"), OK);
    pass_ms(1000);
    bus_forget();
    assert_told_nothing(ANAS);
    bus_others("ws_events:", 1);
    other_says((struct said){.ben = 1});
    assert_told(ANAS, "partner_joined", JOINED_BEN);
    assert_says(0, 1, 1, 0);
    other_says((struct said){.ben = 1});
    assert_told_nothing(ANAS); /* once */
    other_says((struct said){.anew = 1, .ben = 1});
    assert_told(ANAS, "partner_joined", JOINED_BEN); /* the other one has lost something */
    assert_says_nothing();
}

/* It hears again before it can speak again: the two ways are two connections. */
static void anew_is_said_until_it_is_heard(void **state)
{
    (void)state;
    given_shared();
    bus_goes_away();
    assert_int_equal(ana_emits("no"), ERR_PARTNER_NOT_CONNECTED);
    other_says((struct said){.asks = 1, .ben = 1});
    assert_told(ANAS, "partner_joined", JOINED_BEN);
    assert_says_nothing();
    bus_comes_back();
    bus_others("ws_events:", 0);
    pass_ms(0);
    assert_says(1, 1, 1, 0);
    bus_others("ws_events:", 1);
    pass_ms(1010);
    assert_says(1, 1, 1, 0);
    pass_ms(1010);
    assert_says(1, 0, 1, 0); /* that was heard */
    other_says((struct said){.ben = 1});
    next_told(ANAS, "session_state");
    assert_told_nothing(ANAS);
}

static void without_redis_sockets_stay(void **state)
{
    (void)state;
    given_shared();
    bus_goes_away();
    assert_int_equal(ana_emits("no"), ERR_PARTNER_NOT_CONNECTED);
    pass_ms(2 * MINUTE);
    assert_told_nothing(ANAS);
    assert_true(socket_is_in(ANAS, SESSION));
    assert_row(SESSION_ACTIVE, END_NONE);
    bus_comes_back();
    bus_others("ws_events:", 0); /* the other one is not back yet */
    pass_ms(3000);
    assert_told_nothing(ANAS);
    bus_forget();
    bus_others("ws_events:", 1);
    other_says((struct said){.asks = 1, .ben = 1});
    next_told(ANAS, "session_state");
    assert_told(ANAS, "partner_joined", JOINED_BEN);
    assert_told_nothing(ANAS);
    assert_says(0, 1, 1, 0);
}

static void back_on_the_bus_and_nothing_was_lost(void **state)
{
    (void)state;
    given_shared();
    bus_goes_away();
    bus_comes_back();
    pass_ms(0);
    assert_says(1, 0, 1, 0);
    assert_int_equal(port_calls(DB_SESSION_GET), 1); /* an end may have been missed */
    assert_int_equal(ana_emits("not yet"), ERR_PARTNER_NOT_CONNECTED);
    other_says((struct said){.ben = 1});
    const char *json = next_told(ANAS, "session_state");
    assert_non_null(strstr(json, "\"partnerConnected\":true"));
    assert_told_nothing(ANAS);
    assert_int_equal(ana_emits("now"), OK);
}

static void an_end_that_was_missed_is_seen_when_the_bus_is_back(void **state)
{
    (void)state;
    given_shared();
    bus_goes_away();
    session_row()->status = SESSION_COMPLETED;
    session_row()->end_reason = END_COMPLETED;
    bus_comes_back();
    pass_ms(0);
    next_told(ANAS, "session_ended");
    assert_null(live_one());
}

static void back_on_the_bus_and_the_other_is_gone(void **state)
{
    (void)state;
    given_shared();
    bus_goes_away();
    bus_others("ws_events:", 0);
    bus_comes_back();
    pass_ms(NEIGHBOUR_PATIENCE_MS - 1000);
    assert_told_nothing(ANAS);
    pass_ms(3000);
    assert_told(ANAS, "partner_left", LEFT_BEN("disconnect"));
    const char *json = next_told(ANAS, "session_state");
    assert_non_null(strstr(json, "\"partnerConnected\":false"));
}

/* A third one holds the session, and has nobody in it; the one that had Ben is dead. */
static void somebody_listens_who_knows_no_more(void **state)
{
    (void)state;
    given_shared();
    bus_others("instance_events:", 0);
    for (int i = 0; i < 20; i++) {
        other_says((struct said){.by = THIRD});
        pass_ms(1000);
    }
    assert_told(ANAS, "partner_left", LEFT_BEN("disconnect"));
}

/* --- neighbours --- */

static void an_instance_that_dies_is_noticed(void **state)
{
    (void)state;
    given_shared();
    pass_answered_s(60);
    assert_told_nothing(ANAS);
    bus_others("instance_events:", 0);
    bus_others("ws_events:", 0);
    pass_ms(2500);
    assert_told(ANAS, "partner_left", LEFT_BEN("disconnect"));
}

static void an_instance_that_is_said_dead_and_answers_is_not(void **state)
{
    (void)state;
    given_shared();
    bus_others("instance_events:", 0); /* it listens to the session's channel all the same */
    pass_ms(1100);
    other_says((struct said){.ben = 1});
    assert_told_nothing(ANAS);
    assert_int_equal(ana_emits("x"), OK);
}

static void an_instance_that_stands_still_for_long_counts_as_gone(void **state)
{
    (void)state;
    given_shared();
    neighbour_answers();
    pass_ms(NEIGHBOUR_SILENT_MS - 1000);
    assert_told_nothing(ANAS);
    pass_ms(3000);
    assert_told(ANAS, "partner_left", LEFT_BEN("disconnect"));
    pass_ms(2000);
    bus_forget();
    other_says((struct said){.ben = 1}); /* it goes on, and answers what it was asked */
    assert_told(ANAS, "partner_joined", JOINED_BEN);
    pass_answered_s(30);
    assert_row(SESSION_ACTIVE, END_NONE);
}

static void calls_are_answered(void **state)
{
    char channel[64], want[64];
    (void)state;
    live_start();
    snprintf(channel, sizeof channel, "instance_events:%s", UUIDZ(instance_id()));
    assert_true(bus_says(channel, "call " OTHER));
    snprintf(want, sizeof want, "answer %s", UUIDZ(instance_id()));
    assert_string_equal(next_published("instance_events:" OTHER), want);
    assert_true(bus_says(channel, "answer " OTHER));
    assert_true(bus_says(channel, "nonsense"));
    assert_string_equal(next_published("instance_events:" OTHER), "");
}

/* --- stopping --- */

static void handed_over_those_here_are_gone(void **state)
{
    (void)state;
    given_shared();
    live_hand_over();
    assert_says(0, 0, 0, 0);
    assert_null(live_one());
    assert_told_nothing(ANAS); /* but that the process stops, by the edge */
    pass_ms(60000);
    assert_row(SESSION_ACTIVE, END_NONE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(nobody_hears_it_and_the_partner_counts_as_gone),
        WORLD_TEST(that_nobody_heard_it_says_nothing_of_who_came_later),
        WORLD_TEST(what_may_be_lost_makes_both_negotiate_anew),
        WORLD_TEST(anew_is_said_until_it_is_heard),
        WORLD_TEST(without_redis_sockets_stay),
        WORLD_TEST(back_on_the_bus_and_nothing_was_lost),
        WORLD_TEST(an_end_that_was_missed_is_seen_when_the_bus_is_back),
        WORLD_TEST(back_on_the_bus_and_the_other_is_gone),
        WORLD_TEST(somebody_listens_who_knows_no_more),
        WORLD_TEST(an_instance_that_dies_is_noticed),
        WORLD_TEST(an_instance_that_is_said_dead_and_answers_is_not),
        WORLD_TEST(an_instance_that_stands_still_for_long_counts_as_gone),
        WORLD_TEST(calls_are_answered),
        WORLD_TEST(handed_over_those_here_are_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
