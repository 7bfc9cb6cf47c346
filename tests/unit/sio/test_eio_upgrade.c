/* Sessions on polling, and their upgrade, over fake transports on the virtual clock. Each poll is a
 * transport. */
#include "fake_session.h"

static struct fake_transport next, ws;
static struct eio_session *session;

/* A poll has been answered: the session is told so, as the transport does. */
static void poll_is_answered(struct fake_transport *poll)
{
    assert_ptr_equal(poll->t.session, session);
    eio_session_detach(session);
}

/* A polling session between two polls. */
static int set_up_polling(void **state)
{
    set_up(state);
    fake.t.ops = &fake_poll_ops;
    next = (struct fake_transport){.t.ops = &fake_poll_ops};
    ws = (struct fake_transport){.t.ops = &fake_ops};
    session = open_session();
    poll_is_answered(&fake);
    return 0;
}

static int tear_down_polling(void **state)
{
    tear_down(state);
    buf_done(&next.log);
    buf_done(&ws.log);
    return 0;
}

static void send_text(const char *text)
{
    struct str part = str_of(text);
    eio_session_send(session, false, &part, 1);
}

static bool post(const char *packet, enum eio_reason *why)
{
    char *copy = strdup(packet);
    bool goes_on = eio_session_received(session, false, str_of(copy), why);
    free(copy);
    return goes_on;
}

static void try_upgrade(void)
{
    assert_true(eio_session_upgrade(session, &ws.t));
    receive(&ws, "2probe");
    assert_sent(&ws, "3probe|");
}

/* --- polls --- */

static void test_open_packet_offers_websocket(void **state)
{
    (void)state;
    char want[200];
    struct eio_session *s = eio_session_open(server, &next.t, &context);
    snprintf(want, sizeof want,
             "0{\"sid\":\"%s\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":20000,"
             "\"maxPayload\":1000000}|",
             eio_session_sid(s));
    assert_sent(&next, want);
    assert_true(eio_session_is_polling(s));
}

static void test_a_poll_gets_what_was_kept_and_what_comes(void **state)
{
    (void)state;
    assert_false(eio_session_has_poll(session));
    send_text("a");
    eio_session_send(session, true, &STR("bin"), 1);
    pass_ms(25008); /* a ping waits like everything else */
    eio_session_attach(session, &next.t);
    assert_true(eio_session_has_poll(session));
    assert_sent(&next, "4a|b:bin|2|");
    send_text("b");
    assert_sent(&next, "4b|");
    poll_is_answered(&next);
    assert_false(eio_session_has_poll(session));
    send_text("c");
    eio_session_attach(session, &next.t);
    assert_sent(&next, "4c|");
}

static void test_posts(void **state)
{
    (void)state;
    enum eio_reason why;
    assert_true(post("4hello", &why));
    assert_true(eio_session_received(session, true, STR("bin"), &why));
    assert_true(post("5", &why)); /* without meaning on polling */
    assert_true(post("3", &why));
    assert_user_saw("message:hello|binary:bin|");
    assert_false(post("2", &why));
    assert_int_equal(why, EIO_TRANSPORT_ERROR);
    assert_user_saw("close:transport error|");
}

static void test_posts_that_end_the_session(void **state)
{
    (void)state;
    static const struct {
        const char *packet, *user_saw;
        enum eio_reason why;
    } rows[] = {
        {"1", "close:transport close|", EIO_TRANSPORT_CLOSE},
        {"x", "close:parse error|", EIO_PARSE_ERROR},
        {"4close", "message:close|close:parse error|", EIO_PARSE_ERROR},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum eio_reason why;
        fake.is_closed = false;
        if (i)
            session = open_session();
        user.closes_in_message = true;
        assert_false(post(rows[i].packet, &why));
        assert_int_equal(why, rows[i].why);
        assert_user_saw(rows[i].user_saw);
        fake.log.n = 0;
    }
}

static void test_a_poll_that_goes_ends_the_session(void **state)
{
    (void)state;
    eio_session_attach(session, &next.t);
    eio_transport_closed(&next.t, EIO_TRANSPORT_ERROR);
    assert_user_saw("close:transport error|");
    assert_sent(&next, "");
}

static void test_no_pong_between_polls(void **state)
{
    (void)state;
    pass_ms(45008);
    assert_user_saw("close:ping timeout|");
    assert_int_equal(eio_server_session_count(server), 0);
}

/* --- closed by the server --- */

static void test_the_next_poll_gets_the_rest_and_the_end(void **state)
{
    (void)state;
    send_text("bye");
    eio_session_close(session, EIO_FORCED_CLOSE);
    assert_user_saw("close:forced server close|");
    assert_int_equal(contexts_done, 0);
    send_text("too late");
    pass_ms(29000);
    eio_session_attach(session, &next.t);
    assert_sent(&next, "4bye|close:forced server close|");
    assert_int_equal(eio_server_session_count(server), 0);
    assert_int_equal(contexts_done, 1);
    assert_user_saw("");
}

static void test_a_poll_that_waits_gets_the_end_at_once(void **state)
{
    (void)state;
    eio_session_attach(session, &next.t);
    eio_session_close(session, EIO_FORCED_CLOSE);
    assert_sent(&next, "close:forced server close|");
    assert_int_equal(eio_server_session_count(server), 0);
}

static void test_no_poll_comes_for_the_end(void **state)
{
    (void)state;
    eio_session_close(session, EIO_FORCED_CLOSE);
    pass_ms(29980);
    assert_non_null(eio_session_find(server, str_of(eio_session_sid(session))));
    pass_ms(40);
    assert_int_equal(eio_server_session_count(server), 0);
    assert_int_equal(contexts_done, 1);
    assert_user_saw("close:forced server close|"); /* once */
}

static void test_a_leaving_session_takes_nothing(void **state)
{
    (void)state;
    enum eio_reason why;
    eio_session_close(session, EIO_FORCED_CLOSE);
    user.log.n = 0;
    assert_true(post("4hello", &why));
    assert_true(post("2", &why));
    assert_true(eio_session_received(session, true, STR("bin"), &why));
    assert_false(post("1", &why));
    assert_int_equal(eio_server_session_count(server), 0);
    assert_user_saw("");
}

static void test_other_ends_wait_for_nobody(void **state)
{
    (void)state;
    eio_session_close(session, EIO_SERVER_SHUTDOWN);
    assert_user_saw("close:server shutting down|");
    assert_int_equal(eio_server_session_count(server), 0);
}

static void test_shutdown_takes_leaving_sessions_with_it(void **state)
{
    (void)state;
    eio_session_close(session, EIO_FORCED_CLOSE);
    eio_server_close_all(server, EIO_SERVER_SHUTDOWN);
    assert_int_equal(eio_server_session_count(server), 0);
    assert_user_saw("close:forced server close|");
}

/* --- upgrade --- */

static void test_upgrade(void **state)
{
    (void)state;
    eio_session_attach(session, &next.t);
    try_upgrade();
    assert_sent(&next, "6|"); /* the client stops to poll when it gets this */
    poll_is_answered(&next);
    send_text("a");
    assert_sent(&ws, "");
    receive(&ws, "5");
    assert_sent(&ws, "4a|");
    assert_false(eio_session_is_polling(session));
    send_text("b");
    receive(&ws, "4c");
    receive_binary(&ws, STR("d"));
    assert_sent(&ws, "4b|");
    assert_user_saw("message:c|binary:d|");
    pass_ms(24000); /* the time for the upgrade means nothing any more */
    assert_sent(&ws, "");
    pass_ms(1008);
    assert_sent(&ws, "2|");
    eio_session_close(session, EIO_FORCED_CLOSE);
    assert_sent(&ws, "close:forced server close|");
}

static void test_polls_go_on_until_the_switch(void **state)
{
    (void)state;
    enum eio_reason why;
    assert_true(eio_session_upgrade(session, &ws.t));
    eio_session_attach(session, &next.t);
    assert_sent(&next, ""); /* not probed yet: it waits */
    receive(&ws, "2probe");
    assert_sent(&next, "6|");
    poll_is_answered(&next);
    eio_session_attach(session, &next.t); /* sent before the client saw 3probe */
    assert_sent(&next, "6|");
    poll_is_answered(&next);
    send_text("a");
    eio_session_attach(session, &next.t);
    assert_sent(&next, "4a|"); /* that is answer enough */
    poll_is_answered(&next);
    assert_true(post("4b", &why));
    assert_user_saw("message:b|");
}

static void test_switch_without_probe_or_with_a_poll_waiting(void **state)
{
    (void)state;
    eio_session_attach(session, &next.t);
    assert_true(eio_session_upgrade(session, &ws.t));
    receive(&ws, "5");
    assert_sent(&next, "6|");
    assert_null(next.t.session);
    send_text("a");
    assert_sent(&ws, "4a|");
    assert_sent(&next, "");
}

static void test_what_is_no_probe_abandons(void **state)
{
    (void)state;
    static const char *const packets[] = {"", "2", "2prob", "2probe2", "3probe", "4hello", "1", "6", "x"};
    for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
        ws.is_closed = false;
        assert_true(eio_session_upgrade(session, &ws.t));
        receive(&ws, packets[i]);
        assert_sent(&ws, "close:transport close|");
        assert_null(ws.t.session);
    }
    ws.is_closed = false;
    assert_true(eio_session_upgrade(session, &ws.t));
    receive_binary(&ws, STR("2probe"));
    assert_sent(&ws, "close:transport close|");
    assert_user_saw("");
    eio_session_attach(session, &next.t); /* polling goes on */
    send_text("a");
    assert_sent(&next, "4a|");
}

static void test_upgrade_takes_too_long(void **state)
{
    (void)state;
    try_upgrade();
    pass_ms(9980);
    assert_sent(&ws, "");
    pass_ms(40);
    assert_sent(&ws, "close:transport close|");
    eio_session_attach(session, &next.t);
    assert_sent(&next, ""); /* polls wait again */
    assert_user_saw("");
}

static void test_transport_goes_while_upgrading(void **state)
{
    (void)state;
    try_upgrade();
    eio_transport_closed(&ws.t, EIO_TRANSPORT_CLOSE);
    assert_sent(&ws, "");
    assert_user_saw("");
    pass_ms(12000);
    assert_true(eio_session_upgrade(session, &ws.t)); /* another attempt may be made */
}

static void test_one_upgrade_at_a_time_and_once(void **state)
{
    (void)state;
    struct fake_transport other = {.t.ops = &fake_ops};
    try_upgrade();
    assert_false(eio_session_upgrade(session, &other.t));
    assert_null(other.t.session);
    receive(&ws, "5");
    assert_false(eio_session_upgrade(session, &other.t));
    receive(&ws, "4still there");
    assert_user_saw("message:still there|");
}

static void test_a_session_opened_by_websocket_has_no_upgrade(void **state)
{
    (void)state;
    fake.t.ops = &fake_ops;
    assert_false(eio_session_upgrade(open_session(), &ws.t));
}

static void test_end_while_upgrading(void **state)
{
    (void)state;
    eio_session_attach(session, &next.t);
    try_upgrade();
    eio_session_close(session, EIO_FORCED_CLOSE);
    assert_sent(&next, "6|close:forced server close|");
    assert_sent(&ws, "close:transport close|");
    assert_user_saw("close:forced server close|");
    pass_ms(12000);
}

static void test_the_end_goes_with_the_switch(void **state)
{
    (void)state;
    send_text("bye");
    try_upgrade();
    eio_session_close(session, EIO_FORCED_CLOSE); /* between polls: the client has stopped them */
    assert_sent(&ws, "");
    receive(&ws, "5");
    assert_sent(&ws, "4bye|close:forced server close|");
    assert_int_equal(eio_server_session_count(server), 0);
}

static void test_probe_cannot_be_answered(void **state)
{
    (void)state;
    ws.is_full = true;
    assert_true(eio_session_upgrade(session, &ws.t));
    receive(&ws, "2probe");
    assert_sent(&ws, "close:transport close|");
    assert_user_saw("");
}

static void test_backlog_does_not_fit_the_new_transport(void **state)
{
    (void)state;
    send_text("a");
    try_upgrade();
    ws.is_full = true;
    receive(&ws, "5");
    pass_ms(16);
    assert_user_saw("close:slow consumer|");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_polling, tear_down_polling)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_open_packet_offers_websocket),
        TEST(test_a_poll_gets_what_was_kept_and_what_comes),
        TEST(test_posts),
        TEST(test_posts_that_end_the_session),
        TEST(test_a_poll_that_goes_ends_the_session),
        TEST(test_no_pong_between_polls),
        TEST(test_the_next_poll_gets_the_rest_and_the_end),
        TEST(test_a_poll_that_waits_gets_the_end_at_once),
        TEST(test_no_poll_comes_for_the_end),
        TEST(test_a_leaving_session_takes_nothing),
        TEST(test_other_ends_wait_for_nobody),
        TEST(test_shutdown_takes_leaving_sessions_with_it),
        TEST(test_upgrade),
        TEST(test_polls_go_on_until_the_switch),
        TEST(test_switch_without_probe_or_with_a_poll_waiting),
        TEST(test_what_is_no_probe_abandons),
        TEST(test_upgrade_takes_too_long),
        TEST(test_transport_goes_while_upgrading),
        TEST(test_one_upgrade_at_a_time_and_once),
        TEST(test_a_session_opened_by_websocket_has_no_upgrade),
        TEST(test_end_while_upgrading),
        TEST(test_the_end_goes_with_the_switch),
        TEST(test_probe_cannot_be_answered),
        TEST(test_backlog_does_not_fit_the_new_transport),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
