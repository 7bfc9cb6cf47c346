/* From polling to WebSocket, on real connections. */
#include "engine_fixture.h"

static void upgrade(void **state)
{
    (void)state;
    struct peer ws;
    open_polling();
    send_poll();
    ws_open_tcp(&ws);
    ws_expect_upgrade(&ws, ws_path());
    ws_send(&ws, "2probe");
    ws_expect(&ws, "3probe");
    expect_answer(&poller, 200, "6");
    post("4by post", 200, "ok");
    ws_send(&ws, "5");
    ws_expect(&ws, "4by post");
    ws_send(&ws, "4hello");
    ws_expect(&ws, "4hello");
    refused("GET", polling_path(), "", 400, BAD_REQUEST);
    refused("POST", polling_path(), "", 400, BAD_REQUEST);
    peer_done(&poller);
    ws_open_tcp(&poller);
    ws_expect_upgrade(&poller, ws_path()); /* a second one */
    ws_expect_close(&poller, 1008);
    ws_send(&ws, "4still");
    ws_expect(&ws, "4still");
    ws_send_raw(&ws, 0x82, true, "\x01\x02", 2);
    assert_int_equal(ws_next(&ws)->opcode, 2);
    ws_send(&ws, "4end");
    ws_expect_close(&ws, 1000);
    expect_session_gone(EIO_FORCED_CLOSE);
    peer_done(&ws);
}

static void second_websocket_while_one_probes(void **state)
{
    (void)state;
    struct peer ws;
    open_polling();
    ws_open_tcp(&ws);
    ws_expect_upgrade(&ws, ws_path());
    ws_expect_upgrade(&poster, ws_path());
    ws_expect_close(&poster, 1008);
    ws_send(&ws, "2probe");
    ws_expect(&ws, "3probe");
    peer_done(&ws);
    turns(5);
    send_poll(); /* polling goes on */
    expect_nothing(&poller);
    assert_int_equal(app.closed, 0);
}

static void websocket_on_a_websocket_session(void **state)
{
    (void)state;
    const struct frame *f;
    ws_expect_upgrade(&poller, WS);
    f = ws_next(&poller);
    memcpy(sid, strstr(f->bytes, "\"sid\":\"") + 7, 20);
    ws_expect_upgrade(&poster, ws_path());
    ws_expect_close(&poster, 1008);
    refused("GET", polling_path(), "", 400, BAD_REQUEST);
    ws_send(&poller, "4hello");
    ws_expect(&poller, "4hello");
}

static void a_message_outlives_its_session(void **state)
{
    (void)state;
    ws_handshake(&poller, WS);
    ws_send_raw(&poller, 0x01, true, "4end, th", 8);
    ws_send_raw(&poller, 0x89, true, "between", 7);
    ws_send_raw(&poller, 0x80, true, "en read on", 10);
    assert_int_equal(ws_next(&poller)->opcode, 10);
    ws_expect_close(&poller, 1000);
    expect_session_gone(EIO_FORCED_CLOSE);
}

static void an_upgrade_must_not_take_forever(void **state)
{
    (void)state;
    open_polling();
    ws_expect_upgrade(&poster, ws_path());
    ws_send(&poster, "2probe");
    ws_expect(&poster, "3probe");
    advance(10008);
    ws_expect_close(&poster, 1000);
    assert_int_equal(app.closed, 0);
}

static void a_broken_frame_ends_the_attempt_only(void **state)
{
    (void)state;
    open_polling();
    ws_expect_upgrade(&poster, ws_path());
    ws_send_raw(&poster, 0x81, false, "2probe", 6); /* not masked */
    ws_expect_close(&poster, 1002);
    assert_int_equal(app.closed, 0);
    send_poll();
    expect_nothing(&poller);
}

static void the_server_closes_during_an_upgrade(void **state)
{
    (void)state;
    struct peer ws;
    open_polling();
    ws_open_tcp(&ws);
    ws_expect_upgrade(&ws, ws_path());
    ws_send(&ws, "2probe");
    ws_expect(&ws, "3probe");
    post("4bye\x1e"
         "4end",
         200, "ok");
    ws_send(&ws, "5");
    ws_expect(&ws, "4bye");
    ws_expect_close(&ws, 1000);
    expect_session_gone(EIO_FORCED_CLOSE);
    peer_done(&ws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(upgrade),
        TEST(second_websocket_while_one_probes),
        TEST(websocket_on_a_websocket_session),
        TEST(a_message_outlives_its_session),
        TEST(an_upgrade_must_not_take_forever),
        TEST(a_broken_frame_ends_the_attempt_only),
        TEST(the_server_closes_during_an_upgrade),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
