/* What instances tell each other about the queue: which requests have come, and which have gone. */
#ifndef FLOWS_MATCH_EVENTS_H
#define FLOWS_MATCH_EVENTS_H

#include "conversation/base/uuid.h"

/* Removed: cancelled, or pending no longer for another reason than the two that follow. Changed: still
 * pending, but whom it must not be paired with is not what it was. */
enum match_event { MATCH_ADDED, MATCH_REMOVED, MATCH_PAIRED, MATCH_TIMED_OUT, MATCH_CHANGED };

/* `heard`: another instance says so. */
void match_events_start(void (*heard)(enum match_event event, const struct uuid *request_id));
void match_events_stop(void); /* hears nothing any more; what finishes later may still speak */
/* Said at once when nothing was said just now, else together with what follows, in order. */
void match_events_say(enum match_event event, const struct uuid *request_id);

#endif
