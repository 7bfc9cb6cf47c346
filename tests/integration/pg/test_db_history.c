/* A user's completed conversations, page by page. */
#include "statement_fixture.h"

static struct db_history history(const struct uuid *user, const char *language, int limit, int offset)
{
    struct db_history_query q = {.user_id = *user, .language = language, .limit = limit, .offset = offset};
    struct db_history out;
    assert_int_equal(RUN(f, db_history(f, &q, &out)), OK);
    return out;
}

static void of_a_newcomer_is_empty(void **state)
{
    (void)state;
    struct uuid me = uuid_random();
    struct db_history h = history(&me, "", 20, 0);
    assert_true(h.count == 0 && h.total == 0);
}

static void holds_completed_conversations_newest_first(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), x = uuid_random(), y = uuid_random();
    struct session first = a_talk(f, &me, &x, 5 * MINUTE);
    a_talk(f, &me, &x, MINUTE - 1); /* aborted */
    struct session second = a_talk(f, &y, &me, 2 * MINUTE);
    int64_t second_ended = second.ended_at_ms;
    struct db_rated rated;
    struct db_rating mine = {.session_id = first.id, .user_id = me, .rating = 4};
    struct db_rating theirs = {.session_id = second.id, .user_id = y, .rating = 1};
    assert_int_equal(RUN(f, db_session_rate(f, &mine, &rated)), OK);
    assert_int_equal(RUN(f, db_session_rate(f, &theirs, &rated)), OK);
    EXEC(f, "UPDATE sessions SET transcript_id = gen_random_uuid() WHERE id = '%s'", UUIDZ(&first.id));
    EXEC(f, "UPDATE session_participants SET display_name = 'Yves' WHERE user_id = '%s'", UUIDZ(&y));
    EXEC(f, "UPDATE session_participants SET display_name = '' WHERE user_id = '%s'", UUIDZ(&x));
    EXEC(f, "UPDATE sessions SET topic_code = 'withdrawn' WHERE id = '%s'", UUIDZ(&first.id));

    struct db_history h = history(&me, "", 20, 0);
    assert_true(h.count == 2 && h.total == 2);
    const struct history_entry *e = &h.items[0];
    assert_uuid_equal(e->session_id, second.id);
    assert_string_equal(e->topic_code, "restaurant.ordering");
    assert_string_equal(e->topic_name_key, "topic.restaurant.ordering.name");
    assert_string_equal(e->partner_display_name, "Yves");
    assert_int_equal(e->duration_seconds, 120);
    assert_int_equal(e->completed_at_ms, second_ended);
    assert_int_equal(e->my_rating, 0);
    assert_false(e->transcript_available);
    e = &h.items[1];
    assert_uuid_equal(e->session_id, first.id);
    assert_string_equal(e->topic_code, "withdrawn");
    assert_null(e->topic_name_key);
    assert_string_equal(e->partner_display_name, "");
    assert_int_equal(e->my_rating, 4);
    assert_true(e->transcript_available);
}

static void comes_in_pages(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), other = uuid_random();
    struct session talks[5];
    for (int i = 0; i < 5; i++)
        talks[i] = a_talk(f, &me, &other, MINUTE);
    struct db_history h = history(&me, "", 2, 1);
    assert_true(h.count == 2 && h.total == 5);
    assert_uuid_equal(h.items[0].session_id, talks[3].id);
    assert_uuid_equal(h.items[1].session_id, talks[2].id);
    h = history(&me, "", 2, 4);
    assert_true(h.count == 1 && h.total == 5);
    h = history(&me, "", 2, 5);
    assert_true(h.count == 0 && h.total == 5);
}

static void filters_by_the_language_one_practised(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), other = uuid_random();
    a_talk(f, &other, &me, MINUTE);
    EXEC(f, "UPDATE session_participants SET target_language_code = 'es' WHERE user_id = '%s'", UUIDZ(&me));
    assert_int_equal(history(&me, "es", 20, 0).total, 1);
    assert_int_equal(history(&me, "en", 20, 0).total, 0);
    assert_int_equal(history(&other, "en", 20, 0).total, 1);
}

static void of_one_moment_are_in_a_stable_order(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), other = uuid_random(), seen[6];
    for (int i = 0; i < 6; i++)
        a_talk(f, &me, &other, MINUTE);
    EXEC(f, "UPDATE sessions SET ended_at = started_at + interval '2 min'");
    EXEC(f, "UPDATE sessions SET started_at = (SELECT min(started_at) FROM sessions)");
    EXEC(f, "UPDATE sessions SET ended_at = started_at + interval '2 min'");
    for (int i = 0; i < 6; i += 2) {
        struct db_history h = history(&me, "", 2, i);
        assert_true(h.count == 2 && h.total == 6);
        seen[i] = h.items[0].session_id;
        seen[i + 1] = h.items[1].session_id;
    }
    for (int i = 1; i < 6; i++)
        assert_true(uuid_cmp(&seen[i - 1], &seen[i]) < 0);
}

static void is_found_by_index(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), other = uuid_random();
    struct db_history_query q = {.user_id = me, .language = "en", .limit = 20};
    struct db_history out;
    a_talk(f, &me, &other, MINUTE);
    assert_by_index(db_history(f, &q, &out));
    assert_int_equal(out.total, 1);
    assert_non_null(strstr(direct_plan(f), "idx_participant_user"));
}

static void filters_by_region(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), other = uuid_random();
    a_talk(f, &me, &other, MINUTE); /* in "en" */
    assert_int_equal(history(&me, "en-GB", 20, 0).total, 1);
    assert_int_equal(history(&me, "fr", 20, 0).total, 0);
    assert_int_equal(history(&me, "e", 20, 0).total, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(of_a_newcomer_is_empty), TEST(holds_completed_conversations_newest_first),
        TEST(comes_in_pages),         TEST(filters_by_the_language_one_practised),
        TEST(filters_by_region),      TEST(of_one_moment_are_in_a_stable_order),
        TEST(is_found_by_index),
    };
    return cmocka_run_group_tests(tests, direct_create_database, direct_drop_database);
}
