/* Recovery by a store that several processes share, from the wire's side: what a client gets that comes from
 * another process, and what becomes of its former one. */
#include "share_fixture.h"

/* --- claims --- */

static void another_process_gives_back_all_of_it(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    const struct uuid owner = {{7}};
    sio_socket_set_owner(s, &owner);
    sio_socket_set_note(s, STR("a note"));
    emit(s, "1");
    emit(s, "2");
    settle();
    emit(s, "3");
    settle();
    begin_again();
    ask_for("", "1");
    assert_app_saw(""); /* not before we know */
    settle();
    assert_app_saw("connect / recover=a note|");
    assert_recovered("", "42[\"e\",2,\"2\"]|42[\"e\",3,\"3\"]|");
    s = sio_socket_find(server, app.last_id);
    assert_true(sio_socket_is_recovered(s) && sio_socket_is_from_elsewhere(s));
    emit(s, "4");
    assert_sent(&second, "42[\"e\",4,\"4\"]|");
    settle();
    assert_int_equal(only_slot()->owner, OURS);
    eio_transport_closed(&second.t, EIO_TRANSPORT_CLOSE);
    const struct str arg = STR("5");
    sio_emit_to_lost(server, &owner, "told", &arg, 1); /* it is still somebody's */
    begin_again();
    ask_for("", "4");
    settle();
    assert_recovered("", "42[\"told\",5,\"5\"]|");
}

static void what_it_got_that_was_not_shared_is_not_missed(void **state)
{
    (void)state;
    emit(connected("40"), "1");
    settle();
    begin_again();
    ask_for("", "7");
    settle();
    assert_recovered("", "");
    emit(sio_socket_find(server, app.last_id), "8");
    assert_sent(&second, "42[\"e\",8,\"8\"]|");
    settle();
    begin_again();
    ask_for("", "400000");
    settle();
    assert_fresh();
}

static void namespaces_and_queries_survive_the_wait(void **state)
{
    (void)state;
    emit(connected("40/n,"), "1");
    settle();
    begin_again();
    ask_for("/n?a=b,", "1");
    settle();
    assert_app_saw("connect /n query=a=b recover=|");
    ask_for("/other,", "1");
    settle();
    assert_non_null(memmem(app.log.p, app.log.n, "connect /other auth={\"pid\":", 27));
    app.log.n = 0;
}

static void ours_is_ours(void **state)
{
    (void)state;
    emit(connected("40"), "1");
    settle();
    lose();
    ask_for("", "1");
    settle();
    assert_recovered("", "");
    assert_false(sio_socket_is_from_elsewhere(sio_socket_find(server, app.last_id)));
}

static void ours_counts_while_the_store_says_nothing(void **state)
{
    (void)state;
    emit(connected("40"), "1");
    settle();
    lose();
    fake_store.fails = true;
    ask_for("", "1");
    settle();
    assert_recovered("", "");
    eio_transport_closed(&second.t, EIO_TRANSPORT_CLOSE);
    fake_store.is_away = true;
    ask_for("", "1");
    assert_recovered("", "");
}

static void what_another_has_is_not_recovered_here(void **state)
{
    (void)state;
    emit(connected("40"), "1");
    settle();
    lose();
    only_slot()->owner = ANOTHERS;
    only_slot()->bytes.n = 0; /* just taken */
    ask_for("", "1");
    settle();
    assert_fresh();
}

static void garbage_is_fresh(void **state)
{
    (void)state;
    emit(connected("40"), "1");
    settle();
    begin_again();
    only_slot()->bytes.p[0] = 9;
    ask_for("", "1");
    settle();
    assert_fresh();
}

static void a_store_that_takes_too_long_is_not_waited_for(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    emit(s, "1");
    emit(s, "2");
    settle();
    begin_again();
    fake_store.is_slow = true;
    ask_for("", "1");
    pass_and_settle(1016);
    assert_fresh();
    fake_store.is_slow = false;
    settle(); /* it is kept here for the next time */
    ask_for("", "1");
    assert_true(sio_server_has_unsaved(server) || !fake_store.written);
    eio_transport_closed(&second.t, EIO_TRANSPORT_CLOSE);
    ask_for("", "1");
    settle();
    assert_recovered("", "42[\"e\",2,\"2\"]|");
}

static void sockets_may_go_while_they_wait(void **state)
{
    (void)state;
    emit(connected("40"), "1");
    settle();
    begin_again();
    fake_store.is_slow = true;
    ask_for("", "1");
    eio_transport_closed(&second.t, EIO_TRANSPORT_CLOSE);
    assert_app_saw(""); /* nobody was told of it */
    fake_store.is_slow = false;
    settle();
    assert_app_saw("");
    ask_for("", "1");
    settle();
    assert_recovered("", "");
}

static void what_comes_before_the_answer_ends_the_connection(void **state)
{
    (void)state;
    emit(connected("40"), "1");
    settle();
    begin_again();
    ask_for("", "1");
    receive(&second, "42[\"too early\"]");
    assert_sent(&second, "close:forced server close|");
    settle();
    assert_app_saw("");
}

/* --- the former process --- */

static void a_socket_whose_client_is_elsewhere_is_closed(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    emit(s, "1");
    settle();
    only_slot()->owner = ANOTHERS;
    app.log.n = 0;
    emit(s, "2");
    settle();
    assert_app_saw("disconnect transport close|");
    assert_true(fake.is_closed);
    assert_int_equal(only_slot()->owner, ANOTHERS);
    only_slot()->bytes.n = 0;
    ask_for("", "1");
    settle();
    assert_fresh();
}

static void doubt_is_settled(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    uint64_t id = sio_socket_id(s);
    const struct uuid unknown = {{1}};
    emit(s, "1");
    settle();
    fake_store.listener.doubt(fake_store.listener.arg, &unknown);
    fake_store.listener.doubt(fake_store.listener.arg, &only_slot()->key);
    settle();
    assert_ptr_equal(sio_socket_find(server, id), s); /* it was unfounded */
    app.log.n = 0;
    struct uuid key = only_slot()->key;
    slot_empty(only_slot()); /* taken, and left there */
    fake_store.listener.doubt(fake_store.listener.arg, &key);
    settle();
    assert_app_saw("disconnect transport close|");
    assert_null(only_slot()); /* and not put again */
}

static void a_lost_one_that_is_elsewhere_is_forgotten(void **state)
{
    (void)state;
    emit(connected("40"), "1");
    settle();
    only_slot()->owner = ANOTHERS;
    lose();
    only_slot()->bytes.n = 0;
    fake_store.is_away = true;
    ask_for("", "1");
    assert_fresh();
}

static void whatever_the_application_does_when_it_is_closed(void **state)
{
    (void)state;
    for (int action = 0; action < ACTION_COUNT; action++) {
        if (!fake.t.session)
            open_session();
        app.on_disconnect = NOTHING;
        struct sio_socket *s = connected("40");
        emit(s, "1");
        emit(connect_with("40/more,"), "1");
        settle();
        for (int i = 0; i < SLOTS; i++)
            slots[i].owner = slots[i].owner ? ANOTHERS : NOBODY;
        app.on_disconnect = (enum action)action;
        emit(s, "2");
        pass_and_settle(40);
        app.on_disconnect = NOTHING;
        for (int i = 0; i < SLOTS; i++)
            slot_empty(&slots[i]);
    }
    app.log.n = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHARE_TEST(another_process_gives_back_all_of_it),
        SHARE_TEST(what_it_got_that_was_not_shared_is_not_missed),
        SHARE_TEST(namespaces_and_queries_survive_the_wait),
        SHARE_TEST(ours_is_ours),
        SHARE_TEST(ours_counts_while_the_store_says_nothing),
        SHARE_TEST(what_another_has_is_not_recovered_here),
        SHARE_TEST(garbage_is_fresh),
        SHARE_TEST(a_store_that_takes_too_long_is_not_waited_for),
        SHARE_TEST(sockets_may_go_while_they_wait),
        SHARE_TEST(what_comes_before_the_answer_ends_the_connection),
        SHARE_TEST(a_socket_whose_client_is_elsewhere_is_closed),
        SHARE_TEST(doubt_is_settled),
        SHARE_TEST(a_lost_one_that_is_elsewhere_is_forgotten),
        SHARE_TEST(whatever_the_application_does_when_it_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
