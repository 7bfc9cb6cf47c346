/* The hub and the dispatch of events: authentication both ways, namespaces, each column of the event table,
 * acknowledgement against exception. Users and sessions: test_hub_users.c. */
#include "hub_fixture.h"

/* --- authentication --- */

static void a_token_in_the_handshake_authenticates(void **state)
{
    (void)state;
    sio_open(&peer, ADA);
    expect_ok("421[\"join\"," ARG(ROOM) "]");
    advance(config.ws_auth_timeout_ms + 1000);
    ws_expect_nothing(&peer);
    assert_int_equal(hub_socket_count(), 1);
}

static void expect_refused(const char *connect, const char *message)
{
    char error[128];
    ws_send(&peer, connect);
    snprintf(error, sizeof error, "44{\"message\":\"%s\"}", message);
    ws_expect(&peer, error);
    assert_int_equal(hub_socket_count(), 0);
}

static void a_bad_token_in_the_handshake_is_refused(void **state)
{
    (void)state;
    ws_open(&peer);
    expect_refused("40{\"token\":\"nonsense\"}", "Invalid token");
    expect_refused("40{\"token\":7}", "Invalid token");
    expect_refused("40{\"token\":{}}", "Invalid token");
    expect_refused("40{\"token\":\"\"}", "Invalid token");
    ws_send(&peer, "40{\"token\":\"" ADA "\"}"); /* a better one on the same connection */
    ws_expect_start(&peer, "40{\"sid\":\"");
}

static void a_token_may_be_required(void **state)
{
    (void)state;
    config.ws_require_handshake_auth = true;
    ws_open(&peer);
    expect_refused("40", "Authentication error");
    expect_refused("40{}", "Authentication error");
    expect_refused("40{\"token\":null}", "Authentication error");
    expect_refused("40{\"token\":\"x\"}", "Invalid token");
}

static void a_token_may_come_later(void **state)
{
    (void)state;
    sio_open(&peer, NULL);
    ws_send(&peer, "421[\"authenticate\",{\"token\":\"" ADA "\"}]");
    ws_expect(&peer, "42[\"authenticated\",{\"userId\":\"" ADA "\"}]");
    ws_expect(&peer, "431[{\"status\":\"ok\",\"userId\":\"" ADA "\"}]");
    advance(config.ws_auth_timeout_ms + 1000);
    assert_int_equal(hub_socket_count(), 1);
    ws_send(&peer, "42[\"authenticate\",{\"token\":\"" ADA "\"}]"); /* without an ack, the event alone */
    ws_expect_start(&peer, "42[\"authenticated\"");
    ws_expect_nothing(&peer);
}

static void before_it_every_event_is_unauthorized(void **state)
{
    (void)state;
    sio_open(&peer, NULL);
    expect_error("421[\"join\"," ARG(ROOM) "]", "UNAUTHORIZED", "authenticate first");
    expect_error("421[\"unknown\"]", "UNAUTHORIZED", "authenticate first");
    ws_send(&peer, "42[\"say\",{}]");
    ws_expect(
        &peer,
        "42[\"exception\",{\"status\":\"error\",\"code\":\"UNAUTHORIZED\",\"message\":\"authenticate first\","
        "\"event\":\"say\"}]");
    expect_error("421[\"authenticate\",{\"token\":\"x\"}]", "UNAUTHORIZED", "bad token");
    expect_error("421[\"authenticate\",{\"token\":7}]", "UNAUTHORIZED", "token must be a string");
    expect_error("421[\"authenticate\"]", "INVALID_REQUEST", "the event's argument must be an object");
}

static void without_it_the_socket_is_dropped_in_time(void **state)
{
    (void)state;
    sio_open(&peer, NULL);
    advance(config.ws_auth_timeout_ms - 100);
    assert_int_equal(hub_socket_count(), 1);
    advance(200);
    ws_expect(&peer, "41");
    ws_expect_close(&peer, 1000);
    assert_int_equal(hub_socket_count(), 0);
}

static void a_fresher_token_extends_but_never_changes_the_user(void **state)
{
    (void)state;
    char ack[128];
    sio_open(&peer, ADA);
    config.ws_heartbeat_interval_ms = 86400000;
    advance(20000);
    ws_send(&peer, "42[\"authenticate\",{\"token\":\"" ADA "\"}]");
    ws_expect_start(&peer, "42[\"authenticated\"");
    expect_error("421[\"authenticate\",{\"token\":\"" BOB "\"}]", "FORBIDDEN",
                 "the token is of another user");
    ws_send(&peer, "421[\"join\"," ARG(ROOM) "]");
    snprintf(ack, sizeof ack, "431[{\"status\":\"ok\",\"userId\":\"" ADA "\",\"tokenExpiresMs\":%lld}]",
             (long long)(clock_now_ms() + TOKEN_LIFE_MS));
    ws_expect(&peer, ack);
}

static void attempts_to_connect_are_limited(void **state)
{
    (void)state;
    config.rate_limit_ws_messages = 5;
    ws_open(&peer);
    for (int i = 0; i < 5; i++)
        expect_refused("40{\"token\":\"x\"}", "Invalid token");
    expect_refused("40{\"token\":\"" ADA "\"}", "Too many attempts");
    assert_int_equal(tokens_verified, 5);
    advance(12100); /* a fifth of the window */
    ws_send(&peer, "40{\"token\":\"" ADA "\"}");
    ws_expect_start(&peer, "40{\"sid\":\"");
}

/* --- namespaces --- */

static void expect_namespace(const char *path, const char *namespace, bool is_known)
{
    char text[160];
    peer_done(&peer);
    ws_open_tcp(&peer);
    ws_handshake(&peer, path);
    snprintf(text, sizeof text, "40%s,{\"token\":\"" ADA "\"}", namespace);
    ws_send(&peer, text);
    snprintf(text, sizeof text, is_known ? "40%s,{\"sid\":\"" : "44%s,{\"message\":\"Invalid namespace\"}",
             namespace);
    ws_expect_start(&peer, text);
}

static void namespaces_of_the_service_are_known(void **state)
{
    (void)state;
    static const char plain[] = "/socket.io/" QUERY;
    expect_namespace(plain, "/ws/conversations", true);
    expect_namespace(plain, "/ws/conversations/" ROOM, true);
    expect_namespace("/ws/conversations" QUERY, "/ws/conversations", true);
    expect_namespace(plain, "/ws/conversations/7", false);
    expect_namespace(plain, "/admin", false);
    expect_namespace(plain, "/ws", false);
}

static void a_bound_socket_is_in_no_other_session(void **state)
{
    (void)state;
    expect_namespace("/socket.io/" QUERY, "/ws/conversations/" ROOM, true);
    ws_send(&peer, "42/ws/conversations/" ROOM ",1[\"join\"," ARG(ROOM2) "]");
    ws_expect_start(&peer, "43/ws/conversations/" ROOM ",1[{\"status\":\"error\",\"code\":\"FORBIDDEN\"");
    ws_send(&peer, "42/ws/conversations/" ROOM ",1[\"join\"," ARG(ROOM) "]");
    ws_expect_start(&peer, "43/ws/conversations/" ROOM ",1[{\"status\":\"ok\"");
    peer_done(&peer);
    ws_open_tcp(&peer);
    ws_handshake(&peer, "/ws/conversations/" ROOM QUERY);
    ws_send(&peer, "40{\"token\":\"" ADA "\"}");
    ws_expect_start(&peer, "40{");
    expect_error("421[\"join\"," ARG(ROOM2) "]", "FORBIDDEN", "this socket is bound to another session");
    expect_ok("421[\"join\"," ARG(ROOM) "]");
}

static void path_and_namespace_must_bind_to_the_same_session(void **state)
{
    (void)state;
    expect_namespace("/ws/conversations/" ROOM QUERY, "/ws/conversations/" ROOM, true);
    expect_namespace("/ws/conversations/" ROOM QUERY, "/ws/conversations", true);
    expect_namespace("/ws/conversations/" ROOM QUERY, "/ws/conversations/" ROOM2, false);
}

static void sockets_of_one_connection_are_apart(void **state)
{
    (void)state;
    sio_open(&peer, ADA);
    ws_send(&peer, "40/ws/conversations,");
    ws_expect_start(&peer, "40/ws/conversations,{");
    ws_send(&peer, "42/ws/conversations,1[\"join\"," ARG(ROOM) "]");
    ws_expect_start(&peer, "43/ws/conversations,1[{\"status\":\"error\",\"code\":\"UNAUTHORIZED\"");
    expect_ok("421[\"join\"," ARG(ROOM) "]");
    ws_send(&peer, "41/ws/conversations,");
    expect_ok("421[\"leave\",{}]");
    assert_int_equal(hub_socket_count(), 1);
}

/* --- the columns --- */

static void unknown_events_are_said_to_be(void **state)
{
    (void)state;
    sio_open(&peer, ADA);
    expect_error("421[\"nothing\",{}]", "UNKNOWN_EVENT", "");
    expect_error("421[\"joi\",{}]", "UNKNOWN_EVENT", "");
    expect_error("421[7,{}]", "UNKNOWN_EVENT", "");
    ws_send(
        &peer,
        "42[\"a name that is so long that nobody would want to read it again, in full or otherwise\",{}]");
    ws_expect_start(&peer, "42[\"exception\",{\"status\":\"error\",\"code\":\"UNKNOWN_EVENT\"");
}

static void the_argument_must_be_an_object(void **state)
{
    (void)state;
    sio_open(&peer, ADA);
    expect_error("421[\"join\"]", "INVALID_REQUEST", "the event's argument must be an object");
    expect_error("421[\"join\",7]", "INVALID_REQUEST", "the event's argument must be an object");
    expect_error("421[\"join\",null," ARG(ROOM) "]", "INVALID_REQUEST",
                 "the event's argument must be an object");
    expect_error("421[\"join\",{\"count\":10}]", "INVALID_REQUEST",
                 "INVALID_REQUEST\",\"details\":[{\"field\":\"sessionId\"");
}

static void needs_session_wants_the_session_joined(void **state)
{
    (void)state;
    sio_open(&peer, ADA);
    expect_error("421[\"say\",{}]", "INVALID_REQUEST", "sessionId must be a UUID");
    expect_error("421[\"say\",{\"sessionId\":7}]", "INVALID_REQUEST", "sessionId must be a UUID");
    expect_error("421[\"say\"," ARG(ROOM) "]", "NOT_IN_SESSION", "this socket has not joined the session");
    expect_ok("421[\"join\"," ARG(ROOM) "]");
    expect_error("421[\"say\"," ARG(ROOM2) "]", "NOT_IN_SESSION", "");
    expect_ok("421[\"do\"," ARG(ROOM) "]"); /* which leaves */
    expect_error("421[\"do\"," ARG(ROOM) "]", "NOT_IN_SESSION", "");
}

static void a_relayed_event_is_decided_at_once(void **state)
{
    (void)state;
    sio_open(&peer, ADA);
    expect_ok("421[\"join\"," ARG(ROOM) "]");
    ws_send(&peer, "42[\"say\"," ARG(ROOM) "]");
    ws_expect(&peer, "42[\"said\",{\"said\":true}]");
    ws_expect_nothing(&peer);
    ws_send(&peer, "421[\"say\"," ARG(ROOM) "]");
    ws_expect(&peer, "42[\"said\",{\"said\":true}]");
    ws_expect(&peer, "431[{\"status\":\"ok\"}]");
    expect_error("421[\"say\",{\"sessionId\":\"" ROOM "\",\"bad\":1}]", "INVALID_CANDIDATE",
                 "bad is not good");
}

static void an_event_may_be_limited_for_a_user(void **state)
{
    struct peer second = {.fd = -1};
    (void)state;
    sio_open(&peer, ADA);
    sio_open(&second, ADA);
    expect_error("421[\"rare\",{}]", "SESSION_ENDED", ""); /* let through: it is what the handler says */
    ws_send(&second, "421[\"rare\",{}]");                  /* the limit is the user's, not the socket's */
    ws_expect_start(&second, "431[{\"status\":\"error\",\"code\":\"SESSION_ENDED\"");
    expect_error("421[\"rare\",{}]", "RATE_LIMITED", "RATE_LIMITED");
    for (int i = 0; i < 5; i++)
        expect_error("421[\"free\",{}]", "SESSION_ENDED", "");
    peer_done(&second);
}

static void failures_are_acks_or_exceptions(void **state)
{
    (void)state;
    sio_open(&peer, ADA);
    ws_send(&peer, "421[\"fail\",{}]");
    ws_expect(
        &peer,
        "431[{\"status\":\"error\",\"code\":\"SESSION_ENDED\",\"message\":\"SESSION_ENDED\",\"details\":"
        "[{\"field\":\"sessionId\",\"reason\":\"over\"}]}]");
    ws_send(&peer, "42[\"fail\",{}]");
    ws_expect(&peer, "42[\"exception\",{\"status\":\"error\",\"code\":\"SESSION_ENDED\",\"message\":"
                     "\"SESSION_ENDED\",\"details\":"
                     "[{\"field\":\"sessionId\",\"reason\":\"over\"}],\"event\":\"fail\"}]");
    ws_send(&peer, "42[\"leave\",{}]"); /* success without an ack is silent */
    ws_expect_nothing(&peer);
}

static void messages_are_limited(void **state)
{
    (void)state;
    config.rate_limit_ws_messages = 10;
    sio_open(&peer, ADA);
    for (int i = 0; i < 10; i++)
        expect_ok("421[\"leave\",{}]");
    expect_error("421[\"leave\",{}]", "RATE_LIMITED", "too many messages");
    ws_send(&peer, "42[\"leave\",{}]");
    ws_expect_start(&peer, "42[\"exception\",{\"status\":\"error\",\"code\":\"RATE_LIMITED\"");
    advance(6100); /* a tenth of the window */
    expect_ok("421[\"leave\",{}]");
    expect_error("421[\"leave\",{}]", "RATE_LIMITED", "too many messages");
    config.rate_limit_ws_messages = 0; /* off */
    for (int i = 0; i < 50; i++)
        expect_ok("421[\"leave\",{}]");
}

static void events_are_counted(void **state)
{
    (void)state;
    sio_open(&peer, ADA);
    expect_ok("421[\"leave\",{}]");
    expect_error("421[\"x\",{}]", "UNKNOWN_EVENT", "");
    expect_error("421[\"y\",{}]", "UNKNOWN_EVENT", "");
    expect_error("421[\"authenticate\",{}]", "UNAUTHORIZED", "");
    assert_true(metric_value("websocket_messages_total{type=\"leave\"}") == 1);
    assert_true(metric_value("websocket_messages_total{type=\"unknown\"}") == 2);
    assert_true(metric_value("websocket_messages_total{type=\"authenticate\"}") == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_in_the_handshake_authenticates),
        TEST(a_bad_token_in_the_handshake_is_refused),
        TEST(a_token_may_be_required),
        TEST(a_token_may_come_later),
        TEST(before_it_every_event_is_unauthorized),
        TEST(without_it_the_socket_is_dropped_in_time),
        TEST(a_fresher_token_extends_but_never_changes_the_user),
        TEST(attempts_to_connect_are_limited),
        TEST(namespaces_of_the_service_are_known),
        TEST(a_bound_socket_is_in_no_other_session),
        TEST(path_and_namespace_must_bind_to_the_same_session),
        TEST(sockets_of_one_connection_are_apart),
        TEST(unknown_events_are_said_to_be),
        TEST(the_argument_must_be_an_object),
        TEST(needs_session_wants_the_session_joined),
        TEST(a_relayed_event_is_decided_at_once),
        TEST(failures_are_acks_or_exceptions),
        TEST(an_event_may_be_limited_for_a_user),
        TEST(messages_are_limited),
        TEST(events_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
