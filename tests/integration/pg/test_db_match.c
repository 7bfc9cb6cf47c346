/* Match requests: stored, cancelled, expired, claimed, and what is read to admit and to pair them. */
#include "statement_fixture.h"

#define HOUR (60 * MINUTE)
#define DAY  (24 * HOUR)

static struct match_request latest_of(const struct uuid *user_id)
{
    struct match_request r;
    assert_int_equal(RUN(f, db_match_request_latest(f, user_id, &r)), OK);
    return r;
}

/* Every stored field; padding and the borrowed arrays aside. */
static void assert_same_request(const struct match_request *a, const struct match_request *b)
{
    assert_uuid_equal(a->id, b->id);
    assert_uuid_equal(a->user_id, b->user_id);
    assert_uuid_equal(a->learning_profile_id, b->learning_profile_id);
    assert_string_equal(a->target_language, b->target_language);
    assert_string_equal(a->native_language, b->native_language);
    assert_string_equal(a->wanted_native_language, b->wanted_native_language);
    assert_string_equal(a->topic_code, b->topic_code);
    assert_string_equal(a->preferred_accent, b->preferred_accent);
    assert_string_equal(a->display_name, b->display_name);
    assert_string_equal(a->avatar_url, b->avatar_url);
    assert_int_equal(a->topic_category, b->topic_category);
    assert_int_equal(a->level, b->level);
    assert_int_equal(a->preferred_partner_level, b->preferred_partner_level);
    assert_int_equal(a->tier, b->tier);
    assert_int_equal(a->mode, b->mode);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->recording_consent, b->recording_consent);
    assert_int_equal(a->preferred_duration_minutes, b->preferred_duration_minutes);
    assert_int_equal(a->max_wait_seconds, b->max_wait_seconds);
    assert_int_equal(a->created_at_ms, b->created_at_ms);
    assert_int_equal(a->expires_at_ms, b->expires_at_ms);
    assert_int_equal(a->scheduled_for_ms, b->scheduled_for_ms);
    assert_int_equal(a->matched_at_ms, b->matched_at_ms);
    assert_uuid_equal(a->session_id, b->session_id);
    assert_uuid_equal(a->partner_id, b->partner_id);
    assert_int_equal(a->compatibility_score, b->compatibility_score);
    assert_int_equal(a->level_difference, b->level_difference);
}

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
    struct match_request stored = latest_of(&r.user_id);
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
    struct match_request stored = latest_of(&r.user_id);
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
    assert_uuid_equal(latest_of(&old.user_id).id, old.id);
    assert_int_equal(RUN(f, db_match_request_cancel(f, &old.id, &old.user_id, &cancel)), OK);
    assert_uuid_equal(latest_of(&old.user_id).id, newer.id);
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
    assert_int_equal(latest_of(&r.user_id).status, MATCH_PENDING);
    assert_event_count(f, 1);
}

static void a_matched_request_stays_matched_when_cancelled(void **state)
{
    (void)state;
    struct session session = a_waiting_session(f, 0);
    struct match_request r = latest_of(&session.participants[0].user_id);
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
    assert_int_equal(latest_of(&later.user_id).status, MATCH_PENDING);
    assert_int_equal(latest_of(&unnamed.user_id).status, MATCH_PENDING);

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
    struct match_request stored = latest_of(&ana.user_id);
    assert_same_request(&stored, &ana);
    stored = latest_of(&ben.user_id);
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
    return latest_of(&s->participants[who].user_id);
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
