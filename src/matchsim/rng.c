#include "matchsim/rng.h"

#include <math.h>
#include <string.h>

uint64_t rng_next(struct rng *r)
{
    uint64_t x = r->state += 0x9E3779B97F4A7C15ULL;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
}

double rng_unit(struct rng *r)
{
    return (double)(rng_next(r) >> 11) * 0x1p-53;
}

unsigned rng_below(struct rng *r, unsigned n)
{
    return (unsigned)(rng_unit(r) * n);
}

double rng_exponential(struct rng *r, double mean)
{
    return -mean * log1p(-rng_unit(r));
}

size_t rng_weighted(struct rng *r, const double *weights, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += weights[i];
    double at = rng_unit(r) * sum;
    size_t i = 0;
    while (i + 1 < n && (at -= weights[i]) >= 0)
        i++;
    return i;
}

struct uuid rng_uuid(struct rng *r)
{
    uint64_t halves[2] = {rng_next(r), rng_next(r)};
    struct uuid u;
    memcpy(u.b, halves, sizeof u.b);
    u.b[6] = (uint8_t)((u.b[6] & 0x0F) | 0x40);
    u.b[8] = (uint8_t)((u.b[8] & 0x3F) | 0x80);
    return u;
}
