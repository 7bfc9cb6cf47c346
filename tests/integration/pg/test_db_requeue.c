/* A no-show's partner goes back into the queue, in the statement that ends the session. */
#include "statement_fixture.h"

/* Ana has waited 30 s when the session is made; she joins, and a minute later Ben has not. */
static struct session a_no_show(void)
{
    struct session s = a_waiting_session(f, 30000);
    struct db_join join;
    assert_int_equal(RUN(f, db_session_join(f, &s.id, &s.participants[0].user_id, &join)), OK);
    advance(MINUTE);
    return s;
}

static struct db_ended end_no_show(const struct session *s)
{
    struct db_ended ended;
    assert_int_equal(end_session(f, s, NULL, SESSION_EVENT_NO_SHOW, &ended), OK);
    return ended;
}

static void assert_not_requeued(const struct db_ended *ended)
{
    assert_true(uuid_is_nil(&ended->requeued.request_id) && uuid_is_nil(&ended->requeued.user_id));
    assert_int_equal(direct_int(f, "SELECT count(*) FROM match_requests WHERE requeued_from IS NOT NULL"), 0);
}

static void the_one_who_came_waits_on(void **state)
{
    (void)state;
    struct session s = a_no_show();
    struct db_ended ended = end_no_show(&s);
    const struct participant *ana = &ended.session.participants[0];
    struct match_request r = latest_of(f, &ana->user_id);
    assert_uuid_equal(r.id, ended.requeued.request_id);
    assert_uuid_equal(r.user_id, ended.requeued.user_id);
    assert_true(r.status == MATCH_PENDING && r.mode == MATCH_NOW);
    assert_int_equal(r.created_at_ms, NOW - 30000); /* with the wait it has earned */
    assert_int_equal(r.expires_at_ms, NOW + MINUTE + 120000);
    assert_int_equal(ended.requeued.expires_at_ms, r.expires_at_ms);
    assert_true(uuid_is_nil(&r.session_id) && uuid_is_nil(&r.partner_id) && r.matched_at_ms == 0);
    assert_string_equal(r.display_name, "Ana");
    assert_string_equal(r.avatar_url, "https://cdn.example/ana.png");
    assert_string_equal(r.native_language, "es");
    assert_string_equal(r.topic_code, "restaurant.ordering");
    assert_int_equal(direct_int(f, "SELECT count(*) FROM match_requests"), 3);
    assert_event(f, 4, "match.requested", &r.user_id,
                 "{\"matchRequestId\": \"%s\", \"userId\": \"%s\", \"targetLanguageCode\": \"en\","
                 " \"topicCode\": \"restaurant.ordering\", \"preferredPartnerLevel\": \"same\"}",
                 UUIDZ(&r.id), UUIDZ(&r.user_id));
    assert_event_count(f, 4);
}

/* Every column is either of the request's own life, or taken over: a new one must be put on either side. */
static void nothing_of_the_request_is_forgotten(void **state)
{
    (void)state;
    struct session s = a_no_show();
    EXEC(f, "UPDATE match_requests SET learning_profile_id = gen_random_uuid(), preferred_accent = 'gb',"
            "       preferred_partner_native_language_code = 'en', preferred_duration_minutes = 10,"
            "       recording_consent = true, tier = 'premium', preferred_partner_level = 'higher'");
    struct db_ended ended = end_no_show(&s);
    static const char own[] = "ARRAY['id', 'status', 'matched_session_id', 'matched_with_user_id',"
                              " 'compatibility_score', 'level_difference', 'matched_at', 'expires_at',"
                              " 'estimated_wait_seconds', 'requeued_from', 'idempotency_key',"
                              " 'idempotency_digest', 'session_scheduled_at']";
    assert_int_equal(direct_int(f,
                                "SELECT count(*) FROM match_requests a JOIN match_requests b USING (user_id)"
                                " WHERE a.id = '%s' AND b.id <> a.id"
                                "   AND to_jsonb(a) - %s = to_jsonb(b) - %s",
                                UUIDZ(&ended.requeued.request_id), own, own),
                     1);
}

static void it_is_paired_before_those_who_came_later(void **state)
{
    (void)state;
    struct session s = a_no_show();
    struct db_ended ended = end_no_show(&s);
    struct match_request r = latest_of(f, &ended.requeued.user_id), other = a_request();
    assert_int_equal(insert_request(f, &other), OK);
    assert_true(match_is_before(&r, &other));
    struct db_match_requests found;
    assert_int_equal(RUN(f, db_match_requests_by_id(f, &r.id, 1, &found)), OK);
    assert_int_equal(found.count, 1);
    struct db_claim claim = a_claim(&r, &other);
    struct session next;
    assert_int_equal(RUN(f, db_match_claim(f, &claim, &next)), OK);
    assert_uuid_equal(next.participants[0].user_id, r.user_id);
}

static void asked_again_it_says_the_same_and_adds_nothing(void **state)
{
    (void)state;
    struct session s = a_no_show();
    struct db_ended first = end_no_show(&s), again = end_no_show(&s);
    assert_true(first.changed && !again.changed);
    assert_memory_equal(&again.requeued, &first.requeued, sizeof again.requeued);
    assert_event_count(f, 4);
    EXEC(f, "UPDATE match_requests SET status = 'cancelled' WHERE requeued_from IS NOT NULL");
    again = end_no_show(&s);
    assert_true(uuid_is_nil(&again.requeued.request_id)); /* it does not wait any more */
}

static void whoever_has_gone_does_not_wait_on(void **state)
{
    (void)state;
    struct session s = a_no_show();
    const struct uuid *ana = &s.participants[0].user_id;
    assert_int_equal(RUN(f, db_session_unjoin(f, &s.id, ana, 1)), OK);
    struct db_ended ended = end_no_show(&s);
    assert_not_requeued(&ended);
}

static void whoever_was_at_a_dead_instance_does_not_wait_on(void **state)
{
    (void)state;
    static const struct {
        int64_t seen_before_ms;
        const char *is_stopped;
        bool is_requeued;
    } rows[] = {{0, "false", true},
                {DB_INSTANCE_SILENT_MS - 1, "false", true},
                {DB_INSTANCE_SILENT_MS, "false", false},
                {0, "true", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        direct_truncate(f);
        set_now(NOW);
        struct session s = a_no_show();
        EXEC(f, "UPDATE session_participants SET joined_by = gen_random_uuid() WHERE joined_at IS NOT NULL");
        EXEC(f,
             "INSERT INTO instances (id, seen_at, is_stopped)"
             " SELECT joined_by, to_timestamp(%lld / 1000.0), %s FROM session_participants"
             "  WHERE joined_at IS NOT NULL",
             (long long)(NOW + MINUTE - rows[i].seen_before_ms), rows[i].is_stopped);
        struct db_ended ended = end_no_show(&s);
        assert_int_equal(!uuid_is_nil(&ended.requeued.request_id), rows[i].is_requeued);
    }
}

static void only_a_no_show_sends_back(void **state)
{
    (void)state;
    struct session s = a_no_show();
    struct db_ended ended;
    assert_int_equal(end_session(f, &s, &s.participants[1].user_id, SESSION_EVENT_LEAVE, &ended), OK);
    assert_not_requeued(&ended);
    s = an_active_session(f);
    assert_int_equal(end_session(f, &s, &s.participants[1].user_id, SESSION_EVENT_LEAVE, &ended), OK);
    assert_not_requeued(&ended);
}

static void one_live_request_is_enough(void **state)
{
    (void)state;
    struct session s = a_no_show();
    struct match_request other = a_request();
    other.user_id = s.participants[0].user_id;
    other.mode = MATCH_SCHEDULED; /* the only kind that can be made meanwhile */
    other.scheduled_for_ms = NOW + 60 * MINUTE;
    other.expires_at_ms = NOW + 62 * MINUTE;
    assert_int_equal(insert_request(f, &other), OK);
    EXEC(f, "UPDATE match_requests SET mode = 'now', scheduled_for = NULL WHERE id = '%s'", UUIDZ(&other.id));
    struct db_ended ended = end_no_show(&s);
    assert_true(ended.changed);
    assert_not_requeued(&ended);
}

/* A session arranged for `in_ms` from now. */
static void given_arranged(const struct uuid *user_id, int64_t in_ms)
{
    struct match_request mine = a_request(), other = a_request();
    mine.user_id = *user_id;
    mine.mode = other.mode = MATCH_SCHEDULED;
    mine.scheduled_for_ms = other.scheduled_for_ms = NOW + MINUTE + in_ms;
    mine.expires_at_ms = other.expires_at_ms = NOW + MINUTE + in_ms + 120000;
    assert_int_equal(insert_request(f, &mine), OK);
    assert_int_equal(insert_request(f, &other), OK);
    struct db_claim claim = a_claim(&mine, &other);
    struct session arranged;
    claim.scheduled_at_ms = mine.scheduled_for_ms;
    assert_int_equal(RUN(f, db_match_claim(f, &claim, &arranged)), OK);
}

static void a_session_arranged_soon_comes_first(void **state)
{
    (void)state;
    struct session s = a_no_show();
    given_arranged(&s.participants[0].user_id, 120000 + 5 * MINUTE - 1);
    struct db_ended ended = end_no_show(&s);
    assert_not_requeued(&ended);
    direct_truncate(f);
    set_now(NOW);
    s = a_no_show();
    given_arranged(&s.participants[0].user_id, 120000 + 5 * MINUTE);
    ended = end_no_show(&s);
    assert_false(uuid_is_nil(&ended.requeued.request_id));
}

static void the_sweep_sends_back_as_well(void **state)
{
    (void)state;
    struct session s = a_no_show();
    advance(30000);
    struct db_swept swept = sweep(f, 30000);
    assert_int_equal(swept.ended_count, 1);
    struct match_request r = latest_of(f, &s.participants[0].user_id);
    assert_uuid_equal(swept.ended[0].requeued.request_id, r.id);
    assert_uuid_equal(swept.ended[0].requeued.user_id, r.user_id);
    assert_int_equal(swept.ended[0].requeued.expires_at_ms, NOW + MINUTE + 30000 + 120000);
    assert_int_equal(r.created_at_ms, NOW - 30000);
    assert_event_count(f, 4);
}

static void the_latest_request_is_the_one_that_goes_on(void **state)
{
    (void)state;
    struct session s = a_no_show();
    struct db_ended ended = end_no_show(&s);
    EXEC(f, "UPDATE match_requests SET status = 'expired' WHERE requeued_from IS NOT NULL");
    struct match_request r = latest_of(f, &ended.requeued.user_id);
    assert_uuid_equal(r.id, ended.requeued.request_id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_one_who_came_waits_on),
        TEST(nothing_of_the_request_is_forgotten),
        TEST(it_is_paired_before_those_who_came_later),
        TEST(asked_again_it_says_the_same_and_adds_nothing),
        TEST(whoever_has_gone_does_not_wait_on),
        TEST(whoever_was_at_a_dead_instance_does_not_wait_on),
        TEST(only_a_no_show_sends_back),
        TEST(one_live_request_is_enough),
        TEST(a_session_arranged_soon_comes_first),
        TEST(the_sweep_sends_back_as_well),
        TEST(the_latest_request_is_the_one_that_goes_on),
    };
    return cmocka_run_group_tests(tests, direct_create_database, direct_drop_database);
}
