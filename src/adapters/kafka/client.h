/* One librdkafka client on the loop. librdkafka has threads of its own: what they have to say comes through
 * one queue of events, and they wake the loop by an eventfd. Nothing of ours runs on their threads: log lines
 * and errors, too, are events of the queue. */
#ifndef KAFKA_CLIENT_H
#define KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

struct kafka_setting {
    const char *name, *value; /* librdkafka's words: CONFIGURATION.md of its documentation */
};

struct kafka_setup {
    rd_kafka_type_t type;
    const char *dependency;               /* in dependency_up and in the log: "kafka", "kafka_consumer" */
    const struct kafka_setting *settings; /* beside those of the configuration; ended by a NULL name */
    int events;                           /* RD_KAFKA_EVENT_*, beside log, error and statistics */
    /* On the loop. Destroys the event (rd_kafka_event_destroy). Fatal errors come here, too, as
     * RD_KAFKA_EVENT_ERROR: the client is of no use any more, and its owner makes another. */
    void (*on_event)(void *arg, rd_kafka_event_t *event);
    void *arg;
};

struct kafka_client;

/* Connects by itself, and again when a connection is lost. NULL: a setting is wrong, and `why` names it. */
struct kafka_client *kafka_client_new(const struct kafka_setup *setup, char *why, size_t cap);
rd_kafka_t *kafka_client_handle(const struct kafka_client *c);

/* No event comes any more; librdkafka is taken down in the thread pool, which may take a moment, and `closed`
 * (may be NULL) is called on the loop afterwards. Messages that were not delivered are dropped. */
void kafka_client_close(struct kafka_client *c, void (*closed)(void *arg), void *arg);

/* A broker was reached, and not lost since: what dependency_up says. */
bool kafka_client_is_up(const struct kafka_client *c);
/* The owner has seen it. */
void kafka_client_seen_up(struct kafka_client *c);

#endif
