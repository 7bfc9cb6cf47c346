/* The hub: sockets that leave while their flows go on, and what is told to users and sessions. */
#include "hub_fixture.h"

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
    const struct CMUnitTest tests[] = {
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
