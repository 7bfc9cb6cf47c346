#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "conversation/base/metrics.h"

static struct buf out;

static const char *render(void)
{
    out.n = 0;
    metrics_render(&out);
    buf_addc(&out, '\0');
    return out.p;
}

static void assert_has(const char *line)
{
    struct buf needle = {0};
    buf_addf(&needle, "\n%s\n", line);
    buf_addc(&needle, '\0');
    bool found = strstr(render(), needle.p) != NULL;
    buf_done(&needle);
    if (!found)
        fail_msg("no line: %s", line);
}

static int lines_with(const char *prefix)
{
    int count = 0;
    for (const char *p = render(); (p = strstr(p, prefix)) != NULL; p++)
        count++;
    return count;
}

static void plain_metrics_start_at_zero(void **state)
{
    (void)state;
    assert_has("# TYPE http_connections_active gauge");
    assert_has("http_connections_active 0");
    assert_has("websocket_slow_consumers_total 0");
    assert_has("event_loop_lag_seconds_count 0");
    assert_has("# HELP http_requests_total REST requests answered");
    assert_int_equal(lines_with("\nhttp_requests_total{"), 0);
}

static void counts_and_sets(void **state)
{
    (void)state;
    metric_inc(M_WS_SLOW_CLOSED, NULL);
    ++*metric_counter(M_WS_SLOW_CLOSED, NULL);
    metric_add(M_HTTP_CONNECTIONS, 3, NULL, NULL, NULL);
    metric_add(M_HTTP_CONNECTIONS, -1, NULL, NULL, NULL);
    metric_set(M_MATCH_SUCCESS_RATE, 62.5, NULL);
    metric_set(M_DEPENDENCY_UP, 1, "redis");
    metric_set(M_DEPENDENCY_UP, 0, "postgresql");
    metric_add(M_HTTP_REQUESTS, 1, "GET", "/v1/sessions/:id", "200");
    metric_add(M_HTTP_REQUESTS, 1, "GET", "/v1/sessions/:id", "200");
    metric_add(M_HTTP_REQUESTS, 1, "GET", "/v1/sessions/:id", "404");
    metric_inc(M_CONVERSATIONS_ABORTED, NULL); /* a label without a value is empty */
    assert_has("websocket_slow_consumers_total 2");
    assert_has("http_connections_active 2");
    assert_has("match_success_rate 62.5");
    assert_has("dependency_up{dependency=\"redis\"} 1");
    assert_has("dependency_up{dependency=\"postgresql\"} 0");
    assert_has("http_requests_total{method=\"GET\",route=\"/v1/sessions/:id\",status=\"200\"} 2");
    assert_has("http_requests_total{method=\"GET\",route=\"/v1/sessions/:id\",status=\"404\"} 1");
    assert_has("conversations_aborted_total{language=\"\"} 1");
    metric_add(M_WS_SLOW_CLOSED, 1e12, NULL, NULL, NULL);
    assert_has("websocket_slow_consumers_total 1000000000002");
}

static void keeps_means(void **state)
{
    (void)state;
    for (int rating = 1; rating <= 5; rating++)
        metric_mean(M_RATING_AVG, rating, "IB3");
    metric_mean(M_RATING_AVG, 4, "IB4");
    metric_mean(M_RATING_AVG, 5, "IB4");
    assert_has("conversation_rating_avg{topic=\"IB3\"} 3");
    assert_has("conversation_rating_avg{topic=\"IB4\"} 4.5");
}

static void writes_values_that_are_no_numbers(void **state)
{
    (void)state;
    metric_set(M_MATCH_SUCCESS_RATE, NAN, NULL);
    assert_has("match_success_rate NaN");
    metric_set(M_MATCH_SUCCESS_RATE, -INFINITY, NULL);
    assert_has("match_success_rate -Inf");
}

static void escapes_label_values(void **state)
{
    (void)state;
    metric_inc(M_PROMPTS, "a\"b\\c\nd\xFF\xC3\xA9");
    assert_has("prompts_displayed_total{type=\"a\\\"b\\\\c\\nd?\xC3\xA9\"} 1");
}

static void histograms_are_cumulative(void **state)
{
    (void)state;
    static const double values[] = {0, 0.0005, 0.0006, 0.3, 299, 301};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        metric_observe(M_HTTP_DURATION, values[i], "/x");
        metric_observe(M_LOOP_LAG, values[i], NULL);
    }
    assert_has("http_request_duration_seconds_bucket{route=\"/x\",le=\"0.0005\"} 2");
    assert_has("http_request_duration_seconds_bucket{route=\"/x\",le=\"0.001\"} 3");
    assert_has("http_request_duration_seconds_bucket{route=\"/x\",le=\"0.25\"} 3");
    assert_has("http_request_duration_seconds_bucket{route=\"/x\",le=\"0.5\"} 4");
    assert_has("http_request_duration_seconds_bucket{route=\"/x\",le=\"300\"} 5");
    assert_has("http_request_duration_seconds_bucket{route=\"/x\",le=\"+Inf\"} 6");
    assert_has("http_request_duration_seconds_sum{route=\"/x\"} 600.3011");
    assert_has("http_request_duration_seconds_count{route=\"/x\"} 6");
    assert_has("event_loop_lag_seconds_bucket{le=\"0.0005\"} 2");
    assert_has("event_loop_lag_seconds_sum 600.3011");
    assert_has("event_loop_lag_seconds_count 6");
}

static void scores_have_bounds_of_their_own(void **state)
{
    (void)state;
    metric_observe(M_MATCH_SCORE, 0, NULL);
    metric_observe(M_MATCH_SCORE, 100, NULL);
    metric_observe(M_MATCH_SCORE, 270, NULL);
    assert_has("# TYPE match_score histogram");
    assert_has("match_score_bucket{le=\"0\"} 1");
    assert_has("match_score_bucket{le=\"90\"} 1");
    assert_has("match_score_bucket{le=\"100\"} 2");
    assert_has("match_score_bucket{le=\"250\"} 2");
    assert_has("match_score_bucket{le=\"+Inf\"} 3");
    assert_has("match_score_sum 370");
}

static int first_updates, second_updates;

static void first_update(void)
{
    first_updates++;
}

static void second_update(void)
{
    second_updates++;
}

static void each_update_is_called_once_a_rendering(void **state)
{
    (void)state;
    metrics_on_render(first_update);
    metrics_on_render(second_update);
    metrics_on_render(first_update);
    struct buf text = {0};
    metrics_render(&text);
    metrics_on_render(NULL);
    metrics_render(&text);
    buf_done(&text);
    assert_int_equal(first_updates, 1);
    assert_int_equal(second_updates, 1);
}

static void bounds_the_series_of_a_metric(void **state)
{
    (void)state;
    char type[16];
    for (int i = 0; i < 3 * METRIC_SERIES_MAX; i++) {
        snprintf(type, sizeof type, "t%d", i);
        metric_inc(M_WS_MESSAGES, type);
    }
    ++*metric_counter(M_WS_MESSAGES, "t0");
    metric_inc(M_PROMPTS, "icebreaker");
    assert_int_equal(lines_with("\nwebsocket_messages_total{"), METRIC_SERIES_MAX);
    snprintf(type, sizeof type, "%d", 3 * METRIC_SERIES_MAX - (METRIC_SERIES_MAX - 1));
    struct buf want = {0};
    buf_addf(&want, "websocket_messages_total{type=\"other\"} %s", type);
    buf_addc(&want, '\0');
    assert_has(want.p);
    buf_done(&want);
    assert_has("websocket_messages_total{type=\"t0\"} 2");
    assert_has("prompts_displayed_total{type=\"icebreaker\"} 1");
}

static void every_line_is_a_comment_or_a_sample(void **state)
{
    (void)state;
    metric_add(M_HTTP_REQUESTS, 1, "GET", "/", "200");
    metric_observe(M_HTTP_DURATION, 1, "/");
    struct str rest = str_of(render());
    for (struct str line = str_cut(&rest, '\n'); rest.n; line = str_cut(&rest, '\n')) {
        bool is_comment = str_starts_with(line, STR("# HELP ")) || str_starts_with(line, STR("# TYPE "));
        bool is_sample = line.n > 0 && line.p[0] >= 'a' && line.p[0] <= 'z' && memchr(line.p, ' ', line.n);
        assert_true(is_comment || is_sample);
    }
}

static int reset(void **state)
{
    (void)state;
    metrics_reset();
    return 0;
}

static int tear_down(void **state)
{
    metrics_reset();
    buf_done(&out);
    (void)state;
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, reset, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plain_metrics_start_at_zero),
        TEST(counts_and_sets),
        TEST(keeps_means),
        TEST(writes_values_that_are_no_numbers),
        TEST(escapes_label_values),
        TEST(histograms_are_cumulative),
        TEST(scores_have_bounds_of_their_own),
        TEST(each_update_is_called_once_a_rendering),
        TEST(bounds_the_series_of_a_metric),
        TEST(every_line_is_a_comment_or_a_sample),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
