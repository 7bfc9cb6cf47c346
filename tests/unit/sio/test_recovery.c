/* The store of what lost sockets need: who finds what, for how long, and how much of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../../src/sio/recovery.h"
#include "fake_transport.h"

#define SID       "abcdefghijklmnopqrst"
#define NOTICE_MS 1000

static struct sio_recovery bounds;
static struct recovery *store;
static const struct uuid ada = {{1}}, bob = {{2}};

static int set_up(void **state)
{
    (void)state;
    clock_reset();
    bounds = (struct sio_recovery){.max_age_ms = 5000, .socket_bytes = 2000, .total_bytes = 20000};
    store = recovery_new(&bounds, NOTICE_MS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    recovery_free(store);
    return 0;
}

static void again(void)
{
    recovery_free(store);
    store = recovery_new(&bounds, NOTICE_MS);
}

static struct recovery_state *live(uint64_t id)
{
    return recovery_new_state(store, id, SID, STR("/n,"));
}

static void send_bytes(struct recovery_state *state, size_t n)
{
    static const char bytes[4000];
    const struct str part = {bytes, n};
    recovery_add(store, state, &(struct sent_packet){&part, 1, NULL, 0});
}

static struct recovery_claim claim_of(const struct recovery_state *state, uint64_t offset)
{
    return (struct recovery_claim){state->node.key, offset};
}

static struct recovery_state *find(const struct recovery_claim *claim)
{
    return recovery_find(store, claim, STR("/n,"));
}

static size_t lost(void)
{
    return recovery_count(store).lost;
}

static void a_lost_state_is_found_and_taken_once(void **state)
{
    (void)state;
    struct recovery_state *s = live(1);
    recovery_set_note(store, s, STR("note"));
    send_bytes(s, 10);
    struct recovery_claim claim = claim_of(s, 1);
    recovery_keep(store, s);
    assert_int_equal(lost(), 1);
    assert_ptr_equal(find(&claim), s);
    assert_int_equal(s->socket_id, 0);
    assert_string_equal(s->sid, SID);
    assert_true(str_eqz((struct str){s->note, s->note_bytes}, "note"));
    recovery_take(store, s, 2, 1);
    assert_int_equal(lost(), 0);
    assert_int_equal(recovery_count(store).lost_bytes, 0);
    assert_int_equal(s->socket_id, 2);
    pass_ms(20000); /* it does not age any more */
    assert_ptr_equal(find(&claim), s);
    recovery_drop(store, s);
    assert_null(find(&claim));
    assert_int_equal(recovery_count(store).states, 0);
}

static void claims_must_be_right_in_all(void **state)
{
    (void)state;
    struct recovery_state *s = live(1);
    send_bytes(s, 10);
    send_bytes(s, 10);
    struct recovery_claim claim = claim_of(s, 1), other = {uuid_random(), 1};
    recovery_keep(store, s);
    assert_non_null(find(&claim));
    assert_null(find(&other));
    assert_null(recovery_find(store, &claim, STR("/m,")));
    assert_null(recovery_find(store, &claim, STR("")));
    claim.offset = 2;
    assert_non_null(find(&claim));
    claim.offset = 3; /* never sent */
    assert_null(find(&claim));
}

static void claims_are_read_from_the_payload(void **state)
{
    (void)state;
    struct recovery_claim claim;
    char text[128], pid[SID_LENGTH + 1];
    struct uuid key = sid_random(pid);
    static const struct {
        const char *before, *after; /* of the pid */
    } bad[] = {
        {"{\"pid\":\"", "\"}"},
        {"{\"id\":\"", "\",\"offset\":\"1\"}"},
        {"{\"pid\":\"", "\",\"offset\":1}"},
        {"{\"pid\":\"", "\",\"offset\":null}"},
        {"{\"pid\":\"", "\",\"offset\":\"\"}"},
        {"{\"pid\":\"", "\",\"offset\":\"0\"}"},
        {"{\"pid\":\"", "\",\"offset\":\"-1\"}"},
        {"{\"pid\":\"", "\",\"offset\":\"1x\"}"},
        {"{\"pid\":\"", "\",\"offset\":\"99999999999999999999\"}"},
        {"{\"pid\":\"", "0\",\"offset\":\"1\"}"},
        {"{\"pid\":[\"", "\"],\"offset\":\"1\"}"},
        {"{\"offset\":\"1\",\"pid\":{\"pid\":\"", "\"}}"},
    };
    assert_false(recovery_read_claim((struct str){NULL, 0}, &claim));
    assert_false(recovery_read_claim(STR("{}"), &claim));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "%s%s%s", bad[i].before, pid, bad[i].after);
        if (recovery_read_claim(str_of(text), &claim))
            fail_msg("%s was taken", text);
    }
    snprintf(text, sizeof text, "{\"token\":\"x\",\"offset\":\"17\",\"pid\":\"%s\"}", pid);
    assert_true(recovery_read_claim(str_of(text), &claim));
    assert_true(uuid_eq(&claim.pid, &key));
    assert_int_equal(claim.offset, 17);
}

static void the_lost_are_forgotten_in_time(void **state)
{
    (void)state;
    struct recovery_state *first = live(1), *second = live(2);
    struct recovery_claim one = claim_of(first, 0), two = claim_of(second, 0);
    recovery_keep(store, first);
    pass_ms(3000);
    recovery_keep(store, second);
    pass_ms(1984);
    assert_non_null(find(&one));
    pass_ms(32);
    assert_null(find(&one));
    assert_non_null(find(&two));
    pass_ms(3000);
    assert_int_equal(recovery_count(store).states, 0);
    assert_int_equal(recovery_count(store).lost_bytes, 0);
}

static void all_the_lost_together_are_bounded(void **state)
{
    (void)state;
    struct recovery_claim claims[40];
    for (int i = 0; i < 40; i++) {
        struct recovery_state *s = live((uint64_t)i + 1);
        send_bytes(s, 1500);
        claims[i] = claim_of(s, 1);
        recovery_keep(store, s);
        assert_true(recovery_count(store).lost_bytes <= bounds.total_bytes);
    }
    size_t kept = lost();
    assert_in_range(kept, 10, 13);
    for (size_t i = 0; i < 40; i++)
        assert_true((find(&claims[i]) != NULL) == (i >= 40 - kept)); /* the oldest went */
}

static void one_that_is_over_the_bound_alone_is_not_kept(void **state)
{
    (void)state;
    bounds.total_bytes = 100;
    again();
    struct recovery_state *s = live(1);
    struct recovery_claim claim = claim_of(s, 0);
    recovery_keep(store, s);
    assert_null(find(&claim));
    assert_int_equal(recovery_count(store).states, 0);
}

static void each_socket_is_bounded(void **state)
{
    (void)state;
    struct recovery_state *s = live(1);
    for (int i = 0; i < 100; i++) {
        send_bytes(s, 500);
        assert_true(recovery_count(store).held_bytes <= bounds.socket_bytes);
    }
    struct recovery_claim claim = claim_of(s, 97);
    assert_non_null(find(&claim));
    claim.offset = 96; /* of 2000 bytes, three packets and their heads fit */
    assert_null(find(&claim));
    recovery_drop(store, s);
}

/* While a loss may be unnoticed, and as long as a lost socket is kept. */
static void packets_of_the_quiet_are_freed(void **state)
{
    (void)state;
    struct recovery_state *busy = live(1), *quiet = live(2), *silent = live(3);
    send_bytes(quiet, 100);
    for (int i = 0; i < 20; i++) {
        send_bytes(busy, 10);
        pass_ms(1000);
    }
    assert_null(quiet->sent.p);
    assert_null(silent->sent.p);
    assert_non_null(busy->sent.p);
    struct recovery_claim missed_none = claim_of(quiet, 1), missed_one = claim_of(quiet, 0);
    assert_ptr_equal(find(&missed_none), quiet);
    assert_null(find(&missed_one));
    struct recovery_claim recent = claim_of(busy, 16), old = claim_of(busy, 10);
    assert_ptr_equal(find(&recent), busy);
    assert_null(find(&old));
    pass_ms(2 * (bounds.max_age_ms + NOTICE_MS) + 16);
    assert_int_equal(recovery_count(store).held_bytes, 0);
    send_bytes(quiet, 10); /* and begins anew */
    assert_non_null(quiet->sent.p);
    recovery_drop(store, busy);
    recovery_drop(store, quiet);
    recovery_drop(store, silent);
}

/* Nearly: each may have up to twice its share, which is rounded to a power of two. */
static void all_the_live_share_the_total(void **state)
{
    (void)state;
    struct recovery_state *s[60];
    bounds.socket_bytes = 8192;
    again();
    for (int i = 0; i < 60; i++)
        s[i] = live((uint64_t)i + 1);
    for (int n = 1; n <= 60; n++) {
        for (int round = 0; round < 100; round++) {
            for (int i = 0; i < n; i++)
                send_bytes(s[i], 50);
        }
        assert_true(recovery_count(store).held_bytes <= 2 * bounds.total_bytes);
    }
    struct recovery_claim few = claim_of(s[0], 5997), many = claim_of(s[0], 5990);
    assert_non_null(find(&few)); /* 256 bytes: three packets */
    assert_null(find(&many));
    for (int i = 1; i < 60; i++)
        recovery_drop(store, s[i]);
    for (int round = 0; round < 200; round++)
        send_bytes(s[0], 50);
    many.offset = 6200 - 120; /* alone, it has 8192 */
    assert_non_null(find(&many));
    recovery_drop(store, s[0]);
}

static void add_one(struct recovery_state *state, void *arg)
{
    ++*(int *)arg;
    send_bytes(state, 200);
}

static int told(const struct uuid *owner)
{
    int count = 0;
    recovery_each_lost(store, owner, add_one, &count);
    return count;
}

static void lost_sockets_are_reached_by_owner(void **state)
{
    (void)state;
    struct recovery_state *s[4];
    for (int i = 0; i < 4; i++) {
        s[i] = live((uint64_t)i + 1);
        if (i < 3)
            s[i]->owner = i < 2 ? ada : bob;
    }
    struct recovery_claim claim = claim_of(s[0], 0);
    assert_int_equal(told(&ada), 0); /* not while it is live */
    for (int i = 0; i < 4; i++)
        recovery_keep(store, s[i]);
    size_t bytes = recovery_count(store).lost_bytes;
    assert_int_equal(told(&ada), 2);
    assert_true(recovery_count(store).lost_bytes >= bytes + 2 * 200);
    assert_int_equal(told(&bob), 1);
    recovery_take(store, s[1], 9, 1);
    assert_int_equal(told(&ada), 1);
    assert_ptr_equal(find(&claim), s[0]); /* told twice */
    assert_int_equal(recovery_next_offset(s[0]), 3);
    pass_ms(5016);
    assert_int_equal(told(&ada), 0);
    assert_int_equal(told(&bob), 0);
    recovery_drop(store, s[1]);
}

static void telling_the_lost_keeps_the_bounds(void **state)
{
    (void)state;
    bounds.total_bytes = 5000;
    bounds.socket_bytes = 1000000;
    again();
    for (int i = 0; i < 3; i++) {
        struct recovery_state *s = live((uint64_t)i + 1);
        s->owner = ada;
        recovery_keep(store, s);
    }
    for (int i = 0; i < 30; i++) {
        told(&ada);
        assert_true(recovery_count(store).lost_bytes <= bounds.total_bytes);
    }
    assert_true(lost() < 3);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_lost_state_is_found_and_taken_once),
        STORE_TEST(claims_must_be_right_in_all),
        STORE_TEST(claims_are_read_from_the_payload),
        STORE_TEST(the_lost_are_forgotten_in_time),
        STORE_TEST(all_the_lost_together_are_bounded),
        STORE_TEST(one_that_is_over_the_bound_alone_is_not_kept),
        STORE_TEST(each_socket_is_bounded),
        STORE_TEST(packets_of_the_quiet_are_freed),
        STORE_TEST(all_the_live_share_the_total),
        STORE_TEST(lost_sockets_are_reached_by_owner),
        STORE_TEST(telling_the_lost_keeps_the_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
