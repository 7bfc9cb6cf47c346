/* permessage-deflate on a connection (RFC 7692): agreeing on it, and messages in both directions. */
#include "ws_fixture.h"

#include "conversation/base/json_scan.h"
#include "conversation/codec/ws_deflate.h"
#include "conversation/ports/sockets.h"

#define PLAIN    "permessage-deflate"
#define ACCEPTED "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

static uint64_t last_socket;
static size_t last_bytes; /* of the arguments of the last event */

static enum err note(struct relay_call *call)
{
    last_socket = call->socket_id;
    last_bytes = call->index->text.n;
    return OK;
}

static const struct event_row events[] = {{"note", NEEDS_USER, .relay = note}, {.name = NULL}};
static const struct hub_setup hub = {.events = events, .socket_gone = ignore_gone};

static struct peer peer;
static struct ws_deflate *client; /* the other end's */

static int set_up(void **state)
{
    (void)state;
    hub_set_up(&hub);
    client = ws_deflate_new();
    ws_open_tcp(&peer);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hub_tear_down();
    peer_done(&peer);
    ws_deflate_free(client);
    return 0;
}

/* --- helpers --- */

static void ask(const char *extension_headers)
{
    char request[1024];
    snprintf(request, sizeof request, "GET /socket.io/" QUERY " HTTP/1.1\r\n" UPGRADE_HEADERS "%s\r\n",
             extension_headers);
    peer_send(&peer, request);
}

static void take_answer(void)
{
    peer_expect(&peer, "\r\n\r\n");
    buf_consume(&peer.got, (size_t)(strstr(peer.got.p, "\r\n\r\n") + 4 - peer.got.p));
}

/* A socket of Ada's; `extension` is offered and must be answered by `answer`. */
static void open_with(const char *extension, const char *answer)
{
    char line[256];
    snprintf(line, sizeof line, "Sec-WebSocket-Extensions: %s\r\n", extension);
    ask(line);
    snprintf(line, sizeof line, "\r\nSec-WebSocket-Extensions: %s\r\n", answer);
    peer_expect(&peer, line);
    take_answer();
    ws_expect_start(&peer, "0{\"sid\":\"");
    ws_send(&peer, "40{\"token\":\"" ADA "\"}");
    ws_expect_start(&peer, "40{\"sid\":\"");
}

static void again(void)
{
    peer_done(&peer);
    ws_open_tcp(&peer);
    open_with(PLAIN, ACCEPTED);
}

/* `[event, {"padding": …}]` in `n` bytes. */
static struct str note_of(size_t n)
{
    static char text[20000];
    static const char start[] = "425[\"note\",{\"padding\":\"", end[] = "\"}]";
    assert_in_range(n, sizeof start + sizeof end, sizeof text - 1);
    memset(text, '.', n);
    memcpy(text, start, sizeof start - 1);
    memcpy(text + n - (sizeof end - 1), end, sizeof end - 1);
    return (struct str){text, n};
}

static struct str pack(struct str text)
{
    static const struct ws_deflate_terms any = {.window_bits = 15};
    struct str out = {0};
    assert_true(ws_deflate_compress(client, &any, &text, 1, &out));
    return out;
}

static void expect_noted(size_t padded)
{
    ws_expect(&peer, "435[{\"status\":\"ok\"}]");
    assert_in_range(last_bytes, padded - 30, padded);
}

/* The event that makes a message of `n` bytes. */
static void emit(size_t n)
{
    static char json[20000];
    size_t bytes = n - strlen("42[\"event\",]");
    assert_in_range(bytes, 2, sizeof json);
    memset(json, ' ', bytes);
    json[0] = '{';
    json[bytes - 1] = '}';
    sockets_emit(last_socket, "event", &(struct str){json, bytes}, 1);
}

static void expect_event(size_t n, bool is_compressed)
{
    const struct frame *f = ws_next(&peer);
    struct ws_message m = {.opcode = WS_TEXT, .is_compressed = true, .payload = {f->bytes, f->n}};
    enum ws_close_code code;
    assert_int_equal(f->opcode, 1);
    assert_int_equal(f->is_compressed, is_compressed);
    if (is_compressed) {
        assert_in_range(f->n, 1, 200);
        assert_true(ws_deflate_expand(client, &m, 20000, &code));
    }
    assert_int_equal(m.payload.n, n);
    assert_memory_equal(m.payload.p, "42[\"event\",{ ", 13);
}

static void know_socket(void)
{
    ws_send(&peer, "425[\"note\",{}]");
    ws_expect(&peer, "435[{\"status\":\"ok\"}]");
}

/* --- agreeing --- */

static void what_browsers_offer_is_taken(void **state)
{
    (void)state;
    open_with("permessage-deflate; client_max_window_bits", ACCEPTED);
}

static void offers_in_several_fields(void **state)
{
    (void)state;
    ask("Sec-WebSocket-Extensions: foo; bar=1\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate; x, permessage-deflate; server_max_window_bits=12\r\n");
    peer_expect(&peer, "\r\nSec-WebSocket-Extensions: " ACCEPTED "; server_max_window_bits=12\r\n");
}

/* What the headers offer is not agreed to, and a compressed message then breaks the protocol. */
static void expect_no_compression(const char *headers)
{
    ask(headers);
    peer_expect(&peer, "HTTP/1.1 101 ");
    peer_expect(&peer, "\r\n\r\n");
    assert_false(peer_has(&peer, "Extensions"));
    take_answer();
    ws_expect_start(&peer, "0{");
    struct str packed = pack(note_of(2000));
    ws_send_raw(&peer, 0xc1, true, packed.p, packed.n);
    ws_expect_close(&peer, 1002);
}

static void nothing_offered_nothing_answered(void **state)
{
    (void)state;
    static const char *const headers[] = {"", "Sec-WebSocket-Extensions: foo, permessage-deflate; y\r\n"};
    for (size_t i = 0; i < 2; i++) {
        peer_done(&peer);
        ws_open_tcp(&peer);
        expect_no_compression(headers[i]);
    }
}

static void a_field_out_of_grammar_is_400(void **state)
{
    (void)state;
    ask("Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Extensions: a b\r\n");
    peer_expect(&peer, "HTTP/1.1 400 ");
    peer_expect(&peer, "Sec-WebSocket-Extensions must be a list of extensions");
    peer_expect_end(&peer);
}

static void threshold_0_is_off(void **state)
{
    (void)state;
    hub_done();
    config.ws_deflate_threshold_bytes = 0;
    hub_init(&hub, verify);
    expect_no_compression("Sec-WebSocket-Extensions: permessage-deflate\r\n");
}

/* --- to the client --- */

static void messages_from_the_threshold_on_are_compressed(void **state)
{
    (void)state;
    size_t threshold = (size_t)config.ws_deflate_threshold_bytes;
    open_with(PLAIN, ACCEPTED);
    know_socket();
    const size_t sizes[] = {threshold - 1, threshold, 15000, threshold - 1};
    for (size_t i = 0; i < 4; i++) {
        emit(sizes[i]);
        expect_event(sizes[i], sizes[i] >= threshold);
    }
    assert_true(metric_value("websocket_deflate_plain_bytes_total{direction=\"out\"}") ==
                (double)threshold + 15000);
    assert_in_range(metric_value("websocket_deflate_wire_bytes_total{direction=\"out\"}"), 10, 400);
}

/* RFC 7692 section 6: whatever the threshold. */
static void control_frames_are_never_compressed(void **state)
{
    char payload[125];
    (void)state;
    hub_done();
    config.ws_deflate_threshold_bytes = 1;
    hub_init(&hub, verify);
    ask("Sec-WebSocket-Extensions: " PLAIN "\r\n");
    peer_expect(&peer, ACCEPTED);
    take_answer();
    (void)ws_next(&peer); /* OPEN */
    memset(payload, '.', sizeof payload);
    ws_send_raw(&peer, 0x89, true, payload, sizeof payload);
    const struct frame *f = ws_next(&peer);
    assert_int_equal(f->opcode, 10);
    assert_false(f->is_compressed);
    assert_int_equal(f->n, sizeof payload);
    assert_memory_equal(f->bytes, payload, sizeof payload);
}

static void a_small_window_takes_small_messages(void **state)
{
    (void)state;
    open_with("permessage-deflate; server_max_window_bits=11", ACCEPTED "; server_max_window_bits=11");
    know_socket();
    const size_t sizes[] = {2048, 2049};
    for (size_t i = 0; i < 2; i++) {
        emit(sizes[i]);
        expect_event(sizes[i], sizes[i] <= 2048);
    }
}

static void connections_do_not_disturb_each_other(void **state)
{
    (void)state;
    struct peer plain;
    open_with(PLAIN, ACCEPTED);
    know_socket();
    uint64_t compressed = last_socket;
    sio_open(&plain, BOB);
    ws_send(&plain, "425[\"note\",{}]");
    ws_expect(&plain, "435[{\"status\":\"ok\"}]");
    emit(5000);
    const struct frame *f = ws_next(&plain);
    assert_false(f->is_compressed);
    assert_int_equal(f->n, 5000);
    last_socket = compressed;
    emit(5000);
    expect_event(5000, true);
    peer_done(&plain);
}

/* --- from the client --- */

static void compressed_messages_are_read(void **state)
{
    (void)state;
    open_with(PLAIN, ACCEPTED);
    static const size_t sizes[] = {60, 1024, 19000};
    for (size_t i = 0; i < 3; i++) {
        struct str packed = pack(note_of(sizes[i]));
        ws_send_raw(&peer, 0xc1, true, packed.p, packed.n);
        expect_noted(sizes[i]);
        ws_send_raw(&peer, 0x81, true, note_of(sizes[i]).p, sizes[i]); /* a client need not compress */
        expect_noted(sizes[i]);
    }
    assert_true(metric_value("websocket_deflate_plain_bytes_total{direction=\"in\"}") == 60 + 1024 + 19000);
}

static void compressed_messages_may_be_fragmented(void **state)
{
    (void)state;
    open_with(PLAIN, ACCEPTED);
    struct str packed = pack(note_of(3000));
    ws_send_raw(&peer, 0x41, true, packed.p, 1);
    ws_send_raw(&peer, 0x89, true, "", 0);
    ws_send_raw(&peer, 0x00, true, packed.p + 1, packed.n - 1);
    ws_send_raw(&peer, 0x80, true, "", 0);
    assert_int_equal(ws_next(&peer)->opcode, 0xa);
    expect_noted(3000);
}

static void expect_failed(int first_byte, struct str payload, int code)
{
    again();
    ws_send_raw(&peer, first_byte, true, payload.p, payload.n);
    ws_expect_close(&peer, code);
    assert_int_equal(hub_socket_count(), 0);
}

static void what_compression_gets_wrong(void **state)
{
    (void)state;
    open_with(PLAIN, ACCEPTED);
    expect_failed(0xc1, STR("420[\"note\"]"), 1007);                    /* not compressed */
    expect_failed(0xc1, STR(""), 1007);                                 /* not even an empty block */
    expect_failed(0xc1, STR("\x00\x02\x00\xfd\xff\x34\xff\x00"), 1007); /* "4\xff" is not UTF-8 */
    expect_failed(0xc9, STR(""), 1002);                                 /* a ping is never compressed */
    expect_failed(0xc8, STR(""), 1002);
    expect_failed(0xc0, STR(""), 1002);
    expect_failed(0xe1, STR("\x00"), 1002); /* another reserved bit */
    again();
    ws_send_raw(&peer, 0x01, true, "4", 1);
    ws_send_raw(&peer, 0xc0, true, "2", 1); /* RSV1 is the first frame's */
    ws_expect_close(&peer, 1002);
}

static void bombs_are_refused(void **state)
{
    (void)state;
    size_t limit = (size_t)config.ws_max_payload_bytes;
    struct buf zeros = {0};
    buf_reserve(&zeros, limit + 1);
    memset(zeros.p, ' ', limit + 1);
    zeros.n = limit + 1;
    zeros.p[0] = '9'; /* no packet: the one within the limit is closed as such */
    open_with(PLAIN, ACCEPTED);
    struct str bomb = pack(buf_str(&zeros));
    assert_in_range(bomb.n, 1, 10000);
    expect_failed(0xc1, bomb, 1009);
    zeros.n = limit;
    expect_failed(0xc1, pack(buf_str(&zeros)), 1007);
    buf_done(&zeros);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_browsers_offer_is_taken),
        TEST(offers_in_several_fields),
        TEST(nothing_offered_nothing_answered),
        TEST(a_field_out_of_grammar_is_400),
        TEST(threshold_0_is_off),
        TEST(messages_from_the_threshold_on_are_compressed),
        TEST(control_frames_are_never_compressed),
        TEST(a_small_window_takes_small_messages),
        TEST(connections_do_not_disturb_each_other),
        TEST(compressed_messages_are_read),
        TEST(compressed_messages_may_be_fragmented),
        TEST(what_compression_gets_wrong),
        TEST(bombs_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
