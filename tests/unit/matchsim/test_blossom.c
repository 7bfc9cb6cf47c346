/* The exact matching against trying everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "matchsim/blossom.h"
#include "matchsim/rng.h"

enum { SMALL = 10, ROUNDS = 20000 };

/* The greatest weight that those not yet used can add. */
static int64_t best_by_trying(const int32_t *weights, size_t n, unsigned used)
{
    size_t i = 0;
    while (i < n && (used >> i & 1))
        i++;
    if (i == n)
        return 0;
    int64_t best = best_by_trying(weights, n, used | 1U << i);
    for (size_t j = i + 1; j < n; j++) {
        if ((used >> j & 1) || weights[i * n + j] == 0)
            continue;
        int64_t with = weights[i * n + j] + best_by_trying(weights, n, used | 1U << i | 1U << j);
        best = with > best ? with : best;
    }
    return best;
}

/* Every partner is one's partner's partner, along an edge; returns the weight. */
static int64_t check_matching(const int32_t *weights, size_t n, const int32_t *partner)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (partner[i] < 0)
            continue;
        size_t j = (size_t)partner[i];
        assert_true(j < n && j != i);
        assert_int_equal(partner[j], (int32_t)i);
        assert_true(weights[i * n + j] > 0);
        if (j > i)
            sum += weights[i * n + j];
    }
    return sum;
}

/* Few different weights make ties, and ties make blossoms. */
static size_t random_graph(struct rng *r, int32_t *weights)
{
    size_t n = 1 + rng_below(r, SMALL);
    double density = rng_unit(r);
    unsigned kinds = 1 + rng_below(r, rng_unit(r) < 0.5 ? 4 : 300);
    memset(weights, 0, SMALL * SMALL * sizeof *weights);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (rng_unit(r) < density)
                weights[i * n + j] = weights[j * n + i] = (int32_t)(1 + rng_below(r, kinds));
    return n;
}

static void no_matching_is_heavier(void **state)
{
    (void)state;
    struct rng r = {1};
    for (int round = 0; round < ROUNDS; round++) {
        int32_t weights[SMALL * SMALL], partner[SMALL];
        size_t n = random_graph(&r, weights);
        int64_t sum = blossom_match(weights, n, partner);
        assert_int_equal(sum, best_by_trying(weights, n, 0));
        assert_int_equal(check_matching(weights, n, partner), sum);
    }
}

static void one_heavy_edge_may_beat_two_light_ones(void **state)
{
    (void)state;
    const int32_t path[16] = {0, 3, 0, 0, 3, 0, 10, 0, 0, 10, 0, 3, 0, 0, 3, 0}; /* 3 - 10 - 3 */
    int32_t partner[4];
    assert_int_equal(blossom_match(path, 4, partner), 10);
    assert_int_equal(partner[0], -1);
    assert_int_equal(partner[1], 2);
}

static void an_empty_graph_has_no_pairs(void **state)
{
    (void)state;
    const int32_t none[4] = {0};
    int32_t partner[2];
    assert_int_equal(blossom_match(none, 2, partner), 0);
    assert_true(partner[0] == -1 && partner[1] == -1);
    assert_int_equal(blossom_match(none, 0, partner), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_matching_is_heavier),
        cmocka_unit_test(one_heavy_edge_may_beat_two_light_ones),
        cmocka_unit_test(an_empty_graph_has_no_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
