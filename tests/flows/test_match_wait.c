/* GET /match-request/status?wait=N. */
#include "flows/fakes/failures.h"
#include "flows/fakes/waiting.h"
#include "flows/match_watch.h"
#include "flows/matchmaker.h"
#include "flows/user_events.h"

#define STATUS(of, seconds)                                                             \
    "{'matchRequest':{'id':'" REQUEST_A "','status':'" of "','waitedSeconds':" #seconds \
    ",'expiresAt':'2025-01-15T10:02:01.000Z'}}"

/* Nothing is known of others' waits: the wait ends some time within what is left. */
#define PENDING(seconds, middle, left)                                                   \
    "{'matchRequest':{'id':'" REQUEST_A "','status':'pending','waitedSeconds':" #seconds \
    ",'expiresAt':'2025-01-15T10:02:01.000Z','estimatedWaitTimeSeconds':" #middle        \
    ",'estimatedWaitTimeInterval':{'low':0,'high':" #left "}}}"

/* Ana's request is pending, and a matchmaker runs. */
static void given_waiting_request(void)
{
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    pass_ms(10);
    port_forget();
}

static struct caller *ask(const char *user_id, const char *query)
{
    struct caller *c = rest_call(user_id, rest_match_status, .query = query);
    pass_ms(0);
    return c;
}

static struct caller *wait_20(void)
{
    return ask(ANA, "wait=20");
}

/* --- what ends a wait --- */

static void a_match_ends_it_at_once(void **state)
{
    (void)state;
    given_waiting_request();
    struct caller *c = wait_20();
    assert_int_equal(c->answers, 0);
    assert_int_equal(match_watch_count(), 1);
    assert_metric("match_status_waiting 1");
    pass_ms(3000);
    port_forget();
    arrives(REQUEST_B, BEN);
    pass_ms(10);
    assert_int_equal(c->answers, 1);
    assert_non_null(strstr(c->body, "\"status\":\"matched\""));
    assert_int_equal(port_calls(DB_MATCH_REQUEST_GET), 1);
    assert_in_range(c->waited_ms, 3000, 3010); /* no part of the latency */
    assert_int_equal(match_watch_count(), 0);
    assert_metric("match_status_waiting 0");
}

static void an_expiry_ends_it(void **state)
{
    (void)state;
    given_waiting_request();
    row(REQUEST_A)->expires_at_ms = world_now_ms() + 4000;
    matchmaker_remove(&row(REQUEST_A)->id, WAIT_CANCELLED);
    matchmaker_add(row(REQUEST_A));
    struct caller *c = wait_20();
    pass_ms(4100);
    assert_int_equal(c->answers, 1);
    assert_non_null(strstr(c->body, "\"status\":\"expired\""));
}

static void a_cancel_ends_it(void **state)
{
    (void)state;
    given_waiting_request();
    struct caller *c = wait_20();
    pass_ms(2000);
    rest_call(ANA, rest_match_cancel, .id = REQUEST_A);
    pass_ms(0);
    assert_int_equal(c->answers, 1);
    assert_non_null(strstr(c->body, "\"status\":\"cancelled\""));
}

static void the_time_ends_it_with_the_status_as_it_is(void **state)
{
    (void)state;
    given_waiting_request();
    struct caller *c = wait_20();
    pass_ms(19999);
    assert_int_equal(c->answers, 0);
    pass_ms(100);
    assert_answer(c, 200, PENDING(20, 50, 100));
    assert_in_range(c->waited_ms, 20000, 20008); /* the resolution of timers */
}

static void the_longest_wait_is_answered(void **state)
{
    (void)state;
    given_waiting_request();
    struct caller *c = ask(ANA, "wait=25");
    pass_ms(26000);
    assert_answer(c, 200, PENDING(25, 47, 95));
}

/* While nothing happens the database is asked once in 5 s, for everybody together. */
static void waiting_costs_no_reads(void **state)
{
    (void)state;
    given_waiting_request();
    struct caller *callers[50];
    for (size_t i = 0; i < 50; i++)
        callers[i] = ask(ANA, "wait=20");
    port_forget();
    pass_ms(19000);
    assert_int_equal(port_calls(DB_MATCH_REQUESTS_SETTLED), 3);
    assert_int_equal(port_calls(DB_MATCH_REQUEST_LATEST), 0);
    assert_int_equal(port_calls(DB_MATCH_REQUEST_GET), 0);
    arrives(REQUEST_B, BEN);
    pass_ms(10);
    for (size_t i = 0; i < 50; i++)
        assert_non_null(strstr(callers[i]->body, "\"status\":\"matched\""));
}

static void lost_news_are_found_within_seconds(void **state)
{
    (void)state;
    given_waiting_request();
    struct caller *c = wait_20();
    row(REQUEST_A)->status = MATCH_CANCELLED; /* by another instance, whose message got lost */
    pass_ms(5100);
    assert_int_equal(c->answers, 1);
    assert_non_null(strstr(c->body, "\"status\":\"cancelled\""));
}

static void the_look_for_lost_news_may_fail(void **state)
{
    (void)state;
    given_waiting_request();
    struct caller *c = wait_20();
    row(REQUEST_A)->status = MATCH_CANCELLED;
    port_script_next(DB_MATCH_REQUESTS_SETTLED, (struct port_script){.err = ERR_DB_UNAVAILABLE});
    pass_ms(9000);
    assert_int_equal(c->answers, 0);
    pass_ms(1100);
    assert_int_equal(c->answers, 1);
}

/* The read says pending, but the news came while it was under way. */
static void news_during_the_read_are_not_missed(void **state)
{
    (void)state;
    given_waiting_request();
    port_script_next(DB_MATCH_REQUEST_LATEST, (struct port_script){.is_held = true});
    struct caller *c = wait_20();
    arrives(REQUEST_B, BEN);
    pass_ms(10);
    port_release(); /* as it was when it was asked */
    pass_ms(10);
    assert_int_equal(c->answers, 1);
    assert_non_null(strstr(c->body, "\"status\":\"matched\""));
}

static void news_of_others_do_not_end_it(void **state)
{
    (void)state;
    given_waiting_request();
    struct caller *c = wait_20();
    struct uuid ben = id_of(BEN);
    struct uuid neighbour = id_of(ANA);
    neighbour.b[0] ^= 1; /* of the same bucket */
    match_watch_news(&ben);
    match_watch_news(&neighbour);
    pass_ms(0);
    assert_int_equal(port_calls(DB_MATCH_REQUEST_GET), 0);
    assert_int_equal(c->answers, 0);
}

/* What other instances say on the bus. */
static void news_from_another_instance_end_it(void **state)
{
    (void)state;
    given_waiting_request();
    user_events_start();
    struct caller *c = wait_20();
    row(REQUEST_A)->status = MATCH_EXPIRED;
    assert_true(bus_says("user_events", ANA " match_expired {}"));
    pass_ms(0);
    assert_int_equal(c->answers, 1);
    assert_non_null(strstr(c->body, "\"status\":\"expired\""));

    row(REQUEST_A)->status = MATCH_PENDING;
    c = wait_20();
    sockets_forget();
    row(REQUEST_A)->status = MATCH_CANCELLED;
    assert_true(bus_says("user_events", ANA " request_cancelled "));
    pass_ms(0);
    assert_int_equal(c->answers, 1);
    assert_told_nothing(ANAS); /* who has cancelled knows */
}

static void a_cancel_is_told_to_the_other_instances(void **state)
{
    (void)state;
    given_waiting_request();
    bus_forget();
    rest_call(ANA, rest_match_cancel, .id = REQUEST_A);
    pass_ms(0);
    assert_string_equal(next_published("user_events"), ANA " request_cancelled ");
}

/* --- what does not wait --- */

static void without_wait_it_answers_at_once(void **state)
{
    (void)state;
    given_waiting_request();
    assert_int_equal(ask(ANA, "")->answers, 1);
    assert_int_equal(ask(ANA, "wait=0")->answers, 1);
    assert_int_equal(match_watch_count(), 0);
}

static void what_is_settled_is_answered_at_once(void **state)
{
    (void)state;
    for (int status = MATCH_MATCHED; status <= MATCH_CANCELLED; status++) {
        world_again();
        given_request(REQUEST_A, ANA)->status = (enum match_status)status;
        assert_int_equal(wait_20()->answers, 1);
    }
}

static void one_who_never_asked_is_told_at_once(void **state)
{
    (void)state;
    assert_refused(wait_20(), ERR_MATCH_REQUEST_NOT_FOUND, NULL);
    assert_int_equal(match_watch_count(), 0);
}

static void only_0_to_25_seconds(void **state)
{
    static const char *const bad[] = {"wait=26", "wait=-1", "wait=x", "wait=1.5", "wait="};
    (void)state;
    given_waiting_request();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct caller *c = ask(ANA, bad[i]);
        assert_int_equal(c->err, ERR_INVALID_REQUEST);
        assert_non_null(strstr(c->details, "wait"));
    }
}

static void more_than_may_wait_are_refused(void **state)
{
    (void)state;
    given_waiting_request();
    config.match_status_max_waiting = 2;
    struct caller *first = wait_20();
    wait_20();
    assert_refused(wait_20(), ERR_OVERLOADED, NULL);
    assert_int_equal(ask(ANA, "")->status, 200); /* not for those who do not wait */
    flow_cancel(first->flow, ERR_CANCELLED);     /* its client left: a place is free */
    pass_ms(0);
    struct caller *c = wait_20();
    assert_int_equal(c->answers, 0);
}

static void at_shutdown_everybody_is_answered(void **state)
{
    (void)state;
    given_waiting_request();
    struct caller *c = wait_20();
    reply_set_draining(true);
    match_watch_release();
    pass_ms(0);
    assert_answer(c, 200, PENDING(0, 60, 120));
}

/* --- failures --- */

static void the_read_after_the_wait_may_fail(void **state)
{
    static const enum err failures[] = {ERR_DB_UNAVAILABLE, ERR_INTERNAL, ERR_TIMEOUT};
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        world_again();
        given_waiting_request();
        struct caller *c = wait_20();
        port_script_next(DB_MATCH_REQUEST_GET, (struct port_script){.err = failures[i]});
        arrives(REQUEST_B, BEN);
        pass_ms(10);
        assert_refused(c, failures[i], NULL);
        assert_int_equal(match_watch_count(), 0);
    }
}

static void a_silent_database_is_not_waited_for_longer_than_asked(void **state)
{
    (void)state;
    given_waiting_request();
    port_script_next(DB_MATCH_REQUEST_GET, (struct port_script){.is_held = true});
    struct caller *c = ask(ANA, "wait=5");
    pass_ms(8100);
    assert_refused(c, ERR_TIMEOUT, NULL);
    assert_int_equal(match_watch_count(), 0);
    assert_true(port_release());
}

static void client_gone(void **state)
{
    (void)state;
    given_waiting_request();
    struct caller *c = wait_20();
    pass_ms(1000);
    flow_cancel(c->flow, ERR_CANCELLED);
    pass_ms(0);
    assert_null(c->flow);
    assert_int_equal(match_watch_count(), 0);
    arrives(REQUEST_B, BEN); /* wakes nobody */
    pass_ms(30000);
    assert_int_equal(port_calls(DB_MATCH_REQUEST_GET), 0);
}

static void client_gone_during_the_read(void **state)
{
    (void)state;
    port_script_next(DB_MATCH_REQUEST_LATEST, (struct port_script){.is_held = true});
    given_waiting_request();
    struct caller *c = wait_20();
    flow_cancel(c->flow, ERR_CANCELLED);
    pass_ms(0);
    assert_null(c->flow);
    assert_int_equal(match_watch_count(), 0);
    assert_true(port_release());
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(a_match_ends_it_at_once),
        WORLD_TEST(an_expiry_ends_it),
        WORLD_TEST(a_cancel_ends_it),
        WORLD_TEST(the_time_ends_it_with_the_status_as_it_is),
        WORLD_TEST(the_longest_wait_is_answered),
        WORLD_TEST(waiting_costs_no_reads),
        WORLD_TEST(lost_news_are_found_within_seconds),
        WORLD_TEST(the_look_for_lost_news_may_fail),
        WORLD_TEST(news_during_the_read_are_not_missed),
        WORLD_TEST(news_of_others_do_not_end_it),
        WORLD_TEST(news_from_another_instance_end_it),
        WORLD_TEST(a_cancel_is_told_to_the_other_instances),
        WORLD_TEST(without_wait_it_answers_at_once),
        WORLD_TEST(what_is_settled_is_answered_at_once),
        WORLD_TEST(one_who_never_asked_is_told_at_once),
        WORLD_TEST(only_0_to_25_seconds),
        WORLD_TEST(more_than_may_wait_are_refused),
        WORLD_TEST(at_shutdown_everybody_is_answered),
        WORLD_TEST(the_read_after_the_wait_may_fail),
        WORLD_TEST(a_silent_database_is_not_waited_for_longer_than_asked),
        WORLD_TEST(client_gone),
        WORLD_TEST(client_gone_during_the_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
