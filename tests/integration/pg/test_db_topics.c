/* Topics as the seed holds them, and what a learner may talk about. */
#include "statement_fixture.h"

static struct db_topics list(const char *language)
{
    struct db_topics topics;
    assert_int_equal(RUN(f, db_topics_list(f, language, &topics)), OK);
    return topics;
}

static struct db_topics get(struct db_topic_query q)
{
    struct db_topics topics;
    assert_int_equal(RUN(f, db_topic_get(f, &q, &topics)), OK);
    return topics;
}

static void lists_all_topics_of_a_language_by_level_then_code(void **state)
{
    (void)state;
    struct db_topics topics = list("es");
    assert_true(topics.count >= 40);
    assert_int_equal(topics.count,
                     direct_int(f, "SELECT count(*) FROM topics WHERE target_language_code = 'es'"));
    for (size_t i = 1; i < topics.count; i++) {
        const struct topic *a = &topics.items[i - 1], *b = &topics.items[i];
        assert_string_equal(b->language, "es");
        assert_true(a->level < b->level || (a->level == b->level && strcmp(a->code, b->code) < 0));
    }
}

static void lists_with_level_category_and_skills(void **state)
{
    (void)state;
    struct db_topics topics = list("en");
    bool is_seen = false;
    for (size_t i = 0; i < topics.count; i++) {
        const struct topic *t = &topics.items[i];
        assert_int_equal(t->has_required_skills, t->required_skill_count == 0);
        if (strcmp(t->code, "restaurant.ordering") != 0)
            continue;
        is_seen = true;
        assert_true(t->level == LEVEL_A2 && t->category == CATEGORY_DAILY_LIFE);
        assert_int_equal(t->required_skill_count, 1);
        assert_string_equal(t->required_skills[0], "restaurant_vocab.en");
    }
    assert_true(is_seen);
    assert_int_equal(list("xx").count, 0);
}

static void leaves_out_withdrawn_topics(void **state)
{
    (void)state;
    struct db_topic_query q = {.language = "de", .code = "free_talk"};
    size_t before = list("de").count;
    EXEC(f, "UPDATE topics SET is_active = false WHERE code = 'free_talk' AND target_language_code = 'de'");
    assert_int_equal(list("de").count, before - 1);
    assert_int_equal(get(q).count, 0);
    EXEC(f, "UPDATE topics SET is_active = true");
}

static void reads_every_field_of_a_topic_with_its_prompts(void **state)
{
    (void)state;
    EXEC(f, "UPDATE topics SET image_url = 'https://cdn.example/r.png', popularity_score = 2.5"
            " WHERE code = 'restaurant.ordering' AND target_language_code = 'en'");
    struct db_topics topics = get((struct db_topic_query){.language = "en", .code = "restaurant.ordering"});
    assert_int_equal(topics.count, 1);
    const struct topic *t = &topics.items[0];
    assert_string_equal(t->code, "restaurant.ordering");
    assert_string_equal(t->language, "en");
    assert_string_equal(t->name_key, "topic.restaurant.ordering.name");
    assert_string_equal(t->description_key, "topic.restaurant.ordering.description");
    assert_string_equal(t->title, "Ordering in a restaurant");
    assert_non_null(t->description);
    assert_string_equal(t->image_url, "https://cdn.example/r.png");
    assert_true(t->level == LEVEL_A2 && t->category == CATEGORY_DAILY_LIFE);
    assert_int_equal(t->estimated_duration_minutes, 10);
    assert_true(t->popularity_score == 2.5);
    assert_int_equal(t->required_skill_count, 1);
    assert_string_equal(t->required_skills[0], "restaurant_vocab.en");

    assert_int_equal(t->prompt_count, 6);
    static const enum prompt_type types[] = {PROMPT_ICEBREAKER, PROMPT_MAIN,      PROMPT_MAIN,
                                             PROMPT_MAIN,       PROMPT_FOLLOW_UP, PROMPT_FOLLOW_UP};
    for (size_t i = 0; i < t->prompt_count; i++) {
        assert_int_equal(t->prompts[i].type, types[i]);
        assert_int_equal(t->prompts[i].order, i + 1);
    }
    assert_string_equal(t->prompts[0].key, "prompt.restaurant.ordering.icebreaker.1");
}

static void a_code_without_language_is_found_in_every_language(void **state)
{
    (void)state;
    struct db_topics topics = get((struct db_topic_query){.code = "free_talk"});
    assert_int_equal(topics.count, 5);
    assert_string_equal(topics.items[0].language, "de");
    assert_string_equal(topics.items[4].language, "it");
    assert_int_equal(get((struct db_topic_query){.code = "no_such"}).count, 0);
}

static void a_skill_acquired_in_the_language_unlocks(void **state)
{
    (void)state;
    struct db_topic_query q = {.user_id = uuid_random(), .language = "en", .code = "restaurant.ordering"};
    assert_false(get(q).items[0].has_required_skills);
    EXEC(f,
         "INSERT INTO user_skills (user_id, skill_code, skill_id)"
         " VALUES ('%s', 'restaurant_vocab.en', gen_random_uuid())",
         UUIDZ(&q.user_id));
    assert_true(get(q).items[0].has_required_skills);
    q.language = "fr";
    assert_false(get(q).items[0].has_required_skills);
    q.code = "free_talk";
    assert_true(get(q).items[0].has_required_skills);
}

static void reads_the_compatible_pairs(void **state)
{
    (void)state;
    struct db_topic_pairs pairs;
    assert_int_equal(RUN(f, db_topic_pairs(f, &pairs)), OK);
    assert_int_equal(pairs.count, direct_int(f, "SELECT count(*) FROM topic_compatibility"));
    assert_true(pairs.count > 10);
    assert_string_equal(pairs.items[0].a, "animals");
    assert_string_equal(pairs.items[0].b, "free_talk");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lists_all_topics_of_a_language_by_level_then_code, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_with_level_category_and_skills, setup, teardown),
        cmocka_unit_test_setup_teardown(leaves_out_withdrawn_topics, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_every_field_of_a_topic_with_its_prompts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_code_without_language_is_found_in_every_language, setup, teardown),
        cmocka_unit_test_setup_teardown(a_skill_acquired_in_the_language_unlocks, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_the_compatible_pairs, setup, teardown),
    };
    return cmocka_run_group_tests(tests, direct_create_database, direct_drop_database);
}
