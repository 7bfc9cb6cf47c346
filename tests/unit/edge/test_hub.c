/* The hub and the dispatch of events: authentication both ways, each column of the event table,
 * acknowledgement against exception, users and sessions. */
#include "ws_fixture.h"

#include "conversation/base/json_scan.h"

#define SESSION_NUMBER 77

static struct buf gone_log; /* "<session> <user>|" */
static int flows_ended;
static uint64_t last_socket; /* the one that joined last */

static void socket_gone(uint64_t socket_id, const struct uuid *session_id, const struct uuid *user_id)
{
    (void)socket_id;
    buf_addf(&gone_log, "%s %s|", UUIDZ(session_id), UUIDZ(user_id));
}

/* --- the events --- */

struct input {
    struct uuid session_id;
    int count;
};

static const struct field join_fields[] = {
    {.name = "sessionId",
     .type = FIELD_UUID,
     .is_required = true,
     .offset = offsetof(struct input, session_id)},
    {.name = "count", .type = FIELD_INT, .offset = offsetof(struct input, count), .min = 0, .max = 9},
    FIELDS_END,
};

static void run_join(struct flow *f)
{
    struct input *in = flow_ctx(f);
    FLOW_BEGIN(f);
    last_socket = event_socket(f);
    if (!sockets_enter_session(last_socket, &in->session_id, SESSION_NUMBER))
        FLOW_FAIL(f, ERR_CANCELLED);
    struct jsonw *w = event_ack_begin(f);
    jsonw_m_uuid(w, "userId", caller_user_id(f));
    jsonw_m_int(w, "tokenExpiresMs", event_token_expires_ms(f));
    event_ack_send(f);
    FLOW_END(f);
fail:
    reply_error(f);
}

static void run_slow(struct flow *f)
{
    FLOW_BEGIN(f);
    AWAIT(f, flow_sleep(f, 1000));
    flows_ended++;
    event_ack_begin(f);
    event_ack_send(f);
    FLOW_END(f);
fail:
    reply_error(f);
}

static void run_fail(struct flow *f)
{
    FLOW_BEGIN(f);
    FLOW_FAIL_FIELD(f, ERR_SESSION_ENDED, "sessionId", "over");
    FLOW_END(f);
fail:
    reply_error(f);
}

static enum err relay(struct relay_call *call)
{
    struct str part = STR("{\"said\":true}");
    assert_int_equal(call->session, SESSION_NUMBER);
    if (!memmem(call->index->text.p, call->index->text.n, "\"bad\"", 5)) {
        sockets_emit(call->socket_id, "said", &part, 1);
        return OK;
    }
    call->reason = "bad is not good";
    return ERR_INVALID_CANDIDATE;
}

static const struct handler join = {{"join", run_join, sizeof(struct input), 0}, join_fields};
static const struct handler leave = {{"leave", run_leave, sizeof(struct input), 0}, NULL};
static const struct handler slow = {{"slow", run_slow, sizeof(struct input), 0}, NULL};
static const struct handler fails = {{"fail", run_fail, sizeof(struct input), 0}, NULL};

static const struct rate_limit two_an_hour = {.what = "test", .limit = 2, .window_ms = 3600000};
static const struct rate_limit switched_off = {.what = "off", .limit = 0, .window_ms = 3600000};

static const struct event_row events[] = {
    {"join", NEEDS_USER, .handler = &join},
    {"leave", NEEDS_USER, .handler = &leave},
    {"slow", NEEDS_USER, .handler = &slow},
    {"fail", NEEDS_USER, .handler = &fails},
    {"say", NEEDS_SESSION, .relay = relay},
    {"do", NEEDS_SESSION, .handler = &leave},
    {"rare", NEEDS_USER, .handler = &fails, .limit = &two_an_hour},
    {"free", NEEDS_USER, .handler = &fails, .limit = &switched_off},
    {.name = NULL},
};
static const struct hub_setup hub = {.events = events, .socket_gone = socket_gone};

static struct peer peer;

static int set_up(void **state)
{
    (void)state;
    flows_ended = 0;
    peer = (struct peer){.fd = -1};
    hub_set_up(&hub);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hub_tear_down();
    assert_int_equal(flow_active_count(), 0);
    peer_done(&peer);
    buf_done(&gone_log);
    return 0;
}

#define ARG(session) "{\"sessionId\":\"" session "\"}"

static void expect_ok(const char *event)
{
    ws_send(&peer, event);
    ws_expect_start(&peer, "431[{\"status\":\"ok\"");
}

static void expect_error(const char *event, const char *code, const char *message)
{
    char start[160];
    ws_send(&peer, event);
    snprintf(start, sizeof start, "431[{\"status\":\"error\",\"code\":\"%s\",\"message\":\"%s", code,
             message);
    ws_expect_start(&peer, start);
}

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

/* --- flows and sockets that leave --- */

static void a_flow_outlives_its_socket(void **state)
{
    (void)state;
    sio_open(&peer, ADA);
    ws_send(&peer, "421[\"slow\",{}]");
    turns(5);
    peer_done(&peer);
    turns(5);
    assert_int_equal(hub_socket_count(), 0);
    advance(1100);
    assert_int_equal(flows_ended, 1); /* what it has stored, it carries through */
}

static void a_slow_answer_finds_its_socket(void **state)
{
    (void)state;
    sio_open(&peer, ADA);
    ws_send(&peer, "421[\"slow\",{}]");
    expect_ok("421[\"leave\",{}]"); /* later events are not kept waiting */
    advance(1100);
    ws_expect(&peer, "431[{\"status\":\"ok\"}]");
}

static void expect_gone(const char *log)
{
    buf_addc(&gone_log, 0);
    assert_string_equal(gone_log.p, log);
    gone_log.n = 0;
}

static void a_session_is_told_of_a_socket_that_goes(void **state)
{
    (void)state;
    sio_open(&peer, ADA);
    expect_ok("421[\"join\"," ARG(ROOM) "]");
    expect_ok("421[\"join\"," ARG(ROOM) "]"); /* again: nothing changes */
    expect_gone("");
    expect_ok("421[\"join\"," ARG(ROOM2) "]"); /* a socket is in one session */
    expect_gone(ROOM " " ADA "|");
    ws_send(&peer, "41");
    turns(3);
    expect_gone(ROOM2 " " ADA "|");
    ws_send(&peer, "40{\"token\":\"" ADA "\"}");
    ws_expect_start(&peer, "40{");
    expect_ok("421[\"join\"," ARG(ROOM) "]");
    expect_ok("421[\"leave\",{}]"); /* it asked for it */
    peer_done(&peer);
    turns(5);
    expect_gone("");
}

/* --- users --- */

static void an_event_for_a_user_goes_to_every_socket(void **state)
{
    (void)state;
    struct peer ada2, bob, nobody;
    struct uuid ada;
    assert_true(uuid_parse(STR(ADA), &ada));
    sio_open(&peer, ADA);
    sio_open(&ada2, NULL);
    ws_send(&ada2, "42[\"authenticate\",{\"token\":\"" ADA "\"}]");
    ws_expect_start(&ada2, "42[\"authenticated\"");
    sio_open(&bob, BOB);
    sio_open(&nobody, NULL);
    sockets_emit_user(&ada, "news", STR("{\"n\":1}"));
    ws_expect(&peer, "42[\"news\",{\"n\":1}]");
    ws_expect(&ada2, "42[\"news\",{\"n\":1}]");
    ws_expect_nothing(&bob);
    ws_expect_nothing(&nobody);
    peer_done(&peer);
    turns(5);
    sockets_emit_user(&ada, "news", STR("{\"n\":2}"));
    ws_expect(&ada2, "42[\"news\",{\"n\":2}]");
    peer_done(&ada2);
    turns(5);
    sockets_emit_user(&ada, "news", STR("{\"n\":3}")); /* nobody there: no error */
    peer_done(&bob);
    peer_done(&nobody);
}

static void of_a_session_s_end_a_socket_is_told_once(void **state)
{
    struct peer other;
    struct uuid ada, room, room2;
    (void)state;
    assert_true(uuid_parse(STR(ADA), &ada) && uuid_parse(STR(ROOM), &room) && uuid_parse(STR(ROOM2), &room2));
    sio_open(&peer, ADA);
    sio_open(&other, ADA);
    expect_ok("421[\"join\"," ARG(ROOM) "]");
    uint64_t in_it = last_socket;
    sockets_emit_user_ended(&ada, &room, STR("{\"n\":1}")); /* who is in it is told as such */
    ws_expect_nothing(&peer);
    ws_expect(&other, "42[\"session_ended\",{\"n\":1}]");
    sockets_emit_ended(in_it, &room, STR("{\"n\":2}"));
    ws_expect(&peer, "42[\"session_ended\",{\"n\":2}]");
    expect_ok("421[\"leave\",{}]");
    sockets_emit_user_ended(&ada, &room, STR("{\"n\":3}"));
    sockets_emit_ended(in_it, &room, STR("{\"n\":4}"));
    ws_expect_nothing(&peer);
    ws_expect_nothing(&other);
    sockets_emit_user_ended(&ada, &room2, STR("{\"n\":5}")); /* of another one */
    ws_expect(&peer, "42[\"session_ended\",{\"n\":5}]");
    ws_expect(&other, "42[\"session_ended\",{\"n\":5}]");
    peer_done(&peer);
    peer_done(&other);
    turns(5);
    sockets_emit_ended(in_it, &room2, STR("{}")); /* gone: no error */
    sockets_emit_user_ended(&ada, &room2, STR("{}"));
}

static void a_user_is_disconnected_from_every_socket(void **state)
{
    (void)state;
    struct peer ada2, bob;
    struct uuid ada;
    assert_true(uuid_parse(STR(ADA), &ada));
    sio_open(&peer, ADA);
    sio_open(&ada2, ADA);
    sio_open(&bob, BOB);
    sockets_disconnect_user(&ada);
    ws_expect(&peer, "41");
    ws_expect(&ada2, "41");
    ws_expect_nothing(&bob);
    sockets_disconnect_user(&ada); /* nobody there: no error */
    peer_done(&peer);
    peer_done(&ada2);
    peer_done(&bob);
}

static void a_socket_that_is_gone_is_no_error(void **state)
{
    (void)state;
    struct uuid room;
    struct str part = STR("{}");
    assert_true(uuid_parse(STR(ROOM), &room));
    sockets_emit(4711, "event", &part, 1);
    sockets_leave_session(4711);
    sockets_disconnect(4711);
    assert_false(sockets_enter_session(4711, &room, SESSION_NUMBER));
}

static void draining_tells_every_user(void **state)
{
    (void)state;
    struct peer bob;
    sio_open(&peer, ADA);
    sio_open(&bob, BOB);
    hub_drain();
    ws_expect(&peer, "42[\"server_draining\",{\"reconnectAfterMs\":1000}]");
    ws_expect(&bob, "42[\"server_draining\",{\"reconnectAfterMs\":1000}]");
    hub_close_all();
    assert_int_equal(hub_socket_count(), 0);
    ws_expect_close(&peer, 1001);
    ws_expect_close(&bob, 1001);
    peer_done(&bob);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
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
        TEST(a_flow_outlives_its_socket),
        TEST(a_slow_answer_finds_its_socket),
        TEST(a_session_is_told_of_a_socket_that_goes),
        TEST(an_event_for_a_user_goes_to_every_socket),
        TEST(of_a_session_s_end_a_socket_is_told_once),
        TEST(a_user_is_disconnected_from_every_socket),
        TEST(a_socket_that_is_gone_is_no_error),
        TEST(draining_tells_every_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
