/* POST /match-request. */
#include "flows/fakes/failures.h"
#include "flows/fakes/waiting.h"
#include "flows/matchmaker.h"

/* Ana learns Spanish at B1, speaks French; the topic is there. */
static void given_learner(void)
{
    given_topic();
    fake_profile = (struct profile){.tier = TIER_FREE,
                                    .level = LEVEL_B1,
                                    .native_language = "fr",
                                    .display_name = "Ana",
                                    .accent = "es-MX"};
    matchmaker_start();
    pass_ms(1000); /* its load */
    port_forget();
}

static struct caller *create(const char *body)
{
    struct caller *c = rest_call(ANA, rest_match_create, .body = body);
    pass_ms(0);
    return c;
}

#define PLAIN "{'targetLanguageCode':'es','topicCode':'travel'}"

static struct caller *create_plain(void)
{
    return create(PLAIN);
}

/* --- success --- */

static void stores_queues_and_answers(void **state)
{
    (void)state;
    /* given */
    given_learner();
    /* when */
    struct caller *c = create(PLAIN);
    /* then */
    const struct match_request *r = &fake_db.requests[0];
    assert_created(c, 60, "2025-01-15T10:02:01.000Z");
    assert_calls("profile_get db_match_admission db_match_request_insert kv_queue_add");
    assert_int_equal(fake_db.request_count, 1);
    assert_true(fake_kv_has_request(&r->id));
    assert_int_equal(matchmaker_waiting(), 1);
    assert_metric("match_requests_total{language=\"es\",topic=\"travel\"} 1");
}

static void asks_for_admission_with_the_profile(void **state)
{
    (void)state;
    given_learner();
    create(PLAIN);
    const struct db_admission_query *q = &fake_db.asked.admission;
    struct uuid ana = id_of(ANA);
    assert_true(uuid_eq(&q->user_id, &ana));
    assert_string_equal(fake_profile_language, "es");
    assert_string_equal(fake_db.asked.admission_language, "es");
    assert_string_equal(fake_db.asked.admission_topic, "travel");
    assert_int_equal(q->week_start_ms, INT64_C(1736726400000)); /* Monday 2025-01-13 */
}

static void a_plain_request_has_the_defaults(void **state)
{
    (void)state;
    given_learner();
    create(PLAIN);
    const struct match_request *r = &fake_db.asked.inserted;
    struct uuid ana = id_of(ANA);
    assert_true(uuid_eq(&r->user_id, &ana));
    assert_true(uuid_is_nil(&r->learning_profile_id));
    assert_string_equal(r->target_language, "es");
    assert_string_equal(r->native_language, "fr");
    assert_string_equal(r->wanted_native_language, "");
    assert_string_equal(r->topic_code, "travel");
    assert_string_equal(r->preferred_accent, "es-MX"); /* the profile's */
    assert_string_equal(r->display_name, "Ana");
    assert_int_equal(r->topic_category, CATEGORY_TRAVEL);
    assert_int_equal(r->level, LEVEL_B1);
    assert_int_equal(r->preferred_partner_level, PARTNER_SAME);
    assert_int_equal(r->tier, TIER_FREE);
    assert_int_equal(r->mode, MATCH_NOW);
    assert_int_equal(r->status, MATCH_PENDING);
    assert_false(r->recording_consent);
    assert_int_equal(r->preferred_duration_minutes, 0);
    assert_int_equal(r->max_wait_seconds, 120);
    assert_int_equal(r->created_at_ms, world_now_ms());
    assert_int_equal(r->expires_at_ms, world_now_ms() + 120000);
    assert_int_equal(r->scheduled_for_ms, 0);
    assert_true(r->history_is_known);
}

static void every_wish_is_stored(void **state)
{
    (void)state;
    given_learner();
    struct caller *c =
        create("{'targetLanguageCode':'es','topicCode':'travel','preferredPartnerLevel':'higher',"
               "'preferredPartnerNativeLanguageCode':'es','mode':'now','preferredAccent':'es-AR',"
               "'preferredDuration':15,'maxWaitTimeSeconds':300,"
               "'learningProfileId':'" SESSION "','recordingConsent':true}");
    const struct match_request *r = &fake_db.asked.inserted;
    struct uuid profile = id_of(SESSION);
    assert_int_equal(c->status, 201);
    assert_int_equal(r->preferred_partner_level, PARTNER_HIGHER);
    assert_string_equal(r->wanted_native_language, "es");
    assert_string_equal(r->preferred_accent, "es-AR");
    assert_int_equal(r->preferred_duration_minutes, 15);
    assert_int_equal(r->max_wait_seconds, 300);
    assert_int_equal(r->expires_at_ms, world_now_ms() + 300000);
    assert_true(uuid_eq(&r->learning_profile_id, &profile));
    assert_true(r->recording_consent);
}

/* Topics are those of `es`: with them one who asks for Mexican Spanish meets everybody who learns Spanish. */
static void a_region_without_topics_of_its_own_is_a_wish_like_an_accent(void **state)
{
    (void)state;
    given_learner();
    assert_int_equal(create("{'targetLanguageCode':'es-CO','topicCode':'travel',"
                            "'preferredPartnerNativeLanguageCode':'es-CO'}")
                         ->status,
                     201);
    const struct match_request *r = &fake_db.asked.inserted;
    assert_string_equal(fake_profile_language, "es-CO");
    assert_string_equal(r->target_language, "es");
    assert_string_equal(r->wanted_native_language, "es");
    assert_string_equal(r->preferred_accent, "es-CO"); /* before the profile's */
}

static void an_accent_that_is_named_comes_before_the_region(void **state)
{
    (void)state;
    given_learner();
    create("{'targetLanguageCode':'es-CO','topicCode':'travel','preferredAccent':'es-AR'}");
    assert_string_equal(fake_db.asked.inserted.preferred_accent, "es-AR");
}

static void a_region_with_topics_of_its_own_is_a_language(void **state)
{
    (void)state;
    given_learner();
    struct topic *own = given_topic();
    own->language = "es-CO";
    create("{'targetLanguageCode':'es-CO','topicCode':'travel'}");
    assert_string_equal(fake_db.asked.inserted.target_language, "es-CO");
    assert_string_equal(fake_db.asked.inserted.preferred_accent, "es-MX"); /* the profile's */
}

static void learners_of_a_region_and_of_the_language_meet(void **state)
{
    (void)state;
    given_learner();
    matchmaker_add(given_request(REQUEST_B, BEN));
    create("{'targetLanguageCode':'es-CO','topicCode':'travel'}");
    pass_ms(10);
    assert_int_equal(fake_db.session_count, 1);
}

static void the_estimate_is_that_of_recent_waits(void **state)
{
    (void)state;
    given_waits(6, 1);
    given_learner();
    struct caller *c = create(PLAIN);
    assert_created(c, 23, "2025-01-15T10:02:01.000Z");
}

static void a_waiting_partner_is_found_at_once(void **state)
{
    (void)state;
    given_learner();
    matchmaker_add(given_request(REQUEST_B, BEN));
    create(PLAIN);
    pass_ms(10);
    assert_int_equal(fake_db.session_count, 1);
    assert_int_equal(fake_db.requests[1].status, MATCH_MATCHED);
    assert_int_equal(matchmaker_waiting(), 0);
}

static void a_scheduled_request_is_stored_but_not_queued(void **state)
{
    (void)state;
    given_learner();
    fake_profile.tier = TIER_PREMIUM;
    struct caller *c = create("{'targetLanguageCode':'es','topicCode':'travel','mode':'scheduled',"
                              "'scheduledFor':'2025-01-16T09:00:00Z'}");
    assert_created(c, 60, "2025-01-16T09:02:00.000Z");
    assert_int_equal(fake_db.asked.inserted.mode, MATCH_SCHEDULED);
    assert_calls("profile_get db_match_admission db_match_request_insert");
    assert_int_equal(fake_kv_queue_length(), 0);
}

/* --- refusals --- */

static void refuses_bad_input_without_asking_anybody(void **state)
{
    static const struct {
        const char *body, *details;
    } cases[] = {
        {"{}",
         "[{'field':'targetLanguageCode','reason':'required'},{'field':'topicCode','reason':'required'}]"},
        {"{'targetLanguageCode':'es','topicCode':'travel','preferredPartnerNativeLanguageCode':'fr'}",
         "[{'field':'preferredPartnerNativeLanguageCode','reason':'must equal targetLanguageCode'}]"},
        {"{'targetLanguageCode':'es','topicCode':'travel','preferredDuration':7}",
         "[{'field':'preferredDuration','reason':'must be one of 5, 10, 15, 20'}]"},
        {"{'targetLanguageCode':'es','topicCode':'travel','mode':'scheduled'}",
         "[{'field':'scheduledFor','reason':'required when mode is scheduled'}]"},
        {"{'targetLanguageCode':'es','topicCode':'travel','scheduledFor':'2025-01-16T09:00:00Z'}",
         "[{'field':'scheduledFor','reason':'only allowed when mode is scheduled'}]"},
        {"{'targetLanguageCode':'es','topicCode':'travel','mode':'scheduled','scheduledFor':'2025-01-15T10:"
         "00:01Z'}",
         "[{'field':'scheduledFor','reason':'must be in the future and at most 7 days ahead'}]"},
        {"{'targetLanguageCode':'es','topicCode':'travel','mode':'scheduled','scheduledFor':'2025-01-22T10:"
         "00:01.001Z'}",
         "[{'field':'scheduledFor','reason':'must be in the future and at most 7 days ahead'}]"},
    };
    (void)state;
    given_learner();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct caller *c = create(cases[i].body);
        assert_refused(c, ERR_INVALID_REQUEST, cases[i].details);
    }
    assert_calls("");
}

static void refuses_values_out_of_range(void **state)
{
    static const char *const bodies[] = {
        "{'targetLanguageCode':'es','topicCode':'travel','maxWaitTimeSeconds':29}",
        "{'targetLanguageCode':'es','topicCode':'travel','maxWaitTimeSeconds':301}",
        "{'targetLanguageCode':'es','topicCode':'travel','preferredDuration':25}",
        "{'targetLanguageCode':'es','topicCode':'travel','preferredDuration':0}",
        "{'targetLanguageCode':'es','topicCode':'travel','preferredPartnerLevel':'best'}",
        "{'targetLanguageCode':'es','topicCode':'travel','learningProfileId':'x'}",
        "{'targetLanguageCode':'es','topicCode':'travel','recordingConsent':'yes'}",
        "{'targetLanguageCode':'Spanish','topicCode':'travel'}",
        "{'targetLanguageCode':'es','topicCode':'Travel!'}",
        "[]",
    };
    (void)state;
    given_learner();
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct caller *c = create(bodies[i]);
        assert_int_equal(c->answers, 1);
        assert_int_equal(c->err, ERR_INVALID_REQUEST);
        assert_non_null(c->details);
    }
    assert_calls("");
}

static void a_token_without_the_level_is_refused_with_the_claim(void **state)
{
    (void)state;
    given_learner();
    fake_profile_lacks("levels.es");
    struct caller *c = create(PLAIN);
    assert_refused(c, ERR_INVALID_REQUEST, "[{'field':'levels.es','reason':'claim missing from the token'}]");
    assert_calls("profile_get");
}

static void a_profile_that_nobody_can_tell_is_503_and_asks_no_further(void **state)
{
    (void)state;
    given_learner();
    port_script_next(PROFILE_GET, (struct port_script){.err = ERR_PROFILE_UNAVAILABLE});
    struct caller *c = create(PLAIN);
    assert_refused(c, ERR_PROFILE_UNAVAILABLE, NULL);
    assert_calls("profile_get");
}

static void the_edges_of_the_schedule_are_allowed(void **state)
{
    (void)state;
    given_learner();
    fake_profile.tier = TIER_PREMIUM;
    assert_int_equal(create("{'targetLanguageCode':'es','topicCode':'travel','mode':'scheduled',"
                            "'scheduledFor':'2025-01-22T10:00:01Z'}")
                         ->status,
                     201); /* seven days to the second */
}

static void scheduling_is_for_premium(void **state)
{
    (void)state;
    given_learner();
    struct caller *c = create("{'targetLanguageCode':'es','topicCode':'travel','mode':'scheduled',"
                              "'scheduledFor':'2025-01-16T09:00:00Z'}");
    assert_refused(c, ERR_PREMIUM_REQUIRED, NULL);
    assert_int_equal(fake_db.request_count, 0);
}

static void an_unknown_topic_is_not_found(void **state)
{
    (void)state;
    given_learner();
    assert_refused(create("{'targetLanguageCode':'es','topicCode':'cooking'}"), ERR_TOPIC_NOT_FOUND, NULL);
    assert_refused(create("{'targetLanguageCode':'it','topicCode':'travel'}"), ERR_TOPIC_NOT_FOUND, NULL);
}

static void a_topic_above_the_free_tier_is_locked(void **state)
{
    (void)state;
    given_learner();
    fake_db.topics[0].level = LEVEL_B1;
    assert_refused(create(PLAIN), ERR_TOPIC_LOCKED, "[{'field':'topicCode','reason':'TIER'}]");
    fake_profile.tier = TIER_PREMIUM;
    assert_int_equal(create(PLAIN)->status, 201);
}

static void a_topic_without_its_skills_is_locked(void **state)
{
    (void)state;
    given_learner();
    fake_db.topics[0].has_required_skills = false;
    assert_refused(create(PLAIN), ERR_TOPIC_LOCKED, "[{'field':'topicCode','reason':'REQUIRED_SKILLS'}]");
}

static void one_in_a_session_may_not_ask(void **state)
{
    (void)state;
    given_learner();
    given_session();
    assert_refused(create(PLAIN), ERR_ALREADY_IN_SESSION, NULL);
}

static void one_request_at_a_time(void **state)
{
    (void)state;
    given_learner();
    assert_int_equal(create(PLAIN)->status, 201);
    assert_refused(create(PLAIN), ERR_ALREADY_MATCHED, NULL);
    assert_int_equal(fake_db.request_count, 1);
    assert_int_equal(matchmaker_waiting(), 1);
}

static void two_requests_at_the_same_time_leave_one(void **state)
{
    (void)state;
    given_learner();
    struct caller *a = rest_call(ANA, rest_match_create, .body = PLAIN);
    struct caller *b = rest_call(ANA, rest_match_create, .body = PLAIN);
    pass_ms(0);
    assert_int_equal(a->status, 201);
    assert_refused(b, ERR_ALREADY_MATCHED, NULL); /* the insert says so: both had been admitted */
    assert_int_equal(fake_db.request_count, 1);
    assert_int_equal(matchmaker_waiting(), 1);
}

static void the_weekly_limit_says_when_it_ends(void **state)
{
    (void)state;
    given_learner();
    fake_db.week.used = 3;
    assert_refused(create(PLAIN), ERR_DAILY_LIMIT_REACHED,
                   "[{'limit':3,'used':3,'resetsAt':'2025-01-20T00:00:00.000Z'}]");
    fake_profile.tier = TIER_PREMIUM;
    assert_int_equal(create(PLAIN)->status, 201);
}

static void what_is_reserved_counts_for_the_limit(void **state)
{
    (void)state;
    given_learner();
    fake_db.week = (struct db_week){.used = 2, .reserved = 1};
    assert_refused(create(PLAIN), ERR_DAILY_LIMIT_REACHED,
                   "[{'limit':3,'used':2,'reserved':1,'resetsAt':'2025-01-20T00:00:00.000Z'}]");
    fake_db.week.reserved = 0;
    assert_int_equal(create(PLAIN)->status, 201);
    assert_int_equal(fake_db.asked.terms.weekly_limit, 3);
    assert_int_equal(fake_db.asked.terms.week_start_ms, INT64_C(1736726400000)); /* Monday 2025-01-13 */
}

/* Used up between the admission and the insert. */
static void the_insert_has_the_last_word_on_the_limit(void **state)
{
    (void)state;
    given_learner();
    port_script_next(DB_MATCH_ADMISSION, (struct port_script){.is_held = true});
    struct caller *c = create(PLAIN);
    fake_db.week.used = 3;
    port_release();
    pass_ms(0);
    assert_refused(c, ERR_DAILY_LIMIT_REACHED,
                   "[{'limit':3,'used':3,'resetsAt':'2025-01-20T00:00:00.000Z'}]");
    assert_calls("profile_get db_match_admission db_match_request_insert");
    assert_int_equal(fake_db.request_count, 0);
}

static void premium_has_no_limit(void **state)
{
    (void)state;
    given_learner();
    fake_profile.tier = TIER_PREMIUM;
    fake_db.week.used = 100;
    assert_int_equal(create(PLAIN)->status, 201);
    assert_int_equal(fake_db.asked.terms.weekly_limit, 0);
}

static void refuses_early_while_the_queue_is_known_to_be_away(void **state)
{
    (void)state;
    given_learner();
    fake_kv_looks_down();
    assert_refused(create(PLAIN), ERR_KV_UNAVAILABLE, NULL);
    assert_calls("profile_get db_match_admission");
    assert_int_equal(fake_db.request_count, 0);
}

/* --- failures --- */

static void takes_the_request_back_when_the_queue_is_away(void **state)
{
    (void)state;
    given_learner();
    port_script_next(KV_QUEUE_ADD, (struct port_script){.err = ERR_KV_UNAVAILABLE});
    assert_refused(create(PLAIN), ERR_KV_UNAVAILABLE, NULL);
    assert_calls(
        "profile_get db_match_admission db_match_request_insert kv_queue_add db_match_request_take_back");
    assert_int_equal(fake_db.requests[0].status, MATCH_CANCELLED);
    pass_ms(1000); /* a reload must not bring it back */
    assert_int_equal(matchmaker_waiting(), 0);
    port_forget();
    assert_int_equal(create(PLAIN)->status, 201); /* a retry finds a clean slate */
}

static void a_request_that_cannot_be_taken_back_is_not_lost(void **state)
{
    (void)state;
    given_learner();
    port_script_next(KV_QUEUE_ADD, (struct port_script){.err = ERR_KV_UNAVAILABLE});
    port_script_next(DB_MATCH_TAKE_BACK, (struct port_script){.err = ERR_DB_UNAVAILABLE});
    assert_refused(create(PLAIN), ERR_KV_UNAVAILABLE, NULL);
    pass_ms(1000);
    assert_int_equal(fake_db.requests[0].status, MATCH_PENDING);
    assert_int_equal(matchmaker_waiting(), 1);
    assert_true(fake_kv_has_request(&fake_db.requests[0].id));
}

/* Whatever went wrong: what the database calls pending is in the index soon, and nothing else. */
static void index_agrees_with_the_database(const struct attempt *a)
{
    (void)a;
    pass_ms(1000);
    size_t pending = 0;
    for (size_t i = 0; i < fake_db.request_count; i++)
        pending += fake_db.requests[i].status == MATCH_PENDING;
    assert_int_equal(matchmaker_waiting(), pending);
}

static const struct scenario plain = {
    .given = given_learner, .start = create_plain, .then = index_agrees_with_the_database};

static void may_finish_after_the_matchmaker_has_stopped(void **state)
{
    (void)state;
    given_learner();
    port_script_next(KV_QUEUE_ADD, (struct port_script){.is_held = true});
    struct caller *c = create(PLAIN);
    matchmaker_stop(); /* the process drains: what runs may finish */
    port_release();
    pass_ms(0);
    assert_int_equal(c->answers, 1);
    assert_int_equal(c->status, 201);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(stores_queues_and_answers),
        WORLD_TEST(asks_for_admission_with_the_profile),
        WORLD_TEST(a_plain_request_has_the_defaults),
        WORLD_TEST(every_wish_is_stored),
        WORLD_TEST(a_region_without_topics_of_its_own_is_a_wish_like_an_accent),
        WORLD_TEST(an_accent_that_is_named_comes_before_the_region),
        WORLD_TEST(a_region_with_topics_of_its_own_is_a_language),
        WORLD_TEST(learners_of_a_region_and_of_the_language_meet),
        WORLD_TEST(the_estimate_is_that_of_recent_waits),
        WORLD_TEST(a_waiting_partner_is_found_at_once),
        WORLD_TEST(a_scheduled_request_is_stored_but_not_queued),
        WORLD_TEST(refuses_bad_input_without_asking_anybody),
        WORLD_TEST(refuses_values_out_of_range),
        WORLD_TEST(a_token_without_the_level_is_refused_with_the_claim),
        WORLD_TEST(a_profile_that_nobody_can_tell_is_503_and_asks_no_further),
        WORLD_TEST(the_edges_of_the_schedule_are_allowed),
        WORLD_TEST(scheduling_is_for_premium),
        WORLD_TEST(an_unknown_topic_is_not_found),
        WORLD_TEST(a_topic_above_the_free_tier_is_locked),
        WORLD_TEST(a_topic_without_its_skills_is_locked),
        WORLD_TEST(one_in_a_session_may_not_ask),
        WORLD_TEST(one_request_at_a_time),
        WORLD_TEST(two_requests_at_the_same_time_leave_one),
        WORLD_TEST(the_weekly_limit_says_when_it_ends),
        WORLD_TEST(what_is_reserved_counts_for_the_limit),
        WORLD_TEST(the_insert_has_the_last_word_on_the_limit),
        WORLD_TEST(premium_has_no_limit),
        WORLD_TEST(refuses_early_while_the_queue_is_known_to_be_away),
        WORLD_TEST(takes_the_request_back_when_the_queue_is_away),
        WORLD_TEST(a_request_that_cannot_be_taken_back_is_not_lost),
        FAILURE_TESTS_OF_CALL(plain),
        WORLD_TEST(may_finish_after_the_matchmaker_has_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
