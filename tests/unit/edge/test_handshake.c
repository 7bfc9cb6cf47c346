/* Which requests are for Socket.IO, who may connect, and what a browser is told. What Engine.IO makes of them
 * is tests/unit/sio/test_engine.c. */
#include "ws_fixture.h"

static const struct event_row no_events[] = {{.name = NULL}};
static const struct hub_setup hub = {.events = no_events, .socket_gone = ignore_gone};

static struct peer peer;

static int set_up(void **state)
{
    (void)state;
    hub_set_up(&hub);
    ws_open_tcp(&peer);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hub_tear_down();
    peer_done(&peer);
    return 0;
}

static void again(void)
{
    peer_done(&peer);
    ws_open_tcp(&peer);
}

static void request(const char *line, const char *headers)
{
    char text[1024];
    snprintf(text, sizeof text, "%s HTTP/1.1\r\n%s\r\n", line, headers);
    peer_send(&peer, text);
}

static void expect_refused(const char *line, const char *headers, int status, const char *body)
{
    char start[64];
    again();
    snprintf(start, sizeof start, "HTTP/1.1 %d ", status);
    request(line, headers);
    peer_expect(&peer, start);
    if (body)
        peer_expect(&peer, body);
    assert_int_equal(eio_server_session_count(sio_server_eio(hub_sio())), 0);
}

/* --- paths --- */

static void every_path_of_the_service_opens_a_session(void **state)
{
    (void)state;
    static const char *const paths[] = {"/socket.io/" QUERY,
                                        "/socket.io" QUERY,
                                        "/ws/conversations" QUERY,
                                        "/ws/conversations/" QUERY,
                                        "/ws/conversations/" ROOM QUERY,
                                        "/ws/conversations/" ROOM "/" QUERY,
                                        "/socket.io/?transport=websocket&EIO=4&t=1"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        again();
        ws_handshake(&peer, paths[i]);
    }
}

static void other_paths_are_not_for_sockets(void **state)
{
    (void)state;
    struct socket_context context;
    assert_false(handshake_is_for(STR("/"), &context));
    assert_false(handshake_is_for(STR("/socket.iox"), &context));
    assert_false(handshake_is_for(STR("/ws/conversation"), &context));
    assert_false(handshake_is_for(STR("/ws/conversationsx"), &context));
    assert_false(handshake_is_for(STR("/ws/conversations/7"), &context));
    assert_false(handshake_is_for(STR("/ws/conversations/" ROOM "/more"), &context));
}

static void a_session_in_the_path_binds(void **state)
{
    (void)state;
    struct socket_context context;
    struct uuid room;
    assert_true(uuid_parse(STR(ROOM), &room));
    assert_true(handshake_is_for(STR("/socket.io/"), &context));
    assert_false(context.is_bound);
    assert_true(handshake_is_for(STR("/ws/conversations"), &context));
    assert_false(context.is_bound);
    assert_true(handshake_is_for(STR("/ws/conversations/" ROOM), &context));
    assert_true(context.is_bound);
    assert_true(uuid_eq(&context.bound_session, &room));
}

/* --- refusals, in the words of the reference server --- */

static void what_the_query_gets_wrong(void **state)
{
    (void)state;
    expect_refused("GET /socket.io/", UPGRADE_HEADERS, 400, "{\"code\":0,\"message\":\"Transport unknown\"}");
    expect_refused("GET /socket.io/" QUERY "&sid=abc", UPGRADE_HEADERS, 400,
                   "{\"code\":1,\"message\":\"Session ID unknown\"}");
    expect_refused("POST /socket.io/" QUERY, UPGRADE_HEADERS, 400,
                   "{\"code\":2,\"message\":\"Bad handshake method\"}");
    expect_refused("GET /socket.io/" QUERY, "Host: x\r\n", 400, "{\"code\":3,\"message\":\"Bad request\"}");
    expect_refused("GET /socket.io/?EIO=3&transport=websocket", UPGRADE_HEADERS, 400,
                   "{\"code\":5,\"message\":\"Unsupported protocol version\"}");
    expect_refused("GET /socket.io/?transport=websocket", UPGRADE_HEADERS, 400,
                   "{\"code\":5,\"message\":\"Unsupported protocol version\"}");
}

static void head_gets_no_body(void **state)
{
    (void)state;
    expect_refused("HEAD /socket.io/" QUERY, UPGRADE_HEADERS, 400, "\r\n\r\n");
    turns(3);
    assert_false(peer_has(&peer, "{"));
}

#define POLLING "/socket.io/?EIO=4&transport=polling"

static void a_refused_poll_keeps_the_connection(void **state)
{
    (void)state;
    request("GET " POLLING "&sid=unknown", "Host: x\r\n");
    peer_expect(&peer, "Session ID unknown");
    peer_forget(&peer);
    request("GET " POLLING "&sid=unknown", "Host: x\r\n");
    peer_expect(&peer, "Session ID unknown");
}

/* --- polling --- */

static void a_path_may_bind_a_polling_session(void **state)
{
    (void)state;
    char text[64];
    request("GET /ws/conversations/" ROOM "?EIO=4&transport=polling", "Host: x\r\n");
    peer_expect(&peer, "0{\"sid\":\"");
    snprintf(text, sizeof text, "%.20s", strstr(peer.got.p, "\"sid\":\"") + 7);
    struct eio_session *s = eio_session_find(sio_server_eio(hub_sio()), str_of(text));
    assert_non_null(s);
    const struct socket_context *context = eio_session_context(s);
    assert_true(context->is_bound);
}

static void polling_crosses_origins(void **state)
{
    (void)state;
    const char *configured = config.cors_allowed_origins;
    config.cors_allowed_origins = "https://a.example";
    request("OPTIONS " POLLING, "Host: x\r\nOrigin: https://a.example\r\n"
                                "Access-Control-Request-Method: POST\r\n");
    peer_expect(&peer, "HTTP/1.1 204 ");
    peer_expect(&peer, "\r\nAccess-Control-Allow-Origin: https://a.example\r\n");
    peer_expect(&peer, "\r\nAccess-Control-Allow-Methods: GET, POST, HEAD, OPTIONS\r\n");
    peer_forget(&peer);
    request("GET " POLLING, "Host: x\r\nOrigin: https://a.example\r\n");
    peer_expect(&peer, "HTTP/1.1 200 ");
    peer_expect(&peer, "\r\nAccess-Control-Allow-Origin: https://a.example\r\n");
    peer_expect(&peer, "\r\nVary: Origin\r\n");
    peer_forget(&peer);
    request("GET " POLLING, "Host: x\r\nOrigin: https://b.example\r\n");
    peer_expect(&peer, "HTTP/1.1 403 ");
    peer_expect(&peer, "{\"code\":4,\"message\":\"Forbidden\"}");
    assert_false(peer_has(&peer, "Access-Control-Allow-Origin"));
    config.cors_allowed_origins = configured;
}

/* --- WebSocket --- */

static void what_the_upgrade_gets_wrong(void **state)
{
    (void)state;
    const char *const line = "GET /socket.io/" QUERY;
#define UPGRADE(to) "Host: x\r\nConnection: Upgrade\r\nUpgrade: " to "\r\n"
#define VERSION(v)  "Sec-WebSocket-Version: " v "\r\n"
#define KEY(k)      "Sec-WebSocket-Key: " k "\r\n"
#define GOOD_KEY    KEY("dGhlIHNhbXBsZSBub25jZQ==")
    expect_refused(line, UPGRADE("h2c") VERSION("13") GOOD_KEY, 400, "Upgrade must be websocket");
    expect_refused(line, UPGRADE("websocket") GOOD_KEY, 426, "Sec-WebSocket-Version: 13\r\n");
    expect_refused(line, UPGRADE("websocket") VERSION("8") GOOD_KEY, 426, "Sec-WebSocket-Version: 13\r\n");
    expect_refused(line, UPGRADE("websocket") VERSION("13"), 400, "Sec-WebSocket-Key must be");
    expect_refused(line, UPGRADE("websocket") VERSION("13") KEY("short"), 400, "Sec-WebSocket-Key must be");
    expect_refused(line, UPGRADE("websocket") VERSION("13") KEY(""), 400, "Sec-WebSocket-Key must be");
    expect_refused(line, UPGRADE("websocket") VERSION("13") GOOD_KEY GOOD_KEY, 400, "repeated");
    peer_expect_end(&peer);
    again();
    peer_send(&peer, "GET /socket.io/" QUERY " HTTP/1.0\r\n" UPGRADE_HEADERS "\r\n");
    peer_expect(&peer, "HTTP/1.1 400 ");
}

static void origins_are_checked_when_configured(void **state)
{
    (void)state;
    const char *configured = config.cors_allowed_origins;
    config.cors_allowed_origins = "https://a.example";
    expect_refused("GET /socket.io/" QUERY, UPGRADE_HEADERS "Origin: https://b.example\r\n", 403,
                   "{\"code\":4,\"message\":\"Forbidden\"}");
    again();
    request("GET /socket.io/" QUERY, UPGRADE_HEADERS "Origin: https://a.example\r\n");
    peer_expect(&peer, "101 Switching Protocols");
    again();
    request("GET /socket.io/" QUERY, UPGRADE_HEADERS); /* no browser */
    peer_expect(&peer, "101 Switching Protocols");
    config.cors_allowed_origins = "";
    again();
    request("GET /socket.io/" QUERY, UPGRADE_HEADERS "Origin: https://b.example\r\n");
    peer_expect(&peer, "101 Switching Protocols");
    config.cors_allowed_origins = configured;
}

static void draining_takes_no_more(void **state)
{
    (void)state;
    rest_drain();
    expect_refused("GET " POLLING, "Host: x\r\n", 503, "the service is shutting down");
    expect_refused("GET /socket.io/" QUERY, UPGRADE_HEADERS, 503, "the service is shutting down");
    assert_true(peer_has(&peer, "Retry-After: 1\r\n"));
    peer_expect_end(&peer);
}

static void above_the_cap_it_is_503(void **state)
{
    (void)state;
    struct peer first, second;
    config.ws_max_connections = 1;
    ws_open(&first);
    ws_open_tcp(&second);
    peer_send(&second, "GET /socket.io/" QUERY " HTTP/1.1\r\n" UPGRADE_HEADERS "\r\n");
    peer_expect(&second, "HTTP/1.1 503 ");
    peer_expect(&second, "Retry-After: 5\r\n");
    peer_expect_end(&second);
    peer_done(&second);
    request("GET " POLLING, "Host: x\r\n");
    peer_expect(&peer, "HTTP/1.1 503 ");
    peer_done(&first);
    turns(3);
    ws_open(&first);
    peer_done(&first);
}

/* It counts already. */
static void at_the_cap_a_session_may_change_its_transport(void **state)
{
    (void)state;
    char path[96];
    config.ws_max_connections = 1;
    request("GET " POLLING, "Host: x\r\n");
    peer_expect(&peer, "0{\"sid\":\"");
    snprintf(path, sizeof path, "/socket.io/" QUERY "&sid=%.20s", strstr(peer.got.p, "\"sid\":\"") + 7);
    again();
    ws_expect_upgrade(&peer, path);
    ws_send(&peer, "2probe");
    ws_expect(&peer, "3probe");
}

static void frames_may_come_with_the_request(void **state)
{
    (void)state;
    char text[512];
    static const char pong[] = "\x89\x80\0\0\0"; /* a masked ping without payload */
    int n = snprintf(text, sizeof text, "GET /socket.io/" QUERY " HTTP/1.1\r\n" UPGRADE_HEADERS "\r\n");
    memcpy(text + n, pong, sizeof pong);
    peer_send_bytes(&peer, text, (size_t)n + 6);
    peer_expect(&peer, "\r\n\r\n");
    buf_consume(&peer.got, (size_t)(strstr(peer.got.p, "\r\n\r\n") + 4 - peer.got.p));
    ws_expect_start(&peer, "0{");
    assert_int_equal(ws_next(&peer)->opcode, 0xa);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_path_of_the_service_opens_a_session),
        TEST(other_paths_are_not_for_sockets),
        TEST(a_session_in_the_path_binds),
        TEST(what_the_query_gets_wrong),
        TEST(head_gets_no_body),
        TEST(a_refused_poll_keeps_the_connection),
        TEST(a_path_may_bind_a_polling_session),
        TEST(polling_crosses_origins),
        TEST(what_the_upgrade_gets_wrong),
        TEST(origins_are_checked_when_configured),
        TEST(draining_takes_no_more),
        TEST(above_the_cap_it_is_503),
        TEST(at_the_cap_a_session_may_change_its_transport),
        TEST(frames_may_come_with_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
