/* Connection-state recovery from the wire's side: a client that lost its connection comes back on another
 * one. */
#include "recovery_fixture.h"

static int set_up_recovery(void **state)
{
    config.recovery = (struct sio_recovery){.max_age_ms = 20000, .socket_bytes = 1000, .total_bytes = 100000};
    second = (struct fake_transport){.t.ops = &fake_ops};
    return set_up(state);
}

static int tear_down_recovery(void **state)
{
    int result = tear_down(state);
    config.recovery.max_age_ms = 0;
    buf_done(&second.log);
    return result;
}

static void lose(void)
{
    eio_transport_closed(&fake.t, EIO_TRANSPORT_CLOSE);
    fake.log.n = app.log.n = 0;
}

static void emit(struct sio_socket *s, const char *name, const char *arg)
{
    const struct str part = str_of(arg);
    sio_emit(s, name, &part, 1);
}

/* --- sending --- */

static void events_have_their_offset_last(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    const struct str arg = STR("{\"_placeholder\":true,\"num\":0}"), bytes = STR("x");
    sio_emit(s, "none", NULL, 0);
    emit(s, "one", "{}");
    sio_emit_message(s, &(struct sio_message){"bin", &arg, 1, &bytes, 1});
    ask(s);
    sio_ack(s, 7, STR("1"));
    emit(s, "last", "1,2");
    assert_sent(
        &fake,
        "42[\"none\",\"1\"]|42[\"one\",{},\"2\"]|451-[\"bin\",{\"_placeholder\":true,\"num\":0},\"3\"]|"
        "b:x|421[\"ask\",1]|437[1]|42[\"last\",1,2,\"4\"]|");
}

/* Short pieces become one part as long as there is room for them: here it ends with the arguments, and each
 * of what follows is a part of its own. */
static void the_most_parts_of_an_event(void **state)
{
    (void)state;
    static const char namespace_[] = "/a-namespace-whose-name-is-too-long-to-be-short";
    static const char name[] = "an event whose name is too long to be short, too";
    static const char digits[] = "11111111111111111111111111111111111111111"; /* 41: one more than is short */
    char connect[64];
    struct str pieces[SIO_PIECES_MAX];
    struct buf want = {0};
    snprintf(connect, sizeof connect, "40%s,", namespace_);
    struct sio_socket *s = connected(connect);
    buf_addf(&want, "42%s,[\"%s\",", namespace_, name);
    for (int i = 0; i < SIO_PIECES_MAX; i++) {
        pieces[i] = (struct str){digits, i % 2 == 0 ? 41 : i == 13 ? 11 : 40};
        buf_add_str(&want, pieces[i]);
    }
    buf_add(&want, ",\"1\"]|", sizeof ",\"1\"]|");
    sio_emit(s, name, pieces, SIO_PIECES_MAX);
    assert_sent(&fake, want.p);
    buf_done(&want);
}

static void nothing_of_it_when_it_is_off(void **state)
{
    (void)state;
    second = (struct fake_transport){.t.ops = &fake_ops};
    struct sio_socket *s = connect_with("40{\"pid\":\"abcdefghijklmnopqrst\",\"offset\":\"1\"}");
    const struct uuid owner = {{1}};
    sio_socket_set_note(s, STR("note"));
    sio_socket_set_owner(s, &owner);
    emit(s, "e", "1");
    assert_sent(&fake, "42[\"e\",1]|");
    eio_transport_closed(&fake.t, EIO_TRANSPORT_CLOSE);
    sio_emit_to_lost(server, &owner, "e", NULL, 0);
    assert_false(sio_socket_is_recovered(s = come_back("", "abcdefghijklmnopqrst", "1")));
    char want[80];
    snprintf(want, sizeof want, "40{\"sid\":\"%s\"}|", sio_socket_sid(s));
    assert_sent(&second, want);
    eio_session_close(second.t.session, EIO_TRANSPORT_CLOSE);
    buf_done(&second.log);
}

/* --- coming back --- */

static void missed_packets_come_after_the_answer(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    const struct str arg = STR("{\"_placeholder\":true,\"num\":0}"), bytes = STR("\x01z");
    uint64_t id = sio_socket_id(s);
    emit(s, "seen", "1");
    emit(s, "missed", "2");
    sio_emit_message(s, &(struct sio_message){"bin", &arg, 1, &bytes, 1});
    emit(s, "missed", "3");
    lose();
    s = come_back("", pid, "1");
    assert_recovered("",
                     "42[\"missed\",2,\"2\"]|451-[\"bin\",{\"_placeholder\":true,\"num\":0},\"3\"]|b:\x01z|"
                     "42[\"missed\",3,\"4\"]|");
    assert_app_saw("connect / recover=|");
    assert_true(sio_socket_id(s) > id);
    emit(s, "next", "4"); /* offsets go on */
    assert_sent(&second, "42[\"next\",4,\"5\"]|");
    receive(&second, "42[\"hello\"]");
    assert_app_saw("event hello args=|");
}

static void it_may_be_lost_again_and_again(void **state)
{
    (void)state;
    char offset[24], missed[64];
    struct sio_socket *s = connected("40");
    emit(s, "e", "0");
    lose();
    for (int i = 1; i < 50; i++) {
        snprintf(offset, sizeof offset, "%d", i);
        s = come_back("", pid, offset);
        assert_recovered("", "");
        emit(s, "e", offset);
        snprintf(missed, sizeof missed, "42[\"e\",%d,\"%d\"]|", i, i + 1);
        assert_sent(&second, missed);
        eio_transport_closed(&second.t, EIO_PING_TIMEOUT);
    }
    app.log.n = 0;
}

static void nothing_missed_is_recovered_too(void **state)
{
    (void)state;
    emit(connected("40/n,"), "e", "1");
    lose();
    come_back("/n,", pid, "1");
    assert_recovered("/n,", "");
}

static void a_state_is_recovered_once(void **state)
{
    (void)state;
    emit(connected("40"), "e", "1");
    lose();
    come_back("", pid, "1");
    assert_recovered("", "");
    receive(&second, "41"); /* left for good */
    come_back("", pid, "1");
    assert_fresh();
}

static void what_cannot_be_recovered_is_fresh(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    emit(s, "e", "1");
    emit(s, "e", "2");
    lose();
    static const char *const offsets[] = {"3", "0", "", "x"};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        come_back("", pid, offsets[i]);
        assert_fresh();
        receive(&second, "41");
    }
    come_back("", "AAAAAAAAAAAAAAAAAAAA", "1");
    assert_fresh();
    come_back("/other,", pid, "1"); /* another namespace */
    assert_fresh();
    receive(&second, "41");
    come_back("", pid, "1"); /* still there for whoever asks rightly */
    assert_recovered("", "42[\"e\",2,\"2\"]|");
    app.log.n = 0;
}

static void what_was_missed_too_long_ago_is_fresh(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    emit(s, "e", "1");
    for (int i = 0; i < 100; i++)
        emit(s, "e", "\"more than fits into a thousand bytes\"");
    lose();
    come_back("", pid, "1");
    assert_fresh();
    receive(&second, "41");
    come_back("", pid, "100");
    assert_recovered("", "42[\"e\",\"more than fits into a thousand bytes\",\"101\"]|");
}

static void too_late_is_fresh(void **state)
{
    (void)state;
    emit(connected("40"), "e", "1");
    lose();
    pass_ms(19990);
    come_back("", pid, "1");
    assert_recovered("", "");
    eio_transport_closed(&second.t, EIO_TRANSPORT_CLOSE);
    pass_ms(20016);
    come_back("", pid, "1");
    assert_fresh();
}

static void which_ends_can_be_recovered(void **state)
{
    (void)state;
    static const struct {
        enum eio_reason reason;
        bool is_recoverable;
    } rows[] = {{EIO_TRANSPORT_CLOSE, true}, {EIO_TRANSPORT_ERROR, true}, {EIO_PING_TIMEOUT, true},
                {EIO_FORCED_CLOSE, true},    {EIO_SLOW_CONSUMER, true},   {EIO_SERVER_SHUTDOWN, true},
                {EIO_PARSE_ERROR, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!fake.t.session)
            open_session();
        emit(connected("40"), "e", "1");
        eio_session_close(fake.t.session, rows[i].reason);
        come_back("", pid, "1");
        if (rows[i].is_recoverable)
            assert_recovered("", "");
        else
            assert_fresh();
        eio_session_close(second.t.session, EIO_PARSE_ERROR);
    }
    for (int by_client = 0; by_client <= 1; by_client++) {
        open_session();
        struct sio_socket *s = connected("40");
        emit(s, "e", "1");
        if (by_client)
            receive(&fake, "41");
        else
            sio_disconnect(s, false);
        eio_session_close(fake.t.session, EIO_TRANSPORT_CLOSE);
        come_back("", pid, "1");
        assert_fresh();
        eio_session_close(second.t.session, EIO_PARSE_ERROR);
    }
    app.log.n = 0;
}

static void each_namespace_is_recovered_for_itself(void **state)
{
    (void)state;
    char pid_a[32];
    struct sio_socket *a = connected("40/a,");
    memcpy(pid_a, pid, sizeof pid);
    struct sio_socket *b = connected("40/b,");
    emit(a, "e", "1");
    emit(b, "e", "1");
    emit(b, "e", "2");
    lose();
    come_back("/b,", pid, "1");
    assert_recovered("/b,", "42/b,[\"e\",2,\"2\"]|");
    come_back("/a,", pid_a, "1");
    assert_true(sio_socket_is_recovered(sio_socket_find(server, app.last_id)));
    app.log.n = 0;
}

/* --- the application's part --- */

static void the_note_comes_with_it(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    char longest[SIO_NOTE_MAX + 1];
    sio_socket_set_note(s, STR("first"));
    sio_socket_set_note(s, STR("note"));
    emit(s, "e", "1");
    lose();
    s = come_back("", pid, "1");
    assert_app_saw("connect / recover=note|");
    memset(longest, 'n', SIO_NOTE_MAX);
    longest[SIO_NOTE_MAX] = '\0';
    sio_socket_set_note(s, str_of(longest));
    eio_transport_closed(&second.t, EIO_TRANSPORT_CLOSE);
    app.log.n = 0;
    come_back("", pid, "1");
    char want[100];
    snprintf(want, sizeof want, "connect / recover=%s|", longest);
    assert_app_saw(want);
}

static void it_may_be_declined(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    emit(s, "e", "1");
    lose();
    app.on_connect = NOTHING;
    s = come_back("", pid, "1");
    assert_app_saw("connect / recover=|");
    sio_decline_recovery(s);
    sio_accept(s);
    assert_fresh();
    receive(&second, "41");
    app.on_connect = ACCEPT;
    come_back("", pid, "1"); /* that was said of one attempt */
    assert_recovered("", "");
    app.log.n = 0;
}

static void refusing_leaves_it_to_the_next_attempt(void **state)
{
    (void)state;
    emit(connected("40"), "e", "1");
    lose();
    app.on_connect = REFUSE;
    come_back("", pid, "1");
    assert_sent(&second, "44{\"message\":\"no\"}|");
    app.on_connect = ACCEPT;
    come_back("", pid, "1");
    assert_recovered("", "");
}

static void two_ask_for_one_state(void **state)
{
    (void)state;
    emit(connected("40"), "e", "1");
    lose();
    app.on_connect = NOTHING;
    struct sio_socket *first = come_back("", pid, "1");
    struct fake_transport third = {.t.ops = &fake_ops};
    char packet[100];
    assert_non_null(eio_session_open(sio_server_eio(server), &third.t, &context));
    third.log.n = 0;
    snprintf(packet, sizeof packet, "40{\"pid\":\"%s\",\"offset\":\"1\"}", pid);
    receive(&third, packet);
    struct sio_socket *late = sio_socket_find(server, app.last_id);
    app.log.n = 0;
    sio_accept(first);
    assert_true(sio_socket_is_recovered(first));
    sio_accept(late); /* the newest connection of a client is the one it uses */
    assert_true(sio_socket_is_recovered(late));
    assert_app_saw("disconnect transport close|");
    eio_session_close(third.t.session, EIO_PARSE_ERROR);
    buf_done(&third.log);
    app.log.n = 0;
}

static void an_expired_state_makes_a_late_answer_fresh(void **state)
{
    (void)state;
    emit(connected("40"), "e", "1");
    lose();
    app.on_connect = NOTHING;
    struct sio_socket *s = come_back("", pid, "1");
    pass_ms(20016);
    sio_accept(s);
    assert_fresh();
    app.log.n = 0;
}

/* --- the client comes back before its loss is noticed --- */

static void the_former_connection_is_closed(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    sio_socket_set_note(s, STR("n"));
    emit(s, "e", "1");
    emit(s, "e", "2");
    fake.log.n = 0;
    come_back("", pid, "1");
    assert_app_saw("connect / recover=n|disconnect transport close|");
    assert_sent(&fake, "close:transport close|");
    assert_recovered("", "42[\"e\",2,\"2\"]|");
}

static void but_not_for_a_claim_that_fails(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    emit(s, "e", "1");
    come_back("", pid, "9");
    assert_fresh();
    app.on_connect = REFUSE;
    come_back("/x,", pid, "1");
    assert_ptr_equal(sio_socket_find(server, sio_socket_id(s)), s);
    assert_false(fake.is_closed);
    app.log.n = 0;
}

static void and_whatever_the_application_does_then(void **state)
{
    (void)state;
    for (int action = 0; action < ACTION_COUNT; action++) {
        if (!fake.t.session)
            open_session();
        if (second.t.session)
            eio_session_close(second.t.session, EIO_PARSE_ERROR);
        app.on_disconnect = NOTHING;
        emit(connected("40"), "e", "1");
        connect_with("40/more,");
        app.on_disconnect = (enum action)action;
        come_back("", pid, "1");
        app.on_disconnect = NOTHING;
    }
    app.log.n = 0;
}

/* --- while it is lost --- */

static void lost_sockets_are_told_what_comes(void **state)
{
    (void)state;
    const struct uuid owner = {{1}}, other = {{2}};
    const struct str arg = STR("{\"x\":1}");
    struct sio_socket *s = connected("40/n,");
    sio_socket_set_owner(s, &owner);
    emit(s, "e", "1");
    sio_emit_to_lost(server, &owner, "early", &arg, 1); /* it is not lost yet */
    lose();
    sio_emit_to_lost(server, &owner, "away", &arg, 1);
    sio_emit_to_lost(server, &other, "else", &arg, 1);
    come_back("/n,", pid, "1");
    assert_recovered("/n,", "42/n,[\"away\",{\"x\":1},\"2\"]|");
    sio_emit_to_lost(server, &owner, "late", &arg, 1);
    assert_sent(&second, "");
}

#define RECOVERY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_recovery, tear_down_recovery)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECOVERY_TEST(events_have_their_offset_last),
        RECOVERY_TEST(the_most_parts_of_an_event),
        TEST(nothing_of_it_when_it_is_off),
        RECOVERY_TEST(missed_packets_come_after_the_answer),
        RECOVERY_TEST(it_may_be_lost_again_and_again),
        RECOVERY_TEST(nothing_missed_is_recovered_too),
        RECOVERY_TEST(a_state_is_recovered_once),
        RECOVERY_TEST(what_cannot_be_recovered_is_fresh),
        RECOVERY_TEST(what_was_missed_too_long_ago_is_fresh),
        RECOVERY_TEST(too_late_is_fresh),
        RECOVERY_TEST(which_ends_can_be_recovered),
        RECOVERY_TEST(each_namespace_is_recovered_for_itself),
        RECOVERY_TEST(the_note_comes_with_it),
        RECOVERY_TEST(it_may_be_declined),
        RECOVERY_TEST(refusing_leaves_it_to_the_next_attempt),
        RECOVERY_TEST(two_ask_for_one_state),
        RECOVERY_TEST(an_expired_state_makes_a_late_answer_fresh),
        RECOVERY_TEST(the_former_connection_is_closed),
        RECOVERY_TEST(but_not_for_a_claim_that_fails),
        RECOVERY_TEST(and_whatever_the_application_does_then),
        RECOVERY_TEST(lost_sockets_are_told_what_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
