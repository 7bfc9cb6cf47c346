/* Port: the table of events that wait for Kafka (docs/events.md), as its relay sees it. Calls are operations
 * of a flow, as in ports/db.h. The relay has a connection of its own, and the lock that makes it the only
 * relay of all instances belongs to that connection: who has lost it has lost the lock, and cannot read on.
 */
#ifndef CONVERSATION_PORTS_DB_OUTBOX_H
#define CONVERSATION_PORTS_DB_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/base/str.h"
#include "conversation/rt/flow.h"

struct db_outbox_watch {
    void (*changed)(bool is_open); /* the relay's connection is there; or lost, and the lock with it */
    void (*committed)(void);       /* this process has committed something: perhaps events */
};
/* Opens the relay's connection; after db_start, until db_stop. */
void db_outbox_start(const struct db_outbox_watch *watch);

/* Asks for the lock. Not held: another instance has it, and db_outbox_read must not be called. */
void db_outbox_claim(struct flow *f, bool *is_held);

struct outbox_event {
    int64_t id;
    const char *event_id, *type, *key, *correlation_id;
    struct str payload; /* a JSON object */
    int64_t created_at_ms;
};
struct outbox_events {
    const struct outbox_event *items;
    size_t count;
};
/* The events that were not sent, oldest first, at most `max`. Needs the lock. */
void db_outbox_read(struct flow *f, int max, struct outbox_events *out);

/* They are in Kafka: true whoever has the lock by now. */
void db_outbox_mark(struct flow *f, const int64_t *ids, size_t count);
/* The brokers will never take it: it is not read again, and kept until somebody has looked at it. */
void db_outbox_refuse(struct flow *f, int64_t id);

/* Counting stops here. */
#define DB_OUTBOX_COUNTED_MAX 100000
struct db_outbox_backlog {
    int unsent;
    int64_t oldest_at_ms; /* of those; 0: none */
};
void db_outbox_backlog(struct flow *f, struct db_outbox_backlog *out);

struct db_outbox_age {
    int64_t before_ms; /* sent, or with `unsent` made, before this time */
    bool unsent;       /* those that were not sent, instead of those that were */
    int max;
};
/* Deletes at most so many; *deleted says how many. */
void db_outbox_purge(struct flow *f, const struct db_outbox_age *age, int *deleted);

#endif
