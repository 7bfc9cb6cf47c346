/* What a user may have missed between two instances is told again to the socket that came. */
#include "flows/fakes/failures.h"
#include "flows/job.h"

static struct caller *start_catch_up(void)
{
    struct uuid ana = id_of(ANA);
    job_user_catch_up(ANAS, &ana);
    pass_ms(0);
    return NULL;
}

static struct match_request *given_matched(void)
{
    struct match_request *r = given_request(REQUEST_A, ANA);
    given_session();
    r->status = MATCH_MATCHED;
    r->session_id = id_of(SESSION);
    r->level_difference = 1;
    socket_opens(ANAS, ANA);
    socket_opens(ANAS_SECOND, ANA);
    return r;
}

static void a_session_that_waits_for_the_user_is_told_again(void **state)
{
    (void)state;
    given_matched();
    start_catch_up();
    const char *told = next_told(ANAS, "match_found");
    assert_non_null(strstr(told, REQUEST_A));
    assert_non_null(strstr(told, SESSION));
    assert_non_null(strstr(told, BEN));
    assert_non_null(strstr(told, "\"levelDifference\":1"));
    assert_told_nothing(ANAS);
    assert_told_nothing(ANAS_SECOND); /* that one missed nothing */
}

static void one_that_was_joined_or_is_over_is_not(void **state)
{
    (void)state;
    given_matched();
    session_row()->participants[0].joined_at_ms = session_row()->participants[1].joined_at_ms = T0;
    start_catch_up();
    assert_told_nothing(ANAS);
    world_again();
    given_matched();
    session_row()->status = SESSION_EXPIRED;
    start_catch_up();
    assert_told_nothing(ANAS);
}

static void a_request_that_has_just_run_out_is_told(void **state)
{
    (void)state;
    struct match_request *r = given_request(REQUEST_A, ANA);
    socket_opens(ANAS, ANA);
    r->status = MATCH_EXPIRED;
    r->expires_at_ms = T0 - 1000;
    start_catch_up();
    assert_told(ANAS, "match_expired", "{'matchRequestId':'" REQUEST_A "'}");
    r->expires_at_ms = T0 - 10 * MINUTE; /* long ago */
    start_catch_up();
    assert_told_nothing(ANAS);
}

static void there_may_be_nothing_to_tell(void **state)
{
    (void)state;
    socket_opens(ANAS, ANA);
    start_catch_up();
    assert_told_nothing(ANAS);
    given_request(REQUEST_A, ANA); /* it is still waiting */
    start_catch_up();
    assert_told_nothing(ANAS);
    assert_calls("db_match_request_latest db_match_request_latest");
}

static void the_socket_may_have_gone(void **state)
{
    (void)state;
    given_matched();
    socket_goes(ANAS);
    start_catch_up();
    assert_told_nothing(ANAS_SECOND);
}

static void given(void)
{
    given_matched();
}

static void nothing_is_told_when_nobody_knows(const struct attempt *a)
{
    if (a->err)
        assert_told_nothing(ANAS);
}

static const struct scenario catching_up = {
    .given = given, .start = start_catch_up, .then = nothing_is_told_when_nobody_knows};

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_session_that_waits_for_the_user_is_told_again),
        WORLD_TEST(one_that_was_joined_or_is_over_is_not),
        WORLD_TEST(a_request_that_has_just_run_out_is_told),
        WORLD_TEST(there_may_be_nothing_to_tell),
        WORLD_TEST(the_socket_may_have_gone),
        FAILURE_TESTS_OF_JOB(catching_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
