/* Random numbers that a seed decides wholly (splitmix64). */
#ifndef MATCHSIM_RNG_H
#define MATCHSIM_RNG_H

#include <stddef.h>
#include <stdint.h>

#include "conversation/base/uuid.h"

struct rng {
    uint64_t state;
};

uint64_t rng_next(struct rng *r);
double rng_unit(struct rng *r);                /* [0, 1) */
unsigned rng_below(struct rng *r, unsigned n); /* 0 … n - 1 */
double rng_exponential(struct rng *r, double mean);
size_t rng_weighted(struct rng *r, const double *weights, size_t n); /* index */
struct uuid rng_uuid(struct rng *r);                                 /* formed like version 4 */

#endif
