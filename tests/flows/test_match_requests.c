/* DELETE /match-request/:id and GET /match-request/status. */
#include "flows/fakes/failures.h"
#include "flows/matchmaker.h"

/* --- cancel --- */

/* Ana's request: stored, in the shared queue and in the index. */
static void given_waiting_request(void)
{
    given_request(REQUEST_A, ANA);
    matchmaker_start();
    pass_ms(1000);
    assert_int_equal(matchmaker_waiting(), 1);
    assert_int_equal(fake_kv_queue_length(), 1);
    port_forget();
}

static struct caller *cancel_by(const char *user_id)
{
    struct caller *c = rest_call(user_id, rest_match_cancel, .id = REQUEST_A);
    pass_ms(0);
    return c;
}

static struct caller *cancel(void)
{
    return cancel_by(ANA);
}

#define CANCELLED "{'matchRequest':{'id':'" REQUEST_A "','status':'cancelled'}}"

static void cancels_everywhere(void **state)
{
    (void)state;
    given_waiting_request();
    struct caller *c = cancel();
    assert_answer(c, 200, CANCELLED);
    assert_calls("db_match_request_cancel kv_queue_remove");
    assert_int_equal(fake_db.requests[0].status, MATCH_CANCELLED);
    assert_int_equal(fake_kv_queue_length(), 0);
    assert_int_equal(matchmaker_waiting(), 0);
}

static void cancelling_twice_gives_the_same_answer(void **state)
{
    (void)state;
    given_waiting_request();
    cancel();
    port_forget();
    assert_answer(cancel(), 200, CANCELLED);
    assert_calls("db_match_request_cancel");
}

static void refuses_what_is_not_ones_own(void **state)
{
    (void)state;
    given_waiting_request();
    assert_refused(cancel_by(BEN), ERR_MATCH_REQUEST_NOT_FOUND, NULL);
    assert_int_equal(fake_db.requests[0].status, MATCH_PENDING);
    assert_int_equal(matchmaker_waiting(), 1);
    assert_int_equal(fake_kv_queue_length(), 1);
}

static void refuses_an_unknown_id(void **state)
{
    (void)state;
    assert_refused(cancel(), ERR_MATCH_REQUEST_NOT_FOUND, NULL);
}

static void refuses_an_id_that_is_none(void **state)
{
    (void)state;
    struct caller *c = rest_call(ANA, rest_match_cancel, .id = "17");
    pass_ms(0);
    assert_int_equal(c->err, ERR_INVALID_REQUEST);
    assert_non_null(c->details);
    assert_calls("");
}

static void refuses_a_matched_one(void **state)
{
    (void)state;
    given_request(REQUEST_A, ANA)->status = MATCH_MATCHED;
    assert_refused(cancel(), ERR_ALREADY_MATCHED, NULL);
    assert_int_equal(fake_db.requests[0].status, MATCH_MATCHED);
}

static void refuses_an_expired_one(void **state)
{
    (void)state;
    given_request(REQUEST_A, ANA)->status = MATCH_EXPIRED;
    assert_refused(cancel(), ERR_MATCH_EXPIRED, NULL);
}

static void cancelling_during_the_claim_lets_the_database_decide(void **state)
{
    (void)state;
    given_waiting_request();
    matchmaker_add(given_request(REQUEST_B, BEN));
    port_script_next(DB_MATCH_CLAIM, (struct port_script){.delay_ms = 100});
    pass_ms(10); /* claimed in the database, nobody told yet */
    assert_refused(cancel(), ERR_ALREADY_MATCHED, NULL);
    pass_ms(200);
    assert_int_equal(fake_db.session_count, 1);
}

/* A request that the database calls pending stays where it was; a cancelled one pairs with nobody, in the
 * index or not. */
static void nobody_is_lost_or_matched(const struct attempt *a)
{
    (void)a;
    bool is_pending = fake_db.requests[0].status == MATCH_PENDING;
    if (is_pending)
        assert_int_equal(matchmaker_waiting(), 1);
    given_topic();
    given_request(REQUEST_B, BEN);
    matchmaker_add(&fake_db.requests[1]);
    pass_ms(2000);
    assert_int_equal(fake_db.session_count, is_pending ? 1 : 0);
    assert_int_equal(fake_db.requests[1].status, is_pending ? MATCH_MATCHED : MATCH_PENDING);
    assert_int_equal(matchmaker_waiting(),
                     is_pending ? 0 : 1); /* Ben goes on waiting after meeting a ghost */
}

static const struct scenario cancelling = {.given = given_waiting_request,
                                           .start = cancel,
                                           .then = nobody_is_lost_or_matched,
                                           .tolerated = PORT_BIT(KV_QUEUE_REMOVE)};

static void exactly_one_answer(const struct attempt *a)
{
    assert_int_equal(a->caller->answers, 1);
}

static const struct scenario cancelling_slowly = {
    .given = given_waiting_request, .start = cancel, .then = exactly_one_answer};

static void cancel_may_finish_after_the_matchmaker_has_stopped(void **state)
{
    (void)state;
    given_waiting_request();
    port_script_next(DB_MATCH_REQUEST_CANCEL, (struct port_script){.is_held = true});
    struct caller *c = cancel();
    matchmaker_stop();
    port_release();
    pass_ms(0);
    assert_answer(c, 200, CANCELLED);
}

/* --- status --- */

static struct caller *status(void)
{
    struct caller *c = rest_call(ANA, rest_match_status);
    pass_ms(0);
    return c;
}

static void given_plain_request(void)
{
    given_request(REQUEST_A, ANA);
}

static void shows_a_pending_request(void **state)
{
    (void)state;
    given_plain_request();
    pass_ms(12345);
    assert_answer(status(), 200,
                  "{'matchRequest':{'id':'" REQUEST_A "','status':'pending','waitedSeconds':12,"
                  "'expiresAt':'2025-01-15T10:02:00.000Z','estimatedWaitTimeSeconds':54,"
                  "'estimatedWaitTimeInterval':{'low':0,'high':108}}}");
}

static void shows_a_matched_request(void **state)
{
    (void)state;
    struct match_request *r = given_request(REQUEST_A, ANA);
    r->status = MATCH_MATCHED;
    r->matched_at_ms = T0 + 42900;
    r->session_id = id_of(SESSION);
    r->level_difference = 2;
    pass_ms(10 * MINUTE);
    assert_answer(status(), 200,
                  "{'matchRequest':{'id':'" REQUEST_A "','status':'matched','sessionId':'" SESSION
                  "','waitedSeconds':42,"
                  "'expiresAt':'2025-01-15T10:02:00.000Z','levelDifference':2}}");
}

static void an_expired_request_has_waited_its_time(void **state)
{
    (void)state;
    given_request(REQUEST_A, ANA)->status = MATCH_EXPIRED;
    pass_ms(10 * MINUTE);
    assert_answer(status(), 200,
                  "{'matchRequest':{'id':'" REQUEST_A "','status':'expired','waitedSeconds':120,"
                  "'expiresAt':'2025-01-15T10:02:00.000Z'}}");
}

static void a_scheduled_request_has_not_waited_yet(void **state)
{
    (void)state;
    struct match_request *r = given_request(REQUEST_A, ANA);
    r->mode = MATCH_SCHEDULED;
    r->scheduled_for_ms = T0 + 30 * MINUTE;
    r->expires_at_ms = T0 + 32 * MINUTE;
    pass_ms(10 * MINUTE);
    assert_answer(status(), 200,
                  "{'matchRequest':{'id':'" REQUEST_A
                  "','status':'pending','scheduledFor':'2025-01-15T10:30:00.000Z','waitedSeconds':0,"
                  "'expiresAt':'2025-01-15T10:32:00.000Z','estimatedWaitTimeSeconds':60,"
                  "'estimatedWaitTimeInterval':{'low':0,'high':120}}}");
    pass_ms(21 * MINUTE);
    assert_answer(status(), 200,
                  "{'matchRequest':{'id':'" REQUEST_A
                  "','status':'pending','scheduledFor':'2025-01-15T10:30:00.000Z','waitedSeconds':60,"
                  "'expiresAt':'2025-01-15T10:32:00.000Z','estimatedWaitTimeSeconds':30,"
                  "'estimatedWaitTimeInterval':{'low':0,'high':60}}}");
}

static void shows_what_a_match_was_arranged_for(void **state)
{
    (void)state;
    struct match_request *r = given_request(REQUEST_A, ANA);
    r->mode = MATCH_SCHEDULED;
    r->scheduled_for_ms = T0 + 30 * MINUTE;
    r->expires_at_ms = T0 + 32 * MINUTE;
    r->status = MATCH_MATCHED;
    r->matched_at_ms = T0;
    r->session_id = id_of(SESSION);
    r->session_scheduled_at_ms = T0 + 33 * MINUTE;
    assert_answer(status(), 200,
                  "{'matchRequest':{'id':'" REQUEST_A "','status':'matched','sessionId':'" SESSION "',"
                  "'scheduledFor':'2025-01-15T10:30:00.000Z','scheduledAt':'2025-01-15T10:33:00.000Z',"
                  "'waitedSeconds':0,'expiresAt':'2025-01-15T10:32:00.000Z','levelDifference':0}}");
}

/* One who waits for a partner now, and has a request for later, too. */
static void the_live_one_is_that_for_now(void **state)
{
    (void)state;
    struct match_request *later = given_request(REQUEST_A, ANA);
    later->mode = MATCH_SCHEDULED;
    later->scheduled_for_ms = T0 + 30 * MINUTE;
    given_request(REQUEST_B, ANA);
    assert_non_null(strstr(status()->body, REQUEST_B));
    fake_db.requests[1].status = MATCH_CANCELLED;
    assert_non_null(strstr(status()->body, REQUEST_A));
    struct caller *c = rest_call(ANA, rest_match_status, .query = "id=" REQUEST_B);
    pass_ms(0);
    assert_non_null(strstr(c->body, "cancelled"));
    c = rest_call(BEN, rest_match_status, .query = "id=" REQUEST_B);
    pass_ms(0);
    assert_refused(c, ERR_MATCH_REQUEST_NOT_FOUND, NULL);
}

static void one_who_never_asked_has_no_status(void **state)
{
    (void)state;
    given_request(REQUEST_B, BEN);
    assert_refused(status(), ERR_MATCH_REQUEST_NOT_FOUND, NULL);
}

static const struct scenario asking = {.given = given_plain_request, .start = status};

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(cancels_everywhere),
        WORLD_TEST(cancelling_twice_gives_the_same_answer),
        WORLD_TEST(refuses_what_is_not_ones_own),
        WORLD_TEST(refuses_an_unknown_id),
        WORLD_TEST(refuses_an_id_that_is_none),
        WORLD_TEST(refuses_a_matched_one),
        WORLD_TEST(refuses_an_expired_one),
        WORLD_TEST(cancelling_during_the_claim_lets_the_database_decide),
        FAILURE_TEST(every_upstream_fails, cancelling),
        FAILURE_TEST(every_answer_is_lost, cancelling),
        FAILURE_TEST(every_upstream_is_silent, cancelling_slowly),
        FAILURE_TEST(client_goes_at_every_step, cancelling),
        WORLD_TEST(cancel_may_finish_after_the_matchmaker_has_stopped),
        WORLD_TEST(shows_a_pending_request),
        WORLD_TEST(shows_a_matched_request),
        WORLD_TEST(an_expired_request_has_waited_its_time),
        WORLD_TEST(a_scheduled_request_has_not_waited_yet),
        WORLD_TEST(shows_what_a_match_was_arranged_for),
        WORLD_TEST(the_live_one_is_that_for_now),
        WORLD_TEST(one_who_never_asked_has_no_status),
        FAILURE_TESTS_OF_READ(asking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
