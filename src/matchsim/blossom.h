/* Maximum-weight matching in a general graph, exactly: Edmonds' blossom algorithm with dual variables (Galil,
 * "Efficient algorithms for finding maximum matching in graphs", 1986), O(n^3). */
#ifndef MATCHSIM_BLOSSOM_H
#define MATCHSIM_BLOSSOM_H

#include <stddef.h>
#include <stdint.h>

#define BLOSSOM_VERTICES_MAX 20000

/* `weights` is an n × n symmetric matrix by rows; 0 is no edge, and none is negative. Writes each vertex's
 * partner, or -1; returns the sum of the weights. Memory: about 20 n^2 bytes. */
int64_t blossom_match(const int32_t *weights, size_t n, int32_t *partner);

#endif
