/* A server that recovers connections by a store that several processes share: here one in the test's memory,
 * which is slow, away or loses everything when the test says so. */
#ifndef SHARE_FIXTURE_H
#define SHARE_FIXTURE_H

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

static inline struct slot *slot_of(const struct uuid *key)
{
    for (int i = 0; i < SLOTS; i++)
        if (slots[i].owner && uuid_eq(&slots[i].key, key))
            return &slots[i];
    return NULL;
}

static inline struct slot *slot_new(const struct uuid *key)
{
    struct slot *slot = slots;
    while (slot->owner)
        slot++;
    assert_true(slot < slots + SLOTS);
    slot->key = *key;
    slot->owner = OURS;
    return slot;
}

static inline void slot_empty(struct slot *slot)
{
    slot->owner = NOBODY;
    slot->bytes.n = 0;
}

static inline enum shared_written carry_out(const struct shared_write *w)
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

static inline bool fake_write(const struct shared_write *writes, size_t count, shared_written_fn *done,
                              void *arg)
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

static inline bool fake_take(const struct uuid *key, shared_taken_fn *done, void *arg)
{
    if (fake_store.is_away)
        return false;
    assert_null(fake_store.taken);
    fake_store.taken = done;
    fake_store.taken_arg = arg;
    fake_store.taken_key = *key;
    return true;
}

static inline void fake_listen(const struct shared_listener *listener)
{
    fake_store.listener = listener ? *listener : (struct shared_listener){0};
}

static const struct shared_store store = {fake_listen, fake_write, fake_take};

static inline void answer_write(void)
{
    shared_written_fn *done = fake_store.written;
    fake_store.written = NULL;
    if (done)
        done(fake_store.written_arg, fake_store.fails ? NULL : fake_store.results);
}

static inline void answer_take(void)
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
static inline void settle(void)
{
    for (int i = 0; i < 5; i++) {
        loop_turn_for_test();
        if (!fake_store.is_slow) {
            answer_write();
            answer_take();
        }
    }
}

static inline void pass_and_settle(int64_t ms)
{
    for (; ms > 0; ms -= 8) {
        pass_ms(8);
        settle();
    }
}

/* --- the client --- */

static inline int set_up_share(void **state)
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

static inline int tear_down_share(void **state)
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

static inline void emit(struct sio_socket *s, const char *arg)
{
    const struct str part = str_of(arg);
    sio_emit(s, "e", &part, 1);
}

static inline void lose(void)
{
    eio_transport_closed(&fake.t, EIO_TRANSPORT_CLOSE);
    settle();
    forget();
}

/* What the process that dies leaves behind: this one knows nothing of it any more. */
static inline void begin_again(void)
{
    eio_server_close_all(sio_server_eio(server), EIO_SERVER_SHUTDOWN);
    settle();
    sio_server_free(server);
    for (int i = 0; i < SLOTS; i++)
        slots[i].owner = slots[i].owner ? ANOTHERS : NOBODY;
    server = sio_server_new(&config, &eio_config, &callbacks);
    fake.log.n = app.log.n = 0;
}

static inline void ask_for(const char *namespace_, const char *offset)
{
    app.log.n = 0;
    come_back(namespace_, pid, offset);
}

static inline struct slot *only_slot(void)
{
    struct slot *found = NULL;
    for (int i = 0; i < SLOTS; i++)
        if (slots[i].owner) {
            assert_null(found);
            found = &slots[i];
        }
    return found;
}

#define SHARE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_share, tear_down_share)

#endif
