/* Requests whose time ends (match.expire) or has not begun (scheduled ones). */
#include "flows/fakes/waiting.h"
#include "flows/matchmaker.h"

/* --- expiry --- */

static void one_whom_nobody_fits_expires_and_is_told(void **state)
{
    (void)state;
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    matchmaker_look(&row(REQUEST_A)->id, 1); /* known: nothing is read */
    fake_kv_is_emptied();
    pass_ms(119990);
    assert_status(REQUEST_A, MATCH_PENDING);
    assert_int_equal(fake_kv_queue_length(), 1);
    pass_ms(30);
    assert_status(REQUEST_A, MATCH_EXPIRED);
    assert_told(ANAS, "match_expired", "{'matchRequestId':'" REQUEST_A "'}");
    assert_told_nothing(BENS);
    assert_int_equal(matchmaker_waiting(), 0);
    assert_int_equal(fake_kv_queue_length(), 0);
    assert_metric("match_requests_expired_total{language=\"es\",reason=\"alone\"} 1");
}

static void many_expire_in_batches(void **state)
{
    (void)state;
    given_matchmaker();
    for (unsigned i = 0; i < 600; i++) {
        struct match_request *r = given_request(REQUEST_A, ANA);
        r->id.b[0] = (uint8_t)(i >> 8); /* all of one user: nobody pairs with oneself */
        r->id.b[1] = (uint8_t)i;
        matchmaker_add(r);
    }
    pass_ms(119900);
    for (int ms = 0; ms < 200 && !port_calls(DB_MATCH_REQUESTS_EXPIRE); ms++)
        pass_ms(1);
    assert_int_equal(port_calls(DB_MATCH_REQUESTS_EXPIRE), 1); /* one batch a turn of the loop */
    pass_ms(50);
    assert_int_equal(port_calls(DB_MATCH_REQUESTS_EXPIRE), 3);
    assert_int_equal(times_told("match_expired"), 600);
    assert_int_equal(matchmaker_waiting(), 0);
}

static void a_ghost_does_not_expire(void **state)
{
    (void)state;
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    row(REQUEST_A)->status = MATCH_CANCELLED;
    pass_ms(121000);
    assert_status(REQUEST_A, MATCH_CANCELLED);
    assert_told_nothing(ANAS);
    assert_int_equal(matchmaker_waiting(), 0);
    assert_int_equal(flow_active_count(), 0);
}

static void an_expiry_that_fails_is_made_up_for(void **state)
{
    static const enum err errors[] = {ERR_DB_UNAVAILABLE, ERR_TIMEOUT, ERR_INTERNAL};
    (void)state;
    for (int i = 0; i < 3; i++) {
        world_again();
        given_matchmaker();
        arrives(REQUEST_A, ANA);
        port_script_next(DB_MATCH_REQUESTS_EXPIRE, (struct port_script){.err = errors[i]});
        pass_ms(122000);
        assert_status(REQUEST_A, MATCH_EXPIRED);
        assert_int_equal(times_told("match_expired"), 1);
        assert_int_equal(matchmaker_waiting(), 0);
    }
}

static void nobody_expires_while_the_database_is_away(void **state)
{
    (void)state;
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    fake_db_goes_away();
    pass_ms(200000);
    assert_status(REQUEST_A, MATCH_PENDING);
    assert_int_equal(matchmaker_waiting(), 1);
    fake_db_comes_back();
    pass_ms(300);
    assert_status(REQUEST_A, MATCH_EXPIRED);
    assert_int_equal(times_told("match_expired"), 1);
}

static void redis_failing_after_the_expiry_changes_nothing(void **state)
{
    (void)state;
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    pass_ms(119000);
    fake_kv_goes_away();
    pass_ms(2000);
    assert_int_equal(times_told("match_expired"), 1);
    assert_int_equal(flow_active_count(), 0);
}

/* --- scheduled requests --- */

/* For 10:30, stored now. */
static struct match_request *given_scheduled(const char *id, const char *user_id)
{
    struct match_request *r = given_request(id, user_id);
    r->mode = MATCH_SCHEDULED;
    r->scheduled_for_ms = T0 + 30 * MINUTE;
    r->expires_at_ms = r->scheduled_for_ms + 120000;
    return r;
}

static void a_scheduled_request_is_not_paired_before_its_time(void **state)
{
    (void)state;
    given_matchmaker();
    given_scheduled(REQUEST_A, ANA);
    arrives(REQUEST_B, BEN);
    for (int i = 0; i < 29; i++) {
        matchmaker_reload_soon();
        pass_ms(MINUTE);
    }
    assert_status(REQUEST_A, MATCH_PENDING);
    assert_status(REQUEST_B, MATCH_EXPIRED);
}

static void scheduled_requests_of_the_same_time_are_paired_ahead(void **state)
{
    (void)state;
    given_matchmaker();
    given_scheduled(REQUEST_A, ANA);
    given_scheduled(REQUEST_B, BEN);
    pass_ms(MINUTE);
    matchmaker_reload_soon(); /* as the periodic job does */
    pass_ms(1000);
    assert_status(REQUEST_A, MATCH_MATCHED);
    assert_status(REQUEST_B, MATCH_MATCHED);
}

/* Through the endpoint: a stored request sleeps in the index until its time. */
static void a_scheduled_request_starts_on_time(void **state)
{
    (void)state;
    given_matchmaker();
    fake_profile = (struct profile){.tier = TIER_PREMIUM, .level = LEVEL_B1, .native_language = "fr"};
    const struct caller *c =
        rest_call(ANA, rest_match_create,
                  .body = "{'targetLanguageCode':'es','topicCode':'travel','mode':'scheduled',"
                          "'scheduledFor':'2025-01-15T10:30:00Z'}");
    pass_ms(28 * MINUTE);
    assert_int_equal(c->status, 201);
    given_request(REQUEST_B, BEN)->expires_at_ms += 3 * MINUTE;
    matchmaker_add(row(REQUEST_B));
    pass_ms(2 * MINUTE - 1100);
    assert_int_equal(fake_db.requests[0].status, MATCH_PENDING);
    pass_ms(200);
    assert_int_equal(fake_db.requests[0].status, MATCH_MATCHED);
    assert_in_range(fake_db.requests[0].matched_at_ms, T0 + 30 * MINUTE, T0 + 30 * MINUTE + 8); /* a tick */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(one_whom_nobody_fits_expires_and_is_told),
        WORLD_TEST(many_expire_in_batches),
        WORLD_TEST(a_ghost_does_not_expire),
        WORLD_TEST(an_expiry_that_fails_is_made_up_for),
        WORLD_TEST(nobody_expires_while_the_database_is_away),
        WORLD_TEST(redis_failing_after_the_expiry_changes_nothing),
        WORLD_TEST(a_scheduled_request_is_not_paired_before_its_time),
        WORLD_TEST(scheduled_requests_of_the_same_time_are_paired_ahead),
        WORLD_TEST(a_scheduled_request_starts_on_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
