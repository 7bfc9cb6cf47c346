/* GET /users/me/export, DELETE /users/me/data, and the job that keeps what the latter promises. */
#include "flows/fakes/failures.h"

#include "flows/job.h"
#include "flows/matchmaker.h"

/* --- export --- */

static struct caller *export(void)
{
    struct caller *c = rest_call(ANA, rest_user_export, .id = NULL);
    pass_ms(0);
    return c;
}

static void an_export_has_every_part(void **state)
{
    (void)state;
    fake_privacy.rows[EXPORT_REQUESTS] = 2;
    fake_privacy.rows[EXPORT_FLAGS] = 1;
    assert_answer(export(), 200,
                  "{'userId':'" ANA "','exportedAt':'2025-01-15T10:00:00.000Z',"
                  "'matchRequests':[{'n':1},{'n':2}],'sessions':[],'pastPartners':[],'reportsWritten':[],"
                  "'blocks':[],'skills':[],'moderationFlags':[{'n':1}]}");
    assert_int_equal(port_calls(DB_EXPORT), EXPORT_PART_COUNT);
}

static void an_export_asks_for_all_pages(void **state)
{
    (void)state;
    fake_privacy.rows[EXPORT_SESSIONS] = 2 * DB_EXPORT_PAGE + 1;
    const struct caller *c = export();
    assert_int_equal(c->status, 200);
    assert_int_equal(port_calls(DB_EXPORT), EXPORT_PART_COUNT + 2);
    assert_non_null(strstr(c->body, "{\"n\":1000},{\"n\":1001}],\"pastPartners\""));
    world_again();
    fake_privacy.rows[EXPORT_SESSIONS] = DB_EXPORT_PAGE; /* full: there may be another one */
    export();
    assert_int_equal(port_calls(DB_EXPORT), EXPORT_PART_COUNT + 1);
}

static void given_rows(void)
{
    fake_privacy.rows[EXPORT_SESSIONS] = DB_EXPORT_PAGE + 3;
}

static const struct scenario exporting = {.given = given_rows, .start = export};

/* --- erase --- */

static struct caller *erase(void)
{
    struct caller *c = rest_call(ANA, rest_user_erase, .id = NULL);
    pass_ms(0);
    return c;
}

static bool is_kept(void)
{
    return uuid_is_nil(&fake_privacy.promised);
}

static void assert_kept(void)
{
    struct uuid ana = id_of(ANA);
    assert_true(is_kept());
    assert_int_equal(fake_privacy.steps_done, fake_privacy.steps);
    assert_int_equal(fake_privacy.events_done, fake_privacy.events);
    assert_true(uuid_eq(&fake_kv_user.forgotten, &ana));
}

static void erasing_is_promised_and_done(void **state)
{
    (void)state;
    fake_privacy.steps = 3;
    fake_privacy.events = 2;
    assert_answer(erase(), 202, "{'status':'erasing'}");
    assert_kept();
    assert_calls("db_erasure_request db_erasure_claim db_erasure_open kv_queue_remove"
                 " db_erasure_step db_erasure_step db_erasure_step db_erasure_step"
                 " db_erasure_events db_erasure_events db_erasure_events"
                 " kv_user_forget db_erasure_finish db_erasure_claim");
}

static void erasing_again_gives_the_same_answer(void **state)
{
    (void)state;
    erase();
    assert_answer(erase(), 202, "{'status':'erasing'}");
    assert_kept();
}

static void erasing_cancels_the_request(void **state)
{
    (void)state;
    given_topic();
    matchmaker_start();
    pass_ms(0);
    struct match_request *r = given_request(REQUEST_A, ANA);
    matchmaker_add(r);
    pass_ms(0);
    assert_int_equal(matchmaker_waiting(), 1);
    erase();
    assert_int_equal(r->status, MATCH_CANCELLED);
    assert_int_equal(matchmaker_waiting(), 0);
    assert_false(fake_kv_has_request(&r->id));
    assert_kept();
}

static void erasing_ends_the_conversation(void **state)
{
    (void)state;
    given_conversation();
    pass_ms(2 * MINUTE);
    erase();
    assert_row(SESSION_COMPLETED, END_LEFT);
    assert_null(live_one());
    assert_int_equal(times_told("session_ended"), 2);
    assert_kept();
}

static void erasing_disconnects_the_user(void **state)
{
    (void)state;
    socket_opens(ANAS, ANA);
    socket_opens(ANAS_SECOND, ANA);
    socket_opens(BENS, BEN);
    erase();
    assert_false(socket_is_open(ANAS));
    assert_false(socket_is_open(ANAS_SECOND));
    assert_true(socket_is_open(BENS));
    const char *said = next_published("user_events");
    while (said && strcmp(said, ANA " erased ") != 0)
        said = next_published("user_events");
    assert_non_null(said);
}

static void data_that_came_since_is_left_for_the_next_time(void **state)
{
    (void)state;
    fake_privacy.is_promised_again = true;
    erase();
    assert_false(is_kept());
    assert_int_equal(port_calls(DB_ERASURE_CLAIM), 1); /* not in a circle */
    job_users_erase_now();
    pass_ms(0);
    assert_kept();
}

static void nobody_is_asked_while_the_database_is_away(void **state)
{
    (void)state;
    fake_db_goes_away();
    job_users_erase_now();
    pass_ms(0);
    assert_calls("");
    fake_db_comes_back();
}

/* As when another service closes thousands of accounts. */
static void promises_that_come_together_are_kept_a_few_at_a_time(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        port_script_next(DB_ERASURE_CLAIM, (struct port_script){.is_held = true});
    for (int i = 0; i < 100; i++)
        job_users_erase_now();
    pass_ms(0);
    assert_int_equal(port_calls(DB_ERASURE_CLAIM), 2);
    assert_int_equal(flow_active_count(), 2);
    fake_privacy.promised = id_of(ANA); /* what they looked at had none yet */
    job_users_erase_now();
    port_release_of(DB_ERASURE_CLAIM);
    port_release_of(DB_ERASURE_CLAIM);
    pass_ms(0);
    assert_kept();
    assert_int_equal(flow_active_count(), 0);
}

static void one_that_fails_leaves_its_place(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        port_script_next(DB_ERASURE_CLAIM, (struct port_script){.err = ERR_DB_UNAVAILABLE});
        job_users_erase_now();
        pass_ms(0);
    }
    erase();
    assert_kept();
}

static void given_everything(void)
{
    given_conversation();
    given_request(REQUEST_A, ANA)->mode = MATCH_SCHEDULED;
    fake_privacy.steps = 2;
}

/* The caller hears of the promise alone; that it is kept, though a step failed or its answer was lost, is
 * seen after the claim has run out. */
static void then_it_is_kept(const struct attempt *a)
{
    if (a->caller && a->caller->err && !a->took_effect)
        return; /* nothing was promised */
    pass_ms(DB_ERASE_CLAIM_MS);
    if (!is_kept())
        job_users_erase_now();
    pass_ms(0);
    assert_kept();
    assert_true(session_is_over(session_row()));
    assert_int_equal(fake_db.requests[0].status, MATCH_CANCELLED);
}

static const struct scenario erasing = {.given = given_everything,
                                        .start = erase,
                                        .then = then_it_is_kept,
                                        .tolerated = ~PORT_BIT(DB_ERASURE_REQUEST)}; /* the rest is a job's */

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(an_export_has_every_part),
        WORLD_TEST(an_export_asks_for_all_pages),
        FAILURE_TESTS_OF_READ(exporting),
        WORLD_TEST(erasing_is_promised_and_done),
        WORLD_TEST(erasing_again_gives_the_same_answer),
        WORLD_TEST(erasing_cancels_the_request),
        WORLD_TEST(erasing_ends_the_conversation),
        WORLD_TEST(erasing_disconnects_the_user),
        WORLD_TEST(data_that_came_since_is_left_for_the_next_time),
        WORLD_TEST(nobody_is_asked_while_the_database_is_away),
        WORLD_TEST(promises_that_come_together_are_kept_a_few_at_a_time),
        WORLD_TEST(one_that_fails_leaves_its_place),
        FAILURE_TEST(every_upstream_fails, erasing),
        FAILURE_TEST(every_answer_is_lost, erasing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
