/* Events of other services: which are handled, which are skipped, which come again, and what they do. */
#include "flows/fakes/failures.h"

#include "flows/bus/bus.h"

#define SKILL "99999999-0000-4000-8000-000000000001"

static void start(void)
{
    char why[64];
    const char *loaded = config.kafka_brokers; /* which config_free frees */
    config.kafka_brokers = "kafka:9092";
    assert_true(bus_consumer_start(why, sizeof why));
    config.kafka_brokers = loaded;
}

/* Single quotes stand for double ones. */
static void hear(const char *topic, const char *text)
{
    char value[1024];
    assert_true(str_copy(str_of(text), value, sizeof value));
    for (char *p = value; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    consumer_delivers(topic, value);
    pass_ms(0);
}

static const char deleted[] = "{'eventType':'user.deleted','payload':{'userId':'" ANA "'}}";
static const char acquired[] = "{'eventType':'skill.acquired','payload':{'userId':'" ANA "','skillId':'" SKILL
                               "','skillCode':'restaurant_vocab.es'}}";
static const char transcribed[] =
    "{'eventType':'transcript.ready','payload':{'sessionId':'" SESSION "','transcriptId':'" SKILL "'}}";

#define USERS    "user.events"
#define LESSONS  "lesson.events"
#define FEEDBACK "feedback.events"

/* --- the table --- */

static void each_topic_is_subscribed_to_once(void **state)
{
    (void)state;
    start();
    const char *const *topics = fake_consumer_topics();
    assert_string_equal(topics[0], USERS);
    assert_string_equal(topics[1], LESSONS);
    assert_string_equal(topics[2], FEEDBACK);
    assert_null(topics[3]);
}

static void without_brokers_nothing_is(void **state)
{
    char why[64];
    (void)state;
    assert_true(bus_consumer_start(why, sizeof why));
    assert_null(fake_consumer_topics());
}

/* --- what is no event --- */

static void what_can_never_be_handled_is_skipped(void **state)
{
    static const char *const values[] = {
        "",
        "x",
        "[]",
        "null",
        "{",
        "{}",
        "{'eventType':7,'payload':{}}",
        "{'payload':{'userId':'" ANA "'}}",
        "{'eventType':'user.deleted'}",
        "{'eventType':'user.deleted','payload':[]}",
        "{'eventType':'user.deleted','payload':{}}",
        "{'eventType':'user.deleted','payload':{'userId':'ana'}}",
        "{'eventType':'user.deleted','payload':{'userId':null}}",
        "{'eventType':'user.deleted','payload':{'userId':'" ANA "'}}x",
        "{'eventType':'a type that is longer than any type there is, by far, and then some','payload':{}}",
    };
    (void)state;
    start();
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        hear(USERS, values[i]);
        assert_int_equal(fake_outcome(), CONSUMED_DONE);
    }
    assert_calls("");
    assert_metric("kafka_messages_consumed_total{topic=\"user.events\",result=\"skipped\"} 15");
}

static void what_is_too_long_is_skipped(void **state)
{
    (void)state;
    start();
    struct buf value = {0};
    buf_addz(&value, "{\"eventType\":\"user.deleted\",\"payload\":{\"userId\":\"" ANA "\",\"x\":\"");
    while (value.n < 65536)
        buf_addc(&value, 'x');
    buf_addz(&value, "\"}}");
    buf_addc(&value, '\0');
    consumer_delivers(USERS, value.p);
    buf_done(&value);
    pass_ms(0);
    assert_int_equal(fake_outcome(), CONSUMED_DONE);
    assert_calls("");
}

static void others_events_are_ignored(void **state)
{
    (void)state;
    start();
    hear(USERS, "{'eventType':'user.renamed','payload':{}}");
    assert_int_equal(fake_outcome(), CONSUMED_DONE);
    hear(USERS, "{'eventType':'user.registered','payload':{'userId':'" ANA "'}}");
    assert_int_equal(fake_outcome(), CONSUMED_DONE);
    hear(LESSONS, deleted); /* another topic's */
    assert_int_equal(fake_outcome(), CONSUMED_DONE);
    assert_calls("");
    assert_metric("kafka_messages_consumed_total{topic=\"user.events\",result=\"ignored\"} 2");
    assert_metric("kafka_messages_consumed_total{topic=\"lesson.events\",result=\"ignored\"} 1");
}

/* --- what they do --- */

static void a_deleted_user_is_erased(void **state)
{
    (void)state;
    start();
    hear(USERS, deleted);
    assert_int_equal(fake_outcome(), CONSUMED_DONE);
    struct uuid ana = id_of(ANA);
    assert_true(uuid_eq(&fake_kv_user.forgotten, &ana));
    assert_true(uuid_is_nil(&fake_privacy.promised));
    assert_metric("kafka_messages_consumed_total{topic=\"user.events\",result=\"handled\"} 1");
}

static void a_skill_is_stored_and_unlocks(void **state)
{
    static const char *const needed[] = {"restaurant_vocab.es"};
    (void)state;
    start();
    struct topic *t = given_topic();
    t->required_skills = needed;
    t->required_skill_count = 1;
    fake_kv_user.unlocked_of = id_of(ANA);
    strcpy(fake_kv_user.codes[0], "free_talk");
    fake_kv_user.code_count = 1;
    hear(LESSONS, acquired);
    assert_int_equal(fake_outcome(), CONSUMED_DONE);
    assert_calls("db_skill_store kv_unlocked_drop db_unlocked_topics kv_unlocked_put");
    assert_int_equal(fake_db.skill_count, 1);
    assert_int_equal(fake_projection.acquired_at_ms, T0);
    assert_int_equal(fake_kv_user.code_count, 2);
    assert_string_equal(fake_kv_user.codes[1], "es:travel");
    hear(LESSONS, acquired); /* at least once */
    assert_int_equal(fake_db.skill_count, 1);
}

static void a_skill_may_say_when_it_was_acquired(void **state)
{
    (void)state;
    start();
    hear(LESSONS, "{'eventType':'skill.acquired','payload':{'userId':'" ANA "','skillId':'" SKILL
                  "','skillCode':'a.es','acquiredAt':'2025-01-01T00:00:00Z'}}");
    assert_int_equal(fake_projection.acquired_at_ms, INT64_C(1735689600000));
}

static void a_transcript_is_there(void **state)
{
    (void)state;
    start();
    given_session();
    hear(FEEDBACK, transcribed);
    assert_int_equal(fake_outcome(), CONSUMED_DONE);
    struct uuid transcript = id_of(SKILL);
    assert_true(uuid_eq(&session_row()->transcript_id, &transcript));
}

static void a_transcript_of_nothing_is_skipped(void **state)
{
    (void)state;
    start();
    hear(FEEDBACK, transcribed);
    assert_int_equal(fake_outcome(), CONSUMED_DONE);
    assert_metric("kafka_messages_consumed_total{topic=\"feedback.events\",result=\"skipped\"} 1");
}

/* --- correlation --- */

static void any_metadata_is_bearable(void **state)
{
    static const char *const metadata[] = {"{'correlationId':'abc'}", "{'correlationId':''}",
                                           "{'correlationId':7}", "[]", "{'correlationId':'with a space'}"};
    (void)state;
    start();
    given_session();
    for (size_t i = 0; i < sizeof metadata / sizeof metadata[0]; i++) {
        char value[512];
        snprintf(value, sizeof value, "{'metadata':%s,%s", metadata[i], transcribed + 1);
        hear(FEEDBACK, value);
        assert_int_equal(fake_outcome(), CONSUMED_DONE);
    }
    assert_metric("kafka_messages_consumed_total{topic=\"feedback.events\",result=\"handled\"} 5");
}

/* --- failures --- */

static const struct {
    const char *topic, *text;
    enum port ports[4];
    int count;
} events[] = {
    {USERS, deleted, {DB_ERASURE_REQUEST}, 1},
    {LESSONS, acquired, {DB_SKILL_STORE, KV_UNLOCKED_DROP, DB_UNLOCKED_TOPICS, KV_UNLOCKED_PUT}, 4},
    {FEEDBACK, transcribed, {DB_TRANSCRIPT_STORE}, 1},
};

static void begin(void)
{
    world_again();
    start();
    given_session();
}

/* Until it works, however long that takes. */
static void what_is_away_is_waited_for(void **state)
{
    static const enum err passing[] = {ERR_DB_UNAVAILABLE, ERR_KV_UNAVAILABLE, ERR_TIMEOUT};
    (void)state;
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        for (int step = 0; step < events[i].count; step++)
            for (int e = 0; e < 3; e++)
                for (int is_lost = 0; is_lost < 2; is_lost++) {
                    begin();
                    port_script_always(events[i].ports[step],
                                       (struct port_script){.err = passing[e], .is_lost = is_lost});
                    hear(events[i].topic, events[i].text);
                    for (int tries = 0; tries < 20; tries++) {
                        assert_int_equal(fake_outcome(), CONSUMED_AGAIN);
                        consumer_delivers_again();
                        pass_ms(0);
                    }
                    port_script_always(events[i].ports[step], (struct port_script){0});
                    assert_int_equal(fake_outcome(), CONSUMED_AGAIN);
                    consumer_delivers_again();
                    pass_ms(0);
                    assert_int_equal(fake_outcome(), CONSUMED_DONE);
                }
}

static void an_error_of_ours_does_not_block_the_partition(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        for (int step = 0; step < events[i].count; step++) {
            begin();
            port_script_always(events[i].ports[step], (struct port_script){.err = ERR_INTERNAL});
            hear(events[i].topic, events[i].text);
            int tries = 1;
            for (; fake_outcome() == CONSUMED_AGAIN; tries++) {
                consumer_delivers_again();
                pass_ms(0);
            }
            assert_int_equal(fake_outcome(), CONSUMED_DONE);
            assert_int_equal(tries, 5);
        }
}

static void silence_is_a_failure(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        begin();
        port_script_next(events[i].ports[0], (struct port_script){.is_held = true});
        hear(events[i].topic, events[i].text);
        assert_int_equal(fake_outcome(), CONSUMED_PENDING);
        pass_ms(10000);
        assert_int_equal(fake_outcome(), CONSUMED_AGAIN);
        assert_true(port_release()); /* the late answer */
        pass_ms(0);
    }
}

static void at_a_stop_it_is_left_for_the_next(void **state)
{
    (void)state;
    start();
    port_script_next(DB_ERASURE_REQUEST, (struct port_script){.is_held = true});
    hear(USERS, deleted);
    flow_cancel_all(ERR_DRAINING);
    pass_ms(0);
    assert_int_equal(fake_outcome(), CONSUMED_AGAIN);
    assert_true(port_release());
    pass_ms(0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WORLD_TEST(each_topic_is_subscribed_to_once),
        WORLD_TEST(without_brokers_nothing_is),
        WORLD_TEST(what_can_never_be_handled_is_skipped),
        WORLD_TEST(what_is_too_long_is_skipped),
        WORLD_TEST(others_events_are_ignored),
        WORLD_TEST(a_deleted_user_is_erased),
        WORLD_TEST(a_skill_is_stored_and_unlocks),
        WORLD_TEST(a_skill_may_say_when_it_was_acquired),
        WORLD_TEST(a_transcript_is_there),
        WORLD_TEST(a_transcript_of_nothing_is_skipped),
        WORLD_TEST(any_metadata_is_bearable),
        WORLD_TEST(what_is_away_is_waited_for),
        WORLD_TEST(an_error_of_ours_does_not_block_the_partition),
        WORLD_TEST(silence_is_a_failure),
        WORLD_TEST(at_a_stop_it_is_left_for_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
