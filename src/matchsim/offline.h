/* How far the decisions are from the best ones: against a maximum-weight matching (blossom.h) over the same
 * requests, on the same terms, the weight of a pair being its score. */
#ifndef MATCHSIM_OFFLINE_H
#define MATCHSIM_OFFLINE_H

#include "matchsim/policy.h"
#include "matchsim/workload.h"

struct offline_sum {
    int64_t score; /* of all pairs */
    size_t pairs;
};

struct offline_gap {
    size_t requests;
    /* All of them begin to wait at one moment, and the index looks for the first time when the phase begins.
     */
    struct offline_sum index[PHASE_COUNT], best[PHASE_COUNT];
    /* They come when they come: the policy decides as it goes; the best is chosen by who knows all arrivals
     * and cancellations beforehand, and lets a pair meet at any time at which both are there and may. */
    struct offline_sum online, hindsight;
};

/* `pool` learners from the `first` on; or as many as there are. */
void offline_measure(const struct workload *w, size_t first, size_t pool, const struct policy_choice *policy,
                     struct offline_gap *out);

#endif
