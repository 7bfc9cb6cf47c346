/* Reports, the flags they raise, and their review. */
#include "session_fixture.h"

#include "conversation/ports/db_moderation.h"

static enum err report_with(const struct db_report *report, struct db_reported *out)
{
    return RUN(f, db_session_report(f, report, out));
}

static struct db_reported report(const struct uuid *session, const struct uuid *by)
{
    struct db_report r = {
        .session_id = *session, .reporter_id = *by, .reason = REPORT_SPAM, .details = STR("Über alles")};
    struct db_reported out;
    assert_int_equal(report_with(&r, &out), OK);
    return out;
}

static struct session an_ended_session(void)
{
    struct uuid ana = uuid_random(), ben = uuid_random();
    return a_talk(f, &ana, &ben, MINUTE);
}

static int64_t count(const char *what)
{
    return direct_int(f, "SELECT count(*) FROM %s", what);
}

/* --- reports --- */

static void a_report_is_stored_with_its_event(void **state)
{
    (void)state;
    struct session s = an_ended_session();
    const struct uuid *ana = &s.participants[0].user_id, *ben = &s.participants[1].user_id;
    struct db_reported r = report(&s.id, ben);
    assert_true(r.is_new && !r.is_running && !r.is_flagged);
    assert_uuid_equal(r.reported_user_id, *ana);
    assert_string_equal(
        direct_value(f,
                     "SELECT concat_ws(' ', id, session_id, reporter_id, reported_user_id, reason, details,"
                     " (extract(epoch FROM created_at) * 1000)::bigint, reviewed_at, flag_id) FROM reports"),
        direct_value(f, "SELECT concat_ws(' ', '%s', '%s', '%s', '%s', 'spam', 'Über alles', '%lld')",
                     UUIDZ(&r.report_id), UUIDZ(&s.id), UUIDZ(ben), UUIDZ(ana), (long long)(NOW + MINUTE)));
    assert_event(f, 6, "conversation.reported", ana, /* the session's key, whoever reports */
                 "{\"sessionId\": \"%s\", \"reporterId\": \"%s\", \"reportedUserId\": \"%s\","
                 " \"reason\": \"spam\", \"topicCode\": \"restaurant.ordering\"}",
                 UUIDZ(&s.id), UUIDZ(ben), UUIDZ(ana));
    assert_event_count(f, 6);
}

static void every_reason_can_be_stored(void **state)
{
    (void)state;
    for (enum report_reason reason = 0; reason < REPORT_REASON_COUNT; reason++) {
        struct session s = an_ended_session();
        struct db_report r = {.session_id = s.id, .reporter_id = s.participants[0].user_id, .reason = reason};
        struct db_reported out;
        assert_int_equal(report_with(&r, &out), OK);
    }
    assert_string_equal(direct_value(f, "SELECT string_agg(reason, ' ' ORDER BY created_at) FROM reports"),
                        "inappropriate harassment spam minor_safety other");
    assert_int_equal(count("reports WHERE details IS NULL"), REPORT_REASON_COUNT);
}

static void again_the_first_is_kept(void **state)
{
    (void)state;
    struct session s = an_ended_session();
    const struct uuid *ana = &s.participants[0].user_id, *ben = &s.participants[1].user_id;
    struct db_reported first = report(&s.id, ana), second;
    advance(1000);
    struct db_report again = {.session_id = s.id, .reporter_id = *ana, .reason = REPORT_OTHER};
    assert_int_equal(report_with(&again, &second), OK);
    assert_false(second.is_new || second.is_flagged);
    assert_uuid_equal(second.report_id, first.report_id);
    assert_uuid_equal(second.reported_user_id, *ben);
    assert_int_equal(count("reports WHERE reason = 'spam'"), 1);
    assert_event_count(f, 6);
    assert_true(report(&s.id, ben).is_new); /* the other one's is another one */
    assert_event_count(f, 7);
}

static void a_running_session_is_told(void **state)
{
    (void)state;
    struct session waiting = a_waiting_session(f, 0), active = an_active_session(f);
    assert_true(report(&waiting.id, &waiting.participants[0].user_id).is_running);
    struct db_reported r = report(&active.id, &active.participants[1].user_id);
    assert_true(r.is_running);
    assert_stored(&active); /* ending it is another statement's */
    struct db_ended ended;
    assert_int_equal(end_session(f, &active, &active.participants[1].user_id, SESSION_EVENT_REPORT, &ended),
                     OK);
    assert_int_equal(ended.session.end_reason, END_REPORTED);
    assert_false(report(&active.id, &active.participants[1].user_id).is_running);
}

static void who_is_not_in_it_finds_no_session(void **state)
{
    (void)state;
    struct session s = an_ended_session();
    struct db_report r = {.session_id = s.id, .reporter_id = uuid_random()};
    struct db_reported out;
    assert_int_equal(report_with(&r, &out), ERR_SESSION_NOT_FOUND);
    r = (struct db_report){.session_id = uuid_random(), .reporter_id = s.participants[0].user_id};
    assert_int_equal(report_with(&r, &out), ERR_SESSION_NOT_FOUND);
    assert_int_equal(count("reports"), 0);
    assert_event_count(f, 5);
}

/* Nobody joined it, and the two statements of the report were interrupted: it is deleted. */
static void a_session_may_be_deleted_its_report_stays(void **state)
{
    (void)state;
    struct session s = a_waiting_session(f, 0);
    report(&s.id, &s.participants[0].user_id);
    advance(5 * MINUTE);
    int deleted;
    assert_int_equal(RUN(f, db_sessions_abandoned(f, 5 * MINUTE, &deleted)), OK);
    assert_int_equal(deleted, 1);
    assert_int_equal(count("reports WHERE details IS NOT NULL"), 1);

    struct uuid ana = s.participants[0].user_id; /* whoever of the two is erased later */
    EXEC(f, "SELECT user_erase_rest('%s', 100)", UUIDZ(&ana));
    assert_int_equal(count("reports WHERE details IS NOT NULL"), 0);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM reports WHERE reporter_id = '%s'", UUIDZ(&ana)), 0);
    assert_int_equal(count("reports"), 1);
}

static void the_pending_requests_of_both_are_named(void **state)
{
    (void)state;
    struct session s = an_ended_session();
    struct match_request mine = a_request();
    mine.user_id = s.participants[0].user_id;
    assert_int_equal(insert_request(f, &mine), OK);
    struct match_request theirs = a_request();
    theirs.user_id = s.participants[1].user_id;
    assert_int_equal(insert_request(f, &theirs), OK);
    struct db_reported r = report(&s.id, &mine.user_id);
    assert_int_equal(r.requests.count, 2);
    assert_uuid_equal(r.requests.items[0], mine.id);
    assert_uuid_equal(r.requests.items[1], theirs.id);

    struct db_match_requests found;
    assert_int_equal(RUN(f, db_match_requests_by_id(f, &theirs.id, 1, &found)), OK);
    assert_int_equal(found.items[0].excluded_count, 1);
    assert_uuid_equal(found.items[0].excluded[0], mine.user_id);
}

/* --- flags --- */

/* So many sessions of `user` with others who report them; the last report's answer. */
static struct db_reported reported_by(const struct uuid *user, int others)
{
    struct db_reported r = {.is_new = false};
    for (int i = 0; i < others; i++) {
        struct uuid other = uuid_random();
        struct session s = a_talk(f, user, &other, MINUTE);
        r = report(&s.id, &other);
    }
    return r;
}

static void more_than_three_reporters_raise_a_flag_once(void **state)
{
    (void)state;
    struct uuid me = uuid_random();
    assert_false(reported_by(&me, 3).is_flagged);
    assert_int_equal(count("user_flags"), 0);
    assert_true(reported_by(&me, 1).is_flagged);
    assert_string_equal(direct_value(f, "SELECT concat_ws(' ', user_id, reason, reporter_count,"
                                        " reviewed_at, decision, notes) FROM user_flags"),
                        direct_value(f, "SELECT '%s reports 4'", UUIDZ(&me)));
    assert_false(reported_by(&me, 1).is_flagged);
    assert_int_equal(direct_int(f, "SELECT reporter_count FROM user_flags"), 5);
    assert_int_equal(count("user_flags"), 1);
}

static void one_reporter_counts_once(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), enemy = uuid_random();
    struct session talks[5];
    for (int i = 0; i < 5; i++)
        talks[i] = a_talk(f, &me, &enemy, MINUTE);
    for (int i = 0; i < 5; i++)
        assert_false(report(&talks[i].id, &enemy).is_flagged);
    reported_by(&me, 2);
    assert_int_equal(count("user_flags"), 0);
    assert_true(reported_by(&me, 1).is_flagged);
}

static void what_one_reports_is_not_counted_against_oneself(void **state)
{
    (void)state;
    struct uuid me = uuid_random();
    for (int i = 0; i < 5; i++) {
        struct uuid other = uuid_random();
        struct session s = a_talk(f, &me, &other, MINUTE);
        assert_false(report(&s.id, &me).is_flagged);
    }
    assert_int_equal(count("user_flags"), 0);
}

static enum err review(const struct uuid *user, int decision, const char *notes, struct db_flag *out)
{
    struct db_review r = {
        .user_id = *user, .reviewer_id = uuid_random(), .decision = decision, .notes = str_of(notes)};
    return RUN(f, db_flag_review(f, &r, out));
}

static struct db_flags flags(bool is_reviewed, int limit, int offset)
{
    struct db_flags_query q = {.is_reviewed = is_reviewed, .limit = limit, .offset = offset};
    struct db_flags out;
    assert_int_equal(RUN(f, db_flags(f, &q, &out)), OK);
    return out;
}

static void a_review_closes_the_flag_and_its_reports(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), other = uuid_random();
    reported_by(&other, 1);
    reported_by(&me, 4);
    struct db_flag flag, again;
    int64_t raised_at = NOW + 5 * MINUTE;
    advance(1000);
    assert_int_equal(review(&me, FLAG_CONFIRMED, "Warned ☕", &flag), OK);
    assert_uuid_equal(flag.user_id, me);
    assert_int_equal(flag.reporter_count, 4);
    assert_int_equal(flag.created_at_ms, raised_at);
    assert_int_equal(flag.reviewed_at_ms, raised_at + 1000);
    assert_false(uuid_is_nil(&flag.reviewed_by));
    assert_int_equal(flag.decision, FLAG_CONFIRMED);
    assert_string_equal(flag.notes, "Warned ☕");
    assert_int_equal(count("reports WHERE reviewed_at IS NULL"), 1); /* on the other one */
    assert_int_equal(direct_int(f, "SELECT count(*) FROM reports WHERE flag_id = '%s'", UUIDZ(&flag.id)), 4);

    advance(1000); /* again: as it was closed */
    assert_int_equal(review(&me, FLAG_DISMISSED, NULL, &again), OK);
    assert_uuid_equal(again.reviewed_by, flag.reviewed_by);
    assert_int_equal(again.reviewed_at_ms, flag.reviewed_at_ms);
    assert_int_equal(again.decision, FLAG_CONFIRMED);
    assert_string_equal(again.notes, flag.notes);
}

static void a_review_need_not_say_anything(void **state)
{
    (void)state;
    struct uuid me = uuid_random();
    struct db_flag flag;
    reported_by(&me, 4);
    assert_int_equal(review(&me, -1, NULL, &flag), OK);
    assert_int_equal(flag.decision, -1);
    assert_null(flag.notes);
}

static void who_was_never_flagged_cannot_be_reviewed(void **state)
{
    (void)state;
    struct uuid me = uuid_random();
    struct db_flag flag;
    reported_by(&me, 3);
    assert_int_equal(review(&me, -1, NULL, &flag), ERR_NOT_FOUND);
    assert_int_equal(count("reports WHERE reviewed_at IS NULL"), 3);
}

static void after_a_review_reporters_count_anew(void **state)
{
    (void)state;
    struct uuid me = uuid_random();
    struct db_flag first, second;
    reported_by(&me, 6);
    assert_int_equal(review(&me, FLAG_DISMISSED, NULL, &first), OK);
    assert_false(reported_by(&me, 3).is_flagged);
    assert_int_equal(count("user_flags WHERE reviewed_at IS NULL"), 0);
    assert_true(reported_by(&me, 1).is_flagged);
    assert_int_equal(direct_int(f, "SELECT reporter_count FROM user_flags WHERE reviewed_at IS NULL"), 4);
    advance(1000);
    assert_int_equal(review(&me, FLAG_CONFIRMED, NULL, &second), OK); /* the open one */
    assert_true(!uuid_eq(&first.id, &second.id));
    assert_int_equal(count("user_flags"), 2);
}

/* --- the list --- */

static void without_flags_the_list_is_empty(void **state)
{
    (void)state;
    struct uuid me = uuid_random();
    reported_by(&me, 3);
    for (int reviewed = 0; reviewed < 2; reviewed++) {
        struct db_flags none = flags(reviewed, 20, 0);
        assert_true(none.count == 0 && none.total == 0);
    }
}

static void open_flags_come_oldest_first_with_their_reports(void **state)
{
    (void)state;
    struct uuid me = uuid_random(), other = uuid_random(), harassed = uuid_random();
    reported_by(&me, 4);
    advance(1000);
    reported_by(&other, 4);
    struct session s = a_talk(f, &other, &harassed, MINUTE);
    struct db_report r = {.session_id = s.id, .reporter_id = harassed, .reason = REPORT_HARASSMENT};
    struct db_reported reported;
    assert_int_equal(report_with(&r, &reported), OK);

    struct db_flags open = flags(false, 20, 0);
    assert_true(open.count == 2 && open.total == 2);
    const struct db_flag *first = &open.items[0], *second = &open.items[1];
    assert_uuid_equal(first->user_id, me);
    assert_int_equal(first->created_at_ms, NOW + 4 * MINUTE);
    assert_true(!first->reviewed_at_ms && uuid_is_nil(&first->reviewed_by) && first->decision == -1);
    assert_true(first->reporter_count == 4 && first->report_count == 4 && first->listed_count == 4);
    assert_uuid_equal(second->user_id, other);
    assert_true(second->reporter_count == 5 && second->report_count == 5 && second->listed_count == 5);
    assert_int_equal(second->reason_counts[REPORT_SPAM], 4);
    assert_int_equal(second->reason_counts[REPORT_HARASSMENT], 1);
    assert_int_equal(second->reason_counts[REPORT_OTHER], 0);
    const struct db_flag_report *latest = &second->reports[0];
    assert_uuid_equal(latest->id, reported.report_id);
    assert_uuid_equal(latest->session_id, s.id);
    assert_uuid_equal(latest->reporter_id, harassed);
    assert_int_equal(latest->reason, REPORT_HARASSMENT);
    assert_null(latest->details);
    assert_int_equal(latest->created_at_ms, s.ended_at_ms);
    assert_string_equal(second->reports[1].details, "Über alles");
    for (int i = 1; i < 5; i++)
        assert_true(second->reports[i - 1].created_at_ms >= second->reports[i].created_at_ms);
}

static void of_many_reports_the_latest_are_told(void **state)
{
    (void)state;
    struct uuid me = uuid_random();
    reported_by(&me, DB_FLAG_REPORTS_MAX + 3);
    struct db_flags open = flags(false, 1, 0);
    assert_int_equal(open.items[0].report_count, DB_FLAG_REPORTS_MAX + 3);
    assert_int_equal(open.items[0].listed_count, DB_FLAG_REPORTS_MAX);
    assert_int_equal(open.items[0].reports[0].created_at_ms, NOW + (DB_FLAG_REPORTS_MAX + 3) * MINUTE);
}

static void reviewed_flags_come_latest_first_with_the_reports_of_then(void **state)
{
    (void)state;
    struct uuid users[3];
    struct db_flag flag;
    for (int i = 0; i < 3; i++) {
        users[i] = uuid_random();
        reported_by(&users[i], 4 + i);
        assert_int_equal(review(&users[i], FLAG_DISMISSED, "No", &flag), OK);
    }
    reported_by(&users[2], 2); /* towards the next one */
    assert_int_equal(flags(false, 20, 0).total, 0);
    struct db_flags page = flags(true, 2, 0);
    assert_true(page.count == 2 && page.total == 3);
    assert_uuid_equal(page.items[0].user_id, users[2]);
    assert_true(page.items[0].report_count == 6 && page.items[0].listed_count == 6);
    assert_int_equal(page.items[0].decision, FLAG_DISMISSED);
    assert_string_equal(page.items[0].notes, "No");
    page = flags(true, 2, 2);
    assert_true(page.count == 1 && page.total == 3);
    assert_uuid_equal(page.items[0].user_id, users[0]);
    page = flags(true, 2, 3);
    assert_true(page.count == 0 && page.total == 3);
}

static void a_flag_whose_reports_are_gone_is_listed(void **state)
{
    (void)state;
    struct uuid me = uuid_random();
    reported_by(&me, 4);
    EXEC(f, "DELETE FROM reports");
    struct db_flags open = flags(false, 20, 0);
    assert_true(open.count == 1 && open.items[0].report_count == 0 && open.items[0].listed_count == 0);
}

static void flags_are_found_by_index(void **state)
{
    (void)state;
    struct db_flags_query q = {.limit = 20};
    struct db_flags out;
    assert_by_index(db_flags(f, &q, &out));
    q.is_reviewed = true;
    assert_by_index(db_flags(f, &q, &out));
    struct session s = an_ended_session();
    struct db_report r = {.session_id = s.id, .reporter_id = s.participants[0].user_id};
    struct db_reported reported;
    assert_by_index(db_session_report(f, &r, &reported));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_report_is_stored_with_its_event),
        TEST(every_reason_can_be_stored),
        TEST(again_the_first_is_kept),
        TEST(a_running_session_is_told),
        TEST(who_is_not_in_it_finds_no_session),
        TEST(a_session_may_be_deleted_its_report_stays),
        TEST(the_pending_requests_of_both_are_named),
        TEST(more_than_three_reporters_raise_a_flag_once),
        TEST(one_reporter_counts_once),
        TEST(what_one_reports_is_not_counted_against_oneself),
        TEST(a_review_closes_the_flag_and_its_reports),
        TEST(a_review_need_not_say_anything),
        TEST(who_was_never_flagged_cannot_be_reviewed),
        TEST(after_a_review_reporters_count_anew),
        TEST(without_flags_the_list_is_empty),
        TEST(open_flags_come_oldest_first_with_their_reports),
        TEST(of_many_reports_the_latest_are_told),
        TEST(reviewed_flags_come_latest_first_with_the_reports_of_then),
        TEST(a_flag_whose_reports_are_gone_is_listed),
        TEST(flags_are_found_by_index),
    };
    return cmocka_run_group_tests(tests, direct_create_database, direct_drop_database);
}
