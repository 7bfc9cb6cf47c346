/* Moderation: GET /moderation/flags, POST /moderation/flags/:userId/review, and which reads are audited. */
#include "flows/fakes/failures.h"

#define MODERATOR "dddddddd-0000-4000-8000-000000000009"
#define FLAG      "77777777-0000-4000-8000-000000000001"
#define REPORT    "99999999-0000-4000-8000-000000000001"

static struct caller *call_as(unsigned roles, const char *user_id, const struct handler *handler,
                              const struct call_input *input)
{
    struct caller *c = caller_of(user_id);
    c->who.roles = roles;
    caller_start(c, handler, input);
    pass_ms(0);
    return c;
}

static struct caller *list(const char *query)
{
    return call_as(ROLE_MODERATOR, MODERATOR, &rest_flags_list, &(struct call_input){.query = query});
}

static struct caller *list_open(void)
{
    return list("");
}

static struct caller *review_with(const char *body)
{
    return call_as(ROLE_MODERATOR, MODERATOR, &rest_flag_review,
                   &(struct call_input){.whom = BEN, .body = body});
}

static struct caller *review(void)
{
    return review_with("{'decision':'confirmed','notes':'Spoken to'}");
}

static void given_flag(void)
{
    static struct db_flag_report reports[2];
    reports[0] = (struct db_flag_report){.id = id_of(REPORT),
                                         .session_id = id_of(SESSION),
                                         .reporter_id = id_of(ANA),
                                         .reason = REPORT_MINOR_SAFETY,
                                         .details = "Said \"hi\"",
                                         .created_at_ms = T0};
    reports[1] = (struct db_flag_report){.id = id_of(REPORT),
                                         .session_id = id_of(SESSION),
                                         .reporter_id = id_of(EVE),
                                         .reason = REPORT_SPAM,
                                         .created_at_ms = T0 - 1};
    fake_moderation.flags[0] = (struct db_flag){
        .id = id_of(FLAG),
        .user_id = id_of(BEN),
        .reporter_count = 4,
        .created_at_ms = T0,
        .decision = -1,
        .report_count = 5,
        .reason_counts = {[REPORT_SPAM] = 4, [REPORT_MINOR_SAFETY] = 1},
        .reports = reports,
        .listed_count = 2,
    };
    fake_moderation.flag_count = fake_moderation.flag_total = 1;
}

static void lists_flags_with_what_was_reported(void **state)
{
    (void)state;
    given_flag();
    assert_answer(
        list_open(), 200,
        "{'flags':[{'id':'" FLAG "','userId':'" BEN
        "','reporterCount':4,'createdAt':'2025-01-15T10:00:00.000Z','reportCount':5,"
        "'reasons':{'spam':4,'minor_safety':1},'reports':[{'id':'" REPORT "','sessionId':'" SESSION
        "','reporterId':'" ANA
        "','reason':'minor_safety','details':'Said \\\"hi\\\"','createdAt':'2025-01-15T10:00:00.000Z'},"
        "{'id':'" REPORT "','sessionId':'" SESSION "','reporterId':'" EVE
        "','reason':'spam','createdAt':'2025-01-15T09:59:59.999Z'}]}],'total':1,'hasMore':false}");
    assert_calls("db_flags");
    assert_false(fake_moderation.asked.flags.is_reviewed);
    assert_int_equal(fake_moderation.asked.flags.limit, 20);
    assert_int_equal(fake_moderation.asked.flags.offset, 0);
}

static void lists_page_by_page(void **state)
{
    static const char *const bad[] = {"reviewed=maybe", "limit=0", "limit=101", "offset=-1"};
    (void)state;
    given_flag();
    fake_moderation.flag_total = 7;
    struct caller *c = list("reviewed=true&limit=1&offset=5");
    assert_non_null(strstr(c->body, "\"total\":7,\"hasMore\":true"));
    assert_true(fake_moderation.asked.flags.is_reviewed);
    assert_int_equal(fake_moderation.asked.flags.limit, 1);
    assert_int_equal(fake_moderation.asked.flags.offset, 5);
    assert_non_null(strstr(list("offset=6")->body, "\"total\":7,\"hasMore\":false"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(list(bad[i])->err, ERR_INVALID_REQUEST);
}

#define REVIEWED                                                                                            \
    "{'flag':{'id':'" FLAG "','userId':'" BEN "','reporterCount':4,'createdAt':'2025-01-15T10:00:00.000Z'," \
    "'reviewedAt':'2025-01-15T10:00:00.000Z','reviewedBy':'" MODERATOR "'"

static void a_review_closes_the_flag(void **state)
{
    (void)state;
    given_flag();
    assert_answer(review(), 200, REVIEWED ",'decision':'confirmed','notes':'Spoken to'}}");
    struct uuid ben = id_of(BEN), moderator = id_of(MODERATOR);
    assert_true(uuid_eq(&fake_moderation.asked.review.user_id, &ben));
    assert_true(uuid_eq(&fake_moderation.asked.review.reviewer_id, &moderator));
    pass_ms(60000);
    assert_answer(review_with("{'decision':'dismissed'}"), 200,
                  REVIEWED ",'decision':'confirmed','notes':'Spoken to'}}");
}

static void a_review_need_not_say_anything(void **state)
{
    (void)state;
    given_flag();
    assert_answer(review_with("{}"), 200, REVIEWED "}}");
    assert_int_equal(fake_moderation.asked.review.decision, -1);
}

static void who_was_never_flagged_is_not_found(void **state)
{
    (void)state;
    assert_refused(review(), ERR_NOT_FOUND, NULL);
}

static void what_is_wrong_with_a_review_is_named(void **state)
{
    static const char *const bad[] = {"{'decision':'hang'}", "{'decision':1}", "{'notes':[]}"};
    (void)state;
    given_flag();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(review_with(bad[i])->err, ERR_INVALID_REQUEST);
    assert_calls("");
}

/* --- what else moderators see --- */

static void given_ended(void)
{
    struct session *s = given_active_session();
    s->status = SESSION_COMPLETED;
    s->end_reason = END_LEFT;
    (void)str_copy(STR("s3://bucket/x.webm"), s->recording_url, sizeof s->recording_url);
}

static void only_moderators_and_admins_see_the_recording(void **state)
{
    static const struct call_input input = {.id = SESSION};
    static const unsigned roles[] = {ROLE_MODERATOR, ROLE_ADMIN, ROLE_MODERATOR | ROLE_ADMIN};
    (void)state;
    given_ended();
    for (int i = 0; i < 3; i++) {
        struct caller *c = call_as(roles[i], MODERATOR, &rest_session_get, &input);
        assert_int_equal(c->status, 200);
        assert_non_null(strstr(c->body, "\"recordingUrl\":\"s3://bucket/x.webm\""));
    }
    assert_null(strstr(call_as(0, ANA, &rest_session_get, &input)->body, "recordingUrl"));
    assert_refused(call_as(0, EVE, &rest_session_get, &input), ERR_SESSION_NOT_FOUND, NULL);
    assert_refused(call_as(0, EVE, &rest_session_transcript, &input), ERR_SESSION_NOT_FOUND, NULL);
}

static void reading_a_session_by_right_of_a_role_is_audited(void **state)
{
    static const struct handler *const reads[] = {&rest_session_get, &rest_session_transcript};
    static const struct call_input input = {.id = SESSION};
    struct uuid session = id_of(SESSION);
    (void)state;
    for (int i = 0; i < 2; i++) {
        world_again(); /* no session: refused, and audited */
        assert_string_equal(call_as(ROLE_ADMIN, MODERATOR, reads[i], &input)->audit.action,
                            reads[i]->flow.name);
        given_ended();
        struct caller *c = call_as(ROLE_MODERATOR, MODERATOR, reads[i], &input);
        assert_string_equal(c->audit.action, reads[i]->flow.name);
        assert_true(uuid_eq(&c->audit.session_id, &session));
        assert_null(call_as(0, ANA, reads[i], &input)->audit.action);
        assert_null(call_as(0, EVE, reads[i], &input)->audit.action);
    }
}

static void reading_anothers_history_is_audited_also_when_it_is_refused(void **state)
{
    static const struct call_input bens = {.query = "userId=" BEN}, own = {.query = ""};
    struct uuid ben = id_of(BEN);
    (void)state;
    static const unsigned roles[] = {0, ROLE_MODERATOR, ROLE_ADMIN};
    for (int i = 0; i < 3; i++) {
        struct caller *c = call_as(roles[i], ANA, &rest_history, &bens);
        assert_int_equal(c->err, roles[i] == ROLE_ADMIN ? OK : ERR_FORBIDDEN);
        assert_string_equal(c->audit.action, "history.list");
        assert_true(uuid_eq(&c->audit.user_id, &ben));
        assert_null(call_as(roles[i], ANA, &rest_history, &own)->audit.action);
        assert_null(call_as(roles[i], BEN, &rest_history, &bens)->audit.action);
    }
}

/* --- the upstream --- */

static const struct scenario listing = {.given = given_flag, .start = list_open};
static const struct scenario reviewing = {.given = given_flag, .start = review};

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(lists_flags_with_what_was_reported),
        WORLD_TEST(lists_page_by_page),
        WORLD_TEST(a_review_closes_the_flag),
        WORLD_TEST(a_review_need_not_say_anything),
        WORLD_TEST(who_was_never_flagged_is_not_found),
        WORLD_TEST(what_is_wrong_with_a_review_is_named),
        WORLD_TEST(only_moderators_and_admins_see_the_recording),
        WORLD_TEST(reading_a_session_by_right_of_a_role_is_audited),
        WORLD_TEST(reading_anothers_history_is_audited_also_when_it_is_refused),
        FAILURE_TESTS_OF_CALL(listing),
        FAILURE_TESTS_OF_CALL(reviewing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
