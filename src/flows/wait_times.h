/* What the learners' waits are estimated from: fed by the matchmaker, and at the start from the database
 * (domain/wait_estimate.h has the estimate itself). */
#ifndef FLOWS_WAIT_TIMES_H
#define FLOWS_WAIT_TIMES_H

#include "conversation/base/jsonw.h"
#include "conversation/domain/match.h"
#include "conversation/domain/wait_estimate.h"
#include "conversation/ports/db.h"

void wait_times_start(void); /* starts to learn the recent waits from the database */
void wait_times_stop(void);

void wait_times_began(const struct match_request *r); /* one that is not scheduled enters the index */
void wait_times_ended(const struct uuid *request_id, enum wait_end end);
void wait_times_learn(const struct db_waits *waits);

/* How long a pending request, stored or about to be, has still to wait. */
struct wait_interval wait_times_estimate(const struct match_request *r);
/* Remembers what its learner has been told, to learn how estimates fare. */
void wait_times_promise(const struct match_request *r);
/* Writes the estimate of a pending request into an open object: estimatedWaitTimeSeconds, the median, and
 * estimatedWaitTimeInterval. */
void wait_times_write(struct jsonw *w, const struct match_request *r);

#endif
