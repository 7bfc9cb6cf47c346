/* GET /topics and GET /topics/:code. */
#include "flows/fakes/failures.h"

#include "flows/topic_lists.h"

/* --- the list --- */

static void given_two_topics(void)
{
    static const char *const skills[] = {"past_tense", "numbers"};
    given_topic()->popularity_score = 12.25;
    struct topic *b = given_topic();
    b->code = "work.interview";
    b->title = "Job interview";
    b->level = LEVEL_B2;
    b->category = CATEGORY_WORK;
    b->description = "Apply for a job";
    b->image_url = "https://img.example/work.png";
    b->required_skills = skills;
    b->required_skill_count = 2;
    b->prompt_count = 2;
}

static struct caller *list_with(const char *query)
{
    struct caller *c = rest_call(ANA, rest_topics_list, .query = query);
    pass_ms(0);
    return c;
}

static struct caller *list(void)
{
    return list_with("targetLanguageCode=es");
}

#define TRAVEL                                                                                              \
    "'code':'travel','nameKey':'topics.travel.name','descriptionKey':'topics.travel.description',"          \
    "'title':'Travel','level':'A2','category':'travel','estimatedDurationMinutes':15,'popularityScore':12." \
    "25,"                                                                                                   \
    "'isUnlocked':true"
#define INTERVIEW                                                                                          \
    "'code':'work.interview','nameKey':'topics.travel.name','descriptionKey':'topics.travel.description'," \
    "'title':'Job interview','level':'B2','category':'work','imageUrl':'https://img.example/work.png',"    \
    "'estimatedDurationMinutes':15,'popularityScore':0.5"

static void lists_topics(void **state)
{
    (void)state;
    given_two_topics();
    assert_answer(list(), 200, "{'topics':[{" TRAVEL "},{" INTERVIEW ",'isUnlocked':false}]}");
    assert_string_equal(fake_db.asked.topics_language, "es");
    assert_calls("db_topics_list kv_topics_put"); /* the tier locks what would need skills */
}

static void lists_topics_of_a_level_and_category(void **state)
{
    (void)state;
    given_two_topics();
    assert_answer(list_with("targetLanguageCode=es&level=B2&category=work"), 200,
                  "{'topics':[{" INTERVIEW ",'isUnlocked':false}]}");
    assert_answer(list_with("targetLanguageCode=es&level=A2"), 200, "{'topics':[{" TRAVEL "}]}");
    assert_answer(list_with("targetLanguageCode=es&category=travel"), 200, "{'topics':[{" TRAVEL "}]}");
    assert_answer(list_with("targetLanguageCode=es&level=A2&category=work"), 200, "{'topics':[]}");
    assert_answer(list_with("targetLanguageCode=es&level=C1"), 200, "{'topics':[]}");
}

static void a_region_without_topics_has_those_of_the_language(void **state)
{
    (void)state;
    given_two_topics();
    assert_answer(list_with("targetLanguageCode=es-MX&level=A2"), 200, "{'topics':[{" TRAVEL "}]}");
    assert_calls("db_topics_list db_topics_list kv_topics_put");
    assert_string_equal(fake_db.asked.topics_language, "es");
    port_forget();
    assert_answer(list(), 200, "{'topics':[{" TRAVEL "},{" INTERVIEW ",'isUnlocked':false}]}");
    assert_calls(""); /* it is the list of the language */
    assert_answer(list_with("targetLanguageCode=it-CH"), 200, "{'topics':[]}");
}

static void an_empty_list_is_an_answer(void **state)
{
    (void)state;
    assert_answer(list(), 200, "{'topics':[]}");
}

static struct caller *premium_list_with(const char *user_id, const char *query)
{
    struct caller *c = caller_of(user_id);
    c->who.tier = TIER_PREMIUM;
    caller_start(c, &rest_topics_list, &(struct call_input){.query = query});
    pass_ms(0);
    return c;
}

static struct caller *premium_list(void)
{
    return premium_list_with(ANA, "targetLanguageCode=es");
}

static void given_skill(const char *user_id, const char *code)
{
    fake_db.skills[fake_db.skill_count].user_id = id_of(user_id);
    fake_db.skills[fake_db.skill_count++].code = code;
}

#define LIST_OPEN   "{'topics':[{" TRAVEL "},{" INTERVIEW ",'isUnlocked':true}]}"
#define LIST_LOCKED "{'topics':[{" TRAVEL "},{" INTERVIEW ",'isUnlocked':false}]}"

/* The list is the same for all; what is unlocked is everybody's own, kept in Redis until a skill is acquired.
 */
static void premium_and_skills_unlock(void **state)
{
    (void)state;
    given_two_topics();
    given_skill(ANA, "past_tense");
    assert_answer(premium_list(), 200, LIST_LOCKED);
    assert_calls("db_topics_list kv_unlocked_get db_unlocked_topics kv_topics_put kv_unlocked_put");
    given_skill(ANA, "numbers");
    given_skill(BEN, "numbers");
    fake_kv_user.code_count = 0; /* skill.acquired */
    assert_answer(premium_list(), 200, LIST_OPEN);
    assert_answer(premium_list_with(BEN, "targetLanguageCode=es"), 200, LIST_LOCKED);
    assert_answer(list(), 200, LIST_LOCKED); /* the free tier */
    assert_answer(premium_list(), 200, LIST_OPEN);
    assert_int_equal(port_calls(DB_TOPICS_LIST), 1);
}

static void what_is_kept_costs_one_look(void **state)
{
    (void)state;
    given_two_topics();
    given_skill(ANA, "past_tense");
    given_skill(ANA, "numbers");
    assert_answer(premium_list(), 200, LIST_OPEN);
    port_forget();
    assert_answer(premium_list(), 200, LIST_OPEN);
    assert_calls("kv_unlocked_get");
}

static void without_redis_the_database_serves(void **state)
{
    (void)state;
    given_two_topics();
    given_skill(ANA, "past_tense");
    given_skill(ANA, "numbers");
    fake_kv_goes_away();
    for (int i = 0; i < 3; i++)
        assert_answer(premium_list(), 200, LIST_OPEN);
    fake_kv_comes_back();
}

static void skills_are_read_only_when_they_decide(void **state)
{
    (void)state;
    given_two_topics();
    assert_int_equal(premium_list_with(ANA, "targetLanguageCode=es&level=A2")->status, 200);
    assert_int_equal(list()->status, 200);
    assert_calls("db_topics_list kv_topics_put");
}

/* --- topics are listed from memory for a while --- */

#define LIFE_MS (config.topics_cache_seconds * 1000LL)

static void a_list_is_read_again_when_it_is_too_old(void **state)
{
    (void)state;
    given_two_topics();
    assert_answer(list(), 200, LIST_LOCKED);
    fake_db.topic_count = 1; /* withdrawn */
    pass_ms(LIFE_MS - 1);
    assert_answer(list(), 200, LIST_LOCKED);
    pass_ms(1);
    assert_answer(list(), 200, "{'topics':[{" TRAVEL "}]}");
    pass_ms(LIFE_MS - 1);
    assert_answer(list(), 200, "{'topics':[{" TRAVEL "}]}");
    assert_int_equal(port_calls(DB_TOPICS_LIST), 2);
}

static void one_request_reads_for_all(void **state)
{
    (void)state;
    given_two_topics();
    list();
    pass_ms(LIFE_MS);
    fake_db.topic_count = 1;
    port_script_next(DB_TOPICS_LIST, (struct port_script){.is_held = true});
    struct caller *reader = rest_call(ANA, rest_topics_list, .query = "targetLanguageCode=es");
    pass_ms(0);
    assert_answer(list(), 200, LIST_LOCKED); /* the old one meanwhile */
    assert_int_equal(port_calls(DB_TOPICS_LIST), 2);
    assert_true(port_release());
    pass_ms(0);
    assert_answer(reader, 200, "{'topics':[{" TRAVEL "}]}");
    assert_answer(list(), 200, "{'topics':[{" TRAVEL "}]}");
    assert_int_equal(port_calls(DB_TOPICS_LIST), 2);
}

static void a_list_that_cannot_be_read_again_is_shown_once_more_and_no_longer(void **state)
{
    (void)state;
    given_two_topics();
    list();
    fake_kv_user_reset(); /* Redis does not have it */
    fake_db_goes_away();
    pass_ms(LIFE_MS);
    assert_refused(list(), ERR_DB_UNAVAILABLE, NULL); /* the one that was to read it */
    assert_answer(list(), 200, LIST_LOCKED);
    pass_ms(LIFE_MS);
    assert_refused(list(), ERR_DB_UNAVAILABLE, NULL);
    assert_refused(list(), ERR_DB_UNAVAILABLE, NULL);
    fake_db_comes_back();
    assert_answer(list(), 200, LIST_LOCKED);
}

/* As it was read last, by this or another instance. */
static void while_the_database_is_away_redis_serves(void **state)
{
    (void)state;
    given_two_topics();
    given_skill(ANA, "past_tense");
    given_skill(ANA, "numbers");
    assert_answer(premium_list(), 200, LIST_OPEN);
    topic_lists_drop(); /* another instance */
    fake_db_goes_away();
    assert_answer(premium_list(), 200, LIST_OPEN);
    assert_answer(list(), 200, LIST_LOCKED);
    assert_answer(list_with("targetLanguageCode=es&level=A2"), 200, "{'topics':[{" TRAVEL "}]}");
    assert_refused(premium_list_with(BEN, "targetLanguageCode=es"), ERR_DB_UNAVAILABLE, NULL); /* not known */
    assert_refused(list_with("targetLanguageCode=it"), ERR_DB_UNAVAILABLE, NULL);
    pass_ms(2 * LIFE_MS);
    assert_answer(premium_list(), 200, LIST_OPEN);
    fake_db_comes_back();
}

static void what_redis_has_wrong_is_not_served(void **state)
{
    static const char *const wrong[] = {"",
                                        "x",
                                        "{}",
                                        "[1]",
                                        "[{}]",
                                        "[{'category':'x','topic':{}}]",
                                        "[{'category':'travel','topic':{'isUnlocked':false}}]"};
    (void)state;
    given_two_topics();
    list();
    fake_db_goes_away();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        topic_lists_drop();
        free(fake_kv_user.lists[LEVEL_B1]);
        fake_kv_user.lists[LEVEL_B1] = strdup(wrong[i]);
        for (char *q = fake_kv_user.lists[LEVEL_B1]; *q; q++)
            *q = *q == '\'' ? '"' : *q;
        assert_refused(list(), ERR_DB_UNAVAILABLE, NULL);
    }
    fake_db_comes_back();
}

static void an_older_answer_does_not_replace_a_newer_one(void **state)
{
    (void)state;
    given_two_topics();
    port_script_next(DB_TOPICS_LIST, (struct port_script){.is_held = true});
    struct caller *slow = rest_call(ANA, rest_topics_list, .query = "targetLanguageCode=es");
    pass_ms(10);
    fake_db.topic_count = 1;
    assert_answer(list(), 200, "{'topics':[{" TRAVEL "}]}");
    assert_true(port_release()); /* with what was there when it was asked */
    pass_ms(0);
    assert_answer(slow, 200, LIST_LOCKED);
    assert_answer(list(), 200, "{'topics':[{" TRAVEL "}]}");
    assert_int_equal(port_calls(DB_TOPICS_LIST), 2);
}

/* The list stays what it was while a request that uses it waits for the learner's skills. */
static void a_list_in_use_outlives_its_successor(void **state)
{
    (void)state;
    given_two_topics();
    list();
    port_script_next(KV_UNLOCKED_GET, (struct port_script){.is_held = true});
    struct caller *slow = caller_of(ANA);
    slow->who.tier = TIER_PREMIUM;
    caller_start(slow, &rest_topics_list, &(struct call_input){.query = "targetLanguageCode=es"});
    pass_ms(0);
    topic_lists_drop();
    fake_db.topic_count = 1;
    assert_answer(list(), 200, "{'topics':[{" TRAVEL "}]}");
    assert_true(port_release());
    pass_ms(0);
    assert_answer(slow, 200, LIST_LOCKED);
}

static void each_language_has_its_own_list(void **state)
{
    (void)state;
    char query[64], language[LANG_MAX], expected[64];
    given_topic();
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 40; i++) { /* more than there are slots */
            snprintf(language, sizeof language, "x%c-%c%c", 'a' + i % 26, 'a' + i / 26, 'b');
            fake_db.topics[0].language = language;
            snprintf(query, sizeof query, "targetLanguageCode=%s", language);
            snprintf(expected, sizeof expected, "T%d", i);
            fake_db.topics[0].title = expected;
            assert_non_null(strstr(list_with(query)->body, expected));
            fake_db.topics[0].title = "changed";
            assert_non_null(strstr(list_with(query)->body, expected));
        }
    }
    assert_string_equal(list()->body, "{\"topics\":[]}");
    fake_db.topics[0].language = "es";
    assert_non_null(strstr(list()->body, "changed")); /* an empty list is not kept */
}

static void zero_seconds_is_off(void **state)
{
    (void)state;
    config.topics_cache_seconds = 0;
    given_two_topics();
    assert_answer(list(), 200, LIST_LOCKED);
    fake_db.topic_count = 1;
    assert_answer(list(), 200, "{'topics':[{" TRAVEL "}]}");
    assert_int_equal(port_calls(DB_TOPICS_LIST), 2);
}

static void listing_needs_a_language(void **state)
{
    (void)state;
    assert_refused(list_with(""), ERR_INVALID_REQUEST,
                   "[{'field':'targetLanguageCode','reason':'required'}]");
    assert_int_equal(list_with("targetLanguageCode=es&level=B3")->err, ERR_INVALID_REQUEST);
    assert_int_equal(list_with("targetLanguageCode=es&category=sports")->err, ERR_INVALID_REQUEST);
    assert_calls("");
}

/* Redis, which only spares the database, may fail; and what goes there after the answer fails nobody. */
#define KEPT (PORT_BIT(KV_UNLOCKED_GET) | PORT_BIT(KV_UNLOCKED_PUT) | PORT_BIT(KV_TOPICS_PUT))

static void given_two_topics_and_codes(void)
{
    given_two_topics();
    config.topics_cache_seconds = 0; /* nothing goes to Redis */
    fake_kv_user.unlocked_of = id_of(ANA);
    strcpy(fake_kv_user.codes[0], "free_talk");
    fake_kv_user.code_count = 1;
}

static const struct scenario listing = {.given = given_two_topics, .start = list, .tolerated = KEPT};
static const struct scenario listing_premium = {
    .given = given_two_topics, .start = premium_list, .tolerated = KEPT};
static const struct scenario listing_kept = {.given = given_two_topics_and_codes, .start = premium_list};

/* --- one topic --- */

static struct caller *get_topic_with(const char *code, const char *query)
{
    struct caller *c = rest_call(ANA, rest_topic_get, .code = code, .query = query);
    pass_ms(0);
    return c;
}

static struct caller *get_topic(void)
{
    return get_topic_with("work.interview", NULL);
}

static void shows_a_topic_with_prompts(void **state)
{
    (void)state;
    given_two_topics();
    assert_answer(get_topic(), 200,
                  "{'topic':{'targetLanguageCode':'es','description':'Apply for a job'," INTERVIEW
                  ",'isUnlocked':false,"
                  "'prompts':[{'promptKey':'p.ice','type':'icebreaker','order':1},"
                  "{'promptKey':'p.main1','type':'main','order':1}],"
                  "'requiredSkills':['past_tense','numbers']}}");
    struct uuid ana = id_of(ANA);
    assert_true(uuid_eq(&fake_db.asked.topic_user_id, &ana));
    assert_string_equal(fake_db.asked.topics_code, "work.interview");
    assert_string_equal(fake_db.asked.topics_language, "");
}

static void a_code_of_several_languages_needs_the_language(void **state)
{
    (void)state;
    given_topic();
    given_topic()->language = "it";
    assert_refused(
        get_topic_with("travel", NULL), ERR_INVALID_REQUEST,
        "[{'field':'targetLanguageCode','reason':'required: the code exists in several languages'}]");
    struct caller *c = get_topic_with("travel", "targetLanguageCode=it");
    assert_int_equal(c->status, 200);
    assert_non_null(strstr(c->body, "\"targetLanguageCode\":\"it\""));
}

static void an_unknown_topic_is_not_found(void **state)
{
    (void)state;
    given_two_topics();
    assert_refused(get_topic_with("cooking", NULL), ERR_TOPIC_NOT_FOUND, NULL);
    assert_refused(get_topic_with("travel", "targetLanguageCode=de"), ERR_TOPIC_NOT_FOUND, NULL);
}

static const struct scenario showing = {.given = given_two_topics, .start = get_topic};

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(lists_topics),
        WORLD_TEST(lists_topics_of_a_level_and_category),
        WORLD_TEST(a_region_without_topics_has_those_of_the_language),
        WORLD_TEST(an_empty_list_is_an_answer),
        WORLD_TEST(premium_and_skills_unlock),
        WORLD_TEST(what_is_kept_costs_one_look),
        WORLD_TEST(without_redis_the_database_serves),
        WORLD_TEST(while_the_database_is_away_redis_serves),
        WORLD_TEST(what_redis_has_wrong_is_not_served),
        WORLD_TEST(skills_are_read_only_when_they_decide),
        WORLD_TEST(a_list_is_read_again_when_it_is_too_old),
        WORLD_TEST(one_request_reads_for_all),
        WORLD_TEST(a_list_that_cannot_be_read_again_is_shown_once_more_and_no_longer),
        WORLD_TEST(an_older_answer_does_not_replace_a_newer_one),
        WORLD_TEST(a_list_in_use_outlives_its_successor),
        WORLD_TEST(each_language_has_its_own_list),
        WORLD_TEST(zero_seconds_is_off),
        WORLD_TEST(listing_needs_a_language),
        FAILURE_TEST(every_upstream_fails, listing),
        FAILURE_TEST(every_upstream_fails, listing_premium),
        FAILURE_TEST(every_upstream_is_silent, listing_premium),
        FAILURE_TEST(client_goes_at_every_step, listing_kept),
        WORLD_TEST(shows_a_topic_with_prompts),
        WORLD_TEST(a_code_of_several_languages_needs_the_language),
        WORLD_TEST(an_unknown_topic_is_not_found),
        FAILURE_TESTS_OF_READ(showing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
