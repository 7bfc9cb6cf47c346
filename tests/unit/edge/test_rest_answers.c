/* What REST answers have in common: their form, correlation ids, errors, entity tags, and who may read them.
 */
#include "rest_fixture.h"

/* --- answers --- */

static void a_flow_answers_with_json(void **state)
{
    (void)state;
    send_request("GET", API("/echo?count=3&name=%C3%A9t%C3%A9"), "", NULL);
    expect_answer(200, "{\"count\":3,\"name\":\"été\",\"userId\":\"00000000-0000-0000-0000-000000000000\","
                       "\"displayName\":\"\"}");
    assert_true(peer_has(&peer, "Content-Type: application/json; charset=utf-8\r\n"));
    assert_true(peer_has(&peer, "Connection: keep-alive\r\n"));
    assert_true(metric_value("http_requests_total{method=\"GET\",route=\"/echo\",status=\"200\"}") == 1);
    assert_true(metric_value("http_request_duration_seconds_count{route=\"/echo\"}") == 1);
}

static void a_body_is_decoded(void **state)
{
    (void)state;
    send_request("POST", API("/echo"), JSON_TYPE, "{\"count\":4,\"name\":\"x\"}");
    expect_answer(200, "{\"count\":4,\"name\":\"x\"");
    assert_true(peer_has(&peer, "Cache-Control: no-store\r\n"));
    send_request("POST", API("/echo"), "Content-Type: Application/JSON ; charset=utf-8\r\n", "{}");
    expect_answer(200, "{\"count\":1,");
    send_request("POST", API("/echo"), "", NULL);
    expect_answer(200, "{\"count\":1,");
}

static void head_is_get_without_a_body(void **state)
{
    (void)state;
    send_request("HEAD", API("/echo"), "", NULL);
    expect_status(200);
    assert_true(peer_has(&peer, "Content-Length: "));
    assert_true(peer_has(&peer, "ETag: "));
    assert_false(peer_has(&peer, "{"));
    send_request("HEAD", API("/nowhere"), "", NULL);
    expect_status(404);
    assert_false(peer_has(&peer, "{"));
}

static void two_requests_at_once_are_answered_in_order(void **state)
{
    (void)state;
    peer_send(&peer,
              "GET " API("/slow") " HTTP/1.1\r\nHost: x\r\n\r\nGET /ready HTTP/1.1\r\nHost: x\r\n\r\n");
    turns(5);
    assert_int_equal(peer.got.n, 0);
    advance(1100);
    peer_expect(&peer, "ready\n");
    assert_true(strstr(peer.got.p, "slow") < strstr(peer.got.p, "ready"));
}

/* --- the correlation id --- */

static void expect_correlation(const char *headers, const char *id)
{
    char line[256];
    send_request("GET", "/ready", headers, NULL);
    expect_status(200);
    snprintf(line, sizeof line, "X-Correlation-Id: %s\r\n", id);
    if (id)
        assert_true(peer_has(&peer, line));
    const char *at = strstr(peer.got.p, "X-Correlation-Id: ");
    assert_non_null(at);
    struct uuid fresh;
    if (!id)
        assert_true(uuid_parse((struct str){at + strlen("X-Correlation-Id: "), UUID_TEXT_LENGTH}, &fresh));
}

static void the_correlation_id_is_taken_over_when_well_formed(void **state)
{
    (void)state;
    char longest[200] = "X-Correlation-Id: ";
    expect_correlation("", NULL);
    expect_correlation("X-Correlation-Id: a-B_9.:z\r\n", "a-B_9.:z");
    expect_correlation("X-Request-Id: r1\r\n", "r1");
    expect_correlation("X-Request-Id: r1\r\nX-Correlation-Id: c1\r\n", "c1");
    expect_correlation("X-Correlation-Id: no spaces\r\nX-Request-Id: r1\r\n", "r1");
    expect_correlation("X-Correlation-Id: <script>\r\n", NULL);
    expect_correlation("X-Correlation-Id: \xc3\xa9\r\n", NULL);
    size_t at = strlen(longest);
    memset(longest + at, 'a', CORRELATION_ID_MAX);
    strcpy(longest + at + CORRELATION_ID_MAX, "\r\n");
    char id[CORRELATION_ID_MAX + 1] = "";
    memset(id, 'a', CORRELATION_ID_MAX);
    expect_correlation(longest, id);
    memset(longest + at, 'a', CORRELATION_ID_MAX + 1);
    strcpy(longest + at + CORRELATION_ID_MAX + 1, "\r\n");
    expect_correlation(longest, NULL);
}

/* --- failures --- */

static void failures_have_their_status_and_headers(void **state)
{
    (void)state;
    static const struct {
        enum err err;
        int status;
        const char *code, *header;
    } cases[] = {
        {ERR_TOPIC_LOCKED, 403, "TOPIC_LOCKED", "no-store"},
        {ERR_DB_UNAVAILABLE, 503, "SERVICE_UNAVAILABLE", "Retry-After: 1\r\n"},
        {ERR_KV_UNAVAILABLE, 503, "MATCHING_UNAVAILABLE", "Retry-After: 1\r\n"},
        {ERR_INTERNAL, 500, "INTERNAL_ERROR", "no-store"},
        {ERR_INVALID_RATING, 422, "INVALID_RATING", "no-store"},
    };
    log_set_threshold(LOG_ERROR + 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        failure = cases[i].err;
        send_request("GET", API("/fail"), "", NULL);
        expect_answer(cases[i].status, cases[i].code);
        assert_true(peer_has(&peer, cases[i].header));
    }
}

/* --- entity tags --- */

static void an_unchanged_answer_is_304(void **state)
{
    (void)state;
    char tag[32] = "", headers[256];
    send_request("GET", API("/echo"), "", NULL);
    expect_status(200);
    assert_true(peer_has(&peer, "Cache-Control: private, no-cache\r\n"));
    assert_int_equal(sscanf(strstr(peer.got.p, "ETag: "), "ETag: %31s", tag), 1);
    const char *const hits[] = {"%s", "W/%s", "\"other\", %s", "*", " \"a\" ,%s,\"b\""};
    for (size_t i = 0; i < sizeof hits / sizeof hits[0]; i++) {
        char value[128];
        snprintf(value, sizeof value, hits[i], tag);
        snprintf(headers, sizeof headers, "If-None-Match: %s\r\n", value);
        send_request("GET", API("/echo"), headers, NULL);
        expect_status(304);
        assert_true(peer_has(&peer, tag));
        assert_true(peer_has(&peer, "X-Correlation-Id: "));
        assert_false(peer_has(&peer, "Content-"));
        assert_false(peer_has(&peer, "{"));
    }
    send_request("GET", API("/echo?count=2"), headers, NULL); /* another body */
    expect_status(200);
    send_request("GET", API("/echo"), "If-None-Match: \"\"\r\n", NULL);
    expect_status(200);
    send_request("POST", API("/echo"), "If-None-Match: *\r\n", NULL); /* a row without tags */
    expect_status(200);
}

static void tag_of_name(const char *name, char tag[32])
{
    char path[512];
    snprintf(path, sizeof path, API("/say?name=%s"), name);
    send_request("GET", path, "", NULL);
    expect_status(200);
    assert_int_equal(sscanf(strstr(peer.got.p, "ETag: "), "ETag: %31s", tag), 1);
}

/* Every byte of a body counts, and so does its length. */
static void bodies_that_differ_have_different_tags(void **state)
{
    (void)state;
    char name[80] = "", tag[32], seen[160][32];
    int count = 0;
    for (size_t n = 1; n < 80; n++) {
        memset(name, 'a', n);
        tag_of_name(name, seen[count++]);
    }
    for (size_t i = 0; i < strlen(name); i++) {
        name[i] = 'b';
        tag_of_name(name, seen[count++]);
        name[i] = 'a';
    }
    for (int i = 0; i < count; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(seen[i], seen[k]);
    tag_of_name(name, tag);
    assert_string_equal(tag, seen[strlen(name) - 1]); /* and the same body the same */
}

/* --- cross-origin requests --- */

static void with_origins(const char *origins, void (*test)(void))
{
    const char *configured = config.cors_allowed_origins;
    config.cors_allowed_origins = origins;
    test();
    config.cors_allowed_origins = configured;
}

static void expect_cors(const char *origin, bool is_allowed, bool varies)
{
    char headers[128];
    snprintf(headers, sizeof headers, "Origin: %s\r\n", origin);
    send_request("GET", "/ready", origin ? headers : "", NULL);
    expect_status(200);
    assert_int_equal(peer_has(&peer, "Access-Control-Allow-Origin: "), is_allowed);
    assert_int_equal(
        peer_has(&peer, "Access-Control-Expose-Headers: X-Correlation-Id, Retry-After, ETag\r\n"),
        is_allowed);
    assert_int_equal(peer_has(&peer, "Vary: Origin\r\n"), varies);
}

static void try_listed_origins(void)
{
    expect_cors("https://a.example", true, true);
    assert_true(peer_has(&peer, "Access-Control-Allow-Origin: https://a.example\r\n"));
    expect_cors("https://b.example:8443", true, true);
    expect_cors("https://c.example", false, true);
    expect_cors("https://a.example.evil", false, true);
    expect_cors(NULL, false, true);
    send_request("OPTIONS", API("/echo"),
                 "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n", NULL);
    expect_status(204);
    assert_true(peer_has(&peer, "Access-Control-Allow-Methods: GET, POST, HEAD, OPTIONS\r\n"));
    assert_true(peer_has(&peer, "Access-Control-Allow-Headers: Authorization, Content-Type,"));
    assert_true(peer_has(&peer, "Access-Control-Allow-Origin: https://a.example\r\n"));
    send_request("OPTIONS", API("/echo"),
                 "Origin: https://c.example\r\nAccess-Control-Request-Method: POST\r\n", NULL);
    expect_status(204);
    assert_false(peer_has(&peer, "Access-Control-"));
    send_request("OPTIONS", API("/echo"), "Origin: https://a.example\r\n", NULL);
    expect_status(204);
    assert_false(peer_has(&peer, "Access-Control-Allow-Methods"));
    send_request("GET", API("/nowhere"), "Origin: https://a.example\r\n", NULL); /* errors can be read, too */
    expect_status(404);
    assert_true(peer_has(&peer, "Access-Control-Allow-Origin: https://a.example\r\n"));
}

static void try_any_origin(void)
{
    expect_cors("https://anywhere.example", true, true);
    expect_cors(NULL, false, true);
}

static void try_no_origin(void)
{
    expect_cors("https://a.example", false, false);
}

static void allowed_origins_may_read_answers(void **state)
{
    (void)state;
    with_origins("https://a.example, https://b.example:8443", try_listed_origins);
    with_origins("*", try_any_origin);
    with_origins("", try_no_origin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_flow_answers_with_json),
        TEST(a_body_is_decoded),
        TEST(head_is_get_without_a_body),
        TEST(two_requests_at_once_are_answered_in_order),
        TEST(the_correlation_id_is_taken_over_when_well_formed),
        TEST(failures_have_their_status_and_headers),
        TEST(an_unchanged_answer_is_304),
        TEST(bodies_that_differ_have_different_tags),
        TEST(allowed_origins_may_read_answers),
    };
    return cmocka_run_group_tests(tests, make_key, free_key);
}
