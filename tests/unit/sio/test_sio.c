/* Socket.IO connections and their sockets: coming, going, namespaces, events in and out. */
#include "sio_fixture.h"

/* --- CONNECT --- */

static void test_connect(void **state)
{
    (void)state;
    char want[100];
    receive(&fake, "40{\"token\":\"x\"}");
    assert_app_saw("connect / auth={\"token\":\"x\"}|");
    assert_sent(&fake, "");
    struct sio_socket *s = sio_socket_find(server, app.last_id); /* answered later, found by id */
    sio_accept(s);
    snprintf(want, sizeof want, "40{\"sid\":\"%s\"}|", sio_socket_sid(s));
    assert_sent(&fake, want);
    assert_int_equal(strlen(sio_socket_sid(s)), 20);
    assert_string_not_equal(sio_socket_sid(s), eio_session_sid(fake.t.session)); /* that one is a secret */
    sio_accept(s);
    sio_refuse(s, "too late");
    assert_sent(&fake, "");
}

static void test_connect_to_custom_namespace_with_query(void **state)
{
    (void)state;
    char want[100];
    receive(&fake, "40/custom?a=b&c,{}");
    assert_app_saw("connect /custom query=a=b&c auth={}|");
    struct sio_socket *s = sio_socket_find(server, app.last_id);
    sio_accept(s);
    snprintf(want, sizeof want, "40/custom,{\"sid\":\"%s\"}|", sio_socket_sid(s));
    assert_sent(&fake, want);
    receive(&fake, "42/custom,[\"a\"]");
    assert_app_saw("event a args=|");
}

static void test_refuse(void **state)
{
    (void)state;
    app.on_connect = REFUSE;
    receive(&fake, "40/random");
    assert_app_saw("connect /random|");
    assert_sent(&fake, "44/random,{\"message\":\"no\"}|");
    assert_null(sio_socket_find(server, app.last_id));

    app.on_connect = NOTHING;
    receive(&fake, "40");
    app.refused++;
    sio_refuse(sio_socket_find(server, app.last_id), "say \"please\"");
    assert_sent(&fake, "44{\"message\":\"say \\\"please\\\"\"}|");
    receive(&fake, "40"); /* may be tried again */
    assert_app_saw("connect /|connect /|");
}

static void test_many_namespaces(void **state)
{
    (void)state;
    struct sio_socket *root = connect_with("40"), *a = connect_with("40/a,"), *ab = connect_with("40/ab,");
    receive(&fake, "42/ab,[\"x\"]");
    receive(&fake, "42[\"y\"]");
    assert_app_saw("event x args=|event y args=|");
    sio_emit(root, "e", NULL, 0);
    sio_emit(a, "e", NULL, 0);
    sio_emit(ab, "e", NULL, 0);
    assert_sent(&fake, "42[\"e\"]|42/a,[\"e\"]|42/ab,[\"e\"]|");
    receive(&fake, "40/one,too,many");
    assert_sent(&fake, "close:parse error|");
    app.log.n = 0;
}

static void test_namespaces_are_bounded(void **state)
{
    (void)state;
    connect_with("40");
    connect_with("40/a,");
    connect_with("40/b,");
    receive(&fake, "40/c,{}");
    assert_sent(&fake, "44/c,{\"message\":\"Too many namespaces\"}|");
    assert_app_saw("");
    receive(&fake, "41/a,");
    connect_with("40/c,");
}

/* What socket.io's client.ondecoded answers by closing the connection. */
static void test_packets_out_of_place(void **state)
{
    (void)state;
    static const struct {
        bool connects;
        const char *first, *packet;
    } rows[] = {
        {false, NULL, "42[\"a\"]"}, /* before CONNECT */
        {false, NULL, "41"},        {false, NULL, "431[]"},
        {false, NULL, "44\"x\""},   {true, "40", "42/other,[\"a\"]"}, /* another namespace */
        {true, "40", "40"},                                           /* again */
        {true, "40/a,", "40/a"},    {true, "40", "44\"x\""},          /* servers send that */
        {false, "40", "40"},                                          /* while the first is not answered */
        {false, "40", "42[\"a\"]"}, {false, "40", "41"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!fake.t.session)
            open_session();
        app.on_connect = rows[i].connects ? ACCEPT : NOTHING;
        if (rows[i].first)
            receive(&fake, rows[i].first);
        forget();
        receive(&fake, rows[i].packet);
        assert_app_saw(rows[i].first ? "disconnect forced server close|" : "");
        assert_sent(&fake, "close:forced server close|");
    }
}

static void test_invalid_packets_close_the_session(void **state)
{
    (void)state;
    static const char *const rows[] = {"4abc", "4", "42{}", "42[\"connect\"]", "451-[\"a\",", "47", "40[]"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!fake.t.session)
            open_session();
        connect_with("40");
        receive(&fake, rows[i]);
        assert_app_saw("disconnect parse error|");
        assert_sent(&fake, "close:parse error|");
    }
}

/* --- time --- */

static void test_no_connect_in_time(void **state)
{
    (void)state;
    pass_ms(44990);
    assert_sent(&fake, "");
    pass_ms(24);
    assert_sent(&fake, "close:forced server close|");
}

static void test_connect_stops_the_clock(void **state)
{
    (void)state;
    pass_ms(44000);
    connect_with("40");
    receive(&fake, "41");
    pass_ms(100000); /* once joined, a connection may be without a namespace */
    assert_sent(&fake, "");
    assert_app_saw("disconnect client namespace disconnect|");
}

static void test_refused_does_not_stop_the_clock(void **state)
{
    (void)state;
    app.on_connect = REFUSE;
    receive(&fake, "40");
    forget();
    pass_ms(45016);
    assert_sent(&fake, "close:forced server close|");
}

static void test_unanswered_connect_is_refused(void **state)
{
    (void)state;
    connect_with("40");
    pass_ms(50000);
    app.on_connect = NOTHING;
    receive(&fake, "40/a,");
    pass_ms(10000);
    receive(&fake, "40/b,");
    forget();
    pass_ms(34990);
    assert_sent(&fake, "");
    pass_ms(24);
    assert_sent(&fake, "44/a,{\"message\":\"timeout\"}|");
    assert_app_saw("disconnect connect timeout|");
    pass_ms(10000);
    assert_sent(&fake, "44/b,{\"message\":\"timeout\"}|");
    assert_app_saw("disconnect connect timeout|");
    pass_ms(100000);
    assert_sent(&fake, "");
    receive(&fake, "42[\"still here\"]");
    assert_app_saw("event still here args=|");
}

static void test_unanswered_first_connect_closes(void **state)
{
    (void)state;
    receive(&fake, "40");
    forget();
    pass_ms(45016);
    assert_app_saw("disconnect forced server close|");
    assert_sent(&fake, "close:forced server close|");
}

/* --- events --- */

static void test_events_and_acks(void **state)
{
    (void)state;
    struct sio_socket *s = connect_with("40");
    receive(&fake, "42[\"plain\",1,\"2\",{\"3\":[true]}]");
    assert_app_saw("event plain args=1,\"2\",{\"3\":[true]}|");
    receive(&fake, "42456[\"with \\u0061ck\"]");
    assert_app_saw("event with ack args= ack=456|");
    receive(&fake, "4312[\"an ack that nobody asked for\"]");
    receive(&fake, "461-1[{\"_placeholder\":true,\"num\":0}]");
    receive_binary(&fake, STR("x"));
    assert_app_saw("");

    sio_ack(s, 456, STR(""));
    sio_ack(s, UINT64_MAX, STR("{\"a\":1},2"));
    sio_emit(s, "none", NULL, 0);
    sio_emit(s, "empty", &STR(""), 1);
    sio_emit(s, "pieces", (struct str[]){STR("{\"a\":"), STR("1"), STR("}"), STR(",2")}, 4);
    assert_sent(&fake, "43456[]|4318446744073709551615[{\"a\":1},2]|42[\"none\"]|42[\"empty\"]|"
                       "42[\"pieces\",{\"a\":1},2]|");
}

static void test_emit_most_pieces(void **state)
{
    (void)state;
    struct sio_socket *s = connect_with("40/n,");
    struct str pieces[SIO_PIECES_MAX];
    for (int i = 0; i < SIO_PIECES_MAX; i++)
        pieces[i] = STR("1");
    sio_emit(s, "e", pieces, SIO_PIECES_MAX);
    assert_sent(&fake, "42/n,[\"e\",1111111111111111]|");
}

static void test_nothing_is_sent_to_a_pending_socket(void **state)
{
    (void)state;
    receive(&fake, "40");
    struct sio_socket *s = sio_socket_find(server, app.last_id);
    sio_emit(s, "e", NULL, 0);
    sio_ack(s, 1, STR(""));
    assert_sent(&fake, "");
}

static void test_emit_to_a_slow_consumer_keeps_the_socket(void **state)
{
    (void)state;
    struct sio_socket *s = connect_with("40");
    fake.is_full = true;
    sio_emit(s, "e", NULL, 0);
    sio_emit(s, "e", NULL, 0);
    assert_ptr_equal(sio_socket_find(server, sio_socket_id(s)), s);
    pass_ms(16);
    assert_app_saw("disconnect slow consumer|");
}

/* --- binary --- */

static void test_binary_event(void **state)
{
    (void)state;
    connect_with("40");
    receive(&fake, "452-3[\"audio\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]");
    receive_binary(&fake, STR("abc"));
    assert_app_saw("");
    receive_binary(&fake, STR(""));
    assert_app_saw("event audio args={\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1} "
                   "binary=abc binary= ack=3|");
    receive(&fake, "42[\"next\"]");
    assert_app_saw("event next args=|");
}

static void test_binary_sequence_errors(void **state)
{
    (void)state;
    connect_with("40");
    receive_binary(&fake, STR("out of the blue"));
    assert_app_saw("disconnect parse error|");

    open_session();
    connect_with("40");
    receive(&fake, "451-[\"a\"]");
    receive(&fake, "42[\"text where an attachment was due\"]");
    assert_app_saw("disconnect parse error|");

    open_session();
    connect_with("40");
    receive(&fake, "451-/other,[\"a\"]");
    assert_app_saw("");
    receive_binary(&fake, STR("x"));
    assert_app_saw("disconnect forced server close|");
}

static void test_binary_packets_are_bounded(void **state)
{
    (void)state;
    static const char bytes[250];
    connect_with("40");
    receive(&fake, "453-[\"a\"]");
    receive_binary(&fake, (struct str){bytes, sizeof bytes});
    assert_app_saw("");
    receive_binary(&fake, (struct str){bytes, sizeof bytes});
    assert_app_saw("disconnect parse error|");
}

static void test_session_ends_amid_a_binary_packet(void **state)
{
    (void)state;
    connect_with("40");
    receive(&fake, "452-[\"a\"]");
    receive_binary(&fake, STR("x"));
    eio_transport_closed(&fake.t, EIO_TRANSPORT_CLOSE);
    assert_app_saw("disconnect transport close|");
}

/* --- DISCONNECT --- */

static void test_disconnect_by_client(void **state)
{
    (void)state;
    connect_with("40");
    connect_with("40/custom,");
    receive(&fake, "41/custom");
    assert_app_saw("disconnect client namespace disconnect|");
    receive(&fake, "42[\"message\",\"to main namespace\"]");
    assert_app_saw("event message args=\"to main namespace\"|");
    connect_with("40/custom,"); /* may come back */
    assert_sent(&fake, "");
}

static void test_disconnect_by_server(void **state)
{
    (void)state;
    struct sio_socket *root = connect_with("40"), *custom = connect_with("40/custom,");
    sio_disconnect(custom, false);
    assert_app_saw("disconnect server namespace disconnect|");
    assert_sent(&fake, "41/custom,|");
    connect_with("40/other,");
    sio_disconnect(root, true);
    assert_app_saw("disconnect server namespace disconnect|disconnect server namespace disconnect|");
    assert_sent(&fake, "41|41/other,|close:forced server close|");
}

static void test_shutdown(void **state)
{
    (void)state;
    connect_with("40");
    connect_with("40/a,");
    eio_server_close_all(sio_server_eio(server), EIO_SERVER_SHUTDOWN);
    assert_app_saw("disconnect server shutting down|disconnect server shutting down|");
}

static void test_ids_are_never_reused(void **state)
{
    (void)state;
    uint64_t first = sio_socket_id(connect_with("40"));
    receive(&fake, "41");
    uint64_t second = sio_socket_id(connect_with("40"));
    assert_true(second > first && first > 0);
    assert_null(sio_socket_find(server, first));
    assert_null(sio_socket_find(server, 0));
    assert_null(sio_socket_find(server, UINT64_MAX));
}

/* --- ending things from inside callbacks: every action in every callback, in every way a session can go ---
 */

static void play(int ending)
{
    open_session();
    receive(&fake, "40");
    receive(&fake, "40/a,");
    receive(&fake, "42[\"x\"]");
    receive(&fake, "431[]");
    receive(&fake, "451-/a,[\"y\"]");
    receive_binary(&fake, STR("b"));
    pass_ms(10000);
    receive(&fake, "40/b,");
    switch (ending) {
    case 0: receive(&fake, "41"); break;
    case 1: receive(&fake, "4garbage"); break;
    case 2: receive(&fake, "1"); break;
    case 3: eio_transport_closed(&fake.t, EIO_TRANSPORT_ERROR); break;
    case 4: pass_ms(100000); break;
    default: break;
    }
    eio_server_close_all(sio_server_eio(server), EIO_SERVER_SHUTDOWN);
    assert_int_equal(app.disconnected, app.connected - app.refused);
}

static void test_everything_may_be_ended_inside_callbacks(void **state)
{
    (void)state;
    eio_server_close_all(sio_server_eio(server), EIO_SERVER_SHUTDOWN);
    for (int i = 0; i < ACTION_COUNT * ACTION_COUNT * ACTION_COUNT; i++) {
        app.on_connect = (enum action)(i % ACTION_COUNT);
        app.on_event = (enum action)(i / ACTION_COUNT % ACTION_COUNT);
        app.on_disconnect = (enum action)(i / ACTION_COUNT / ACTION_COUNT);
        app.on_acked = app.on_disconnect;
        for (int ending = 0; ending <= 4; ending++)
            play(ending);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_connect),
        TEST(test_connect_to_custom_namespace_with_query),
        TEST(test_refuse),
        TEST(test_many_namespaces),
        TEST(test_namespaces_are_bounded),
        TEST(test_packets_out_of_place),
        TEST(test_invalid_packets_close_the_session),
        TEST(test_no_connect_in_time),
        TEST(test_connect_stops_the_clock),
        TEST(test_refused_does_not_stop_the_clock),
        TEST(test_unanswered_connect_is_refused),
        TEST(test_unanswered_first_connect_closes),
        TEST(test_events_and_acks),
        TEST(test_emit_most_pieces),
        TEST(test_nothing_is_sent_to_a_pending_socket),
        TEST(test_emit_to_a_slow_consumer_keeps_the_socket),
        TEST(test_binary_event),
        TEST(test_binary_sequence_errors),
        TEST(test_binary_packets_are_bounded),
        TEST(test_session_ends_amid_a_binary_packet),
        TEST(test_disconnect_by_client),
        TEST(test_disconnect_by_server),
        TEST(test_shutdown),
        TEST(test_ids_are_never_reused),
        TEST(test_everything_may_be_ended_inside_callbacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
