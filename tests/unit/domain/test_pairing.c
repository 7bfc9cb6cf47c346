/* The pairing index by example: each rule of "Who may be paired", the order, the timers. The random
 * comparison with the oracle is test_pairing_oracle.c, pairs made ahead of time are test_pairing_ahead.c. */
#include "pairing_fixture.h"

static void expect_never(const struct match_request *a, const struct match_request *b)
{
    add(a);
    add(b);
    for (int64_t at = T0; at < a->expires_at_ms + 5 * SECOND; at += 500)
        expect_none(at);
    assert_int_equal(pairing_count(p), 2);
}

/* --- phases --- */

static void a_perfect_fit_is_paired_at_once(void **state)
{
    (void)state;
    struct match_request a = newcomer(1), b = newcomer(2);
    a.tier = TIER_PREMIUM;
    add(&a);
    expect_none(T0);
    b.created_at_ms = T0 + 5 * SECOND;
    add(&b);
    struct pairing_pair pair = expect_pair(T0 + 5 * SECOND, 1, 2);
    assert_int_equal(pair.score, 150);
    assert_int_equal(pair.level_difference, 0);
    assert_int_equal(pair.phase, PHASE_STRICT);
    assert_false(pair.is_tandem || pair.is_any_level);
    assert_int_equal(pair.first.tier, TIER_PREMIUM);
    assert_int_equal(pair.second.tier, TIER_FREE);
    assert_string_equal(pair.first.target_language, "es");
    assert_true(uuid_eq(&pair.first.user_id, &a.user_id));
    assert_true(pair.first.wait_start_ms == a.created_at_ms && pair.second.wait_start_ms == b.created_at_ms);
    assert_true(pair.first.expires_at_ms == a.expires_at_ms);
    assert_false(pairing_contains(p, &a.id));
    assert_int_equal(pairing_next_due_ms(p), INT64_MAX);
}

static void a_score_below_100_waits_for_30_seconds(void **state)
{
    (void)state;
    struct match_request a = request_of(1), b = request_of(2); /* 50, history unknown */
    struct pairing_pair pair = expect_pair_from(&a, &b, 30);
    assert_int_equal(pair.score, 50);
    assert_int_equal(pair.phase, PHASE_LEVEL);
}

static void one_level_apart_waits_for_30_seconds(void **state)
{
    (void)state;
    struct match_request a = newcomer(1), b = newcomer(2);
    b.level = LEVEL_B2;
    b.tier = TIER_PREMIUM; /* 130, and still one level apart */
    struct pairing_pair pair = expect_pair_from(&a, &b, 30);
    assert_int_equal(pair.level_difference, 1);
}

static void a_related_topic_will_do_at_once(void **state)
{
    (void)state;
    static const char *const related[] = {"travel", "travel.airport.lounge", "work.business_trip"};
    for (unsigned i = 0; i < 3; i++) {
        struct match_request a = newcomer(1), b = newcomer(2);
        strcpy(b.topic_code, related[i]);
        b.topic_category = CATEGORY_OTHER; /* it is the code that counts */
        expect_pair_from(&a, &b, 0);
    }
}

static void the_same_category_waits_for_60_seconds(void **state)
{
    (void)state;
    static const char *const others[] = {"travel.hotel", "travel.airport_", "travels"};
    for (unsigned i = 0; i < 3; i++) {
        struct match_request a = newcomer(1), b = newcomer(2);
        strcpy(b.topic_code, others[i]);
        assert_int_equal(expect_pair_from(&a, &b, 60).phase, PHASE_CATEGORY);
        pairing_free(p);
        p = pairing_new(&rules); /* whose time is at the beginning again */
    }
}

static void any_level_waits_for_120_seconds(void **state)
{
    (void)state;
    struct match_request a = newcomer(1), b = newcomer(2);
    a.level = LEVEL_A1;
    b.level = LEVEL_C2;
    struct pairing_pair pair = expect_pair_from(&a, &b, 120);
    assert_true(pair.is_any_level);
    assert_int_equal(pair.level_difference, 5);
    assert_int_equal(pair.score, 50);
}

static void a_score_below_the_minimum_waits_for_120_seconds(void **state)
{
    (void)state;
    struct match_request a = request_of(1), b = request_of(2);
    b.level = LEVEL_B2; /* 30 */
    assert_int_equal(expect_pair_from(&a, &b, 120).score, 30);
}

static void whoever_takes_any_level_is_never_too_far(void **state)
{
    (void)state;
    struct match_request a = newcomer(1), b = newcomer(2);
    a.preferred_partner_level = b.preferred_partner_level = PARTNER_ANY;
    a.level = LEVEL_A1;
    b.level = LEVEL_B2; /* distance 3: no points for it, 50 for the history */
    b.tier = TIER_PREMIUM;
    struct pairing_pair pair = expect_pair_from(&a, &b, 0);
    assert_int_equal(pair.score, 100);
    assert_false(pair.is_any_level);
}

static void the_last_pass_takes_any_level_before_expiry(void **state)
{
    (void)state;
    struct match_request a = newcomer(1), b = newcomer(2);
    b.level = LEVEL_C2;
    a.expires_at_ms = T0 + 50 * SECOND;
    add(&a);
    add(&b);
    expect_none(T0 + 49 * SECOND - 1);
    assert_int_equal(pairing_next_due_ms(p), T0 + 49 * SECOND);
    struct pairing_pair pair = expect_pair(T0 + 49 * SECOND, 1, 2);
    assert_true(pair.is_any_level);
}

static void the_last_pass_is_made_when_the_clock_jumped_past_the_expiry(void **state)
{
    (void)state;
    struct match_request a = newcomer(1), b = newcomer(2);
    struct pairing_ticket ticket;
    b.level = LEVEL_C2;
    a.expires_at_ms = T0 + 50 * SECOND;
    add(&a);
    add(&b);
    expect_none(T0);
    expect_pair(T0 + 55 * SECOND, 1, 2);
    assert_false(pairing_expire(p, T0 + 55 * SECOND, &ticket));
}

static void an_arrival_finds_an_old_waiter_on_the_old_ones_terms(void **state)
{
    (void)state;
    struct match_request old = newcomer(1), fresh = newcomer(2);
    add(&old);
    expect_none(T0);
    expect_none(T0 + 70 * SECOND);
    fresh.created_at_ms = T0 + 70 * SECOND;
    strcpy(fresh.topic_code, "travel.hotel");
    fresh.level = LEVEL_A2;
    add(&fresh);
    assert_int_equal(expect_pair(T0 + 70 * SECOND, 1, 2).phase, PHASE_CATEGORY);
}

/* --- never --- */

static void never_the_same_user(void **state)
{
    (void)state;
    struct match_request a = newcomer(1), b = newcomer(2);
    b.user_id = a.user_id;
    expect_never(&a, &b);
}

static void never_a_blocked_user_whoever_blocked(void **state)
{
    (void)state;
    for (int who = 0; who < 2; who++) {
        struct match_request a = newcomer(1), b = newcomer(2);
        struct match_request *blocker = who ? &b : &a, *blocked = who ? &a : &b;
        struct uuid excluded[] = {id_of(5), blocked->user_id, id_of(3)};
        blocker->excluded = excluded;
        blocker->excluded_count = 3;
        expect_never(&a, &b);
        assert_true(pairing_remove(p, &a.id) && pairing_remove(p, &b.id));
    }
}

static void never_another_language_or_category(void **state)
{
    (void)state;
    struct match_request a = newcomer(1), b = newcomer(2);
    strcpy(b.target_language, "es-MX"); /* a target of its own */
    expect_never(&a, &b);
    struct match_request c = newcomer(3);
    strcpy(c.topic_code, "work.meeting");
    c.topic_category = CATEGORY_WORK;
    assert_true(pairing_remove(p, &b.id) && pairing_remove(p, &a.id));
    expect_never(&a, &c);
}

/* --- tandem --- */

static struct match_request tandem(unsigned n, const char *native, const char *target)
{
    struct match_request r = newcomer(n);
    strcpy(r.native_language, native);
    strcpy(r.target_language, target);
    strcpy(r.wanted_native_language, target);
    return r;
}

static void crossed_languages_make_a_tandem(void **state)
{
    (void)state;
    struct match_request a = tandem(1, "es-MX", "en"), b = tandem(2, "en", "es");
    struct pairing_pair pair = expect_pair_from(&a, &b, 0);
    assert_true(pair.is_tandem);
    assert_int_equal(pair.score, 200);
    assert_string_equal(pair.first.target_language, "en");
    assert_string_equal(pair.second.target_language, "es");
}

static void a_tandem_seeker_takes_plain_practice_from_60_seconds(void **state)
{
    (void)state;
    struct match_request a = tandem(1, "en", "es"), b = newcomer(2);
    struct pairing_pair pair = expect_pair_from(&a, &b, 60);
    assert_false(pair.is_tandem);
    assert_int_equal(pair.score, 100);
}

static void two_seekers_of_one_direction_may_practise_from_60_seconds(void **state)
{
    (void)state;
    struct match_request a = tandem(1, "en", "es"), b = tandem(2, "fr", "es");
    assert_false(expect_pair_from(&a, &b, 60).is_tandem);
}

static void crossed_languages_do_not_help_who_did_not_ask(void **state)
{
    (void)state;
    struct match_request a = tandem(1, "es", "en"), b = tandem(2, "en", "es");
    b.wanted_native_language[0] = '\0';
    expect_never(&a, &b);
}

static void a_seeker_without_native_language_does_no_harm(void **state)
{
    (void)state;
    struct match_request a = tandem(1, "", "es"), b = newcomer(2);
    expect_pair_from(&a, &b, 60);
}

/* --- choice and order --- */

static void the_best_score_wins(void **state)
{
    (void)state;
    struct match_request a = newcomer(1), b = newcomer(2), c = newcomer(3);
    strcpy(a.preferred_accent, "mexican");
    strcpy(c.preferred_accent, "mexican");
    b.created_at_ms = T0 - 20 * SECOND;
    c.created_at_ms = T0 - 10 * SECOND;
    b.excluded = &c.user_id; /* so that the two are not a pair themselves */
    b.excluded_count = 1;
    add(&b);
    add(&c);
    expect_none(T0 - 10 * SECOND);
    add(&a);
    assert_int_equal(expect_pair(T0, 3, 1).score, 120);
}

static void of_equals_the_longest_waiting_then_the_smallest_id(void **state)
{
    (void)state;
    struct match_request r[4];
    struct uuid all[4];
    for (unsigned i = 0; i < 4; i++) {
        r[i] = newcomer(10 + i);
        all[i] = r[i].user_id;
        r[i].created_at_ms = T0 - (i == 0 ? 5 : 7) * SECOND;
        r[i].excluded = all; /* not with each other */
        r[i].excluded_count = 4;
    }
    for (int i = 3; i >= 0; i--)
        add(&r[i]);
    expect_none(T0);
    static const unsigned order[] = {11, 12, 13, 10};
    for (unsigned i = 0; i < 4; i++) {
        struct match_request arrival = newcomer(20 + i);
        add(&arrival);
        expect_pair(T0, order[i], 20 + i);
    }
}

static void a_past_together_makes_way_for_a_stranger(void **state)
{
    (void)state;
    struct match_request a = newcomer(1), friend = newcomer(2), stranger = newcomer(3);
    struct match_past_partner past = {friend.user_id, T0 - DAY};
    a.history = &past;
    a.history_count = 1;
    friend.created_at_ms = T0 - 10 * SECOND;
    stranger.created_at_ms = T0 - 5 * SECOND;
    friend.excluded = &stranger.user_id;
    friend.excluded_count = 1;
    add(&friend);
    add(&stranger);
    expect_none(T0 - 5 * SECOND);
    add(&a);
    expect_pair(T0, 3, 1);
    expect_none(T0 + 29 * SECOND);
}

static void the_index_forgets_nothing_it_was_not_told(void **state)
{
    (void)state;
    struct match_past_partner past[2] = {{id_of(1), T0}, {id_of(2), T0}};
    struct uuid excluded[2] = {id_of(1000002), id_of(9)};
    struct match_request a = newcomer(1), b = newcomer(2);
    a.history = past;
    a.history_count = 2;
    a.excluded = excluded;
    a.excluded_count = 2;
    add(&a);
    memset(past, 0xFF, sizeof past); /* the index has its own copy */
    memset(excluded, 0xFF, sizeof excluded);
    memset(&a, 0xFF, sizeof a);
    add(&b);
    expect_none(T0);
}

/* --- life of a ticket --- */

static void added_removed_and_added_again(void **state)
{
    (void)state;
    struct match_request a = newcomer(1), b = newcomer(2);
    add(&a);
    assert_false(pairing_add(p, &a));
    assert_int_equal(pairing_count(p), 1);
    assert_true(pairing_remove(p, &a.id));
    assert_false(pairing_remove(p, &a.id));
    assert_false(pairing_contains(p, &a.id));
    add(&b);
    expect_none(T0);
    add(&a); /* a lost claim: back with the wait it had */
    expect_pair(T0 + SECOND, 1, 2);
}

static void the_next_due_time_follows_the_phases(void **state)
{
    (void)state;
    struct match_request a = newcomer(1);
    a.expires_at_ms = T0 + 130 * SECOND;
    assert_int_equal(pairing_next_due_ms(p), INT64_MAX);
    add(&a);
    static const int64_t due[] = {0, 30000, 60000, 120000, 130000};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(pairing_next_due_ms(p), T0 + due[i]);
        expect_none(T0 + due[i]);
    }
    struct pairing_ticket ticket;
    assert_false(pairing_expire(p, T0 + 130 * SECOND - 1, &ticket));
    assert_true(pairing_expire(p, T0 + 130 * SECOND, &ticket));
    assert_true(uuid_eq(&ticket.request_id, &a.id) && uuid_eq(&ticket.user_id, &a.user_id));
    assert_int_equal(pairing_next_due_ms(p), INT64_MAX);
}

static void a_scheduled_request_sleeps_until_its_time(void **state)
{
    (void)state;
    struct match_request a = newcomer(1), b = newcomer(2);
    b.mode = MATCH_SCHEDULED;
    b.scheduled_for_ms = T0 + 20 * SECOND;
    add(&a);
    add(&b);
    expect_none(T0 + 20 * SECOND - 1);
    assert_int_equal(pairing_next_due_ms(p), T0 + 20 * SECOND);
    expect_pair(T0 + 20 * SECOND, 1, 2);
}

static void expiry_goes_by_time(void **state)
{
    (void)state;
    struct pairing_ticket ticket;
    for (unsigned i = 0; i < 50; i++) {
        struct match_request r = newcomer(i);
        snprintf(r.topic_code, sizeof r.topic_code, "alone_%u", i);
        r.topic_category = CATEGORY_OTHER;
        snprintf(r.target_language, sizeof r.target_language, "l%u", i);
        r.expires_at_ms = T0 + (i * 37 % 50 + 10) * SECOND;
        if (i == 7)
            r.expires_at_ms = 0; /* never */
        add(&r);
    }
    expect_none(T0 + 100 * SECOND);
    int64_t last = 0;
    int n = 0;
    while (pairing_expire(p, T0 + 100 * SECOND, &ticket)) {
        assert_true(ticket.expires_at_ms >= last);
        last = ticket.expires_at_ms;
        n++;
    }
    assert_int_equal(n, 49);
    assert_int_equal(pairing_count(p), 1);
}

static void time_that_steps_back_stands_still(void **state)
{
    (void)state;
    struct match_request a = request_of(1), b = request_of(2);
    add(&a);
    expect_none(T0 + 31 * SECOND);
    add(&b);
    expect_pair(T0 + 5 * SECOND, 1, 2); /* `a` has waited 31 s, whatever the clock says now */
}

static void a_new_table_counts_from_the_next_try(void **state)
{
    (void)state;
    static const struct topic_pair other[] = {{"news", "travel.airport"}};
    struct match_request a = newcomer(1), b = newcomer(2), c = newcomer(3);
    strcpy(b.topic_code, "work.business_trip");
    strcpy(c.topic_code, "news");
    b.topic_category = CATEGORY_WORK;
    c.topic_category = CATEGORY_NEWS;
    add(&a);
    expect_none(T0);
    pairing_set_compatible(p, other, 1);
    add(&b);
    expect_none(T0);
    add(&c);
    expect_pair(T0, 1, 3);
}

static void write_queue(const struct pairing_queue *queue, void *arg)
{
    struct buf *b = arg;
    buf_addf(b, "%s:%zu+%zu ", queue->language, queue->waiting, queue->scheduled);
    if (queue->oldest_wait_start_ms == INT64_MAX)
        buf_addz(b, "- ");
    else
        buf_addf(b, "%lld ", (long long)(queue->oldest_wait_start_ms - T0));
}

static void expect_queues(const char *text)
{
    struct buf b = {0};
    pairing_each_queue(p, write_queue, &b);
    buf_addc(&b, '\0');
    assert_string_equal(b.p, text);
    buf_done(&b);
}

static void requests_are_counted_by_language(void **state)
{
    (void)state;
    struct match_request a = newcomer(1), b = tandem(2, "es", "en"), c = newcomer(3);
    strcpy(c.topic_code, "work");
    c.topic_category = CATEGORY_WORK;
    c.created_at_ms = T0 - 7 * SECOND;
    struct match_request d = newcomer(4);
    d.mode = MATCH_SCHEDULED;
    d.scheduled_for_ms = T0 + DAY;
    add(&a);
    add(&b);
    add(&c);
    add(&d);
    expect_queues("es:2+1 - en:1+0 - ");
    expect_none(T0);
    expect_queues("es:2+1 -7000 en:1+0 0 ");
    assert_true(pairing_remove(p, &c.id));
    expect_none(T0 + 65 * SECOND);
    expect_queues("es:1+1 0 en:1+0 0 ");
    assert_int_equal(pairing_count_of(p, "es"), 1);
    assert_int_equal(pairing_count_of(p, "fr"), 0);
}

/* --- many at one moment --- */

static bool is_pair(const struct pairing_pair *pair, unsigned first, unsigned second)
{
    struct uuid a = id_of(first), b = id_of(second);
    return uuid_eq(&pair->first.request_id, &a) && uuid_eq(&pair->second.request_id, &b);
}

/* 3 finds 1 first, but the points of the two premium ones go further with the two others. */
static void pairs_of_one_moment_exchange_partners(void **state)
{
    (void)state;
    const struct pairing_pair *pairs;
    for (unsigned i = 1; i <= 4; i++) {
        struct match_request r = newcomer(i);
        r.tier = i == 1 || i == 3 ? TIER_PREMIUM : TIER_FREE;
        r.created_at_ms += i == 3 ? 0 : 1;
        add(&r);
    }
    assert_int_equal(pairing_decide(p, T0 + 1, &pairs), 2);
    assert_int_equal(pairs[0].score + pairs[1].score, 300); /* not 150 and 100 */
    assert_true(is_pair(&pairs[0], 3, 2) || is_pair(&pairs[0], 3, 4));
}

/* 1 and 3 wait longest and find each other; 2 and 4, whose topics have nothing in common, would be left
 * alone. */
static void a_pair_parts_for_two_who_were_left_alone(void **state)
{
    (void)state;
    static const char *const topics[] = {"travel", "travel.hotel", "travel", "travel.airport"};
    const struct pairing_pair *pairs;
    for (unsigned i = 0; i < 4; i++) {
        struct match_request r = newcomer(i + 1);
        strcpy(r.topic_code, topics[i]);
        r.created_at_ms -= i == 0 || i == 2;
        add(&r);
    }
    assert_int_equal(pairing_decide(p, T0, &pairs), 2);
    assert_true(is_pair(&pairs[0], 1, 2) || is_pair(&pairs[0], 1, 4));
    assert_int_equal(pairing_count(p), 0);
}

static void one_call_does_so_much_and_no_more(void **state)
{
    (void)state;
    const struct pairing_pair *pairs;
    size_t calls = 0, sum = 0;
    for (unsigned i = 0; i < 20000; i++) {
        struct match_request r = newcomer(i + 1);
        add(&r);
    }
    for (; pairing_has_due(p, T0); calls++) {
        size_t count = pairing_decide(p, T0, &pairs);
        assert_true(count <= PAIRING_BATCH_MAX / 2);
        sum += count;
    }
    assert_int_equal(sum, 10000);
    assert_true(calls >= 10000 / (PAIRING_BATCH_MAX / 2));
    assert_int_equal(pairing_count(p), 0);
}

static void freeing_nothing_is_harmless(void **state)
{
    (void)state;
    pairing_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_perfect_fit_is_paired_at_once),
        TEST(a_score_below_100_waits_for_30_seconds),
        TEST(one_level_apart_waits_for_30_seconds),
        TEST(a_related_topic_will_do_at_once),
        TEST(the_same_category_waits_for_60_seconds),
        TEST(any_level_waits_for_120_seconds),
        TEST(a_score_below_the_minimum_waits_for_120_seconds),
        TEST(whoever_takes_any_level_is_never_too_far),
        TEST(the_last_pass_takes_any_level_before_expiry),
        TEST(the_last_pass_is_made_when_the_clock_jumped_past_the_expiry),
        TEST(an_arrival_finds_an_old_waiter_on_the_old_ones_terms),
        TEST(never_the_same_user),
        TEST(never_a_blocked_user_whoever_blocked),
        TEST(never_another_language_or_category),
        TEST(crossed_languages_make_a_tandem),
        TEST(a_tandem_seeker_takes_plain_practice_from_60_seconds),
        TEST(two_seekers_of_one_direction_may_practise_from_60_seconds),
        TEST(crossed_languages_do_not_help_who_did_not_ask),
        TEST(a_seeker_without_native_language_does_no_harm),
        TEST(the_best_score_wins),
        TEST(of_equals_the_longest_waiting_then_the_smallest_id),
        TEST(a_past_together_makes_way_for_a_stranger),
        TEST(the_index_forgets_nothing_it_was_not_told),
        TEST(added_removed_and_added_again),
        TEST(the_next_due_time_follows_the_phases),
        TEST(a_scheduled_request_sleeps_until_its_time),
        TEST(expiry_goes_by_time),
        TEST(time_that_steps_back_stands_still),
        TEST(a_new_table_counts_from_the_next_try),
        TEST(requests_are_counted_by_language),
        TEST(pairs_of_one_moment_exchange_partners),
        TEST(a_pair_parts_for_two_who_were_left_alone),
        TEST(one_call_does_so_much_and_no_more),
        TEST(freeing_nothing_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
