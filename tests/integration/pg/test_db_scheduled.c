/* Sessions that are arranged ahead of time, against the real database. */
#include "statement_fixture.h"

static struct match_request for_later(const struct uuid *user_id, int64_t at_ms)
{
    struct match_request r = a_request();
    r.user_id = *user_id;
    r.tier = TIER_PREMIUM;
    r.mode = MATCH_SCHEDULED;
    r.scheduled_for_ms = at_ms;
    r.expires_at_ms = at_ms + 2 * MINUTE;
    return r;
}

static enum err insert_until(const struct match_request *r, int64_t free_until_ms)
{
    const struct db_insert_terms terms = {.estimated_wait_seconds = 60, .free_until_ms = free_until_ms};
    struct db_week week;
    return RUN(f, db_match_request_insert(f, r, &terms, &week));
}

static enum err claim(const struct match_request *a, const struct match_request *b, int64_t scheduled_at_ms,
                      struct session *out)
{
    struct db_claim c = a_claim(a, b);
    c.max_duration_seconds = 3600;
    c.scheduled_at_ms = scheduled_at_ms;
    return RUN(f, db_match_claim(f, &c, out));
}

/* Of these two, for an hour. */
static struct session arranged(const struct uuid *ana, const struct uuid *ben, int64_t at_ms)
{
    struct match_request a = for_later(ana, at_ms), b = for_later(ben, at_ms);
    struct session s;
    assert_int_equal(insert_request(f, &a), OK);
    assert_int_equal(insert_request(f, &b), OK);
    assert_int_equal(claim(&a, &b, at_ms, &s), OK);
    return s;
}

static enum err claimed_now(const struct uuid *ana, struct session *out)
{
    struct match_request a = a_request(), b = a_request();
    a.user_id = *ana;
    assert_int_equal(insert_until(&a, a.expires_at_ms), OK);
    assert_int_equal(insert_request(f, &b), OK);
    return claim(&a, &b, 0, out);
}

static enum err join(const struct session *s, int who)
{
    struct db_join joined;
    return RUN(f, db_session_join(f, &s->id, &s->participants[who].user_id, &joined));
}

static void a_claim_ahead_says_when(void **state)
{
    (void)state;
    struct uuid ana = uuid_random(), ben = uuid_random();
    struct session s = arranged(&ana, &ben, NOW + 3 * HOUR), again;
    assert_int_equal(s.scheduled_at_ms, NOW + 3 * HOUR);
    assert_int_equal(s.created_at_ms, NOW);
    assert_int_equal(s.max_duration_seconds, 3600);
    assert_int_equal(RUN(f, db_session_get(f, &s.id, &again)), OK);
    assert_memory_equal(&again, &s, sizeof s);
    struct match_request r;
    assert_int_equal(RUN(f, db_match_request_latest(f, &ana, &r)), OK);
    assert_int_equal(r.session_scheduled_at_ms, NOW + 3 * HOUR);
    assert_string_equal(
        direct_value(f, "SELECT concat_ws(' ', payload->>'scheduledAt', payload->>'waitTimeSeconds')"
                        " FROM event_outbox WHERE event_type = 'conversation.matched'"),
        "2025-01-15T13:30:00.000Z 0");
}

static void one_pending_request_of_each_mode(void **state)
{
    (void)state;
    struct match_request now = a_request(), later = for_later(&now.user_id, NOW + HOUR), third = now,
                         fourth = for_later(&now.user_id, NOW + 9 * HOUR), found;
    third.id = uuid_random();
    assert_int_equal(insert_request(f, &later), OK);
    assert_int_equal(insert_request(f, &now), OK);
    assert_int_equal(insert_request(f, &third), ERR_ALREADY_MATCHED);
    assert_int_equal(insert_request(f, &fourth), ERR_ALREADY_MATCHED);
    assert_int_equal(RUN(f, db_match_request_latest(f, &now.user_id, &found)), OK);
    assert_uuid_equal(found.id, now.id);
}

static void one_who_has_arranged_one_may_talk_now(void **state)
{
    (void)state;
    struct uuid ana = uuid_random(), ben = uuid_random();
    arranged(&ana, &ben, NOW + 3 * HOUR);
    struct session s;
    assert_int_equal(claimed_now(&ana, &s), OK);
    assert_int_equal(s.scheduled_at_ms, 0);
    assert_int_equal(s.max_duration_seconds, 3600);
    struct match_request again = a_request();
    again.user_id = ana;
    assert_int_equal(insert_request(f, &again), ERR_ALREADY_IN_SESSION); /* now they are in one */
    struct match_request later = for_later(&ana, NOW + 9 * HOUR);
    assert_int_equal(insert_request(f, &later), OK); /* which does not keep from arranging another */
}

static void a_session_now_ends_before_the_arranged_one(void **state)
{
    (void)state;
    struct uuid ana = uuid_random(), ben = uuid_random();
    arranged(&ana, &ben, NOW + 30 * MINUTE);
    struct session s;
    assert_int_equal(claimed_now(&ana, &s), OK);
    assert_int_equal(s.max_duration_seconds, 29 * 60);
}

static void nobody_is_matched_when_the_arranged_one_is_near(void **state)
{
    (void)state;
    struct uuid ana = uuid_random(), ben = uuid_random();
    arranged(&ana, &ben, NOW + 10 * MINUTE);
    struct match_request a = a_request(), b = a_request();
    struct db_match_requests found;
    struct session s;
    a.user_id = ana;
    assert_int_equal(insert_until(&a, NOW + 10 * MINUTE + 1), ERR_ALREADY_IN_SESSION);
    assert_int_equal(insert_until(&a, NOW + 10 * MINUTE), OK);
    assert_int_equal(insert_request(f, &b), OK);
    assert_int_equal(RUN(f, db_match_requests_by_id(f, &a.id, 1, &found)), OK);
    assert_int_equal(found.count, 1);
    advance(5 * MINUTE + 1);
    assert_int_equal(claim(&a, &b, 0, &s), ERR_CONFLICT);
    assert_int_equal(RUN(f, db_match_requests_by_id(f, &a.id, 1, &found)), OK); /* nor proposed again */
    assert_int_equal(found.count, 0);
}

static void no_two_arranged_ones_overlap(void **state)
{
    (void)state;
    struct uuid ana = uuid_random(), ben = uuid_random(), cem = uuid_random();
    arranged(&ana, &ben, NOW + 3 * HOUR); /* until an hour and five minutes later */
    struct match_request a = for_later(&ana, NOW + 4 * HOUR), c = for_later(&cem, NOW + 4 * HOUR);
    struct session s;
    assert_int_equal(insert_until(&a, NOW + 5 * HOUR), ERR_ALREADY_IN_SESSION);
    a.scheduled_for_ms = NOW + 4 * HOUR + 5 * MINUTE;
    a.expires_at_ms = a.scheduled_for_ms + 2 * MINUTE;
    assert_int_equal(insert_until(&a, NOW + 5 * HOUR), OK);
    assert_int_equal(insert_request(f, &c), OK);
    assert_int_equal(claim(&a, &c, NOW + 4 * HOUR, &s), ERR_CONFLICT);
    assert_int_equal(claim(&a, &c, NOW + 4 * HOUR + 5 * MINUTE, &s), OK);
}

/* What the statements guard the constraints guard, too. */
static void the_database_itself_refuses_an_overlap(void **state)
{
    (void)state;
    struct uuid ana = uuid_random(), ben = uuid_random(), cem = uuid_random(), dora = uuid_random();
    struct session first = arranged(&ana, &ben, NOW + 3 * HOUR),
                   second = arranged(&cem, &dora, NOW + 3 * HOUR);
    assert_string_equal(
        direct_value(f, "SELECT conname FROM pg_constraint WHERE conname = 'idx_participant_one_booking'"),
        "idx_participant_one_booking");
    EXEC(
        f,
        "DO $$ BEGIN UPDATE session_participants SET user_id = '%s' WHERE session_id = '%s' AND position = 0;"
        " RAISE 'taken'; EXCEPTION WHEN exclusion_violation THEN NULL; END $$",
        UUIDZ(&ana), UUIDZ(&second.id));
    EXEC(f,
         "DO $$ BEGIN UPDATE session_participants SET booked = NULL WHERE user_id IN ('%s', '%s');"
         " UPDATE session_participants SET user_id = '%s' WHERE session_id = '%s' AND position = 0;"
         " RAISE 'taken'; EXCEPTION WHEN unique_violation THEN NULL; END $$",
         UUIDZ(&ana), UUIDZ(&cem), UUIDZ(&ana), UUIDZ(&second.id));
    (void)first;
}

static void joining_makes_it_the_session_now(void **state)
{
    (void)state;
    struct uuid ana = uuid_random(), ben = uuid_random();
    struct session s = arranged(&ana, &ben, NOW + 30 * MINUTE), other;
    assert_int_equal(claimed_now(&ana, &other), OK);
    advance(28 * MINUTE);
    assert_int_equal(join(&s, 0), ERR_ALREADY_IN_SESSION); /* still in the other one */
    assert_int_equal(join(&s, 1), OK);
    struct db_ended ended;
    assert_int_equal(end_session(f, &other, &ana, SESSION_EVENT_LEAVE, &ended), OK);
    assert_int_equal(join(&s, 0), OK);
    assert_string_equal(direct_value(f, "SELECT status FROM sessions WHERE id = '%s'", UUIDZ(&s.id)),
                        "active");
    assert_int_equal(direct_int(f, "SELECT count(*) FROM session_participants WHERE booked IS NOT NULL"), 0);
}

static void the_sweep_counts_from_the_arranged_time(void **state)
{
    (void)state;
    struct uuid ana = uuid_random(), ben = uuid_random(), cem = uuid_random(), dora = uuid_random();
    struct session joined = arranged(&ana, &ben, NOW + HOUR);
    arranged(&cem, &dora, NOW + HOUR);
    advance(56 * MINUTE);
    assert_int_equal(join(&joined, 0), OK); /* four minutes early */
    set_now(NOW + HOUR + MINUTE + 9999);
    struct db_swept swept = sweep(f, 10000);
    assert_int_equal(swept.ended_count, 0);
    advance(1);
    swept = sweep(f, 10000);
    assert_int_equal(swept.ended_count, 1);
    assert_uuid_equal(swept.ended[0].session.id, joined.id);
    assert_int_equal(swept.ended[0].session.status, SESSION_EXPIRED);
    set_now(NOW + HOUR + 5 * MINUTE - 1);
    assert_int_equal(delete_abandoned(f), 0);
    advance(1);
    assert_int_equal(delete_abandoned(f), 1);
}

/* A free learner's arranged session (of the time when they were premium) is reserved in its week, not before.
 */
static void an_arranged_one_is_reserved_in_its_week(void **state)
{
    (void)state;
    const int64_t monday = INT64_C(1736726400000), week_ms = 7 * 24 * HOUR;
    struct uuid ana = uuid_random(), ben = uuid_random();
    struct db_admission_query q = {
        .user_id = ana, .language = "en", .topic_code = "free_talk", .week_start_ms = monday};
    struct db_admission a;
    q.time = (struct db_time){MATCH_NOW, NOW, NOW + MINUTE};
    arranged(&ana, &ben, monday + week_ms);
    assert_int_equal(RUN(f, db_match_admission(f, &q, &a)), OK);
    assert_true(a.week.used == 0 && a.week.reserved == 0 && !a.has_live_session);
    struct match_request later = for_later(&ana, monday + week_ms - 3 * HOUR),
                         other = for_later(&ben, later.scheduled_for_ms);
    struct session s;
    assert_int_equal(insert_request(f, &later), OK);
    assert_int_equal(insert_request(f, &other), OK);
    assert_int_equal(claim(&later, &other, later.scheduled_for_ms, &s), OK);
    assert_int_equal(RUN(f, db_match_admission(f, &q, &a)), OK);
    assert_true(a.week.used == 0 && a.week.reserved == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_claim_ahead_says_when),
        TEST(one_pending_request_of_each_mode),
        TEST(one_who_has_arranged_one_may_talk_now),
        TEST(a_session_now_ends_before_the_arranged_one),
        TEST(nobody_is_matched_when_the_arranged_one_is_near),
        TEST(no_two_arranged_ones_overlap),
        TEST(the_database_itself_refuses_an_overlap),
        TEST(joining_makes_it_the_session_now),
        TEST(the_sweep_counts_from_the_arranged_time),
        TEST(an_arranged_one_is_reserved_in_its_week),
    };
    return cmocka_run_group_tests(tests, direct_create_database, direct_drop_database);
}
