/* Which instance decides who is paired: the one that holds the lease `matchmaker:leader`.
 *
 *              granted
 *   FOLLOWING ---------> LEADING      asks at a third of the lease, whoever holds it
 *        ^__________________|         refused, run out, stopped
 *
 * The lease runs from when it was asked for, so a leader stops before Redis gives it to another. A process
 * that was paused, or a Redis that was emptied, may still make two for a moment: the database is the judge of
 * every claim (docs/matchmaking.md, "Several instances"). */
#ifndef FLOWS_LEADERSHIP_H
#define FLOWS_LEADERSHIP_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/ports/kv.h"

#define LEADERSHIP_LEASE "matchmaker:leader"

/* `taken`: this instance leads from now on; or it was leading and Redis no longer knew of it, so that Redis
 * has lost everything else, too. */
void leadership_start(void (*taken)(bool was_leading));
void leadership_stop(void); /* gives the lease back */
bool leadership_is_held(void);

/* From leadership.hold. */
void leadership_answered(enum err err, enum kv_lease lease, int64_t asked_ms);

#endif
