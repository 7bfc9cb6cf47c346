/* The jobs that sessions start (end, unjoin, clear, prompt), the sweep, and the table of periodic jobs. */
#include "flows/fakes/failures.h"

#include "flows/job.h"
#include "flows/matchmaker.h"
#include "tables.h"

static void run_job(const struct flow_spec *spec)
{
    flow_start(&(struct flow_start){.spec = spec});
    pass_ms(0);
}

/* --- sweep --- */

static void sweep(void)
{
    run_job(&job_sessions_sweep);
}

static void the_sweep_asks_with_the_configured_times(void **state)
{
    (void)state;
    sweep();
    assert_int_equal(fake_db.asked.sweep.join_window_ms, 60000);
    assert_in_range(fake_db.asked.sweep.slack_ms, 1000, 60000);
}

static void the_sweep_ends_what_was_left_active(void **state)
{
    (void)state;
    given_active_session(); /* for two minutes of fifteen; nobody is here */
    socket_opens(BENS, BEN);
    pass_ms(13 * MINUTE + 9000);
    sweep();
    assert_int_equal(session_row()->status, SESSION_ACTIVE); /* whoever owns it comes first */
    pass_ms(1000);
    sweep();
    assert_int_equal(session_row()->status, SESSION_COMPLETED);
    assert_int_equal(session_row()->end_reason, END_TIMEOUT);
    assert_told(BENS, "session_ended",
                "{'sessionId':'" SESSION "','reason':'timeout','durationSeconds':910}");
    assert_metric("conversations_completed_total{language=\"es\",duration_range=\"15-30m\"} 1");
    assert_int_equal(port_calls(KV_SESSION_CLEAR), 1);
}

static void the_sweep_expires_what_waited_too_long(void **state)
{
    (void)state;
    given_session()->first_joined_at_ms = T0;
    pass_ms(71000);
    sweep();
    assert_int_equal(session_row()->status, SESSION_EXPIRED);
    assert_int_equal(session_row()->end_reason, END_NO_SHOW);
}

static void the_sweep_closes_what_is_live_here(void **state)
{
    (void)state;
    given_conversation();
    session_row()->started_at_ms = T0 - 20 * MINUTE; /* somehow its timers did not do it */
    sweep();
    assert_null(live_one());
    assert_told(ANAS, "session_ended",
                "{'sessionId':'" SESSION "','reason':'timeout','durationSeconds':1200}");
    assert_false(socket_is_in_any(ANAS));
}

static void what_nobody_joined_is_deleted(void **state)
{
    (void)state;
    given_session();
    pass_ms(299000);
    run_job(&job_sessions_abandoned);
    assert_int_equal(fake_db.session_count, 1);
    pass_ms(1000);
    run_job(&job_sessions_abandoned);
    assert_int_equal(fake_db.session_count, 0);
    assert_int_equal(times_told("session_ended"), 0);
}

static struct caller *start_sweep(void)
{
    sweep();
    return NULL;
}

static void given_overdue(void)
{
    given_active_session()->started_at_ms = T0 - 60 * MINUTE;
}

static const struct scenario sweeping = {.given = given_overdue, .start = start_sweep};

/* --- instances, recover --- */

/* Alive for as long as it takes to know who else is: 15 s and the grace of 20 s. */
static void given_an_old_instance(void)
{
    jobs_start();
    pass_ms(36000);
    jobs_stop();
    pass_ms(0);
}

static void an_instance_says_that_it_is_alive(void **state)
{
    (void)state;
    jobs_start();
    pass_ms(10);
    assert_int_equal(fake_db.beats, 1); /* at once */
    pass_ms(20100);
    assert_int_equal(fake_db.beats, 5);
    assert_false(fake_db.is_stopped);
    jobs_stop();
    pass_ms(0);
    assert_true(fake_db.is_stopped);
    pass_ms(20000);
    assert_int_equal(fake_db.beats, 6);
}

static void a_sign_of_life_that_fails_is_followed_by_others(void **state)
{
    static const enum err errors[] = {ERR_DB_UNAVAILABLE, ERR_TIMEOUT, ERR_INTERNAL};
    (void)state;
    for (int i = 0; i < 3; i++) {
        world_again();
        port_script_next(DB_INSTANCE_BEAT, (struct port_script){.err = errors[i]});
        jobs_start();
        pass_ms(5100);
        assert_int_equal(fake_db.beats, 1);
        port_script_next(DB_INSTANCE_BEAT, (struct port_script){.err = errors[i]});
        jobs_stop();
        pass_ms(0);
        assert_int_equal(flow_active_count(), 0);
    }
}

static void a_session_that_nobody_came_back_to_is_dropped(void **state)
{
    (void)state;
    given_an_old_instance();
    struct session *s = given_active_session();
    fake_db.left_at_ms = world_now_ms() - 30000;
    run_job(&job_sessions_recover);
    pass_ms(10);
    assert_row(SESSION_COMPLETED, END_DROPPED);
    assert_int_equal(s->ended_at_ms, fake_db.left_at_ms); /* when who ran it was last seen */
    assert_int_equal(fake_db.asked.left_grace_ms, 20000);
    assert_int_equal(flow_active_count(), 0);
}

static void a_session_that_someone_came_back_to_goes_on(void **state)
{
    (void)state;
    given_an_old_instance();
    given_active_session();
    socket_opens(ANAS, ANA);
    joins(ANA, ANAS);
    socket_opens(BENS, BEN);
    joins(BEN, BENS);
    run_job(&job_sessions_recover);
    pass_ms(30000);
    assert_row(SESSION_ACTIVE, END_NONE);
}

static void who_has_just_begun_judges_nobody(void **state)
{
    (void)state;
    given_active_session();
    jobs_start();
    pass_ms(34000);
    assert_int_equal(port_calls(DB_SESSIONS_LEFT), 0);
    assert_row(SESSION_ACTIVE, END_NONE);
    pass_ms(16000);
    assert_row(SESSION_COMPLETED, END_DROPPED);
    jobs_stop();
}

/* All the others look dead until they, too, have reached the database. */
static void who_has_just_found_the_database_again_judges_nobody(void **state)
{
    (void)state;
    jobs_start();
    pass_ms(40000);
    fake_db_goes_away();
    pass_ms(60000);
    given_active_session();
    fake_db_comes_back();
    port_forget();
    pass_ms(34000);
    assert_int_equal(port_calls(DB_SESSIONS_LEFT), 0);
    pass_ms(21000);
    assert_row(SESSION_COMPLETED, END_DROPPED);
    jobs_stop();
}

static void given_left(void)
{
    given_an_old_instance();
    given_active_session();
}

static struct caller *start_recover(void)
{
    run_job(&job_sessions_recover);
    return NULL;
}

static const struct scenario recovering = {.given = given_left, .start = start_recover};

/* --- the jobs of a session --- */

static struct caller *start_unjoin(void)
{
    struct uuid session = id_of(SESSION), ana = id_of(ANA);
    job_session_unjoin(&session, &ana, 1);
    pass_ms(0);
    return NULL;
}

static struct caller *start_clear(void)
{
    job_session_clear(session_row());
    pass_ms(0);
    return NULL;
}

static struct caller *start_put(void)
{
    job_session_put(session_row(), 3);
    pass_ms(0);
    return NULL;
}

static struct caller *start_look(void)
{
    job_session_look(&session_row()->id);
    pass_ms(0);
    return NULL;
}

static struct caller *start_prompt_store(void)
{
    job_prompt_store(&session_row()->id, &fake_db.topics[0].prompts[0]);
    pass_ms(0);
    return NULL;
}

static struct caller *start_end(void)
{
    job_session_end(&(struct db_session_ending){.id = id_of(SESSION), .event = SESSION_EVENT_LIMIT});
    pass_ms(0);
    return NULL;
}

static void unjoin_takes_the_join_back(void **state)
{
    (void)state;
    given_session()->participants[0].joined_at_ms = T0;
    pass_ms(1000);
    start_unjoin();
    assert_int_equal(session_row()->participants[0].joined_at_ms, 0);
    assert_calls("db_session_unjoin");
}

static void clear_takes_the_keys_away(void **state)
{
    (void)state;
    given_conversation();
    assert_true(fake_kv_has_session(&session_row()->id));
    start_clear();
    assert_false(fake_kv_has_session(&session_row()->id));
}

static void put_makes_the_keys(void **state)
{
    (void)state;
    given_active_session();
    start_put();
    assert_int_equal(fake_kv_prompts_shown(&session_row()->id), 3);
}

static void a_look_carries_the_end_to_who_is_here(void **state)
{
    (void)state;
    given_conversation();
    session_row()->status = SESSION_COMPLETED; /* by whomever */
    session_row()->end_reason = END_COMPLETED;
    start_look();
    assert_null(live_one());
    assert_told(ANAS, "session_ended",
                "{'sessionId':'" SESSION "','reason':'completed','durationSeconds':0}");
    assert_told(BENS, "session_ended",
                "{'sessionId':'" SESSION "','reason':'completed','durationSeconds':0}");
    assert_false(fake_kv_has_session(&session_row()->id));
    sockets_forget();
    start_look();
    assert_told_nothing(ANAS);
}

static void a_look_at_what_runs_changes_nothing(void **state)
{
    (void)state;
    given_conversation();
    start_look();
    assert_non_null(live_one());
    assert_told_nothing(ANAS);
    assert_calls("db_session_get");
}

static void a_look_waits_for_the_database(void **state)
{
    (void)state;
    given_conversation();
    fake_db_goes_away();
    start_look();
    pass_ms(10000);
    assert_non_null(live_one());
    session_row()->status = SESSION_ABORTED;
    fake_db_comes_back();
    pass_ms(1100);
    assert_null(live_one());
}

static void prompt_store_keeps_what_was_shown(void **state)
{
    (void)state;
    given_active_session();
    start_prompt_store();
    assert_int_equal(fake_db.shown_count, 1);
    assert_string_equal(fake_db.shown[0].key, "p.ice");
}

static void end_of_an_unknown_session_is_over_at_once(void **state)
{
    (void)state;
    start_end();
    assert_int_equal(flow_active_count(), 0);
}

static void end_of_an_ended_session_tells_nobody(void **state)
{
    (void)state;
    given_active_session()->status = SESSION_COMPLETED;
    socket_opens(ANAS, ANA);
    start_end();
    assert_told_nothing(ANAS);
    assert_int_equal(port_calls(KV_SESSION_CLEAR), 0);
}

static void given_active(void)
{
    given_active_session();
}

static const struct scenario unjoining = {.given = given_active, .start = start_unjoin};
static const struct scenario clearing = {.given = given_active, .start = start_clear};
static const struct scenario putting = {.given = given_active, .start = start_put};
static const struct scenario looking = {.given = given_active, .start = start_look};
static const struct scenario storing = {.given = given_active, .start = start_prompt_store};

static void it_ended(const struct attempt *a)
{
    pass_ms(2000);
    if (a->port == DB_SESSION_END && (a->err == ERR_DB_UNAVAILABLE || a->err == ERR_TIMEOUT))
        assert_int_equal(session_row()->status, SESSION_COMPLETED); /* it was tried again */
}

static const struct scenario ending_by_timer = {.given = given_active, .start = start_end, .then = it_ended};

/* --- the table --- */

static void the_periodic_jobs_run_soon_and_then_at_their_intervals(void **state)
{
    (void)state;
    config.session_cleanup_interval_ms = 300000;
    jobs_start();
    pass_ms(10000);
    assert_int_equal(port_calls(DB_SESSIONS_SWEEP), 1);
    pass_ms(5 * MINUTE);
    assert_int_equal(port_calls(DB_SESSIONS_SWEEP), 2);
    jobs_stop();
    pass_ms(0);
    port_forget();
    pass_ms(10 * MINUTE);
    assert_calls("");
}

static void a_job_that_still_runs_is_not_started_again(void **state)
{
    (void)state;
    config.session_cleanup_interval_ms = 1000;
    port_script_next(DB_SESSIONS_SWEEP, (struct port_script){.delay_ms = 20000});
    jobs_start();
    pass_ms(21000);
    assert_int_equal(port_calls(DB_SESSIONS_SWEEP), 1);
    pass_ms(5000);
    assert_in_range(port_calls(DB_SESSIONS_SWEEP), 3, 6);
    jobs_stop();
}

static void a_job_that_failed_runs_again(void **state)
{
    (void)state;
    config.session_cleanup_interval_ms = 1000;
    fake_db_goes_away();
    jobs_start();
    pass_ms(10000);
    assert_in_range(port_calls(DB_SESSIONS_SWEEP), 8, 10);
    jobs_stop();
}

/* --- popularity --- */

static void popularity_is_of_the_last_thirty_days_and_listed_at_once(void **state)
{
    (void)state;
    given_topic();
    struct caller *before = rest_call(ANA, rest_topics_list, .query = "targetLanguageCode=es");
    pass_ms(0);
    assert_non_null(strstr(before->body, "\"popularityScore\":0.5"));
    fake_projection.score_changes = 1;
    run_job(&job_topics_popularity);
    assert_int_equal(fake_projection.popular_since_ms, T0 - 30 * INT64_C(86400000));
    struct caller *after = rest_call(ANA, rest_topics_list, .query = "targetLanguageCode=es");
    pass_ms(0);
    assert_non_null(strstr(after->body, "\"popularityScore\":1"));
}

static void popularity_can_wait_for_the_database(void **state)
{
    static const enum err errors[] = {ERR_DB_UNAVAILABLE, ERR_TIMEOUT, ERR_INTERNAL};
    (void)state;
    for (int i = 0; i < 3; i++) {
        world_again();
        port_script_next(DB_POPULARITY_COMPUTE, (struct port_script){.err = errors[i]});
        run_job(&job_topics_popularity);
        assert_int_equal(flow_active_count(), 0);
    }
    fake_db_goes_away();
    port_forget();
    run_job(&job_topics_popularity);
    assert_calls("");
    fake_db_comes_back();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(the_sweep_asks_with_the_configured_times),
        WORLD_TEST(the_sweep_ends_what_was_left_active),
        WORLD_TEST(the_sweep_expires_what_waited_too_long),
        WORLD_TEST(the_sweep_closes_what_is_live_here),
        WORLD_TEST(what_nobody_joined_is_deleted),
        FAILURE_TESTS_OF_JOB(sweeping),
        WORLD_TEST(an_instance_says_that_it_is_alive),
        WORLD_TEST(a_sign_of_life_that_fails_is_followed_by_others),
        WORLD_TEST(a_session_that_nobody_came_back_to_is_dropped),
        WORLD_TEST(a_session_that_someone_came_back_to_goes_on),
        WORLD_TEST(who_has_just_begun_judges_nobody),
        WORLD_TEST(who_has_just_found_the_database_again_judges_nobody),
        FAILURE_TEST(every_upstream_fails, recovering),
        FAILURE_TEST(every_answer_is_lost, recovering),
        WORLD_TEST(unjoin_takes_the_join_back),
        WORLD_TEST(clear_takes_the_keys_away),
        WORLD_TEST(put_makes_the_keys),
        WORLD_TEST(a_look_carries_the_end_to_who_is_here),
        WORLD_TEST(a_look_at_what_runs_changes_nothing),
        WORLD_TEST(a_look_waits_for_the_database),
        WORLD_TEST(prompt_store_keeps_what_was_shown),
        WORLD_TEST(end_of_an_unknown_session_is_over_at_once),
        WORLD_TEST(end_of_an_ended_session_tells_nobody),
        FAILURE_TESTS_OF_JOB(unjoining),
        FAILURE_TESTS_OF_JOB(clearing),
        FAILURE_TESTS_OF_JOB(putting),
        FAILURE_TESTS_OF_JOB(looking),
        FAILURE_TESTS_OF_JOB(storing),
        FAILURE_TEST(every_upstream_fails, ending_by_timer),
        FAILURE_TEST(every_answer_is_lost, ending_by_timer),
        WORLD_TEST(the_periodic_jobs_run_soon_and_then_at_their_intervals),
        WORLD_TEST(a_job_that_still_runs_is_not_started_again),
        WORLD_TEST(a_job_that_failed_runs_again),
        WORLD_TEST(popularity_is_of_the_last_thirty_days_and_listed_at_once),
        WORLD_TEST(popularity_can_wait_for_the_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
