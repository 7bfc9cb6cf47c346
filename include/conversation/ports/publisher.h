/* Port: Kafka, for what the service publishes. A message that was delivered is on as many brokers as the
 * topic asks for (acks=all); messages of one key arrive in the order they were given. While no broker can be
 * reached, messages wait: without KAFKA_BROKERS nothing is ever started. */
#ifndef CONVERSATION_PORTS_PUBLISHER_H
#define CONVERSATION_PORTS_PUBLISHER_H

#include <stdbool.h>
#include <stddef.h>

#include "conversation/base/str.h"
#include "conversation/rt/flow.h"

/* False: a setting is wrong; `why` is a line for people. */
bool publisher_start(char *why, size_t cap);
void publisher_stop(void);  /* what is under way is given up: it may or may not arrive */
bool publisher_is_up(void); /* a broker was reached, and not lost since */

enum publish_result {
    PUBLISH_WAITING,
    PUBLISH_DELIVERED,
    PUBLISH_FAILED,  /* perhaps it arrived; the same again may succeed */
    PUBLISH_REFUSED, /* it, or one that travelled with it, will never be taken */
};

#define PUBLISH_HEADERS_MAX 4

struct publish_message {
    struct str key, value;
    struct publish_header {
        const char *name, *value;
    } headers[PUBLISH_HEADERS_MAX]; /* those with a name */
    enum publish_result result;     /* set when the operation reports */
};

/* One operation: reports OK when each message has its result, however long that takes. `messages` live as
 * long as the flow's arena; what they point to may go when the call returns. */
void publish_all(struct flow *f, const char *topic, struct publish_message *messages, size_t count);

#endif
