/* Improves a matching by exchanges: what could be made of the pairs that the index finds in one moment. */
#ifndef MATCHSIM_EXCHANGE_H
#define MATCHSIM_EXCHANGE_H

#include <stddef.h>
#include <stdint.h>

/* One round over all vertices: two pairs change partners, or one of a pair takes somebody who has none, or
 * both do, wherever that adds weight. `weights` as in blossom.h; `partner` is read and written. */
void exchange_partners(const int32_t *weights, size_t n, int32_t *partner);

#endif
