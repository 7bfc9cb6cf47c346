/* The port's operations on a real Redis: what they leave there, and how they answer when Redis refuses. */
#include "integration/redis/harness.h"

/* --- the queue --- */

static const char queue_key[] = "match_queue:en-GB:B1:restaurant.ordering";

static void test_a_request_is_in_the_set_and_has_its_hash(void **state)
{
    (void)state;
    struct match_request r = some_request();
    assert_int_equal(queue_add_now(&r), OK);

    assert_string_equal(look_text("TYPE %s", queue_key), "zset");
    assert_int_equal(atoll(look_text("ZSCORE %s %s", queue_key, UUIDZ(&r.id))), r.created_at_ms);
    assert_string_equal(look_text("HGET match_request:%s userId", UUIDZ(&r.id)), UUIDZ(&r.user_id));
    assert_string_equal(look_text("HGET match_request:%s level", UUIDZ(&r.id)), "B1");
    assert_string_equal(look_text("HGET match_request:%s tier", UUIDZ(&r.id)), "premium");
    assert_string_equal(look_text("HGET match_request:%s topicCategory", UUIDZ(&r.id)), "travel");
    assert_string_equal(look_text("HGET match_request:%s preferredPartnerLevel", UUIDZ(&r.id)), "any");
    assert_int_equal(look_int("HEXISTS match_request:%s preferredAccent", UUIDZ(&r.id)), 1);
    assert_int_equal(look_int("HSTRLEN match_request:%s preferredAccent", UUIDZ(&r.id)), 0);
    assert_in_range(look_int("TTL match_request:%s", UUIDZ(&r.id)), 90, 150);
    assert_in_range(look_int("TTL %s", queue_key), 270, 300);
}

static void test_a_scheduled_request_is_placed_at_its_time(void **state)
{
    (void)state;
    struct match_request r = some_request();
    r.scheduled_for_ms = r.created_at_ms;
    r.created_at_ms -= INT64_C(86400000);
    assert_int_equal(queue_add_now(&r), OK);
    assert_int_equal(atoll(look_text("ZSCORE %s %s", queue_key, UUIDZ(&r.id))), r.scheduled_for_ms);
}

static void test_no_lifetime_is_longer_than_300_seconds(void **state)
{
    (void)state;
    struct match_request r = some_request();
    r.expires_at_ms = r.created_at_ms + 3600000;
    assert_int_equal(queue_add_now(&r), OK);
    assert_in_range(look_int("TTL match_request:%s", UUIDZ(&r.id)), 270, 300);
}

static void test_removing_leaves_nothing_of_the_request(void **state)
{
    (void)state;
    struct match_request r = some_request(), other = some_request();
    assert_int_equal(queue_add_now(&r), OK);
    assert_int_equal(queue_add_now(&other), OK);
    struct call remove = {.submit = submit_queue_remove, .request = &r};
    assert_int_equal(call_and_wait(&remove), OK);

    assert_int_equal(look_int("EXISTS match_request:%s", UUIDZ(&r.id)), 0);
    assert_int_equal(look_int("ZSCORE %s %s", queue_key, UUIDZ(&r.id)), -1);
    assert_int_equal(look_int("EXISTS match_request:%s", UUIDZ(&other.id)), 1);
    assert_true(look_int("ZSCORE %s %s", queue_key, UUIDZ(&other.id)) > 0);
    assert_int_equal(call_and_wait(&remove), OK); /* again: harmless */
}

static void test_members_nobody_removed_go_with_a_later_add(void **state)
{
    (void)state;
    struct match_request r = some_request();
    long long old_ms = (long long)clock_now_ms() - 3601000;
    assert_int_equal(look_int("ZADD %s %lld left-behind", queue_key, old_ms), 1);
    assert_int_equal(queue_add_now(&r), OK);
    assert_int_equal(look_int("ZSCORE %s left-behind", queue_key), -1);
}

static struct uuid no_ids[1];

static void submit_remove_none(struct flow *f, struct call *c)
{
    (void)c;
    kv_queue_remove(f, no_ids, 0);
}

static void test_removing_none_reports_too(void **state)
{
    (void)state;
    assert_int_equal(call_and_wait(&(struct call){.submit = submit_remove_none}), OK);
}

static void test_a_thousand_at_once(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static struct match_request requests[COUNT];
    static struct call calls[COUNT];
    for (int i = 0; i < COUNT; i++) {
        requests[i] = some_request();
        strcpy(requests[i].topic_code, "crowd");
        calls[i] = (struct call){.submit = submit_queue_add, .request = &requests[i]};
        call_start(&calls[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        run_until(calls[i].is_done);
        assert_int_equal(calls[i].err, OK);
    }
    assert_int_equal(look_int("ZCARD match_queue:en-GB:B1:crowd"), COUNT);
}

/* --- sessions --- */

static void test_a_session_is_kept(void **state)
{
    (void)state;
    struct session s = some_session();
    struct uuid_text id = uuid_text(&s.id), a = uuid_text(&s.participants[0].user_id),
                     b = uuid_text(&s.participants[1].user_id);
    char both[80];
    snprintf(both, sizeof both, "%s,%s", a.z, b.z);
    assert_int_equal(call_and_wait(&(struct call){.submit = submit_session_put, .session = &s}), OK);

    assert_string_equal(look_text("HGET session:%s status", id.z), "active");
    assert_string_equal(look_text("HGET session:%s participantIds", id.z), both);
    assert_string_equal(look_text("HGET session:%s startedAt", id.z), "1736936940000");
    assert_string_equal(look_text("HGET session:%s promptIndex", id.z), "2");
    assert_int_equal(look_int("HSTRLEN session:%s owner", id.z), UUID_TEXT_LENGTH);
    assert_string_equal(look_text("GET user_session:%s", a.z), id.z);
    assert_string_equal(look_text("GET user_session:%s", b.z), id.z);
    assert_in_range(look_int("TTL session:%s", id.z), 3590, 3600);
    assert_in_range(look_int("TTL user_session:%s", b.z), 3590, 3600);
}

static struct kv_running running;

static void submit_refresh(struct flow *f, struct call *c)
{
    (void)c;
    kv_sessions_refresh(f, &running, 1);
}

static void test_a_running_session_is_kept_up(void **state)
{
    (void)state;
    running = (struct kv_running){.id = uuid_random(),
                                  .user_ids = {uuid_random(), uuid_random()},
                                  .status = SESSION_ACTIVE,
                                  .started_at_ms = 1736936940000,
                                  .prompts_shown = 3,
                                  .is_owner = true,
                                  .heartbeat_ms = {1736936990000, 0}};
    struct uuid_text id = uuid_text(&running.id), a = uuid_text(&running.user_ids[0]),
                     b = uuid_text(&running.user_ids[1]);
    look_text("HSET session:%s lastHeartbeat:%s 17 owner another", id.z, b.z); /* as another instance says */
    assert_int_equal(call_and_wait(&(struct call){.submit = submit_refresh}), OK);
    assert_string_equal(look_text("HGET session:%s status", id.z), "active");
    assert_string_equal(look_text("HGET session:%s startedAt", id.z), "1736936940000");
    assert_string_equal(look_text("HGET session:%s promptIndex", id.z), "3");
    assert_int_equal(look_int("HSTRLEN session:%s participantIds", id.z), 2 * UUID_TEXT_LENGTH + 1);
    assert_string_equal(look_text("HGET session:%s lastHeartbeat:%s", id.z, a.z), "1736936990000");
    assert_string_equal(look_text("HGET session:%s lastHeartbeat:%s", id.z, b.z), "17");
    assert_int_equal(look_int("HSTRLEN session:%s owner", id.z), UUID_TEXT_LENGTH);
    assert_in_range(look_int("TTL session:%s", id.z), 3590, 3600);
    assert_in_range(look_int("TTL user_session:%s", a.z), 3590, 3600);
    assert_int_equal(look_int("EXISTS user_session:%s", b.z), 0);

    struct uuid_text owner = uuid_text(&running.user_ids[1]);
    look_text("HSET session:%s owner %s", id.z, owner.z);
    running.is_owner = false;
    assert_int_equal(call_and_wait(&(struct call){.submit = submit_refresh}), OK);
    assert_string_equal(look_text("HGET session:%s owner", id.z), owner.z);
}

static void test_clearing_spares_the_next_session(void **state)
{
    (void)state;
    struct session s = some_session();
    struct uuid_text id = uuid_text(&s.id), a = uuid_text(&s.participants[0].user_id),
                     b = uuid_text(&s.participants[1].user_id);
    assert_int_equal(call_and_wait(&(struct call){.submit = submit_session_put, .session = &s}), OK);
    look_text("SET user_session:%s the-next-one", b.z);
    assert_int_equal(call_and_wait(&(struct call){.submit = submit_session_clear, .session = &s}), OK);

    assert_int_equal(look_int("EXISTS session:%s user_session:%s", id.z, a.z), 0);
    assert_string_equal(look_text("GET user_session:%s", b.z), "the-next-one");
}

/* --- rate limits --- */

static void test_a_limit_is_exact_and_says_when(void **state)
{
    (void)state;
    struct uuid user = uuid_random();
    int64_t retry_ms;
    for (int i = 0; i < 5; i++)
        assert_int_equal(rate_take_now("joins", 5, 60000, &user, &retry_ms), OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rate_take_now("joins", 5, 60000, &user, &retry_ms), ERR_RATE_LIMITED);
        assert_in_range(retry_ms, 50000, 60000);
    }
    assert_int_equal(look_int("LLEN rate:joins:%s", UUIDZ(&user)), 5); /* what was refused does not count */
    assert_in_range(look_int("PTTL rate:joins:%s", UUIDZ(&user)), 50000, 60000);
}

static void test_users_and_limits_are_counted_apart(void **state)
{
    (void)state;
    struct uuid user = uuid_random(), other = uuid_random();
    int64_t retry_ms;
    assert_int_equal(rate_take_now("joins", 1, 60000, &user, &retry_ms), OK);
    assert_int_equal(rate_take_now("joins", 1, 60000, &user, &retry_ms), ERR_RATE_LIMITED);
    assert_int_equal(rate_take_now("joins", 1, 60000, &other, &retry_ms), OK);
    assert_int_equal(rate_take_now("match_requests", 1, 60000, &user, &retry_ms), OK);
}

static void test_what_leaves_the_window_makes_room(void **state)
{
    (void)state;
    struct uuid user = uuid_random();
    struct uuid_text id = uuid_text(&user);
    int64_t retry_ms;
    long long now_ms = (long long)clock_now_ms();
    /* given: two of another instance, one of them about to leave the window of a minute */
    look_int("RPUSH rate:joins:%s %lld %lld", id.z, now_ms - 55000, now_ms - 1000);
    assert_int_equal(rate_take_now("joins", 2, 60000, &user, &retry_ms), ERR_RATE_LIMITED);
    assert_in_range(retry_ms, 1, 5100);
    run_until(rate_take_now("joins", 2, 60000, &user, &retry_ms) == OK);
    assert_int_equal(look_int("LLEN rate:joins:%s", id.z), 2);
    assert_int_equal(rate_take_now("joins", 2, 60000, &user, &retry_ms), ERR_RATE_LIMITED);
    assert_in_range(retry_ms, 30000, 54100); /* until the second one leaves */
}

static void test_a_lowered_limit_waits_for_as_many_as_must_leave(void **state)
{
    (void)state;
    struct uuid user = uuid_random();
    struct uuid_text id = uuid_text(&user);
    int64_t retry_ms;
    long long now_ms = (long long)clock_now_ms();
    look_int("RPUSH rate:joins:%s %lld %lld %lld", id.z, now_ms - 50000, now_ms - 30000, now_ms - 10000);
    assert_int_equal(rate_take_now("joins", 2, 60000, &user, &retry_ms), ERR_RATE_LIMITED);
    assert_in_range(retry_ms, 11000, 30000); /* not only the first */
}

static void test_limit_0_is_off(void **state)
{
    (void)state;
    struct uuid user = uuid_random();
    int64_t retry_ms;
    for (int i = 0; i < 10; i++)
        assert_int_equal(rate_take_now("joins", 0, 60000, &user, &retry_ms), OK);
    assert_int_equal(look_int("EXISTS rate:joins:%s", UUIDZ(&user)), 0);
}

static void test_a_forgotten_script_is_sent_again(void **state)
{
    (void)state;
    struct uuid user = uuid_random();
    int64_t retry_ms;
    assert_int_equal(rate_take_now("joins", 2, 60000, &user, &retry_ms), OK);
    look_text("SCRIPT FLUSH");
    assert_int_equal(rate_take_now("joins", 2, 60000, &user, &retry_ms), OK);
    assert_int_equal(rate_take_now("joins", 2, 60000, &user, &retry_ms), ERR_RATE_LIMITED);
    assert_int_equal(look_int("LLEN rate:joins:%s", UUIDZ(&user)), 2);
}

/* --- refusals --- */

static void test_a_wrong_type_is_our_fault(void **state)
{
    (void)state;
    struct session s = some_session();
    look_text("SET session:%s text", UUIDZ(&s.id));
    log_set_threshold(LOG_ERROR + 1); /* it logs, rightly */
    assert_int_equal(call_and_wait(&(struct call){.submit = submit_session_put, .session = &s}),
                     ERR_INTERNAL);
    log_set_threshold(LOG_ERROR);
    assert_true(kv_is_up());
}

/* Each makes the server refuse writes in its way; the other ends it. */
static const struct refusal {
    const char *begin, *end;
} refusals[] = {
    {"CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"},                         /* OOM */
    {"REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"},                                /* READONLY */
    {"CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"}, /* NOREPLICAS */
};

static void test_a_server_that_cannot_write_counts_as_away(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct match_request r = some_request();
        struct uuid user = uuid_random();
        int64_t retry_ms;
        redisContext *look = look_open();
        freeReplyObject(redisCommand(look, refusals[i].begin));
        log_set_threshold(LOG_ERROR + 1);
        assert_int_equal(queue_add_now(&r), ERR_KV_UNAVAILABLE);
        /* rate limits go on in this process */
        assert_int_equal(rate_take_now("refused", 1, 60000, &user, &retry_ms), OK);
        assert_int_equal(rate_take_now("refused", 1, 60000, &user, &retry_ms), ERR_RATE_LIMITED);
        log_set_threshold(LOG_ERROR);
        freeReplyObject(redisCommand(look, refusals[i].end));
        redisFree(look);
        assert_true(kv_is_up());
        assert_int_equal(queue_add_now(&r), OK);
    }
}

static void test_an_emptied_server_is_used_on(void **state)
{
    (void)state;
    struct match_request r = some_request();
    struct uuid user = uuid_random();
    int64_t retry_ms;
    assert_int_equal(queue_add_now(&r), OK);
    look_text("FLUSHALL");
    assert_int_equal(call_and_wait(&(struct call){.submit = submit_queue_remove, .request = &r}), OK);
    assert_int_equal(queue_add_now(&r), OK);
    assert_int_equal(rate_take_now("joins", 1, 60000, &user, &retry_ms), OK);
    assert_int_equal(look_int("EXISTS match_request:%s", UUIDZ(&r.id)), 1);
}

/* --- what is kept for a while --- */

static void test_a_text_is_kept_for_its_time(void **state)
{
    (void)state;
    struct call put = {.submit = submit_cache_put,
                       .key = "profile:a:en",
                       .seconds = 300,
                       .text = "{\"displayName\":\"An% s \xc3\xa9\"}"};
    assert_int_equal(call_and_wait(&put), OK);
    assert_string_equal(look_text("GET profile:a:en"), put.text);
    assert_in_range(look_int("TTL profile:a:en"), 270, 300);
    struct call get = {.submit = submit_cache_get, .key = "profile:a:en"};
    assert_int_equal(call_and_wait(&get), OK);
    assert_true(get.has_text);
    assert_string_equal(get.text, put.text);
}

static void test_nothing_kept_is_no_text(void **state)
{
    (void)state;
    struct call get = {.submit = submit_cache_get, .key = "profile:nobody:en"};
    assert_int_equal(call_and_wait(&get), OK);
    assert_false(get.has_text);
}

static void test_a_key_of_another_type_is_our_fault(void **state)
{
    (void)state;
    look_int("RPUSH profile:list:en x");
    struct call get = {.submit = submit_cache_get, .key = "profile:list:en"};
    log_set_threshold(LOG_ERROR + 1);
    assert_int_equal(call_and_wait(&get), ERR_INTERNAL);
    log_set_threshold(LOG_ERROR);
    assert_false(get.has_text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_is_in_the_set_and_has_its_hash),
        cmocka_unit_test(test_a_scheduled_request_is_placed_at_its_time),
        cmocka_unit_test(test_no_lifetime_is_longer_than_300_seconds),
        cmocka_unit_test(test_removing_leaves_nothing_of_the_request),
        cmocka_unit_test(test_members_nobody_removed_go_with_a_later_add),
        cmocka_unit_test(test_removing_none_reports_too),
        cmocka_unit_test(test_a_thousand_at_once),
        cmocka_unit_test(test_a_session_is_kept),
        cmocka_unit_test(test_a_running_session_is_kept_up),
        cmocka_unit_test(test_clearing_spares_the_next_session),
        cmocka_unit_test(test_a_limit_is_exact_and_says_when),
        cmocka_unit_test(test_users_and_limits_are_counted_apart),
        cmocka_unit_test(test_what_leaves_the_window_makes_room),
        cmocka_unit_test(test_a_lowered_limit_waits_for_as_many_as_must_leave),
        cmocka_unit_test(test_limit_0_is_off),
        cmocka_unit_test(test_a_forgotten_script_is_sent_again),
        cmocka_unit_test(test_a_wrong_type_is_our_fault),
        cmocka_unit_test(test_a_server_that_cannot_write_counts_as_away),
        cmocka_unit_test(test_an_emptied_server_is_used_on),
        cmocka_unit_test(test_a_text_is_kept_for_its_time),
        cmocka_unit_test(test_nothing_kept_is_no_text),
        cmocka_unit_test(test_a_key_of_another_type_is_our_fault),
    };
    return cmocka_run_group_tests(tests, world_open_and_connect, world_close);
}
