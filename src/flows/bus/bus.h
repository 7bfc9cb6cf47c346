/* What other services tell by Kafka, and what is done about it. */
#ifndef FLOWS_BUS_H
#define FLOWS_BUS_H

#include "conversation/edge/reply.h"

/* One event of a topic; the table is src/topics.c. The handler's input is decoded from the event's payload.
 * Its flow may be run again for the same event. It fails with what a retry may mend, or with
 * ERR_INVALID_REQUEST or ERR_NOT_FOUND: then the event is skipped. */
struct bus_row {
    const char *const *topic; /* of the configuration */
    const char *event_type;
    const struct handler *handler; /* NULL: nothing is to be done */
};
extern const struct bus_row bus_rows[]; /* ended by a row without topic */

extern const struct handler bus_user_deleted, bus_skill_acquired, bus_transcript_ready;

/* Without KAFKA_BROKERS nothing is consumed. False: a setting is wrong, and `why` names it. */
bool bus_consumer_start(char *why, size_t cap);

#endif
