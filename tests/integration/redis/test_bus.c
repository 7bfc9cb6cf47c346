/* The bus on a real Redis: what is heard, what is not, and that it is heard again after every loss. The other
 * instance is played by the test's own connection. */
#include "integration/redis/harness.h"

#include "conversation/base/instance.h"
#include "conversation/ports/bus.h"

#define OTHER "7d1c7b1e-0b3f-4a55-8f5e-000000000001"

#define SHORT_TIMEOUT_MS 400 /* of a command, in tests of who stands still */

static char heard[8192]; /* "channel=text;" of each message */
static int listening_count;

static void on_listening(void)
{
    listening_count++;
}

static void on_message(void *arg, struct str text)
{
    size_t used = strlen(heard);
    snprintf(heard + used, sizeof heard - used, "%s=" STR_FMT ";", (const char *)arg, STR_ARG(text));
}

static void bus_start_and_wait(void)
{
    int before = listening_count;
    bus_start(on_listening);
    run_until(listening_count > before);
}

/* The number of those who heard it. */
static long long other_says(const char *channel, const char *text)
{
    return look_int("PUBLISH 3:%s %s:%s", channel, OTHER, text);
}

static bool has_heard(const char *all)
{
    return strcmp(heard, all) == 0;
}

static long long subscribers_of(const char *channel)
{
    redisContext *look = look_open();
    assert_non_null(look);
    redisReply *reply = redisCommand(look, "PUBSUB NUMSUB 3:%s", channel);
    assert_non_null(reply);
    long long n = reply->element[1]->integer;
    freeReplyObject(reply);
    redisFree(look);
    return n;
}

/* --- heard --- */

static void test_others_are_heard_in_order(void **state)
{
    (void)state;
    assert_int_equal(other_says("a", "one"), 1);
    assert_int_equal(other_says("b", "two {\"x\": \"y:z\"}"), 1);
    assert_int_equal(other_says("a", "three"), 1);
    run_until(strstr(heard, "three"));
    assert_true(has_heard("A=one;B=two {\"x\": \"y:z\"};A=three;"));
}

static void test_what_is_said_carries_the_sender(void **state)
{
    (void)state;
    char want[80];
    redisContext *ear = look_open();
    redisReply *reply = redisCommand(ear, "SUBSCRIBE 3:a");
    freeReplyObject(reply);
    bus_publish("a", STR("spoken, with % and spaces"));
    struct pollfd arrival = {.fd = ear->fd, .events = POLLIN};
    run_until(poll(&arrival, 1, 0) == 1);
    assert_int_equal(redisGetReply(ear, (void **)&reply), REDIS_OK);
    snprintf(want, sizeof want, "%s:spoken, with %% and spaces", UUIDZ(instance_id()));
    assert_string_equal(reply->element[2]->str, want);
    freeReplyObject(reply);
    redisFree(ear);
}

static void test_its_own_words_are_not_heard(void **state)
{
    (void)state;
    bus_publish("a", STR("mine"));
    bus_publish("b", STR("mine"));
    run_until(look_int("PUBLISH 3:a %s:last", OTHER) == 1 && strstr(heard, "last"));
    assert_null(strstr(heard, "mine"));
}

static void test_nonsense_is_not_heard(void **state)
{
    (void)state;
    assert_int_equal(look_int("PUBLISH 3:a no-sender"), 1);
    assert_int_equal(look_int("PUBLISH 3:a %s", ""), 1);
    assert_int_equal(other_says("a", "sense"), 1);
    run_until(heard[0]);
    assert_true(has_heard("A=sense;"));
}

static void test_other_databases_are_not_heard(void **state)
{
    (void)state;
    assert_int_equal(look_int("PUBLISH 4:a %s:theirs", OTHER), 0);
    assert_int_equal(other_says("a", "ours"), 1);
    run_until(heard[0]);
    assert_true(has_heard("A=ours;"));
}

static void test_unsubscribed_is_not_heard(void **state)
{
    (void)state;
    bus_unsubscribe("a");
    run_until(subscribers_of("a") == 0);
    assert_int_equal(other_says("a", "unheard"), 0);
    bus_subscribe("a", on_message, "A again");
    run_until(subscribers_of("a") == 1);
    other_says("a", "back");
    run_until(heard[0]);
    assert_true(has_heard("A again=back;"));
}

static void test_a_message_on_its_way_when_unsubscribing(void **state)
{
    (void)state;
    other_says("a", "lost"); /* lies in the socket */
    bus_unsubscribe("a");
    other_says("b", "kept");
    run_until(heard[0]);
    assert_true(has_heard("B=kept;"));
}

static void test_a_thousand_messages(void **state)
{
    (void)state;
    redisContext *look = look_open();
    for (int i = 0; i < 1000; i++)
        redisAppendCommand(look, "PUBLISH 3:a %s:x", OTHER);
    for (int i = 0; i < 1000; i++) {
        redisReply *reply;
        assert_int_equal(redisGetReply(look, (void **)&reply), REDIS_OK);
        freeReplyObject(reply);
    }
    redisFree(look);
    run_until(strlen(heard) == 1000 * strlen("A=x;"));
}

/* --- who hears it --- */

static int others; /* as told last; -2: not told */

static void on_told(void *arg, int count)
{
    others = count;
    *(int *)arg += 1;
}

static int told_others(struct bus_channel *ch)
{
    int times = 0;
    const struct str parts[] = {STR("in "), STR(""), STR("parts")};
    others = -2;
    assert_true(bus_say(ch, parts, 3, on_told, &times));
    assert_int_equal(times, 0); /* never inside the call */
    run_until(times == 1);
    return others;
}

static void on_listening_to(void *arg)
{
    *(int *)arg += 1;
}

static void test_others_are_counted(void **state)
{
    (void)state;
    int listening = 0;
    struct bus_channel *ch = bus_join(
        "d", &(struct bus_member){.hear = on_message, .listening = on_listening_to, .arg = &listening});
    run_until(listening == 1);
    assert_int_equal(told_others(ch), 0); /* it is not one of them */
    redisContext *ear = look_open();
    redisReply *reply = redisCommand(ear, "SUBSCRIBE 3:d");
    freeReplyObject(reply);
    assert_int_equal(told_others(ch), 1);
    assert_int_equal(redisGetReply(ear, (void **)&reply), REDIS_OK);
    assert_non_null(strstr(reply->element[2]->str, ":in parts"));
    freeReplyObject(reply);
    redisFree(ear);
    run_until(subscribers_of("d") == 1);
    assert_int_equal(told_others(ch), 0);
    bus_part(ch);
}

static void test_nobody_hears_a_channel_without_listeners(void **state)
{
    (void)state;
    int times = 0;
    assert_true(bus_is_quiet());
    assert_true(bus_tell("nobody's", STR("hello?"), on_told, &times));
    assert_false(bus_is_quiet());
    run_until(times == 1);
    assert_int_equal(others, 0);
    bus_publish("nobody's", STR("nobody wants to know"));
    assert_false(bus_is_quiet());
    run_until(bus_is_quiet());
}

/* The answers to the first SUBSCRIBE and to UNSUBSCRIBE are on their way when it is wanted again. */
static void test_wanted_again_at_once(void **state)
{
    (void)state;
    int listening = 0;
    struct bus_member member = {.hear = on_message, .listening = on_listening_to, .arg = &listening};
    struct bus_channel *ch = bus_join("e", &member);
    for (int i = 0; i < 3; i++) {
        bus_part(ch);
        ch = bus_join("e", &member);
    }
    run_until(listening == 1);
    assert_int_equal(told_others(ch), 0);
    assert_int_equal(subscribers_of("e"), 1);
    bus_part(ch);
    bus_subscribe("e", on_message, "E");
    run_until(other_says("e", "heard") == 1);
    run_until(heard[0]);
    assert_true(has_heard("E=heard;"));
}

static void test_thousands_of_channels_come_and_go(void **state)
{
    (void)state;
    enum { CHANNELS = 3000 };
    static struct bus_channel *many[CHANNELS];
    char name[32];
    int listening = 0;
    for (int i = 0; i < CHANNELS; i++) {
        snprintf(name, sizeof name, "ws_events:%d", i);
        many[i] = bus_join(name, &(struct bus_member){on_message, on_listening_to, &listening});
    }
    run_until(listening == CHANNELS);
    for (int i = 0; i < CHANNELS; i += 2)
        bus_part(many[i]);
    int before = listening_count;
    assert_int_equal(look_int("CLIENT KILL TYPE pubsub"), 1);
    run_until(listening_count == before + 1);
    assert_int_equal(listening, CHANNELS + CHANNELS / 2); /* those that are left, again */
    assert_int_equal(subscribers_of("ws_events:1"), 1);
    assert_int_equal(subscribers_of("ws_events:2"), 0);
    for (int i = 1; i < CHANNELS; i += 2)
        bus_part(many[i]);
    run_until(subscribers_of("ws_events:2999") == 0);
}

static void test_away_nothing_is_sent(void **state)
{
    (void)state;
    int times = 0, before = listening_count;
    assert_true(bus_listening_ms() > 0);
    server_kill();
    run_until(!kv_is_up() && bus_listening_ms() == 0);
    assert_false(bus_tell("a", STR("hello?"), on_told, &times));
    server_start();
    run_until(listening_count == before + 1);
    assert_int_equal(times, 0);
    assert_true(bus_listening_ms() > 0);
}

/* --- lost and back --- */

static void assert_heard_again(const char *text)
{
    char want[80];
    heard[0] = '\0';
    assert_int_equal(other_says("b", text), 1);
    run_until(heard[0]);
    snprintf(want, sizeof want, "B=%s;", text);
    assert_true(has_heard(want));
}

static void test_killed_and_restarted(void **state)
{
    (void)state;
    int before = listening_count;
    server_kill();
    run_until(!kv_is_up());
    bus_publish("a", STR("into the void"));
    bus_subscribe("c", on_message, "C"); /* while it is away */
    server_start();
    run_until(listening_count == before + 1);
    assert_heard_again("restarted");
    other_says("c", "new");
    run_until(strstr(heard, "C=new;"));
}

static void test_cut_by_the_server(void **state)
{
    (void)state;
    int before = listening_count;
    assert_int_equal(look_int("CLIENT KILL TYPE pubsub"), 1);
    run_until(listening_count == before + 1);
    assert_heard_again("cut");
}

static bool is_shown_as_away(void)
{
    struct buf text = {0};
    metrics_render(&text);
    buf_addc(&text, '\0');
    bool is_away = strstr(text.p, "dependency_up{dependency=\"redis_bus\"} 0");
    buf_done(&text);
    return is_away;
}

/* Nobody says anything: it is found out by the look at an idle connection. */
static void test_a_frozen_server_is_noticed(void **state)
{
    (void)state;
    int before = listening_count;
    config.redis_command_timeout_ms = SHORT_TIMEOUT_MS;
    kill(server_pid, SIGSTOP);
    run_until(is_shown_as_away());
    config.redis_command_timeout_ms = atoi(COMMAND_TIMEOUT_MS);
    kill(server_pid, SIGCONT);
    run_until(listening_count == before + 1);
    assert_heard_again("thawed");
}

/* Longer than the idle look and the time limit of a command: what it heard meanwhile is in the socket. */
static void test_our_own_standstill_loses_nothing(void **state)
{
    (void)state;
    int before = listening_count;
    config.redis_command_timeout_ms = SHORT_TIMEOUT_MS;
    for (int i = 0; i < 10; i++)
        turn();
    other_says("b", "meanwhile");
    poll(NULL, 0, 6000);
    run_until(heard[0]);
    assert_true(has_heard("B=meanwhile;"));
    assert_heard_again("after");
    assert_int_equal(listening_count, before);
}

static void test_stopped_and_started(void **state)
{
    (void)state;
    bus_stop();
    bus_stop(); /* again: harmless */
    bus_subscribe("b", on_message, "B");
    bus_start_and_wait();
    assert_heard_again("started");
}

static int begin(void **state)
{
    (void)state;
    log_set_threshold(LOG_ERROR + 1); /* the faults are on purpose */
    heard[0] = '\0';
    kv_start_and_wait();
    bus_subscribe("a", on_message, "A");
    bus_subscribe("b", on_message, "B");
    bus_start_and_wait();
    return 0;
}

static int finish(void **state)
{
    (void)state;
    kill(server_pid, SIGCONT);
    config.redis_command_timeout_ms = atoi(COMMAND_TIMEOUT_MS);
    bus_stop();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_others_are_heard_in_order),
        TEST(test_what_is_said_carries_the_sender),
        TEST(test_its_own_words_are_not_heard),
        TEST(test_nonsense_is_not_heard),
        TEST(test_other_databases_are_not_heard),
        TEST(test_unsubscribed_is_not_heard),
        TEST(test_a_message_on_its_way_when_unsubscribing),
        TEST(test_a_thousand_messages),
        TEST(test_others_are_counted),
        TEST(test_nobody_hears_a_channel_without_listeners),
        TEST(test_wanted_again_at_once),
        TEST(test_thousands_of_channels_come_and_go),
        TEST(test_away_nothing_is_sent),
        TEST(test_killed_and_restarted),
        TEST(test_cut_by_the_server),
        TEST(test_a_frozen_server_is_noticed),
        TEST(test_our_own_standstill_loses_nothing),
        TEST(test_stopped_and_started),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
