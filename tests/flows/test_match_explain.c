/* GET /match-request/explain. */
#include "flows/fakes/failures.h"
#include "flows/fakes/waiting.h"
#include "flows/matchmaker.h"

static struct caller *explain(void)
{
    struct caller *c = rest_call(ANA, rest_match_explain);
    pass_ms(0);
    return c;
}

/* A request of Ana's for B1 and `travel`, made five seconds ago. */
static void given_waiting_request(void)
{
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    pass_ms(5000);
    port_forget();
}

/* Ben is of B2 and would take B1; Carol wants another topic of the category. `any` is scored like `same`, so
 * it would not help. */
static void given_two_who_come_close(void)
{
    given_waiting_request();
    struct match_request *ben = given_request(REQUEST_B, BEN), *carol = given_request(REQUEST_C, CAROL);
    ben->level = LEVEL_B2;
    ben->preferred_partner_level = PARTNER_LOWER;
    strcpy(carol->topic_code, "hotel");
    matchmaker_add(ben);
    matchmaker_add(carol);
    pass_ms(4000);
    port_forget();
}

static void says_what_keeps_others_away_and_what_would_help(void **state)
{
    (void)state;
    given_two_who_come_close();
    assert_answer(
        explain(), 200,
        "{'explanation':{'matchRequestId':'" REQUEST_A "','isAhead':false,'phase':'strict',"
        "'waitStartsAt':'2025-01-15T10:00:01.000Z','waitedSeconds':9,'expiresAt':'2025-01-15T10:02:01.000Z',"
        "'others':2,'candidates':2,'eligible':0,'isExact':true,"
        "'constraints':[{'code':'LANGUAGE','excluded':0},{'code':'TANDEM','excluded':0,'onlyThis':0},"
        "{'code':'TOPIC','excluded':1,'onlyThis':1},{'code':'LEVEL','excluded':1,'onlyThis':0},"
        "{'code':'SCORE','excluded':0,'onlyThis':0}],"
        "'nextPhases':[{'phase':'level','at':'2025-01-15T10:00:31.000Z','inSeconds':21,'admits':1},"
        "{'phase':'category','at':'2025-01-15T10:01:01.000Z','inSeconds':51,'admits':2},"
        "{'phase':'any_level','at':'2025-01-15T10:02:00.000Z','inSeconds':110,'admits':2}],"
        "'suggestions':["
        "{'code':'PARTNER_LEVEL','more':1,'preferredPartnerLevel':'higher','level':'B2',"
        "'text':'1 more if you accept B2'},"
        "{'code':'CATEGORY','more':1,'category':'travel','text':'1 more in this category'},"
        "{'code':'TOPIC','more':1,'topicCode':'hotel','text':'1 more for hotel'}]}}");
    assert_calls("db_match_request_latest");
}

static void a_tandem_seeker_hears_of_plain_practice(void **state)
{
    (void)state;
    given_matchmaker();
    strcpy(given_request(REQUEST_A, ANA)->wanted_native_language, "es");
    given_request(REQUEST_B, BEN);
    matchmaker_add(&fake_db.requests[0]);
    matchmaker_add(&fake_db.requests[1]);
    pass_ms(1000);
    struct caller *c = explain();
    assert_int_equal(c->status, 200);
    assert_non_null(strstr(c->body, "{\"code\":\"TANDEM\",\"excluded\":1,\"onlyThis\":1}"));
    assert_non_null(strstr(c->body, "\"suggestions\":[{\"code\":\"WITHOUT_TANDEM\",\"more\":1,"
                                    "\"text\":\"1 more without a tandem\"}]"));
}

static void a_scheduled_request_is_compared_with_scheduled_ones(void **state)
{
    (void)state;
    given_matchmaker();
    for (int i = 0; i < 2; i++) {
        struct match_request *r = given_request(i ? REQUEST_B : REQUEST_A, i ? BEN : ANA);
        r->mode = MATCH_SCHEDULED;
        r->scheduled_for_ms = T0 + (i ? 46 : 40) * MINUTE;
        r->expires_at_ms = r->scheduled_for_ms + 2 * MINUTE;
        matchmaker_add(r);
    }
    arrives(REQUEST_C, CAROL); /* who waits now is no candidate yet */
    pass_ms(1000);
    assert_answer(
        explain(), 200,
        "{'explanation':{'matchRequestId':'" REQUEST_A "','isAhead':true,'phase':'strict',"
        "'waitStartsAt':'2025-01-15T10:40:00.000Z','waitedSeconds':0,"
        "'expiresAt':'2025-01-15T10:42:00.000Z','others':1,'candidates':1,'eligible':0,'isExact':true,"
        "'constraints':[{'code':'LANGUAGE','excluded':0},{'code':'TIME','excluded':1},"
        "{'code':'TANDEM','excluded':0,'onlyThis':0},{'code':'TOPIC','excluded':0,'onlyThis':0},"
        "{'code':'LEVEL','excluded':0,'onlyThis':0},"
        "{'code':'SCORE','excluded':0,'onlyThis':0}],'nextPhases':[],'suggestions':[]}}");
}

/* At the ends of the scale `higher` or `lower` is what `same` is, and is not suggested beside it. */
static void nothing_is_suggested_twice(void **state)
{
    (void)state;
    given_matchmaker();
    struct match_request *ana = given_request(REQUEST_A, ANA), *ben = given_request(REQUEST_B, BEN);
    ana->level = LEVEL_C2;
    ana->preferred_partner_level = PARTNER_LOWER;
    ben->level = LEVEL_C2;
    matchmaker_add(ana);
    matchmaker_add(ben);
    pass_ms(1000);
    const char *suggestions = strstr(explain()->body, "\"suggestions\":");
    assert_non_null(suggestions);
    assert_non_null(strstr(suggestions, "\"preferredPartnerLevel\":\"same\",\"level\":\"C2\""));
    assert_non_null(strstr(suggestions, "\"preferredPartnerLevel\":\"any\""));
    assert_null(strstr(suggestions, "higher"));
}

static void without_a_live_request_there_is_nothing_to_explain(void **state)
{
    (void)state;
    given_matchmaker();
    assert_refused(explain(), ERR_MATCH_REQUEST_NOT_FOUND, NULL);
    static const enum match_status over[] = {MATCH_MATCHED, MATCH_EXPIRED, MATCH_CANCELLED};
    struct match_request *r = given_request(REQUEST_A, ANA);
    for (int i = 0; i < 3; i++) {
        r->status = over[i];
        assert_refused(explain(), ERR_MATCH_REQUEST_NOT_FOUND, NULL);
    }
}

static void a_request_that_is_just_being_paired_is_asked_for_again(void **state)
{
    (void)state;
    given_waiting_request();
    port_script_next(DB_MATCH_CLAIM, (struct port_script){.is_held = true});
    arrives(REQUEST_B, BEN);
    pass_ms(10);
    row(REQUEST_A)->status = MATCH_PENDING; /* the statement has not reached the database yet */
    struct caller *c = explain();
    assert_refused(c, ERR_KV_UNAVAILABLE, NULL);
    port_release();
    pass_ms(10);
}

static const struct scenario asking = {.given = given_waiting_request, .start = explain};

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(says_what_keeps_others_away_and_what_would_help),
        WORLD_TEST(a_tandem_seeker_hears_of_plain_practice),
        WORLD_TEST(a_scheduled_request_is_compared_with_scheduled_ones),
        WORLD_TEST(nothing_is_suggested_twice),
        WORLD_TEST(without_a_live_request_there_is_nothing_to_explain),
        WORLD_TEST(a_request_that_is_just_being_paired_is_asked_for_again),
        FAILURE_TESTS_OF_READ(asking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
