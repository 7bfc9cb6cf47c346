/* speaking_state: who is told, what is counted, what is carried and stored. */
#include "conversation/base/json_scan.h"
#include "flows/event/relay.h"
#include "flows/fakes/failures.h"
#include "flows/job.h"
#include "flows/live_parts.h"
#include "tables.h"

#define SPEAKS(who, yes_or_no) "{'partnerId':'" who "','speaking':" yes_or_no "}"

/* `payload` in single-quoted JSON. */
static enum err says(const char *user_id, const char *payload, const char **reason)
{
    char *json = json_of_quoted(payload);
    struct json_wanted speaking = {.key = STR("speaking")};
    struct json_index index;
    enum json_type type;
    assert_true(json_take_indexed(&(struct str){json, strlen(json)}, &type, &index));
    json_find(&index, NULL, &speaking, 1);
    struct relay_call call = {.index = &index,
                              .value = &speaking,
                              .session = live_one() ? live_one()->number : 0,
                              .user_id = id_of(user_id)};
    enum err err = relay_speaking_state(&call);
    if (reason)
        *reason = call.reason;
    free(json);
    return err;
}

static void speaks(const char *user_id, bool is_speaking)
{
    assert_int_equal(says(user_id, is_speaking ? "{'speaking':true}" : "{'speaking':false}", NULL), OK);
}

static void assert_spoken(const char *user_id, int seconds, int turns)
{
    struct uuid id = id_of(user_id);
    const struct participant *p = &session_row()->participants[session_participant_index(session_row(), &id)];
    assert_int_equal(p->spoken_seconds, seconds);
    assert_int_equal(p->turn_count, turns);
}

static void carry(void)
{
    flow_start(&(struct flow_start){.spec = &job_speech_carry});
    pass_ms(0);
}

static void ben_ends_it(void)
{
    rest_call(BEN, rest_session_end, .id = SESSION);
    pass_ms(0);
}

/* --- telling --- */

static void the_partner_is_told_each_time(void **state)
{
    (void)state;
    given_conversation();
    speaks(ANA, true);
    speaks(ANA, true);
    speaks(ANA, false);
    assert_told(BENS, "partner_speaking", SPEAKS(ANA, "true"));
    assert_told(BENS, "partner_speaking", SPEAKS(ANA, "true"));
    assert_told(BENS, "partner_speaking", SPEAKS(ANA, "false"));
    assert_told_nothing(BENS);
    assert_told_nothing(ANAS);
    speaks(BEN, true);
    assert_told(ANAS, "partner_speaking", SPEAKS(BEN, "true"));
}

static void whoever_comes_back_is_told_who_speaks(void **state)
{
    (void)state;
    given_conversation();
    socket_goes(BENS);
    speaks(ANA, true);
    sockets_forget();
    socket_opens(BENS_SECOND, BEN);
    joins(BEN, BENS_SECOND);
    next_told(BENS_SECOND, "session_state");
    next_told(BENS_SECOND, "partner_joined");
    assert_told(BENS_SECOND, "partner_speaking", SPEAKS(ANA, "true"));
    assert_told_nothing(BENS_SECOND);
}

static void only_true_and_false_are_taken(void **state)
{
    (void)state;
    static const char *const payloads[] = {"{}", "{'speaking':null}", "{'speaking':1}", "{'speaking':'true'}",
                                           "{'speaking':{}}"};
    given_conversation();
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        const char *reason = NULL;
        assert_int_equal(says(ANA, payloads[i], &reason), ERR_INVALID_REQUEST);
        assert_string_equal(reason, "speaking must be true or false");
    }
    assert_told_nothing(BENS);
}

static void a_stranger_and_an_ended_session(void **state)
{
    (void)state;
    given_conversation();
    assert_int_equal(says(EVE, "{'speaking':true}", NULL), ERR_NOT_IN_SESSION);
    ben_ends_it();
    assert_int_equal(says(ANA, "{'speaking':true}", NULL), ERR_NOT_IN_SESSION);
}

/* --- counting --- */

static void it_is_stored_with_the_end(void **state)
{
    (void)state;
    given_conversation();
    speaks(ANA, true);
    pass_ms(10500);
    speaks(ANA, false);
    speaks(BEN, true);
    pass_ms(20000);
    speaks(BEN, false);
    speaks(ANA, true);
    pass_ms(5500);
    ben_ends_it(); /* while she speaks */
    assert_row(SESSION_COMPLETED, END_COMPLETED);
    assert_spoken(ANA, 16, 2);
    assert_spoken(BEN, 20, 1);
}

static void every_way_to_end_it_knows_what_was_spoken(void **state)
{
    static const char leaving[] = "{'sessionId':'" SESSION "'}";
    for (int way = 0; way < 4; way++) {
        given_conversation();
        speaks(BEN, true);
        pass_ms(70000);
        if (way == 0)
            rest_call(ANA, rest_session_leave, .id = SESSION);
        else if (way == 1)
            event_call(ANA, ANAS, &event_leave_session, leaving);
        else if (way == 2)
            socket_goes(ANAS); /* and does not come back */
        pass_ms(900000);
        assert_row(SESSION_COMPLETED, way < 2 ? END_LEFT : way == 2 ? END_DROPPED : END_TIMEOUT);
        assert_in_range(session_row()->participants[1].spoken_seconds, 70, 900);
        assert_spoken(ANA, 0, 0);
        world_again();
    }
    (void)state;
}

static void before_it_has_begun_nothing_counts(void **state)
{
    (void)state;
    given_session();
    socket_opens(ANAS, ANA);
    socket_opens(BENS, BEN);
    joins(ANA, ANAS);
    speaks(ANA, true);
    pass_ms(5000);
    joins(BEN, BENS);
    pass_ms(5000);
    ben_ends_it();
    assert_spoken(ANA, 0, 0);
}

static void whose_socket_goes_is_silent(void **state)
{
    (void)state;
    given_conversation();
    speaks(ANA, true);
    pass_ms(3000);
    socket_goes(ANAS);
    pass_ms(10000);
    socket_opens(ANAS_SECOND, ANA);
    joins(ANA, ANAS_SECOND);
    pass_ms(10000);
    ben_ends_it();
    assert_spoken(ANA, 3, 1);
}

static void whose_socket_is_taken_over_is_silent(void **state)
{
    (void)state;
    given_conversation();
    speaks(ANA, true);
    pass_ms(3000);
    socket_opens(ANAS_SECOND, ANA);
    joins(ANA, ANAS_SECOND);
    pass_ms(10000);
    ben_ends_it();
    assert_spoken(ANA, 3, 1);
}

/* --- carrying --- */

static void it_is_carried_while_it_goes_on(void **state)
{
    (void)state;
    given_conversation();
    speaks(ANA, true);
    pass_ms(4000);
    carry();
    assert_spoken(ANA, 4, 1);
    assert_row(SESSION_ACTIVE, END_NONE);
    pass_ms(3000);
    carry(); /* nothing was said since, but she speaks on */
    assert_spoken(ANA, 7, 1);
    speaks(ANA, false);
    carry();
    port_forget();
    carry();
    assert_int_equal(port_calls(DB_SPEECH_CARRY), 0); /* nobody has spoken since */
}

static void a_session_in_which_nobody_speaks_is_not_carried(void **state)
{
    (void)state;
    given_conversation();
    speaks(ANA, false);
    carry();
    assert_int_equal(port_calls(DB_SPEECH_CARRY), 0);
}

static void what_could_not_be_carried_is_carried_later(void **state)
{
    (void)state;
    given_conversation();
    speaks(ANA, true);
    pass_ms(4000);
    speaks(ANA, false);
    port_script_next(DB_SPEECH_CARRY, (struct port_script){.err = ERR_DB_UNAVAILABLE});
    carry();
    assert_spoken(ANA, 0, 0);
    carry();
    assert_spoken(ANA, 4, 1);
}

static void a_session_that_ends_while_it_is_carried(void **state)
{
    (void)state;
    given_conversation();
    speaks(ANA, true);
    pass_ms(4000);
    port_script_next(DB_SPEECH_CARRY, (struct port_script){.is_held = true, .err = ERR_TIMEOUT});
    carry();
    ben_ends_it();
    port_release();
    pass_ms(0);
    assert_null(live_one());
    assert_spoken(ANA, 4, 1);
}

static void while_the_database_is_away_nothing_is_tried(void **state)
{
    (void)state;
    given_conversation();
    speaks(ANA, true);
    pass_ms(4000);
    fake_db_goes_away();
    carry();
    assert_int_equal(port_calls(DB_SPEECH_CARRY), 0);
    fake_db_comes_back();
    carry();
    assert_spoken(ANA, 4, 1);
}

static void the_jobs_carry_it_every_few_seconds_and_at_the_end(void **state)
{
    (void)state;
    jobs_start();
    given_conversation();
    speaks(ANA, true);
    pass_ms(20010);
    assert_spoken(ANA, 20, 1);
    pass_ms(5000);
    jobs_stop();
    pass_ms(0);
    assert_spoken(ANA, 25, 1);
}

/* Another process goes on from what was carried. */
static void a_restart_goes_on_from_what_was_carried(void **state)
{
    (void)state;
    given_conversation();
    speaks(ANA, true);
    pass_ms(8000);
    carry();
    pass_ms(1000); /* lost */
    live_done();
    socket_opens(ANAS_SECOND, ANA);
    socket_opens(BENS_SECOND, BEN);
    joins(ANA, ANAS_SECOND);
    joins(BEN, BENS_SECOND);
    speaks(ANA, true);
    pass_ms(2000);
    ben_ends_it();
    assert_spoken(ANA, 10, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(the_partner_is_told_each_time),
        WORLD_TEST(whoever_comes_back_is_told_who_speaks),
        WORLD_TEST(only_true_and_false_are_taken),
        WORLD_TEST(a_stranger_and_an_ended_session),
        WORLD_TEST(it_is_stored_with_the_end),
        WORLD_TEST(every_way_to_end_it_knows_what_was_spoken),
        WORLD_TEST(before_it_has_begun_nothing_counts),
        WORLD_TEST(whose_socket_goes_is_silent),
        WORLD_TEST(whose_socket_is_taken_over_is_silent),
        WORLD_TEST(it_is_carried_while_it_goes_on),
        WORLD_TEST(a_session_in_which_nobody_speaks_is_not_carried),
        WORLD_TEST(what_could_not_be_carried_is_carried_later),
        WORLD_TEST(a_session_that_ends_while_it_is_carried),
        WORLD_TEST(while_the_database_is_away_nothing_is_tried),
        WORLD_TEST(the_jobs_carry_it_every_few_seconds_and_at_the_end),
        WORLD_TEST(a_restart_goes_on_from_what_was_carried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
