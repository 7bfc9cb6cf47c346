/* Match requests: stored, cancelled, expired, claimed. What is read of them: test_db_match_reads.c. */
#include "statement_fixture.h"

static void assert_requested_event(int nth, const struct match_request *r, const char *partner_level)
{
    assert_event(f, nth, "match.requested", &r->user_id,
                 "{\"matchRequestId\": \"%s\", \"userId\": \"%s\", \"targetLanguageCode\": \"en\","
                 " \"topicCode\": \"restaurant.ordering\", \"preferredPartnerLevel\": \"%s\"}",
                 UUIDZ(&r->id), UUIDZ(&r->user_id), partner_level);
}

static void assert_gone_event(int nth, const char *type, const struct match_request *r)
{
    assert_event(f, nth, type, &r->user_id,
                 "{\"matchRequestId\": \"%s\", \"userId\": \"%s\", \"targetLanguageCode\": \"en\","
                 " \"topicCode\": \"restaurant.ordering\"}",
                 UUIDZ(&r->id), UUIDZ(&r->user_id));
}

/* --- insert, latest --- */

static void stores_a_request_with_every_field(void **state)
{
    (void)state;
    struct match_request r = a_request();
    r.learning_profile_id = uuid_random();
    snprintf(r.wanted_native_language, sizeof r.wanted_native_language, "en");
    snprintf(r.preferred_accent, sizeof r.preferred_accent, "british");
    snprintf(r.display_name, sizeof r.display_name, "Zoë \"Z\" O'Hara, \\{x}");
    snprintf(r.avatar_url, sizeof r.avatar_url, "https://cdn.example/z.png");
    r.preferred_partner_level = PARTNER_HIGHER;
    r.tier = TIER_PREMIUM;
    r.mode = MATCH_SCHEDULED;
    r.scheduled_for_ms = NOW + DAY + 7;
    r.expires_at_ms = NOW + DAY + 2 * MINUTE;
    r.recording_consent = true;
    r.preferred_duration_minutes = 15;
    assert_int_equal(insert_request(f, &r), OK);
    struct match_request stored = latest_of(f, &r.user_id);
    assert_same_request(&stored, &r);
    assert_event_count(f, 1);
    assert_requested_event(1, &r, "higher");
}

static void stores_a_request_with_what_is_needed_only(void **state)
{
    (void)state;
    struct match_request r = a_request();
    r.display_name[0] = '\0';
    assert_int_equal(insert_request(f, &r), OK);
    struct match_request stored = latest_of(f, &r.user_id);
    assert_same_request(&stored, &r);
    assert_requested_event(1, &r, "same");
}

static void a_user_has_one_live_request(void **state)
{
    (void)state;
    struct match_request first = a_request(), second = a_request();
    second.user_id = first.user_id;
    assert_int_equal(insert_request(f, &first), OK);
    assert_int_equal(insert_request(f, &second), ERR_ALREADY_MATCHED);
    assert_event_count(f, 1);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM match_requests"), 1);
}

static void no_request_while_in_a_live_session(void **state)
{
    (void)state;
    struct session session = a_waiting_session(f, 0);
    struct match_request r = a_request();
    r.user_id = session.participants[1].user_id;
    assert_int_equal(insert_request(f, &r), ERR_ALREADY_IN_SESSION);
    struct db_ended ended;
    assert_int_equal(end_session(f, &session, &r.user_id, SESSION_EVENT_LEAVE, &ended), OK);
    assert_int_equal(insert_request(f, &r), OK);
}

static void latest_is_the_live_one_or_else_the_newest(void **state)
{
    (void)state;
    struct match_request old = a_request(), newer = a_request(), nobodys;
    newer.user_id = old.user_id;
    newer.created_at_ms += 1000;
    struct db_cancel cancel;
    assert_int_equal(RUN(f, db_match_request_latest(f, &old.user_id, &nobodys)), ERR_MATCH_REQUEST_NOT_FOUND);
    assert_int_equal(insert_request(f, &newer), OK);
    assert_int_equal(RUN(f, db_match_request_cancel(f, &newer.id, &newer.user_id, &cancel)), OK);
    assert_int_equal(insert_request(f, &old), OK);
    assert_uuid_equal(latest_of(f, &old.user_id).id, old.id);
    assert_int_equal(RUN(f, db_match_request_cancel(f, &old.id, &old.user_id, &cancel)), OK);
    assert_uuid_equal(latest_of(f, &old.user_id).id, newer.id);
}

/* --- cancel --- */

static void cancels_once(void **state)
{
    (void)state;
    struct match_request r = a_request();
    struct db_cancel cancel;
    assert_int_equal(insert_request(f, &r), OK);
    advance(5000);
    assert_int_equal(RUN(f, db_match_request_cancel(f, &r.id, &r.user_id, &cancel)), OK);
    r.status = MATCH_CANCELLED;
    assert_true(cancel.changed);
    assert_same_request(&cancel.request, &r);
    assert_gone_event(2, "match.cancelled", &r);

    assert_int_equal(RUN(f, db_match_request_cancel(f, &r.id, &r.user_id, &cancel)), OK);
    assert_false(cancel.changed);
    assert_same_request(&cancel.request, &r);
    assert_event_count(f, 2);
}

static void cancels_only_ones_own(void **state)
{
    (void)state;
    struct match_request r = a_request();
    struct uuid other = uuid_random();
    struct db_cancel cancel;
    assert_int_equal(insert_request(f, &r), OK);
    assert_int_equal(RUN(f, db_match_request_cancel(f, &r.id, &other, &cancel)), ERR_MATCH_REQUEST_NOT_FOUND);
    assert_int_equal(RUN(f, db_match_request_cancel(f, &other, &r.user_id, &cancel)),
                     ERR_MATCH_REQUEST_NOT_FOUND);
    assert_int_equal(latest_of(f, &r.user_id).status, MATCH_PENDING);
    assert_event_count(f, 1);
}

static void a_matched_request_stays_matched_when_cancelled(void **state)
{
    (void)state;
    struct session session = a_waiting_session(f, 0);
    struct match_request r = latest_of(f, &session.participants[0].user_id);
    struct db_cancel cancel;
    assert_int_equal(RUN(f, db_match_request_cancel(f, &r.id, &r.user_id, &cancel)), OK);
    assert_false(cancel.changed);
    assert_int_equal(cancel.request.status, MATCH_MATCHED);
    assert_uuid_equal(cancel.request.session_id, session.id);
    assert_event_count(f, 3); /* two requested, one matched */
}

/* --- expire --- */

static void expires_what_is_pending_and_past_its_time(void **state)
{
    (void)state;
    struct match_request due = a_request(), later = a_request(), cancelled = a_request(),
                         unnamed = a_request();
    struct db_cancel cancel;
    later.expires_at_ms += 1;
    const struct match_request *all[] = {&due, &later, &cancelled, &unnamed};
    for (int i = 0; i < 4; i++)
        assert_int_equal(insert_request(f, all[i]), OK);
    assert_int_equal(RUN(f, db_match_request_cancel(f, &cancelled.id, &cancelled.user_id, &cancel)), OK);

    struct uuid ids[] = {later.id, due.id, cancelled.id, uuid_random()};
    struct db_match_requests expired;
    advance(120000);
    assert_int_equal(RUN(f, db_match_requests_expire(f, ids, 4, &expired)), OK);
    assert_int_equal(expired.count, 1);
    due.status = MATCH_EXPIRED;
    assert_same_request(&expired.items[0], &due);
    assert_event_count(f, 6);
    assert_gone_event(6, "match.expired", &due);
    assert_int_equal(latest_of(f, &later.user_id).status, MATCH_PENDING);
    assert_int_equal(latest_of(f, &unnamed.user_id).status, MATCH_PENDING);

    assert_int_equal(RUN(f, db_match_requests_expire(f, ids, 0, &expired)), OK);
    assert_int_equal(expired.count, 0);
}

/* --- claim --- */

static void a_claim_makes_a_session_of_two_requests(void **state)
{
    (void)state;
    struct match_request ana = a_request(), ben = a_request();
    snprintf(ana.native_language, sizeof ana.native_language, "es");
    snprintf(ana.display_name, sizeof ana.display_name, "Ana");
    snprintf(ana.avatar_url, sizeof ana.avatar_url, "https://cdn.example/ana.png");
    snprintf(ben.topic_code, sizeof ben.topic_code, "restaurant");
    ben.level = LEVEL_B1;
    ben.recording_consent = true;
    assert_int_equal(insert_request(f, &ana), OK);
    advance(2500);
    ben.created_at_ms = NOW + 2500;
    assert_int_equal(insert_request(f, &ben), OK);
    advance(3000);

    struct db_claim claim = a_claim(&ana, &ben);
    claim.score = 80;
    claim.level = LEVEL_B1;
    claim.level_difference = 1;
    struct session s;
    assert_int_equal(RUN(f, db_match_claim(f, &claim, &s)), OK);
    assert_uuid_equal(s.id, claim.session_id);
    assert_true(s.type == SESSION_PRACTICE && s.status == SESSION_WAITING && s.end_reason == END_NONE);
    assert_string_equal(s.target_language, "en");
    assert_string_equal(s.topic_code, "restaurant.ordering");
    assert_int_equal(s.created_at_ms, NOW + 5500);
    assert_true(s.first_joined_at_ms == 0 && s.started_at_ms == 0 && s.ended_at_ms == 0 &&
                s.duration_seconds == 0);
    assert_int_equal(s.max_duration_seconds, 900);
    assert_uuid_equal(s.participants[0].user_id, ana.user_id);
    assert_string_equal(s.participants[0].display_name, "Ana");
    assert_string_equal(s.participants[0].avatar_url, "https://cdn.example/ana.png");
    assert_string_equal(s.participants[0].native_language, "es");
    assert_uuid_equal(s.participants[1].user_id, ben.user_id);
    assert_string_equal(s.participants[1].display_name, "Ben");
    assert_string_equal(s.participants[1].avatar_url, "");
    assert_string_equal(s.participants[1].target_language, "en");
    struct session again;
    assert_int_equal(RUN(f, db_session_get(f, &s.id, &again)), OK);
    assert_memory_equal(&again, &s, sizeof s);

    assert_string_equal(
        direct_value(f, "SELECT concat_ws(' ', target_level, is_any_level, scheduled_at) FROM sessions"),
        "B1 f");
    assert_string_equal(
        direct_value(f, "SELECT string_agg(concat_ws(' ', role, recording_consent, is_live), ', '"
                        " ORDER BY position) FROM session_participants"),
        "learner f t, learner t t");

    ana.status = ben.status = MATCH_MATCHED;
    ana.matched_at_ms = ben.matched_at_ms = NOW + 5500;
    ana.session_id = ben.session_id = s.id;
    ana.partner_id = ben.user_id;
    ben.partner_id = ana.user_id;
    ana.compatibility_score = ben.compatibility_score = 80;
    ana.level_difference = ben.level_difference = 1;
    struct match_request stored = latest_of(f, &ana.user_id);
    assert_same_request(&stored, &ana);
    stored = latest_of(f, &ben.user_id);
    assert_same_request(&stored, &ben);

    assert_event_count(f, 3);
    assert_event(f, 3, "conversation.matched", &ana.user_id,
                 "{\"sessionId\": \"%s\", \"matchRequestIds\": [\"%s\", \"%s\"], \"participants\": ["
                 "{\"userId\": \"%s\", \"targetLanguageCode\": \"en\", \"nativeLanguageCode\": \"es\"},"
                 "{\"userId\": \"%s\", \"targetLanguageCode\": \"en\", \"nativeLanguageCode\": \"fr\"}],"
                 " \"topicCode\": \"restaurant.ordering\", \"waitTimeSeconds\": 5}",
                 UUIDZ(&s.id), UUIDZ(&ana.id), UUIDZ(&ben.id), UUIDZ(&ana.user_id), UUIDZ(&ben.user_id));
}

static void a_tandem_keeps_each_ones_languages_and_the_longer_limit(void **state)
{
    (void)state;
    struct match_request ana = a_request(), ben = a_request();
    snprintf(ana.native_language, sizeof ana.native_language, "es-MX");
    snprintf(ben.native_language, sizeof ben.native_language, "en");
    snprintf(ben.target_language, sizeof ben.target_language, "es");
    ben.tier = TIER_PREMIUM;
    assert_int_equal(insert_request(f, &ana), OK);
    assert_int_equal(insert_request(f, &ben), OK);
    struct db_claim claim = a_claim(&ana, &ben);
    claim.is_tandem = claim.is_any_level = true;
    claim.max_duration_seconds = 3600;
    struct session s;
    assert_int_equal(RUN(f, db_match_claim(f, &claim, &s)), OK);
    assert_int_equal(s.type, SESSION_TANDEM);
    assert_int_equal(s.max_duration_seconds, 3600);
    assert_string_equal(s.target_language, "en");
    assert_string_equal(s.participants[0].native_language, "es-MX");
    assert_string_equal(s.participants[1].target_language, "es");
    assert_string_equal(
        direct_value(f, "SELECT string_agg(role, ' ' ORDER BY position) FROM session_participants"),
        "learner partner");
    assert_string_equal(direct_value(f, "SELECT is_any_level FROM sessions"), "t");
}

static void assert_nothing_claimed(const struct match_request *a, const struct match_request *b)
{
    int64_t sessions = direct_int(f, "SELECT count(*) FROM sessions");
    int64_t events = direct_int(f, "SELECT count(*) FROM event_outbox");
    const char *statuses = "SELECT string_agg(status, ' ' ORDER BY id) FROM match_requests";
    const char *before = direct_value(f, "%s", statuses);
    struct db_claim claim = a_claim(a, b);
    struct session s;
    assert_int_equal(RUN(f, db_match_claim(f, &claim, &s)), ERR_CONFLICT);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM sessions"), sessions);
    assert_int_equal(direct_int(f, "SELECT count(*) FROM event_outbox"), events);
    assert_string_equal(direct_value(f, "%s", statuses), before);
}

static void a_claim_needs_both_requests_pending(void **state)
{
    (void)state;
    struct match_request ana = a_request(), ben = a_request(), nobody = a_request();
    struct db_cancel cancel;
    assert_int_equal(insert_request(f, &ana), OK);
    assert_int_equal(insert_request(f, &ben), OK);
    assert_nothing_claimed(&ana, &nobody);
    assert_nothing_claimed(&ana, &ana);
    assert_int_equal(RUN(f, db_match_request_cancel(f, &ben.id, &ben.user_id, &cancel)), OK);
    assert_nothing_claimed(&ana, &ben);
    assert_nothing_claimed(&ben, &ana);
}

/* The index may not have heard of it yet. */
static void a_claim_keeps_apart_who_must_not_meet(void **state)
{
    (void)state;
    static const char *const ways[] = {
        "INSERT INTO user_blocks VALUES ('%s', '%s')",
        "INSERT INTO reports (session_id, reporter_id, reported_user_id, reason)"
        " VALUES (gen_random_uuid(), '%s', '%s', 'spam')",
    };
    for (int i = 0; i < 4; i++) {
        direct_truncate(f);
        struct match_request ana = a_request(), ben = a_request(), carol = a_request();
        assert_int_equal(insert_request(f, &ana), OK);
        assert_int_equal(insert_request(f, &ben), OK);
        assert_int_equal(insert_request(f, &carol), OK);
        const struct match_request *one = i % 2 ? &ana : &ben, *other = i % 2 ? &ben : &ana;
        char one_id[64];
        snprintf(one_id, sizeof one_id, "%s", UUIDZ(&one->user_id));
        EXEC(f, ways[i / 2], one_id, UUIDZ(&other->user_id));
        assert_nothing_claimed(&ana, &ben);
        struct db_claim claim = a_claim(&ana, &carol);
        struct session s;
        assert_int_equal(RUN(f, db_match_claim(f, &claim, &s)), OK);
    }
}

static void a_claim_needs_both_users_free(void **state)
{
    (void)state;
    struct session session = a_waiting_session(f, 0);
    struct match_request ana = a_request(), busy = a_request();
    busy.user_id = session.participants[0].user_id;
    assert_int_equal(insert_request(f, &ana), OK);
    /* Only a race of two calls of one user makes such a row; see db_match_pending.c. */
    EXEC(f, "CREATE TEMP TABLE copy AS SELECT * FROM match_requests WHERE user_id = '%s'",
         UUIDZ(&ana.user_id));
    EXEC(f, "UPDATE copy SET id = '%s', user_id = '%s'", UUIDZ(&busy.id), UUIDZ(&busy.user_id));
    EXEC(f, "INSERT INTO match_requests SELECT * FROM copy");
    assert_nothing_claimed(&ana, &busy);

    struct db_match_requests found;
    const struct uuid ids[] = {ana.id, busy.id};
    assert_int_equal(RUN(f, db_match_requests_by_id(f, ids, 2, &found)), OK);
    assert_int_equal(found.count, 1);
    assert_uuid_equal(found.items[0].id, ana.id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stores_a_request_with_every_field),
        TEST(stores_a_request_with_what_is_needed_only),
        TEST(a_user_has_one_live_request),
        TEST(no_request_while_in_a_live_session),
        TEST(latest_is_the_live_one_or_else_the_newest),
        TEST(cancels_once),
        TEST(cancels_only_ones_own),
        TEST(a_matched_request_stays_matched_when_cancelled),
        TEST(expires_what_is_pending_and_past_its_time),
        TEST(a_claim_makes_a_session_of_two_requests),
        TEST(a_tandem_keeps_each_ones_languages_and_the_longer_limit),
        TEST(a_claim_needs_both_requests_pending),
        TEST(a_claim_needs_both_users_free),
        TEST(a_claim_keeps_apart_who_must_not_meet),
    };
    return cmocka_run_group_tests(tests, direct_create_database, direct_drop_database);
}
