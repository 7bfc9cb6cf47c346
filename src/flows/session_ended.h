/* What follows when the database has ended a session, whoever asked for it. */
#ifndef FLOWS_SESSION_ENDED_H
#define FLOWS_SESSION_ENDED_H

#include "conversation/ports/db.h"

/* db_session_end, with what has been spoken as far as it is known here. */
void session_end_submit(struct flow *f, struct db_session_ending *ending, struct db_ended *out);

/* Tells the participants and stops the live session; `by` is nil for the daemon. What this call has ended
 * (`changed`) is also logged, counted and told to the other instances, and who goes back into the queue is
 * told `match_requeued`; of what had ended before, that was done by whoever ended it. */
void session_ended(struct flow *f, const struct db_ended *ended, const struct uuid *by);

#endif
