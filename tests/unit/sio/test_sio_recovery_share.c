/* Recovery by a store that several processes share, from the wire's side: what is written there and when,
 * what a client gets that comes from another process, and a store that is slow, away or loses everything. */
#include "conversation/base/shared_store.h"
#include "conversation/rt/loop.h"
#include "recovery_fixture.h"

#define SLOTS 24

/* --- a store in this test's memory --- */

enum owner { NOBODY, OURS, ANOTHERS };

static struct slot {
    enum owner owner;
    struct uuid key;
    struct buf bytes;
    int64_t keep_ms;
} slots[SLOTS];

static struct {
    bool is_away, is_slow, fails;
    struct shared_listener listener;
    int puts, appends, removes, batches;
    uint8_t results[300];
    shared_written_fn *written; /* slow: not answered yet */
    void *written_arg;
    shared_taken_fn *taken;
    void *taken_arg;
    struct uuid taken_key;
} fake_store;

static struct slot *slot_of(const struct uuid *key)
{
    for (int i = 0; i < SLOTS; i++)
        if (slots[i].owner && uuid_eq(&slots[i].key, key))
            return &slots[i];
    return NULL;
}

static struct slot *slot_new(const struct uuid *key)
{
    struct slot *slot = slots;
    while (slot->owner)
        slot++;
    assert_true(slot < slots + SLOTS);
    slot->key = *key;
    slot->owner = OURS;
    return slot;
}

static void slot_empty(struct slot *slot)
{
    slot->owner = NOBODY;
    slot->bytes.n = 0;
}

static enum shared_written carry_out(const struct shared_write *w)
{
    struct slot *slot = slot_of(&w->key);
    fake_store.puts += w->kind == SHARED_PUT;
    fake_store.appends += w->kind == SHARED_APPEND;
    fake_store.removes += w->kind == SHARED_REMOVE;
    if (slot && slot->owner == ANOTHERS)
        return SHARED_MOVED;
    if (w->kind == SHARED_REMOVE) {
        if (slot)
            slot_empty(slot);
        return SHARED_DONE;
    }
    if (!slot && w->kind == SHARED_APPEND)
        return SHARED_ABSENT;
    slot = slot ? slot : slot_new(&w->key);
    if (w->kind == SHARED_PUT)
        slot->bytes.n = 0;
    for (int i = 0; i < SHARED_PARTS_MAX; i++)
        if (w->parts[i].n)
            buf_add_str(&slot->bytes, w->parts[i]);
    slot->keep_ms = w->keep_ms;
    return SHARED_DONE;
}

static bool fake_write(const struct shared_write *writes, size_t count, shared_written_fn *done, void *arg)
{
    if (fake_store.is_away)
        return false;
    assert_null(fake_store.written); /* one at a time */
    assert_in_range(count, 1, sizeof fake_store.results);
    for (size_t i = 0; i < count; i++)
        fake_store.results[i] = (uint8_t)carry_out(&writes[i]);
    fake_store.batches++;
    fake_store.written = done;
    fake_store.written_arg = arg;
    return true;
}

static bool fake_take(const struct uuid *key, shared_taken_fn *done, void *arg)
{
    if (fake_store.is_away)
        return false;
    assert_null(fake_store.taken);
    fake_store.taken = done;
    fake_store.taken_arg = arg;
    fake_store.taken_key = *key;
    return true;
}

static void fake_listen(const struct shared_listener *listener)
{
    fake_store.listener = listener ? *listener : (struct shared_listener){0};
}

static const struct shared_store store = {fake_listen, fake_write, fake_take};

static void answer_write(void)
{
    shared_written_fn *done = fake_store.written;
    fake_store.written = NULL;
    if (done)
        done(fake_store.written_arg, fake_store.fails ? NULL : fake_store.results);
}

static void answer_take(void)
{
    shared_taken_fn *done = fake_store.taken;
    struct slot *slot = slot_of(&fake_store.taken_key);
    fake_store.taken = NULL;
    if (!done)
        return;
    if (fake_store.fails) {
        done(fake_store.taken_arg, SHARED_UNKNOWN, (struct str){NULL, 0});
    } else if (!slot) {
        done(fake_store.taken_arg, SHARED_NONE, (struct str){NULL, 0});
    } else if (slot->owner == OURS) {
        done(fake_store.taken_arg, SHARED_OURS, (struct str){NULL, 0});
    } else if (!slot->bytes.n) {
        done(fake_store.taken_arg, SHARED_ANOTHER, (struct str){NULL, 0});
    } else {
        struct buf copy = {0}; /* so that a slice kept too long is found */
        buf_add_str(&copy, buf_str(&slot->bytes));
        slot->bytes.n = 0;
        slot->owner = OURS;
        done(fake_store.taken_arg, SHARED_TAKEN, buf_str(&copy));
        buf_done(&copy);
    }
}

/* Turns of the loop, with the store's answers. */
static void settle(void)
{
    for (int i = 0; i < 5; i++) {
        loop_turn_for_test();
        if (!fake_store.is_slow) {
            answer_write();
            answer_take();
        }
    }
}

static void pass_and_settle(int64_t ms)
{
    for (; ms > 0; ms -= 8) {
        pass_ms(8);
        settle();
    }
}

/* --- the client --- */

static int set_up_share(void **state)
{
    config.recovery = (struct sio_recovery){.max_age_ms = 20000,
                                            .socket_bytes = 1000,
                                            .total_bytes = 100000,
                                            .share = &store,
                                            .shared_bytes = 100000};
    config.namespaces_max = 3;
    loop_init();
    memset(&fake_store, 0, sizeof fake_store);
    second = (struct fake_transport){.t.ops = &fake_ops};
    return set_up(state);
}

static int tear_down_share(void **state)
{
    answer_write();
    answer_take();
    int result = tear_down(state);
    assert_null(fake_store.listener.back);
    config.recovery = (struct sio_recovery){0};
    buf_done(&second.log);
    for (int i = 0; i < SLOTS; i++) {
        slot_empty(&slots[i]);
        buf_done(&slots[i].bytes);
    }
    loop_stop();
    loop_run();
    loop_done();
    return result;
}

static void emit(struct sio_socket *s, const char *arg)
{
    const struct str part = str_of(arg);
    sio_emit(s, "e", &part, 1);
}

static void lose(void)
{
    eio_transport_closed(&fake.t, EIO_TRANSPORT_CLOSE);
    settle();
    forget();
}

/* What the process that dies leaves behind: this one knows nothing of it any more. */
static void begin_again(void)
{
    eio_server_close_all(sio_server_eio(server), EIO_SERVER_SHUTDOWN);
    settle();
    sio_server_free(server);
    for (int i = 0; i < SLOTS; i++)
        slots[i].owner = slots[i].owner ? ANOTHERS : NOBODY;
    server = sio_server_new(&config, &eio_config, &callbacks);
    fake.log.n = app.log.n = 0;
}

static void ask_for(const char *namespace_, const char *offset)
{
    app.log.n = 0;
    come_back(namespace_, pid, offset);
}

static struct slot *only_slot(void)
{
    struct slot *found = NULL;
    for (int i = 0; i < SLOTS; i++)
        if (slots[i].owner) {
            assert_null(found);
            found = &slots[i];
        }
    return found;
}

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
    config.recovery.socket_bytes = 400000;
    config.recovery.total_bytes = config.recovery.shared_bytes = 100000000;
    config.namespaces_max = 20;
    begin_again();
    open_session();
}

/* One batch. */
static void emit_much(struct sio_socket *s)
{
    static char arg[280000];
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

#define SHARE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_share, tear_down_share)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHARE_TEST(who_was_sent_nothing_is_not_shared),
        SHARE_TEST(packets_are_appended_and_what_else_changes_is_put),
        SHARE_TEST(under_load_it_is_written_from_time_to_time),
        SHARE_TEST(full_batches_are_rarer),
        SHARE_TEST(but_what_waits_is_all_written_within_a_second),
        SHARE_TEST(it_is_put_anew_before_it_gets_too_long),
        SHARE_TEST(what_the_ring_lost_before_it_was_written_is_not_claimed),
        SHARE_TEST(the_bound_of_all_leaves_out_packets),
        SHARE_TEST(quiet_sockets_keep_their_name_only),
        SHARE_TEST(lost_ones_expire_and_those_that_left_are_removed),
        SHARE_TEST(a_store_that_is_away_or_empty_gets_all_when_it_is_back),
        SHARE_TEST(a_write_that_failed_is_done_anew_a_little_later),
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
