/* The WebSocket transport: frames good and bad, closing from both sides, heartbeats, peers that do not read.
 */
#include "ws_fixture.h"

#include "conversation/ports/sockets.h"

static struct buf gone_log;
static uint64_t last_socket;

static void socket_gone(uint64_t socket_id, const struct uuid *session_id, const struct uuid *user_id)
{
    (void)socket_id;
    (void)session_id;
    buf_addf(&gone_log, "%s|", UUIDZ(user_id));
}

static struct uuid uuid_of(const char *text)
{
    struct uuid u;
    assert_true(uuid_parse(str_of(text), &u));
    return u;
}

/* The row's relay is the shortest way to the socket's id. */
static enum err note_socket(struct relay_call *call)
{
    last_socket = call->socket_id;
    return OK;
}

static enum err close_socket(struct relay_call *call)
{
    sockets_disconnect(call->socket_id);
    return OK;
}

static enum err close_everything(struct relay_call *call)
{
    (void)call;
    hub_close_all();
    return OK;
}

static const struct event_row events[] = {
    {"note", NEEDS_USER, .relay = note_socket},
    {"close", NEEDS_USER, .relay = close_socket},
    {"close_all", NEEDS_USER, .relay = close_everything},
    {.name = NULL},
};
static const struct hub_setup hub = {.events = events, .socket_gone = socket_gone};

static struct peer peer;

static int set_up(void **state)
{
    (void)state;
    hub_set_up(&hub);
    sio_open(&peer, ADA);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hub_tear_down();
    peer_done(&peer);
    buf_done(&gone_log);
    return 0;
}

static uint64_t socket_of(struct peer *p)
{
    ws_send(p, "420[\"note\",{}]");
    ws_expect(p, "430[{\"status\":\"ok\"}]");
    return last_socket;
}

static void emit(uint64_t socket, const char *json)
{
    struct str part = str_of(json);
    sockets_emit(socket, "event", &part, 1);
}

/* --- frames --- */

static void messages_may_be_cut_anywhere(void **state)
{
    (void)state;
    static const char text[] =
        "421[\"note\",{\"padding\":\"..................................................\"}]";
    ws_send_raw(&peer, 0x01, true, text, 5); /* fragments, a ping between them */
    ws_send_raw(&peer, 0x89, true, "now", 3);
    ws_send_raw(&peer, 0x00, true, text + 5, 0);
    ws_send_raw(&peer, 0x00, true, text + 5, 10);
    ws_send_raw(&peer, 0x80, true, text + 15, sizeof text - 1 - 15);
    const struct frame *pong = ws_next(&peer);
    assert_int_equal(pong->opcode, 0xa);
    assert_string_equal(pong->bytes, "now");
    ws_expect(&peer, "431[{\"status\":\"ok\"}]");
}

static void frames_byte_by_byte(void **state)
{
    (void)state;
    static const char bytes[] = "\x81\x8e\0\0\0\0"
                                "427[\"note\",{}]"
                                "\x89\x80\0\0\0\0";
    for (size_t i = 0; i < sizeof bytes - 1; i++)
        peer_send_bytes(&peer, bytes + i, 1);
    ws_expect(&peer, "437[{\"status\":\"ok\"}]");
    assert_int_equal(ws_next(&peer)->opcode, 0xa);
}

static void many_messages_in_one_segment(void **state)
{
    (void)state;
    struct buf bytes = {0};
    for (int i = 0; i < 50; i++)
        buf_add(&bytes,
                "\x81\x8e\0\0\0\0"
                "421[\"note\",{}]",
                20);
    peer_send_bytes(&peer, bytes.p, bytes.n);
    for (int i = 0; i < 50; i++)
        ws_expect(&peer, "431[{\"status\":\"ok\"}]");
    buf_done(&bytes);
}

static void large_messages_have_long_headers(void **state)
{
    (void)state;
    static char json[70001];
    uint64_t socket = socket_of(&peer);
    memset(json, ' ', sizeof json - 1);
    memcpy(json, "{}", 2);
    emit(socket, json);
    assert_int_equal(ws_next(&peer)->n, strlen("42[\"event\",]") + sizeof json - 1);
    json[300] = '\0';
    emit(socket, json);
    assert_int_equal(ws_next(&peer)->n, strlen("42[\"event\",]") + 300);
}

static void expect_failed(int first_byte, bool is_masked, const void *payload, size_t n, int code)
{
    peer_done(&peer);
    sio_open(&peer, ADA);
    ws_send_raw(&peer, first_byte, is_masked, payload, n);
    ws_expect_close(&peer, code);
    assert_int_equal(hub_socket_count(), 0);
}

static void bad_frames_fail_the_connection(void **state)
{
    (void)state;
    static char huge[130];
    expect_failed(0x81, false, "2", 1, 1002);           /* not masked */
    expect_failed(0xc1, true, "2", 1, 1002);            /* compressed, which was not agreed */
    expect_failed(0x83, true, "2", 1, 1002);            /* an opcode nobody has defined */
    expect_failed(0x80, true, "2", 1, 1002);            /* continues nothing */
    expect_failed(0x09, true, "2", 1, 1002);            /* a fragmented ping */
    expect_failed(0x89, true, huge, sizeof huge, 1002); /* a long ping */
    expect_failed(0x81, true, "4\xff", 2, 1007);        /* text that is not UTF-8 */
}

static void messages_above_the_limit_fail_the_connection(void **state)
{
    (void)state;
    static const char header[] = "\x81\xff\0\0\0\0\xff\xff\xff\xff\0\0\0\0";
    peer_send_bytes(&peer, header, sizeof header - 1);
    ws_expect_close(&peer, 1009);
}

static void fragments_above_the_limit_fail_the_connection(void **state)
{
    (void)state;
    static char piece[30000];
    int64_t limit = config.ws_max_payload_bytes;
    memset(piece, '4', sizeof piece);
    ws_send_raw(&peer, 0x01, true, piece, sizeof piece);
    for (int64_t sent = sizeof piece; sent < limit + (int64_t)sizeof piece; sent += (int64_t)sizeof piece)
        ws_send_raw(&peer, 0x00, true, piece, sizeof piece);
    ws_expect_close(&peer, 1009);
}

static void packets_that_mean_nothing_close(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
    } cases[] = {{"9", 1007},
                 {"", 1007},
                 {"2", 1002},
                 {"1", 1000},
                 {"4x", 1007},
                 {"42[", 1007},
                 {"42[\"a\\u0000\"", 1007}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        peer_done(&peer);
        sio_open(&peer, ADA);
        ws_send(&peer, cases[i].text);
        ws_expect_close(&peer, cases[i].code);
    }
}

/* --- closing --- */

static void a_close_is_answered(void **state)
{
    (void)state;
    ws_send_raw(&peer, 0x88, true, "\x03\xe9gone", 6);
    ws_expect_close(&peer, 1001);
    assert_int_equal(hub_socket_count(), 0);
}

static void a_close_without_code_and_bad_ones(void **state)
{
    (void)state;
    ws_send_raw(&peer, 0x88, true, "", 0);
    ws_expect_close(&peer, 1000);
    expect_failed(0x88, true, "\x03", 1, 1002);
    expect_failed(0x88, true, "\x03\xee", 2, 1002); /* 1006 is never sent */
    expect_failed(0x88, true, "\x03\xe8\xff", 3, 1007);
}

static void what_comes_after_the_close_is_ignored(void **state)
{
    (void)state;
    static const char bytes[] = "\x88\x80\0\0\0\0"
                                "\x81\x8e\0\0\0\0"
                                "421[\"note\",{}]";
    last_socket = 0;
    peer_send_bytes(&peer, bytes, sizeof bytes - 1);
    ws_expect_close(&peer, 1000);
    assert_int_equal(last_socket, 0);
}

static void a_peer_that_vanishes_is_a_disconnect(void **state)
{
    (void)state;
    assert_true(metric_value("websocket_connections_active") == 1);
    struct uuid room = uuid_of(ROOM);
    assert_true(sockets_enter_session(socket_of(&peer), &room, 1));
    peer_done(&peer);
    turns(5);
    assert_int_equal(hub_socket_count(), 0);
    assert_true(str_eqz(buf_str(&gone_log), ADA "|"));
    assert_true(metric_value("websocket_connections_active") == 0);
    sio_open(&peer, ADA);
}

static void an_event_may_close_its_own_connection(void **state)
{
    (void)state;
    ws_send(&peer, "42[\"close\",{}]");
    ws_expect(&peer, "41");
    assert_int_equal(hub_socket_count(), 0);
    ws_send(&peer, "40{\"token\":\"" ADA "\"}"); /* the connection lives on */
    ws_expect_start(&peer, "40{");
    ws_send(&peer, "42[\"close_all\",{}]");
    ws_expect_close(&peer, 1001);
}

static void an_event_may_close_its_own_socket_and_ask_for_an_ack(void **state)
{
    (void)state;
    ws_send(&peer, "425[\"close\",{}]");
    ws_expect(&peer, "41");
    ws_expect_nothing(&peer);
}

/* --- heartbeats --- */

static void a_peer_that_answers_pings_stays(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        advance(config.ws_heartbeat_interval_ms);
        ws_expect(&peer, "2");
        ws_send(&peer, "3");
        ws_expect_nothing(&peer);
    }
    assert_int_equal(hub_socket_count(), 1);
}

static void a_peer_that_does_not_is_dropped(void **state)
{
    (void)state;
    advance(config.ws_heartbeat_interval_ms);
    ws_expect(&peer, "2");
    advance(config.ws_heartbeat_timeout_ms - 100);
    assert_int_equal(hub_socket_count(), 1);
    advance(200);
    assert_int_equal(hub_socket_count(), 0);
    ws_expect_close(&peer, 1000);
}

/* --- peers that do not read --- */

static char large[60001];

static void flood(uint64_t socket, int times)
{
    memset(large, ' ', sizeof large - 1);
    memcpy(large, "{}", 2);
    for (int i = 0; i < times; i++) {
        emit(socket, large);
        turns(1);
    }
}

static void above_the_send_buffer_the_peer_is_cut(void **state)
{
    (void)state;
    uint64_t socket = socket_of(&peer);
    flood(socket, 2000);
    turns(5);
    advance(100);
    assert_int_equal(hub_socket_count(), 0);
    assert_int_equal(conn_count(), 0);
    assert_true(metric_value("websocket_slow_consumers_total") == 1);
}

static void what_does_not_move_is_cut(void **state)
{
    (void)state;
    uint64_t socket = socket_of(&peer);
    config.ws_heartbeat_interval_ms = 86400000;
    config.ws_send_buffer_bytes = 1 << 30;
    flood(socket, 2000);
    assert_int_equal(hub_socket_count(), 1);
    advance(config.http_body_timeout_ms + 100);
    assert_int_equal(hub_socket_count(), 0);
    assert_int_equal(conn_count(), 0);
    assert_true(metric_value("websocket_slow_consumers_total") == 1);
}

static void pings_that_are_not_read_are_bounded(void **state)
{
    (void)state;
    static const char ping[] = "\x89\xfd\0\0\0\0"; /* 125 bytes */
    struct buf pings = {0};
    for (int i = 0; i < 500; i++) {
        buf_add(&pings, ping, sizeof ping - 1);
        buf_add(&pings, large, 125);
    }
    for (int i = 0; i < 3000 && hub_socket_count() == 1; i++) {
        (void)!send(peer.fd, pings.p, pings.n,
                    MSG_NOSIGNAL); /* cut short it is a bad frame: the end as well */
        turns(1);
    }
    assert_int_equal(hub_socket_count(), 0);
    buf_done(&pings);
}

static void a_slow_peer_does_not_keep_others_waiting(void **state)
{
    (void)state;
    struct peer other;
    uint64_t slow = socket_of(&peer);
    sio_open(&other, BOB);
    uint64_t fast = socket_of(&other);
    flood(slow, 500);
    emit(fast, "{}");
    ws_expect(&other, "42[\"event\",{}]");
    peer_done(&other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(messages_may_be_cut_anywhere),
        TEST(frames_byte_by_byte),
        TEST(many_messages_in_one_segment),
        TEST(large_messages_have_long_headers),
        TEST(bad_frames_fail_the_connection),
        TEST(messages_above_the_limit_fail_the_connection),
        TEST(fragments_above_the_limit_fail_the_connection),
        TEST(packets_that_mean_nothing_close),
        TEST(a_close_is_answered),
        TEST(a_close_without_code_and_bad_ones),
        TEST(what_comes_after_the_close_is_ignored),
        TEST(a_peer_that_vanishes_is_a_disconnect),
        TEST(an_event_may_close_its_own_connection),
        TEST(an_event_may_close_its_own_socket_and_ask_for_an_ack),
        TEST(a_peer_that_answers_pings_stays),
        TEST(a_peer_that_does_not_is_dropped),
        TEST(above_the_send_buffer_the_peer_is_cut),
        TEST(what_does_not_move_is_cut),
        TEST(pings_that_are_not_read_are_bounded),
        TEST(a_slow_peer_does_not_keep_others_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
