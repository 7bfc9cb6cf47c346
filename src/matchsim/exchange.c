#include "matchsim/exchange.h"

struct matching {
    const int32_t *weights;
    size_t n;
    int32_t *partner;
};

static int32_t weight_of(const struct matching *m, int32_t a, int32_t b)
{
    return m->weights[(size_t)a * m->n + (size_t)b];
}

/* Makes the two a pair, if there is an edge; they are free before. */
static void pair(struct matching *m, int32_t a, int32_t b)
{
    if (weight_of(m, a, b) == 0)
        return;
    m->partner[a] = b;
    m->partner[b] = a;
}

/* a-b and c-d become a-c and b-d; or, when c has no partner, a-b becomes a-c. */
static void try_exchange(struct matching *m, int32_t a, int32_t c)
{
    int32_t b = m->partner[a], d = m->partner[c];
    if (b < 0 || c == a || c == b)
        return;
    int32_t old = weight_of(m, a, b) + (d < 0 ? 0 : weight_of(m, c, d));
    int32_t new = weight_of(m, a, c) + (d < 0 ? 0 : weight_of(m, b, d));
    if (new <= old)
        return;
    m->partner[a] = m->partner[b] = m->partner[c] = -1;
    if (d >= 0) {
        m->partner[d] = -1;
        pair(m, b, d);
    }
    pair(m, a, c);
}

/* a-b becomes u-a and b-v, u and v having no partner. */
static void try_split(struct matching *m, int32_t u, int32_t a)
{
    int32_t b = m->partner[a];
    if (b < 0 || m->partner[u] >= 0 || weight_of(m, u, a) == 0)
        return;
    for (int32_t v = 0; v < (int32_t)m->n; v++) {
        if (v == u || m->partner[v] >= 0 || weight_of(m, b, v) == 0 ||
            weight_of(m, u, a) + weight_of(m, b, v) <= weight_of(m, a, b))
            continue;
        m->partner[a] = m->partner[b] = -1;
        pair(m, u, a);
        pair(m, b, v);
        return;
    }
}

void exchange_partners(const int32_t *weights, size_t n, int32_t *partner)
{
    struct matching m = {weights, n, partner};
    for (int32_t a = 0; a < (int32_t)n; a++)
        for (int32_t c = 0; c < (int32_t)n; c++)
            try_exchange(&m, a, c);
    for (int32_t u = 0; u < (int32_t)n; u++)
        for (int32_t a = 0; a < (int32_t)n; a++)
            try_split(&m, u, a);
}
