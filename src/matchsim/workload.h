/* What a simulation runs on: who asks when, for what, and what they would do if they were not matched. */
#ifndef MATCHSIM_WORKLOAD_H
#define MATCHSIM_WORKLOAD_H

#include <stdio.h>

#include "conversation/base/arena.h"
#include "conversation/base/map.h"
#include "conversation/codec/match_trace.h"

struct learner {
    struct map_node by_id;        /* of the request */
    struct match_request request; /* arrays are the workload's */
    int64_t arrives_at_ms;
    struct match_trace_behaviour behaviour;
};

/* Learners in the order of arrival. */
struct workload {
    struct learner *learners;
    size_t count, capacity;
    struct pairing_rules rules;
    int64_t phase_start_ms[PHASE_COUNT];
    struct arena arena;
};

void workload_done(struct workload *w);
struct learner *workload_add(struct workload *w); /* zeroed; moves the others */
/* Once all are there: orders them. */
void workload_finish(struct workload *w);

/* From the arrivals, cancellations and behaviours of a trace; of several in one file, the last. False:
 * problem says why. */
bool workload_read(struct workload *w, FILE *trace, char problem[200]);

#endif
