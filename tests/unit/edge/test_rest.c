/* REST dispatch over real connections: each column of the route table, and the answers of flows. */
#include "unit/net/net_fixture.h"

#include "conversation/edge/edge.h"
#include "conversation/edge/reply.h"
#include "conversation/edge/router.h"
#include "conversation/net/http.h"
#include "conversation/rt/flow.h"
#include "edge/gate.h"
#include "edge/rest.h"
#include "unit/codec/token_signer.h"

#define USER_ID "550e8400-e29b-41d4-a716-446655440000"

/* --- the endpoints --- */

struct input {
    int count;
    struct str name;
    struct uuid id;
};

struct call {
    struct input input; /* first */
};

static const struct field fields[] = {
    {.name = "count",
     .type = FIELD_INT,
     .offset = offsetof(struct input, count),
     .min = 1,
     .max = 9,
     .fallback = 1},
    {.name = "name", .type = FIELD_STRING, .offset = offsetof(struct input, name)},
    FIELDS_END,
};

static const struct field fields_with_id[] = {FIELD_ID_FROM_PATH(offsetof(struct input, id)), FIELDS_END};

static struct flow *sleeping;
static int ended;
static enum err failure;

static void run_echo(struct flow *f)
{
    struct call *c = flow_ctx(f);
    FLOW_BEGIN(f);
    struct jsonw *w = reply_begin(f, 200);
    jsonw_object(w);
    jsonw_m_int(w, "count", c->input.count);
    jsonw_m_str(w, "name", c->input.name.p ? c->input.name : STR("none"));
    jsonw_m_uuid_opt(w, "id", &c->input.id);
    jsonw_m_uuid(w, "userId", caller_user_id(f));
    jsonw_m_z(w, "displayName", rest_identity(f)->display_name);
    jsonw_end_object(w);
    reply_send(f);
    FLOW_END(f);
fail:
    reply_error(f);
}

static void run_slow(struct flow *f)
{
    FLOW_BEGIN(f);
    sleeping = f;
    AWAIT(f, flow_sleep(f, 1000));
    reply_raw(f, 200, "text/plain", STR("slow"));
    ended++;
    FLOW_END(f);
fail:
    ended++;
    reply_error(f);
}

static void run_fail(struct flow *f)
{
    FLOW_BEGIN(f);
    reply_retry_after_ms(f, 4200);
    FLOW_FAIL(f, failure);
    FLOW_END(f);
fail:
    reply_error(f);
}

static void run_ready(struct flow *f)
{
    reply_raw(f, 200, "text/plain; version=0.0.4", STR("ready\n"));
}

static const struct handler echo = {{"echo", run_echo, sizeof(struct call), 0}, fields};
static const struct handler show = {{"show", run_echo, sizeof(struct call), 0}, fields_with_id};
static const struct handler slow = {{"slow", run_slow, sizeof(struct call), 0}, NULL};
static const struct handler fails = {{"fail", run_fail, sizeof(struct call), 0}, NULL};
static const struct handler ready = {{"ready", run_ready, sizeof(struct call), 0}, NULL};

static struct rate_limit three_an_hour = {.what = "test", .limit = 3, .window_ms = 3600000};

static const struct route routes[] = {
    {GET, "/echo", &echo, AUTH_NONE, NULL, ROUTE_ETAG},
    {POST, "/echo", &echo, AUTH_NONE, NULL, 0},
    {GET, "/mine", &echo, AUTH_USER, NULL, 0},
    {POST, "/limited", &echo, AUTH_USER, &three_an_hour, 0},
    {GET, "/things/:id", &show, AUTH_NONE, NULL, 0},
    {DELETE, "/things/:id", &show, AUTH_NONE, NULL, 0},
    {GET, "/slow", &slow, AUTH_NONE, NULL, 0},
    {GET, "/fail", &fails, AUTH_NONE, NULL, 0},
    {GET, "/ready", &ready, AUTH_NONE, NULL, ROUTE_OPS},
};

/* --- the fixture --- */

static EVP_PKEY *key;
static struct buf pem, token;
static struct peer peer;

static int make_key(void **state)
{
    (void)state;
    key = EVP_EC_gen("P-256");
    pem = public_pem(key);
    buf_addc(&pem, '\0');
    token = sign_token(key, 256, "{\"alg\":\"ES256\"}",
                       "{\"sub\":\"" USER_ID "\",\"exp\":1736940600,\"name\":\"Ada\"}");
    buf_addc(&token, '\0');
    return 0;
}

static int free_key(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    buf_done(&pem);
    buf_done(&token);
    return 0;
}

static int set_up(void **state)
{
    static const struct http_user user = {.request = rest_request, .refuse = rest_refuse};
    const char *problem, *configured = config.jwt_public_key;
    int fd;
    (void)state;
    edge_set_up();
    configured = config.jwt_public_key;
    config.jwt_public_key = pem.p;
    assert_true(gate_init(&problem));
    config.jwt_public_key = configured; /* the configuration's to free */
    http_init(&user);
    rest_init();
    router_init(routes, sizeof routes / sizeof routes[0]);
    sleeping = NULL;
    ended = 0;
    peer = (struct peer){0};
    connect_pair(&peer.fd, &fd);
    struct conn *c = http_accept(fd);
    c->on_api_port = c->on_ops_port = true;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    conn_close_all();
    turns(5);
    assert_int_equal(flow_active_count(), 0);
    rest_done();
    gate_done();
    edge_tear_down();
    peer_done(&peer);
    return 0;
}

static void send_request(const char *method, const char *path, const char *headers, const char *body)
{
    struct buf text = {0};
    buf_addf(&text, "%s %s HTTP/1.1\r\nHost: x\r\n%s", method, path, headers);
    if (body)
        buf_addf(&text, "Content-Length: %zu\r\n", strlen(body));
    buf_addf(&text, "\r\n%s", body ? body : "");
    peer_forget(&peer);
    peer_send_bytes(&peer, text.p, text.n);
    buf_done(&text);
}

/* The status line is there, then the whole answer is. */
static void expect_status(int status)
{
    char line[32];
    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    peer_expect(&peer, "\r\n\r\n");
    turns(2);
    peer_pump(&peer);
    if (!peer_has(&peer, line))
        fail_msg("no %s in %s", line, peer.got.p);
    assert_int_equal(peer_times(&peer, "HTTP/1.1 "), 1);
}

#define API(path) API_PREFIX path
#define JSON_TYPE "Content-Type: application/json\r\n"

static void expect_answer(int status, const char *text)
{
    expect_status(status);
    peer_expect(&peer, text);
}

static const char *authorization(const char *scheme_and_token)
{
    static char header[4096];
    snprintf(header, sizeof header, "Authorization: %s\r\n", scheme_and_token);
    return header;
}

static const char *bearer(void)
{
    static char value[2048];
    snprintf(value, sizeof value, "Bearer %s", token.p);
    return authorization(value);
}

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

static void failures_have_their_status_and_headers(void **state)
{
    (void)state;
    static const struct {
        enum err err;
        int status;
        const char *code, *header;
    } cases[] = {
        {ERR_TOPIC_LOCKED, 403, "TOPIC_LOCKED", "no-store"},
        {ERR_DB_UNAVAILABLE, 503, "SERVICE_UNAVAILABLE", "Retry-After: 5\r\n"},
        {ERR_KV_UNAVAILABLE, 503, "MATCHING_UNAVAILABLE", "Retry-After: 5\r\n"},
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
    snprintf(path, sizeof path, API("/echo?name=%s"), name);
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_flow_answers_with_json),
        TEST(a_body_is_decoded),
        TEST(head_is_get_without_a_body),
        TEST(two_requests_at_once_are_answered_in_order),
        TEST(the_correlation_id_is_taken_over_when_well_formed),
        TEST(an_unknown_path_is_404),
        TEST(a_wrong_method_is_405_with_allow),
        TEST(options_tells_the_methods),
        TEST(a_good_token_says_who_calls),
        TEST(without_a_good_token_it_is_401),
        TEST(the_scheme_may_be_written_in_any_case),
        TEST(a_body_must_be_json),
        TEST(bad_input_is_400_with_every_field),
        TEST(above_the_rate_limit_it_is_429_with_the_time_to_wait),
        TEST(failures_have_their_status_and_headers),
        TEST(an_unchanged_answer_is_304),
        TEST(bodies_that_differ_have_different_tags),
        TEST(a_client_that_leaves_cancels_its_flow),
        TEST(draining_refuses_new_work_but_not_probes),
        TEST(what_http_refuses_has_the_error_body),
        TEST(allowed_origins_may_read_answers),
    };
    return cmocka_run_group_tests(tests, make_key, free_key);
}
