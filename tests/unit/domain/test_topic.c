#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conversation/domain/topic.h"

static void who_may_talk_about_a_topic(void **state)
{
    (void)state;
    static const struct {
        enum level level;
        bool has_skills;
        enum tier tier;
        const char *reason; /* NULL: open */
    } rows[] = {
        {LEVEL_A1, true, TIER_FREE, NULL},
        {LEVEL_A2, true, TIER_FREE, NULL},
        {LEVEL_B1, true, TIER_FREE, "TIER"},
        {LEVEL_C2, true, TIER_FREE, "TIER"},
        {LEVEL_B1, true, TIER_PREMIUM, NULL},
        {LEVEL_C2, true, TIER_PREMIUM, NULL},
        {LEVEL_A1, false, TIER_FREE, "REQUIRED_SKILLS"},
        {LEVEL_C1, false, TIER_PREMIUM, "REQUIRED_SKILLS"},
        {LEVEL_B1, false, TIER_FREE, "TIER"}, /* the skills would not open it */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct topic topic = {.level = rows[i].level, .has_required_skills = rows[i].has_skills};
        const char *reason = NULL;
        enum err err = topic_access(&topic, rows[i].tier, &reason);
        assert_int_equal(err, rows[i].reason ? ERR_TOPIC_LOCKED : OK);
        if (rows[i].reason)
            assert_string_equal(reason, rows[i].reason);
        else
            assert_null(reason);
    }
}

static void the_first_icebreaker_by_order(void **state)
{
    (void)state;
    static const struct topic_prompt prompts[] = {
        {"main.1", PROMPT_MAIN, 1},
        {"ice.2", PROMPT_ICEBREAKER, 2},
        {"ice.1", PROMPT_ICEBREAKER, 1},
        {"follow.0", PROMPT_FOLLOW_UP, 0},
    };
    assert_string_equal(topic_first_prompt(prompts, 4)->key, "ice.1");
    assert_string_equal(topic_first_prompt(prompts, 2)->key, "ice.2");
    assert_null(topic_first_prompt(prompts, 1));
    assert_null(topic_first_prompt(NULL, 0));
}

static void names_end_with_null(void **state)
{
    (void)state;
    assert_string_equal(topic_category_names[CATEGORY_OTHER], "other");
    assert_null(topic_category_names[CATEGORY_COUNT]);
    assert_string_equal(prompt_type_names[PROMPT_MAIN], "main");
    assert_null(prompt_type_names[PROMPT_TYPE_COUNT]);
    assert_string_equal(prompt_category_names[PROMPT_MAIN], "main_topic");
    assert_null(prompt_category_names[PROMPT_TYPE_COUNT]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_talk_about_a_topic),
        cmocka_unit_test(the_first_icebreaker_by_order),
        cmocka_unit_test(names_end_with_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
