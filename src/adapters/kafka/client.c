/* Settings, the queue of events and its wake-up, and the events that every client has. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "conversation/rt/loop.h"
#include "conversation/rt/timer.h"

#define EVENTS_PER_TURN 256 /* then sockets come first */
#define LOOK_MS \
    1000 /* librdkafka wants to be asked now and then: a consumer that does not ask is dead to it */

enum health { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };

struct kafka_client {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    uv_poll_t *poll; /* on the heap, for closing outlives it */
    int wake_fd;     /* librdkafka's threads write to it until rk is destroyed */
    struct timer look;
    const char *dependency;
    void (*on_event)(void *arg, rd_kafka_event_t *event);
    void *arg;
    enum health health;
    struct loop_work closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* --- settings --- */

static bool set(rd_kafka_conf_t *conf, const char *name, const char *value, char *why, size_t cap)
{
    return rd_kafka_conf_set(conf, name, value, why, cap) == RD_KAFKA_CONF_OK;
}

static bool set_all(rd_kafka_conf_t *conf, const struct kafka_setting *settings, char *why, size_t cap)
{
    for (; settings && settings->name; settings++)
        if (!set(conf, settings->name, settings->value, why, cap))
            return false;
    return true;
}

/* What is empty keeps librdkafka's default. */
static bool set_configured(rd_kafka_conf_t *conf, char *why, size_t cap)
{
    bool is_sasl = strncmp(config.kafka_security_protocol, "sasl_", 5) == 0;
    const struct kafka_setting rows[] = {
        {"bootstrap.servers", config.kafka_brokers},
        {"client.id", config.kafka_client_id},
        {"security.protocol", config.kafka_security_protocol},
        {"sasl.mechanism", is_sasl ? config.kafka_sasl_mechanism : ""},
        {"sasl.username", config.kafka_sasl_username},
        {"sasl.password", config.kafka_sasl_password},
        {"ssl.ca.pem", config.kafka_ssl_ca},
        {"ssl.certificate.pem", config.kafka_ssl_cert},
        {"ssl.key.pem", config.kafka_ssl_key},
        {"log.queue", "true"},
        {"log.connection.close", "false"}, /* brokers close what is idle */
        {"statistics.interval.ms", "1000"},
        {"reconnect.backoff.max.ms", "5000"},
        {"socket.nagle.disable", "true"}, /* else a request waits for the ACK of the one before */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].value[0] && !set(conf, rows[i].name, rows[i].value, why, cap))
            return false;
    return true;
}

static rd_kafka_conf_t *make_conf(const struct kafka_setup *setup, char *why, size_t cap)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_events(conf, setup->events | RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_ERROR |
                                       RD_KAFKA_EVENT_STATS);
    if (set_configured(conf, why, cap) && set_all(conf, setup->settings, why, cap))
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

/* --- events --- */

static void set_health(struct kafka_client *c, bool is_up, const char *why)
{
    enum health now = is_up ? HEALTH_UP : HEALTH_DOWN;
    if (c->health == now)
        return;
    c->health = now;
    metric_set(M_DEPENDENCY_UP, is_up, c->dependency);
    if (is_up)
        LOG(LOG_INFO, "dependency.up", LOG_Z("dependency", c->dependency));
    else
        LOG(LOG_ERROR, "dependency.down", LOG_Z("dependency", c->dependency), LOG_Z("reason", why));
}

bool kafka_client_is_up(const struct kafka_client *c)
{
    return c->health == HEALTH_UP;
}

void kafka_client_seen_up(struct kafka_client *c)
{
    set_health(c, true, NULL);
}

/* syslog's levels. The lines repeat what the error events say, for each broker and attempt. */
static enum log_level level_of(int syslog_level)
{
    return syslog_level <= 3 ? LOG_WARN : syslog_level <= 5 ? LOG_INFO : LOG_DEBUG;
}

static void log_line(const struct kafka_client *c, rd_kafka_event_t *event)
{
    const char *facility, *text;
    int level;
    if (rd_kafka_event_log(event, &facility, &text, &level) == 0)
        LOG(level_of(level), "kafka.client", LOG_Z("dependency", c->dependency), LOG_Z("facility", facility),
            LOG_Z("text", text));
}

/* librdkafka repairs by itself what is not fatal. What a broker says (no rights for the group, no such topic)
 * is not for librdkafka to repair; errors of its own have negative numbers. */
static void on_error(struct kafka_client *c, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t err = rd_kafka_event_error(event);
    const char *why = rd_kafka_event_error_string(event);
    static int64_t told_ms;
    enum log_level level = err > 0 && log_is_time(&told_ms) ? LOG_WARN : LOG_DEBUG;
    metric_inc(M_DEPENDENCY_ERRORS, c->dependency);
    if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        set_health(c, false, why);
    else
        LOG(level, "kafka.error", LOG_Z("dependency", c->dependency), LOG_Z("error", rd_kafka_err2name(err)),
            LOG_Z("reason", why));
}

/* The statistics are JSON of many kilobytes every second; one word of it is looked for: the state of a broker
 * (STATISTICS.md), which is written in capitals nowhere else. */
static void on_statistics(struct kafka_client *c, rd_kafka_event_t *event)
{
    if (strstr(rd_kafka_event_stats(event), "\"state\":\"UP\""))
        set_health(c, true, NULL);
}

static bool is_owners(rd_kafka_event_t *event)
{
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_LOG:
    case RD_KAFKA_EVENT_STATS: return false;
    case RD_KAFKA_EVENT_ERROR: return rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__FATAL;
    default: return true;
    }
}

static void take_event(struct kafka_client *c, rd_kafka_event_t *event)
{
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_LOG)
        log_line(c, event);
    else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_STATS)
        on_statistics(c, event);
    else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
        on_error(c, event);
    if (is_owners(event))
        c->on_event(c->arg, event);
    else
        rd_kafka_event_destroy(event);
}

static void wake(const struct kafka_client *c)
{
    const uint64_t one = 1;
    ssize_t n = write(c->wake_fd, &one, sizeof one);
    (void)n; /* fails only when the counter is full: then the loop is woken anyway */
}

/* The queue tells when it stops being empty, and not again until it has been emptied. The owner may close the
 * client from on_event: then `queue` is gone. */
static void drain(struct kafka_client *c)
{
    for (int i = 0; i < EVENTS_PER_TURN && c->queue; i++) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(c->queue, 0);
        if (!event)
            return;
        take_event(c, event);
    }
    if (c->queue)
        wake(c);
}

static void on_wake(uv_poll_t *poll, int status, int events)
{
    struct kafka_client *c = poll->data;
    uint64_t count;
    (void)status;
    (void)events;
    ssize_t n = read(c->wake_fd, &count, sizeof count);
    (void)n; /* nothing to read: harmless */
    drain(c);
}

static void on_look(struct timer *t)
{
    struct kafka_client *c = container_of(t, struct kafka_client, look);
    timer_start(&c->look, LOOK_MS, on_look);
    drain(c);
}

/* --- its life --- */

static void listen_to_queue(struct kafka_client *c, rd_kafka_type_t type)
{
    static const uint64_t one = 1;
    if (type == RD_KAFKA_CONSUMER)
        rd_kafka_poll_set_consumer(c->rk);
    c->queue =
        type == RD_KAFKA_CONSUMER ? rd_kafka_queue_get_consumer(c->rk) : rd_kafka_queue_get_main(c->rk);
    rd_kafka_set_log_queue(c->rk, c->queue);
    c->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    c->poll = calloc(1, sizeof *c->poll);
    if (c->wake_fd < 0 || !c->poll || uv_poll_init(loop_uv(), c->poll, c->wake_fd) != 0)
        abort(); /* no descriptor or memory, at the start of the process */
    c->poll->data = c;
    uv_poll_start(c->poll, UV_READABLE, on_wake);
    rd_kafka_queue_io_event_enable(c->queue, c->wake_fd, &one, sizeof one);
    timer_start(&c->look, LOOK_MS, on_look);
}

struct kafka_client *kafka_client_new(const struct kafka_setup *setup, char *why, size_t cap)
{
    rd_kafka_conf_t *conf = make_conf(setup, why, cap);
    rd_kafka_t *rk = conf ? rd_kafka_new(setup->type, conf, why, cap) : NULL;
    if (!rk) {
        if (conf)
            rd_kafka_conf_destroy(conf); /* rd_kafka_new takes it only when it succeeds */
        return NULL;
    }
    struct kafka_client *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    *c = (struct kafka_client){
        .rk = rk, .dependency = setup->dependency, .on_event = setup->on_event, .arg = setup->arg};
    metric_set(M_DEPENDENCY_UP, 0, c->dependency);
    listen_to_queue(c, setup->type);
    return c;
}

rd_kafka_t *kafka_client_handle(const struct kafka_client *c)
{
    return c->rk;
}

/* In the pool: joins librdkafka's threads. */
static void destroy(struct loop_work *w)
{
    struct kafka_client *c = container_of(w, struct kafka_client, closing);
    rd_kafka_destroy_flags(c->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

static void on_destroyed(struct loop_work *w)
{
    struct kafka_client *c = container_of(w, struct kafka_client, closing);
    close(c->wake_fd);
    if (c->closed)
        c->closed(c->closed_arg);
    free(c);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void kafka_client_close(struct kafka_client *c, void (*closed)(void *arg), void *arg)
{
    timer_stop(&c->look);
    rd_kafka_queue_io_event_enable(c->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(c->queue);
    c->queue = NULL;
    uv_close((uv_handle_t *)c->poll, free_handle);
    c->poll = NULL;
    metric_set(M_DEPENDENCY_UP, 0, c->dependency);
    c->closed = closed;
    c->closed_arg = arg;
    c->closing = (struct loop_work){.work = destroy, .done = on_destroyed};
    loop_work_start(&c->closing);
}
