/* What is read to admit match requests and to pair them. */
#include "statement_fixture.h"

/* --- admission --- */

static struct db_admission admission_of(const struct uuid *user_id)
{
    struct db_admission_query q = {.user_id = *user_id,
                                   .language = "en",
                                   .topic_code = "restaurant.ordering",
                                   .week_start_ms = NOW - 2 * DAY};
    struct db_admission a;
    assert_int_equal(RUN(f, db_match_admission(f, &q, &a)), OK);
    return a;
}

static void admission_of_a_newcomer(void **state)
{
    (void)state;
    struct uuid user = uuid_random();
    struct db_admission a = admission_of(&user);
    assert_true(a.topic_found);
    assert_string_equal(a.topic.code, "restaurant.ordering");
    assert_string_equal(a.topic.language, "en");
    assert_int_equal(a.topic.level, LEVEL_A2);
    assert_int_equal(a.topic.category, CATEGORY_DAILY_LIFE);
    assert_false(a.topic.has_required_skills);
    assert_int_equal(a.week.used, 0);
    assert_false(a.has_live_session || a.has_live_request);
    assert_true(a.history_count == 0 && a.excluded_count == 0);
}

static void admission_says_when_the_topic_is_not_there(void **state)
{
    (void)state;
    struct db_admission_query q = {.user_id = uuid_random(), .language = "xx", .topic_code = "free_talk"};
    struct db_admission a;
    assert_int_equal(RUN(f, db_match_admission(f, &q, &a)), OK);
    assert_false(a.topic_found);
    q.language = "en";
    assert_int_equal(RUN(f, db_match_admission(f, &q, &a)), OK);
    assert_true(a.topic_found);
    EXEC(f, "UPDATE topics SET is_active = false WHERE code = 'free_talk'");
    assert_int_equal(RUN(f, db_match_admission(f, &q, &a)), OK);
    EXEC(f, "UPDATE topics SET is_active = true");
    assert_false(a.topic_found);
}

static void admission_knows_what_the_user_is_in(void **state)
{
    (void)state;
    struct match_request r = a_request();
    assert_int_equal(insert_request(f, &r), OK);
    struct db_admission a = admission_of(&r.user_id);
    assert_true(a.has_live_request && !a.has_live_session);
    struct session session = an_active_session(f);
    a = admission_of(&session.participants[1].user_id);
    assert_true(!a.has_live_request && a.has_live_session);
    assert_int_equal(a.week.used, 1); /* the running one counts */
}

static void admission_counts_the_week_and_remembers_partners(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), x = uuid_random(), y = uuid_random();
    set_now(NOW - 3 * DAY);
    a_talk(f, &me, &x, 5 * MINUTE); /* before the week began */
    set_now(NOW - DAY);
    a_talk(f, &y, &me, 5 * MINUTE);
    set_now(NOW - HOUR);
    a_talk(f, &me, &x, 59999); /* aborted: not counted, but they have spoken */
    set_now(NOW);
    struct session unborn = a_waiting_session(f, 0);
    EXEC(f, "UPDATE session_participants SET user_id = '%s' WHERE session_id = '%s' AND position = 0",
         UUIDZ(&me), UUIDZ(&unborn.id));

    struct db_admission a = admission_of(&me);
    assert_int_equal(a.week.used, 1);
    assert_int_equal(a.history_count, 2);
    const struct match_past_partner *h = a.history;
    bool x_is_first = uuid_eq(&h[0].user_id, &x);
    assert_uuid_equal(h[x_is_first ? 0 : 1].user_id, x);
    assert_uuid_equal(h[x_is_first ? 1 : 0].user_id, y);
    assert_int_equal(h[x_is_first ? 0 : 1].last_spoke_at_ms, NOW - HOUR + 59999);
    assert_int_equal(h[x_is_first ? 1 : 0].last_spoke_at_ms, NOW - DAY + 5 * MINUTE);
}

static bool is_among(const struct uuid *ids, size_t count, const struct uuid *id)
{
    for (size_t i = 0; i < count; i++)
        if (uuid_eq(&ids[i], id))
            return true;
    return false;
}

static void admission_excludes_the_blocked_and_the_reported_both_ways(void **state)
{
    (void)state;
    struct session s = an_active_session(f);
    struct uuid me = s.participants[0].user_id, reported = s.participants[1].user_id;
    struct uuid blocked = uuid_random(), blocker = uuid_random();
    EXEC(f, "INSERT INTO user_blocks VALUES ('%s', '%s'), ('%s', '%s')", UUIDZ(&me), UUIDZ(&blocked),
         UUIDZ(&blocker), UUIDZ(&me));
    EXEC(f,
         "INSERT INTO reports (session_id, reporter_id, reported_user_id, reason)"
         " VALUES ('%s', '%s', '%s', 'spam')",
         UUIDZ(&s.id), UUIDZ(&me), UUIDZ(&reported));
    struct db_admission a = admission_of(&me);
    assert_int_equal(a.excluded_count, 3);
    assert_true(is_among(a.excluded, 3, &blocked));
    assert_true(is_among(a.excluded, 3, &blocker));
    assert_true(is_among(a.excluded, 3, &reported));
    a = admission_of(&reported);
    assert_int_equal(a.excluded_count, 1);
    assert_uuid_equal(a.excluded[0], me);
}

/* A request that has begun to wait `waited_seconds` before it ended: matched then, or expired. */
static void a_wait(const char *language, const char *status, int waited_seconds, int64_t ended_at_ms)
{
    bool is_matched = strcmp(status, "matched") == 0;
    EXEC(
        f,
        "INSERT INTO match_requests (id, user_id, target_language_code, native_language_code, current_level,"
        " preferred_partner_level, topic_code, topic_category, mode, max_wait_seconds, tier, status,"
        " matched_session_id, matched_with_user_id, matched_at, created_at, expires_at)"
        " SELECT gen_random_uuid(), gen_random_uuid(), '%s', 'fr', 'B2', 'same', 'free_talk', 'other', 'now',"
        " 120, 'free', '%s', CASE WHEN %s THEN gen_random_uuid() END,"
        " CASE WHEN %s THEN gen_random_uuid() END, CASE WHEN %s THEN at END, at - interval '%d s',"
        " CASE WHEN %s THEN at + interval '60 s' ELSE at END"
        " FROM to_timestamp(%lld / 1000.0) at",
        language, status, is_matched ? "true" : "false", is_matched ? "true" : "false",
        is_matched ? "true" : "false", waited_seconds, is_matched ? "true" : "false", (long long)ended_at_ms);
}

static void the_waits_that_ended_lately_are_read_oldest_first(void **state)
{
    (void)state;
    struct db_waits waits;
    a_wait("en", "matched", 10, NOW - HOUR - 2 * MINUTE);
    a_wait("en", "matched", 7, NOW - MINUTE);
    a_wait("de", "expired", 120, NOW - 3 * MINUTE);
    a_wait("en", "cancelled", 5, NOW - MINUTE);
    assert_int_equal(RUN(f, db_match_waits(f, &waits)), OK);
    assert_int_equal(waits.count, 2);
    assert_string_equal(waits.items[0].language, "de");
    assert_string_equal(waits.items[0].topic, "free_talk");
    assert_int_equal(waits.items[0].level, LEVEL_B2);
    assert_false(waits.items[0].is_matched);
    assert_int_equal(waits.items[0].wait_ms, 120000);
    assert_int_equal(waits.items[0].ended_at_ms, NOW - 3 * MINUTE);
    assert_true(waits.items[1].is_matched);
    assert_int_equal(waits.items[1].wait_ms, 7000);
}

/* --- paired lately --- */

static struct match_request request_of(const struct session *s, int who)
{
    return latest_of(f, &s->participants[who].user_id);
}

static void those_paired_lately_who_have_not_come_are_read(void **state)
{
    (void)state;
    struct db_paired_list paired;
    struct db_join join;
    struct db_ended ended;
    struct match_request first = a_request(), second = a_request();
    a_waiting_session(f, 0); /* long ago */
    advance(MINUTE);
    struct session over = a_waiting_session(f, 0), half = a_waiting_session(f, 0), whole;
    assert_int_equal(end_session(f, &over, &over.participants[0].user_id, SESSION_EVENT_LEAVE, &ended), OK);
    assert_int_equal(RUN(f, db_session_join(f, &half.id, &half.participants[0].user_id, &join)), OK);
    an_active_session(f);
    advance(1000);
    assert_int_equal(insert_request(f, &first), OK);
    assert_int_equal(insert_request(f, &second), OK);
    struct db_claim claim = a_claim(&first, &second);
    claim.is_any_level = true;
    claim.level_difference = 2;
    assert_int_equal(RUN(f, db_match_claim(f, &claim, &whole)), OK);

    assert_int_equal(RUN(f, db_match_unjoined(f, clock_now_ms() - 2000, &paired)), OK);
    assert_int_equal(paired.count, 3);
    for (int i = 0; i < 2; i++) {
        const struct db_paired *p = &paired.items[i];
        assert_uuid_equal(p->request_id, request_of(&whole, i).id);
        assert_int_equal(p->who, i);
        assert_int_equal(p->level_difference, 2);
        assert_true(p->is_any_level);
        assert_memory_equal(&p->session, &whole, sizeof whole);
    }
    assert_uuid_equal(paired.items[2].request_id, request_of(&half, 1).id);
    assert_int_equal(paired.items[2].who, 1);
    assert_false(paired.items[2].is_any_level);
    assert_int_equal(RUN(f, db_match_unjoined(f, clock_now_ms() + 1, &paired)), OK);
    assert_int_equal(paired.count, 0);
}

/* --- pending --- */

static void those_pending_are_read_with_whom_they_know(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), partner = uuid_random(), blocked = uuid_random();
    set_now(NOW - DAY);
    a_talk(f, &me, &partner, 5 * MINUTE);
    set_now(NOW);
    EXEC(f, "INSERT INTO user_blocks VALUES ('%s', '%s')", UUIDZ(&blocked), UUIDZ(&me));

    struct match_request mine = a_request(), scheduled = a_request(), cancelled = a_request(),
                         not_asked = a_request();
    mine.user_id = me;
    scheduled.mode = MATCH_SCHEDULED;
    scheduled.scheduled_for_ms = NOW + 1;
    const struct match_request *all[] = {&mine, &scheduled, &cancelled, &not_asked};
    for (int i = 0; i < 4; i++)
        assert_int_equal(insert_request(f, all[i]), OK);
    struct db_cancel cancel;
    assert_int_equal(RUN(f, db_match_request_cancel(f, &cancelled.id, &cancelled.user_id, &cancel)), OK);

    struct db_match_requests found;
    const struct uuid ids[] = {scheduled.id, cancelled.id, mine.id, uuid_random()};
    assert_int_equal(RUN(f, db_match_requests_by_id(f, ids, 4, &found)), OK);
    assert_int_equal(found.count, 2);
    const struct match_request *first = &found.items[0], *second = &found.items[1];
    assert_same_request(first, &mine);
    assert_true(first->history_is_known);
    assert_int_equal(first->history_count, 1);
    assert_uuid_equal(first->history[0].user_id, partner);
    assert_int_equal(first->history[0].last_spoke_at_ms, NOW - DAY + 5 * MINUTE);
    assert_int_equal(first->excluded_count, 1);
    assert_uuid_equal(first->excluded[0], blocked);
    assert_same_request(second, &scheduled);
    assert_true(second->history_is_known && second->history_count == 0 && second->excluded_count == 0);
    assert_int_equal(RUN(f, db_match_requests_by_id(f, NULL, 0, &found)), OK);
    assert_int_equal(found.count, 0);
}

static void the_pending_ones_come_page_by_page(void **state)
{
    (void)state;
    enum { COUNT = 7 };
    struct uuid seen[COUNT], after = {0};
    struct match_request cancelled = a_request();
    struct db_cancel cancel;
    struct db_ids page;
    for (int i = 0; i < COUNT; i++) {
        struct match_request r = a_request();
        r.scheduled_for_ms = i % 2 ? NOW + DAY : 0;
        r.expires_at_ms += i % 2 ? DAY : 0;
        r.mode = i % 2 ? MATCH_SCHEDULED : MATCH_NOW;
        assert_int_equal(insert_request(f, &r), OK);
    }
    assert_int_equal(insert_request(f, &cancelled), OK);
    assert_int_equal(RUN(f, db_match_request_cancel(f, &cancelled.id, &cancelled.user_id, &cancel)), OK);
    for (int i = 0; i < COUNT; i += 3) {
        assert_int_equal(RUN(f, db_match_requests_pending(f, &after, 3, &page)), OK);
        assert_int_equal(page.count, i == 6 ? 1 : 3);
        memcpy(seen + i, page.items, page.count * sizeof *seen);
        after = page.items[page.count - 1];
    }
    for (int i = 0; i < COUNT; i++) {
        assert_true(i == 0 || uuid_cmp(&seen[i - 1], &seen[i]) < 0);
        assert_false(uuid_eq(&seen[i], &cancelled.id));
    }
    assert_int_equal(RUN(f, db_match_requests_pending(f, &after, 3, &page)), OK);
    assert_int_equal(page.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(admission_of_a_newcomer),
        TEST(admission_says_when_the_topic_is_not_there),
        TEST(admission_knows_what_the_user_is_in),
        TEST(admission_counts_the_week_and_remembers_partners),
        TEST(admission_excludes_the_blocked_and_the_reported_both_ways),
        TEST(the_waits_that_ended_lately_are_read_oldest_first),
        TEST(those_paired_lately_who_have_not_come_are_read),
        TEST(those_pending_are_read_with_whom_they_know),
        TEST(the_pending_ones_come_page_by_page),
    };
    return cmocka_run_group_tests(tests, direct_create_database, direct_drop_database);
}
