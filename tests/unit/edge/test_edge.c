/* The edge as one subsystem: listening, which request goes where, draining and closing. */
#include "ws_fixture.h"

#include "conversation/edge/edge.h"
#include "unit/codec/token_signer.h"
#include "unit/net/free_port.h"

static void run_ping(struct flow *f)
{
    reply_raw(f, 200, "text/plain", STR("pong"));
}

static const struct handler ping = {{"ping", run_ping, 1, 0}, NULL};
static const struct route routes[] = {
    {GET, "/ping", &ping, AUTH_NONE, NULL, 0},
    {GET, "/opsping", &ping, AUTH_NONE, NULL, ROUTE_OPS},
};
static const struct event_row no_events[] = {{.name = NULL}};

static struct buf pem;
static const char *configured_key, *configured_address;

static int make_key(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    pem = public_pem(key);
    buf_addc(&pem, '\0');
    EVP_PKEY_free(key);
    return 0;
}

static int free_key(void **state)
{
    (void)state;
    buf_done(&pem);
    return 0;
}

static int set_up(void **state)
{
    static const struct hub_setup hub = {.events = no_events, .socket_gone = ignore_gone};
    const char *problem;
    (void)state;
    edge_set_up();
    configured_key = config.jwt_public_key;
    configured_address = config.bind_address;
    config.jwt_public_key = pem.p;
    config.bind_address = "127.0.0.1";
    config.port = config.ws_port = 0;
    if (!edge_init(&hub, &problem))
        fail_msg("%s", problem);
    router_init(routes, sizeof routes / sizeof routes[0]);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    edge_close();
    assert_int_equal(conn_count(), 0);
    turns(5);
    edge_done();
    config.jwt_public_key = configured_key;
    config.bind_address = configured_address;
    edge_tear_down();
    return 0;
}

static int listen_somewhere(void)
{
    struct edge_problem problem;
    if (!edge_listen(&problem))
        fail_msg("port %d: %s", problem.port, problem.why);
    return edge_port();
}

static void send_get(struct peer *p, const char *path, const char *more)
{
    char text[512];
    peer_forget(p);
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, more);
    peer_send(p, text);
}

static void requests_go_where_they_belong(void **state)
{
    (void)state;
    struct peer p;
    assert_true(try_connect(&p, listen_somewhere()));
    send_get(&p, API_PREFIX "/ping", "");
    peer_expect(&p, "pong");
    send_get(&p, "/opsping", ""); /* without an ops port, here */
    peer_expect(&p, "pong");
    send_get(&p, "/nowhere", "");
    peer_expect(&p, "404 Not Found");
    send_get(&p, "/socket.io/" QUERY, UPGRADE_FIELDS);
    peer_expect(&p, "101 Switching Protocols");
    peer_done(&p);
}

static void a_port_for_operations_serves_nothing_else(void **state)
{
    (void)state;
    static const char *const others[] = {API_PREFIX "/ping", "/socket.io/?EIO=4&transport=polling"};
    struct peer ops, api;
    config.ops_port = free_port();
    assert_true(try_connect(&api, listen_somewhere()));
    assert_true(try_connect(&ops, config.ops_port));
    send_get(&ops, "/opsping", "");
    peer_expect(&ops, "pong");
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        send_get(&ops, others[i], "");
        peer_expect(&ops, "HTTP/1.1 404 ");
    }
    send_get(&api, "/opsping", "");
    peer_expect(&api, "HTTP/1.1 404 ");
    peer_done(&api);
    peer_done(&ops);
}

/* REST bodies have a bound of their own. */
static void polling_posts_may_be_as_long_as_messages(void **state)
{
    (void)state;
    struct peer p;
    char head[256];
    int port = listen_somewhere();
    const long over_http = (long)config.http_max_body_bytes + 1,
               over_ws = (long)config.ws_max_payload_bytes + 1;
    const struct {
        const char *path, *answer;
        long bytes;
    } rows[] = {
        {API_PREFIX "/ping", "HTTP/1.1 413 ", over_http},
        {"/socket.io/?EIO=4&transport=polling&sid=x", "Session ID unknown", over_http},
        {"/socket.io/?EIO=4&transport=polling&sid=x", "HTTP/1.1 413 ", over_ws},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(try_connect(&p, port));
        snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %ld\r\n\r\n",
                 rows[i].path, rows[i].bytes);
        peer_send(&p, head);
        struct buf body = {0};
        buf_reserve(&body, (size_t)rows[i].bytes);
        memset(body.p, 'x', (size_t)rows[i].bytes);
        peer_send_bytes(&p, body.p, (size_t)rows[i].bytes);
        buf_done(&body);
        peer_expect(&p, rows[i].answer);
        peer_done(&p);
    }
}

static void a_bad_key_is_refused_and_the_old_ones_stay(void **state)
{
    (void)state;
    const char *problem = NULL;
    config.jwt_public_key = "no key";
    assert_false(edge_reload(&problem));
    assert_non_null(problem);
    config.jwt_public_key = pem.p;
    assert_true(edge_reload(&problem));
}

static void tls_is_switched_by_a_restart_alone(void **state)
{
    (void)state;
    const char *configured = config.tls_cert_file;
    struct edge_refusal refusal;
    listen_somewhere();
    config.tls_cert_file = "/nowhere";
    assert_false(edge_load_certificate(&refusal));
    assert_string_equal(refusal.variable, "TLS_CERT_FILE");
    assert_string_equal(refusal.why, "switching TLS on or off needs a restart");
    config.tls_cert_file = configured;
    assert_true(edge_load_certificate(&refusal));
}

static void a_port_that_is_taken_is_named(void **state)
{
    (void)state;
    struct edge_problem problem;
    config.port = listen_somewhere();
    assert_false(edge_listen(&problem));
    assert_int_equal(problem.port, config.port);
    assert_string_equal(problem.why, strerror(EADDRINUSE));
}

static void draining_ends_what_is_idle_and_closing_the_rest(void **state)
{
    (void)state;
    struct peer idle, socket, late;
    int port = listen_somewhere();
    assert_true(try_connect(&idle, port));
    assert_true(try_connect(&socket, port));
    send_get(&idle, API_PREFIX "/ping", "");
    peer_expect(&idle, "pong");
    send_get(&socket, "/socket.io/" QUERY, UPGRADE_FIELDS);
    peer_expect(&socket, "0{\"sid\"");
    edge_drain();
    assert_true(edge_is_draining());
    assert_false(try_connect(&late, port));
    peer_expect_end(&idle);
    turns(5);
    assert_int_equal(conn_count(), 2); /* the socket, and what lingers */
    edge_close();
    assert_int_equal(conn_count(), 0);
    peer_expect_end(&socket);
    peer_done(&idle);
    peer_done(&socket);
    peer_done(&late);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(requests_go_where_they_belong),
        TEST(a_port_for_operations_serves_nothing_else),
        TEST(polling_posts_may_be_as_long_as_messages),
        TEST(a_bad_key_is_refused_and_the_old_ones_stay),
        TEST(tls_is_switched_by_a_restart_alone),
        TEST(a_port_that_is_taken_is_named),
        TEST(draining_ends_what_is_idle_and_closing_the_rest),
    };
    return cmocka_run_group_tests(tests, make_key, free_key);
}
