/* The outbox as its relay and its clean-up see it. */
#include "statement_fixture.h"

#include "conversation/ports/db_outbox.h"

/* Events of this key, made so long ago; sent so long ago, or not yet: -1. */
static void given_events(int count, const char *key, int64_t made_ms, int64_t sent_ms)
{
    EXEC(f,
         "INSERT INTO event_outbox (event_type, key, payload, correlation_id, created_at, sent_at)"
         " SELECT 'match.requested', '%s', jsonb_build_object('n', n, 'name', 'Zoë \"Z\"'), 'c-' || n,"
         "        to_timestamp((%lld - %lld) / 1000.0),"
         "        CASE WHEN %lld >= 0 THEN to_timestamp((%lld - %lld) / 1000.0) END"
         "   FROM generate_series(1, %d) n",
         key, (long long)NOW, (long long)made_ms, (long long)sent_ms, (long long)NOW, (long long)sent_ms,
         count);
}

static struct outbox_events read_events(int max)
{
    struct outbox_events out;
    assert_int_equal(RUN(f, db_outbox_read(f, max, &out)), OK);
    return out;
}

static int purge(bool unsent, int max)
{
    int deleted = -1;
    const struct db_outbox_age age = {.before_ms = NOW - 7 * DAY, .unsent = unsent, .max = max};
    assert_int_equal(RUN(f, db_outbox_purge(f, &age, &deleted)), OK);
    return deleted;
}

static void is_empty_at_first(void **state)
{
    (void)state;
    struct db_outbox_backlog b;
    assert_int_equal(read_events(10).count, 0);
    assert_int_equal(RUN(f, db_outbox_backlog(f, &b)), OK);
    assert_true(b.unsent == 0 && b.oldest_at_ms == 0);
}

static void is_read_in_order_and_as_it_was_written(void **state)
{
    (void)state;
    given_events(3, "ana", 2 * MINUTE, -1);
    given_events(2, "sent", MINUTE, 0);
    given_events(1, "ben", MINUTE, -1);
    struct outbox_events all = read_events(100);
    assert_int_equal(all.count, 4);
    for (size_t i = 1; i < all.count; i++)
        assert_true(all.items[i].id > all.items[i - 1].id);
    const struct outbox_event *e = &all.items[1];
    assert_string_equal(e->key, "ana");
    assert_string_equal(e->type, "match.requested");
    assert_string_equal(e->correlation_id, "c-2");
    assert_int_equal(e->created_at_ms, NOW - 2 * MINUTE);
    assert_true(str_eqz(e->payload, "{\"n\": 2, \"name\": \"Zoë \\\"Z\\\"\"}"));
    assert_string_equal(
        e->event_id, direct_value(f, "SELECT event_id FROM event_outbox WHERE id = %lld", (long long)e->id));
    assert_string_equal(all.items[3].key, "ben");
    assert_int_equal(read_events(3).count, 3);
}

static void what_is_marked_is_not_read_again(void **state)
{
    (void)state;
    given_events(5, "ana", 0, -1);
    struct outbox_events all = read_events(100);
    const int64_t ids[] = {all.items[0].id, all.items[3].id};
    assert_int_equal(RUN(f, db_outbox_mark(f, ids, 2)), OK);
    struct outbox_events left = read_events(100);
    assert_int_equal(left.count, 3);
    assert_int_equal(left.items[0].id, all.items[1].id);
    assert_int_equal(
        direct_int(f, "SELECT count(*) FROM event_outbox WHERE sent_at > now() - interval '1 minute'"), 2);
    const char *when = direct_value(f, "SELECT sent_at FROM event_outbox WHERE id = %lld", (long long)ids[0]);
    assert_int_equal(RUN(f, db_outbox_mark(f, ids, 2)), OK); /* an answer that was lost */
    assert_string_equal(
        direct_value(f, "SELECT sent_at FROM event_outbox WHERE id = %lld", (long long)ids[0]), when);
}

static void what_is_refused_is_kept_for_ever(void **state)
{
    (void)state;
    given_events(2, "ana", 30 * DAY, -1);
    struct outbox_events all = read_events(100);
    assert_int_equal(RUN(f, db_outbox_refuse(f, all.items[0].id)), OK);
    assert_int_equal(read_events(100).count, 1);
    assert_int_equal(purge(false, 100), 0);
    assert_int_equal(purge(true, 100), 1);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM event_outbox WHERE sent_at = 'infinity'"), 1);
}

static void the_backlog_is_counted_with_the_oldest(void **state)
{
    (void)state;
    struct db_outbox_backlog b;
    given_events(2, "sent", 9 * MINUTE, 1);
    given_events(3, "ana", 5 * MINUTE, -1);
    given_events(3, "ana", MINUTE, -1);
    assert_int_equal(RUN(f, db_outbox_backlog(f, &b)), OK);
    assert_int_equal(b.unsent, 6);
    assert_int_equal(b.oldest_at_ms, NOW - 5 * MINUTE);
}

static void one_has_the_lock_until_it_is_gone(void **state)
{
    (void)state;
    struct flow *other = direct_open();
    bool is_held = false, is_others = true;
    assert_int_equal(RUN(f, db_outbox_claim(f, &is_held)), OK);
    assert_true(is_held);
    assert_int_equal(RUN(other, db_outbox_claim(other, &is_others)), OK);
    assert_false(is_others);
    assert_string_equal(direct_value(f, "SHOW idle_session_timeout"), "15s");
    direct_close(f);
    f = direct_open();
    while (!is_others) /* the server notices in its own time */
        assert_int_equal(RUN(other, db_outbox_claim(other, &is_others)), OK);
    assert_int_equal(RUN(f, db_outbox_claim(f, &is_held)), OK);
    assert_false(is_held);
    direct_close(other);
}

static void the_purge_takes_old_sent_ones_a_few_at_a_time(void **state)
{
    (void)state;
    given_events(5, "old", 9 * DAY, 8 * DAY);
    given_events(2, "old but sent late", 9 * DAY, 6 * DAY);
    given_events(2, "unsent", 9 * DAY, -1);
    assert_int_equal(purge(false, 3), 3);
    assert_int_equal(purge(false, 3), 2);
    assert_int_equal(purge(false, 3), 0);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM event_outbox"), 4);
}

static void the_purge_of_unsent_ones_leaves_the_young(void **state)
{
    (void)state;
    given_events(4, "old", 8 * DAY, -1);
    given_events(2, "young", 6 * DAY, -1);
    assert_int_equal(purge(true, 3), 3);
    assert_int_equal(purge(true, 3), 1);
    assert_int_equal(purge(true, 3), 0);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM event_outbox WHERE key = 'young'"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(is_empty_at_first),
        TEST(is_read_in_order_and_as_it_was_written),
        TEST(what_is_marked_is_not_read_again),
        TEST(what_is_refused_is_kept_for_ever),
        TEST(the_backlog_is_counted_with_the_oldest),
        TEST(one_has_the_lock_until_it_is_gone),
        TEST(the_purge_takes_old_sent_ones_a_few_at_a_time),
        TEST(the_purge_of_unsent_ones_leaves_the_young),
    };
    return cmocka_run_group_tests(tests, direct_create_database, direct_drop_database);
}
