/* What is sent: attachments, and questions with their answers. */
#include "sio_fixture.h"

#define HOLE(n) "{\"_placeholder\":true,\"num\":" #n "}"

/* --- attachments --- */

static void events_carry_attachments(void **state)
{
    (void)state;
    struct sio_socket *root = connect_with("40"), *custom = connect_with("40/custom,");
    const struct str args[] = {STR(HOLE(0)), STR(",7,"), STR(HOLE(1))}, bytes[] = {STR("abc"), STR("")};
    const struct sio_message m = {"bin", args, 3, bytes, 2};
    sio_emit_message(root, &m);
    assert_sent(&fake, "452-[\"bin\"," HOLE(0) ",7," HOLE(1) "]|b:abc|b:|");
    sio_emit_message(custom, &m);
    assert_sent(&fake, "452-/custom,[\"bin\"," HOLE(0) ",7," HOLE(1) "]|b:abc|b:|");
}

static void as_many_attachments_as_may_be(void **state)
{
    (void)state;
    struct sio_socket *s = connect_with("40");
    struct str bytes[SIO_ATTACHMENTS_MAX];
    const struct str arg = STR("1");
    for (int i = 0; i < SIO_ATTACHMENTS_MAX; i++)
        bytes[i] = STR("x");
    sio_emit_message(s, &(struct sio_message){"e", &arg, 1, bytes, SIO_ATTACHMENTS_MAX});
    assert_sent(&fake, "4510-[\"e\",1]|b:x|b:x|b:x|b:x|b:x|b:x|b:x|b:x|b:x|b:x|");
}

static void acknowledgements_carry_attachments(void **state)
{
    (void)state;
    struct sio_socket *root = connect_with("40"), *custom = connect_with("40/custom,");
    const struct str arg = STR(HOLE(0)), bytes = STR("\x01\x02");
    const struct sio_message m = {NULL, &arg, 1, &bytes, 1};
    sio_ack_message(root, 12, &m);
    sio_ack_message(custom, 0, &m);
    sio_ack_message(root, 3, &(struct sio_message){.args = &arg, .piece_count = 1});
    assert_sent(&fake,
                "461-12[" HOLE(0) "]|b:\x01\x02|461-/custom,0[" HOLE(0) "]|b:\x01\x02|433[" HOLE(0) "]|");
}

static void nothing_goes_to_a_socket_that_is_not_accepted(void **state)
{
    (void)state;
    receive(&fake, "40");
    struct sio_socket *s = sio_socket_find(server, app.last_id);
    const struct str bytes = STR("x");
    const struct sio_message m = {"e", NULL, 0, &bytes, 1};
    sio_emit_message(s, &m);
    sio_ack_message(s, 1, &m);
    assert_int_equal(sio_emit_with_ack(s, &m, 1000), 0);
    assert_sent(&fake, "");
}

static void a_binary_event_comes_back_as_it_went(void **state)
{
    (void)state;
    connect_with("40/n,");
    receive(&fake, "451-/n,5[\"a\",[" HOLE(0) "]]");
    assert_app_saw("");
    receive_binary(&fake, STR("zz"));
    assert_app_saw("event a args=[" HOLE(0) "] binary=zz ack=5|");
}

/* --- questions --- */

static void an_answer_is_told_once(void **state)
{
    (void)state;
    struct sio_socket *s = connect_with("40");
    assert_int_equal(ask(s), 1);
    assert_int_equal(ask(s), 2);
    assert_sent(&fake, "421[\"ask\",1]|422[\"ask\",1]|");
    receive(&fake, "432[5,{\"test\":true}]");
    assert_app_saw("acked 2 args=5,{\"test\":true}|");
    receive(&fake, "432[6]");
    receive(&fake, "431[]");
    assert_app_saw("acked 1 args=|");
    pass_ms(10000);
    assert_app_saw("");
}

static void a_question_may_have_attachments(void **state)
{
    (void)state;
    struct sio_socket *s = connect_with("40/n,");
    const struct str arg = STR(HOLE(0)), bytes = STR("q");
    assert_int_equal(sio_emit_with_ack(s, &(struct sio_message){"ask", &arg, 1, &bytes, 1}, 1000), 1);
    app.asked++;
    assert_sent(&fake, "451-/n,1[\"ask\"," HOLE(0) "]|b:q|");
    receive(&fake, "462-/n,1[" HOLE(0) "," HOLE(1) "]");
    receive_binary(&fake, STR("a"));
    assert_app_saw("");
    receive_binary(&fake, STR("b"));
    assert_app_saw("acked 1 args=" HOLE(0) "," HOLE(1) " binary=a binary=b|");
}

static void answers_to_nothing_are_ignored(void **state)
{
    (void)state;
    struct sio_socket *s = connect_with("40");
    connect_with("40/other,");
    receive(&fake, "431[]"); /* before anything was asked */
    ask(s);
    fake.log.n = 0;
    receive(&fake, "437[]");
    receive(&fake, "43[]");         /* no id at all */
    receive(&fake, "43/other,1[]"); /* of another socket */
    receive(&fake, "439007199254740991[]");
    assert_app_saw("");
    assert_sent(&fake, "");
    receive(&fake, "431[\"now\"]");
    assert_app_saw("acked 1 args=\"now\"|");
}

static void no_answer_in_time_is_told(void **state)
{
    (void)state;
    struct sio_socket *s = connect_with("40");
    ask(s);
    pass_ms(4000);
    ask(s);
    assert_app_saw("");
    pass_ms(1016);
    assert_app_saw("acked 1|");
    receive(&fake, "431[\"late\"]");
    assert_app_saw("");
    pass_ms(4000);
    assert_app_saw("acked 2|");
    assert_int_equal(ask(s), 3); /* ids are not used again */
}

static void a_socket_that_goes_answers_all_with_nothing(void **state)
{
    (void)state;
    struct sio_socket *s = connect_with("40"), *other = connect_with("40/other,");
    ask(s);
    ask(s);
    ask(other);
    receive(&fake, "41");
    assert_app_saw("acked 1|acked 2|disconnect client namespace disconnect|");
    eio_transport_closed(&fake.t, EIO_TRANSPORT_CLOSE);
    assert_app_saw("acked 1|disconnect transport close|");
    pass_ms(10000);
    assert_app_saw("");
}

static void wrong_answers_close_the_session(void **state)
{
    (void)state;
    static const char *const rows[] = {"431{}", "431", "461-1[" HOLE(1) "]", "461-1{}", "460-1[]"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!fake.t.session)
            open_session();
        ask(connect_with("40"));
        receive(&fake, rows[i]);
        assert_app_saw("acked 1|disconnect parse error|");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(events_carry_attachments),
        TEST(as_many_attachments_as_may_be),
        TEST(acknowledgements_carry_attachments),
        TEST(nothing_goes_to_a_socket_that_is_not_accepted),
        TEST(a_binary_event_comes_back_as_it_went),
        TEST(an_answer_is_told_once),
        TEST(a_question_may_have_attachments),
        TEST(answers_to_nothing_are_ignored),
        TEST(no_answer_in_time_is_told),
        TEST(a_socket_that_goes_answers_all_with_nothing),
        TEST(wrong_answers_close_the_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
