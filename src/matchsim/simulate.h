/* Runs a policy on a workload with a clock of its own. */
#ifndef MATCHSIM_SIMULATE_H
#define MATCHSIM_SIMULATE_H

#include "conversation/domain/wait_estimate.h"
#include "matchsim/policy.h"
#include "matchsim/workload.h"

/* What became of one learner, by its place in the workload. */
struct outcome {
    enum wait_end end;
    int64_t wait_ms; /* to the end, whichever it was */
    int score, level_difference;
    enum match_phase phase;
    uint32_t partner;              /* matched: the other's place */
    bool is_tandem, is_broken;     /* matched; broken: one of the two did not come */
    struct wait_interval promised; /* on arrival */
};

struct simulation {
    const struct workload *workload;
    struct outcome *outcomes; /* workload->count */
    size_t peak_waiting;
    size_t returns, returns_matched; /* partners of no-shows who went back into the queue */
};

/* `trace`, unless NULL, gets the lines that the daemon would have written. */
void simulate(struct simulation *s, const struct workload *w, const struct policy_choice *policy,
              struct buf *trace);
void simulation_done(struct simulation *s);

#endif
