/* Who should have been dropped has come back to this instance, while the database could not be told. */
#include "flows/fakes/world.h"
#include "flows/job.h"
#include "tables.h"

#define OTHER "07070707-0000-4000-8000-000000000007"

/* Ana is here; Ben was, and his grace has passed while the database was away. */
static void given_ben_is_about_to_be_dropped(void)
{
    given_conversation();
    port_script_always(DB_SESSION_END, (struct port_script){.err = ERR_DB_UNAVAILABLE});
    socket_goes(BENS);
    pass_ms(20500);
    assert_true(port_calls(DB_SESSION_END) > 0);
    assert_row(SESSION_ACTIVE, END_NONE);
    sockets_forget();
}

static void the_database_is_back(void)
{
    port_script_always(DB_SESSION_END, (struct port_script){.err = OK});
}

static void he_is_not_dropped(void **state)
{
    (void)state;
    given_ben_is_about_to_be_dropped();
    socket_opens(BENS_SECOND, BEN);
    joins(BEN, BENS_SECOND);
    the_database_is_back();
    next_told(ANAS, "partner_joined");
    next_told(BENS_SECOND, "session_state");
    pass_ms(60000);
    assert_row(SESSION_ACTIVE, END_NONE);
    assert_told_nothing(ANAS);
}

/* Who went when the end was due already has the grace like anybody. */
static void his_partner_may_go_meanwhile(void **state)
{
    (void)state;
    given_ben_is_about_to_be_dropped();
    socket_opens(BENS_SECOND, BEN);
    joins(BEN, BENS_SECOND);
    socket_goes(ANAS);
    the_database_is_back();
    pass_ms(1500);
    assert_row(SESSION_ACTIVE, END_NONE);
    pass_ms(20000);
    assert_row(SESSION_ABORTED, END_DROPPED);
    next_told(BENS_SECOND, "session_state");
    next_told(BENS_SECOND, "partner_joined");
    next_told(BENS_SECOND, "partner_left");
    next_told(BENS_SECOND, "partner_left"); /* she did not come back */
    next_told(BENS_SECOND, "session_ended");
}

/* The answer to his join was lost, and he did not try again. */
static void his_join_has_the_grace_once_more(void **state)
{
    (void)state;
    given_ben_is_about_to_be_dropped();
    socket_opens(BENS_SECOND, BEN);
    port_script_next(DB_SESSION_JOIN, (struct port_script){.err = ERR_TIMEOUT, .is_lost = true});
    joins(BEN, BENS_SECOND);
    the_database_is_back();
    pass_ms(19000);
    assert_row(SESSION_ACTIVE, END_NONE);
    pass_ms(3000);
    assert_row(SESSION_ABORTED, END_DROPPED);
    next_told(ANAS, "partner_left");
    next_told(ANAS, "session_ended");
}

/* It was ended, unheard, before he came; elsewhere that is heard of him still. Looking fails once, too. */
static void an_end_whose_answer_was_lost_is_told(void **state)
{
    (void)state;
    live_start();
    given_conversation();
    pass_ms(10000);
    bus_others("ws_events:", 1);
    port_script_next(DB_SESSION_END, (struct port_script){.err = ERR_TIMEOUT, .is_lost = true});
    socket_goes(BENS);
    pass_ms(20100);
    assert_row(SESSION_ABORTED, END_DROPPED);
    bus_forget();
    char text[160];
    snprintf(text, sizeof text, "state %s 0 0 0 7 1 0", OTHER);
    assert_true(bus_says("ws_events:" SESSION, text));
    port_script_next(DB_SESSION_GET, (struct port_script){.err = ERR_TIMEOUT});
    pass_ms(3000);
    assert_null(live_one());
    bool is_said = false;
    for (const char *said = next_published("ws_events:" SESSION); *said && !is_said;
         said = next_published("ws_events:" SESSION))
        is_said = strncmp(said, "ended", 5) == 0;
    assert_true(is_said);
}

/* A join said twice on a socket is none that came later. */
static void his_last_join_of_two_on_one_socket_is_known(void **state)
{
    (void)state;
    given_conversation();
    joins(BEN, BENS);
    socket_goes(BENS);
    pass_ms(20100);
    assert_row(SESSION_ABORTED, END_DROPPED);
}

/* Its instance was found to be dead; before that could be stored both came here. */
static void a_session_of_a_dead_instance_goes_on_here(void **state)
{
    (void)state;
    jobs_start();
    pass_ms(36000);
    jobs_stop();
    pass_ms(0);
    given_active_session();
    fake_db.left_at_ms = world_now_ms() - 50000;
    port_script_always(DB_SESSION_END, (struct port_script){.err = ERR_DB_UNAVAILABLE});
    flow_start(&(struct flow_start){.spec = &job_sessions_recover});
    pass_ms(500);
    assert_int_equal(port_calls(DB_SESSION_END), 1);
    socket_opens(ANAS, ANA);
    joins(ANA, ANAS);
    socket_opens(BENS, BEN);
    joins(BEN, BENS);
    the_database_is_back();
    pass_ms(30000);
    assert_row(SESSION_ACTIVE, END_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(he_is_not_dropped),
        WORLD_TEST(his_partner_may_go_meanwhile),
        WORLD_TEST(his_join_has_the_grace_once_more),
        WORLD_TEST(an_end_whose_answer_was_lost_is_told),
        WORLD_TEST(his_last_join_of_two_on_one_socket_is_known),
        WORLD_TEST(a_session_of_a_dead_instance_goes_on_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
