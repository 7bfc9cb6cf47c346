/* Scheduled requests that are paired before their time. */
#include "pairing_fixture.h"

/* Asked for at T0, to meet `ahead_ms` later. */
static struct match_request scheduled(unsigned n, int64_t ahead_ms)
{
    struct match_request r = newcomer(n);
    r.mode = MATCH_SCHEDULED;
    r.scheduled_for_ms = T0 + ahead_ms;
    r.expires_at_ms = r.scheduled_for_ms + 120 * SECOND;
    return r;
}

static void two_scheduled_within_five_minutes_are_paired_ahead(void **state)
{
    (void)state;
    struct match_request a = scheduled(1, 3 * DAY + 300 * SECOND), b = scheduled(2, 3 * DAY);
    add(&a);
    assert_int_equal(pairing_next_due_ms(p), T0);
    expect_none(T0);
    assert_int_equal(pairing_next_due_ms(p), a.scheduled_for_ms);
    b.created_at_ms = T0 + DAY;
    add(&b);
    struct pairing_pair pair = expect_pair(T0 + DAY, 2, 1), admitted;
    assert_true(pair.is_ahead);
    assert_int_equal(pair.scheduled_at_ms, a.scheduled_for_ms);
    assert_int_equal(pair.phase, PHASE_STRICT);
    assert_int_equal(pair.score, 100);
    assert_int_equal(pairing_count(p), 0);
    assert_true(pairing_admits(&rules, &a, &b, T0 + DAY, &admitted));
    assert_true(admitted.is_ahead && admitted.scheduled_at_ms == a.scheduled_for_ms);
}

static void more_than_five_minutes_apart_is_not_ahead(void **state)
{
    (void)state;
    struct match_request a = scheduled(1, DAY), b = scheduled(2, DAY + 300 * SECOND + 1);
    struct pairing_ticket ticket;
    struct pairing_pair pair;
    add(&a);
    add(&b);
    expect_none(T0);
    assert_false(pairing_admits(&rules, &a, &b, T0, &pair));
    expect_none(T0 + DAY);
    assert_true(pairing_expire(p, a.expires_at_ms, &ticket));
}

static void ahead_only_by_the_strict_rules(void **state)
{
    (void)state;
    struct match_request a = scheduled(1, DAY), level = scheduled(2, DAY), topic = scheduled(3, DAY),
                         unknown = scheduled(4, DAY), seeker = scheduled(5, DAY), related = scheduled(6, DAY);
    level.level = LEVEL_B2;
    strcpy(topic.topic_code, "travel.hotel");
    a.history_is_known = unknown.history_is_known = false; /* 50 with each other */
    strcpy(seeker.wanted_native_language, "es");
    strcpy(related.topic_code, "travel");
    related.level = a.level;
    const struct match_request *const no[] = {&level, &topic, &unknown, &seeker};
    add(&a);
    for (unsigned i = 0; i < 4; i++) {
        add(no[i]);
        expect_none(T0);
        assert_true(pairing_remove(p, &no[i]->id));
    }
    add(&related);
    assert_true(expect_pair(T0, 1, 6).is_ahead);
}

static void who_sleeps_is_not_paired_with_who_is_awake(void **state)
{
    (void)state;
    struct match_request now = newcomer(1), sleeper = scheduled(2, 60 * SECOND),
                         woken = scheduled(3, 10 * SECOND);
    now.excluded = &woken.user_id;
    now.excluded_count = 1;
    add(&now);
    add(&woken);
    expect_none(T0 + 10 * SECOND); /* `woken` waits from now on */
    add(&sleeper);
    expect_none(T0 + 60 * SECOND - 1);
    struct pairing_pair pair = expect_pair(T0 + 60 * SECOND, 1, 2);
    assert_false(pair.is_ahead);
    assert_int_equal(pair.scheduled_at_ms, 0);
}

static void a_talk_is_as_old_as_it_will_be_when_they_meet(void **state)
{
    (void)state;
    struct match_request a = scheduled(1, DAY - 1), b = scheduled(2, DAY);
    struct match_past_partner past = {b.user_id, T0 - 6 * DAY};
    a.history = &past;
    a.history_count = 1;
    strcpy(a.preferred_accent, "mexican");
    strcpy(b.preferred_accent, "mexican");
    add(&a);
    add(&b);
    assert_int_equal(expect_pair(T0, 1, 2).score, 110); /* seven days by then: 50 + 20 + 40 */
    past.last_spoke_at_ms++;
    add(&a);
    add(&b);
    expect_none(T0);
}

static void of_several_ahead_the_best_then_the_earliest(void **state)
{
    (void)state;
    struct match_request early = scheduled(3, DAY), late = scheduled(2, DAY + 400 * SECOND),
                         premium = scheduled(4, DAY + 410 * SECOND), asks = scheduled(1, DAY + 200 * SECOND);
    premium.tier = TIER_PREMIUM;
    premium.excluded = &late.user_id;
    premium.excluded_count = 1;
    add(&late);
    add(&early);
    add(&premium);
    expect_none(T0);
    add(&asks);
    assert_int_equal(expect_pair(T0, 1, 4).score, 150);
    add(&asks); /* the claim was lost */
    expect_pair(T0, 3, 1);
    assert_true(pairing_contains(p, &late.id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_scheduled_within_five_minutes_are_paired_ahead),
        TEST(more_than_five_minutes_apart_is_not_ahead),
        TEST(ahead_only_by_the_strict_rules),
        TEST(who_sleeps_is_not_paired_with_who_is_awake),
        TEST(a_talk_is_as_old_as_it_will_be_when_they_meet),
        TEST(of_several_ahead_the_best_then_the_earliest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
