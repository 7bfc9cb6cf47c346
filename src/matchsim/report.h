/* What a simulation says: waits, match rate, score, fairness and calibration, over all and by group. */
#ifndef MATCHSIM_REPORT_H
#define MATCHSIM_REPORT_H

#include <stdio.h>

#include "conversation/base/jsonw.h"
#include "matchsim/offline.h"
#include "matchsim/simulate.h"

#define REPORT_VALUE_MAX 16

/* A mean with its 95 % confidence interval, which takes into account that those who wait together share luck.
 */
struct report_mean {
    double mean, low, high;
};

struct report_group {
    const char *dimension; /* "all", "language", "level", … */
    char value[REPORT_VALUE_MAX];
    size_t requests, matched, expired, cancelled, broken;
    double p50, p90, p95;    /* seconds, of those matched */
    double in_queue;         /* mean seconds to the end, whichever it was */
    double match_rate;       /* of those who did not cancel */
    double score, any_level; /* mean of those matched; share of them matched in the any-level phase */
    double covered, width;   /* share of the ends within the promised interval; its mean width in seconds */
    struct report_mean more_wait, more_matches; /* than the group's due; see is_compared */
    bool is_compared, is_flagged;               /* flagged: waits more than its due */
};

struct report {
    struct report_group *groups;
    size_t count;
    size_t sources[WAIT_FROM_NOTHING + 1]; /* of the promises */
};

/* `due`: the outcome under the first-come-first-served policy, or NULL. */
void report_make(const struct simulation *s, const struct simulation *due, struct report *out);
void report_done(struct report *r);

void report_print(FILE *to, const struct report *r);
void report_write(struct jsonw *w, const struct report *r); /* members "groups" and "estimateSources" */
void report_print_gap(FILE *to, const struct offline_gap *gap);
void report_write_gap(struct jsonw *w, const struct offline_gap *gap); /* one object */

#endif
