/* Port: messages of other services, from Kafka (docs/events-consumed.md). At least once: a message whose
 * handling was not reported comes again, here or at another instance. Those of one partition come one at a
 * time, in their order. */
#ifndef CONVERSATION_PORTS_CONSUMER_H
#define CONVERSATION_PORTS_CONSUMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/base/str.h"

struct consumed {
    const char *topic;
    int partition;
    int64_t offset;
    struct str value; /* {NULL,0}: it had none */
    int tries;        /* how often it was taken before */
};

struct consumer_setup {
    const char *const *topics; /* ended by NULL */
    /* To be answered once, in the call or later, by consumer_done or consumer_again. `m` is valid until then.
     */
    void (*take)(const struct consumed *m);
};

/* Joins the group KAFKA_GROUP_ID, and again whenever it was lost. False: a setting is wrong, and `why` names
 * it. */
bool consumer_start(const struct consumer_setup *setup, char *why, size_t cap);

void consumer_done(const struct consumed *m);  /* it will not come again */
void consumer_again(const struct consumed *m); /* taken again after a while; its partition waits */

/* No message is taken any more; the group is left when those taken have been answered. */
void consumer_stop(void);
bool consumer_is_stopped(void); /* also when it was never started */
void consumer_abandon(void);    /* now, without leaving: the group will notice */

#endif
