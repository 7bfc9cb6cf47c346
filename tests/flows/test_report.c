/* Reports: POST /sessions/:id/report and the event report_partner. */
#include "flows/fakes/failures.h"
#include "flows/fakes/waiting.h"
#include "flows/matchmaker.h"

#define SPAM "{'reason':'spam','details':'Buy now'}"

static struct caller *report_with(const char *user_id, const char *body)
{
    struct caller *c = rest_call(user_id, rest_session_report, .id = SESSION, .body = body);
    pass_ms(0);
    return c;
}

static struct caller *report(void)
{
    return report_with(ANA, SPAM);
}

static struct caller *report_by_event(void)
{
    struct caller *c = event_call(ANA, ANAS, &event_report_partner,
                                  "{'sessionId':'" SESSION "','reason':'spam','details':'Buy now'}");
    pass_ms(0);
    return c;
}

static void given_ended(void)
{
    given_conversation();
    session_row()->status = SESSION_COMPLETED;
    session_row()->end_reason = END_LEFT;
    live_forget(&session_row()->id);
    sockets_forget();
}

static void assert_accepted(const struct caller *c)
{
    char expected[128];
    assert_int_equal(fake_moderation.report_count, 1);
    const struct uuid *id = &fake_moderation.reports[0].id;
    snprintf(expected, sizeof expected,
             c->socket_id ? "{'status':'ok','reportId':'%s'}" : "{'success':true,'reportId':'%s'}",
             UUIDZ(id));
    assert_answer(c, c->socket_id ? 0 : 200, expected);
}

static void assert_stored(void)
{
    const struct fake_report *r = &fake_moderation.reports[0];
    struct uuid session = id_of(SESSION), ana = id_of(ANA), ben = id_of(BEN);
    assert_true(uuid_eq(&r->session_id, &session));
    assert_true(uuid_eq(&r->reporter_id, &ana));
    assert_true(uuid_eq(&r->reported_user_id, &ben));
    assert_int_equal(r->reason, REPORT_SPAM);
    assert_string_equal(r->details, "Buy now");
}

static void a_session_that_is_over_may_be_reported(void **state)
{
    (void)state;
    given_ended();
    pass_ms(24 * 60 * MINUTE); /* however long ago */
    port_forget();
    assert_accepted(report());
    assert_stored();
    assert_calls("db_session_report");
    assert_row(SESSION_COMPLETED, END_LEFT);
    assert_int_equal(times_told("session_ended"), 0);
    assert_metric("reports_total{reason=\"spam\"} 1");
}

static void from_a_socket_it_is_the_same(void **state)
{
    (void)state;
    given_ended();
    assert_accepted(report_by_event());
    assert_stored();
}

static void assert_both_told_of_the_end(void)
{
    assert_told(BENS, "partner_left", "{'partnerId':'" ANA "','reason':'ended'}");
    assert_told(BENS, "session_ended", "{'sessionId':'" SESSION "','reason':'error','durationSeconds':30}");
    assert_told(ANAS, "session_ended", "{'sessionId':'" SESSION "','reason':'error','durationSeconds':30}");
    assert_told_nothing(ANAS);
    assert_told_nothing(BENS);
}

static void a_running_session_ends(void **state)
{
    struct caller *(*const ways[])(void) = {report, report_by_event};
    (void)state;
    for (int i = 0; i < 2; i++) {
        world_again();
        given_conversation();
        pass_ms(30000);
        sockets_forget();
        assert_accepted(ways[i]());
        assert_row(SESSION_COMPLETED, END_REPORTED); /* also within the first minute */
        assert_both_told_of_the_end();
        assert_null(live_one());
        assert_metric("conversations_completed_total{language=\"es\",duration_range=\"0-1m\"} 1");
    }
}

static void a_waiting_session_is_cancelled(void **state)
{
    (void)state;
    given_session();
    socket_opens(BENS, BEN);
    assert_accepted(report());
    assert_row(SESSION_CANCELLED, END_REPORTED);
    assert_told(BENS, "session_ended", "{'sessionId':'" SESSION "','reason':'error','durationSeconds':0}");
}

static void again_is_the_same_answer_and_the_first_is_kept(void **state)
{
    (void)state;
    given_ended();
    assert_accepted(report());
    assert_accepted(report_with(ANA, "{'reason':'other'}"));
    assert_accepted(report_by_event());
    assert_stored();
    assert_metric("reports_total{reason=\"spam\"} 1");
}

static void both_may_report_each_other(void **state)
{
    (void)state;
    given_ended();
    assert_int_equal(report()->status, 200);
    assert_int_equal(report_with(BEN, "{'reason':'other'}")->status, 200);
    assert_int_equal(fake_moderation.report_count, 2);
    assert_string_equal(fake_moderation.reports[1].details, "");
}

static void empty_details_are_none(void **state)
{
    (void)state;
    given_ended();
    assert_int_equal(report_with(ANA, "{'reason':'other','details':''}")->status, 200);
    assert_string_equal(fake_moderation.reports[0].details, "");
}

static void a_stranger_finds_no_session(void **state)
{
    (void)state;
    given_conversation();
    assert_refused(report_with(EVE, SPAM), ERR_SESSION_NOT_FOUND, NULL);
    assert_int_equal(fake_moderation.report_count, 0);
    assert_row(SESSION_ACTIVE, END_NONE);
    fake_db.session_count = 0;
    assert_refused(report_with(EVE, SPAM), ERR_SESSION_NOT_FOUND, NULL);
}

/* Nor one who may see every session: there is nobody such a report could be on. */
static void a_moderator_reports_only_own_partners(void **state)
{
    (void)state;
    given_conversation();
    struct caller *c = caller_of(EVE);
    c->who.roles = ROLE_MODERATOR | ROLE_ADMIN;
    caller_start(c, &rest_session_report, &(struct call_input){.id = SESSION, .body = SPAM});
    pass_ms(0);
    assert_refused(c, ERR_SESSION_NOT_FOUND, NULL);
}

static void what_is_wrong_is_named(void **state)
{
    static const char *const bad[] = {"{}",
                                      "{'reason':'boring'}",
                                      "{'reason':3}",
                                      "{'reason':null}",
                                      "{'reason':'spam','details':7}",
                                      "{'reason':'spam','details':{}}"};
    (void)state;
    given_conversation();
    port_forget();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(report_with(ANA, bad[i])->err, ERR_INVALID_REQUEST);
    assert_calls("");
    assert_row(SESSION_ACTIVE, END_NONE);
}

static void details_have_at_most_1000_code_points(void **state)
{
    char body[4200] = "{'reason':'spam','details':'";
    (void)state;
    given_ended();
    for (int i = 0; i < 1000; i++)
        strcat(body, "é");
    strcat(body, "'}");
    assert_int_equal(report_with(ANA, body)->status, 200);
    strcpy(body + strlen(body) - 2, "é'}");
    assert_int_equal(report_with(BEN, body)->err, ERR_INVALID_REQUEST);
}

static void every_reason_is_taken(void **state)
{
    static const char *const reasons[] = {"inappropriate", "harassment", "spam", "minor_safety", "other"};
    (void)state;
    for (int i = 0; i < REPORT_REASON_COUNT; i++) {
        char body[64];
        world_again();
        given_ended();
        snprintf(body, sizeof body, "{'reason':'%s'}", reasons[i]);
        assert_int_equal(report_with(ANA, body)->status, 200);
        assert_int_equal(fake_moderation.reports[0].reason, i);
    }
}

static void one_who_is_flagged_is_counted(void **state)
{
    (void)state;
    given_ended();
    fake_moderation.flags_the_reported = true;
    report();
    report();
    assert_metric("users_flagged_total 1");
}

static void what_else_the_two_have_arranged_is_called_off(void **state)
{
    (void)state;
    given_conversation();
    struct session *later = &fake_db.sessions[fake_db.session_count++];
    *later = fake_db.sessions[0];
    later->id = id_of("55555555-0000-4000-8000-00000000000f");
    later->status = SESSION_WAITING;
    later->scheduled_at_ms = T0 + 3600000;
    later->started_at_ms = later->participants[0].joined_at_ms = later->participants[1].joined_at_ms = 0;
    assert_accepted(report());
    pass_ms(0);
    assert_row(SESSION_COMPLETED, END_REPORTED);
    assert_int_equal(later->status, SESSION_CANCELLED);
    assert_int_equal(later->end_reason, END_LEFT);
}

/* Deleted by the sweep between the two statements: then it is over as well. */
static void a_session_that_vanished_meanwhile_is_reported_all_the_same(void **state)
{
    (void)state;
    given_session();
    port_script_next(DB_SESSION_END, (struct port_script){.err = ERR_SESSION_NOT_FOUND});
    assert_accepted(report());
}

/* --- the reporter's own request learns of it --- */

static void who_waits_is_not_paired_with_the_reported(void **state)
{
    (void)state;
    given_matchmaker();
    given_session()->status = SESSION_EXPIRED;
    arrives(REQUEST_A, ANA);
    assert_int_equal(report()->status, 200);
    arrives(REQUEST_B, BEN);
    pass_ms(10000);
    assert_status(REQUEST_A, MATCH_PENDING);
    assert_int_equal(port_calls(DB_MATCH_CLAIM), 0);
    assert_int_equal(matchmaker_waiting(), 2);
}

/* --- the upstream --- */

/* A report that may be stored has ended its session, and both were told once; or nothing happened. */
static void report_and_session_agree(const struct attempt *a)
{
    pass_ms(3000);
    bool is_stored = fake_moderation.report_count == 1;
    if (a->caller->err == OK)
        assert_true(is_stored);
    assert_int_equal(session_is_over(session_row()), is_stored);
    assert_int_equal(live_one() == NULL, is_stored);
    assert_int_equal(times_told("session_ended"), is_stored ? 2 : 0);
    if (is_stored)
        assert_row(SESSION_COMPLETED, END_REPORTED);
}

static const struct scenario reporting = {.given = given_conversation,
                                          .start = report,
                                          .then = report_and_session_agree,
                                          .tolerated = PORT_BIT(KV_SESSION_CLEAR)};
static const struct scenario reporting_by_event = {.given = given_conversation,
                                                   .start = report_by_event,
                                                   .then = report_and_session_agree,
                                                   .tolerated = PORT_BIT(KV_SESSION_CLEAR)};
static const struct scenario reporting_afterwards = {.given = given_ended, .start = report};

static void reported_while(enum port port, enum err how)
{
    world_again();
    given_conversation();
    port_script_next(port, (struct port_script){.is_held = true});
    struct caller *c = report();
    if (how == ERR_TIMEOUT)
        pass_ms(5100);
    else
        flow_cancel(c->flow, how);
    pass_ms(0);
    assert_int_equal(c->answers, 1);
    assert_int_equal(c->err, how);
    port_release();
    pass_ms(2000);
    assert_int_equal(fake_moderation.report_count, 1);
    assert_stored();
    assert_row(SESSION_COMPLETED, END_REPORTED);
    assert_null(live_one());
    assert_int_equal(times_told("session_ended"), 2);
}

static void a_report_that_nobody_waits_for_any_more_is_carried_through(void **state)
{
    (void)state;
    reported_while(DB_SESSION_REPORT, ERR_CANCELLED);
    reported_while(DB_SESSION_REPORT, ERR_TIMEOUT);
    reported_while(DB_SESSION_END, ERR_CANCELLED);
    reported_while(DB_SESSION_END, ERR_TIMEOUT);
}

static void a_report_whose_answer_is_lost_is_carried_through(void **state)
{
    static const enum port ports[] = {DB_SESSION_REPORT, DB_SESSION_END};
    (void)state;
    for (int i = 0; i < 2; i++) {
        world_again();
        given_conversation();
        port_script_next(ports[i], (struct port_script){.err = ERR_DB_UNAVAILABLE, .is_lost = true});
        assert_refused(report(), ERR_DB_UNAVAILABLE, NULL);
        pass_ms(2000);
        assert_row(SESSION_COMPLETED, END_REPORTED);
        assert_int_equal(fake_moderation.report_count, 1);
        assert_int_equal(times_told("session_ended"), 2);
    }
}

static void while_the_database_is_away_the_report_waits_for_it(void **state)
{
    (void)state;
    given_conversation();
    fake_db_goes_away();
    assert_refused(report(), ERR_DB_UNAVAILABLE, NULL);
    pass_ms(20000);
    assert_int_equal(fake_moderation.report_count, 0);
    fake_db_comes_back();
    pass_ms(2000);
    assert_stored();
    assert_row(SESSION_COMPLETED, END_REPORTED);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(a_session_that_is_over_may_be_reported),
        WORLD_TEST(from_a_socket_it_is_the_same),
        WORLD_TEST(a_running_session_ends),
        WORLD_TEST(a_waiting_session_is_cancelled),
        WORLD_TEST(again_is_the_same_answer_and_the_first_is_kept),
        WORLD_TEST(both_may_report_each_other),
        WORLD_TEST(empty_details_are_none),
        WORLD_TEST(a_stranger_finds_no_session),
        WORLD_TEST(a_moderator_reports_only_own_partners),
        WORLD_TEST(what_is_wrong_is_named),
        WORLD_TEST(details_have_at_most_1000_code_points),
        WORLD_TEST(every_reason_is_taken),
        WORLD_TEST(one_who_is_flagged_is_counted),
        WORLD_TEST(what_else_the_two_have_arranged_is_called_off),
        WORLD_TEST(a_session_that_vanished_meanwhile_is_reported_all_the_same),
        WORLD_TEST(who_waits_is_not_paired_with_the_reported),
        FAILURE_TEST(every_upstream_fails, reporting),
        FAILURE_TEST(every_upstream_fails, reporting_by_event),
        FAILURE_TEST(every_upstream_fails, reporting_afterwards),
        WORLD_TEST(a_report_that_nobody_waits_for_any_more_is_carried_through),
        WORLD_TEST(a_report_whose_answer_is_lost_is_carried_through),
        WORLD_TEST(while_the_database_is_away_the_report_waits_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
