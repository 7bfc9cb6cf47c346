/* The endpoints that change a session or let one in: join, end, leave, rate. And session_ended.c, which they
 * share. */
#include "flows/fakes/failures.h"

#include "flows/job.h"
#include "flows/session_ended.h"

static struct caller *call(const char *user_id, const struct handler *handler)
{
    struct caller *c = rest_call_of(user_id, handler, &(struct call_input){.id = SESSION});
    pass_ms(0);
    return c;
}

/* --- join --- */

static void given_waiting(void)
{
    given_session();
}

static struct caller *join(void)
{
    return call(ANA, &rest_session_join);
}

#define JOIN_PARTICIPANTS                                                                                \
    "'participants':[{'userId':'" ANA "','displayName':'Ana','avatarUrl':'https://img.example/ana.png'," \
    "'nativeLanguageCode':'fr','targetLanguageCode':'es'},"                                              \
    "{'userId':'" BEN "','displayName':'Ben','nativeLanguageCode':'en','targetLanguageCode':'es'}]"

static void hands_out_what_the_browser_needs(void **state)
{
    (void)state;
    given_waiting();
    config_free();
    setenv("STUN_SERVER_URL", "stun:stun.example:3478", 1);
    char problem[512];
    assert_true(config_load(NULL, problem));
    struct caller *c = join();
    unsetenv("STUN_SERVER_URL");
    assert_answer(c, 200,
                  "{'session':{'id':'" SESSION "','status':'waiting'," JOIN_PARTICIPANTS
                  ",'topic':{'code':'travel','nameKey':'topics.travel.name','firstPromptKey':'p.ice'},"
                  "'webrtcConfig':{'iceServers':[{'urls':['stun:stun.example:3478']}]},"
                  "'recording':{'enabled':false},'maxDurationSeconds':900}}");
    assert_calls("db_session_get db_session_prompts");
}

static void joining_twice_changes_nothing(void **state)
{
    (void)state;
    given_waiting();
    join();
    struct session before = *session_row();
    assert_int_equal(join()->status, 200);
    assert_memory_equal(&before, session_row(), sizeof before);
    assert_null(live_one());
}

static void a_topic_that_is_gone_leaves_its_code(void **state)
{
    (void)state;
    given_waiting();
    fake_db.topic_count = 0;
    struct caller *c = join();
    assert_int_equal(c->status, 200);
    assert_non_null(strstr(c->body, "\"topic\":{\"code\":\"travel\"}"));
}

static void an_active_session_may_be_joined(void **state)
{
    (void)state;
    given_active_session();
    assert_int_equal(join()->status, 200);
}

static void a_stranger_finds_no_session(void **state)
{
    (void)state;
    given_waiting();
    assert_refused(call(EVE, &rest_session_join), ERR_SESSION_NOT_FOUND, NULL);
    assert_refused(call(EVE, &rest_session_end), ERR_SESSION_NOT_FOUND, NULL);
    assert_refused(call(EVE, &rest_session_leave), ERR_SESSION_NOT_FOUND, NULL);
    assert_int_equal(session_row()->status, SESSION_WAITING);
}

static void an_unknown_session_is_not_found(void **state)
{
    (void)state;
    assert_refused(join(), ERR_SESSION_NOT_FOUND, NULL);
    assert_refused(call(ANA, &rest_session_end), ERR_SESSION_NOT_FOUND, NULL);
    assert_refused(call(ANA, &rest_session_leave), ERR_SESSION_NOT_FOUND, NULL);
}

static void a_session_that_is_over_cannot_be_joined(void **state)
{
    (void)state;
    for (enum session_status s = SESSION_COMPLETED; s < SESSION_STATUS_COUNT; s++) {
        fake_db_reset();
        given_session()->status = s;
        assert_refused(join(), ERR_SESSION_ENDED, NULL);
    }
}

static const struct scenario joining = {.given = given_waiting, .start = join};

/* --- end and leave --- */

#define TWO                                                                                        \
    "'participants':[{'userId':'" ANA                                                              \
    "','displayName':'Ana','nativeLanguageCode':'fr','targetLanguageCode':'es',"                   \
    "'spokenSeconds':0,'turnCount':0},"                                                            \
    "{'userId':'" BEN "','displayName':'Ben','nativeLanguageCode':'en','targetLanguageCode':'es'," \
    "'spokenSeconds':0,'turnCount':0}]"

static struct caller *end(void)
{
    return call(ANA, &rest_session_end);
}

static struct caller *leave(void)
{
    return call(ANA, &rest_session_leave);
}

static void ending_completes_and_tells_both(void **state)
{
    (void)state;
    given_conversation();
    pass_ms(30000);
    sockets_forget();
    assert_answer(
        end(), 200,
        "{'session':{'id':'" SESSION "','status':'completed','topicCode':'travel'," TWO
        ",'durationSeconds':30,'startedAt':'2025-01-15T10:00:00.000Z','endedAt':'2025-01-15T10:00:30.000Z',"
        "'endReason':'completed','transcriptAvailable':false}}");
    assert_told(ANAS, "session_ended",
                "{'sessionId':'" SESSION "','reason':'completed','durationSeconds':30}");
    assert_told(BENS, "session_ended",
                "{'sessionId':'" SESSION "','reason':'completed','durationSeconds':30}");
    assert_told_nothing(ANAS);
    assert_told_nothing(BENS);
    assert_null(live_one());
    assert_true(socket_is_open(ANAS) && socket_is_open(BENS));
    assert_false(socket_is_in_any(ANAS) || socket_is_in_any(BENS));
    assert_false(fake_kv_has_session(&session_row()->id));
    assert_metric("conversations_completed_total{language=\"es\",duration_range=\"0-1m\"} 1");
    assert_metric("conversations_active 0");
}

static void leaving_early_aborts(void **state)
{
    (void)state;
    given_conversation();
    pass_ms(59000);
    sockets_forget();
    assert_int_equal(leave()->status, 200);
    assert_int_equal(session_row()->status, SESSION_ABORTED);
    assert_int_equal(session_row()->end_reason, END_LEFT);
    assert_told(BENS, "partner_left", "{'partnerId':'" ANA "','reason':'ended'}");
    assert_told(BENS, "session_ended",
                "{'sessionId':'" SESSION "','reason':'partner_left','durationSeconds':59}");
    assert_told(ANAS, "session_ended",
                "{'sessionId':'" SESSION "','reason':'partner_left','durationSeconds':59}");
    assert_metric("conversations_aborted_total{language=\"es\"} 1");
}

static void leaving_after_a_minute_completes(void **state)
{
    (void)state;
    given_conversation();
    pass_ms(61000);
    assert_answer(
        leave(), 200,
        "{'session':{'id':'" SESSION "','status':'completed','topicCode':'travel'," TWO
        ",'durationSeconds':61,'startedAt':'2025-01-15T10:00:00.000Z','endedAt':'2025-01-15T10:01:01.000Z',"
        "'endReason':'left','transcriptAvailable':false}}");
    assert_metric("conversations_completed_total{language=\"es\",duration_range=\"1-5m\"} 1");
}

static void ending_before_it_began_calls_it_off(void **state)
{
    (void)state;
    given_waiting();
    socket_opens(ANAS, ANA);
    socket_opens(BENS, BEN); /* Ben has not joined: every socket of his is told */
    joins(ANA, ANAS);
    sockets_forget();
    assert_answer(end(), 200,
                  "{'session':{'id':'" SESSION "','status':'cancelled','topicCode':'travel'," TWO
                  ",'durationSeconds':0,'endedAt':'2025-01-15T10:00:00.000Z','endReason':'left',"
                  "'transcriptAvailable':false}}");
    assert_told(ANAS, "session_ended",
                "{'sessionId':'" SESSION "','reason':'partner_left','durationSeconds':0}");
    assert_told(BENS, "session_ended",
                "{'sessionId':'" SESSION "','reason':'partner_left','durationSeconds':0}");
    assert_null(live_one());
}

static void ending_twice_shows_it_twice_and_tells_once(void **state)
{
    (void)state;
    given_conversation();
    struct caller *first = end();
    struct caller *second = call(BEN, &rest_session_leave);
    assert_int_equal(second->answers, 1);
    assert_string_equal(second->body, first->body);
    assert_int_equal(times_told("session_ended"), 2);
    assert_metric("conversations_completed_total{language=\"es\",duration_range=\"0-1m\"} 1");
}

static void both_ending_at_once_tells_once(void **state)
{
    (void)state;
    given_conversation();
    struct caller *a = rest_call(ANA, rest_session_end, .id = SESSION);
    struct caller *b = rest_call(BEN, rest_session_leave, .id = SESSION);
    pass_ms(0);
    assert_int_equal(a->status, 200);
    assert_string_equal(a->body, b->body);
    assert_int_equal(times_told("session_ended"), 2);
    assert_int_equal(times_told("partner_left"), 0); /* it was completed, not left */
}

static void the_queue_of_redis_being_away_does_not_matter(void **state)
{
    (void)state;
    given_conversation();
    fake_kv_goes_away();
    assert_int_equal(end()->status, 200);
    assert_null(live_one());
    assert_int_equal(flow_active_count(), 0);
}

/* The live session and the row agree: both run, or both are over. */
static void live_agrees_with_the_row(const struct attempt *a)
{
    (void)a;
    pass_ms(2000);
    assert_int_equal(live_one() != NULL, !session_is_over(session_row()));
    assert_int_equal(times_told("session_ended"), session_is_over(session_row()) ? 2 : 0);
}

static const struct scenario ending = {.given = given_conversation,
                                       .start = end,
                                       .then = live_agrees_with_the_row,
                                       .tolerated = PORT_BIT(KV_SESSION_CLEAR)};
static const struct scenario leaving = {.given = given_conversation,
                                        .start = leave,
                                        .then = live_agrees_with_the_row,
                                        .tolerated = PORT_BIT(KV_SESSION_CLEAR)};

/* Only the first call, db_session_end, is the endpoint's; what follows is a job of its own. */
static void ended_while(enum err how, const struct handler *handler)
{
    world_again();
    given_conversation();
    port_script_next(DB_SESSION_END, (struct port_script){.is_held = true});
    struct caller *c = call(ANA, handler);
    if (how == ERR_TIMEOUT)
        pass_ms(5100);
    else
        flow_cancel(c->flow, how);
    pass_ms(0);
    assert_int_equal(c->answers, 1);
    assert_int_equal(c->err, how);
    port_release();
    pass_ms(2000);
    assert_true(session_is_over(session_row()));
    assert_null(live_one());
    assert_int_equal(times_told("session_ended"), 2);
}

/* The database ended the session, but the caller's flow did not live to hear it: the participants must be
 * told all the same. */
static void an_end_that_nobody_waits_for_any_more_is_told(void **state)
{
    (void)state;
    ended_while(ERR_CANCELLED, &rest_session_end);
    ended_while(ERR_CANCELLED, &rest_session_leave);
    ended_while(ERR_TIMEOUT, &rest_session_end);
    ended_while(ERR_TIMEOUT, &rest_session_leave);
}

static void an_end_whose_answer_is_lost_is_told(void **state)
{
    static const struct handler *const handlers[] = {&rest_session_end, &rest_session_leave};
    (void)state;
    for (int i = 0; i < 2; i++) {
        world_again();
        given_conversation();
        port_script_next(DB_SESSION_END, (struct port_script){.err = ERR_DB_UNAVAILABLE, .is_lost = true});
        assert_refused(call(ANA, handlers[i]), ERR_DB_UNAVAILABLE, NULL);
        pass_ms(2000);
        assert_null(live_one());
        assert_int_equal(times_told("session_ended"), 2);
    }
}

/* --- session_ended.c --- */

static void counts_by_duration(void **state)
{
    static const struct {
        int seconds;
        const char *range;
    } cases[] = {{59, "0-1m"},    {60, "1-5m"},     {299, "1-5m"},    {300, "5-15m"},   {899, "5-15m"},
                 {900, "15-30m"}, {1799, "15-30m"}, {1800, "30-60m"}, {3599, "30-60m"}, {3600, "60m+"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[128];
        world_again();
        given_conversation();
        session_row()->max_duration_seconds = 7200;
        session_row()->started_at_ms = T0 - cases[i].seconds * 1000LL;
        end();
        snprintf(line, sizeof line, "conversations_completed_total{language=\"es\",duration_range=\"%s\"} 1",
                 cases[i].range);
        assert_metric(line);
    }
}

/* --- rate --- */

static void given_ended(void)
{
    given_active_session()->status = SESSION_COMPLETED;
    fake_db.rated = (struct db_rated){.average = 4.5, .topic_code = "travel", .is_first = true};
}

static struct caller *rate_with(const char *user_id, const char *body)
{
    struct caller *c = rest_call(user_id, rest_session_rate, .id = SESSION, .body = body);
    pass_ms(0);
    return c;
}

static struct caller *rate(void)
{
    return rate_with(ANA, "{'rating':4,'feedback':'Muy bien'}");
}

static void stores_a_rating(void **state)
{
    (void)state;
    given_ended();
    assert_answer(rate(), 200, "{'success':true,'averageRating':4.5}");
    struct uuid session = id_of(SESSION), ana = id_of(ANA);
    assert_true(uuid_eq(&fake_db.asked.rating.session_id, &session));
    assert_true(uuid_eq(&fake_db.asked.rating.user_id, &ana));
    assert_int_equal(fake_db.asked.rating.rating, 4);
    assert_string_equal(fake_db.asked.feedback, "Muy bien");
    assert_metric("conversation_rating_avg{topic=\"travel\"} 4");
}

static void only_the_first_rating_of_a_participant_counts(void **state)
{
    (void)state;
    given_ended();
    assert_int_equal(rate_with(ANA, "{'rating':2}")->status, 200);
    fake_db.rated.is_first = false;
    assert_answer(rate_with(ANA, "{'rating':5}"), 200, "{'success':true,'averageRating':4.5}");
    assert_metric("conversation_rating_avg{topic=\"travel\"} 2");
}

static void feedback_is_optional(void **state)
{
    (void)state;
    given_ended();
    assert_int_equal(rate_with(ANA, "{'rating':5}")->status, 200);
    assert_null(fake_db.asked.rating.feedback.p);
}

static void a_rating_is_an_integer_from_1_to_5(void **state)
{
    static const char *const bad[] = {"{'rating':0}",   "{'rating':6}",    "{'rating':4.5}",
                                      "{'rating':'5'}", "{'rating':true}", "{}"};
    (void)state;
    given_ended();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(rate_with(ANA, bad[i])->err, ERR_INVALID_RATING);
    assert_calls("");
}

static void feedback_has_at_most_500_code_points(void **state)
{
    char body[2200] = "{'rating':5,'feedback':'";
    (void)state;
    given_ended();
    for (int i = 0; i < 500; i++)
        strcat(body, "é");
    strcat(body, "'}");
    assert_int_equal(rate_with(ANA, body)->status, 200);
    strcpy(body + strlen(body) - 2, "é'}");
    assert_int_equal(rate_with(ANA, body)->err, ERR_INVALID_REQUEST);
}

static void refuses_to_rate_what_runs_or_is_anothers(void **state)
{
    (void)state;
    given_active_session();
    assert_refused(rate(), ERR_SESSION_NOT_ENDED, NULL);
    session_row()->status = SESSION_COMPLETED;
    assert_refused(rate_with(EVE, "{'rating':1}"), ERR_SESSION_NOT_FOUND, NULL);
    fake_db.session_count = 0;
    assert_refused(rate(), ERR_SESSION_NOT_FOUND, NULL);
}

static const struct scenario rating = {.given = given_ended, .start = rate};

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(hands_out_what_the_browser_needs),
        WORLD_TEST(joining_twice_changes_nothing),
        WORLD_TEST(a_topic_that_is_gone_leaves_its_code),
        WORLD_TEST(an_active_session_may_be_joined),
        WORLD_TEST(a_stranger_finds_no_session),
        WORLD_TEST(an_unknown_session_is_not_found),
        WORLD_TEST(a_session_that_is_over_cannot_be_joined),
        FAILURE_TESTS_OF_READ(joining),
        WORLD_TEST(ending_completes_and_tells_both),
        WORLD_TEST(leaving_early_aborts),
        WORLD_TEST(leaving_after_a_minute_completes),
        WORLD_TEST(ending_before_it_began_calls_it_off),
        WORLD_TEST(ending_twice_shows_it_twice_and_tells_once),
        WORLD_TEST(both_ending_at_once_tells_once),
        WORLD_TEST(the_queue_of_redis_being_away_does_not_matter),
        FAILURE_TEST(every_upstream_fails, ending),
        FAILURE_TEST(every_upstream_fails, leaving),
        WORLD_TEST(an_end_that_nobody_waits_for_any_more_is_told),
        WORLD_TEST(an_end_whose_answer_is_lost_is_told),
        WORLD_TEST(counts_by_duration),
        WORLD_TEST(stores_a_rating),
        WORLD_TEST(only_the_first_rating_of_a_participant_counts),
        WORLD_TEST(feedback_is_optional),
        WORLD_TEST(a_rating_is_an_integer_from_1_to_5),
        WORLD_TEST(feedback_has_at_most_500_code_points),
        WORLD_TEST(refuses_to_rate_what_runs_or_is_anothers),
        FAILURE_TESTS_OF_CALL(rating),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
