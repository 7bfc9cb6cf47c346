/* The matchmaker and its jobs match.claim and match.reconcile: pairs, the comparison with the database,
 * claims that are lost. Several instances: test_leadership.c and test_instances.c. */
#include "flows/fakes/waiting.h"
#include "flows/matchmaker.h"

/* --- pairs --- */

static void two_who_fit_are_paired_at_once_and_told(void **state)
{
    (void)state;
    given_matchmaker();
    struct match_request *a = arrives(REQUEST_A, ANA);
    pass_ms(2000);
    struct match_request *b = arrives(REQUEST_B, BEN);
    strcpy(a->display_name, "Ana");
    strcpy(a->avatar_url, "https://img.example/ana.png");
    strcpy(b->display_name, "Ben");
    strcpy(b->native_language, "en");
    pass_ms(10);
    char expected[700];
    const struct session *s = &fake_db.sessions[0];
    snprintf(
        expected, sizeof expected,
        "{'matchRequestId':'" REQUEST_A "','sessionId':'%s','partner':{'userId':'" BEN
        "','displayName':'Ben',"
        "'nativeLanguageCode':'en','targetLanguageCode':'es'},'topicCode':'travel','sessionType':'practice',"
        "'levelDifference':0}",
        UUIDZ(&s->id));
    assert_told(ANAS, "match_found", expected);
    snprintf(expected, sizeof expected,
             "{'matchRequestId':'" REQUEST_B "','sessionId':'%s','partner':{'userId':'" ANA
             "','displayName':'Ana',"
             "'avatarUrl':'https://img.example/ana.png','nativeLanguageCode':'fr','targetLanguageCode':'es'},"
             "'topicCode':'travel','sessionType':'practice','levelDifference':0}",
             UUIDZ(&s->id));
    assert_told(BENS, "match_found", expected);
    assert_status(REQUEST_A, MATCH_MATCHED);
    assert_status(REQUEST_B, MATCH_MATCHED);
    assert_int_equal(matchmaker_waiting(), 0);
    assert_true(fake_kv_has_session(&s->id));
    assert_calls("db_match_claim kv_queue_remove kv_session_put");
    assert_metric("match_success_rate 100");
}

static void the_claim_says_how_the_pair_came_about(void **state)
{
    (void)state;
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    pass_ms(10);
    arrives(REQUEST_B, BEN);
    pass_ms(10);
    const struct db_claim *c = &fake_db.asked.claim;
    struct uuid a = id_of(REQUEST_A), b = id_of(REQUEST_B);
    assert_true(uuid_eq(&c->first_id, &a) && uuid_eq(&c->second_id, &b));
    assert_int_equal(c->score, 100);
    assert_int_equal(c->level_difference, 0);
    assert_false(c->is_tandem || c->is_any_level);
    assert_false(uuid_is_nil(&c->session_id));
    assert_int_equal(c->level, LEVEL_B1);
    assert_int_equal(c->max_duration_seconds, 900);
    assert_int_equal(c->free_weekly_limit, 3);
    assert_int_equal(c->week_start_ms, INT64_C(1736726400000)); /* Monday 2025-01-13 */
}

static void the_last_try_takes_any_level_with_a_notice(void **state)
{
    (void)state;
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    arrives(REQUEST_B, BEN)->level = LEVEL_B1;
    matchmaker_remove(&row(REQUEST_B)->id, WAIT_CANCELLED);
    row(REQUEST_B)->level = LEVEL_A1;
    matchmaker_add(row(REQUEST_B));
    pass_ms(118000);
    assert_status(REQUEST_A, MATCH_PENDING);
    pass_ms(1100); /* one second before both expire */
    assert_status(REQUEST_A, MATCH_MATCHED);
    assert_true(fake_db.asked.claim.is_any_level);
    assert_int_equal(fake_db.asked.claim.level_difference, 2);
    const char *told = next_told(ANAS, "match_found");
    assert_non_null(strstr(told, "\"notice\":\"estimated level difference\""));
    assert_non_null(strstr(told, "\"levelDifference\":2"));
}

static void a_wait_that_crosses_a_phase_is_tried_again(void **state)
{
    (void)state;
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    given_request(REQUEST_B, BEN)->level = LEVEL_B2; /* one level apart */
    matchmaker_add(row(REQUEST_B));
    pass_ms(29900);
    assert_status(REQUEST_A, MATCH_PENDING);
    pass_ms(200);
    assert_status(REQUEST_A, MATCH_MATCHED);
}

static void a_tandem_is_told_so(void **state)
{
    (void)state;
    given_matchmaker();
    struct match_request *a = given_request(REQUEST_A, ANA), *b = given_request(REQUEST_B, BEN);
    strcpy(a->wanted_native_language, "es");
    strcpy(b->native_language, "es");
    strcpy(b->target_language, "fr");
    strcpy(b->wanted_native_language, "fr");
    matchmaker_add(a);
    matchmaker_add(b);
    pass_ms(10);
    assert_int_equal(fake_db.sessions[0].type, SESSION_TANDEM);
    assert_non_null(strstr(next_told(BENS, "match_found"), "\"sessionType\":\"tandem\""));
}

static void the_table_of_compatible_topics_counts(void **state)
{
    (void)state;
    given_topic();
    fake_db.pairs[0] = (struct topic_pair){"travel", "cooking"};
    fake_db.pair_count = 1;
    given_request(REQUEST_A, ANA);
    strcpy(given_request(REQUEST_B, BEN)->topic_code, "cooking");
    matchmaker_start();
    pass_ms(1000);
    assert_status(REQUEST_A, MATCH_MATCHED);
}

/* --- load --- */

static void what_is_pending_is_loaded_at_start(void **state)
{
    (void)state;
    given_topic();
    given_request(REQUEST_A, ANA);
    given_request(REQUEST_B, BEN);
    given_request(REQUEST_C, CAROL)->status = MATCH_CANCELLED;
    matchmaker_start();
    pass_ms(199);
    assert_status(REQUEST_A, MATCH_PENDING);
    pass_ms(100);
    assert_status(REQUEST_A, MATCH_MATCHED);
    assert_status(REQUEST_B, MATCH_MATCHED);
    assert_status(REQUEST_C, MATCH_CANCELLED);
    assert_calls("db_match_waits db_topic_pairs kv_queue_check db_match_requests_pending "
                 "db_match_requests_by_id kv_queue_add "
                 "kv_queue_filled db_match_unjoined db_match_claim kv_queue_remove kv_session_put");
}

static void an_emptied_redis_is_filled_again(void **state)
{
    (void)state;
    given_request(REQUEST_A, ANA);
    matchmaker_start();
    pass_ms(1000);
    assert_true(fake_kv_queue_is_whole());
    fake_kv_is_emptied();
    pass_ms(2000); /* noticed when the lease is renewed */
    assert_true(fake_kv_queue_is_whole());
    assert_true(fake_kv_has_request(&row(REQUEST_A)->id));
    assert_int_equal(matchmaker_waiting(), 1);
}

static void a_long_queue_is_compared_page_by_page(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 600; i++) {
        struct match_request *r = given_request(REQUEST_A, ANA);
        r->id.b[0] = r->user_id.b[0] =
            (uint8_t)(i >> 8); /* everybody a language apart from everybody: nobody pairs */
        r->id.b[1] = r->user_id.b[1] = (uint8_t)i;
        r->level = i % 2 ? LEVEL_A1 : LEVEL_C2;
        snprintf(r->target_language, sizeof r->target_language, "x%c-%03u", 'a' + (int)(i % 26), i);
    }
    matchmaker_start();
    pass_ms(1000);
    assert_calls("db_match_waits db_topic_pairs kv_queue_check db_match_requests_pending "
                 "db_match_requests_by_id kv_queue_add "
                 "db_match_requests_pending db_match_requests_by_id kv_queue_add kv_queue_filled "
                 "db_match_unjoined");
    assert_int_equal(fake_kv_queue_length(), 600);
    assert_int_equal(matchmaker_waiting(), 600);
}

static void without_redis_the_index_is_loaded_all_the_same(void **state)
{
    (void)state;
    fake_kv_goes_away();
    given_request(REQUEST_A, ANA);
    given_request(REQUEST_B, BEN);
    matchmaker_start();
    pass_ms(1000);
    assert_int_equal(matchmaker_waiting(), 2); /* but nobody may decide */
    assert_status(REQUEST_A, MATCH_PENDING);
    fake_kv_comes_back();
    pass_ms(1000);
    assert_status(REQUEST_A, MATCH_MATCHED);
    assert_int_equal(times_told("match_found"), 0); /* no socket was there; the database knows */
}

static void loading_is_tried_until_the_database_is_there(void **state)
{
    (void)state;
    fake_db_goes_away();
    given_request(REQUEST_A, ANA);
    given_request(REQUEST_B, BEN);
    matchmaker_start();
    pass_ms(10000);
    assert_int_equal(matchmaker_waiting(), 0);
    fake_db_comes_back();
    pass_ms(1000);
    assert_status(REQUEST_A, MATCH_MATCHED);
}

static void each_step_of_loading_may_fail_once(void **state)
{
    static const enum err errors[] = {ERR_DB_UNAVAILABLE, ERR_TIMEOUT, ERR_INTERNAL, ERR_KV_UNAVAILABLE};
    (void)state;
    for (int step = 1; step <= 6; step++) {
        for (int i = 0; i < 4; i++) {
            world_again();
            given_request(REQUEST_A, ANA);
            matchmaker_start();
            port_script_call(step, (struct port_script){.err = errors[i]});
            pass_ms(3000);
            assert_int_equal(matchmaker_waiting(), 1);
            assert_int_equal(flow_active_count(), 0);
            matchmaker_reload_soon();
            pass_ms(1000);
            assert_true(fake_kv_has_request(&row(REQUEST_A)->id));
            assert_true(fake_kv_queue_is_whole());
        }
    }
}

static void several_reasons_to_reload_make_one_reload(void **state)
{
    (void)state;
    given_matchmaker();
    for (int i = 0; i < 10; i++)
        matchmaker_reload_soon();
    pass_ms(1000);
    assert_calls("db_topic_pairs kv_queue_check db_match_requests_pending");
}

static void loading_twice_changes_nothing(void **state)
{
    (void)state;
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    matchmaker_reload_soon();
    pass_ms(1000);
    assert_int_equal(matchmaker_waiting(), 1);
}

static void stopping_during_a_load_is_harmless(void **state)
{
    (void)state;
    for (int step = 1; step <= 6; step++) {
        world_again();
        given_request(REQUEST_A, ANA);
        matchmaker_start();
        port_script_call(step, (struct port_script){.is_held = true});
        pass_ms(1000);
        matchmaker_stop();
        port_release();
        pass_ms(1000);
        assert_int_equal(flow_active_count(), 0);
        assert_int_equal(matchmaker_waiting(), 0);
    }
}

/* --- claims that are lost --- */

static void a_cancelled_half_brings_the_other_one_back(void **state)
{
    (void)state;
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    row(REQUEST_A)->status = MATCH_CANCELLED; /* elsewhere: the index has a ghost */
    arrives(REQUEST_B, BEN);
    pass_ms(10);
    assert_int_equal(fake_db.session_count, 0);
    assert_int_equal(times_told("match_found"), 0);
    pass_ms(1000);
    assert_int_equal(matchmaker_waiting(), 1);
    arrives(REQUEST_C, CAROL);
    pass_ms(10);
    assert_status(REQUEST_B, MATCH_MATCHED);
    assert_status(REQUEST_C, MATCH_MATCHED);
}

static void one_who_is_in_a_session_by_now_is_not_paired_again(void **state)
{
    (void)state;
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    fake_db.sessions[0] = (struct session){.id = id_of(SESSION), .participants = {{.user_id = id_of(ANA)}}};
    fake_db.session_count = 1;
    arrives(REQUEST_B, BEN);
    pass_ms(1000);
    assert_int_equal(fake_db.session_count, 1);
    assert_status(REQUEST_B, MATCH_PENDING);
    assert_int_equal(matchmaker_waiting(), 1); /* Ben; Ana waits until her session is over */
}

static void the_waited_time_survives_a_lost_claim(void **state)
{
    (void)state;
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    pass_ms(40000);
    arrives(REQUEST_B, BEN);
    row(REQUEST_B)->status = MATCH_CANCELLED;
    pass_ms(1000); /* claimed, lost, reloaded */
    struct match_request *c = given_request(REQUEST_C, CAROL);
    c->level = LEVEL_B2; /* fits only who has waited for 30 s */
    matchmaker_add(c);
    pass_ms(100);
    assert_status(REQUEST_A, MATCH_MATCHED);
}

static void a_claim_that_fails_brings_both_back(void **state)
{
    static const enum err errors[] = {ERR_DB_UNAVAILABLE, ERR_TIMEOUT, ERR_INTERNAL, ERR_CONFLICT};
    (void)state;
    for (int i = 0; i < 4; i++) {
        world_again();
        given_matchmaker();
        port_script_next(DB_MATCH_CLAIM, (struct port_script){.err = errors[i]});
        arrives(REQUEST_A, ANA);
        arrives(REQUEST_B, BEN);
        pass_ms(10);
        assert_status(REQUEST_A, MATCH_PENDING);
        pass_ms(3000); /* looked at, reloaded and claimed again */
        assert_status(REQUEST_A, MATCH_MATCHED);
        assert_int_equal(fake_db.session_count, 1);
        assert_int_equal(times_told("match_found"), 2);
    }
}

static void a_claim_that_fails_late_brings_both_back(void **state)
{
    (void)state;
    given_matchmaker();
    port_script_next(DB_MATCH_CLAIM, (struct port_script){.err = ERR_TIMEOUT, .delay_ms = 20000});
    arrives(REQUEST_A, ANA);
    arrives(REQUEST_B, BEN);
    pass_ms(24000);
    assert_status(REQUEST_A, MATCH_MATCHED); /* by a second claim */
    assert_int_equal(fake_db.session_count, 1);
    assert_int_equal(times_told("match_found"), 2);
}

/* While the first claim is on its way the load finds both still pending and the index pairs them again. */
static void a_claim_and_a_reload_at_once_pair_nobody_twice(void **state)
{
    (void)state;
    given_matchmaker();
    port_script_next(DB_MATCH_CLAIM, (struct port_script){.err = ERR_TIMEOUT, .delay_ms = 20000});
    arrives(REQUEST_A, ANA);
    arrives(REQUEST_B, BEN);
    matchmaker_reload_soon();
    pass_ms(1000);
    assert_int_equal(fake_db.session_count, 1);
    pass_ms(30000);
    assert_int_equal(fake_db.session_count, 1);
    assert_int_equal(times_told("match_found"), 2);
    assert_int_equal(matchmaker_waiting(), 0);
}

/* The pair was made, and only the answer got lost: they are in a session, and must hear of it. */
static void a_claim_whose_answer_was_lost_is_announced(void **state)
{
    (void)state;
    given_matchmaker();
    port_script_next(DB_MATCH_CLAIM, (struct port_script){.err = ERR_DB_UNAVAILABLE, .is_lost = true});
    arrives(REQUEST_A, ANA);
    arrives(REQUEST_B, BEN);
    pass_ms(5000);
    assert_status(REQUEST_A, MATCH_MATCHED);
    assert_int_equal(fake_db.session_count, 1);
    assert_int_equal(matchmaker_waiting(), 0);
    assert_int_equal(times_told("match_found"), 2);
}

static void redis_failing_after_the_claim_changes_nothing(void **state)
{
    (void)state;
    given_matchmaker();
    fake_kv_goes_away();
    arrives(REQUEST_A, ANA);
    arrives(REQUEST_B, BEN);
    pass_ms(1000);
    assert_int_equal(times_told("match_found"), 2);
    assert_calls("db_match_claim kv_queue_remove kv_session_put");
    assert_int_equal(flow_active_count(), 0);
}

/* --- very many at once --- */

/* What a take-over meets: everybody is due in one moment. The loop is not held up until all have been tried.
 */
static void a_turn_decides_for_so_many_and_no_more(void **state)
{
    (void)state;
    given_matchmaker();
    struct match_request *r = given_request(REQUEST_A, ANA);
    for (unsigned i = 0; i < 2 * PAIRING_BATCH_MAX; i++) {
        r->id.b[0] = r->user_id.b[0] = (uint8_t)(i >> 8);
        r->id.b[1] = r->user_id.b[1] = (uint8_t)i;
        matchmaker_add(r);
    }
    for (int ms = 0; ms < 100 && !port_calls(DB_MATCH_CLAIM); ms++)
        pass_ms(1);
    assert_int_equal(port_calls(DB_MATCH_CLAIM), PAIRING_BATCH_MAX / 2);
    for (int ms = 0; ms < 100 && port_calls(DB_MATCH_CLAIM) == PAIRING_BATCH_MAX / 2; ms++)
        pass_ms(1);
    assert_int_equal(port_calls(DB_MATCH_CLAIM), PAIRING_BATCH_MAX);
}

/* --- the database away --- */

static void nobody_is_lost_while_the_database_is_away(void **state)
{
    (void)state;
    given_matchmaker();
    fake_db_goes_away();
    arrives(REQUEST_A, ANA);
    arrives(REQUEST_B, BEN);
    pass_ms(30000);
    assert_int_equal(matchmaker_waiting(), 2);
    assert_calls(""); /* nor is it asked in vain */
    fake_db_comes_back();
    pass_ms(300);
    assert_status(REQUEST_A, MATCH_MATCHED);
    assert_int_equal(times_told("match_found"), 2);
}

static void the_database_going_between_index_and_claim_loses_nobody(void **state)
{
    (void)state;
    given_matchmaker();
    arrives(REQUEST_A, ANA);
    arrives(REQUEST_B, BEN);
    for (enum port port = DB_TOPICS_LIST; port <= DB_SESSIONS_SWEEP; port++)
        port_script_always(
            port, (struct port_script){.err = ERR_DB_UNAVAILABLE}); /* db_is_up has not noticed yet */
    pass_ms(10000);
    assert_status(REQUEST_A, MATCH_PENDING);
    fake_db_comes_back();
    pass_ms(1000);
    assert_status(REQUEST_A, MATCH_MATCHED);
    assert_status(REQUEST_B, MATCH_MATCHED);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(two_who_fit_are_paired_at_once_and_told),
        WORLD_TEST(the_claim_says_how_the_pair_came_about),
        WORLD_TEST(the_last_try_takes_any_level_with_a_notice),
        WORLD_TEST(a_wait_that_crosses_a_phase_is_tried_again),
        WORLD_TEST(a_tandem_is_told_so),
        WORLD_TEST(the_table_of_compatible_topics_counts),
        WORLD_TEST(what_is_pending_is_loaded_at_start),
        WORLD_TEST(an_emptied_redis_is_filled_again),
        WORLD_TEST(a_long_queue_is_compared_page_by_page),
        WORLD_TEST(without_redis_the_index_is_loaded_all_the_same),
        WORLD_TEST(loading_is_tried_until_the_database_is_there),
        WORLD_TEST(each_step_of_loading_may_fail_once),
        WORLD_TEST(several_reasons_to_reload_make_one_reload),
        WORLD_TEST(loading_twice_changes_nothing),
        WORLD_TEST(stopping_during_a_load_is_harmless),
        WORLD_TEST(a_cancelled_half_brings_the_other_one_back),
        WORLD_TEST(one_who_is_in_a_session_by_now_is_not_paired_again),
        WORLD_TEST(the_waited_time_survives_a_lost_claim),
        WORLD_TEST(a_claim_that_fails_brings_both_back),
        WORLD_TEST(a_claim_that_fails_late_brings_both_back),
        WORLD_TEST(a_claim_and_a_reload_at_once_pair_nobody_twice),
        WORLD_TEST(a_claim_whose_answer_was_lost_is_announced),
        WORLD_TEST(redis_failing_after_the_claim_changes_nothing),
        WORLD_TEST(a_turn_decides_for_so_many_and_no_more),
        WORLD_TEST(nobody_is_lost_while_the_database_is_away),
        WORLD_TEST(the_database_going_between_index_and_claim_loses_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
