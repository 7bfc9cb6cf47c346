/* Fakes of ports/db_outbox.h and ports/publisher.h: a table of events in memory, the relay's connection and
 * lock, and a topic that takes what it is given. */
#ifndef TESTS_FLOWS_FAKES_OUTBOX_H
#define TESTS_FLOWS_FAKES_OUTBOX_H

#include "conversation/ports/db_outbox.h"
#include "conversation/ports/publisher.h"

enum { FAKE_EVENTS_MAX = 2000 };

struct fake_event {
    char event_id[40], key[40], payload[64];
    int64_t created_at_ms;
    enum { FAKE_UNSENT, FAKE_SENT, FAKE_REFUSED } state;
    enum publish_result result; /* when it is published; WAITING: delivered */
};

struct fake_outbox {
    struct fake_event events[FAKE_EVENTS_MAX]; /* the id is the place, from 1 */
    int count;
    bool lock_is_free, is_up; /* up: Kafka */
    int purge_calls;
    struct db_outbox_age purged; /* asked last */
    int old_each, old; /* events that a purge finds: of each kind; of the one that is being purged */
    /* the topic: places of the events, in the order in which they arrived */
    int topic[2 * FAKE_EVENTS_MAX], topic_count;
    char last_value[1024], last_headers[512];
    int largest_pass;
};
extern struct fake_outbox fake_outbox;

void fake_outbox_reset(void); /* empty; the lock is free, Kafka is up */
struct fake_event *given_event(const char *key);
void fake_outbox_opens(void);
void fake_outbox_is_lost(void); /* the connection */
void fake_outbox_commits(void); /* tells that something was */

#endif
