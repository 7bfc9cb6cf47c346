/* The endpoints that only read: history, a session, its transcript. And the ones for operators. */
#include "flows/fakes/failures.h"

#include "conversation/ports/openapi.h"

/* --- history --- */

static void given_history(void)
{
    fake_db.history[0] = (struct history_entry){.session_id = id_of(SESSION),
                                                .topic_code = "travel",
                                                .topic_name_key = "topics.travel.name",
                                                .partner_display_name = "Ben",
                                                .duration_seconds = 540,
                                                .completed_at_ms = T0,
                                                .my_rating = 4,
                                                .transcript_available = true};
    fake_db.history[1] = (struct history_entry){.session_id = id_of(REQUEST_A),
                                                .topic_code = "gone",
                                                .partner_display_name = "Zoé \"Z\"",
                                                .completed_at_ms = T0 - 1};
    fake_db.history_count = 2;
    fake_db.history_total = 2;
}

static struct caller *history_by(const char *user_id, unsigned roles, const char *query)
{
    struct caller *c = caller_of(user_id);
    c->who.roles = roles;
    caller_start(c, &rest_history, &(struct call_input){.query = query});
    pass_ms(0);
    return c;
}

static struct caller *history(void)
{
    return history_by(ANA, 0, NULL);
}

static void lists_ones_conversations(void **state)
{
    (void)state;
    given_history();
    assert_answer(
        history(), 200,
        "{'conversations':["
        "{'sessionId':'" SESSION "','topicCode':'travel','topicNameKey':'topics.travel.name',"
        "'partnerDisplayName':'Ben','durationSeconds':540,'completedAt':'2025-01-15T10:00:00.000Z',"
        "'myRating':4,'transcriptAvailable':true},"
        "{'sessionId':'" REQUEST_A "','topicCode':'gone','partnerDisplayName':'Zoé \\\"Z\\\"',"
        "'durationSeconds':0,'completedAt':'2025-01-15T09:59:59.999Z','transcriptAvailable':false}],"
        "'total':2,'hasMore':false}");
    struct uuid ana = id_of(ANA);
    assert_true(uuid_eq(&fake_db.asked.history.user_id, &ana));
    assert_string_equal(fake_db.asked.history_language, "");
    assert_int_equal(fake_db.asked.history.limit, 20);
    assert_int_equal(fake_db.asked.history.offset, 0);
}

static void pages_say_whether_there_is_more(void **state)
{
    static const struct {
        int offset, total;
        const char *has_more;
    } cases[] = {{0, 2, "false"}, {0, 3, "true"}, {5, 7, "false"}, {5, 8, "true"}};
    (void)state;
    given_history();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char query[64], expected[64];
        fake_db.history_total = cases[i].total;
        snprintf(query, sizeof query, "limit=2&offset=%d&targetLanguageCode=es", cases[i].offset);
        snprintf(expected, sizeof expected, "\"total\":%d,\"hasMore\":%s}", cases[i].total,
                 cases[i].has_more);
        const struct caller *c = history_by(ANA, 0, query);
        assert_int_equal(c->status, 200);
        assert_non_null(strstr(c->body, expected));
        assert_int_equal(fake_db.asked.history.limit, 2);
        assert_int_equal(fake_db.asked.history.offset, cases[i].offset);
        assert_string_equal(fake_db.asked.history_language, "es");
    }
}

static void no_conversations_is_an_answer(void **state)
{
    (void)state;
    assert_answer(history(), 200, "{'conversations':[],'total':0,'hasMore':false}");
}

static void only_an_admin_reads_anothers_history(void **state)
{
    static const char refusal[] =
        "[{'field':'userId','reason':'only an admin may read another user\\u0027s history'}]";
    (void)state;
    struct uuid ben = id_of(BEN);
    assert_refused(history_by(ANA, 0, "userId=" BEN), ERR_FORBIDDEN, refusal);
    assert_refused(history_by(ANA, ROLE_MODERATOR, "userId=" BEN), ERR_FORBIDDEN, refusal);
    assert_calls("");
    assert_int_equal(history_by(ANA, ROLE_ADMIN, "userId=" BEN)->status, 200);
    assert_true(uuid_eq(&fake_db.asked.history.user_id, &ben));
    assert_int_equal(history_by(BEN, 0, "userId=" BEN)->status, 200); /* one's own */
}

static void history_refuses_what_is_out_of_range(void **state)
{
    static const char *const queries[] = {"limit=0",   "limit=101", "limit=x",
                                          "offset=-1", "userId=me", "targetLanguageCode=Spanish"};
    (void)state;
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        assert_int_equal(history_by(ANA, 0, queries[i])->err, ERR_INVALID_REQUEST);
    assert_calls("");
}

static const struct scenario reading_history = {.given = given_history, .start = history};

/* --- a session --- */

static struct caller *get_by(const char *user_id, unsigned roles, const struct handler *handler)
{
    struct caller *c = caller_of(user_id);
    c->who.roles = roles;
    caller_start(c, handler, &(struct call_input){.id = SESSION});
    pass_ms(0);
    return c;
}

static struct caller *get(void)
{
    return get_by(ANA, 0, &rest_session_get);
}

#define TWO                                                                                        \
    "'participants':[{'userId':'" ANA                                                              \
    "','displayName':'Ana','nativeLanguageCode':'fr','targetLanguageCode':'es',"                   \
    "'spokenSeconds':0,'turnCount':0},"                                                            \
    "{'userId':'" BEN "','displayName':'Ben','nativeLanguageCode':'en','targetLanguageCode':'es'," \
    "'spokenSeconds':0,'turnCount':0}]"

static void given_waiting(void)
{
    given_session();
}

static void shows_a_waiting_session(void **state)
{
    (void)state;
    given_waiting();
    assert_answer(get(), 200,
                  "{'session':{'id':'" SESSION "','status':'waiting','topicCode':'travel'," TWO
                  ",'durationSeconds':0,'transcriptAvailable':false}}");
}

static void an_active_session_shows_how_long_it_has_lasted(void **state)
{
    (void)state;
    given_active_session();
    pass_ms(1500);
    assert_answer(
        get(), 200,
        "{'session':{'id':'" SESSION "','status':'active','topicCode':'travel'," TWO
        ",'durationSeconds':121,'startedAt':'2025-01-15T09:58:00.000Z','transcriptAvailable':false}}");
}

static void given_completed(void)
{
    struct session *s = given_active_session();
    s->status = SESSION_COMPLETED;
    s->end_reason = END_TIMEOUT;
    s->ended_at_ms = T0;
    s->duration_seconds = 120;
    s->transcript_available = true;
    s->transcript_id = id_of(REQUEST_B);
    strcpy(s->recording_url, "https://r2.example/1.webm");
    s->participants[0].spoken_seconds = 55;
    s->participants[0].turn_count = 7;
}

#define COMPLETED_PARTICIPANTS                                                                     \
    "'participants':[{'userId':'" ANA                                                              \
    "','displayName':'Ana','nativeLanguageCode':'fr','targetLanguageCode':'es',"                   \
    "'spokenSeconds':55,'turnCount':7},"                                                           \
    "{'userId':'" BEN "','displayName':'Ben','nativeLanguageCode':'en','targetLanguageCode':'es'," \
    "'spokenSeconds':0,'turnCount':0}]"
#define COMPLETED                                                                                         \
    "'id':'" SESSION "','status':'completed','topicCode':'travel'," COMPLETED_PARTICIPANTS                \
    ",'durationSeconds':120,'startedAt':'2025-01-15T09:58:00.000Z','endedAt':'2025-01-15T10:00:00.000Z'," \
    "'endReason':'timeout','transcriptAvailable':true"

static void a_participant_sees_no_recording(void **state)
{
    (void)state;
    given_completed();
    assert_answer(get(), 200, "{'session':{" COMPLETED "}}");
}

static void moderators_and_admins_see_every_session_with_recording(void **state)
{
    (void)state;
    given_completed();
    static const char all[] = "{'session':{" COMPLETED ",'recordingUrl':'https://r2.example/1.webm'}}";
    assert_answer(get_by(EVE, ROLE_MODERATOR, &rest_session_get), 200, all);
    assert_answer(get_by(EVE, ROLE_ADMIN, &rest_session_get), 200, all);
}

static void to_others_the_session_does_not_exist(void **state)
{
    (void)state;
    given_completed();
    assert_refused(get_by(EVE, 0, &rest_session_get), ERR_SESSION_NOT_FOUND, NULL);
    assert_refused(get_by(EVE, 0, &rest_session_transcript), ERR_SESSION_NOT_FOUND, NULL);
    fake_db.session_count = 0;
    assert_refused(get_by(EVE, 0, &rest_session_get), ERR_SESSION_NOT_FOUND, NULL);
    assert_refused(get(), ERR_SESSION_NOT_FOUND, NULL);
}

static const struct scenario getting = {.given = given_waiting, .start = get};

static struct caller *transcript(void)
{
    return get_by(BEN, 0, &rest_session_transcript);
}

static void says_whether_there_is_a_transcript(void **state)
{
    (void)state;
    given_completed();
    assert_answer(transcript(), 200,
                  "{'sessionId':'" SESSION "','transcriptAvailable':true,'transcriptId':'" REQUEST_B "'}");
    session_row()->transcript_available = false;
    session_row()->transcript_id = (struct uuid){{0}};
    assert_answer(transcript(), 200, "{'sessionId':'" SESSION "','transcriptAvailable':false}");
}

static const struct scenario reading_transcript = {.given = given_waiting, .start = transcript};

/* --- ops --- */

static struct caller *ops(const struct handler *handler)
{
    struct caller *c = rest_call_of(NOBODY, handler, &(struct call_input){0});
    pass_ms(0);
    return c;
}

static void is_healthy(void **state)
{
    (void)state;
    fake_db_goes_away();
    fake_kv_goes_away(); /* none of the loop's business */
    assert_answer(ops(&ops_healthz), 200, "{'status':'ok'}");
}

static void is_ready(void **state)
{
    (void)state;
    assert_answer(
        ops(&ops_readyz), 200,
        "{'status':'ready','checks':{'postgresql':'ok','redis':'ok','migrations':'ok','draining':'ok'}}");
}

static void each_thing_away_makes_it_not_ready(void **state)
{
    static const struct {
        void (*given)(void);
        bool is_draining;
        enum db_schema schema;
        const char *checks;
    } cases[] = {
        {fake_db_goes_away, false, DB_SCHEMA_OK,
         "'postgresql':'unreachable','redis':'ok','migrations':'ok','draining':'ok'"},
        {fake_kv_goes_away, false, DB_SCHEMA_OK,
         "'postgresql':'ok','redis':'unreachable','migrations':'ok','draining':'ok'"},
        {NULL, false, DB_SCHEMA_OLDER,
         "'postgresql':'ok','redis':'ok','migrations':'migrations pending','draining':'ok'"},
        {NULL, false, DB_SCHEMA_NEWER,
         "'postgresql':'ok','redis':'ok','migrations':'database newer than this binary','draining':'ok'"},
        {NULL, false, DB_SCHEMA_UNKNOWN,
         "'postgresql':'ok','redis':'ok','migrations':'unknown','draining':'ok'"},
        {NULL, true, DB_SCHEMA_OK, "'postgresql':'ok','redis':'ok','migrations':'ok','draining':'draining'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[256];
        if (cases[i].given)
            cases[i].given();
        fake_db.schema = cases[i].schema;
        reply_set_draining(cases[i].is_draining);
        snprintf(expected, sizeof expected, "{'status':'not ready','checks':{%s}}", cases[i].checks);
        assert_answer(ops(&ops_readyz), 503, expected);
        fake_db_comes_back();
        fake_kv_comes_back();
        reply_set_draining(false);
    }
}

static void metrics_are_prometheus_text(void **state)
{
    (void)state;
    metric_add(M_MATCH_EXPIRED, 1, "es", "alone", NULL);
    struct caller *c = ops(&ops_metrics);
    assert_int_equal(c->answers, 1);
    assert_int_equal(c->status, 200);
    assert_string_equal(c->content_type, "text/plain; version=0.0.4; charset=utf-8");
    assert_non_null(strstr(c->body, "match_requests_expired_total{language=\"es\",reason=\"alone\"} 1\n"));
}

static void the_description_is_served_as_it_was_written(void **state)
{
    (void)state;
    struct caller *c = ops(&ops_openapi);
    assert_int_equal(c->answers, 1);
    assert_int_equal(c->status, 200);
    assert_string_equal(c->content_type, "application/json");
    assert_int_equal(strlen(c->body), openapi_json_len);
    assert_string_equal(c->body, openapi_json);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(lists_ones_conversations),
        WORLD_TEST(pages_say_whether_there_is_more),
        WORLD_TEST(no_conversations_is_an_answer),
        WORLD_TEST(only_an_admin_reads_anothers_history),
        WORLD_TEST(history_refuses_what_is_out_of_range),
        FAILURE_TESTS_OF_READ(reading_history),
        WORLD_TEST(shows_a_waiting_session),
        WORLD_TEST(an_active_session_shows_how_long_it_has_lasted),
        WORLD_TEST(a_participant_sees_no_recording),
        WORLD_TEST(moderators_and_admins_see_every_session_with_recording),
        WORLD_TEST(to_others_the_session_does_not_exist),
        FAILURE_TESTS_OF_READ(getting),
        WORLD_TEST(says_whether_there_is_a_transcript),
        FAILURE_TESTS_OF_READ(reading_transcript),
        WORLD_TEST(is_healthy),
        WORLD_TEST(is_ready),
        WORLD_TEST(each_thing_away_makes_it_not_ready),
        WORLD_TEST(metrics_are_prometheus_text),
        WORLD_TEST(the_description_is_served_as_it_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
