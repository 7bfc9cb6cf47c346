/* Invents a day: learners, and when they ask for what (docs/simulation.md, "The generated day", has the
 * assumptions). The same options give the same workload, byte for byte. */
#ifndef MATCHSIM_POPULATION_H
#define MATCHSIM_POPULATION_H

#include "matchsim/workload.h"

struct population_options {
    uint64_t seed;
    unsigned users, hours; /* who ask at least once, and within how many hours from midnight UTC */
};

void population_generate(const struct population_options *options, struct workload *out);

#endif
