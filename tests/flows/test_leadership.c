/* The matchmaker as one of several instances: who leads, by the lease, and what a new leader makes up for. */
#include "flows/fakes/waiting.h"
#include "flows/leadership.h"
#include "flows/matchmaker.h"

static void one_instance_leads_at_once(void **state)
{
    (void)state;
    given_matchmaker();
    assert_true(leadership_is_held() && fake_kv_holds_lease());
    assert_metric("matchmaker_is_leader 1");
}

static void a_follower_knows_who_waits_but_decides_nothing(void **state)
{
    (void)state;
    given_follower();
    arrives(REQUEST_A, ANA);
    arrives(REQUEST_B, BEN);
    pass_ms(200000);
    assert_int_equal(port_calls(DB_MATCH_CLAIM), 0);
    assert_int_equal(port_calls(DB_MATCH_REQUESTS_EXPIRE), 0);
    assert_int_equal(matchmaker_waiting(), 2);
    assert_metric("matchmaker_is_leader 0");
    assert_metric("redis_queue_size{language=\"es\"} 2");
}

static void a_follower_takes_over_when_the_lease_is_free(void **state)
{
    (void)state;
    given_follower();
    arrives(REQUEST_A, ANA);
    arrives(REQUEST_B, BEN);
    pass_ms(10000);
    fake_kv_frees_lease();
    pass_ms(2000); /* asked for at a third of the lease, then compared with the database */
    assert_status(REQUEST_A, MATCH_MATCHED);
    assert_metric("matchmaker_is_leader 1");
}

static void a_new_leader_compares_before_it_decides(void **state)
{
    (void)state;
    given_follower();
    arrives(REQUEST_A, ANA);
    arrives(REQUEST_B, BEN);
    row(REQUEST_A)->status = MATCH_CANCELLED; /* elsewhere, and nobody said so */
    fake_kv_frees_lease();
    pass_ms(3000);
    assert_int_equal(port_calls(DB_MATCH_CLAIM), 0);
    assert_int_equal(matchmaker_waiting(), 1);
}

static void a_new_leader_waits_for_the_database(void **state)
{
    (void)state;
    given_follower();
    arrives(REQUEST_A, ANA);
    arrives(REQUEST_B, BEN);
    fake_db_goes_away();
    fake_kv_frees_lease();
    pass_ms(10000);
    assert_true(leadership_is_held());
    fake_db_comes_back();
    pass_ms(1000);
    assert_status(REQUEST_A, MATCH_MATCHED);
}

/* As the leader left it that died when the two had been claimed: nobody has been told. */
static struct session *given_pair_of_the_leader_before(void)
{
    struct match_request *a = given_request(REQUEST_A, ANA), *b = given_request(REQUEST_B, BEN);
    struct session *s = given_session();
    s->status = SESSION_WAITING;
    s->created_at_ms = clock_now_ms();
    s->participants[0].joined_at_ms = s->participants[1].joined_at_ms = 0;
    a->status = b->status = MATCH_MATCHED;
    a->session_id = b->session_id = s->id;
    a->level_difference = b->level_difference = 2;
    return s;
}

static void who_was_paired_by_a_leader_that_died_is_told_by_the_next(void **state)
{
    (void)state;
    given_follower();
    given_pair_of_the_leader_before();
    fake_kv_frees_lease();
    pass_ms(3000);
    const char *told = next_told(ANAS, "match_found");
    assert_non_null(strstr(told, REQUEST_A));
    assert_non_null(strstr(told, SESSION));
    assert_non_null(strstr(told, "\"levelDifference\":2"));
    assert_non_null(strstr(next_told(BENS, "match_found"), REQUEST_B));
    assert_int_equal(port_calls(DB_MATCH_UNJOINED), 1);
    pass_ms(600000); /* comparing again and again tells nobody anything */
    assert_told_nothing(ANAS);
    assert_int_equal(port_calls(DB_MATCH_UNJOINED), 1);
}

static void who_has_joined_or_was_paired_long_ago_is_not_told(void **state)
{
    (void)state;
    given_follower();
    given_pair_of_the_leader_before()->participants[0].joined_at_ms = clock_now_ms();
    fake_kv_frees_lease();
    pass_ms(3000);
    assert_told_nothing(ANAS);
    assert_non_null(next_told(BENS, "match_found"));
    world_again();
    given_follower();
    given_pair_of_the_leader_before();
    pass_ms(20000);
    fake_kv_frees_lease();
    pass_ms(3000);
    assert_int_equal(port_calls(DB_MATCH_UNJOINED), 1);
    assert_told_nothing(ANAS);
    assert_told_nothing(BENS);
}

static void who_must_be_told_is_asked_for_until_the_database_answers(void **state)
{
    (void)state;
    given_follower();
    given_pair_of_the_leader_before();
    port_script_next(DB_MATCH_UNJOINED, (struct port_script){.err = ERR_DB_UNAVAILABLE});
    fake_kv_frees_lease();
    pass_ms(5000);
    assert_non_null(next_told(ANAS, "match_found"));
}

static void who_has_lost_the_lease_decides_no_more(void **state)
{
    (void)state;
    given_matchmaker();
    fake_kv_gives_lease_to_another();
    pass_ms(2000); /* its next question */
    assert_metric("matchmaker_is_leader 0");
    arrives(REQUEST_A, ANA);
    arrives(REQUEST_B, BEN);
    pass_ms(20000);
    assert_status(REQUEST_A, MATCH_PENDING);
}

static void without_redis_a_leader_decides_until_its_lease_runs_out(void **state)
{
    (void)state;
    given_matchmaker();
    fake_kv_goes_away();
    arrives(REQUEST_A, ANA);
    arrives(REQUEST_B, BEN);
    pass_ms(1000);
    assert_status(REQUEST_A, MATCH_MATCHED);
    pass_ms(4000);
    assert_false(leadership_is_held());
    assert_metric("matchmaker_is_leader 0");
    arrives(REQUEST_C, CAROL)->level = LEVEL_C2;
    pass_ms(130000);
    assert_status(REQUEST_C, MATCH_PENDING);
    fake_kv_comes_back();
    pass_ms(1000);
    assert_true(leadership_is_held());
    assert_status(REQUEST_C, MATCH_EXPIRED);
}

/* Redis gives a lease from when the question reaches it, at the latest when the answer comes. */
static void a_lease_runs_from_when_it_was_asked_for(void **state)
{
    (void)state;
    port_script_next(KV_LEASE_HOLD, (struct port_script){.delay_ms = 4000});
    port_script_always(KV_LEASE_HOLD, (struct port_script){.err = ERR_TIMEOUT});
    matchmaker_start();
    pass_ms(4100);
    assert_true(leadership_is_held());
    pass_ms(1000);
    assert_false(leadership_is_held());
}

static void an_answer_that_comes_too_late_is_no_lease(void **state)
{
    (void)state;
    port_script_next(KV_LEASE_HOLD, (struct port_script){.delay_ms = 5001});
    port_script_always(KV_LEASE_HOLD, (struct port_script){.err = ERR_TIMEOUT});
    matchmaker_start();
    pass_ms(6000);
    assert_false(leadership_is_held());
}

static void a_question_that_fails_is_asked_again(void **state)
{
    static const enum err errors[] = {ERR_KV_UNAVAILABLE, ERR_TIMEOUT, ERR_INTERNAL};
    (void)state;
    for (int i = 0; i < 3; i++) {
        world_again();
        port_script_next(KV_LEASE_HOLD, (struct port_script){.err = errors[i]});
        matchmaker_start();
        pass_ms(200);
        assert_false(leadership_is_held());
        pass_ms(200);
        assert_true(leadership_is_held());
    }
}

static void an_answer_that_fails_now_and_then_costs_no_leadership(void **state)
{
    (void)state;
    given_matchmaker();
    for (int i = 0; i < 10; i++) {
        port_script_next(KV_LEASE_HOLD, (struct port_script){.err = ERR_TIMEOUT});
        port_script_next(KV_LEASE_HOLD, (struct port_script){0});
    }
    for (int i = 0; i < 60; i++) {
        pass_ms(500);
        assert_true(leadership_is_held());
    }
}

static void the_lease_is_given_back_at_the_end(void **state)
{
    (void)state;
    given_matchmaker();
    matchmaker_stop();
    pass_ms(100);
    assert_false(fake_kv_holds_lease());
    assert_metric("matchmaker_is_leader 0");
    pass_ms(10000);
    assert_false(fake_kv_holds_lease());
}

static void a_lease_that_comes_during_the_end_is_given_back(void **state)
{
    (void)state;
    given_matchmaker();
    port_script_next(KV_LEASE_HOLD, (struct port_script){.is_held = true});
    pass_ms(2000);
    matchmaker_stop();
    port_release();
    pass_ms(100);
    assert_false(leadership_is_held());
    assert_false(fake_kv_holds_lease());
    assert_int_equal(flow_active_count(), 0);
}

static void a_follower_gives_nothing_back(void **state)
{
    (void)state;
    given_follower();
    matchmaker_stop();
    pass_ms(100);
    assert_calls("");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(one_instance_leads_at_once),
        WORLD_TEST(a_follower_knows_who_waits_but_decides_nothing),
        WORLD_TEST(a_follower_takes_over_when_the_lease_is_free),
        WORLD_TEST(a_new_leader_compares_before_it_decides),
        WORLD_TEST(a_new_leader_waits_for_the_database),
        WORLD_TEST(who_was_paired_by_a_leader_that_died_is_told_by_the_next),
        WORLD_TEST(who_has_joined_or_was_paired_long_ago_is_not_told),
        WORLD_TEST(who_must_be_told_is_asked_for_until_the_database_answers),
        WORLD_TEST(who_has_lost_the_lease_decides_no_more),
        WORLD_TEST(without_redis_a_leader_decides_until_its_lease_runs_out),
        WORLD_TEST(a_lease_runs_from_when_it_was_asked_for),
        WORLD_TEST(an_answer_that_comes_too_late_is_no_lease),
        WORLD_TEST(a_question_that_fails_is_asked_again),
        WORLD_TEST(an_answer_that_fails_now_and_then_costs_no_leadership),
        WORLD_TEST(the_lease_is_given_back_at_the_end),
        WORLD_TEST(a_lease_that_comes_during_the_end_is_given_back),
        WORLD_TEST(a_follower_gives_nothing_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
