/* POST /match-request with an Idempotency-Key: a retry gets the first result. */
#include "flows/fakes/failures.h"
#include "flows/fakes/waiting.h"
#include "flows/matchmaker.h"
#include "flows/wait_times.h"

#define PLAIN "{'targetLanguageCode':'es','topicCode':'travel'}"
#define OTHER "{'targetLanguageCode':'es','topicCode':'travel','maxWaitTimeSeconds':60}"

static void given_learner(void)
{
    given_topic();
    fake_profile = (struct profile){
        .tier = TIER_FREE, .level = LEVEL_B1, .native_language = "fr", .display_name = "Ana"};
    given_waits(17, 0);
    matchmaker_start();
    pass_ms(1000); /* its load */
    port_forget();
}

static struct caller *create(const char *user_id, const char *key, const char *body)
{
    struct caller *c = rest_call(user_id, rest_match_create, .body = body, .key = key);
    pass_ms(0);
    return c;
}

/* As the first one was answered, whatever has become of it. */
static void assert_first_result(const struct caller *c)
{
    assert_created(c, 17, "2025-01-15T10:02:01.000Z");
    assert_int_equal(fake_db.request_count, 1);
}

static void a_retry_gets_the_first_result_with_no_call_more(void **state)
{
    (void)state;
    given_learner();
    assert_first_result(create(ANA, "k1", PLAIN));
    assert_calls("profile_get db_match_admission db_match_request_insert kv_queue_add");
    port_forget();
    pass_ms(5000);
    given_waits(99, 0);
    for (int i = 0; i < 8; i++)
        wait_times_learn(&(struct db_waits){fake_db.waits, fake_db.wait_count});
    assert_first_result(create(ANA, "k1", PLAIN));
    assert_calls("profile_get db_match_admission");
    assert_int_equal(matchmaker_waiting(), 1);
}

static void whatever_has_become_of_the_request(void **state)
{
    (void)state;
    given_learner();
    create(ANA, "k1", PLAIN);
    for (int status = MATCH_PENDING; status <= MATCH_CANCELLED; status++) {
        fake_db.requests[0].status = (enum match_status)status;
        assert_first_result(create(ANA, "k1", PLAIN));
    }
}

static void whatever_would_be_refused_now(void **state)
{
    (void)state;
    given_learner();
    create(ANA, "k1", PLAIN);
    fake_db.week.used = 3;
    fake_db.topics[0].level = LEVEL_C1;
    fake_kv_looks_down();
    assert_first_result(create(ANA, "k1", PLAIN));
}

static void the_same_asked_for_in_other_words_is_the_same(void **state)
{
    (void)state;
    given_learner();
    create(ANA, "k1", PLAIN);
    assert_first_result(create(ANA, "k1",
                               "{ 'mode':'now','topicCode':'travel', 'unknown':1,'targetLanguageCode':'es',"
                               "'preferredPartnerLevel':'same','recordingConsent':false}"));
}

static void another_body_under_the_same_key_is_refused(void **state)
{
    static const char *const members[] = {
        "'maxWaitTimeSeconds':60",   "'preferredPartnerLevel':'any'",
        "'preferredAccent':'es-AR'", "'preferredPartnerNativeLanguageCode':'es'",
        "'preferredDuration':5",     "'learningProfileId':'" SESSION "'",
        "'recordingConsent':true",   "'mode':'scheduled','scheduledFor':'2025-01-16T09:00:00Z'",
    };
    (void)state;
    given_learner();
    create(ANA, "k1", PLAIN);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        char body[256];
        snprintf(body, sizeof body, "{'targetLanguageCode':'es','topicCode':'travel',%s}", members[i]);
        assert_refused(create(ANA, "k1", body), ERR_KEY_REUSED,
                       "[{'field':'Idempotency-Key','reason':'was used with another body'}]");
    }
    assert_refused(create(ANA, "k1", "{'targetLanguageCode':'es','topicCode':'cooking'}"), ERR_KEY_REUSED,
                   "[{'field':'Idempotency-Key','reason':'was used with another body'}]");
    assert_int_equal(fake_db.request_count, 1);
}

static void keys_are_each_users_own(void **state)
{
    (void)state;
    given_learner();
    create(ANA, "k1", PLAIN);
    assert_int_equal(create(BEN, "k1", OTHER)->status, 201);
    assert_int_equal(fake_db.request_count, 2);
}

static void another_key_is_another_request(void **state)
{
    (void)state;
    given_learner();
    create(ANA, "k1", PLAIN);
    assert_refused(create(ANA, "k2", PLAIN), ERR_ALREADY_MATCHED, NULL);
    assert_refused(create(ANA, NULL, PLAIN), ERR_ALREADY_MATCHED, NULL);
}

static void a_key_is_free_again_after_a_day(void **state)
{
    (void)state;
    given_learner();
    create(ANA, "k1", PLAIN);
    fake_db.requests[0].status = MATCH_EXPIRED;
    fake_db.requests[0].created_at_ms -= DB_KEY_KEPT_MS;
    assert_int_equal(create(ANA, "k1", OTHER)->status, 201);
    assert_int_equal(fake_db.request_count, 2);
}

static void two_at_once_get_the_same(void **state)
{
    (void)state;
    given_learner();
    struct caller *a = rest_call(ANA, rest_match_create, .body = PLAIN, .key = "k1");
    struct caller *b = rest_call(ANA, rest_match_create, .body = PLAIN, .key = "k1");
    struct caller *c = rest_call(ANA, rest_match_create, .body = OTHER, .key = "k1");
    pass_ms(0);
    assert_first_result(a);
    assert_first_result(b);
    assert_refused(c, ERR_KEY_REUSED, "[{'field':'Idempotency-Key','reason':'was used with another body'}]");
}

static void a_refusal_is_not_kept(void **state)
{
    (void)state;
    given_learner();
    fake_db.week.used = 3;
    assert_int_equal(create(ANA, "k1", PLAIN)->err, ERR_DAILY_LIMIT_REACHED);
    fake_db.week.used = 2;
    assert_first_result(create(ANA, "k1", PLAIN));
}

static void a_request_taken_back_leaves_its_key_to_the_retry(void **state)
{
    (void)state;
    given_learner();
    port_script_next(KV_QUEUE_ADD, (struct port_script){.err = ERR_KV_UNAVAILABLE});
    assert_refused(create(ANA, "k1", PLAIN), ERR_KV_UNAVAILABLE, NULL);
    assert_int_equal(fake_db.requests[0].status, MATCH_CANCELLED);
    assert_int_equal(create(ANA, "k1", PLAIN)->status, 201);
    assert_int_equal(fake_db.requests[1].status, MATCH_PENDING);
}

static void a_lost_answer_is_found_by_the_retry(void **state)
{
    (void)state;
    given_learner();
    port_script_next(DB_MATCH_REQUEST_INSERT,
                     (struct port_script){.err = ERR_DB_UNAVAILABLE, .is_lost = true});
    assert_refused(create(ANA, "k1", PLAIN), ERR_DB_UNAVAILABLE, NULL);
    assert_first_result(create(ANA, "k1", PLAIN));
    pass_ms(1000);
    assert_int_equal(matchmaker_waiting(), 1);
}

/* --- failures --- */

static struct caller *create_with_a_key(void)
{
    return create(ANA, "k1", PLAIN);
}

/* Whatever went wrong, the retry succeeds, and one request is pending. */
static void the_retry_succeeds(const struct attempt *a)
{
    (void)a;
    assert_int_equal(create(ANA, "k1", PLAIN)->status, 201);
    size_t pending = 0;
    for (size_t i = 0; i < fake_db.request_count; i++)
        pending += fake_db.requests[i].status == MATCH_PENDING;
    assert_int_equal(pending, 1);
}

static const struct scenario with_a_key = {
    .given = given_learner, .start = create_with_a_key, .then = the_retry_succeeds};

static void the_look_for_the_twin_may_fail(void **state)
{
    static const enum err failures[] = {ERR_DB_UNAVAILABLE, ERR_INTERNAL, ERR_TIMEOUT};
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        world_again();
        given_learner();
        port_script_next(DB_MATCH_FIRST_RESULT, (struct port_script){.err = failures[i]});
        struct caller *first = rest_call(ANA, rest_match_create, .body = PLAIN, .key = "k1");
        struct caller *second = rest_call(ANA, rest_match_create, .body = PLAIN, .key = "k1");
        pass_ms(0);
        assert_int_equal(first->status, 201);
        assert_refused(second, failures[i], NULL);
        assert_first_result(create(ANA, "k1", PLAIN));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(a_retry_gets_the_first_result_with_no_call_more),
        WORLD_TEST(whatever_has_become_of_the_request),
        WORLD_TEST(whatever_would_be_refused_now),
        WORLD_TEST(the_same_asked_for_in_other_words_is_the_same),
        WORLD_TEST(another_body_under_the_same_key_is_refused),
        WORLD_TEST(keys_are_each_users_own),
        WORLD_TEST(another_key_is_another_request),
        WORLD_TEST(a_key_is_free_again_after_a_day),
        WORLD_TEST(two_at_once_get_the_same),
        WORLD_TEST(a_refusal_is_not_kept),
        WORLD_TEST(a_request_taken_back_leaves_its_key_to_the_retry),
        WORLD_TEST(a_lost_answer_is_found_by_the_retry),
        FAILURE_TEST(every_upstream_fails, with_a_key),
        FAILURE_TEST(every_answer_is_lost, with_a_key),
        FAILURE_TEST(every_upstream_is_silent, with_a_key),
        WORLD_TEST(the_look_for_the_twin_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
