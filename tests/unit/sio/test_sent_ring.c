/* The ring of sent packets, against a plain list of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../../src/sio/sent_ring.h"
#include "unit/domain/requests.h" /* random_next, random_below */

static struct sent_ring ring;
static struct buf replayed; /* "text|" or "b:bytes|" */

static void log_part(void *arg, bool is_binary, const struct str *parts, int part_count)
{
    assert_ptr_equal(arg, &ring);
    buf_addz(&replayed, is_binary ? "b:" : "");
    for (int i = 0; i < part_count; i++)
        buf_add_str(&replayed, parts[i]);
    buf_addc(&replayed, '|');
}

static void assert_replays(uint64_t after, const char *want)
{
    replayed.n = 0;
    sent_ring_replay(&ring, after, log_part, &ring);
    buf_addc(&replayed, '\0');
    assert_string_equal(replayed.p, want);
}

static void add(const char *text, size_t limit, int64_t since_ms, int64_t now_ms)
{
    const struct str part = str_of(text);
    sent_ring_add(&ring, &(struct sent_bounds){limit, since_ms}, now_ms,
                  &(struct sent_packet){&part, 1, NULL, 0});
}

static int set_up(void **state)
{
    (void)state;
    sent_ring_init(&ring);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sent_ring_done(&ring);
    buf_done(&replayed);
    return 0;
}

static void an_empty_ring_reaches_only_its_end(void **state)
{
    (void)state;
    assert_true(sent_ring_reaches(&ring, 0)); /* nothing was sent and nothing missed */
    assert_false(sent_ring_reaches(&ring, 1));
    assert_null(ring.p); /* and costs nothing */
    sent_ring_shrink(&ring);
    assert_replays(0, "");
}

static void packets_come_again_in_order(void **state)
{
    (void)state;
    const struct str parts[] = {STR("2"), STR(""), STR("[\"a\"]")}, bytes[] = {STR("one"), STR("")};
    add("first", 1000, 0, 1);
    sent_ring_add(&ring, &(struct sent_bounds){1000, 0}, 2, &(struct sent_packet){parts, 3, bytes, 2});
    add("last", 1000, 0, 3);
    assert_replays(0, "first|2[\"a\"]|b:one|b:|last|");
    assert_replays(1, "2[\"a\"]|b:one|b:|last|");
    assert_replays(2, "last|");
    assert_replays(3, "");
    assert_true(sent_ring_reaches(&ring, 3));
    assert_false(sent_ring_reaches(&ring, 4));
    assert_false(sent_ring_reaches(&ring, UINT64_MAX - 1));
    sent_ring_shrink(&ring);
    assert_int_equal(ring.cap, ring.n);
    assert_replays(1, "2[\"a\"]|b:one|b:|last|");
}

static void the_oldest_are_dropped_for_want_of_room(void **state)
{
    (void)state;
    const size_t record = 16 + 10, limit = 3 * record;
    for (int i = 0; i < 5; i++) {
        char text[32];
        snprintf(text, sizeof text, "packet%04d", i);
        add(text, limit, 0, 1);
        assert_true(ring.cap <= limit);
    }
    assert_false(sent_ring_reaches(&ring, 1));
    assert_true(sent_ring_reaches(&ring, 2));
    assert_replays(2, "packet0002|packet0003|packet0004|");
}

static void too_large_a_packet_leaves_a_gap(void **state)
{
    (void)state;
    char large[200];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    add("a", 100, 0, 1);
    add(large, 100, 0, 1);
    assert_false(sent_ring_reaches(&ring, 1));
    assert_true(sent_ring_reaches(&ring, 2));
    add("b", 100, 0, 1);
    assert_replays(2, "b|");
    assert_false(sent_ring_reaches(&ring, 0));
}

static void old_packets_are_dropped(void **state)
{
    (void)state;
    add("a", 1000, 0, 10);
    add("b", 1000, 0, 20);
    add("c", 1000, 11, 30);
    assert_false(sent_ring_reaches(&ring, 0));
    assert_replays(1, "b|c|");
    add("d", 1000, 31, 40);
    assert_replays(3, "d|");
}

static void numbers_go_on_after_its_memory_is_freed(void **state)
{
    (void)state;
    add("a", 1000, 0, 1);
    add("b", 1000, 0, 1);
    sent_ring_done(&ring);
    assert_null(ring.p);
    assert_true(sent_ring_reaches(&ring, 2));
    assert_false(sent_ring_reaches(&ring, 1));
    add("c", 1000, 0, 1);
    assert_replays(2, "c|");
    assert_int_equal(ring.next, 4);
}

static void growing_keeps_what_is_wrapped(void **state)
{
    (void)state;
    char text[301], want[4000] = "";
    for (int i = 0; i < 6; i++) { /* of 1024 bytes, three fit: the begin has moved */
        snprintf(text, sizeof text, "%0300d", i);
        add(text, 1024, 0, 1);
    }
    assert_int_equal(ring.cap, 1024);
    for (int i = 6; i < 10; i++) {
        snprintf(text, sizeof text, "%0300d", i);
        add(text, 4096, 0, 1);
    }
    for (int i = 3; i < 10; i++)
        snprintf(want + strlen(want), sizeof want - strlen(want), "%0300d|", i);
    assert_replays(3, want);
}

/* Steady state: the same memory, whatever is sent. */
static void a_full_ring_allocates_no_more(void **state)
{
    (void)state;
    char text[200];
    for (int i = 0; i < 100; i++)
        add("0123456789012345678901234567890123456789", 2000, 0, 1);
    const char *p = ring.p;
    for (int i = 0; i < 10000; i++) {
        snprintf(text, sizeof text, "%0*d", 1 + i % 180, i);
        add(text, 2000, 0, 1);
        assert_ptr_equal(ring.p, p);
    }
}

#define PACKETS 400

static void random_packets_match_a_list(void **state)
{
    (void)state;
    uint64_t random = 7;
    static char texts[PACKETS][64];
    for (int i = 0; i < PACKETS; i++) {
        struct str bytes[2];
        int attachments = (int)random_below(&random, 3);
        int n = snprintf(texts[i], sizeof texts[i], "%d:%0*d", i, 1 + (int)random_below(&random, 30), 0);
        for (int a = 0; a < attachments; a++)
            bytes[a] = (struct str){texts[i], random_below(&random, (uint32_t)n)};
        struct str text = {texts[i], (size_t)n};
        sent_ring_add(&ring, &(struct sent_bounds){1500, 0}, i,
                      &(struct sent_packet){&text, 1, bytes, attachments});
        if (random_below(&random, 50) == 0)
            sent_ring_shrink(&ring);
        assert_true(ring.n <= ring.cap && ring.cap <= 1500 && ring.next == (uint64_t)i + 2);
        replayed.n = 0;
        uint64_t after = ring.first - 1 + random_below(&random, (uint32_t)(ring.next - ring.first));
        sent_ring_replay(&ring, after, log_part, &ring);
        struct str rest = buf_str(&replayed);
        for (uint64_t number = after; number <= (uint64_t)i;) { /* packet `number` + 1 is texts[number] */
            struct str line = str_cut(&rest, '|');
            if (str_starts_with(line, STR("b:"))) /* a part of the text it came with */
                assert_true(number &&
                            str_starts_with(str_of(texts[number - 1]), (struct str){line.p + 2, line.n - 2}));
            else
                assert_true(str_eqz(line, texts[number++]));
        }
    }
}

/* --- for another process --- */

/* The newest `n` bytes of the ring, in a block of their own. */
static struct buf newest(size_t n)
{
    struct buf bytes = {0};
    struct str parts[2];
    int count = sent_ring_newest(&ring, n, parts);
    for (int i = 0; i < count; i++)
        buf_add_str(&bytes, parts[i]);
    assert_int_equal(bytes.n, n);
    return bytes;
}

static bool restore(uint64_t first, struct buf *bytes, size_t limit)
{
    sent_ring_done(&ring);
    sent_ring_init(&ring);
    bool is_restored = sent_ring_restore(&ring, first, buf_str(bytes), limit, 500);
    buf_done(bytes);
    return is_restored;
}

static void what_is_restored_is_as_it_was_sent(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) { /* wrapped */
        add("one and more", 200, 0, 0);
        add("two", 200, 0, 0);
    }
    struct buf bytes = newest(ring.n);
    uint64_t first = ring.first, next = ring.next;
    assert_true(restore(first, &bytes, 1000));
    assert_true(ring.first == first && ring.next == next);
    assert_replays(next - 3, "one and more|two|");
    add("three", 1000, 499, 500); /* they count as sent just now */
    assert_replays(next - 2, "two|three|");
    assert_true(ring.first == first);
}

static void newer_bytes_begin_where_the_older_ended(void **state)
{
    (void)state;
    add("one", 1000, 0, 0);
    uint64_t before = ring.added;
    struct buf bytes = newest(ring.n);
    add("two", 1000, 0, 0);
    add("three", 1000, 0, 0);
    struct buf more = newest((size_t)(ring.added - before));
    buf_add_str(&bytes, buf_str(&more));
    buf_done(&more);
    assert_true(restore(1, &bytes, 1000));
    assert_replays(0, "one|two|three|");
}

static void of_too_much_the_newest_is_restored(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        add("text", 1000, 0, 0);
    struct buf bytes = newest(ring.n);
    assert_true(restore(5, &bytes, 45)); /* a record has 20 bytes */
    assert_true(ring.first == 13 && ring.next == 15 && ring.n == 40);
    assert_true(sent_ring_reaches(&ring, 12) && !sent_ring_reaches(&ring, 11));
}

static void numbers_go_on_after_a_skip(void **state)
{
    (void)state;
    add("one", 1000, 0, 0);
    sent_ring_skip(&ring, 100);
    assert_true(sent_ring_reaches(&ring, 99) && !sent_ring_reaches(&ring, 98));
    add("hundred", 1000, 0, 0);
    assert_replays(99, "hundred|");
}

static void what_is_no_record_is_not_restored(void **state)
{
    (void)state;
    static const size_t places[] = {8, 12}; /* of a record's two lengths */
    add("text", 1000, 0, 0);
    for (size_t cut = 1; cut < ring.n; cut++) {
        struct buf bytes = newest(ring.n);
        struct sent_ring empty;
        sent_ring_init(&empty);
        assert_false(sent_ring_restore(&empty, 1, (struct str){bytes.p, cut}, 1000, 0));
        assert_null(empty.p);
        buf_done(&bytes);
    }
    for (size_t i = 0; i < 2; i++) {
        struct buf bytes = newest(ring.n);
        struct sent_ring empty;
        sent_ring_init(&empty);
        bytes.p[places[i]]++;
        assert_false(sent_ring_restore(&empty, 1, buf_str(&bytes), 1000, 0));
        buf_done(&bytes);
    }
    struct buf bytes = newest(ring.n);
    assert_false(restore(INT64_MAX, &bytes, 1000));
    assert_null(ring.p);
}

#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RING_TEST(an_empty_ring_reaches_only_its_end),
        RING_TEST(packets_come_again_in_order),
        RING_TEST(the_oldest_are_dropped_for_want_of_room),
        RING_TEST(too_large_a_packet_leaves_a_gap),
        RING_TEST(old_packets_are_dropped),
        RING_TEST(numbers_go_on_after_its_memory_is_freed),
        RING_TEST(growing_keeps_what_is_wrapped),
        RING_TEST(a_full_ring_allocates_no_more),
        RING_TEST(random_packets_match_a_list),
        RING_TEST(what_is_restored_is_as_it_was_sent),
        RING_TEST(newer_bytes_begin_where_the_older_ended),
        RING_TEST(of_too_much_the_newest_is_restored),
        RING_TEST(numbers_go_on_after_a_skip),
        RING_TEST(what_is_no_record_is_not_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
