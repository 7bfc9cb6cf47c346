/* The event join_session: a socket takes its place, and the second one makes the session active. */
#include "flows/fakes/failures.h"
#include "flows/live_parts.h"

#define ACK(status) "{'status':'ok','sessionId':'" SESSION "','sessionStatus':'" status "'}"

static void given_open_sockets(void)
{
    given_session();
    socket_opens(ANAS, ANA);
    socket_opens(BENS, BEN);
}

/* --- success --- */

static void the_first_one_waits(void **state)
{
    (void)state;
    given_open_sockets();
    struct caller *c = joins(ANA, ANAS);
    assert_ack(c, ACK("waiting"));
    assert_calls("db_session_get db_session_prompts db_session_join kv_session_put db_session_get");
    assert_true(socket_is_in(ANAS, SESSION));
    assert_int_equal(session_row()->participants[0].joined_at_ms, T0);
    assert_int_equal(live_one()->session.status, SESSION_WAITING);
    assert_true(fake_kv_has_session(&session_row()->id));
    assert_told_nothing(ANAS);
    assert_told_nothing(BENS);
}

static void the_second_one_makes_it_active(void **state)
{
    (void)state;
    given_open_sockets();
    joins(ANA, ANAS);
    pass_ms(5000);
    struct caller *c = joins(BEN, BENS);
    assert_ack(c, ACK("active"));
    assert_int_equal(session_row()->status, SESSION_ACTIVE);
    assert_int_equal(live_one()->session.status, SESSION_ACTIVE);
    assert_told(ANAS, "partner_joined",
                "{'partnerId':'" BEN
                "','partnerName':'Ben','nativeLanguageCode':'en','targetLanguageCode':'es'}");
    assert_told(BENS, "partner_joined",
                "{'partnerId':'" ANA "','partnerName':'Ana','partnerAvatar':'https://img.example/ana.png',"
                "'nativeLanguageCode':'fr','targetLanguageCode':'es'}");
    assert_told(ANAS, "new_prompt", "{'promptKey':'p.ice','category':'icebreaker'}");
    assert_told(BENS, "new_prompt", "{'promptKey':'p.ice','category':'icebreaker'}");
    assert_told_nothing(ANAS);
    assert_told_nothing(BENS);
    assert_int_equal(fake_db.shown_count, 1);
    assert_metric("conversations_active 1");
    assert_metric("prompts_displayed_total{type=\"icebreaker\"} 1");
}

static void both_joining_at_once_start_it_once(void **state)
{
    (void)state;
    given_open_sockets();
    struct caller *a =
        event_call(ANA, ANAS, &event_join_session, "{'userId':'" ANA "','sessionId':'" SESSION "'}");
    struct caller *b =
        event_call(BEN, BENS, &event_join_session, "{'userId':'" BEN "','sessionId':'" SESSION "'}");
    pass_ms(0);
    assert_ack(a, ACK("waiting"));
    assert_ack(b, ACK("active"));
    assert_int_equal(times_told("partner_joined"), 2);
    assert_int_equal(times_told("new_prompt"), 2);
    assert_metric("conversations_active 1");
}

static void answers_that_overtake_each_other_do_not_matter(void **state)
{
    (void)state;
    given_open_sockets();
    port_script_next(DB_SESSION_JOIN, (struct port_script){.delay_ms = 500}); /* Ana's, who joined first */
    event_call(ANA, ANAS, &event_join_session, "{'userId':'" ANA "','sessionId':'" SESSION "'}");
    pass_ms(0);
    assert_ack(joins(BEN, BENS), ACK("active"));
    pass_ms(1000);
    assert_int_equal(live_one()->session.status, SESSION_ACTIVE);
    assert_true(socket_is_in(ANAS, SESSION) && socket_is_in(BENS, SESSION));
    assert_told(
        ANAS, "session_state",
        "{'sessionId':'" SESSION "','status':'active','partnerId':'" BEN "','partnerConnected':true,"
        "'startedAt':'2025-01-15T10:00:00.000Z','endsAt':'2025-01-15T10:15:00.000Z','maxDurationSeconds':900,"
        "'promptsShown':1,'promptKey':'p.ice'}");
    assert_int_equal(times_told("partner_joined"), 2);
    pass_ms(30000); /* nobody counts as dropped */
    assert_int_equal(session_row()->status, SESSION_ACTIVE);
}

static void joining_again_on_the_same_socket_changes_nothing(void **state)
{
    (void)state;
    given_conversation();
    assert_ack(joins(ANA, ANAS), ACK("active"));
    assert_told_nothing(ANAS);
    assert_told_nothing(BENS);
}

static void a_restarted_process_takes_the_session_up_again(void **state)
{
    (void)state;
    given_active_session(); /* for two minutes, with two prompts shown, and this process does not know it */
    fake_db.shown[0] = (struct fake_shown){id_of(SESSION), "p.ice", T0 - 2 * MINUTE};
    fake_db.shown[1] = (struct fake_shown){id_of(SESSION), "p.follow1", T0 - MINUTE};
    fake_db.shown_count = 2;
    socket_opens(ANAS, ANA);
    assert_ack(joins(ANA, ANAS), ACK("active"));
    assert_told(
        ANAS, "session_state",
        "{'sessionId':'" SESSION "','status':'active','partnerId':'" BEN "','partnerConnected':false,"
        "'startedAt':'2025-01-15T09:58:00.000Z','endsAt':'2025-01-15T10:13:00.000Z','maxDurationSeconds':900,"
        "'promptsShown':2,'promptKey':'p.follow1'}");
    assert_told_nothing(ANAS);
    assert_int_equal(fake_kv_prompts_shown(&session_row()->id), 2);
    assert_metric("conversations_active 1");
}

static void redis_is_not_needed(void **state)
{
    (void)state;
    fake_kv_goes_away();
    given_conversation();
    assert_int_equal(live_one()->session.status, SESSION_ACTIVE);
}

/* --- refusals --- */

static void refuses_anothers_name(void **state)
{
    (void)state;
    given_open_sockets();
    struct caller *c =
        event_call(ANA, ANAS, &event_join_session, "{'userId':'" BEN "','sessionId':'" SESSION "'}");
    pass_ms(0);
    assert_refused(c, ERR_FORBIDDEN, "[{'field':'userId','reason':'is not the user of this socket'}]");
    assert_calls("");
}

static struct caller *joins_with_token_of(int64_t expires_ms)
{
    struct caller *c = caller_of(ANA);
    c->socket_id = ANAS;
    c->token_expires_ms = expires_ms;
    caller_start(c, &event_join_session,
                 &(struct call_input){.body = "{'userId':'" ANA "','sessionId':'" SESSION "'}"});
    pass_ms(0);
    return c;
}

/* JWT_LEEWAY_SECONDS is 30. */
static void refuses_an_expired_token(void **state)
{
    (void)state;
    given_open_sockets();
    assert_refused(joins_with_token_of(T0 - 30000), ERR_UNAUTHORIZED,
                   "[{'field':'token','reason':'expired'}]");
    assert_calls("");
    assert_ack(joins_with_token_of(T0 - 29999), ACK("waiting"));
}

static void refuses_incomplete_payloads(void **state)
{
    (void)state;
    given_open_sockets();
    struct caller *c = event_call(ANA, ANAS, &event_join_session, "{}");
    pass_ms(0);
    assert_refused(c, ERR_INVALID_REQUEST,
                   "[{'field':'userId','reason':'required'},{'field':'sessionId','reason':'required'}]");
}

static void refuses_strangers_and_unknown_sessions(void **state)
{
    (void)state;
    given_open_sockets();
    socket_opens(EVES, EVE);
    assert_refused(joins(EVE, EVES), ERR_SESSION_NOT_FOUND, NULL);
    assert_null(live_one());
    assert_false(socket_is_in_any(EVES));
    fake_db.session_count = 0;
    assert_refused(joins(ANA, ANAS), ERR_SESSION_NOT_FOUND, NULL);
}

static void refuses_a_session_that_is_over(void **state)
{
    (void)state;
    given_open_sockets();
    session_row()->status = SESSION_COMPLETED;
    assert_refused(joins(ANA, ANAS), ERR_SESSION_ENDED, NULL);
    assert_null(live_one());
    assert_false(socket_is_in_any(ANAS));
}

/* --- races --- */

static void the_session_ends_before_the_join_is_answered(void **state)
{
    (void)state;
    given_open_sockets();
    port_script_next(DB_SESSION_JOIN, (struct port_script){.delay_ms = 100});
    struct caller *c = joins(ANA, ANAS);
    rest_call(BEN, rest_session_end, .id = SESSION); /* ended between the join and its answer */
    pass_ms(0);
    assert_int_equal(session_row()->status, SESSION_CANCELLED);
    pass_ms(1000);
    assert_int_equal(c->answers, 1);
    assert_null(live_one());
    assert_false(socket_is_in_any(ANAS));
    assert_true(times_told("session_ended") >= 2);
    assert_false(fake_kv_has_session(&session_row()->id)); /* its keys are gone, too */
}

static void the_session_ends_before_the_second_join_is_answered(void **state)
{
    (void)state;
    given_open_sockets();
    joins(ANA, ANAS);
    port_script_next(DB_SESSION_JOIN, (struct port_script){.delay_ms = 100});
    joins(BEN, BENS);
    rest_call(ANA, rest_session_end, .id = SESSION);
    pass_ms(1000);
    assert_true(session_is_over(session_row()));
    assert_null(live_one());
    assert_false(socket_is_in_any(ANAS) || socket_is_in_any(BENS));
    assert_metric("conversations_active 0");
}

static void the_socket_goes_before_the_join_is_answered(void **state)
{
    (void)state;
    given_open_sockets();
    port_script_next(DB_SESSION_JOIN, (struct port_script){.delay_ms = 100});
    joins(ANA, ANAS);
    socket_goes(ANAS);
    pass_ms(1000);
    assert_int_equal(session_row()->participants[0].joined_at_ms, 0); /* not joined any more */
    assert_int_equal(session_row()->status, SESSION_WAITING);
    pass_ms(61000);
    assert_int_equal(session_row()->status, SESSION_EXPIRED);
    assert_null(live_one());
}

static void the_second_socket_goes_before_its_join_is_answered(void **state)
{
    (void)state;
    given_open_sockets();
    joins(ANA, ANAS);
    port_script_next(DB_SESSION_JOIN, (struct port_script){.delay_ms = 100});
    joins(BEN, BENS);
    socket_goes(BENS);
    pass_ms(1000);
    assert_int_equal(session_row()->status, SESSION_ACTIVE);
    pass_ms(20000); /* the grace */
    assert_int_equal(session_row()->status, SESSION_ABORTED);
    assert_int_equal(session_row()->end_reason, END_DROPPED);
    assert_null(live_one());
    assert_false(socket_is_in_any(ANAS));
}

/* The join that activated was stored, but its answer got lost: joining again must start what the database
 * calls active. */
static void a_lost_activation_is_made_up_for_by_joining_again(void **state)
{
    (void)state;
    given_open_sockets();
    joins(ANA, ANAS);
    port_script_next(DB_SESSION_JOIN, (struct port_script){.err = ERR_TIMEOUT, .is_lost = true});
    assert_refused(joins(BEN, BENS), ERR_TIMEOUT, NULL);
    assert_int_equal(session_row()->status, SESSION_ACTIVE);
    assert_ack(joins(BEN, BENS), ACK("active"));
    assert_int_equal(live_one()->session.status, SESSION_ACTIVE);
    assert_int_equal(fake_db.shown_count, 1); /* the icebreaker, once, for both */
    next_told(ANAS, "new_prompt");
    assert_non_null(strstr(next_told(BENS, "session_state"), "\"promptKey\":\"p.ice\""));
    assert_metric("conversations_active 1");
}

/* As above, and Ben's join comes back only after Ana was thought to be left alone. */
static void a_second_join_in_flight_when_the_window_closes_is_no_no_show(void **state)
{
    (void)state;
    given_open_sockets();
    joins(ANA, ANAS);
    pass_ms(59990);
    port_script_next(DB_SESSION_JOIN, (struct port_script){.delay_ms = 1000});
    joins(BEN, BENS); /* in time: the database made it active */
    assert_int_equal(session_row()->status, SESSION_ACTIVE);
    pass_ms(3000);
    assert_int_equal(session_row()->status, SESSION_ACTIVE);
    assert_true(socket_is_in(ANAS, SESSION) && socket_is_in(BENS, SESSION));
    assert_int_equal(live_one()->session.status, SESSION_ACTIVE);
    pass_ms(30000); /* and nobody is dropped */
    assert_int_equal(session_row()->status, SESSION_ACTIVE);
    assert_int_equal(fake_db.shown_count, 1); /* the icebreaker, once */
}

/* --- failures --- */

static void given_ana_waiting(void)
{
    given_open_sockets();
    joins(ANA, ANAS);
}

static struct caller *ben_joins(void)
{
    return joins(BEN, BENS);
}

/* Nobody who was refused is in the session; nobody who was let in is out; the first one still is. */
static void presence_follows_the_answer(const struct attempt *a)
{
    assert_true(socket_is_in(ANAS, SESSION));
    assert_int_equal(socket_is_in(BENS, SESSION), a->caller->err == OK);
    assert_non_null(live_one());
}

static const struct scenario second_join = {.given = given_ana_waiting,
                                            .start = ben_joins,
                                            .then = presence_follows_the_answer,
                                            .tolerated =
                                                PORT_BIT(KV_SESSION_PUT) | PORT_BIT(DB_SESSION_PROMPT_SHOWN)};

static struct caller *ana_joins(void)
{
    return joins(ANA, ANAS);
}

static void first_join_with_each_upstream_failing(void **state)
{
    (void)state;
    given_open_sockets();
    for (int step = 1; step <= 5; step++) {
        world_again();
        given_open_sockets();
        port_script_call(step, (struct port_script){.err = ERR_DB_UNAVAILABLE});
        struct caller *c = ana_joins();
        assert_int_equal(c->answers, 1);
        assert_int_equal(c->err,
                         step <= 3 ? ERR_DB_UNAVAILABLE : OK); /* what follows the answer cannot fail it */
        assert_int_equal(live_one() != NULL, step > 3);
        assert_int_equal(socket_is_in_any(ANAS), step > 3);
    }
}

static void answered_once(const struct attempt *a)
{
    assert_int_equal(a->caller->answers, 1);
}

/* Also: the deadline comes during what follows the answer. */
static const struct scenario first_join = {
    .given = given_open_sockets, .start = ana_joins, .then = answered_once};

static void is_never_answered_twice_at_shutdown(void **state)
{
    (void)state;
    given_open_sockets();
    port_script_next(KV_SESSION_PUT, (struct port_script){.is_held = true});
    struct caller *c = joins(ANA, ANAS);
    assert_int_equal(c->answers, 1);
    flow_cancel_all(ERR_DRAINING);
    pass_ms(0);
    assert_ack(c, ACK("waiting"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(the_first_one_waits),
        WORLD_TEST(the_second_one_makes_it_active),
        WORLD_TEST(both_joining_at_once_start_it_once),
        WORLD_TEST(answers_that_overtake_each_other_do_not_matter),
        WORLD_TEST(joining_again_on_the_same_socket_changes_nothing),
        WORLD_TEST(a_restarted_process_takes_the_session_up_again),
        WORLD_TEST(redis_is_not_needed),
        WORLD_TEST(refuses_anothers_name),
        WORLD_TEST(refuses_an_expired_token),
        WORLD_TEST(refuses_incomplete_payloads),
        WORLD_TEST(refuses_strangers_and_unknown_sessions),
        WORLD_TEST(refuses_a_session_that_is_over),
        WORLD_TEST(the_session_ends_before_the_join_is_answered),
        WORLD_TEST(the_session_ends_before_the_second_join_is_answered),
        WORLD_TEST(the_socket_goes_before_the_join_is_answered),
        WORLD_TEST(the_second_socket_goes_before_its_join_is_answered),
        WORLD_TEST(a_lost_activation_is_made_up_for_by_joining_again),
        WORLD_TEST(a_second_join_in_flight_when_the_window_closes_is_no_no_show),
        FAILURE_TEST(every_upstream_fails, second_join),
        WORLD_TEST(first_join_with_each_upstream_failing),
        FAILURE_TEST(every_upstream_is_silent, first_join),
        WORLD_TEST(is_never_answered_twice_at_shutdown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
