/* The copies of running sessions in Redis: refreshed every minute, at once after a prompt, never too many at
 * a time. */
#include "flows/fakes/world.h"
#include "flows/job.h"
#include "flows/session_keys.h"
#include "tables.h"

static void refresh(void)
{
    flow_start(&(struct flow_start){.spec = &job_sessions_refresh});
    pass_ms(0);
}

static const struct kv_running *running(void)
{
    const struct kv_running *r = fake_kv_running(&session_row()->id);
    assert_non_null(r);
    return r;
}

static void a_new_conversation_is_there_at_once(void **state)
{
    (void)state;
    given_conversation(); /* with its first prompt */
    pass_ms(500);
    refresh();
    struct uuid ana = id_of(ANA), ben = id_of(BEN);
    assert_true(uuid_eq(&running()->user_ids[0], &ana) && uuid_eq(&running()->user_ids[1], &ben));
    assert_int_equal(running()->status, SESSION_ACTIVE);
    assert_int_equal(running()->started_at_ms, T0);
    assert_int_equal(running()->prompts_shown, 1);
    assert_int_equal(running()->heartbeat_ms[0], T0 + 500);
    assert_int_equal(running()->heartbeat_ms[1], T0 + 500);
}

static void between_refreshes_nothing_is_sent(void **state)
{
    (void)state;
    given_conversation();
    refresh();
    port_forget();
    pass_ms(59990);
    refresh();
    assert_int_equal(port_calls(KV_SESSIONS_REFRESH), 0);
    pass_ms(10);
    refresh();
    assert_int_equal(port_calls(KV_SESSIONS_REFRESH), 1);
    assert_int_equal(running()->heartbeat_ms[0], T0 + 60000);
}

static void a_prompt_is_seen_soon(void **state)
{
    (void)state;
    given_conversation();
    refresh();
    event_call(ANA, ANAS, &event_request_next_prompt, "{'sessionId':'" SESSION "'}");
    pass_ms(0);
    refresh();
    assert_int_equal(running()->prompts_shown, 2);
}

static void of_one_who_is_away_nothing_is_said(void **state)
{
    (void)state;
    given_conversation();
    refresh();
    socket_goes(BENS);
    pass_ms(19000);
    event_call(ANA, ANAS, &event_request_next_prompt, "{'sessionId':'" SESSION "'}");
    pass_ms(0);
    refresh();
    assert_int_equal(running()->heartbeat_ms[0], T0 + 19000);
    assert_int_equal(running()->heartbeat_ms[1], 0);
}

static void an_ended_session_is_not_refreshed(void **state)
{
    (void)state;
    given_conversation();
    rest_call(BEN, rest_session_end, .id = SESSION);
    pass_ms(70000);
    refresh();
    assert_int_equal(port_calls(KV_SESSIONS_REFRESH), 0);
    assert_false(fake_kv_has_session(&session_row()->id));
}

static void while_redis_is_away_nothing_is_tried(void **state)
{
    (void)state;
    given_conversation();
    fake_kv_goes_away();
    refresh();
    assert_int_equal(port_calls(KV_SESSIONS_REFRESH), 0);
    fake_kv_comes_back();
    refresh();
    assert_int_equal(port_calls(KV_SESSIONS_REFRESH), 1);
}

static void the_job_runs_by_itself(void **state)
{
    (void)state;
    jobs_start();
    given_conversation();
    pass_ms(1010);
    assert_int_equal(running()->prompts_shown, 1);
    pass_ms(61000);
    assert_in_range(running()->heartbeat_ms[0], T0 + 60000, T0 + 62010);
    jobs_stop();
    pass_ms(0);
}

/* --- many --- */

enum { MANY = 600 };

static void open_many(void)
{
    static const struct topic_prompt prompt = {"p.ice", PROMPT_ICEBREAKER, 1};
    static const struct db_session_prompts prompts = {.prompts = &prompt, .prompt_count = 1};
    for (int i = 0; i < MANY; i++) {
        struct session s = *session_row();
        s.id = uuid_random();
        live_open(&s, &prompts);
    }
}

static void many_that_came_together_are_spread(void **state)
{
    (void)state;
    static struct kv_running items[MANY];
    given_session();
    bus_goes_away(); /* or their rows would be looked at, and there are none */
    open_many();
    pass_ms(60000);
    assert_int_equal(session_keys_take(items, 250), 250);
    pass_ms(1000);
    assert_int_equal(session_keys_take(items, 250), 250);
    pass_ms(1000);
    assert_int_equal(session_keys_take(items, 250), MANY - 500);
    pass_ms(58000);
    assert_int_equal(session_keys_take(items, MANY), 250); /* each a minute after its own turn */
    pass_ms(1000);
    assert_int_equal(session_keys_take(items, MANY), 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_new_conversation_is_there_at_once),
        WORLD_TEST(between_refreshes_nothing_is_sent),
        WORLD_TEST(a_prompt_is_seen_soon),
        WORLD_TEST(of_one_who_is_away_nothing_is_said),
        WORLD_TEST(an_ended_session_is_not_refreshed),
        WORLD_TEST(while_redis_is_away_nothing_is_tried),
        WORLD_TEST(the_job_runs_by_itself),
        WORLD_TEST(many_that_came_together_are_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
