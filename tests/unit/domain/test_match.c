/* The score of a pair: each part, the sums of the documentation, and the symmetry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conversation/domain/match.h"
#include "domain/match_traits.h"
#include "domain/pairing_rules.h"
#include "requests.h"

/* Two B1 learners of Spanish, asking for `same`, nothing known. */
struct pair {
    struct match_request a, b;
};

static struct pair pair_of(void)
{
    return (struct pair){request_of(1), request_of(2)};
}

static struct pair levels(enum level a, enum partner_level wish_a, enum level b, enum partner_level wish_b)
{
    struct pair p = pair_of();
    p.a.level = a;
    p.a.preferred_partner_level = wish_a;
    p.b.level = b;
    p.b.preferred_partner_level = wish_b;
    return p;
}

static int score(const struct pair *p, enum match_history history)
{
    int forth = match_score(&p->a, &p->b, history);
    assert_int_equal(match_score(&p->b, &p->a, history), forth);
    return forth;
}

static int wish_distance(const struct match_request *a, const struct match_request *b)
{
    struct match_traits of_a = match_traits_of(a), of_b = match_traits_of(b);
    return match_traits_distance(&of_a, &of_b, false);
}

static void the_documented_sums(void **state)
{
    (void)state;
    struct pair p = pair_of();
    assert_int_equal(score(&p, HISTORY_NOT_RECENT), 80);
    assert_int_equal(score(&p, HISTORY_NEVER), 100);
    p = levels(LEVEL_A2, PARTNER_SAME, LEVEL_B1, PARTNER_SAME);
    assert_int_equal(score(&p, HISTORY_UNKNOWN), 30);
    p = levels(LEVEL_A2, PARTNER_HIGHER, LEVEL_B1, PARTNER_LOWER);
    assert_int_equal(score(&p, HISTORY_NEVER), 100);
    p = levels(LEVEL_A2, PARTNER_HIGHER, LEVEL_B1, PARTNER_SAME);
    assert_int_equal(score(&p, HISTORY_OLDER), 70);
    p = levels(LEVEL_A1, PARTNER_ANY, LEVEL_B2, PARTNER_ANY);
    assert_int_equal(score(&p, HISTORY_NEVER), 50);
    p = pair_of();
    strcpy(p.a.preferred_accent, "mexican");
    strcpy(p.b.preferred_accent, "mexican");
    p.b.tier = TIER_PREMIUM;
    assert_int_equal(score(&p, HISTORY_NEVER), 170);
}

static void history_points(void **state)
{
    (void)state;
    struct pair p = pair_of();
    assert_int_equal(score(&p, HISTORY_UNKNOWN), 50);
    assert_int_equal(score(&p, HISTORY_WITHIN_7_DAYS), 60);
    assert_int_equal(score(&p, HISTORY_NOT_RECENT), 80);
    assert_int_equal(score(&p, HISTORY_OLDER), 90);
    assert_int_equal(score(&p, HISTORY_NEVER), 100);
}

/* distance: of the wish; points: of the level alone */
static void wishes(void **state)
{
    (void)state;
    static const struct {
        enum level a;
        enum partner_level wish_a;
        enum level b;
        enum partner_level wish_b;
        int distance, points;
    } rows[] = {
        {LEVEL_B1, PARTNER_SAME, LEVEL_B1, PARTNER_SAME, 0, 50},
        {LEVEL_B1, PARTNER_SAME, LEVEL_B2, PARTNER_SAME, 1, 30},
        {LEVEL_B1, PARTNER_SAME, LEVEL_C1, PARTNER_SAME, 2, 0},
        {LEVEL_A1, PARTNER_SAME, LEVEL_C2, PARTNER_SAME, 5, 0},
        {LEVEL_B1, PARTNER_HIGHER, LEVEL_B2, PARTNER_LOWER, 0, 50},
        {LEVEL_B1, PARTNER_HIGHER, LEVEL_B2, PARTNER_SAME, 1, 30},
        {LEVEL_B1, PARTNER_HIGHER, LEVEL_B2, PARTNER_HIGHER, 2, 0},
        {LEVEL_B1, PARTNER_HIGHER, LEVEL_B1, PARTNER_HIGHER, 1, 30},
        {LEVEL_B1, PARTNER_HIGHER, LEVEL_B1, PARTNER_LOWER, 1, 30},
        /* the scale ends: the best there is counts as one higher, the lowest as one lower */
        {LEVEL_C2, PARTNER_HIGHER, LEVEL_C2, PARTNER_HIGHER, 0, 50},
        {LEVEL_A1, PARTNER_LOWER, LEVEL_A1, PARTNER_SAME, 0, 50},
        {LEVEL_A1, PARTNER_LOWER, LEVEL_A2, PARTNER_LOWER, 1, 30},
        /* any is judged like same */
        {LEVEL_B1, PARTNER_ANY, LEVEL_B1, PARTNER_ANY, 0, 50},
        {LEVEL_B1, PARTNER_ANY, LEVEL_B2, PARTNER_ANY, 1, 30},
        {LEVEL_B1, PARTNER_ANY, LEVEL_B2, PARTNER_LOWER, 1, 30},
        {LEVEL_A1, PARTNER_ANY, LEVEL_C2, PARTNER_ANY, 5, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pair p = levels(rows[i].a, rows[i].wish_a, rows[i].b, rows[i].wish_b);
        assert_int_equal(wish_distance(&p.a, &p.b), rows[i].distance);
        assert_int_equal(wish_distance(&p.b, &p.a), rows[i].distance);
        assert_int_equal(score(&p, HISTORY_UNKNOWN), rows[i].points);
    }
}

static void tandem_needs_both_to_ask_and_the_languages_to_cross(void **state)
{
    (void)state;
    struct pair p = pair_of();
    strcpy(p.a.target_language, "en");
    strcpy(p.a.native_language, "es-MX");
    strcpy(p.a.wanted_native_language, "en");
    strcpy(p.b.target_language, "es");
    strcpy(p.b.native_language, "en-GB");
    assert_int_equal(score(&p, HISTORY_NEVER), 100); /* only one asks */
    strcpy(p.b.wanted_native_language, "es");
    assert_int_equal(score(&p, HISTORY_NEVER), 200);
    strcpy(p.b.native_language, "fr");
    assert_int_equal(score(&p, HISTORY_NEVER), 100); /* crossed one way only */
}

static void accents_must_be_named_and_equal(void **state)
{
    (void)state;
    struct pair p = pair_of();
    strcpy(p.a.preferred_accent, "mexican");
    assert_int_equal(score(&p, HISTORY_UNKNOWN), 50);
    strcpy(p.b.preferred_accent, "castilian");
    assert_int_equal(score(&p, HISTORY_UNKNOWN), 50);
    strcpy(p.b.preferred_accent, "mexican");
    assert_int_equal(score(&p, HISTORY_UNKNOWN), 70);
}

static void premium_counts_once(void **state)
{
    (void)state;
    struct pair p = pair_of();
    p.a.tier = TIER_PREMIUM;
    assert_int_equal(score(&p, HISTORY_UNKNOWN), 100);
    p.b.tier = TIER_PREMIUM;
    assert_int_equal(score(&p, HISTORY_UNKNOWN), 100);
}

/* --- history --- */

static void history_is_what_either_side_knows(void **state)
{
    (void)state;
    struct pair p = pair_of();
    assert_int_equal(match_history_of(&p.a, &p.b, T0), HISTORY_UNKNOWN);

    p.a.history_is_known = true;
    assert_int_equal(match_history_of(&p.a, &p.b, T0), HISTORY_NEVER);
    assert_int_equal(match_history_of(&p.b, &p.a, T0), HISTORY_NEVER);

    struct match_past_partner of_b[] = {{id_of(77), T0 - 1000}, {p.a.user_id, T0 - 30 * DAY}};
    p.b.history = of_b;
    p.b.history_count = 2;
    assert_int_equal(match_history_of(&p.a, &p.b, T0), HISTORY_NEVER); /* not known: not looked at */
    p.b.history_is_known = true;
    assert_int_equal(match_history_of(&p.a, &p.b, T0), HISTORY_OLDER);
    assert_int_equal(match_history_of(&p.b, &p.a, T0), HISTORY_OLDER);

    struct match_past_partner of_a[] = {{p.b.user_id, T0 - 40 * DAY}, {p.b.user_id, T0 - 2 * DAY}};
    p.a.history = of_a;
    p.a.history_count = 1;
    assert_int_equal(match_history_of(&p.a, &p.b, T0), HISTORY_OLDER);
    p.a.history_count = 2; /* the more recent talk decides */
    assert_int_equal(match_history_of(&p.a, &p.b, T0), HISTORY_WITHIN_7_DAYS);
}

static void seven_days_are_exactly_that(void **state)
{
    (void)state;
    struct pair p = pair_of();
    struct match_past_partner past = {p.b.user_id, T0};
    p.a.history_is_known = true;
    p.a.history = &past;
    p.a.history_count = 1;
    assert_int_equal(match_history_of(&p.a, &p.b, T0), HISTORY_WITHIN_7_DAYS);
    assert_int_equal(match_history_of(&p.a, &p.b, T0 + 7 * DAY - 1), HISTORY_WITHIN_7_DAYS);
    assert_int_equal(match_history_of(&p.a, &p.b, T0 + 7 * DAY), HISTORY_OLDER);
}

/* --- phases --- */

static void phases_begin_at_their_bounds(void **state)
{
    static const struct pairing_rules rules = {0}; /* the daemon's bounds */
    (void)state;
    assert_int_equal(pairing_phase_of(&rules, -1), PHASE_STRICT);
    assert_int_equal(pairing_phase_of(&rules, 0), PHASE_STRICT);
    assert_int_equal(pairing_phase_of(&rules, 29999), PHASE_STRICT);
    assert_int_equal(pairing_phase_of(&rules, 30000), PHASE_LEVEL);
    assert_int_equal(pairing_phase_of(&rules, 59999), PHASE_LEVEL);
    assert_int_equal(pairing_phase_of(&rules, 60000), PHASE_CATEGORY);
    assert_int_equal(pairing_phase_of(&rules, 119999), PHASE_CATEGORY);
    assert_int_equal(pairing_phase_of(&rules, 120000), PHASE_ANY_LEVEL);
    assert_int_equal(pairing_phase_of(&rules, INT64_MAX), PHASE_ANY_LEVEL);
}

static void a_scheduled_wait_starts_at_its_time(void **state)
{
    (void)state;
    struct match_request r = request_of(1);
    assert_int_equal(match_wait_start_ms(&r), T0);
    r.scheduled_for_ms = T0 + 3600000;
    assert_int_equal(match_wait_start_ms(&r), T0 + 3600000);
}

/* --- properties --- */

static void every_score_is_symmetric_and_within_bounds(void **state)
{
    (void)state;
    static const char *const languages[] = {"es", "en", "es-MX", "fr"};
    uint64_t random = 42;
    for (int i = 0; i < 200000; i++) {
        struct pair p = pair_of();
        struct match_request *both[] = {&p.a, &p.b};
        for (int k = 0; k < 2; k++) {
            both[k]->level = (enum level)random_below(&random, LEVEL_COUNT);
            both[k]->preferred_partner_level = (enum partner_level)random_below(&random, 4);
            both[k]->tier = (enum tier)random_below(&random, 2);
            strcpy(both[k]->target_language, languages[random_below(&random, 4)]);
            strcpy(both[k]->native_language, languages[random_below(&random, 4)]);
            strcpy(both[k]->wanted_native_language, random_below(&random, 2) ? both[k]->target_language : "");
            strcpy(both[k]->preferred_accent, random_below(&random, 2) ? "mexican" : "");
        }
        int s = score(&p, (enum match_history)random_below(&random, 5));
        assert_true(s >= 0 && s <= 270 && s % 10 == 0);
        assert_int_equal(wish_distance(&p.a, &p.b), wish_distance(&p.b, &p.a));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_sums),
        cmocka_unit_test(history_points),
        cmocka_unit_test(wishes),
        cmocka_unit_test(tandem_needs_both_to_ask_and_the_languages_to_cross),
        cmocka_unit_test(accents_must_be_named_and_equal),
        cmocka_unit_test(premium_counts_once),
        cmocka_unit_test(history_is_what_either_side_knows),
        cmocka_unit_test(seven_days_are_exactly_that),
        cmocka_unit_test(phases_begin_at_their_bounds),
        cmocka_unit_test(a_scheduled_wait_starts_at_its_time),
        cmocka_unit_test(every_score_is_symmetric_and_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
