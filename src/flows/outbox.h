/* The relay of the outbox: what stands in event_outbox goes to Kafka, in order, at least once
 * (docs/events.md). One instance relays at a time, the one that holds the lock.
 *
 *          the lock is held
 *   FOLLOWING ----------> RELAYING
 *        ^___________________|
 *         connection lost
 *
 * FOLLOWING asks for the lock every second. RELAYING makes one pass (outbox.relay) at a time: read, publish,
 * mark. The next one begins at once while there is more, soon after a pass that found something or a commit
 * of this process, or else after OUTBOX_POLL_MS. While Kafka is away a pass waits for its delivery reports:
 * what is in memory is one pass's. */
#ifndef FLOWS_OUTBOX_H
#define FLOWS_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "conversation/rt/flow.h"

#define OUTBOX_POLL_MS  50   /* for what other instances have written */
#define OUTBOX_PASS_MAX 500  /* events of a pass: some hundred KB */
#define OUTBOX_RETRY_MS 1000 /* after a failure; and how often the lock is asked for */

/* After db_start and publisher_start. Does nothing without KAFKA_BROKERS. */
void outbox_start(void);
/* The process stops. Relays on, also what other instances write, until outbox_done; unless Kafka is away:
 * then it is left to another instance. */
void outbox_stop(void);
bool outbox_is_resting(void); /* after outbox_stop: what this process has written is sent, or cannot be */
void outbox_done(void);       /* after the flows were cancelled */

/* What a pass did; the first member of outbox.relay's context. */
struct outbox_pass {
    int max; /* given */
    size_t read, sent;
    bool has_failed; /* something was not delivered; it will be read again */
};

/* What outbox.claim found; its context. */
struct outbox_claim {
    bool is_held;
};

#endif
