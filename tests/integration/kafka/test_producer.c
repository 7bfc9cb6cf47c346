/* The producer against librdkafka's mock brokers in this process, which can be told to fail: what becomes of
 * messages that are refused, fail for a while, or break the client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "conversation/ports/publisher.h"
#include "conversation/rt/loop.h"

#define DEADLINE_MS 20000

enum { COUNT_MAX = 64, PRODUCE = 0, INIT_PRODUCER_ID = 22 /* API keys of Kafka's protocol */ };

static rd_kafka_t *host;
static rd_kafka_mock_cluster_t *brokers;

/* --- the loop --- */

static void turn(void)
{
    uv_run(loop_uv(), UV_RUN_NOWAIT);
    poll(NULL, 0, 1);
}

#define run_until(condition)                                               \
    do {                                                                   \
        uint64_t until_ms_ = uv_hrtime() / 1000000 + DEADLINE_MS;          \
        while (!(condition)) {                                             \
            turn();                                                        \
            if (uv_hrtime() / 1000000 > until_ms_)                         \
                fail_msg("not within %d ms: %s", DEADLINE_MS, #condition); \
        }                                                                  \
    } while (0)

/* --- a call of publish_all --- */

struct call {
    size_t count, value_size;
    bool is_done;
    enum err err;
    enum publish_result results[COUNT_MAX];
};

struct call_ctx {
    struct call *call;
    struct publish_message *messages;
};

static void submit(struct flow *f, struct call_ctx *x)
{
    static char value[2000000];
    memset(value, 'x', sizeof value);
    x->messages = ARENA_ARRAY(flow_arena(f), struct publish_message, x->call->count);
    for (size_t i = 0; i < x->call->count; i++)
        x->messages[i] = (struct publish_message){
            .key = STR("key"), .value = {value, x->call->value_size}, .headers = {{"event-id", "1"}}};
    publish_all(f, "topic", x->messages, x->call->count);
}

static void call_run(struct flow *f)
{
    struct call_ctx *x = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, submit(f, x));
    for (size_t i = 0; i < x->call->count; i++)
        x->call->results[i] = x->messages[i].result;
    FLOW_END(f);
fail:
    return;
}

static void call_done(struct flow *f)
{
    struct call_ctx *x = flow_ctx(f);
    x->call->is_done = true;
    x->call->err = flow_error(f);
}

static void call_start(struct call *c)
{
    static const struct flow_spec spec = {"test.publish", call_run, sizeof(struct call_ctx), 0};
    struct flow *f = flow_start(&(struct flow_start){.spec = &spec, .done = call_done});
    ((struct call_ctx *)flow_ctx(f))->call = c;
}

static struct call publish(size_t count, size_t value_size)
{
    struct call c = {.count = count, .value_size = value_size};
    call_start(&c);
    run_until(c.is_done);
    assert_int_equal(c.err, OK);
    return c;
}

static void assert_results(const struct call *c, enum publish_result result)
{
    for (size_t i = 0; i < c->count; i++)
        assert_int_equal(c->results[i], result);
}

/* Again and again, as the relay does; answers how often it failed. */
static int publish_until_delivered(void)
{
    struct call c;
    int failed = -1;
    uint64_t until_ms = uv_hrtime() / 1000000 + DEADLINE_MS;
    do {
        c = publish(10, 100);
        failed++;
        for (int i = 0; i < 20; i++)
            turn();
        assert_true(uv_hrtime() / 1000000 < until_ms);
    } while (c.results[0] != PUBLISH_DELIVERED);
    assert_results(&c, PUBLISH_DELIVERED);
    return failed;
}

/* --- tests --- */

static void messages_are_delivered(void **state)
{
    (void)state;
    struct call c = publish(COUNT_MAX, 100);
    assert_results(&c, PUBLISH_DELIVERED);
    assert_true(publisher_is_up());
}

static void nothing_is_no_reason_to_wait(void **state)
{
    (void)state;
    publish(0, 0);
}

static void one_that_is_too_large_is_refused(void **state)
{
    (void)state;
    struct call c = publish(1, 1500000);
    assert_results(&c, PUBLISH_REFUSED);
}

static void what_fails_for_a_while_is_delivered_all_the_same(void **state)
{
    (void)state;
    rd_kafka_mock_push_request_errors(brokers, PRODUCE, 3, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                                      RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR__TRANSPORT);
    struct call c = publish(10, 100);
    assert_results(&c, PUBLISH_DELIVERED);
}

static void brokers_without_rights_fail_it(void **state)
{
    (void)state;
    rd_kafka_mock_push_request_errors(brokers, PRODUCE, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    struct call c = publish(10, 100);
    assert_results(&c, PUBLISH_FAILED);
    publish_until_delivered();
}

static void a_broken_client_fails_what_it_has_and_another_goes_on(void **state)
{
    (void)state;
    publisher_stop();
    char why[256];
    rd_kafka_mock_push_request_errors(brokers, INIT_PRODUCER_ID, 2,
                                      RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
                                      RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
    assert_true(publisher_start(why, sizeof why));
    assert_in_range(publish_until_delivered(), 1, 4);
}

static void who_waits_at_the_stop_is_told(void **state)
{
    (void)state;
    struct call c = {.count = 3, .value_size = 10};
    rd_kafka_mock_broker_set_down(brokers, 1);
    call_start(&c);
    for (int i = 0; i < 50; i++)
        turn();
    assert_false(c.is_done);
    publisher_stop();
    run_until(c.is_done);
    assert_int_equal(c.err, ERR_CANCELLED);
    rd_kafka_mock_broker_set_up(brokers, 1);
}

/* --- set-up --- */

static int open_brokers(void **state)
{
    (void)state;
    char why[256], problem[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", "127.0.0.1:1", why, sizeof why);
    rd_kafka_conf_set(conf, "log_level", "0", why, sizeof why);
    host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    brokers = rd_kafka_mock_cluster_new(host, 1);
    assert_non_null(brokers);
    setenv("KAFKA_BROKERS", rd_kafka_mock_cluster_bootstraps(brokers), 1);
    if (!config_load(NULL, problem))
        fail_msg("%s", problem);
    log_init("test", LOG_ERROR + 1);
    loop_init();
    clock_update();
    return 0;
}

static int close_brokers(void **state)
{
    (void)state;
    loop_stop();
    loop_run();
    loop_done();
    config_free();
    metrics_reset();
    rd_kafka_mock_cluster_destroy(brokers);
    rd_kafka_destroy(host);
    return 0;
}

static int start(void **state)
{
    (void)state;
    char why[256];
    assert_true(publisher_start(why, sizeof why));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    publisher_stop();
    run_until(flow_active_count() == 0);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_are_delivered),           TEST(nothing_is_no_reason_to_wait),
        TEST(one_that_is_too_large_is_refused), TEST(what_fails_for_a_while_is_delivered_all_the_same),
        TEST(brokers_without_rights_fail_it),   TEST(a_broken_client_fails_what_it_has_and_another_goes_on),
        TEST(who_waits_at_the_stop_is_told),
    };
    return cmocka_run_group_tests(tests, open_brokers, close_brokers);
}
