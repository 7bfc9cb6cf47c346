/* What operators see of matching. */
#include "flows/fakes/waiting.h"
#include "flows/matchmaker.h"

static void given_fresh_metrics(void)
{
    metrics_reset();
    given_matchmaker();
}

static void the_queue_is_measured_when_it_is_asked_for(void **state)
{
    (void)state;
    given_fresh_metrics();
    arrives(REQUEST_A, ANA);
    pass_ms(7500);
    struct match_request *ben = given_request(REQUEST_B, BEN);
    ben->mode = MATCH_SCHEDULED;
    ben->scheduled_for_ms = world_now_ms() + 60 * MINUTE;
    ben->expires_at_ms = ben->scheduled_for_ms + 2 * MINUTE;
    matchmaker_add(ben);
    pass_ms(0);
    assert_metric("redis_queue_size{language=\"es\"} 1");
    assert_metric("match_oldest_wait_seconds{language=\"es\"} 7.5");
    assert_metric("match_requests_scheduled{language=\"es\"} 1");
    matchmaker_remove(&row(REQUEST_A)->id, WAIT_CANCELLED);
    matchmaker_remove(&ben->id, WAIT_CANCELLED);
    assert_metric("redis_queue_size{language=\"es\"} 0");
    assert_metric("match_oldest_wait_seconds{language=\"es\"} 0");
    assert_metric("match_requests_scheduled{language=\"es\"} 0");
}

static void a_pair_counts_with_its_waits_score_and_phase(void **state)
{
    (void)state;
    given_fresh_metrics();
    arrives(REQUEST_A, ANA);
    pass_ms(40000);
    arrives(REQUEST_B, BEN)->level = LEVEL_B1;
    pass_ms(10);
    assert_status(REQUEST_A, MATCH_MATCHED);
    assert_metric("matches_total{language=\"es\",phase=\"level\"} 1");
    assert_metric("match_score_bucket{le=\"90\"} 0");
    assert_metric("match_score_bucket{le=\"100\"} 1");
    assert_metric("match_score_sum 100");
    assert_metric("match_wait_time_seconds_bucket{language=\"es\",le=\"30\"} 1");
    assert_metric("match_wait_time_seconds_bucket{language=\"es\",le=\"60\"} 2");
    assert_metric("match_wait_time_seconds_count{language=\"es\"} 2");
}

static void a_pair_made_ahead_of_time_has_not_waited(void **state)
{
    (void)state;
    given_fresh_metrics();
    for (int i = 0; i < 2; i++) {
        struct match_request *r = given_request(i ? REQUEST_B : REQUEST_A, i ? BEN : ANA);
        r->mode = MATCH_SCHEDULED;
        r->scheduled_for_ms = world_now_ms() + (60 + i) * MINUTE;
        r->expires_at_ms = r->scheduled_for_ms + 2 * MINUTE;
        matchmaker_add(r);
    }
    pass_ms(10);
    assert_status(REQUEST_A, MATCH_MATCHED);
    assert_metric("matches_total{language=\"es\",phase=\"ahead\"} 1");
    assert_metric("match_score_count 1");
    struct buf text = {0};
    metrics_render(&text);
    buf_addc(&text, '\0');
    assert_null(strstr(text.p, "match_wait_time_seconds_count"));
    buf_done(&text);
}

static void an_expiry_says_whether_anybody_else_was_there(void **state)
{
    (void)state;
    given_fresh_metrics();
    arrives(REQUEST_A, ANA);
    pass_ms(1000);
    struct match_request *ben = given_request(REQUEST_B, BEN);
    ben->topic_category = CATEGORY_WORK;
    strcpy(ben->topic_code, "work");
    matchmaker_add(ben);
    pass_ms(119500);
    assert_status(REQUEST_A, MATCH_EXPIRED);
    assert_metric("match_requests_expired_total{language=\"es\",reason=\"no_fit\"} 1");
    pass_ms(2000);
    assert_status(REQUEST_B, MATCH_EXPIRED);
    assert_metric("match_requests_expired_total{language=\"es\",reason=\"alone\"} 1");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(the_queue_is_measured_when_it_is_asked_for),
        WORLD_TEST(a_pair_counts_with_its_waits_score_and_phase),
        WORLD_TEST(a_pair_made_ahead_of_time_has_not_waited),
        WORLD_TEST(an_expiry_says_whether_anybody_else_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
