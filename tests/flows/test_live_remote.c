/* A session whose participants are at two instances: what the other one says and what this one says, by
 * messages that may come twice. What is lost: test_live_losses.c. */
#include "conversation/base/instance.h"
#include "flows/fakes/elsewhere.h"
#include "flows/job.h"
#include "flows/live_parts.h"
#include "flows/neighbours.h"
#include "flows/speaking.h"
#include "flows/user_events.h"

/* --- joining --- */

static void the_second_one_learns_of_the_first(void **state)
{
    (void)state;
    bus_others("ws_events:", 1);
    live_start();
    given_session()->participants[1].joined_at_ms = T0; /* Ben, at the other instance */
    session_row()->first_joined_at_ms = T0;
    fake_db.partner_at = id_of(OTHER);
    socket_opens(ANAS, ANA);
    joins(ANA, ANAS);
    assert_row(SESSION_ACTIVE, END_NONE);
    next_told(ANAS, "new_prompt");
    assert_told_nothing(ANAS); /* of Ben nothing is known yet */
    assert_false(live_has_partner(live_one(), 0));
    assert_int_equal(ana_emits("early"), ERR_PARTNER_NOT_CONNECTED);
    assert_says(1, 0, 1, 0);
    other_says((struct said){.ben = 1});
    assert_told(ANAS, "partner_joined", JOINED_BEN);
    assert_told_nothing(ANAS);
    assert_true(live_has_partner(live_one(), 0));
}

static void the_first_one_learns_of_the_second(void **state)
{
    (void)state;
    bus_others("ws_events:", 1);
    live_start();
    given_session();
    socket_opens(ANAS, ANA);
    joins(ANA, ANAS);
    assert_says(1, 0, 1, 0); /* somebody may be there already */
    assert_told_nothing(ANAS);
    session_row()->status = SESSION_ACTIVE; /* there */
    session_row()->started_at_ms = T0;
    other_says((struct said){.asks = 1, .ben = 1, .shown = 1, .shown_at_ms = T0});
    assert_told(ANAS, "partner_joined", JOINED_BEN);
    assert_says(0, 0, 1, 0);
    next_told(ANAS, "new_prompt");
    assert_told_nothing(ANAS);
    assert_int_equal(live_one()->session.status, SESSION_ACTIVE);
    assert_metric("conversations_active 1");
    assert_int_equal(fake_db.shown_count, 1); /* by the one that has the first participant */
}

/* The row says that Ben is at an instance which nobody hears. */
static void a_partner_who_is_nowhere_has_the_grace(void **state)
{
    (void)state;
    live_start();
    given_active_session();
    fake_db.partner_at = id_of(OTHER);
    socket_opens(ANAS, ANA);
    joins(ANA, ANAS);
    next_told(ANAS, "session_state");
    next_told(ANAS, "new_prompt");
    pass_ms(NEIGHBOUR_PATIENCE_MS + 1000); /* others may still be on their way to the bus until then */
    assert_told_nothing(ANAS);
    pass_ms(20010);
    assert_row(SESSION_COMPLETED, END_DROPPED);
}

static void twice_is_once(void **state)
{
    (void)state;
    given_shared();
    for (int i = 0; i < 3; i++)
        other_says((struct said){.ben = 1});
    assert_told_nothing(ANAS);
    assert_says_nothing();
}

/* --- relay --- */

static void what_is_sent_goes_over_the_bus(void **state)
{
    (void)state;
    given_shared();
    assert_int_equal(ana_emits("one"), OK);
    assert_int_equal(ana_emits("two"), OK);
    assert_string_equal(next_published(CHANNEL), "emit 1 1 offer {\"x\":\"one\"}");
    assert_string_equal(next_published(CHANNEL), "emit 1 1 offer {\"x\":\"two\"}");
    assert_true(bus_says(CHANNEL, "emit 0 1 answer {\"y\":\"a b: c\"}"));
    assert_told(ANAS, "answer", "{'y':'a b: c'}");
    assert_told_nothing(ANAS);
}

/* The instance where Ben was stood still when he left it, and passes on what he had sent there. */
static void what_comes_late_from_a_former_socket_is_not_heard(void **state)
{
    (void)state;
    given_shared();
    other_says((struct said){.ben = 2});
    next_told(ANAS, "partner_joined");
    assert_true(bus_says(CHANNEL, "emit 0 2 offer {\"x\":\"new\"}"));
    assert_true(bus_says(CHANNEL, "emit 0 1 offer {\"x\":\"late\"}"));
    assert_true(bus_says(CHANNEL, "emit 0 3 offer {\"x\":\"newer\"}")); /* its state is still to come */
    assert_told(ANAS, "offer", "{'x':'new'}");
    assert_told(ANAS, "offer", "{'x':'newer'}");
    assert_told_nothing(ANAS);
}

static void what_is_for_somebody_else_is_answered_with_who_is_here(void **state)
{
    (void)state;
    given_shared();
    assert_true(bus_says(CHANNEL, "emit 1 1 offer {}")); /* the sender does not know where Ben is */
    assert_told_nothing(ANAS);
    assert_says(0, 0, 1, 0);
}

static void nonsense_is_not_heard(void **state)
{
    static const char *const texts[] = {"",
                                        "state",
                                        "state x 0 0 0 0 0 0",
                                        "state " OTHER,
                                        "state " OTHER " 0 0 1",
                                        "emit",
                                        "emit 2 1 offer {}",
                                        "emit 0",
                                        "emit 0 1",
                                        "emit 0 1 offer",
                                        "emit 0 offer {}",
                                        "emit 0 -1 offer {}",
                                        "speaks",
                                        "speaks 2 1",
                                        "speaks 1",
                                        "ended",
                                        "ended 2",
                                        "ended nobody",
                                        "state " OTHER " 0 0 0 99999999999 0 0",
                                        "unknown 1 2",
                                        "emit -1 1 offer {}"};
    (void)state;
    given_shared();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_true(bus_says(CHANNEL, texts[i]));
    pass_ms(0);
    assert_told_nothing(ANAS);
    assert_says_nothing();
    assert_int_equal(port_calls_in_all(), 0);
    assert_row(SESSION_ACTIVE, END_NONE);
}

static void who_speaks_is_told_and_counted(void **state)
{
    (void)state;
    given_shared();
    live_speaks(live_one(), 0, true);
    assert_string_equal(next_published(CHANNEL), "speaks 0 1");
    assert_true(bus_says(CHANNEL, "speaks 1 1"));
    assert_told(ANAS, "partner_speaking", "{'partnerId':'" BEN "','speaking':true}");
    assert_true(bus_says(CHANNEL, "speaks 1 0"));
    assert_told(ANAS, "partner_speaking", "{'partnerId':'" BEN "','speaking':false}");
    assert_true(bus_says(CHANNEL, "speaks 0 1")); /* Ana is here: she would know */
    assert_told_nothing(ANAS);
    bus_forget();
    other_says((struct said){.ben = 2}); /* a new socket does not know that she speaks */
    assert_string_equal(next_published(CHANNEL), "speaks 0 1");
}

static void who_speaks_after_the_bus_was_away_says_it_again(void **state)
{
    (void)state;
    given_shared();
    assert_true(bus_says(CHANNEL, "speaks 1 1"));
    pass_answered_s(2);
    bus_goes_away();
    bus_comes_back();
    pass_ms(5000); /* that Ben has stopped was said while nobody listened */
    live_speaks(live_one(), 0, true);
    struct speech_total spoken[2];
    speaking_totals(live_speaking(live_one()), spoken);
    assert_int_equal(spoken[1].spoken_seconds, 2);
    bus_forget();
    other_says((struct said){.asks = 1, .ben = 1}); /* what Ana says may be missed there */
    assert_says(0, 0, 1, 0);
    assert_string_equal(next_published(CHANNEL), "speaks 0 1");
    assert_says_nothing();
    assert_true(bus_says(CHANNEL, "speaks 1 1"));
    pass_ms(3000);
    speaking_totals(live_speaking(live_one()), spoken);
    assert_int_equal(spoken[1].spoken_seconds, 5);
}

/* --- coming, going, taking over --- */

static void a_lost_socket_there_is_told_here(void **state)
{
    (void)state;
    given_shared();
    other_says((struct said){.ben = 0});
    assert_told(ANAS, "partner_left", LEFT_BEN("disconnect"));
    assert_int_equal(ana_emits("x"), ERR_PARTNER_NOT_CONNECTED);
    other_says((struct said){.ben = 0}); /* again */
    other_says((struct said){.by = THIRD, .ben = 2});
    assert_told(ANAS, "partner_joined", JOINED_BEN);
    other_says((struct said){.ben = 0}); /* he is at the third now */
    assert_told_nothing(ANAS);
    assert_int_equal(ana_emits("x"), OK);
}

static void after_the_grace_it_ends(void **state)
{
    (void)state;
    given_shared();
    other_says((struct said){.ben = 0});
    pass_ms(20010);
    assert_row(SESSION_COMPLETED, END_DROPPED);
    next_told(ANAS, "partner_left");
    assert_told(ANAS, "partner_left", LEFT_BEN("timeout"));
    next_told(ANAS, "session_ended");
    assert_null(live_one());
    assert_false(bus_is_joined(CHANNEL));
}

static void a_lost_socket_here_is_told_there(void **state)
{
    (void)state;
    given_shared();
    socket_goes(ANAS);
    assert_says(1, 0, 0, 0);
    other_says((struct said){.ben = 1});
    assert_null(live_one()); /* the other instance has the timers, and knows that */
    assert_true(uuid_eq(&fake_db.handed_over.session_id, &session_row()->id));
    assert_string_equal(UUIDZ(&fake_db.handed_over.to), OTHER);
    assert_int_equal(fake_db.handed_over.joins[0], 1);
    assert_false(bus_is_joined(CHANNEL));
    assert_metric("conversations_active 0");
    pass_ms(60000);
    assert_row(SESSION_ACTIVE, END_NONE);
}

/* Each believes the other has somebody, until it hears that there is nobody there, either. */
static void both_lose_theirs_at_once(void **state)
{
    (void)state;
    given_shared();
    socket_goes(ANAS);
    assert_non_null(live_one());
    other_says((struct said){.asks = 1});
    assert_non_null(live_one());
    pass_answered_s(21);
    assert_row(SESSION_COMPLETED, END_DROPPED);
}

static void a_later_socket_there_takes_over(void **state)
{
    (void)state;
    given_shared();
    other_says((struct said){.by = THIRD, .asks = 1, .ana = 2});
    next_told(ANAS, "exception");
    assert_false(socket_is_open(ANAS));
    assert_says(0, 0, 0, 0);
    assert_null(live_one());
}

static void an_earlier_socket_there_is_told_so(void **state)
{
    (void)state;
    given_shared();
    fake_db.joins[0][0] = 4;
    socket_opens(ANAS_SECOND, ANA);
    joins(ANA, ANAS_SECOND); /* her fifth join */
    forget_all();
    other_says((struct said){.ana = 3, .ben = 1});
    assert_says(0, 0, 5, 0);
    assert_true(socket_is_in(ANAS_SECOND, SESSION));
    assert_told_nothing(ANAS_SECOND);
}

/* The answer to a join comes after the news that a later one has been made elsewhere. */
static void a_join_that_is_outdone_before_it_is_answered(void **state)
{
    (void)state;
    given_shared();
    other_says((struct said){.ben = 0});
    socket_opens(BENS, BEN);
    fake_db.joins[0][1] = 4;
    port_script_next(DB_SESSION_JOIN, (struct port_script){.delay_ms = 100});
    joins(BEN, BENS); /* his fifth */
    other_says((struct said){.ben = 6});
    pass_ms(200);
    next_told(BENS, "exception");
    assert_false(socket_is_open(BENS));
    assert_true(live_has_partner(live_one(), 0));
}

static void the_partner_comes_here(void **state)
{
    (void)state;
    given_shared();
    fake_db.joins[0][1] = 1;
    socket_opens(BENS, BEN);
    joins(BEN, BENS);
    assert_says(0, 0, 1, 2);
    next_told(BENS, "session_state");
    next_told(BENS, "partner_joined");
    assert_told(ANAS, "partner_joined", JOINED_BEN);
    forget_all();
    assert_int_equal(ana_emits("x"), OK);
    assert_says_nothing();
    assert_told(BENS, "offer", "{'x':'x'}");
}

static void a_bystander_gives_up(void **state)
{
    (void)state;
    given_conversation();
    live_start();
    other_says((struct said){.ana = 9, .ben = 9});
    assert_null(live_one());
    assert_false(socket_is_open(ANAS) || socket_is_open(BENS));
    assert_row(SESSION_ACTIVE, END_NONE);
}

/* --- prompts --- */

static void a_prompt_asked_for_here_is_told_there(void **state)
{
    (void)state;
    given_shared();
    struct caller *c = event_call(ANA, ANAS, &event_request_next_prompt, "{'sessionId':'" SESSION "'}");
    pass_ms(0);
    assert_int_equal(c->err, OK);
    next_told(ANAS, "new_prompt");
    const char *text = next_published(CHANNEL);
    char end[64];
    snprintf(end, sizeof end, " 2 %lld", (long long)world_now_ms());
    assert_non_null(strstr(text, end));
}

static void a_prompt_asked_for_there_is_shown_here_and_stored_once(void **state)
{
    (void)state;
    given_shared();
    size_t stored = fake_db.shown_count;
    const struct said s = {.ben = 1, .shown = 2, .shown_at_ms = world_now_ms()};
    other_says(s);
    assert_told(ANAS, "new_prompt", "{'promptKey':'p.follow1','category':'follow_up'}");
    other_says(s); /* again */
    assert_told_nothing(ANAS);
    assert_int_equal(fake_db.shown_count, stored + 1);
    struct caller *c = event_call(ANA, ANAS, &event_request_next_prompt, "{'sessionId':'" SESSION "'}");
    pass_ms(0);
    assert_int_equal(c->err, ERR_RATE_LIMITED); /* somebody has just asked */
}

static void who_has_the_second_participant_shows_and_does_not_store(void **state)
{
    (void)state;
    bus_others("ws_events:", 1);
    bus_others("instance_events:", 1);
    live_start();
    given_active_session();
    fake_db.partner_at = id_of(OTHER);
    socket_opens(BENS, BEN);
    joins(BEN, BENS);
    other_says((struct said){.ana = 1});
    pass_answered_s(600); /* prompts have come by themselves */
    assert_true(times_told("new_prompt") > 2);
    assert_int_equal(fake_db.shown_count, 0);
    assert_metric("conversations_active 0");
    other_says((struct said){.ana = 0}); /* now it is this one's */
    assert_metric("conversations_active 1");
}

/* --- the end --- */

static void an_end_here_is_told_there(void **state)
{
    (void)state;
    given_shared();
    rest_call(ANA, rest_session_end, .id = SESSION);
    pass_ms(0);
    assert_string_equal(next_published(CHANNEL), "ended 0");
    next_told(ANAS, "session_ended");
    const char *text = next_published("user_events"); /* for Ben's sockets, but for the one that is in it */
    assert_non_null(strstr(text, BEN));
    assert_non_null(strstr(text, "session_ended"));
    assert_string_equal(next_published("user_events"), "");
    assert_null(live_one());
}

static void an_end_there_is_told_here(void **state)
{
    (void)state;
    given_shared();
    session_row()->status = SESSION_COMPLETED;
    session_row()->end_reason = END_LEFT;
    assert_true(bus_says(CHANNEL, "ended 1"));
    pass_ms(0);
    assert_told(ANAS, "partner_left", LEFT_BEN("ended"));
    next_told(ANAS, "session_ended");
    assert_told_nothing(ANAS);
    assert_null(live_one());
    assert_int_equal(port_calls(DB_SESSION_END), 0);
    assert_says_nothing(); /* it is no news */
}

/* One that does not hold the session has ended it, and nobody heard: who is in it is told here, and who told
 * it first matters to nobody. */
static void an_end_that_is_said_to_the_user_too_is_told_once(void **state)
{
    const char *to_user = ANA " session_ended {\"sessionId\":\"" SESSION "\",\"reason\":\"completed\"}";
    (void)state;
    user_events_start();
    given_shared();
    socket_opens(ANAS_SECOND, ANA); /* not in it */
    session_row()->status = SESSION_COMPLETED;
    session_row()->end_reason = END_COMPLETED;
    assert_true(bus_says("user_events", to_user));
    assert_told_nothing(ANAS);
    next_told(ANAS_SECOND, "session_ended");
    assert_true(bus_says(CHANNEL, "ended -1"));
    pass_ms(0);
    next_told(ANAS, "session_ended");
    assert_null(live_one());
    assert_true(bus_says("user_events", to_user));
    assert_told_nothing(ANAS);
    assert_told_nothing(ANAS_SECOND);
}

static void an_end_that_is_none_changes_nothing(void **state)
{
    (void)state;
    given_shared();
    assert_true(bus_says(CHANNEL, "ended 1"));
    pass_ms(0);
    assert_told_nothing(ANAS);
    assert_row(SESSION_ACTIVE, END_NONE);
    assert_non_null(live_one());
}

/* Both instances' timers come to the limit: the other one was first. */
static void both_end_it_and_one_counts(void **state)
{
    (void)state;
    given_shared();
    session_row()->status = SESSION_COMPLETED;
    session_row()->end_reason = END_TIMEOUT;
    job_session_end(&(struct db_session_ending){.id = id_of(SESSION), .event = SESSION_EVENT_LIMIT});
    assert_true(bus_says(CHANNEL, "ended -1"));
    pass_ms(0);
    assert_int_equal(times_told("session_ended"), 1);
    assert_null(live_one());
    struct buf text = {0};
    metrics_render(&text);
    buf_addc(&text, '\0');
    assert_null(strstr(text.p, "conversations_completed_total{"));
    buf_done(&text);
}

static void nobody_holds_it_and_its_users_are_told_wherever(void **state)
{
    (void)state;
    given_active_session();
    socket_opens(BENS, BEN);
    rest_call(ANA, rest_session_leave, .id = SESSION);
    pass_ms(0);
    assert_string_equal(next_published(CHANNEL), "ended 0");
    next_told(BENS, "session_ended");
    assert_non_null(strstr(next_published("user_events"), "session_ended"));
    assert_non_null(strstr(next_published("user_events"), "session_ended"));
}

/* The other one has closed the session, and does not hear what is said here on the way to the row. */
static void who_goes_after_the_end_was_told_there(void **state)
{
    (void)state;
    given_shared();
    session_row()->status = SESSION_COMPLETED;
    session_row()->end_reason = END_LEFT;
    bus_others("ws_events:", 0);
    port_script_next(DB_SESSION_GET, (struct port_script){.delay_ms = 100});
    assert_true(bus_says(CHANNEL, "ended 1"));
    assert_int_equal(ana_emits("late"), OK);
    pass_ms(200);
    assert_null(live_one());
    assert_string_equal(next_published("user_events"), "");
}

/* This instance stood still: what it says now reaches nobody, before it hears why. */
static void who_is_presumed_gone_was_told_there(void **state)
{
    (void)state;
    given_shared();
    bus_others("ws_events:", 0);
    assert_int_equal(ana_emits("late"), OK);
    pass_ms(0);
    next_told(ANAS, "partner_left");
    session_row()->status = SESSION_COMPLETED;
    session_row()->end_reason = END_LEFT;
    assert_true(bus_says(CHANNEL, "ended 1"));
    pass_ms(0);
    assert_null(live_one());
    assert_string_equal(next_published("user_events"), "");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(the_second_one_learns_of_the_first),
        WORLD_TEST(the_first_one_learns_of_the_second),
        WORLD_TEST(a_partner_who_is_nowhere_has_the_grace),
        WORLD_TEST(twice_is_once),
        WORLD_TEST(what_is_sent_goes_over_the_bus),
        WORLD_TEST(what_comes_late_from_a_former_socket_is_not_heard),
        WORLD_TEST(what_is_for_somebody_else_is_answered_with_who_is_here),
        WORLD_TEST(nonsense_is_not_heard),
        WORLD_TEST(who_speaks_is_told_and_counted),
        WORLD_TEST(who_speaks_after_the_bus_was_away_says_it_again),
        WORLD_TEST(a_lost_socket_there_is_told_here),
        WORLD_TEST(after_the_grace_it_ends),
        WORLD_TEST(a_lost_socket_here_is_told_there),
        WORLD_TEST(both_lose_theirs_at_once),
        WORLD_TEST(a_later_socket_there_takes_over),
        WORLD_TEST(an_earlier_socket_there_is_told_so),
        WORLD_TEST(a_join_that_is_outdone_before_it_is_answered),
        WORLD_TEST(the_partner_comes_here),
        WORLD_TEST(a_bystander_gives_up),
        WORLD_TEST(a_prompt_asked_for_here_is_told_there),
        WORLD_TEST(a_prompt_asked_for_there_is_shown_here_and_stored_once),
        WORLD_TEST(who_has_the_second_participant_shows_and_does_not_store),
        WORLD_TEST(an_end_here_is_told_there),
        WORLD_TEST(an_end_there_is_told_here),
        WORLD_TEST(an_end_that_is_said_to_the_user_too_is_told_once),
        WORLD_TEST(an_end_that_is_none_changes_nothing),
        WORLD_TEST(both_end_it_and_one_counts),
        WORLD_TEST(nobody_holds_it_and_its_users_are_told_wherever),
        WORLD_TEST(who_goes_after_the_end_was_told_there),
        WORLD_TEST(who_is_presumed_gone_was_told_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
