/* Recovery by a store that several processes share, from the wire's side: what is written there and when. */
#include "share_fixture.h"

/* --- writing --- */

static void who_was_sent_nothing_is_not_shared(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    sio_socket_set_note(s, STR("n"));
    settle();
    assert_null(only_slot());
    emit(s, "1");
    assert_true(sio_server_has_unsaved(server));
    settle();
    assert_false(sio_server_has_unsaved(server));
    assert_int_equal(only_slot()->keep_ms, 3600000);
    assert_int_equal(fake_store.puts, 1);
}

static void packets_are_appended_and_what_else_changes_is_put(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    emit(s, "1");
    settle();
    size_t n = only_slot()->bytes.n;
    emit(s, "2");
    emit(s, "3");
    settle();
    assert_int_equal(fake_store.appends, 1);
    assert_true(only_slot()->bytes.n > n);
    sio_socket_set_note(s, STR("note"));
    settle();
    assert_int_equal(fake_store.puts, 2);
    assert_non_null(memmem(only_slot()->bytes.p, only_slot()->bytes.n, "note", 4));
}

static void under_load_it_is_written_from_time_to_time(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    for (int i = 0; i < 1000; i++) {
        emit(s, "1");
        settle();
        if (i % 8 == 0)
            pass_ms(1);
    }
    assert_in_range(fake_store.batches, 20, 40);
    pass_and_settle(2000);
    fake_store.batches = 0;
    emit(s, "1");
    loop_turn_for_test();
    assert_int_equal(fake_store.batches, 1); /* at once again */
    settle();
}

/* --- full batches --- */

static void given_room_for_full_batches(void)
{
    config.recovery.socket_bytes = 10000000;
    config.recovery.total_bytes = config.recovery.shared_bytes = 1000000000;
    config.namespaces_max = 20;
    begin_again();
    open_session();
}

/* One batch. */
static void emit_much(struct sio_socket *s)
{
    static char arg[70000];
    const struct str part = {arg, sizeof arg};
    memset(arg, 'x', sizeof arg);
    arg[0] = arg[sizeof arg - 1] = '"';
    sio_emit(s, "e", &part, 1);
    forget();
}

static void full_batches_are_rarer(void **state)
{
    (void)state;
    given_room_for_full_batches();
    struct sio_socket *s = connected("40");
    fake_store.batches = 0;
    for (int i = 0; i < 200; i++) {
        emit_much(s);
        pass_and_settle(8);
    }
    assert_in_range(fake_store.batches, 16, 24); /* in 1.6 s, half a second of them at once */
}

static void but_what_waits_is_all_written_within_a_second(void **state)
{
    (void)state;
    struct sio_socket *sockets[20];
    given_room_for_full_batches();
    for (int i = 0; i < 20; i++) {
        char packet[16];
        snprintf(packet, sizeof packet, "40/%d,", i);
        sockets[i] = connected(packet);
    }
    for (int ms = 0; ms < 2000; ms += 80) {
        if (ms == 960)
            fake_store.batches = 0;
        for (int i = 0; i < 20; i++)
            emit_much(sockets[i]);
        pass_and_settle(80);
    }
    assert_in_range(fake_store.batches, 18, 24); /* in 1.04 s */
}

static void it_is_put_anew_before_it_gets_too_long(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    for (int i = 0; i < 300; i++) {
        emit(s, "\"some bytes more\"");
        pass_and_settle(24);
        assert_in_range(only_slot()->bytes.n, 1, 2 * 1000 + 400);
    }
    assert_in_range(fake_store.puts, 5, 20);
}

/* 100 packets between two copies, of which the ring holds some 30. */
static void turn_over(struct sio_socket *s)
{
    fake_store.is_slow = true;
    emit(s, "1");
    settle();
    for (int i = 0; i < 100; i++)
        emit(s, "\"overwritten\"");
    fake_store.is_slow = false;
    settle();
}

static void of_a_ring_that_is_turned_over_between_two_copies_the_head_is_put(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    emit(s, "1");
    settle();
    size_t n = only_slot()->bytes.n;
    turn_over(s);
    assert_true(only_slot()->bytes.n < n);
    emit(s, "\"newest\"");
    settle();
    begin_again();
    ask_for("", "102");
    settle();
    assert_recovered("", "42[\"e\",\"newest\",\"103\"]|");
}

static void but_when_its_connection_is_lost_all_of_it(void **state)
{
    (void)state;
    turn_over(connected("40"));
    lose();
    begin_again();
    ask_for("", "100");
    settle();
    assert_recovered("", "42[\"e\",\"overwritten\",\"101\"]|");
}

static void what_the_ring_lost_before_it_was_written_is_not_claimed(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    emit(s, "1");
    settle();
    fake_store.is_slow = true;
    emit(s, "2");
    settle();
    for (int i = 3; i < 100; i++)
        emit(s, "\"overwritten\"");
    fake_store.is_slow = false;
    settle();
    begin_again();
    ask_for("", "2");
    settle();
    assert_fresh();
}

static void the_bound_of_all_leaves_out_packets(void **state)
{
    (void)state;
    tear_down_share(state);
    set_up_share(state);
    config.recovery.shared_bytes = 300;
    tear_down(state);
    assert_int_equal(set_up(state), 0);
    struct sio_socket *s = connected("40");
    for (int i = 0; i < 20; i++) {
        emit(s, "\"some bytes more\"");
        settle();
        assert_true(only_slot()->bytes.n < 300 + 100);
    }
    begin_again();
    ask_for("", "20"); /* it has missed nothing */
    settle();
    assert_recovered("", "");
}

static void stay_connected(int64_t ms)
{
    for (; ms > 0; ms -= 100000) {
        pass_ms(100000);
        receive(&fake, "3");
    }
}

static void quiet_sockets_keep_their_name_only(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    emit(s, "\"some bytes more\"");
    settle();
    size_t n = only_slot()->bytes.n;
    stay_connected(2100000);
    settle();
    assert_true(only_slot()->bytes.n < n);
    int batches = fake_store.batches;
    stay_connected(6000000);
    settle();
    assert_int_equal(fake_store.batches, batches);
    begin_again();
    ask_for("", "1");
    settle();
    assert_recovered("", "");
}

static void lost_ones_expire_and_those_that_left_are_removed(void **state)
{
    (void)state;
    emit(connected("40"), "1");
    settle();
    lose();
    assert_int_equal(only_slot()->keep_ms, 20000);
    pass_ms(20016);
    settle();
    assert_int_equal(fake_store.removes, 0); /* the store saw to it itself */
    slot_empty(only_slot());
    open_session();
    struct sio_socket *s = connected("40");
    emit(s, "1");
    settle();
    sio_disconnect(s, false);
    settle();
    assert_null(only_slot());
}

static void a_store_that_is_away_or_empty_gets_all_when_it_is_back(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    fake_store.is_away = true;
    emit(s, "1");
    emit(s, "2");
    settle();
    assert_false(sio_server_has_unsaved(server));
    pass_and_settle(2000);
    fake_store.is_away = false;
    emit(s, "3");
    settle();
    assert_int_equal(fake_store.batches, 0); /* it is not tried before it says so */
    fake_store.listener.back(fake_store.listener.arg);
    settle();
    slot_empty(only_slot());
    emit(s, "4");
    settle(); /* nothing to append to */
    assert_int_equal(fake_store.puts, 2);
    slot_empty(only_slot());
    fake_store.listener.back(fake_store.listener.arg);
    settle();
    begin_again();
    ask_for("", "1");
    settle();
    assert_recovered("", "42[\"e\",2,\"2\"]|42[\"e\",3,\"3\"]|42[\"e\",4,\"4\"]|");
}

static void a_write_that_failed_is_done_anew_a_little_later(void **state)
{
    (void)state;
    struct sio_socket *s = connected("40");
    emit(s, "1");
    settle();
    fake_store.fails = true;
    emit(s, "2");
    settle();
    assert_int_equal(fake_store.batches, 2);
    settle();
    assert_int_equal(fake_store.batches, 2);
    fake_store.fails = false;
    pass_and_settle(1100);
    assert_int_equal(fake_store.puts, 2);
    begin_again();
    ask_for("", "1");
    settle();
    assert_recovered("", "42[\"e\",2,\"2\"]|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHARE_TEST(who_was_sent_nothing_is_not_shared),
        SHARE_TEST(packets_are_appended_and_what_else_changes_is_put),
        SHARE_TEST(under_load_it_is_written_from_time_to_time),
        SHARE_TEST(full_batches_are_rarer),
        SHARE_TEST(but_what_waits_is_all_written_within_a_second),
        SHARE_TEST(it_is_put_anew_before_it_gets_too_long),
        SHARE_TEST(of_a_ring_that_is_turned_over_between_two_copies_the_head_is_put),
        SHARE_TEST(but_when_its_connection_is_lost_all_of_it),
        SHARE_TEST(what_the_ring_lost_before_it_was_written_is_not_claimed),
        SHARE_TEST(the_bound_of_all_leaves_out_packets),
        SHARE_TEST(quiet_sockets_keep_their_name_only),
        SHARE_TEST(lost_ones_expire_and_those_that_left_are_removed),
        SHARE_TEST(a_store_that_is_away_or_empty_gets_all_when_it_is_back),
        SHARE_TEST(a_write_that_failed_is_done_anew_a_little_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
