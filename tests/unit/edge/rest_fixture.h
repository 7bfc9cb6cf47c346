/* REST behind real connections: a table of endpoints that tests ask, one connection, and a token. */
#ifndef TESTS_REST_FIXTURE_H
#define TESTS_REST_FIXTURE_H

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

static const struct field fields_with_user[] = {
    {"userId", FIELD_UUID, FIELD_FROM_PATH, .is_required = true, .offset = offsetof(struct input, id)},
    FIELDS_END,
};

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
    FLOW_FAIL(f, failure);
    FLOW_END(f);
fail:
    reply_error(f);
}

/* Of another's data: tells the audit log what it was about, which the path does not. */
static void run_look(struct flow *f)
{
    const struct call *c = flow_ctx(f);
    FLOW_BEGIN(f);
    rest_audit(f, "look", NULL, &c->input.id);
    FLOW_FAIL(f, failure);
    FLOW_END(f);
fail:
    reply_error(f);
}

static void run_review(struct flow *f)
{
    FLOW_BEGIN(f);
    reply_raw(f, 200, "text/plain", STR("reviewed"));
    FLOW_END(f);
fail:
    reply_error(f);
}

/* The name alone, so that a test says every byte of the body. */
static void run_say(struct flow *f)
{
    struct call *c = flow_ctx(f);
    FLOW_BEGIN(f);
    reply_raw(f, 200, "text/plain", c->input.name);
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
static const struct handler review = {{"review", run_review, sizeof(struct call), 0}, fields_with_user};
static const struct handler say = {{"say", run_say, sizeof(struct call), 0}, fields};
static const struct handler look = {{"show", run_look, sizeof(struct call), 0}, fields_with_id};
static const struct handler slow = {{"slow", run_slow, sizeof(struct call), 0}, NULL};
static const struct handler fails = {{"fail", run_fail, sizeof(struct call), 0}, NULL};
static const struct handler ready = {{"ready", run_ready, sizeof(struct call), 0}, NULL};

static struct rate_limit three_an_hour = {.what = "test", .limit = 3, .window_ms = 3600000};

static const struct route routes[] = {
    {GET, "/echo", &echo, AUTH_NONE, NULL, ROUTE_ETAG},
    {POST, "/echo", &echo, AUTH_NONE, NULL, 0},
    {GET, "/say", &say, AUTH_NONE, NULL, ROUTE_ETAG},
    {GET, "/mine", &echo, AUTH_USER, NULL, 0},
    {POST, "/limited", &echo, AUTH_USER, &three_an_hour, 0},
    {GET, "/things/:id", &show, AUTH_NONE, NULL, 0},
    {DELETE, "/things/:id", &show, AUTH_NONE, NULL, 0},
    {GET, "/looked/:id", &look, AUTH_USER, NULL, 0},
    {POST, "/review/:userId", &review, AUTH_MODERATOR, NULL, 0},
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
    const char *problem;
    int fd;
    (void)state;
    edge_set_up();
    const char *configured = config.jwt_public_key;
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

UNUSED static void expect_answer(int status, const char *text)
{
    expect_status(status);
    peer_expect(&peer, text);
}

UNUSED static const char *authorization(const char *scheme_and_token)
{
    static char header[4096];
    snprintf(header, sizeof header, "Authorization: %s\r\n", scheme_and_token);
    return header;
}

UNUSED static const char *bearer(void)
{
    static char value[2048];
    snprintf(value, sizeof value, "Bearer %s", token.p);
    return authorization(value);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
