/* A no-show's partner goes on waiting for another one: who is told what, and where the request goes. */
#include "flows/fakes/world.h"
#include "flows/job.h"
#include "flows/matchmaker.h"

static struct uuid given_matched(const char *id, const char *user_id)
{
    struct match_request *r = given_request(id, user_id);
    r->status = MATCH_MATCHED;
    r->session_id = id_of(SESSION);
    r->created_at_ms -= 30000;
    return r->id;
}

static void given_no_show(void)
{
    given_session();
    given_matched(REQUEST_A, ANA);
    given_matched(REQUEST_B, BEN);
    socket_opens(ANAS, ANA);
    socket_opens(EVES, EVE);
    joins(ANA, ANAS);
}

static const struct match_request *requeued(void)
{
    const struct match_request *r = &fake_db.requests[fake_db.request_count - 1];
    assert_int_equal(fake_db.request_count, 3);
    return r;
}

static void assert_told_requeued(uint64_t socket_id)
{
    char payload[256], expires[CLOCK_ISO_LENGTH + 1];
    clock_format_iso(requeued()->expires_at_ms, expires);
    snprintf(payload, sizeof payload, "{'matchRequestId':'%s','sessionId':'%s','expiresAt':'%s'}",
             UUIDZ(&requeued()->id), SESSION, expires);
    assert_told(socket_id, "match_requeued", payload);
}

static void the_one_who_came_is_told_and_waits(void **state)
{
    (void)state;
    matchmaker_start();
    given_no_show();
    pass_ms(60010);
    assert_row(SESSION_EXPIRED, END_NO_SHOW);
    next_told(ANAS, "partner_left");
    next_told(ANAS, "session_ended");
    assert_told_requeued(ANAS);
    assert_told_nothing(ANAS);
    assert_told_nothing(EVES);
    pass_ms(100);
    assert_int_equal(matchmaker_waiting(), 1);
    assert_true(fake_kv_has_request(&requeued()->id));
    assert_int_equal(requeued()->created_at_ms, T0 - 30000);
}

static void it_is_matched_with_whoever_comes(void **state)
{
    (void)state;
    matchmaker_start();
    given_no_show();
    pass_ms(61000);
    struct match_request *eve = given_request("11111111-0000-4000-8000-00000000000e", EVE);
    matchmaker_add(eve);
    pass_ms(100);
    assert_int_equal(eve->status, MATCH_MATCHED);
    assert_int_equal(fake_db.requests[2].status, MATCH_MATCHED);
    struct uuid ana = id_of(ANA);
    assert_true(uuid_eq(&eve->partner_id, &ana));
    struct session *s = fake_session(&eve->session_id);
    assert_true(uuid_eq(&s->participants[0].user_id, &ana)); /* she has waited longer */
}

static void whoever_has_gone_is_not(void **state)
{
    (void)state;
    given_no_show();
    pass_ms(30000);
    socket_goes(ANAS);
    pass_ms(30010);
    assert_row(SESSION_EXPIRED, END_NO_SHOW);
    assert_int_equal(fake_db.request_count, 2);
    assert_int_equal(times_told("match_requeued"), 0);
}

static void a_lost_answer_is_asked_for_again(void **state)
{
    (void)state;
    matchmaker_start();
    given_no_show();
    port_script_next(DB_SESSION_END, (struct port_script){.is_lost = true, .err = ERR_DB_UNAVAILABLE});
    pass_ms(62000);
    next_told(ANAS, "partner_left");
    next_told(ANAS, "session_ended");
    assert_told_requeued(ANAS);
    assert_told_nothing(ANAS);
    assert_int_equal(matchmaker_waiting(), 1);
}

static void the_sweep_tells_as_well(void **state)
{
    (void)state;
    matchmaker_start();
    given_no_show();
    live_done(); /* whoever held it has died */
    socket_goes(ANAS);
    socket_opens(ANAS_SECOND, ANA);
    pass_ms(71000);
    assert_row(SESSION_WAITING, END_NONE);
    flow_start(&(struct flow_start){.spec = &job_sessions_sweep});
    pass_ms(100);
    assert_row(SESSION_EXPIRED, END_NO_SHOW);
    next_told(ANAS_SECOND, "session_ended");
    assert_told_requeued(ANAS_SECOND);
    assert_told_nothing(ANAS_SECOND);
    assert_int_equal(matchmaker_waiting(), 1);
}

static void the_status_shows_it(void **state)
{
    (void)state;
    given_no_show();
    pass_ms(61000);
    struct caller *c = rest_call(ANA, rest_match_status, .query = "");
    pass_ms(0);
    assert_int_equal(c->status, 200);
    assert_non_null(strstr(c->body, UUIDZ(&requeued()->id)));
    assert_non_null(strstr(c->body, "\"status\":\"pending\""));
    assert_non_null(strstr(c->body, "\"waitedSeconds\":91"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(the_one_who_came_is_told_and_waits),
        WORLD_TEST(it_is_matched_with_whoever_comes),
        WORLD_TEST(whoever_has_gone_is_not),
        WORLD_TEST(a_lost_answer_is_asked_for_again),
        WORLD_TEST(the_sweep_tells_as_well),
        WORLD_TEST(the_status_shows_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
