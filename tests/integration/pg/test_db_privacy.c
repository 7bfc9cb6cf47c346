/* What is told to a user, and what is left of one who has been erased. The promise to erase:
 * test_db_erasure.c. */
#include "conversation/ports/db_privacy.h"

#include <poll.h>
#include <stdatomic.h>

#include "conversation/ports/db_moderation.h"
#include "statement_fixture.h"

static const char name[] = "Zenobia Quince", avatar[] = "https://cdn.example/zenobia.png",
                  feedback[] = "she laughed at my accent", details[] = "he asked where I live";

static void erase_rows(const struct uuid *user)
{
    int changed;
    int64_t event = 0;
    do
        assert_int_equal(RUN(f, db_erasure_step(f, user, &changed)), OK);
    while (changed > 0);
    do
        assert_int_equal(RUN(f, db_erasure_events(f, user, &event)), OK);
    while (event >= 0);
}

/* Who has reported somebody is not paired with them again: the conversations come first, the reports of
 * earlier ones are put aside. */
static struct session a_talk_before(const struct uuid *first, const struct uuid *second)
{
    EXEC(f, "CREATE TEMP TABLE aside AS SELECT * FROM reports");
    EXEC(f, "DELETE FROM reports");
    struct session s = a_talk(f, first, second, 5 * MINUTE);
    EXEC(f, "INSERT INTO reports SELECT * FROM aside");
    EXEC(f, "DROP TABLE aside");
    return s;
}

/* A conversation of the two, ended, with everything that it may leave; `me` begins it when `is_first`. */
static struct session a_life(const struct uuid *me, const struct uuid *other, bool is_first)
{
    struct session s = is_first ? a_talk_before(me, other) : a_talk_before(other, me);
    struct db_rated rated;
    struct db_rating mine = {.session_id = s.id, .user_id = *me, .rating = 2, .feedback = str_of(feedback)};
    struct db_rating theirs = {.session_id = s.id, .user_id = *other, .rating = 5};
    assert_int_equal(RUN(f, db_session_rate(f, &mine, &rated)), OK);
    assert_int_equal(RUN(f, db_session_rate(f, &theirs, &rated)), OK);
    EXEC(f, "UPDATE session_participants SET display_name = '%s', avatar_url = '%s' WHERE user_id = '%s'",
         name, avatar, UUIDZ(me));
    EXEC(f, "UPDATE match_requests SET display_name = '%s', avatar_url = '%s' WHERE user_id = '%s'", name,
         avatar, UUIDZ(me));
    EXEC(f,
         "INSERT INTO reports (session_id, reporter_id, reported_user_id, reason, details)"
         " VALUES ('%s', '%s', '%s', 'harassment', '%s')",
         UUIDZ(&s.id), UUIDZ(me), UUIDZ(other), details);
    EXEC(f,
         "INSERT INTO reports (session_id, reporter_id, reported_user_id, reason, details)"
         " VALUES ('%s', '%s', '%s', 'spam', '%s is a robot')",
         UUIDZ(&s.id), UUIDZ(other), UUIDZ(me), name);
    return s;
}

static void a_record(const struct uuid *me, const struct uuid *other)
{
    EXEC(f, "INSERT INTO user_blocks (blocker_id, blocked_id) VALUES ('%s', '%s'), ('%s', '%s')", UUIDZ(me),
         UUIDZ(other), UUIDZ(other), UUIDZ(me));
    EXEC(f, "INSERT INTO user_skills VALUES ('%s', 'idioms.en', gen_random_uuid())", UUIDZ(me));
    EXEC(f, "INSERT INTO user_flags (user_id, reason, reporter_count) VALUES ('%s', 'reports', 4)",
         UUIDZ(me));
    EXEC(f,
         "INSERT INTO user_flags (user_id, reason, reporter_count, reviewed_at, reviewed_by)"
         " VALUES ('%s', 'reports', 4, now(), '%s')",
         UUIDZ(other), UUIDZ(me));
}

/* --- telling --- */

static struct db_export_page page_of(const struct uuid *user, enum export_part part)
{
    struct db_export_query q = {.user_id = *user, .part = part};
    struct db_export_page page;
    assert_int_equal(RUN(f, db_export(f, &q, &page)), OK);
    return page;
}

static const char *member(struct str object, const char *path)
{
    return direct_value(f, "SELECT $$%.*s$$::jsonb #>> '{%s}'", STR_ARG(object), path);
}

static void an_export_has_what_is_held(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), other = uuid_random();
    struct session s = a_life(&me, &other, true);
    a_record(&me, &other);

    struct db_export_page page = page_of(&me, EXPORT_REQUESTS);
    assert_int_equal(page.count, 1);
    assert_string_equal(member(page.items[0], "displayName"), name);
    assert_string_equal(member(page.items[0], "status"), "matched");
    assert_string_equal(member(page.items[0], "partnerId"), UUIDZ(&other));
    assert_string_equal(member(page.items[0], "createdAt"), "2025-01-15T10:30:00.000Z");
    assert_string_equal(member(page.items[0], "scheduledFor"), "");

    page = page_of(&me, EXPORT_SESSIONS);
    assert_int_equal(page.count, 1);
    assert_string_equal(member(page.items[0], "sessionId"), UUIDZ(&s.id));
    assert_string_equal(member(page.items[0], "role"), "learner");
    assert_string_equal(member(page.items[0], "avatarUrl"), avatar);
    assert_string_equal(member(page.items[0], "endedAt"), "2025-01-15T10:35:00.000Z");
    assert_string_equal(member(page.items[0], "spokenSeconds"), "0");
    assert_string_equal(member(page.items[0], "rating,feedback"), feedback);

    page = page_of(&me, EXPORT_PARTNERS);
    assert_int_equal(page.count, 1);
    assert_string_equal(member(page.items[0], "partnerId"), UUIDZ(&other));
    page = page_of(&me, EXPORT_REPORTS); /* not the one about me */
    assert_int_equal(page.count, 1);
    assert_string_equal(member(page.items[0], "details"), details);
    page = page_of(&me, EXPORT_BLOCKS); /* not whose list I am on */
    assert_int_equal(page.count, 1);
    assert_string_equal(member(page.items[0], "userId"), UUIDZ(&other));
    page = page_of(&me, EXPORT_SKILLS);
    assert_int_equal(page.count, 1);
    assert_string_equal(member(page.items[0], "skillCode"), "idioms.en");
    page = page_of(&me, EXPORT_FLAGS);
    assert_int_equal(page.count, 1);
    assert_string_equal(
        direct_value(f, "SELECT count(*) FROM jsonb_object_keys($$%.*s$$::jsonb)", STR_ARG(page.items[0])),
        "1"); /* that there is one, and no more */
}

static void an_export_has_nothing_of_others(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), other = uuid_random(), third = uuid_random();
    a_life(&me, &other, true);
    a_record(&me, &other);
    for (enum export_part part = 0; part < EXPORT_PART_COUNT; part++)
        assert_int_equal(page_of(&third, part).count, 0);
}

static void an_export_comes_in_pages(void **state)
{
    (void)state;
    struct uuid me = uuid_random();
    EXEC(f,
         "INSERT INTO user_blocks (blocker_id, blocked_id)"
         " SELECT '%s', gen_random_uuid() FROM generate_series(1, %d)",
         UUIDZ(&me), DB_EXPORT_PAGE + 7);
    struct db_export_query q = {.user_id = me, .part = EXPORT_BLOCKS};
    struct db_export_page page;
    assert_int_equal(RUN(f, db_export(f, &q, &page)), OK);
    assert_int_equal(page.count, DB_EXPORT_PAGE);
    q.after = page.last;
    assert_int_equal(RUN(f, db_export(f, &q, &page)), OK);
    assert_int_equal(page.count, 7);
}

/* --- erasing --- */

static void nothing_of_the_user_is_left(void **state)
{
    (void)state;
    for (int is_first = 0; is_first < 2; is_first++) {
        direct_truncate(f);
        struct uuid me = uuid_random(), other = uuid_random();
        struct session s = a_life(&me, &other, is_first);
        a_record(&me, &other);
        assert_in_range(rows_with(f, UUIDZ(&me)), 15, 40); /* the search finds what there is */
        assert_in_range(rows_with(f, name), 2, 10);
        erase_rows(&me);
        assert_int_equal(rows_with(f, UUIDZ(&me)), 0);
        assert_int_equal(rows_with(f, name), 0);
        assert_int_equal(rows_with(f, avatar), 0);
        assert_int_equal(rows_with(f, feedback), 0);
        assert_int_equal(rows_with(f, details), 0);

        struct db_history_query q = {.user_id = other, .language = "", .limit = 20};
        struct db_history h;
        assert_int_equal(RUN(f, db_history(f, &q, &h)), OK);
        assert_true(h.count == 1 && h.total == 1);
        assert_string_equal(h.items[0].partner_display_name, "");
        assert_int_equal(h.items[0].my_rating, 5);
        assert_uuid_equal(h.items[0].session_id, s.id);
    }
}

/* Whoever took the user's place in a conversation is the same in all that is left of it, and of it alone. */
static void each_conversation_has_a_stranger_of_its_own(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), other = uuid_random();
    struct session first = a_life(&me, &other, true), second = a_life(&me, &other, false);
    erase_rows(&me);
    assert_int_equal(direct_int(f, "SELECT count(DISTINCT user_id) FROM session_participants"), 3);
    const struct session *both[] = {&first, &second};
    for (int i = 0; i < 2; i++) {
        const char *id = arena_strz(flow_arena(f), str_of(UUIDZ(&both[i]->id)));
        const char *stranger = direct_value(
            f, "SELECT user_id FROM session_participants WHERE session_id = '%s' AND user_id <> '%s'", id,
            UUIDZ(&other));
        assert_int_equal(direct_int(f,
                                    "SELECT rating FROM ratings WHERE session_id = '%s' AND user_id = '%s'",
                                    id, stranger),
                         2);
        assert_int_equal(direct_int(f,
                                    "SELECT count(*) FROM reports WHERE session_id = '%s'"
                                    " AND '%s' IN (reporter_id, reported_user_id) AND details IS NULL",
                                    id, stranger),
                         2);
        assert_int_equal(direct_int(f,
                                    "SELECT count(*) FROM match_requests WHERE user_id = '%s'"
                                    " AND matched_session_id = '%s' AND matched_with_user_id = '%s'",
                                    UUIDZ(&other), id, stranger),
                         1);
    }
}

static void what_goes_on_is_left_alone(void **state)
{
    (void)state;
    struct session s = an_active_session(f);
    struct match_request r = a_request();
    const struct uuid *ana = &s.participants[0].user_id;
    assert_int_equal(insert_request(f, &r), OK);
    int changed;
    assert_int_equal(RUN(f, db_erasure_step(f, &r.user_id, &changed)), OK);
    assert_int_equal(changed, 0);
    assert_int_equal(RUN(f, db_erasure_step(f, ana, &changed)), OK);
    assert_int_equal(changed, 1); /* the request that led there */
    struct db_erasure_open open;
    assert_int_equal(RUN(f, db_erasure_open(f, ana, &open)), OK);
    assert_true(open.session_count == 1 && open.request_count == 0);
    assert_uuid_equal(open.session_ids[0], s.id);
    assert_int_equal(RUN(f, db_erasure_open(f, &r.user_id, &open)), OK);
    assert_true(open.session_count == 0 && open.request_count == 1);
    assert_uuid_equal(open.request_ids[0], r.id);
}

static void goes_in_batches(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), other = uuid_random();
    EXEC(
        f,
        "WITH s AS (INSERT INTO sessions (id, target_language_code, topic_code, target_level, session_type, "
        "status,"
        "                                 end_reason, started_at, ended_at, max_duration_seconds)"
        "           SELECT gen_random_uuid(), 'en', 'travel', 'A2', 'practice', 'completed', 'left', now(), "
        "now(), 900"
        "             FROM generate_series(1, 250) RETURNING id)"
        "INSERT INTO session_participants (session_id, user_id, position, role, native_language_code,"
        "                                  target_language_code, is_live)"
        " SELECT id, u, p, 'learner', 'fr', 'en', false FROM s, (VALUES (0, '%s'::uuid), (1, '%s')) v (p, u)",
        UUIDZ(&me), UUIDZ(&other));
    static const int expected[] = {100, 100, 50, 0};
    for (int i = 0; i < 4; i++) {
        int changed;
        assert_int_equal(RUN(f, db_erasure_step(f, &me, &changed)), OK);
        assert_int_equal(changed, expected[i]);
    }
    assert_int_equal(direct_int(f, "SELECT count(DISTINCT user_id) FROM session_participants"), 251);
}

/* A session that nobody joined is deleted; its requests still name each other. */
static void a_deleted_session_leaves_no_name(void **state)
{
    (void)state;
    struct session s = a_waiting_session(f, 0);
    const struct uuid *ana = &s.participants[0].user_id;
    EXEC(f, "DELETE FROM sessions");
    erase_rows(ana);
    assert_int_equal(rows_with(f, UUIDZ(ana)), 0);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM match_requests WHERE status = 'matched'"), 1);
}

static void recordings_go_or_are_due(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), other = uuid_random();
    struct session s = a_talk(f, &me, &other, 5 * MINUTE);
    EXEC(f,
         "INSERT INTO recordings (session_id, user_id, state, object_key)"
         " VALUES ('%1$s', '%2$s', 'spooling', NULL), ('%1$s', '%3$s', 'uploaded', 'theirs.webm'),"
         "        ('%1$s', NULL, 'combined', 'both.webm')",
         UUIDZ(&s.id), UUIDZ(&me), UUIDZ(&other));
    EXEC(f, "UPDATE sessions SET recording_url = 'https://r2.example/both.webm'");
    erase_rows(&me);
    assert_string_equal(direct_value(f,
                                     "SELECT string_agg(object_key || ' ' || (delete_after IS NOT NULL), ', '"
                                     " ORDER BY object_key) FROM recordings"),
                        "both.webm true, theirs.webm false");
    assert_int_equal(direct_int(f, "SELECT count(*) FROM sessions WHERE recording_url IS NOT NULL"), 0);
}

static void erasing_again_changes_nothing(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), other = uuid_random();
    a_life(&me, &other, true);
    erase_rows(&me);
    const char *before =
        direct_value(f, "SELECT string_agg(p::text, ' ' ORDER BY p) FROM session_participants p");
    erase_rows(&me);
    assert_string_equal(
        direct_value(f, "SELECT string_agg(p::text, ' ' ORDER BY p) FROM session_participants p"), before);
}

/* --- events --- */

static void sent_events_go(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), other = uuid_random(), third = uuid_random();
    a_talk(f, &me, &other, 5 * MINUTE);
    a_talk(f, &third, &other, 5 * MINUTE);
    int64_t all = direct_int(f, "SELECT count(*) FROM event_outbox");
    EXEC(f, "UPDATE event_outbox SET sent_at = now()");
    erase_rows(&me);
    /* me: match.requested; of the conversation: matched, started, completed */
    assert_int_equal(direct_int(f, "SELECT count(*) FROM event_outbox"), all - 4);
}

static void unsent_events_name_the_stranger(void **state)
{
    (void)state;
    for (int is_first = 0; is_first < 2; is_first++) {
        direct_truncate(f);
        struct uuid me = uuid_random(), other = uuid_random();
        struct session s = a_life(&me, &other, is_first);
        int64_t all = direct_int(f, "SELECT count(*) FROM event_outbox");
        erase_rows(&me);
        assert_int_equal(direct_int(f, "SELECT count(*) FROM event_outbox WHERE sent_at IS NULL"), all);
        const char *stranger =
            direct_value(f, "SELECT user_id FROM session_participants WHERE user_id <> '%s'", UUIDZ(&other));
        assert_int_equal(direct_int(f,
                                    "SELECT count(*) FROM event_outbox WHERE payload ? 'sessionId'"
                                    " AND strpos(payload::text, '%s') > 0",
                                    stranger),
                         4);
        assert_int_equal(
            direct_int(f, "SELECT count(DISTINCT key) FROM event_outbox WHERE payload ? 'sessionId'"), 1);
        assert_string_equal(
            direct_value(f, "SELECT DISTINCT key FROM event_outbox WHERE payload ->> 'sessionId' = '%s'",
                         UUIDZ(&s.id)),
            is_first ? stranger : UUIDZ(&other));
        /* my request's: its own id stands for its maker */
        assert_int_equal(direct_int(f,
                                    "SELECT count(*) FROM event_outbox WHERE event_type = 'match.requested'"
                                    " AND key = payload ->> 'matchRequestId'"
                                    " AND payload ->> 'userId' = key"),
                         1);
    }
}

static void events_are_looked_at_in_batches(void **state)
{
    (void)state;
    struct uuid me = uuid_random();
    EXEC(f,
         "INSERT INTO event_outbox (event_type, key, correlation_id, payload)"
         " SELECT 'match.expired', '%s', 'c', '{}' FROM generate_series(1, %d)",
         UUIDZ(&me), DB_ERASE_EVENT_BATCH + 5);
    int64_t event = 0;
    assert_int_equal(RUN(f, db_erasure_events(f, &me, &event)), OK);
    assert_int_equal(event, DB_ERASE_EVENT_BATCH);
    assert_int_equal(rows_with(f, UUIDZ(&me)), 5);
    assert_int_equal(RUN(f, db_erasure_events(f, &me, &event)), OK);
    assert_int_equal(event, DB_ERASE_EVENT_BATCH + 5);
    assert_int_equal(RUN(f, db_erasure_events(f, &me, &event)), OK);
    assert_int_equal(event, -1);
    assert_int_equal(rows_with(f, UUIDZ(&me)), 0);
}

/* --- races --- */

static void erase_one_of(int who, void *arg)
{
    const struct uuid *users = arg;
    struct flow *own = direct_open();
    int changed;
    do
        assert_int_equal(RUN(own, db_erasure_step(own, &users[who % 2], &changed)), OK);
    while (changed > 0);
    direct_close(own);
}

/* Both of a conversation at once, each by two instances. */
static void erasures_meet(void **state)
{
    (void)state;
    struct uuid users[] = {uuid_random(), uuid_random()};
    for (int i = 0; i < 10; i++)
        a_life(&users[0], &users[1], i % 2);
    direct_race(4, erase_one_of, users);
    for (int i = 0; i < 2; i++) {
        int64_t event = 0;
        while (event >= 0)
            assert_int_equal(RUN(f, db_erasure_events(f, &users[i], &event)), OK);
        assert_int_equal(rows_with(f, UUIDZ(&users[i])), 0);
    }
    assert_int_equal(rows_with(f, name), 0);
    assert_int_equal(
        direct_int(f,
                   "SELECT count(*) FROM ratings r JOIN session_participants p USING (session_id, user_id)"),
        20);
}

struct meeting {
    struct uuid me, session;
    atomic_bool is_erasing;
    enum err rated, reported;
};

static void erase_while_two_wait(struct meeting *m)
{
    struct flow *own = direct_open(), *looks = direct_open();
    EXEC(own, "BEGIN");
    assert_int_equal(direct_int(own, "SELECT user_erase_sessions('%s', 100, now())", UUIDZ(&m->me)), 1);
    atomic_store(&m->is_erasing, true);
    while (direct_int(looks, "SELECT count(*) FROM pg_stat_activity"
                             " WHERE datname = current_database() AND wait_event_type = 'Lock'") < 2)
        poll(NULL, 0, 1);
    EXEC(own, "COMMIT");
    direct_close(own);
    direct_close(looks);
}

static void say_something(int who, struct meeting *m)
{
    struct flow *own = direct_open();
    struct db_rating rating = {
        .session_id = m->session, .user_id = m->me, .rating = 1, .feedback = str_of(feedback)};
    struct db_report report = {.session_id = m->session, .reporter_id = m->me, .details = str_of(details)};
    struct db_rated rated;
    struct db_reported reported;
    while (!atomic_load(&m->is_erasing))
        poll(NULL, 0, 1);
    if (who == 1)
        m->rated = RUN(own, db_session_rate(own, &rating, &rated));
    else
        m->reported = RUN(own, db_session_report(own, &report, &reported));
    direct_close(own);
}

static void one_of_the_meeting(int who, void *arg)
{
    if (who == 0)
        erase_while_two_wait(arg);
    else
        say_something(who, arg);
}

/* They have found themselves in the session, and wait for its lock; then they are not in it any more. */
static void what_is_said_while_one_is_erased_is_not_kept(void **state)
{
    (void)state;
    struct uuid other = uuid_random();
    struct meeting m = {.me = uuid_random()};
    m.session = a_talk(f, &m.me, &other, 5 * MINUTE).id;
    direct_race(3, one_of_the_meeting, &m);
    assert_int_equal(m.rated, ERR_SESSION_NOT_FOUND);
    assert_int_equal(m.reported, ERR_SESSION_NOT_FOUND);
    erase_rows(&m.me);
    assert_int_equal(rows_with(f, UUIDZ(&m.me)), 0);
    assert_int_equal(rows_with(f, feedback), 0);
    assert_int_equal(rows_with(f, details), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_export_has_what_is_held),
        TEST(an_export_has_nothing_of_others),
        TEST(an_export_comes_in_pages),
        TEST(nothing_of_the_user_is_left),
        TEST(each_conversation_has_a_stranger_of_its_own),
        TEST(what_goes_on_is_left_alone),
        TEST(goes_in_batches),
        TEST(a_deleted_session_leaves_no_name),
        TEST(recordings_go_or_are_due),
        TEST(erasing_again_changes_nothing),
        TEST(sent_events_go),
        TEST(unsent_events_name_the_stranger),
        TEST(events_are_looked_at_in_batches),
        TEST(erasures_meet),
        TEST(what_is_said_while_one_is_erased_is_not_kept),
    };
    return cmocka_run_group_tests(tests, direct_create_database, direct_drop_database);
}
