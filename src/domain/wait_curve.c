#include "wait_curve.h"

#include <math.h>
#include <string.h>

#define TOLERANCE 0.02

void wait_curve_clear(struct wait_curve *c)
{
    memset(c, 0, sizeof *c);
}

void wait_curve_add(struct wait_curve *c, int seconds, bool has_ended, double weight)
{
    if (has_ended)
        c->ended[seconds] += weight;
    else
        c->cut[seconds] += weight;
    c->weight += weight;
}

/* One wait more is taken to last for ever: of n waits, the next one is longer than all with a chance of one
 * in n + 1. */
void wait_curve_close(struct wait_curve *c, int begin, int end)
{
    double waiting = c->weight + 1, left = 1;
    for (int t = begin; t < end; t++) {
        double gone = c->ended[t] + c->cut[t];
        double share = left * c->ended[t] / waiting;
        c->ended[t] = share;
        left -= share;
        waiting -= gone;
    }
    c->ended[end] = left;
    c->begin = begin;
    c->end = end;
}

static int median_of(const struct wait_curve *c)
{
    double sum = 0;
    int t = c->begin;
    while (t < c->end && (sum += c->ended[t]) < 0.5)
        t++;
    return t;
}

struct choice {
    struct wait_span span;
    double miss;
};

static void offer(struct choice *best, int low, int high, double miss)
{
    if (miss < TOLERANCE)
        miss = TOLERANCE;
    bool is_shorter = high - low < best->span.high - best->span.low;
    if (miss > best->miss || (miss == best->miss && !is_shorter))
        return;
    best->miss = miss;
    best->span.low = low;
    best->span.high = high;
}

/* The last second up to `high` in which something ends. */
static int last_step(const struct wait_curve *c, int low, int high)
{
    while (high > low && c->ended[high] <= 0)
        high--;
    return high;
}

/* For each begin the two ends between which the share is reached; both move on only. */
struct wait_span wait_curve_span(const struct wait_curve *c, double share)
{
    struct choice best = {.span = {c->begin, median_of(c), c->end}, .miss = fabs(1 - share)};
    int median = best.span.median, high = c->begin - 1;
    double sum = 0; /* of low … high */
    for (int low = c->begin; low <= median; low++) {
        while (high < c->end && sum < share)
            sum += c->ended[++high];
        if (c->ended[low] > 0) {
            if (high >= median)
                offer(&best, low, high, fabs(sum - share));
            int before = last_step(c, low, high - 1);
            if (before >= median)
                offer(&best, low, before, fabs(sum - c->ended[high] - share));
        }
        sum -= c->ended[low];
    }
    best.span.median = median;
    return best.span;
}
