/* From when on two who ask at the same moment may be paired, and with what score: one row for each term. Both
 * are B1 learners of Spanish who want `travel.airport` and have never met, but for what the row says. */
#include "pairing_fixture.h"

enum { NEVER = -1 };

static const struct match_past_partner yesterday = {.last_spoke_at_ms = T0 - DAY},
                                       last_month = {.last_spoke_at_ms = T0 - 30 * DAY};

static struct match_past_partner with_b[1];

static void talked(struct match_request *a, const struct match_request *b, struct match_past_partner when)
{
    with_b[0] = (struct match_past_partner){b->user_id, when.last_spoke_at_ms};
    a->history = with_b;
    a->history_count = 1;
}

static void nothing(struct match_request *a, struct match_request *b)
{
    (void)a;
    (void)b;
}

static void unknown_history(struct match_request *a, struct match_request *b)
{
    a->history_is_known = b->history_is_known = false;
}

static void unknown_history_one_level_apart(struct match_request *a, struct match_request *b)
{
    unknown_history(a, b);
    b->level = LEVEL_A2;
}

static void talked_yesterday(struct match_request *a, struct match_request *b)
{
    talked(a, b, yesterday);
}

static void talked_last_month(struct match_request *a, struct match_request *b)
{
    talked(a, b, last_month);
}

static void talked_last_month_one_is_premium(struct match_request *a, struct match_request *b)
{
    talked(a, b, last_month);
    b->tier = TIER_PREMIUM;
}

static void talked_last_month_same_accent(struct match_request *a, struct match_request *b)
{
    talked(a, b, last_month);
    strcpy(a->preferred_accent, "es-MX");
    strcpy(b->preferred_accent, "es-MX");
}

static void one_level_apart(struct match_request *a, struct match_request *b)
{
    (void)a;
    b->level = LEVEL_A2;
}

static void each_gets_its_wish(struct match_request *a, struct match_request *b)
{
    a->level = LEVEL_A2;
    a->preferred_partner_level = PARTNER_HIGHER;
    b->preferred_partner_level = PARTNER_LOWER;
}

static void one_misses_its_wish(struct match_request *a, struct match_request *b)
{
    talked(a, b, last_month);
    a->level = LEVEL_A2;
    a->preferred_partner_level = PARTNER_HIGHER;
}

static void two_levels_apart_premium(struct match_request *a, struct match_request *b)
{
    a->tier = TIER_PREMIUM; /* 100 points do not help */
    b->level = LEVEL_C1;
}

static void three_apart_both_take_any(struct match_request *a, struct match_request *b)
{
    a->level = LEVEL_A1;
    b->level = LEVEL_B2;
    a->preferred_partner_level = b->preferred_partner_level = PARTNER_ANY;
}

static void three_apart_one_takes_any(struct match_request *a, struct match_request *b)
{
    three_apart_both_take_any(a, b);
    b->preferred_partner_level = PARTNER_SAME;
}

static void three_apart_both_take_any_unknown(struct match_request *a, struct match_request *b)
{
    three_apart_both_take_any(a, b);
    unknown_history(a, b);
}

static void parent_topic(struct match_request *a, struct match_request *b)
{
    (void)a;
    strcpy(b->topic_code, "travel");
}

static void mapped_topic(struct match_request *a, struct match_request *b)
{
    (void)a;
    strcpy(b->topic_code, "work.business_trip");
    b->topic_category = CATEGORY_WORK;
}

static void same_category(struct match_request *a, struct match_request *b)
{
    (void)a;
    strcpy(b->topic_code, "travel.hotel");
}

static void same_category_two_levels_apart(struct match_request *a, struct match_request *b)
{
    same_category(a, b);
    b->level = LEVEL_C1;
}

static void another_category(struct match_request *a, struct match_request *b)
{
    (void)a;
    strcpy(b->topic_code, "work.meeting");
    b->topic_category = CATEGORY_WORK;
}

static void another_language(struct match_request *a, struct match_request *b)
{
    (void)a;
    strcpy(b->target_language, "fr");
}

static void one_seeks_a_tandem(struct match_request *a, struct match_request *b)
{
    (void)b;
    strcpy(a->wanted_native_language, "es");
}

static void crossed_tandem(struct match_request *a, struct match_request *b)
{
    strcpy(a->wanted_native_language, "es");
    strcpy(b->native_language, "es-MX");
    strcpy(b->target_language, "fr");
    strcpy(b->wanted_native_language, "fr");
}

static void crossed_tandem_same_category(struct match_request *a, struct match_request *b)
{
    crossed_tandem(a, b);
    same_category(a, b);
}

static void crossed_tandem_two_levels_apart(struct match_request *a, struct match_request *b)
{
    crossed_tandem(a, b);
    b->level = LEVEL_C1;
}

static void blocked(struct match_request *a, struct match_request *b)
{
    b->excluded = &a->user_id;
    b->excluded_count = 1;
}

static void the_same_user(struct match_request *a, struct match_request *b)
{
    b->user_id = a->user_id;
}

static const struct term {
    void (*but)(struct match_request *a, struct match_request *b);
    int from_second, score;
    bool is_any_level;
} terms[] = {
    {nothing, 0, 100, false},
    {unknown_history, 30, 50, false},
    {unknown_history_one_level_apart, 120, 30, true},
    {talked_yesterday, 30, 60, false},
    {talked_last_month, 30, 90, false},
    {talked_last_month_one_is_premium, 0, 140, false},
    {talked_last_month_same_accent, 0, 110, false},
    {one_level_apart, 30, 80, false},
    {each_gets_its_wish, 0, 100, false},
    {one_misses_its_wish, 30, 70, false},
    {two_levels_apart_premium, 120, 100, true},
    {three_apart_both_take_any, 30, 50, false},
    {three_apart_one_takes_any, 120, 50, true},
    {three_apart_both_take_any_unknown, 120, 0, true},
    {parent_topic, 0, 100, false},
    {mapped_topic, 0, 100, false},
    {same_category, 60, 100, false},
    {same_category_two_levels_apart, 120, 50, true},
    {another_category, NEVER, 0, false},
    {another_language, NEVER, 0, false},
    {one_seeks_a_tandem, 60, 100, false},
    {crossed_tandem, 0, 200, false},
    {crossed_tandem_same_category, 60, 200, false},
    {crossed_tandem_two_levels_apart, 120, 150, true},
    {blocked, NEVER, 0, false},
    {the_same_user, NEVER, 0, false},
};

static void each_term_from_its_second_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
        struct match_request a = newcomer(1), b = newcomer(2);
        struct pairing_pair pair;
        terms[i].but(&a, &b);
        print_message("term %zu\n", i);
        if (terms[i].from_second == NEVER) {
            add(&a);
            add(&b);
            expect_none(a.expires_at_ms - 1);
            assert_false(pairing_admits(&rules, &a, &b, a.expires_at_ms - 1, &pair));
        } else {
            pair = expect_pair_from(&a, &b, terms[i].from_second);
            assert_int_equal(pair.score, terms[i].score);
            assert_int_equal(pair.is_any_level, terms[i].is_any_level);
        }
        pairing_free(p);
        p = pairing_new(&rules); /* whose time is at the beginning again */
    }
}

/* The configured minimum counts from 30 s to 120 s; 100 before and nothing after are fixed. */
static void the_minimum_is_configured(void **state)
{
    (void)state;
    static const struct {
        int min_score, from_second;
    } rows[] = {{50, 30}, {60, 30}, {61, 120}, {200, 120}, {0, 30}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pairing_free(p);
        p = pairing_new(&(struct pairing_rules){.min_score = rows[i].min_score, .last_pass_ms = 1000});
        struct match_request a = newcomer(1), b = newcomer(2);
        talked_yesterday(&a, &b);
        assert_int_equal(expect_pair_from(&a, &b, rows[i].from_second).score, 60);
    }
}

/* A request that lives for 120 s reaches the any-level phase a second before its end. */
static void the_default_life_ends_with_an_any_level_try(void **state)
{
    (void)state;
    struct match_request a = newcomer(1), b = newcomer(2);
    two_levels_apart_premium(&a, &b);
    a.expires_at_ms = b.expires_at_ms = T0 + 120 * SECOND;
    struct pairing_pair pair = expect_pair_from(&a, &b, 119);
    assert_true(pair.is_any_level);
    assert_int_equal(pair.level_difference, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_term_from_its_second_on),
        TEST(the_minimum_is_configured),
        TEST(the_default_life_ends_with_an_any_level_try),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
