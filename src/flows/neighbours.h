/* Instances at which partners of those here have their sockets. Each is called every second on its own
 * channel, `instance_events:{instanceId}`: Redis says at once when nobody listens there any more, for it
 * loses the connections of a process that has died. */
#ifndef FLOWS_NEIGHBOURS_H
#define FLOWS_NEIGHBOURS_H

#include <stdbool.h>

#include "conversation/base/uuid.h"

struct neighbour;

/* Called again and again as long as it is so. `is_silent`: it listens, and has not answered for
 * NEIGHBOUR_SILENT_MS. */
typedef void neighbour_doubted(const struct neighbour *n, bool is_silent);

#define NEIGHBOUR_CALL_MS   1000
#define NEIGHBOUR_SILENT_MS 15000
/* So long after the bus has come back others may not be back on it yet. */
#define NEIGHBOUR_PATIENCE_MS 10000

void neighbours_start(neighbour_doubted *doubted);
void neighbours_stop(void);

/* For as long as somebody is there; given back as often as taken. */
struct neighbour *neighbour_take(const struct uuid *instance);
void neighbour_give_back(struct neighbour *n);
const struct uuid *neighbour_instance(const struct neighbour *n);
bool neighbour_is(const struct neighbour *n, const struct uuid *instance);

/* Whether "nobody else listens" can be believed: not while others may still be on their way back. */
bool neighbours_are_settled(void);

#endif
