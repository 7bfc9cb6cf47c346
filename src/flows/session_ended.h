/* What follows when the database has ended a session, whoever asked for it. */
#ifndef FLOWS_SESSION_ENDED_H
#define FLOWS_SESSION_ENDED_H

#include "conversation/ports/db.h"

/* db_session_end, with what has been spoken as far as it is known here. */
void session_end_submit(struct flow *f, struct db_session_ending *ending, struct db_ended *out);

/* Tells the participants, stops the live session, logs and counts; `by` is nil for the daemon. Does nothing
 * more when the session had been ended before and is not live here. Who goes back into the queue is told
 * `match_requeued`. */
void session_ended(struct flow *f, const struct db_ended *ended, const struct uuid *by);

#endif
