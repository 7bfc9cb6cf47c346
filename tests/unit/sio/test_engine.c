/* Engine.IO over HTTP: handshakes, polls and POSTs, and every refusal with its exact answer. */
#include "engine_fixture.h"

/* --- handshake --- */

static void polling_handshake(void **state)
{
    (void)state;
    static const char before[] = "0{\"sid\":\"";
    static const char after[] =
        "\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":20000,"
        "\"maxPayload\":2000}";
    char body[200];
    send_request(&poller, "GET", POLLING "&t=abc", "", no_body);
    peer_expect(&poller, after);
    const char *at = strstr(poller.got.p, before);
    snprintf(body, sizeof body, "%.*s%s", (int)(sizeof before - 1 + 20), at, after);
    const char *head = expect_answer(&poller, 200, body);
    assert_non_null(strstr(head, "\r\nContent-Type: text/plain; charset=UTF-8\r\n"));
    assert_non_null(strstr(head, "\r\nCache-Control: no-store\r\n"));
    assert_non_null(strstr(head, "\r\nConnection: keep-alive\r\n"));
    assert_non_null(strstr(head, "\r\nX-Host: GET, opens\r\n"));
    assert_true(last_opened);
    assert_int_equal(metric_value("websocket_connections_active"), 1);
}

static void websocket_handshake(void **state)
{
    (void)state;
    send_request(&poller, "GET", WS, UPGRADE_HEADERS + 9, no_body); /* without its Host line */
    peer_expect(&poller, "HTTP/1.1 101 Switching Protocols\r\n");
    peer_expect(&poller, "\r\nX-Host: GET, opens\r\n");
    peer_expect(&poller, "\r\n\r\n");
    buf_consume(&poller.got, (size_t)(strstr(poller.got.p, "\r\n\r\n") + 4 - poller.got.p));
    const struct frame *f = ws_next(&poller);
    assert_non_null(strstr(f->bytes, "\"upgrades\":[]"));
    assert_true(last_opened);
}

static void refused_handshakes(void **state)
{
    (void)state;
    static const struct {
        const char *method, *query, *headers;
        int status;
        const char *body;
    } rows[] = {
        {"GET", "", "", 400, "{\"code\":0,\"message\":\"Transport unknown\"}"},
        {"GET", "?EIO=4", "", 400, "{\"code\":0,\"message\":\"Transport unknown\"}"},
        {"GET", "?EIO=4&transport", "", 400, "{\"code\":0,\"message\":\"Transport unknown\"}"},
        {"GET", "?EIO=4&transport=abc", "", 400, "{\"code\":0,\"message\":\"Transport unknown\"}"},
        {"GET", "?EIO=4&transport=webtransport", "", 400, "{\"code\":0,\"message\":\"Transport unknown\"}"},
        {"GET", "?EIO=4&transport=POLLING", "", 400, "{\"code\":0,\"message\":\"Transport unknown\"}"},
        {"GET", "?transport=polling", "", 400, "{\"code\":5,\"message\":\"Unsupported protocol version\"}"},
        {"GET", "?EIO=3&transport=polling", "", 400,
         "{\"code\":5,\"message\":\"Unsupported protocol version\"}"},
        {"GET", "?EIO=44&transport=polling", "", 400,
         "{\"code\":5,\"message\":\"Unsupported protocol version\"}"},
        {"GET", "?EIO=4&transport=polling&sid=abc", "", 400, UNKNOWN_SID},
        {"GET", "?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", "", 400, UNKNOWN_SID},
        {"GET", "?EIO=4&transport=websocket&sid=abc", UPGRADE, 400, UNKNOWN_SID},
        {"POST", "?EIO=4&transport=polling", "", 400, "{\"code\":2,\"message\":\"Bad handshake method\"}"},
        {"PUT", "?EIO=4&transport=polling", "", 400, "{\"code\":2,\"message\":\"Bad handshake method\"}"},
        {"POST", "?EIO=4&transport=websocket", UPGRADE, 400,
         "{\"code\":2,\"message\":\"Bad handshake method\"}"},
        {"GET", "?EIO=4&transport=websocket", "", 400, BAD_REQUEST},
        {"GET", "?EIO=4&transport=polling", UPGRADE, 400, BAD_REQUEST},
        {"GET", "?EIO=4&transport=polling&deny", "", 403, "{\"code\":4,\"message\":\"Forbidden\"}"},
        {"GET", "?EIO=4&transport=polling&deny=why", "", 403, "{\"code\":4,\"message\":\"because\"}"},
        {"GET", "?EIO=4&transport=websocket&deny=1", UPGRADE, 403, "{\"code\":4,\"message\":\"Forbidden\"}"},
        {"GET", "?EIO=3&transport=polling&deny=1", "", 403, "{\"code\":4,\"message\":\"Forbidden\"}"},
        {"GET", "?EIO=4&transport=polling&deny=busy", "", 503, "busy\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char target[100];
        snprintf(target, sizeof target, "/engine.io/%s", rows[i].query);
        refused(rows[i].method, target, rows[i].headers, rows[i].status, rows[i].body);
    }
    assert_int_equal(app.open, 0);
}

static void refusals_say_more_in_headers(void **state)
{
    (void)state;
    send_request(&poller, "GET", POLLING "&deny=busy", "", no_body);
    const char *head = expect_answer(&poller, 503, "busy\n");
    assert_non_null(strstr(head, "\r\nRetry-After: 7\r\n"));
    send_request(&poller, "GET", "/engine.io/?transport=x", "", no_body);
    head = expect_answer(&poller, 400, "{\"code\":0,\"message\":\"Transport unknown\"}");
    assert_non_null(strstr(head, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(head, "\r\nX-Host: GET\r\n"));
}

static void the_server_may_be_full_or_unwilling(void **state)
{
    (void)state;
    app.refuses = true;
    refused("GET", POLLING, "", 503, "too many connections\n");
    ws_expect_upgrade(&poster, WS);
    ws_expect_close(&poster, 1013);
    app.refuses = false;
    for (int i = 0; i < 10; i++)
        open_polling();
    refused("GET", POLLING, "", 503, "too many connections\n");
}

static void head_has_no_body_and_options_no_content(void **state)
{
    (void)state;
    send_request(&poller, "HEAD", POLLING, "", no_body);
    peer_expect(&poller, "HTTP/1.1 400 ");
    peer_expect(&poller, "\r\n\r\n");
    turns(3);
    assert_false(peer_has(&poller, "{"));
    peer_forget(&poller);
    send_request(&poller, "OPTIONS", POLLING, "", no_body);
    peer_expect(&poller, "HTTP/1.1 204 ");
    peer_expect(&poller, "\r\nAllow: GET, POST, OPTIONS\r\n");
    peer_expect(&poller, "\r\nX-Host: OPTIONS\r\n");
}

static void another_protocol_is_not_asked_for(void **state)
{
    (void)state;
    send_request(&poller, "GET", POLLING, "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n", no_body);
    peer_expect(&poller, "HTTP/1.1 200 ");
}

/* --- polls and POSTs --- */

static void messages_there_and_back(void **state)
{
    (void)state;
    open_polling();
    post("4hello", 200, "ok");
    expect_poll("4hello");
    post("4test1\x1e"
         "4test2\x1e"
         "4test3",
         200, "ok");
    expect_poll("4test1\x1e"
                "4test2\x1e"
                "4test3");
    post("4h\xc3\xa9\x1e"
         "bAQIDBA==",
         200, "ok");
    expect_poll("4h\xc3\xa9\x1e"
                "bAQIDBA==");
}

static void a_poll_waits_for_one_answer_a_turn(void **state)
{
    (void)state;
    open_polling();
    send_poll();
    expect_nothing(&poller);
    send_request(&poster, "POST", polling_path(), "",
                 STR("4a\x1e"
                     "4b\x1e"
                     "bAQ=="));
    const char *head = expect_answer(&poller, 200,
                                     "4a\x1e"
                                     "4b\x1e"
                                     "bAQ==");
    assert_non_null(strstr(head, "\r\nX-Host: GET\r\n"));
    assert_non_null(strstr(head, "\r\nCache-Control: no-store\r\n"));
    head = expect_answer(&poster, 200, "ok");
    assert_non_null(strstr(head, "\r\nContent-Type: text/html\r\n"));
    assert_non_null(strstr(head, "\r\nCache-Control: no-store\r\n"));
    assert_non_null(strstr(head, "\r\nX-Host: POST\r\n"));
    expect_nothing(&poller);
}

static void two_posts_may_come_in_one_segment(void **state)
{
    (void)state;
    struct buf text = {0};
    open_polling();
    send_poll();
    for (int i = 1; i <= 2; i++)
        buf_addf(&text, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n4%d", polling_path(), i);
    peer_send_bytes(&poster, text.p, text.n);
    buf_done(&text);
    expect_answer(&poster, 200, "ok");
    expect_answer(&poster, 200, "ok");
    peer_expect(&poller, "41");
    if (!peer_has(&poller, "42")) {
        peer_forget(&poller);
        send_poll();
        peer_expect(&poller, "42");
    }
}

/* Sends the header of a POST. */
static void begin_post(struct peer *p, const char *headers)
{
    struct buf text = {0};
    buf_addf(&text, "POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n", polling_path(), headers);
    peer_send_bytes(p, text.p, text.n);
    buf_done(&text);
    turns(5);
}

static void a_post_may_come_in_pieces(void **state)
{
    (void)state;
    open_polling();
    for (int i = 0; i < 2; i++) {
        begin_post(&poster, "Expect: 100-continue\r\nContent-Length: 2\r\n");
        peer_expect(&poster, "HTTP/1.1 100 Continue\r\n\r\n");
        peer_forget(&poster);
        peer_send(&poster, "4");
        turns(5);
        peer_send(&poster, "a");
        expect_answer(&poster, 200, "ok");
        expect_poll("4a");
    }
    assert_int_equal(app.closed, 0);
}

static void two_posts_at_once(void **state)
{
    (void)state;
    struct peer second;
    open_polling();
    ws_open_tcp(&second);
    begin_post(&poster, "Content-Length: 2\r\n");
    begin_post(&second, "Content-Length: 2\r\n");
    peer_send(&second, "4b");
    expect_answer(&second, 400, UNKNOWN_SID);
    peer_send(&poster, "4a");
    expect_answer(&poster, 400, UNKNOWN_SID);
    expect_session_gone(EIO_TRANSPORT_ERROR);
    peer_done(&second);
}

static void a_post_that_the_client_aborts(void **state)
{
    (void)state;
    open_polling();
    begin_post(&poster, "Content-Length: 2\r\n");
    peer_done(&poster);
    turns(5);
    ws_open_tcp(&poster);
    expect_session_gone(EIO_TRANSPORT_ERROR);
}

static void a_post_outlives_its_session(void **state)
{
    (void)state;
    open_polling();
    begin_post(&poster, "Content-Length: 2\r\n");
    eio_server_close_all(server, EIO_SERVER_SHUTDOWN);
    peer_send(&poster, "4a");
    expect_answer(&poster, 400, UNKNOWN_SID);
}

static void other_bodies_do_not_count(void **state)
{
    (void)state;
    open_polling();
    send_request(&poller, "PUT", polling_path(), "Content-Length: 2\r\n", no_body);
    send_request(&poster, "POST", POLLING "&sid=unknown", "Content-Length: 2\r\n", no_body);
    turns(5);
    peer_send(&poller, "4a");
    peer_send(&poster, "4a");
    expect_answer(&poller, 405, "GET polls, POST sends\n");
    expect_answer(&poster, 400, UNKNOWN_SID);
    assert_int_equal(app.closed, 0);
}

static void bad_posts_end_the_session(void **state)
{
    (void)state;
    static const struct {
        struct str body;
        enum eio_reason reason;
    } rows[] = {
        {STR("abc"), EIO_PARSE_ERROR},
        {STR(""), EIO_PARSE_ERROR},
        {STR("4a\x1e"), EIO_PARSE_ERROR},
        {STR("7"), EIO_PARSE_ERROR},
        {STR("bAQI"
             "\x1e"
             "bAQ"),
         EIO_PARSE_ERROR},
        {STR("4\xff"), EIO_PARSE_ERROR},
        {STR("4break"), EIO_PARSE_ERROR},
        {STR("2"), EIO_TRANSPORT_ERROR},
        {STR("2probe"), EIO_TRANSPORT_ERROR},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        app.closed = app.open = 0;
        open_polling();
        send_request(&poster, "POST", polling_path(), "", rows[i].body);
        expect_answer(&poster, 400, BAD_REQUEST);
        expect_session_gone(rows[i].reason);
    }
}

static void what_came_before_the_bad_packet_counts(void **state)
{
    (void)state;
    open_polling();
    send_poll();
    post("4a\x1e"
         "x\x1e"
         "4b",
         400, BAD_REQUEST);
    expect_answer(&poller, 200,
                  "4a\x1e"
                  "1");
    expect_session_gone(EIO_PARSE_ERROR);
}

static void binary_content_is_refused(void **state)
{
    (void)state;
    open_polling();
    send_request(&poster, "POST", polling_path(), "Content-Type: Application/Octet-Stream; x=y\r\n",
                 STR("4a"));
    expect_answer(&poster, 400, BAD_REQUEST);
    expect_session_gone(EIO_TRANSPORT_ERROR);
}

static void an_oversize_post_is_413_and_harms_nobody(void **state)
{
    (void)state;
    char body[MAX_PAYLOAD + 2];
    open_polling();
    memset(body, 'a', sizeof body);
    body[0] = '4';
    send_request(&poster, "POST", polling_path(), "", (struct str){body, MAX_PAYLOAD + 1});
    peer_expect(&poster, "HTTP/1.1 413 ");
    assert_int_equal(app.closed, 0);
    peer_done(&poster);
    ws_open_tcp(&poster);
    body[MAX_PAYLOAD] = '\0';
    post(body, 200, "ok");
    expect_poll(body);
}

static void other_methods(void **state)
{
    (void)state;
    open_polling();
    send_request(&poster, "PUT", polling_path(), "", STR("4a"));
    const char *head = expect_answer(&poster, 405, "GET polls, POST sends\n");
    assert_non_null(strstr(head, "\r\nAllow: GET, POST, OPTIONS\r\n"));
    post("4a", 200, "ok"); /* the session is unharmed */
}

static void other_version_or_transport_with_a_sid(void **state)
{
    (void)state;
    char target[100];
    open_polling();
    snprintf(target, sizeof target, "/engine.io/?EIO=3&transport=polling&sid=%s", sid);
    refused("GET", target, "", 400, BAD_REQUEST);
    snprintf(target, sizeof target, "/engine.io/?transport=polling&sid=%s", sid);
    refused("GET", target, "", 400, BAD_REQUEST);
    refused("GET", ws_path(), "", 400, BAD_REQUEST);
    refused("POST", ws_path(), "", 400, BAD_REQUEST);
    refused("GET", polling_path(), UPGRADE, 400, BAD_REQUEST);
    refused("POST", ws_path(), UPGRADE, 405, "a WebSocket is opened by GET\n");
    post("4a", 200, "ok");
}

static void two_polls_at_once(void **state)
{
    (void)state;
    open_polling();
    send_poll();
    send_request(&poster, "GET", polling_path(), "", no_body);
    expect_answer(&poller, 200, "1");
    expect_answer(&poster, 400, BAD_REQUEST);
    expect_session_gone(EIO_TRANSPORT_ERROR);
}

static void a_poll_that_the_client_aborts(void **state)
{
    (void)state;
    open_polling();
    send_poll();
    peer_done(&poller);
    turns(5);
    expect_session_gone(EIO_TRANSPORT_ERROR);
}

static void the_client_closes(void **state)
{
    (void)state;
    open_polling();
    send_poll();
    post("1", 200, "ok");
    expect_answer(&poller, 200, "6");
    expect_session_gone(EIO_TRANSPORT_CLOSE);
}

static void the_server_closes_while_a_poll_waits(void **state)
{
    (void)state;
    open_polling();
    send_poll();
    post("4bye\x1e"
         "4end\x1e"
         "4not heard",
         200, "ok");
    expect_answer(&poller, 200,
                  "4bye\x1e"
                  "1");
    expect_session_gone(EIO_FORCED_CLOSE);
}

static void the_server_closes_between_polls(void **state)
{
    (void)state;
    open_polling();
    post("4bye\x1e"
         "4end\x1e"
         "4not heard",
         200, "ok");
    assert_int_equal(app.closed, 1);
    advance(29000);
    expect_poll("4bye\x1e"
                "1");
    expect_session_gone(EIO_FORCED_CLOSE);
}

static void nobody_fetches_the_end(void **state)
{
    (void)state;
    open_polling();
    post("4end", 200, "ok");
    advance(30008);
    expect_session_gone(EIO_FORCED_CLOSE);
}

static void heartbeat(void **state)
{
    (void)state;
    open_polling();
    for (int i = 0; i < 3; i++) {
        send_poll();
        advance(25008);
        expect_answer(&poller, 200, "2");
        post("3", 200, "ok");
    }
    advance(25008); /* no poll: the ping waits */
    expect_poll("2");
    advance(20008);
    expect_session_gone(EIO_PING_TIMEOUT);
}

static void ping_timeout_ends_a_waiting_poll(void **state)
{
    (void)state;
    open_polling();
    advance(25008);
    expect_poll("2");
    send_poll();
    advance(20008);
    expect_answer(&poller, 200, "1");
    expect_session_gone(EIO_PING_TIMEOUT);
}

static void a_client_that_does_not_poll_is_cut(void **state)
{
    (void)state;
    static char body[MAX_PAYLOAD + 1];
    memset(body, 'a', MAX_PAYLOAD);
    body[0] = '4';
    open_polling();
    for (int i = 0; i < 4; i++)
        post(body, 200, "ok");
    assert_int_equal(app.closed, 0);
    for (int i = 0; i < 2; i++) {
        send_request(&poster, "POST", polling_path(), "", str_of(body));
        peer_expect(&poster, "\r\n\r\n");
        peer_forget(&poster);
    }
    advance(16);
    peer_forget(&poster);
    expect_session_gone(EIO_SLOW_CONSUMER);
    assert_int_equal(metric_value("websocket_slow_consumers_total"), 1);
}

/* Base64 makes it larger than the bound, which counts bytes. */
static void a_full_backlog_of_bytes_fits_one_poll(void **state)
{
    (void)state;
    static char body[MAX_PAYLOAD - 3];
    memset(body, 'A', sizeof body - 1);
    body[0] = 'b'; /* 1992 digits would be 1494 bytes */
    body[1 + 1992] = '\0';
    open_polling();
    for (int i = 0; i < 6; i++)
        post(body, 200, "ok");
    send_poll();
    peer_expect(&poller, "Content-Length: 11963\r\n");
    assert_int_equal(app.closed, 0);
}

/* --- the query --- */

static void query_values(void **state)
{
    (void)state;
    static const char query[] = "a=1&b&c=&aa=2&a=3&=4";
    assert_true(str_eqz(engine_query_value(str_of(query), "a"), "1"));
    assert_true(str_eqz(engine_query_value(str_of(query), "aa"), "2"));
    assert_true(str_eqz(engine_query_value(str_of(query), ""), "4"));
    assert_non_null(engine_query_value(str_of(query), "b").p);
    assert_int_equal(engine_query_value(str_of(query), "b").n, 0);
    assert_non_null(engine_query_value(str_of(query), "c").p);
    assert_null(engine_query_value(str_of(query), "d").p);
    assert_null(engine_query_value((struct str){NULL, 0}, "a").p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(polling_handshake),
        TEST(websocket_handshake),
        TEST(refused_handshakes),
        TEST(refusals_say_more_in_headers),
        TEST(the_server_may_be_full_or_unwilling),
        TEST(head_has_no_body_and_options_no_content),
        TEST(another_protocol_is_not_asked_for),
        TEST(messages_there_and_back),
        TEST(a_poll_waits_for_one_answer_a_turn),
        TEST(two_posts_may_come_in_one_segment),
        TEST(a_post_may_come_in_pieces),
        TEST(two_posts_at_once),
        TEST(a_post_that_the_client_aborts),
        TEST(a_post_outlives_its_session),
        TEST(other_bodies_do_not_count),
        TEST(bad_posts_end_the_session),
        TEST(what_came_before_the_bad_packet_counts),
        TEST(binary_content_is_refused),
        TEST(an_oversize_post_is_413_and_harms_nobody),
        TEST(other_methods),
        TEST(other_version_or_transport_with_a_sid),
        TEST(two_polls_at_once),
        TEST(a_poll_that_the_client_aborts),
        TEST(the_client_closes),
        TEST(the_server_closes_while_a_poll_waits),
        TEST(the_server_closes_between_polls),
        TEST(nobody_fetches_the_end),
        TEST(heartbeat),
        TEST(ping_timeout_ends_a_waiting_poll),
        TEST(a_client_that_does_not_poll_is_cut),
        TEST(a_full_backlog_of_bytes_fits_one_poll),
        cmocka_unit_test(query_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
