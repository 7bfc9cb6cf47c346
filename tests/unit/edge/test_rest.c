/* REST dispatch: each column of the route table, clients that leave, and the end. */
#include "rest_fixture.h"

/* --- the columns --- */

static void an_unknown_path_is_404(void **state)
{
    (void)state;
    send_request("GET", API("/nowhere"), "X-Correlation-Id: c1\r\n", NULL);
    expect_answer(
        404,
        "{\"statusCode\":404,\"error\":\"Not Found\",\"message\":\"NOT_FOUND\",\"correlationId\":\"c1\"}");
    assert_true(peer_has(&peer, "X-Correlation-Id: c1\r\n"));
    assert_true(peer_has(&peer, "Cache-Control: no-store\r\n"));
    assert_true(metric_value("http_requests_total{method=\"GET\",route=\"none\",status=\"404\"}") == 1);
}

static void a_wrong_method_is_405_with_allow(void **state)
{
    (void)state;
    send_request("DELETE", API("/echo"), "", NULL);
    expect_answer(405, "\"message\":\"METHOD_NOT_ALLOWED\"");
    assert_true(peer_has(&peer, "Allow: GET, POST, HEAD, OPTIONS\r\n"));
    send_request("PROPFIND", API("/echo"), "", NULL);
    expect_answer(501, "\"message\":\"NOT_IMPLEMENTED\"");
}

static void options_tells_the_methods(void **state)
{
    (void)state;
    send_request("OPTIONS", API("/things/1"), "", NULL);
    expect_status(204);
    assert_true(peer_has(&peer, "Allow: GET, DELETE, HEAD, OPTIONS\r\n"));
    assert_false(peer_has(&peer, "Content-Length"));
    send_request("OPTIONS", API("/nowhere"), "", NULL);
    expect_status(404);
}

static void a_good_token_says_who_calls(void **state)
{
    (void)state;
    send_request("GET", API("/mine"), bearer(), NULL);
    expect_answer(200, "\"userId\":\"" USER_ID "\",\"displayName\":\"Ada\"");
}

static void expect_unauthorized(const char *headers, const char *reason)
{
    send_request("GET", API("/mine"), headers, NULL);
    expect_answer(401,
                  "\"message\":\"UNAUTHORIZED\",\"details\":[{\"field\":\"Authorization\",\"reason\":\"");
    assert_true(peer_has(&peer, reason));
    assert_true(peer_has(&peer, "WWW-Authenticate: Bearer\r\n"));
    assert_false(peer_has(&peer, "Retry-After"));
}

static void without_a_good_token_it_is_401(void **state)
{
    (void)state;
    expect_unauthorized("", "a bearer token is required");
    expect_unauthorized(authorization(""), "a bearer token is required");
    expect_unauthorized(authorization("Bearer"), "a bearer token is required");
    expect_unauthorized(authorization("Bearer "), "a bearer token is required");
    expect_unauthorized(authorization("Basic dXNlcjpwYXNz"), "a bearer token is required");
    expect_unauthorized(authorization("Bearer nonsense"), "");
    clock_set_for_test(clock_now_ms() + 7200000, clock_mono_ms());
    expect_unauthorized(bearer(), "expired");
}

static void the_scheme_may_be_written_in_any_case(void **state)
{
    (void)state;
    char value[2048];
    snprintf(value, sizeof value, "bEARER   %s  ", token.p);
    send_request("GET", API("/mine"), authorization(value), NULL);
    expect_status(200);
}

static void a_body_must_be_json(void **state)
{
    (void)state;
    send_request("POST", API("/echo"), "", "{}");
    expect_answer(415, "\"message\":\"UNSUPPORTED_MEDIA_TYPE\",\"details\":[{\"field\":\"Content-Type\"");
    send_request("POST", API("/echo"), "Content-Type: text/plain\r\n", "{}");
    expect_status(415);
    send_request("POST", API("/echo"), "Content-Type: application/jsonp\r\n", "{}");
    expect_status(415);
    send_request("POST", API("/echo"), JSON_TYPE, "{\"count\":");
    expect_answer(400, "\"message\":\"INVALID_REQUEST\"");
    send_request("POST", API("/echo"), JSON_TYPE, "[]");
    expect_status(400);
    send_request("DELETE", API("/things/" USER_ID), "Content-Type: text/plain\r\n", "ignored");
    expect_status(200);
}

static void bad_input_is_400_with_every_field(void **state)
{
    (void)state;
    send_request("POST", API("/echo"), JSON_TYPE, "{\"count\":10,\"name\":7}");
    expect_answer(400, "\"details\":[{\"field\":\"count\",");
    assert_true(peer_has(&peer, "{\"field\":\"name\","));
    send_request("GET", API("/echo?count=x"), "", NULL);
    expect_answer(400, "{\"field\":\"count\",");
    send_request("GET", API("/echo?name=%zz"), "", NULL);
    expect_answer(400, "{\"field\":\"query\",\"reason\":\"malformed query string\"}");
    send_request("GET", API("/things/7"), "", NULL);
    expect_answer(400, "{\"field\":\"id\",");
}

static void above_the_rate_limit_it_is_429_with_the_time_to_wait(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        send_request("POST", API("/limited"), bearer(), NULL);
        expect_status(200);
    }
    advance(60500);
    send_request("POST", API("/limited"), bearer(), NULL);
    expect_answer(429, "\"message\":\"RATE_LIMITED\"");
    assert_true(peer_has(&peer, "Retry-After: 3540\r\n")); /* 3539.5 s, rounded up */
}

/* --- clients that leave, and the end --- */

static void a_client_that_leaves_cancels_its_flow(void **state)
{
    (void)state;
    send_request("GET", API("/slow"), "", NULL);
    turns(5);
    assert_non_null(sleeping);
    close(peer.fd);
    peer.fd = -1;
    turns(5);
    assert_int_equal(ended, 1);
    assert_int_equal(flow_active_count(), 0);
    assert_true(metric_value("http_requests_total{method=\"GET\",route=\"/slow\",status=\"499\"}") == 1);
}

static void draining_refuses_new_work_but_not_probes(void **state)
{
    (void)state;
    assert_false(edge_is_draining());
    rest_drain();
    assert_true(edge_is_draining());
    send_request("GET", API("/mine"), bearer(), NULL);
    expect_answer(503, "\"message\":\"SERVICE_UNAVAILABLE\"");
    assert_true(peer_has(&peer, "Retry-After: 1\r\n"));
    send_request("GET", "/ready", "", NULL);
    expect_answer(200, "ready\n");
}

static void what_http_refuses_has_the_error_body(void **state)
{
    (void)state;
    peer_send(&peer, "GET / HTTP/1.1\r\nX-Request-Id: r1\r\n\r\n");
    peer_expect_end(&peer);
    assert_true(peer_has(
        &peer, "{\"statusCode\":400,\"error\":\"Bad Request\",\"message\":\"INVALID_REQUEST\",\"details\":"
               "[{\"reason\":\"exactly one Host header is required\"}],\"correlationId\":\"r1\"}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_unknown_path_is_404),
        TEST(a_wrong_method_is_405_with_allow),
        TEST(options_tells_the_methods),
        TEST(a_good_token_says_who_calls),
        TEST(without_a_good_token_it_is_401),
        TEST(the_scheme_may_be_written_in_any_case),
        TEST(a_body_must_be_json),
        TEST(bad_input_is_400_with_every_field),
        TEST(above_the_rate_limit_it_is_429_with_the_time_to_wait),
        TEST(a_client_that_leaves_cancels_its_flow),
        TEST(draining_refuses_new_work_but_not_probes),
        TEST(what_http_refuses_has_the_error_body),
    };
    return cmocka_run_group_tests(tests, make_key, free_key);
}
