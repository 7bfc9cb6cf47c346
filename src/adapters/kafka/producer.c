/* The one producer: idempotent, acks=all, and without a time after which a message is given up, so that
 * nothing overtakes. Delivery reports come back in any order between partitions; an operation counts its own.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "client.h"
#include "conversation/base/list.h"
#include "conversation/base/log.h"
#include "conversation/config.h"
#include "conversation/ports/publisher.h"

/* librdkafka's partitioner that chooses as the Java client does: other topics by the same key lie alike. */
static const struct kafka_setting settings[] = {
    {"enable.idempotence", "true"},
    {"message.timeout.ms", "0"},
    {"linger.ms", "2"},
    {"topic.metadata.refresh.interval.ms", "5000"}, /* that rights are given is noticed by this */
    {"partitioner", "murmur2_random"},
    {NULL, NULL},
};

/* One publish_all. In its flow's arena. */
struct publishing {
    struct list link;
    struct flow_op *op;
    size_t waiting; /* messages without a result, and one while they are being handed over */
};

/* A message's way back. */
struct under_way {
    struct publishing *publishing;
    enum publish_result *result;
};

static struct kafka_client *client;
static struct list all = {&all, &all}; /* publishings */
static bool is_broken;                 /* the client is of no use, and waits for its last reports */

static void on_event(void *arg, rd_kafka_event_t *event);

static bool open_client(char *why, size_t cap)
{
    const struct kafka_setup setup = {
        .type = RD_KAFKA_PRODUCER,
        .dependency = "kafka",
        .settings = settings,
        .events = RD_KAFKA_EVENT_DR,
        .on_event = on_event,
    };
    client = kafka_client_new(&setup, why, cap);
    return client != NULL;
}

bool publisher_start(char *why, size_t cap)
{
    return open_client(why, cap);
}

bool publisher_is_up(void)
{
    return client && kafka_client_is_up(client);
}

/* --- results --- */

static void report(struct publishing *p, enum err err)
{
    list_remove(&p->link);
    flow_op_done_later(p->op, err);
}

static void one_less(struct publishing *p)
{
    if (--p->waiting == 0)
        report(p, OK);
}

/* What the brokers, or the client itself, say of a message that cannot be taken as it is. A broker says it of
 * all that travelled in one request. */
static enum publish_result result_of(rd_kafka_resp_err_t err)
{
    switch (err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR: return PUBLISH_DELIVERED;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD: return PUBLISH_REFUSED;
    default: return PUBLISH_FAILED;
    }
}

static void log_failure(rd_kafka_resp_err_t err)
{
    static int64_t told_ms;
    if (err && log_is_time(&told_ms))
        LOG(LOG_ERROR, "kafka.delivery_failed", LOG_Z("dependency", "kafka"),
            LOG_Z("error", rd_kafka_err2name(err)), LOG_Z("reason", rd_kafka_err2str(err)));
}

static void take_reports(rd_kafka_event_t *event)
{
    const rd_kafka_message_t *m;
    while ((m = rd_kafka_event_message_next(event))) {
        struct under_way *u = m->_private;
        log_failure(m->err);
        if (!m->err)
            kafka_client_seen_up(client);
        *u->result = result_of(m->err);
        one_less(u->publishing);
    }
}

/* --- a broken client --- */

/* Its messages have all come back as failed. The next ones make a new client: those that failed are tried
 * again after a while, so that brokers who break each client at once do not keep us busy. */
static void drop_if_broken(void)
{
    if (!is_broken || !list_is_empty(&all))
        return;
    kafka_client_close(client, NULL, NULL);
    client = NULL;
    is_broken = false;
}

/* The order or the number of messages can no longer be vouched for (the brokers have lost what they knew of
 * this producer, …). */
static void on_fatal(void)
{
    char why[256];
    if (is_broken)
        return;
    rd_kafka_resp_err_t err = rd_kafka_fatal_error(kafka_client_handle(client), why, sizeof why);
    LOG(LOG_ERROR, "kafka.client_broken", LOG_Z("dependency", "kafka"),
        LOG_Z("error", rd_kafka_err2name(err)), LOG_Z("reason", why));
    is_broken = true;
    rd_kafka_purge(kafka_client_handle(client), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

static void on_event(void *arg, rd_kafka_event_t *event)
{
    (void)arg;
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR)
        take_reports(event);
    else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
        on_fatal();
    rd_kafka_event_destroy(event);
    drop_if_broken();
}

/* --- sending --- */

static rd_kafka_headers_t *headers_of(const struct publish_message *m)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(PUBLISH_HEADERS_MAX);
    for (int i = 0; i < PUBLISH_HEADERS_MAX; i++)
        if (m->headers[i].name)
            rd_kafka_header_add(headers, m->headers[i].name, -1, m->headers[i].value, -1);
    return headers;
}

static rd_kafka_resp_err_t hand_over(const char *topic, const struct publish_message *m, struct under_way *u)
{
    rd_kafka_headers_t *headers = headers_of(m);
    rd_kafka_resp_err_t err = rd_kafka_producev(
        kafka_client_handle(client), RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(m->key.p, m->key.n),
        RD_KAFKA_V_VALUE((void *)m->value.p, m->value.n), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(u), RD_KAFKA_V_END);
    if (err)
        rd_kafka_headers_destroy(headers); /* taken only on success */
    return err;
}

static bool reopen(void)
{
    char why[256];
    bool is_open = open_client(why, sizeof why);
    if (!is_open) /* the settings were good before: no memory, or no thread */
        LOG(LOG_ERROR, "kafka.client_failed", LOG_Z("dependency", "kafka"), LOG_Z("reason", why));
    return is_open;
}

/* After one that failed here no other follows: it would overtake. */
static void hand_over_all(struct publishing *p, const char *topic, struct publish_message *messages,
                          size_t count)
{
    struct under_way *ways = ARENA_ARRAY(flow_arena(flow_op_flow(p->op)), struct under_way, count);
    bool has_failed = is_broken || !(client || reopen());
    for (size_t i = 0; i < count; i++) {
        messages[i].result = PUBLISH_FAILED;
        if (has_failed)
            continue;
        ways[i] = (struct under_way){p, &messages[i].result};
        p->waiting++;
        rd_kafka_resp_err_t err = hand_over(topic, &messages[i], &ways[i]);
        if (!err)
            continue;
        log_failure(err);
        if (err == RD_KAFKA_RESP_ERR__FATAL)
            on_fatal();
        messages[i].result = result_of(err);
        has_failed = messages[i].result == PUBLISH_FAILED;
        p->waiting--;
    }
}

void publish_all(struct flow *f, const char *topic, struct publish_message *messages, size_t count)
{
    struct publishing *p = ARENA_NEW(flow_arena(f), struct publishing);
    *p = (struct publishing){.op = flow_op_begin(f), .waiting = 1};
    list_add_tail(&all, &p->link);
    hand_over_all(p, topic, messages, count);
    one_less(p);
    drop_if_broken();
}

void publisher_stop(void)
{
    while (!list_is_empty(&all))
        report(LIST_FIRST(&all, struct publishing, link), ERR_CANCELLED);
    if (client)
        kafka_client_close(client, NULL, NULL);
    client = NULL;
    is_broken = false;
}
