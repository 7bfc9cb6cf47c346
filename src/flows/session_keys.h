/* The copies in Redis of the sessions that are here: kept while the sessions live, a few of them a second. */
#ifndef FLOWS_SESSION_KEYS_H
#define FLOWS_SESSION_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "conversation/base/list.h"
#include "conversation/ports/kv.h"

struct live;

/* Embedded in the live session. */
struct session_keys {
    struct list link; /* in the order in which they are due */
    int64_t due_ms;   /* clock_mono_ms */
};

void session_keys_begin(struct session_keys *k);
void session_keys_end(struct session_keys *k);
void session_keys_changed(struct session_keys *k); /* what they say is no longer so: due at once */

/* Of at most `max` sessions that are due now; each is due again a while later. */
size_t session_keys_take(struct kv_running *items, size_t max);

#endif
