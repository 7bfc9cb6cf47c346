/* Engine.IO sessions over a fake transport, on the virtual clock. */
#include "fake_session.h"

/* --- opening --- */

static void test_open_packet(void **state)
{
    (void)state;
    struct eio_session *s = eio_session_open(server, &fake.t, &context);
    char want[200];
    snprintf(want, sizeof want,
             "0{\"sid\":\"%s\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":"
             "1000000}|",
             eio_session_sid(s));
    assert_sent(&fake, want);
    assert_int_equal(strlen(eio_session_sid(s)), 20);
    assert_int_equal(
        strspn(eio_session_sid(s), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 20);
    assert_ptr_equal(eio_session_find(server, str_of(eio_session_sid(s))), s);
    assert_int_equal(eio_server_session_count(server), 1);
}

static void test_greeting_follows_open(void **state)
{
    (void)state;
    config.greeting = "hi";
    struct eio_server *greeter = eio_server_new(&config, &callbacks, &user);
    config.greeting = NULL;
    assert_non_null(eio_session_open(greeter, &fake.t, &context));
    buf_addc(&fake.log, '\0');
    assert_non_null(strstr(fake.log.p, "}|4hi|"));
    eio_server_close_all(greeter, EIO_SERVER_SHUTDOWN);
    eio_server_free(greeter);
    fake.is_closed = false;
}

static void test_find_knows_nothing_else(void **state)
{
    (void)state;
    struct eio_session *s = open_session();
    char sid[21];
    strcpy(sid, eio_session_sid(s));
    assert_null(eio_session_find(server, STR("")));
    assert_null(eio_session_find(server, STR("AAAAAAAAAAAAAAAAAAAA")));
    assert_null(eio_session_find(server, STR("AAAAAAAAAAAAAAAAAA+/")));
    assert_null(eio_session_find(server, (struct str){sid, 19}));
    assert_int_equal(contexts_done, 0);
    eio_session_close(s, EIO_FORCED_CLOSE);
    assert_null(eio_session_find(server, str_of(sid)));
    assert_int_equal(contexts_done, 1);
}

static void test_full_server_refuses(void **state)
{
    (void)state;
    struct fake_transport more[3];
    for (int i = 0; i < 3; i++) {
        more[i] = (struct fake_transport){.t.ops = &fake_ops};
        assert_non_null(eio_session_open(server, &more[i].t, &context));
    }
    assert_null(eio_session_open(server, &fake.t, &context));
    assert_sent(&fake, "");
    assert_null(fake.t.session);
    eio_transport_closed(&more[0].t, EIO_TRANSPORT_CLOSE);
    assert_non_null(eio_session_open(server, &fake.t, &context));
    eio_server_close_all(server, EIO_SERVER_SHUTDOWN);
    for (int i = 0; i < 3; i++)
        buf_done(&more[i].log);
}

static void test_user_refuses(void **state)
{
    (void)state;
    user.refuses = true;
    assert_null(eio_session_open(server, &fake.t, &context));
    assert_sent(&fake, "");
    assert_user_saw("");
    assert_int_equal(eio_server_session_count(server), 0);
    assert_int_equal(contexts_done, 0); /* nothing was opened */
}

static void test_user_closes_in_open(void **state)
{
    (void)state;
    user.closes_in_open = true;
    user.sends_in_close = true;
    assert_null(eio_session_open(server, &fake.t, &context));
    assert_user_saw("close:forced server close|");
    assert_sent(&fake, "");
    assert_int_equal(eio_server_session_count(server), 0);
}

/* --- packets --- */

static void test_packets_from_the_client(void **state)
{
    (void)state;
    static const struct {
        const char *packet, *user_saw, *transport_saw;
    } rows[] = {
        {"4hello", "message:hello|", ""},
        {"4", "message:|", ""},
        {"3", "", ""},
        {"3probe", "", ""},
        {"0", "", ""},
        {"5", "", ""},
        {"6", "", ""},
        {"1", "close:transport close|", "close:transport close|"},
        {"2", "close:transport error|", "close:transport error|"},
        {"2probe", "close:transport error|", "close:transport error|"},
        {"", "close:parse error|", "close:parse error|"},
        {"7", "close:parse error|", "close:parse error|"},
        {"9", "close:parse error|", "close:parse error|"},
        {"/", "close:parse error|", "close:parse error|"},
        {"abc", "close:parse error|", "close:parse error|"},
        {"bAQID", "close:parse error|", "close:parse error|"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fake.is_closed = false;
        open_session();
        receive(&fake, rows[i].packet);
        assert_user_saw(rows[i].user_saw);
        assert_sent(&fake, rows[i].transport_saw);
        eio_server_close_all(server, EIO_SERVER_SHUTDOWN);
        user.log.n = fake.log.n = 0;
    }
}

static void test_binary_message(void **state)
{
    (void)state;
    open_session();
    receive_binary(&fake, STR("1\x01\x02"));
    assert_user_saw("binary:1\x01\x02|");
}

static void test_send_concatenates(void **state)
{
    (void)state;
    struct eio_session *s = open_session();
    eio_session_send(s, false, (struct str[]){STR("a"), STR(""), STR("bc")}, 3);
    eio_session_send(s, true, &STR("xyz"), 1);
    assert_sent(&fake, "4abc|b:xyz|");
}

/* --- heartbeat --- */

static void test_heartbeat_goes_on_while_answered(void **state)
{
    (void)state;
    open_session();
    for (int i = 0; i < 3; i++) {
        pass_ms(24990);
        assert_sent(&fake, "");
        pass_ms(20);
        assert_sent(&fake, "2|");
        pass_ms(19900);
        receive(&fake, "3");
    }
    assert_user_saw("");
}

static void test_ping_timeout(void **state)
{
    (void)state;
    open_session();
    pass_ms(25008);
    assert_sent(&fake, "2|");
    receive(&fake, "4still talking, but no pong");
    pass_ms(19980);
    assert_user_saw("message:still talking, but no pong|");
    pass_ms(40);
    assert_user_saw("close:ping timeout|");
    assert_sent(&fake, "close:ping timeout|");
}

static void test_another_packet_gives_the_pong_more_time_once(void **state)
{
    (void)state;
    open_session();
    for (int i = 0; i < 2; i++) { /* for each ping */
        pass_ms(25008);
        assert_sent(&fake, "2|");
        pass_ms(19900);
        receive(&fake, "4a");
        pass_ms(19900);
        receive(&fake, "4b");
        if (i == 0)
            receive(&fake, "3");
    }
    assert_user_saw("message:a|message:b|message:a|message:b|");
    pass_ms(116);
    assert_user_saw("close:ping timeout|");
}

static void test_a_late_ping_leaves_the_pong_no_more_time(void **state)
{
    (void)state;
    struct eio_session *s = open_session();
    clock_set_for_test(START_MS + 25100, START_MS + 25100); /* the loop was busy */
    timer_wheel_advance(START_MS + 25100);
    assert_sent(&fake, "2|");
    clock_set_for_test(START_MS + 45000, START_MS + 45000);
    timer_wheel_advance(START_MS + 45000);
    assert_user_saw("close:ping timeout|");
    (void)s;
}

static void test_an_overdue_session_is_not_found(void **state)
{
    (void)state;
    char sid[21];
    strcpy(sid, eio_session_sid(open_session()));
    pass_ms(25008);
    clock_set_for_test(START_MS + 44999, START_MS + 44999); /* but the timer has not fired */
    assert_non_null(eio_session_find(server, str_of(sid)));
    clock_set_for_test(START_MS + 45000, START_MS + 45000);
    assert_null(eio_session_find(server, str_of(sid)));
    assert_user_saw("close:ping timeout|");
}

/* --- ending --- */

static void test_close_by_server(void **state)
{
    (void)state;
    struct eio_session *s = open_session();
    user.sends_in_close = true; /* without effect */
    eio_session_send(s, false, &STR("bye"), 1);
    eio_session_close(s, EIO_FORCED_CLOSE);
    assert_user_saw("close:forced server close|");
    assert_sent(&fake, "4bye|close:forced server close|");
    receive(&fake, "4after the end");
    eio_transport_closed(&fake.t, EIO_TRANSPORT_CLOSE);
    pass_ms(60000);
    assert_user_saw("");
}

static void test_transport_goes(void **state)
{
    (void)state;
    open_session();
    user.sends_in_close = true;
    eio_transport_closed(&fake.t, EIO_TRANSPORT_ERROR);
    assert_user_saw("close:transport error|");
    assert_sent(&fake, ""); /* it is not told of its own end */
    assert_null(fake.t.session);
}

static void test_close_in_message(void **state)
{
    (void)state;
    user.closes_in_message = true;
    open_session();
    receive(&fake, "4x");
    assert_user_saw("message:x|close:parse error|");
    assert_sent(&fake, "close:parse error|");
    user.log.n = 0;
    fake.is_closed = false;
    open_session();
    receive_binary(&fake, STR("x"));
    assert_user_saw("binary:x|close:parse error|");
}

static void test_slow_consumer_is_closed_later(void **state)
{
    (void)state;
    struct eio_session *s = open_session();
    fake.is_full = true;
    eio_session_send(s, false, &STR("x"), 1);
    assert_user_saw(""); /* the sender may go on using the session */
    fake.is_full = false;
    eio_session_send(s, false, &STR("y"), 1);
    receive(&fake, "4z");
    assert_sent(&fake, "");
    assert_user_saw("");
    pass_ms(16);
    assert_user_saw("close:slow consumer|");
    assert_sent(&fake, "close:slow consumer|");
}

static void test_slow_consumer_may_end_earlier(void **state)
{
    (void)state;
    struct eio_session *s = open_session();
    fake.is_full = true;
    eio_session_send(s, false, &STR("x"), 1);
    eio_session_close(s, EIO_FORCED_CLOSE);
    assert_user_saw("close:slow consumer|"); /* the first reason stands */
    pass_ms(16);
    assert_user_saw("");
}

static void test_open_packet_does_not_fit(void **state)
{
    (void)state;
    fake.is_full = true;
    assert_non_null(eio_session_open(server, &fake.t, &context));
    pass_ms(16);
    assert_user_saw("close:slow consumer|");
}

static void test_ping_does_not_fit(void **state)
{
    (void)state;
    open_session();
    fake.is_full = true;
    pass_ms(25040);
    assert_user_saw("close:slow consumer|");
}

/* --- changing transports --- */

static void test_backlog_goes_to_the_next_transport(void **state)
{
    (void)state;
    struct fake_transport next = {.t.ops = &fake_ops};
    struct eio_session *s = open_session();
    eio_session_detach(s);
    assert_null(fake.t.session);
    eio_transport_closed(&fake.t, EIO_TRANSPORT_CLOSE); /* not this session's any more */
    eio_session_send(s, false, (struct str[]){STR("a"), STR("b")}, 2);
    eio_session_send(s, true, &STR("c"), 1);
    pass_ms(25008);
    eio_session_attach(s, &next.t);
    assert_sent(&next, "4ab|b:c|2|");
    eio_session_send(s, false, &STR("d"), 1);
    receive(&next, "4e");
    assert_sent(&next, "4d|");
    assert_user_saw("message:e|");
    assert_sent(&fake, "");
    eio_session_close(s, EIO_FORCED_CLOSE);
    buf_done(&next.log);
}

static void test_backlog_is_bounded(void **state)
{
    (void)state;
    char bytes[150] = {0};
    struct eio_session *s = open_session();
    eio_session_detach(s);
    eio_session_send(s, true, &(struct str){bytes, sizeof bytes}, 1);
    pass_ms(16);
    assert_user_saw("");
    eio_session_send(s, true, &(struct str){bytes, sizeof bytes}, 1);
    pass_ms(16);
    assert_user_saw("close:slow consumer|");
}

static void test_attached_transport_is_full(void **state)
{
    (void)state;
    struct fake_transport next = {.t.ops = &fake_ops, .is_full = true};
    struct eio_session *s = open_session();
    eio_session_detach(s);
    eio_session_send(s, false, &STR("a"), 1);
    eio_session_send(s, false, &STR("b"), 1);
    eio_session_attach(s, &next.t);
    pass_ms(16);
    assert_user_saw("close:slow consumer|");
    assert_sent(&next, "close:slow consumer|");
    buf_done(&next.log);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_open_packet),
        TEST(test_greeting_follows_open),
        TEST(test_find_knows_nothing_else),
        TEST(test_full_server_refuses),
        TEST(test_user_refuses),
        TEST(test_user_closes_in_open),
        TEST(test_packets_from_the_client),
        TEST(test_binary_message),
        TEST(test_send_concatenates),
        TEST(test_heartbeat_goes_on_while_answered),
        TEST(test_ping_timeout),
        TEST(test_another_packet_gives_the_pong_more_time_once),
        TEST(test_a_late_ping_leaves_the_pong_no_more_time),
        TEST(test_an_overdue_session_is_not_found),
        TEST(test_close_by_server),
        TEST(test_transport_goes),
        TEST(test_close_in_message),
        TEST(test_slow_consumer_is_closed_later),
        TEST(test_slow_consumer_may_end_earlier),
        TEST(test_open_packet_does_not_fit),
        TEST(test_ping_does_not_fit),
        TEST(test_backlog_goes_to_the_next_transport),
        TEST(test_backlog_is_bounded),
        TEST(test_attached_transport_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
