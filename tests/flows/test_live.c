/* Live sessions: presence, take-over, grace, no-shows, prompts and limits over virtual time. */
#include "flows/fakes/world.h"
#include "flows/job.h"
#include "flows/live_parts.h"

#define JOINED_ANA                                                                              \
    "{'partnerId':'" ANA "','partnerName':'Ana','partnerAvatar':'https://img.example/ana.png'," \
    "'nativeLanguageCode':'fr','targetLanguageCode':'es'}"
#define JOINED_BEN \
    "{'partnerId':'" BEN "','partnerName':'Ben','nativeLanguageCode':'en','targetLanguageCode':'es'}"
#define STATE(since, ends, partner_connected, shown, key)                                \
    "{'sessionId':'" SESSION "','status':'active','partnerId':'" BEN                     \
    "','partnerConnected':" partner_connected ",'startedAt':'" since "','endsAt':'" ends \
    "','maxDurationSeconds':900,'promptsShown':" shown ",'promptKey':'" key "'}"
#define ENDED(reason, seconds) \
    "{'sessionId':'" SESSION "','reason':'" reason "','durationSeconds':" seconds "}"

static void assert_gone(void)
{
    assert_null(live_one());
    assert_false(socket_is_in_any(ANAS) || socket_is_in_any(BENS));
    assert_int_equal(flow_active_count(), 0);
    assert_metric("conversations_active 0");
}

/* --- take-over --- */

static void a_second_socket_takes_over(void **state)
{
    (void)state;
    given_conversation();
    socket_opens(ANAS_SECOND, ANA);
    assert_int_equal(joins(ANA, ANAS_SECOND)->err, OK);
    assert_told(ANAS, "exception",
                "{'status':'error','code':'SESSION_TAKEN_OVER',"
                "'message':'another socket of this user has joined the session','event':'join_session'}");
    assert_told_nothing(ANAS);
    assert_false(socket_is_open(ANAS));
    assert_told(ANAS_SECOND, "session_state",
                STATE("2025-01-15T10:00:00.000Z", "2025-01-15T10:15:00.000Z", "true", "1", "p.ice"));
    assert_told(ANAS_SECOND, "partner_joined", JOINED_BEN);
    assert_told(BENS, "partner_joined", JOINED_ANA); /* it must negotiate anew */
    assert_told_nothing(BENS);
    assert_true(socket_is_in(ANAS_SECOND, SESSION));
    pass_ms(30000);
    assert_row(SESSION_ACTIVE, END_NONE); /* the old socket's end was no drop */
}

static void a_take_over_is_reached_by_what_follows(void **state)
{
    (void)state;
    given_conversation();
    socket_opens(ANAS_SECOND, ANA);
    joins(ANA, ANAS_SECOND);
    sockets_forget();
    rest_call(BEN, rest_session_end, .id = SESSION);
    pass_ms(0);
    assert_told(ANAS_SECOND, "session_ended", ENDED("completed", "0"));
    assert_gone();
}

static void a_take_over_while_waiting(void **state)
{
    (void)state;
    given_session();
    socket_opens(ANAS, ANA);
    socket_opens(ANAS_SECOND, ANA);
    joins(ANA, ANAS);
    joins(ANA, ANAS_SECOND);
    assert_false(socket_is_open(ANAS));
    assert_int_not_equal(session_row()->participants[0].joined_at_ms, 0);
    socket_opens(BENS, BEN);
    joins(BEN, BENS);
    assert_row(SESSION_ACTIVE, END_NONE);
    next_told(ANAS_SECOND, "session_state");
    assert_told(ANAS_SECOND, "partner_joined", JOINED_BEN);
}

static void entering_another_session_leaves_the_first(void **state)
{
    (void)state;
    given_conversation();
    struct uuid other = id_of(REQUEST_A);
    assert_true(sockets_enter_session(ANAS, &other, 0));
    assert_told(BENS, "partner_left", "{'partnerId':'" ANA "','reason':'disconnect'}");
    pass_ms(20010);
    assert_row(SESSION_ABORTED, END_DROPPED);
    assert_true(socket_is_in(ANAS, REQUEST_A)); /* the old session's end does not touch it */
}

/* --- the grace --- */

static void a_dropped_socket_may_return(void **state)
{
    (void)state;
    given_conversation();
    pass_ms(30000);
    socket_goes(ANAS);
    assert_told(BENS, "partner_left", "{'partnerId':'" ANA "','reason':'disconnect'}");
    pass_ms(19000);
    socket_opens(ANAS_SECOND, ANA);
    joins(ANA, ANAS_SECOND);
    assert_told(ANAS_SECOND, "session_state",
                STATE("2025-01-15T10:00:00.000Z", "2025-01-15T10:15:00.000Z", "true", "1", "p.ice"));
    assert_told(ANAS_SECOND, "partner_joined", JOINED_BEN);
    assert_told(BENS, "partner_joined", JOINED_ANA);
    pass_ms(60000);
    assert_row(SESSION_ACTIVE, END_NONE);
}

static void after_the_grace_an_early_drop_aborts(void **state)
{
    (void)state;
    given_conversation();
    pass_ms(50000);
    socket_goes(ANAS); /* within the first minute, though the grace ends after it */
    pass_ms(19990);
    assert_row(SESSION_ACTIVE, END_NONE);
    pass_ms(30);
    assert_row(SESSION_ABORTED, END_DROPPED);
    assert_int_equal(fake_db.asked.ending.event, SESSION_EVENT_DROP);
    assert_int_equal(fake_db.asked.ending.at_ms, T0 + 50000);
    next_told(BENS, "partner_left");
    assert_told(BENS, "partner_left", "{'partnerId':'" ANA "','reason':'timeout'}");
    assert_told(BENS, "session_ended", ENDED("partner_left", "50"));
    assert_gone();
}

static void after_the_grace_a_later_drop_completes(void **state)
{
    (void)state;
    given_conversation();
    pass_ms(61000);
    socket_goes(BENS);
    pass_ms(20010);
    assert_row(SESSION_COMPLETED, END_DROPPED);
    next_told(ANAS, "partner_left");
    assert_told(ANAS, "partner_left", "{'partnerId':'" BEN "','reason':'timeout'}");
    next_told(ANAS, "session_ended");
    assert_gone();
}

static void each_drop_has_its_own_grace(void **state)
{
    (void)state;
    given_conversation();
    socket_goes(ANAS);
    pass_ms(15000);
    socket_opens(ANAS_SECOND, ANA);
    joins(ANA, ANAS_SECOND);
    pass_ms(1000);
    socket_goes(ANAS_SECOND);
    pass_ms(19000);
    assert_row(SESSION_ACTIVE, END_NONE);
    pass_ms(1100);
    assert_row(SESSION_ABORTED, END_DROPPED);
}

static void both_drop_and_the_first_one_counts(void **state)
{
    (void)state;
    given_conversation();
    pass_ms(70000);
    socket_goes(ANAS);
    pass_ms(5000);
    socket_goes(BENS);
    socket_opens(BENS_SECOND, BEN); /* back on the line, but not in the session */
    pass_ms(15010);
    assert_row(SESSION_COMPLETED, END_DROPPED);
    struct uuid ana = id_of(ANA);
    assert_true(uuid_eq(&fake_db.asked.ending.by, &ana));
    next_told(BENS_SECOND, "session_ended");
    assert_gone();
}

static void both_drop_and_one_returns(void **state)
{
    (void)state;
    given_conversation();
    socket_goes(ANAS);
    socket_goes(BENS);
    pass_ms(10000);
    socket_opens(ANAS_SECOND, ANA);
    joins(ANA, ANAS_SECOND);
    assert_told(ANAS_SECOND, "session_state",
                STATE("2025-01-15T10:00:00.000Z", "2025-01-15T10:15:00.000Z", "false", "1", "p.ice"));
    pass_ms(10010);
    assert_row(SESSION_ABORTED, END_DROPPED); /* Ben's grace did not begin again */
    struct uuid ben = id_of(BEN);
    assert_true(uuid_eq(&fake_db.asked.ending.by, &ben));
    assert_gone();
}

static void the_grace_ends_while_the_return_is_in_flight(void **state)
{
    (void)state;
    given_conversation();
    socket_goes(ANAS);
    pass_ms(19990);
    socket_opens(ANAS_SECOND, ANA);
    port_script_next(DB_SESSION_JOIN, (struct port_script){.delay_ms = 500});
    joins(ANA, ANAS_SECOND);
    pass_ms(3000);
    assert_row(SESSION_ACTIVE, END_NONE); /* the database had the return first, and everybody goes by it */
    assert_true(socket_is_in_any(ANAS_SECOND));
    pass_ms(30000);
    assert_row(SESSION_ACTIVE, END_NONE);
}

/* --- waiting --- */

static void a_no_show_ends_it(void **state)
{
    (void)state;
    given_session();
    socket_opens(ANAS, ANA);
    joins(ANA, ANAS);
    pass_ms(59990);
    assert_row(SESSION_WAITING, END_NONE);
    pass_ms(30);
    assert_row(SESSION_EXPIRED, END_NO_SHOW);
    assert_told(ANAS, "partner_left", "{'partnerId':'" BEN "','reason':'timeout'}");
    assert_told(ANAS, "session_ended", ENDED("partner_left", "0"));
    assert_gone();
}

static void the_window_runs_from_the_first_join_of_all(void **state)
{
    (void)state;
    given_session();
    socket_opens(ANAS, ANA);
    joins(ANA, ANAS);
    pass_ms(40000);
    socket_goes(ANAS);
    pass_ms(10);
    assert_int_equal(session_row()->participants[0].joined_at_ms, 0); /* not joined any more */
    socket_opens(BENS, BEN);
    joins(BEN, BENS); /* the second one is alone, too */
    assert_row(SESSION_WAITING, END_NONE);
    pass_ms(20010);
    assert_row(SESSION_EXPIRED, END_NO_SHOW);
    assert_gone();
}

static void one_who_went_while_waiting_may_return(void **state)
{
    (void)state;
    given_session();
    socket_opens(ANAS, ANA);
    socket_opens(BENS, BEN);
    joins(ANA, ANAS);
    socket_goes(ANAS);
    pass_ms(1000);
    socket_opens(ANAS_SECOND, ANA);
    joins(ANA, ANAS_SECOND);
    next_told(ANAS_SECOND, "session_state");
    joins(BEN, BENS);
    assert_row(SESSION_ACTIVE, END_NONE);
    assert_told(ANAS_SECOND, "partner_joined", JOINED_BEN);
    assert_told(BENS, "partner_joined", JOINED_ANA);
}

static void a_late_unjoin_spares_one_who_came_back(void **state)
{
    (void)state;
    given_session();
    socket_opens(ANAS, ANA);
    socket_opens(BENS, BEN);
    joins(ANA, ANAS);
    pass_ms(1000);
    socket_goes(ANAS);
    socket_opens(ANAS_SECOND, ANA);
    pass_ms(1000);
    joins(ANA, ANAS_SECOND);
    struct uuid session = id_of(SESSION), ana = id_of(ANA);
    assert_int_equal(session_row()->participants[0].joined_at_ms, T0 + 2000);
    job_session_unjoin(&session, &ana, 1); /* of the first socket, late */
    pass_ms(0);
    joins(BEN, BENS);
    assert_row(SESSION_ACTIVE, END_NONE);
}

/* The old socket's end is seen while the new one's join is on its way, and overtakes it. */
static void an_old_socket_going_while_the_new_one_joins_does_not_unjoin(void **state)
{
    (void)state;
    given_session();
    socket_opens(ANAS, ANA);
    socket_opens(ANAS_SECOND, ANA);
    socket_opens(BENS, BEN);
    joins(ANA, ANAS);
    pass_ms(1000);
    port_script_next(DB_SESSION_JOIN, (struct port_script){.delay_ms = 100});
    joins(ANA, ANAS_SECOND);
    pass_ms(50);
    socket_goes(ANAS);
    pass_ms(100);
    assert_true(socket_is_in(ANAS_SECOND, SESSION));
    joins(BEN, BENS);
    pass_ms(1000);
    assert_row(SESSION_ACTIVE, END_NONE);
    assert_int_equal(live_one()->session.status, SESSION_ACTIVE);
}

static void both_went_while_waiting(void **state)
{
    (void)state;
    given_session();
    socket_opens(ANAS, ANA);
    joins(ANA, ANAS);
    socket_goes(ANAS);
    pass_ms(61000);
    assert_row(SESSION_EXPIRED, END_NO_SHOW);
    assert_gone();
}

static void the_join_is_not_undone_when_it_became_active(void **state)
{
    (void)state;
    given_session();
    socket_opens(ANAS, ANA);
    socket_opens(BENS, BEN);
    joins(ANA, ANAS);
    port_script_next(DB_SESSION_JOIN, (struct port_script){.delay_ms = 100});
    joins(BEN, BENS); /* active in the database, and Ana goes before anybody knows here */
    socket_goes(ANAS);
    pass_ms(200);
    assert_row(SESSION_ACTIVE, END_NONE);
    assert_int_not_equal(session_row()->participants[0].joined_at_ms, 0);
    pass_ms(20010);
    assert_row(SESSION_ABORTED, END_DROPPED);
    assert_gone();
}

/* --- the end, with the database away --- */

static void an_end_by_timer_is_tried_until_the_database_is_back(void **state)
{
    (void)state;
    given_conversation();
    socket_goes(ANAS);
    fake_db_goes_away();
    pass_ms(60000);
    assert_row(SESSION_ACTIVE, END_NONE);
    assert_int_equal(times_told("session_ended"), 0);
    fake_db_comes_back();
    pass_ms(1100);
    assert_row(SESSION_ABORTED, END_DROPPED);
    assert_told(BENS, "partner_left", "{'partnerId':'" ANA "','reason':'disconnect'}");
    assert_told(BENS, "partner_left", "{'partnerId':'" ANA "','reason':'timeout'}");
    assert_told(BENS, "session_ended", ENDED("partner_left", "0"));
    assert_gone();
}

static void an_end_by_timer_whose_answer_was_lost_is_told_once(void **state)
{
    (void)state;
    given_conversation();
    socket_goes(ANAS);
    port_script_next(DB_SESSION_END, (struct port_script){.err = ERR_TIMEOUT, .is_lost = true});
    pass_ms(23000);
    assert_row(SESSION_ABORTED, END_DROPPED);
    assert_int_equal(times_told("session_ended"), 1);
    assert_gone();
}

static void a_session_that_the_database_lost_is_forgotten(void **state)
{
    (void)state;
    given_conversation();
    fake_db.session_count = 0;
    socket_goes(ANAS);
    pass_ms(21000);
    assert_gone();
    assert_true(socket_is_open(BENS));
}

/* The database could not do it (a statement failed). Somebody is still there and must not be left without an
 * end. */
static void an_end_that_fails_inside_leaves_nobody_behind(void **state)
{
    (void)state;
    given_conversation();
    socket_goes(ANAS);
    port_script_next(DB_SESSION_END, (struct port_script){.err = ERR_INTERNAL});
    pass_ms(60000);
    assert_row(SESSION_ABORTED, END_DROPPED);
    assert_true(times_told("session_ended") >= 1);
    assert_gone();
}

/* --- prompts and the limit --- */

/* A premium conversation: an hour. */
static void given_hour(enum session_type type)
{
    given_session()->max_duration_seconds = 3600;
    session_row()->type = type;
    socket_opens(ANAS, ANA);
    socket_opens(BENS, BEN);
    joins(ANA, ANAS);
    joins(BEN, BENS);
}

static void prompts_come_every_three_to_five_minutes_five_in_all(void **state)
{
    static const char *const keys[] = {"p.ice", "p.follow1", "p.follow2", "p.main1", "p.main2"};
    (void)state;
    given_hour(SESSION_PRACTICE);
    pass_ms(3600 * 1000 + 100);
    assert_int_equal(fake_db.shown_count, 5);
    for (int i = 0; i < 5; i++) {
        assert_string_equal(fake_db.shown[i].key, keys[i]);
        if (i > 0)
            assert_in_range(fake_db.shown[i].at_ms - fake_db.shown[i - 1].at_ms, 180000, 300000 + 8);
    }
    assert_int_equal(fake_db.shown[0].at_ms, T0);
}

static void an_hour_as_the_clients_see_it(void **state)
{
    (void)state;
    given_hour(SESSION_PRACTICE);
    assert_told(ANAS, "partner_joined", JOINED_BEN);
    assert_told(ANAS, "new_prompt", "{'promptKey':'p.ice','category':'icebreaker'}");
    pass_ms(59 * MINUTE - 10);
    assert_told(ANAS, "new_prompt", "{'promptKey':'p.follow1','category':'follow_up'}");
    assert_told(ANAS, "new_prompt", "{'promptKey':'p.follow2','category':'follow_up'}");
    assert_told(ANAS, "new_prompt", "{'promptKey':'p.main1','category':'main_topic'}");
    assert_told(ANAS, "new_prompt", "{'promptKey':'p.main2','category':'main_topic'}");
    assert_told_nothing(ANAS);
    pass_ms(20);
    assert_told(ANAS, "new_prompt", "{'promptKey':'session.one_minute_left','category':'main_topic'}");
    pass_ms(MINUTE - 20);
    assert_row(SESSION_ACTIVE, END_NONE);
    pass_ms(20);
    assert_row(SESSION_COMPLETED, END_TIMEOUT);
    assert_told(ANAS, "session_ended", ENDED("timeout", "3600"));
    assert_told_nothing(ANAS);
    assert_int_equal(times_told("new_prompt"), 12); /* the same six to both */
    assert_metric("conversations_completed_total{language=\"es\",duration_range=\"60m+\"} 1");
    assert_gone();
}

static void a_tandem_switches_at_half_time(void **state)
{
    (void)state;
    given_hour(SESSION_TANDEM);
    pass_ms(30 * MINUTE - 10);
    sockets_forget();
    pass_ms(20);
    assert_told(ANAS, "new_prompt", "{'promptKey':'tandem.switch_language','category':'main_topic'}");
    assert_told(BENS, "new_prompt", "{'promptKey':'tandem.switch_language','category':'main_topic'}");
    pass_ms(30 * MINUTE);
    int switches = 0;
    for (size_t i = 0; i < fake_db.shown_count; i++)
        switches += strcmp(fake_db.shown[i].key, SESSION_SWITCH_KEY) == 0;
    assert_int_equal(switches, 1);
    assert_int_equal(fake_db.shown_count, 6); /* it does not count among the five */
    assert_row(SESSION_COMPLETED, END_TIMEOUT);
}

static void a_restart_after_half_time_does_not_switch_again(void **state)
{
    (void)state;
    struct session *s = given_active_session();
    s->type = SESSION_TANDEM;
    s->started_at_ms = T0 - 8 * MINUTE; /* of fifteen */
    fake_db.shown[0] = (struct fake_shown){s->id, SESSION_SWITCH_KEY, T0 - MINUTE / 2};
    fake_db.shown_count = 1;
    socket_opens(ANAS, ANA);
    socket_opens(BENS, BEN);
    joins(ANA, ANAS);
    joins(BEN, BENS);
    pass_ms(5000);
    for (size_t i = 1; i < fake_db.shown_count; i++)
        assert_string_not_equal(fake_db.shown[i].key, SESSION_SWITCH_KEY);
}

static void a_topic_without_prompts_shows_none(void **state)
{
    (void)state;
    given_session();
    fake_db.topics[0].prompt_count = 0;
    socket_opens(ANAS, ANA);
    socket_opens(BENS, BEN);
    joins(ANA, ANAS);
    joins(BEN, BENS);
    pass_ms(13 * MINUTE);
    assert_int_equal(times_told("new_prompt"), 0);
    pass_ms(2 * MINUTE + 100);
    assert_row(SESSION_COMPLETED, END_TIMEOUT);
    assert_gone();
}

static void one_who_is_away_gets_no_prompt_and_sees_it_on_return(void **state)
{
    (void)state;
    given_conversation();
    pass_ms(20000);
    socket_goes(ANAS);
    event_call(BEN, BENS, &event_request_next_prompt, "{'sessionId':'" SESSION "'}");
    pass_ms(5000);
    next_told(BENS, "partner_left");
    assert_told(BENS, "new_prompt", "{'promptKey':'p.follow1','category':'follow_up'}");
    socket_opens(ANAS_SECOND, ANA);
    joins(ANA, ANAS_SECOND);
    assert_told(ANAS_SECOND, "session_state",
                STATE("2025-01-15T10:00:00.000Z", "2025-01-15T10:15:00.000Z", "true", "2", "p.follow1"));
}

static void the_limit_comes_though_one_is_within_the_grace(void **state)
{
    (void)state;
    given_conversation();
    pass_ms(15 * MINUTE - 5000);
    socket_goes(ANAS);
    pass_ms(5010);
    assert_row(SESSION_COMPLETED, END_TIMEOUT);
    assert_gone();
}

static void a_restart_past_the_limit_ends_it_at_once(void **state)
{
    (void)state;
    given_active_session()->started_at_ms = T0 - 16 * MINUTE;
    socket_opens(ANAS, ANA);
    joins(ANA, ANAS);
    pass_ms(100);
    assert_row(SESSION_COMPLETED, END_TIMEOUT);
    assert_gone();
}

/* --- closing --- */

static void live_done_tells_nobody(void **state)
{
    (void)state;
    given_conversation();
    live_done();
    assert_null(live_one());
    assert_told_nothing(ANAS);
    assert_row(SESSION_ACTIVE, END_NONE);
    socket_goes(ANAS); /* its session is not known any more */
    socket_goes(BENS);
    pass_ms(60000);
    assert_row(SESSION_ACTIVE, END_NONE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(a_second_socket_takes_over),
        WORLD_TEST(a_take_over_is_reached_by_what_follows),
        WORLD_TEST(a_take_over_while_waiting),
        WORLD_TEST(entering_another_session_leaves_the_first),
        WORLD_TEST(a_dropped_socket_may_return),
        WORLD_TEST(after_the_grace_an_early_drop_aborts),
        WORLD_TEST(after_the_grace_a_later_drop_completes),
        WORLD_TEST(each_drop_has_its_own_grace),
        WORLD_TEST(both_drop_and_the_first_one_counts),
        WORLD_TEST(both_drop_and_one_returns),
        WORLD_TEST(the_grace_ends_while_the_return_is_in_flight),
        WORLD_TEST(a_no_show_ends_it),
        WORLD_TEST(the_window_runs_from_the_first_join_of_all),
        WORLD_TEST(one_who_went_while_waiting_may_return),
        WORLD_TEST(a_late_unjoin_spares_one_who_came_back),
        WORLD_TEST(an_old_socket_going_while_the_new_one_joins_does_not_unjoin),
        WORLD_TEST(both_went_while_waiting),
        WORLD_TEST(the_join_is_not_undone_when_it_became_active),
        WORLD_TEST(an_end_by_timer_is_tried_until_the_database_is_back),
        WORLD_TEST(an_end_by_timer_whose_answer_was_lost_is_told_once),
        WORLD_TEST(a_session_that_the_database_lost_is_forgotten),
        WORLD_TEST(an_end_that_fails_inside_leaves_nobody_behind),
        WORLD_TEST(prompts_come_every_three_to_five_minutes_five_in_all),
        WORLD_TEST(an_hour_as_the_clients_see_it),
        WORLD_TEST(a_tandem_switches_at_half_time),
        WORLD_TEST(a_restart_after_half_time_does_not_switch_again),
        WORLD_TEST(a_topic_without_prompts_shows_none),
        WORLD_TEST(one_who_is_away_gets_no_prompt_and_sees_it_on_return),
        WORLD_TEST(the_limit_comes_though_one_is_within_the_grace),
        WORLD_TEST(a_restart_past_the_limit_ends_it_at_once),
        WORLD_TEST(live_done_tells_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
