/* What Redis keeps of users and topics: on a real one. */
#include "integration/redis/harness.h"

#include "conversation/ports/kv_topics.h"
#include "conversation/ports/kv_user.h"

static struct uuid ana, ben;
static struct kv_unlocked unlocked;
static struct kv_topic_lists lists;
static const char *const codes[] = {"free_talk", "en:restaurant.ordering", "fr:a\"b"};

static void submit_forget(struct flow *f, struct call *c)
{
    (void)c;
    kv_user_forget(f, &ana);
}

static void submit_put(struct flow *f, struct call *c)
{
    (void)c;
    kv_unlocked_put(f, &ana, codes, 3);
}

static void submit_drop(struct flow *f, struct call *c)
{
    (void)c;
    kv_unlocked_drop(f, &ana);
}

/* The texts are the flow's: they are looked at while it lives, in the next operation. */
static void submit_count(struct flow *f, struct call *c)
{
    (void)c;
    kv_unlocked_get(f, &ana, &unlocked);
}

static void submit_topics_put(struct flow *f, struct call *c)
{
    struct kv_topic_lists given;
    (void)c;
    for (int i = 0; i < LEVEL_COUNT; i++)
        given.by_level[i] = i == LEVEL_B1 ? STR("[{\"a b\":\"%s\"}]") : STR("[]");
    kv_topics_put(f, "en-GB", &given);
}

static void submit_topics_get(struct flow *f, struct call *c)
{
    (void)c;
    kv_topics_get(f, "en-GB", &lists);
}

static enum err now(void (*submit)(struct flow *f, struct call *c))
{
    struct call call = {.submit = submit};
    return call_and_wait(&call);
}

static void begin(void)
{
    ana = uuid_random();
    ben = uuid_random();
}

/* --- unlocked topics --- */

static void test_unlocked_topics_are_a_set_for_ten_minutes(void **state)
{
    (void)state;
    begin();
    assert_int_equal(now(submit_count), OK);
    assert_int_equal(unlocked.count, 0);
    assert_int_equal(now(submit_put), OK);
    assert_string_equal(look_text("TYPE unlocked_topics:%s", UUIDZ(&ana)), "set");
    assert_int_equal(look_int("SCARD unlocked_topics:%s", UUIDZ(&ana)), 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(look_int("SISMEMBER unlocked_topics:%s %s", UUIDZ(&ana), codes[i]), 1);
    assert_in_range(look_int("TTL unlocked_topics:%s", UUIDZ(&ana)), 570, 600);
    assert_int_equal(now(submit_count), OK);
    assert_int_equal(unlocked.count, 3);
    assert_int_equal(now(submit_drop), OK);
    assert_int_equal(look_int("EXISTS unlocked_topics:%s", UUIDZ(&ana)), 0);
}

/* --- forgetting --- */

static void test_whatever_is_named_after_a_user_is_forgotten(void **state)
{
    (void)state;
    begin();
    assert_int_equal(
        look_int("EVAL %s 0", "for i = 0, 2999 do redis.call('SET', 'other:' .. i, 'x') end return 1"),
        1); /* more than a page */
    (void)look_text("SET profile:%s:en x", UUIDZ(&ana));
    (void)look_text("SET profile:%s:pt-BR x", UUIDZ(&ana));
    (void)look_int("ZADD rate:exports:%s 1 a", UUIDZ(&ana));
    (void)look_text("SET user_session:%s 5e55", UUIDZ(&ana));
    (void)look_int("HSET session:5e55 participantIds %s", UUIDZ(&ana));
    (void)look_int("SADD unlocked_topics:%s free_talk", UUIDZ(&ana));
    (void)look_text("SET profile:%s:en x", UUIDZ(&ben));
    assert_int_equal(now(submit_forget), OK);
    assert_int_equal(look_int("EXISTS profile:%s:en profile:%s:pt-BR rate:exports:%s", UUIDZ(&ana),
                              UUIDZ(&ana), UUIDZ(&ana)),
                     0);
    assert_int_equal(
        look_int("EXISTS user_session:%s unlocked_topics:%s session:5e55", UUIDZ(&ana), UUIDZ(&ana)), 0);
    assert_int_equal(look_int("EXISTS profile:%s:en", UUIDZ(&ben)), 1);
    assert_int_equal(look_int("EXISTS other:0 other:2999"), 2);
    assert_int_equal(now(submit_forget), OK); /* again: harmless */
}

/* --- topics --- */

static void test_topic_lists_are_kept_for_an_hour(void **state)
{
    (void)state;
    assert_int_equal(now(submit_topics_get), OK);
    assert_null(lists.by_level[LEVEL_B1].p);
    assert_int_equal(now(submit_topics_put), OK);
    assert_string_equal(look_text("GET topics:en-GB:B1"), "[{\"a b\":\"%s\"}]");
    assert_string_equal(look_text("GET topics:en-GB:C2"), "[]");
    assert_in_range(look_int("TTL topics:en-GB:A1"), 3570, 3600);
    assert_int_equal(now(submit_topics_get), OK);
    assert_int_equal(lists.by_level[LEVEL_B1].n, strlen("[{\"a b\":\"%s\"}]"));
    assert_int_equal(lists.by_level[LEVEL_A1].n, 2);
}

/* --- Redis away --- */

static void test_without_redis_all_of_them_say_so(void **state)
{
    void (*const submits[])(struct flow * f, struct call * c) = {
        submit_forget, submit_put, submit_drop, submit_count, submit_topics_put, submit_topics_get};
    (void)state;
    kv_stop();
    for (size_t i = 0; i < sizeof submits / sizeof submits[0]; i++)
        assert_int_equal(now(submits[i]), ERR_KV_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unlocked_topics_are_a_set_for_ten_minutes),
        cmocka_unit_test(test_whatever_is_named_after_a_user_is_forgotten),
        cmocka_unit_test(test_topic_lists_are_kept_for_an_hour),
        cmocka_unit_test(test_without_redis_all_of_them_say_so),
    };
    return cmocka_run_group_tests(tests, world_open_and_connect, world_close);
}
