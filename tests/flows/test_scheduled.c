/* Conversations that are arranged ahead of time. */
#include "flows/fakes/waiting.h"
#include "flows/matchmaker.h"

/* Ana for 10:30, Ben for 10:33; the index has both. */
static struct match_request *for_later(const char *id, const char *user_id, int minutes)
{
    struct match_request *r = given_request(id, user_id);
    r->mode = MATCH_SCHEDULED;
    r->tier = TIER_PREMIUM;
    r->scheduled_for_ms = T0 + minutes * MINUTE;
    r->expires_at_ms = r->scheduled_for_ms + 2 * MINUTE;
    matchmaker_add(r);
    return r;
}

/* They are paired at once, for 10:33. */
static struct session *given_arranged(void)
{
    given_matchmaker();
    for_later(REQUEST_A, ANA, 30);
    for_later(REQUEST_B, BEN, 33);
    pass_ms(20);
    assert_int_equal(fake_db.session_count, 1);
    return &fake_db.sessions[0];
}

static void two_are_paired_ahead_and_told(void **state)
{
    (void)state;
    struct session *s = given_arranged();
    assert_status(REQUEST_A, MATCH_MATCHED);
    assert_status(REQUEST_B, MATCH_MATCHED);
    assert_int_equal(s->scheduled_at_ms, T0 + 33 * MINUTE);
    assert_int_equal(row(REQUEST_A)->session_scheduled_at_ms, T0 + 33 * MINUTE);
    char expected[512];
    snprintf(
        expected, sizeof expected,
        "{'matchRequestId':'" REQUEST_A "','sessionId':'%s','partner':{'userId':'" BEN
        "','displayName':'Learner',"
        "'nativeLanguageCode':'fr','targetLanguageCode':'es'},'topicCode':'travel','sessionType':'practice',"
        "'scheduledAt':'2025-01-15T10:33:00.000Z','levelDifference':0}",
        UUIDZ(&s->id));
    assert_told(ANAS, "match_found", expected);
    assert_int_equal(port_calls(KV_SESSION_PUT), 0); /* it is nobody's session yet */
}

static void more_than_five_minutes_apart_are_not(void **state)
{
    (void)state;
    given_matchmaker();
    for_later(REQUEST_A, ANA, 30);
    for_later(REQUEST_B, BEN, 36);
    pass_ms(MINUTE);
    assert_status(REQUEST_A, MATCH_PENDING);
    assert_status(REQUEST_B, MATCH_PENDING);
}

/* --- meanwhile --- */

static void given_profile(void)
{
    fake_profile = (struct profile){.tier = TIER_PREMIUM, .level = LEVEL_B1, .native_language = "fr"};
}

static struct caller *asks(const char *more)
{
    char body[256];
    snprintf(body, sizeof body, "{'targetLanguageCode':'es','topicCode':'travel'%s}", more);
    struct caller *c = rest_call(ANA, rest_match_create, .body = body);
    pass_ms(20);
    return c;
}

static void one_who_has_arranged_one_may_practise_now(void **state)
{
    (void)state;
    given_arranged();
    given_profile();
    assert_int_equal(asks("")->status, 201);
    arrives(REQUEST_C, CAROL);
    pass_ms(20);
    assert_int_equal(fake_db.session_count, 2);
    assert_int_equal(fake_db.sessions[1].scheduled_at_ms, 0);
}

static void a_request_for_later_does_not_keep_from_one_for_now(void **state)
{
    (void)state;
    given_matchmaker();
    given_profile();
    assert_int_equal(asks(",'mode':'scheduled','scheduledFor':'2025-01-16T10:00:00Z'")->status, 201);
    assert_int_equal(asks("")->status, 201);
    assert_refused(asks(""), ERR_ALREADY_MATCHED, NULL);
    assert_refused(asks(",'mode':'scheduled','scheduledFor':'2025-01-17T10:00:00Z'"), ERR_ALREADY_MATCHED,
                   NULL);
}

static void not_when_it_is_near(void **state)
{
    (void)state;
    given_arranged();
    given_profile();
    pass_ms(25 * MINUTE); /* 10:25; two minutes of waiting and five before the session at 10:33 */
    assert_int_equal(asks("")->status, 201);
    rest_call(ANA, rest_match_cancel, .id = UUIDZ(&fake_db.requests[2].id));
    pass_ms(2 * MINUTE);
    assert_refused(asks(""), ERR_ALREADY_IN_SESSION, NULL);
}

static void nor_another_one_for_the_same_time(void **state)
{
    (void)state;
    given_arranged();
    given_profile();
    /* 10:33 to 11:38 is taken; another one may last until 60 minutes after its latest begin */
    assert_refused(asks(",'mode':'scheduled','scheduledFor':'2025-01-15T10:35:00Z'"), ERR_ALREADY_IN_SESSION,
                   NULL);
    assert_refused(asks(",'mode':'scheduled','scheduledFor':'2025-01-15T11:37:59Z'"), ERR_ALREADY_IN_SESSION,
                   NULL);
    assert_int_equal(asks(",'mode':'scheduled','scheduledFor':'2025-01-15T11:38:00Z'")->status, 201);
}

/* --- joining --- */

static struct caller *joins_arranged(const char *user_id, uint64_t socket_id, const struct session *s)
{
    char payload[128];
    snprintf(payload, sizeof payload, "{'userId':'%s','sessionId':'%s'}", user_id, UUIDZ(&s->id));
    struct caller *c = event_call(user_id, socket_id, &event_join_session, payload);
    pass_ms(0);
    return c;
}

static void it_opens_five_minutes_before(void **state)
{
    (void)state;
    struct session *s = given_arranged();
    pass_ms(28 * MINUTE - 2000);
    assert_refused(joins_arranged(ANA, ANAS, s), ERR_SESSION_NOT_OPEN,
                   "[{'opensAt':'2025-01-15T10:28:00.000Z'}]");
    struct caller *c = rest_call(ANA, rest_session_join, .id = UUIDZ(&s->id));
    pass_ms(0);
    assert_refused(c, ERR_SESSION_NOT_OPEN, "[{'opensAt':'2025-01-15T10:28:00.000Z'}]");
    pass_ms(2000);
    assert_int_equal(joins_arranged(ANA, ANAS, s)->err, OK);
    c = rest_call(BEN, rest_session_join, .id = UUIDZ(&s->id));
    pass_ms(0);
    assert_int_equal(c->status, 200);
    assert_non_null(strstr(c->body, "\"scheduledAt\":\"2025-01-15T10:33:00.000Z\""));
}

/* One who comes early waits for the partner until a minute after the time they agreed on. */
static void the_join_window_counts_from_the_arranged_time(void **state)
{
    (void)state;
    struct session *s = given_arranged();
    pass_ms(29 * MINUTE);
    assert_int_equal(joins_arranged(ANA, ANAS, s)->err, OK);
    pass_ms(4 * MINUTE + 58000); /* 10:33:59 */
    assert_int_equal(s->status, SESSION_WAITING);
    pass_ms(2000);
    assert_int_equal(s->status, SESSION_EXPIRED);
    assert_int_equal(s->end_reason, END_NO_SHOW);
}

static void both_may_begin_early(void **state)
{
    (void)state;
    struct session *s = given_arranged();
    pass_ms(30 * MINUTE);
    joins_arranged(ANA, ANAS, s);
    joins_arranged(BEN, BENS, s);
    assert_int_equal(s->status, SESSION_ACTIVE);
    assert_int_equal(s->started_at_ms, world_now_ms());
}

static void calling_it_off_is_leaving(void **state)
{
    (void)state;
    struct session *s = given_arranged();
    struct caller *c = rest_call(ANA, rest_session_leave, .id = UUIDZ(&s->id));
    pass_ms(0);
    assert_int_equal(c->status, 200);
    assert_int_equal(s->status, SESSION_CANCELLED);
    assert_non_null(strstr(c->body, "\"scheduledAt\":\"2025-01-15T10:33:00.000Z\""));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(two_are_paired_ahead_and_told),
        WORLD_TEST(more_than_five_minutes_apart_are_not),
        WORLD_TEST(one_who_has_arranged_one_may_practise_now),
        WORLD_TEST(a_request_for_later_does_not_keep_from_one_for_now),
        WORLD_TEST(not_when_it_is_near),
        WORLD_TEST(nor_another_one_for_the_same_time),
        WORLD_TEST(it_opens_five_minutes_before),
        WORLD_TEST(the_join_window_counts_from_the_arranged_time),
        WORLD_TEST(both_may_begin_early),
        WORLD_TEST(calling_it_off_is_leaving),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
