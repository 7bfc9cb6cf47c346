#include "matchsim/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MS 1800000 /* those who come within half an hour wait together */

/* --- groups --- */

static const char *of_all(const struct learner *l)
{
    (void)l;
    return "";
}

static const char *of_language(const struct learner *l)
{
    return l->request.target_language;
}

static const char *of_level(const struct learner *l)
{
    return level_names[l->request.level];
}

static const char *of_tier(const struct learner *l)
{
    return tier_names[l->request.tier];
}

static const char *of_kind(const struct learner *l)
{
    return match_is_tandem_seeker(&l->request) ? "tandem" : "practice";
}

static const char *of_partner_level(const struct learner *l)
{
    return partner_level_names[l->request.preferred_partner_level];
}

static const char *of_wait(const struct learner *l)
{
    static char text[REPORT_VALUE_MAX];
    snprintf(text, sizeof text, "%d s", l->request.max_wait_seconds);
    return text;
}

static const struct dimension {
    const char *name;
    const char *(*value_of)(const struct learner *l);
} dimensions[] = {
    {"all", of_all},    {"language", of_language},           {"level", of_level},   {"tier", of_tier},
    {"wants", of_kind}, {"partner level", of_partner_level}, {"max wait", of_wait},
};

#define DIMENSIONS (sizeof dimensions / sizeof dimensions[0])

static void *new_array(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    if (!p)
        abort();
    return p;
}

static struct report_group *add_group(struct report *r, const char *dimension, const char *value)
{
    r->groups = realloc(r->groups, (r->count + 1) * sizeof *r->groups);
    if (!r->groups)
        abort();
    struct report_group *g = &r->groups[r->count++];
    *g = (struct report_group){.dimension = dimension};
    (void)str_copy(str_of(value), g->value, sizeof g->value); /* a value is short */
    return g;
}

static int compare_groups(const void *a, const void *b)
{
    return strcmp(((const struct report_group *)a)->value, ((const struct report_group *)b)->value);
}

static void add_groups(struct report *r, const struct workload *w, const struct dimension *d)
{
    size_t first = r->count;
    for (size_t i = 0; i < w->count; i++) {
        const char *value = d->value_of(&w->learners[i]);
        bool is_new = true;
        for (size_t j = first; is_new && j < r->count; j++)
            is_new = strcmp(r->groups[j].value, value) != 0;
        if (is_new)
            add_group(r, d->name, value);
    }
    qsort(r->groups + first, r->count - first, sizeof *r->groups, compare_groups);
}

/* --- figures --- */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t n, double share)
{
    return n ? sorted[(size_t)(share * (double)(n - 1) + 0.5)] : 0;
}

struct sums {
    double *waits; /* of those matched */
    double in_queue, score, width;
    size_t any_level, judged, covered;
};

static void add_promise(const struct outcome *o, struct sums *sums)
{
    if (o->promised.source == WAIT_FROM_NOTHING)
        return;
    sums->width += o->promised.high - o->promised.low;
    if (o->end == WAIT_CANCELLED) /* nobody knows how long it would have been */
        return;
    int64_t seconds = o->wait_ms / 1000;
    sums->judged++;
    sums->covered += seconds >= o->promised.low && seconds <= o->promised.high;
}

static void add_outcome(struct report_group *g, const struct outcome *o, struct sums *sums)
{
    g->requests++;
    sums->in_queue += (double)o->wait_ms / 1000;
    add_promise(o, sums);
    if (o->end == WAIT_CANCELLED)
        g->cancelled++;
    if (o->end == WAIT_EXPIRED)
        g->expired++;
    if (o->end != WAIT_MATCHED)
        return;
    sums->waits[g->matched++] = (double)o->wait_ms / 1000;
    sums->score += o->score;
    sums->any_level += o->phase == PHASE_ANY_LEVEL;
    g->broken += o->is_broken;
}

static double ratio(double a, size_t b)
{
    return b ? a / (double)b : 0;
}

static bool is_in(const struct dimension *d, const struct report_group *g, const struct learner *l)
{
    return strcmp(d->value_of(l), g->value) == 0;
}

static void fill_group(struct report_group *g, const struct dimension *d, const struct simulation *s)
{
    const struct workload *w = s->workload;
    struct sums sums = {.waits = new_array(w->count, sizeof(double))};
    size_t promised = 0;
    for (size_t i = 0; i < w->count; i++) {
        if (!is_in(d, g, &w->learners[i]))
            continue;
        add_outcome(g, &s->outcomes[i], &sums);
        promised += s->outcomes[i].promised.source != WAIT_FROM_NOTHING;
    }
    qsort(sums.waits, g->matched, sizeof *sums.waits, compare_doubles);
    g->p50 = quantile(sums.waits, g->matched, 0.5);
    g->p90 = quantile(sums.waits, g->matched, 0.9);
    g->p95 = quantile(sums.waits, g->matched, 0.95);
    g->in_queue = ratio(sums.in_queue, g->requests);
    g->match_rate = ratio((double)g->matched, g->matched + g->expired);
    g->score = ratio(sums.score, g->matched);
    g->any_level = ratio((double)sums.any_level, g->matched);
    g->covered = ratio((double)sums.covered, sums.judged);
    g->width = ratio(sums.width, promised);
    free(sums.waits);
}

/* --- fairness --- */

/* Differences between two outcomes of the same requests, in blocks of those who came at about the same time.
 */
struct differences {
    double *sum;
    size_t *n;
    size_t blocks;
};

static struct report_mean mean_of(const struct differences *d)
{
    double sum = 0, square = 0;
    size_t n = 0, blocks = 0;
    for (size_t i = 0; i < d->blocks; i++) {
        sum += d->sum[i];
        n += d->n[i];
        blocks += d->n[i] > 0;
    }
    double mean = ratio(sum, n);
    for (size_t i = 0; i < d->blocks; i++) {
        double rest = d->sum[i] - mean * (double)d->n[i];
        square += rest * rest;
    }
    double error = blocks > 1 ? sqrt(square * (double)blocks / (double)(blocks - 1)) / (double)n : INFINITY;
    return (struct report_mean){mean, mean - 1.96 * error, mean + 1.96 * error};
}

static double matched_of(const struct outcome *o)
{
    return o->end == WAIT_MATCHED;
}

static double wait_of(const struct outcome *o)
{
    return (double)o->wait_ms / 1000;
}

static struct report_mean compare(const struct report_group *g, const struct dimension *d,
                                  const struct simulation *s, const struct simulation *due,
                                  double (*value_of)(const struct outcome *o))
{
    const struct workload *w = s->workload;
    int64_t begin = w->learners[0].arrives_at_ms, end = w->learners[w->count - 1].arrives_at_ms;
    struct differences diff = {.blocks = (size_t)((end - begin) / BLOCK_MS) + 1};
    diff.sum = new_array(diff.blocks, sizeof *diff.sum);
    diff.n = new_array(diff.blocks, sizeof *diff.n);
    for (size_t i = 0; i < w->count; i++) {
        if (!is_in(d, g, &w->learners[i]))
            continue;
        size_t block = (size_t)((w->learners[i].arrives_at_ms - begin) / BLOCK_MS);
        diff.sum[block] += value_of(&s->outcomes[i]) - value_of(&due->outcomes[i]);
        diff.n[block]++;
    }
    struct report_mean mean = mean_of(&diff);
    free(diff.sum);
    free(diff.n);
    return mean;
}

void report_make(const struct simulation *s, const struct simulation *due, struct report *out)
{
    *out = (struct report){0};
    for (size_t i = 0; i < s->workload->count; i++)
        out->sources[s->outcomes[i].promised.source]++;
    for (size_t i = 0; i < DIMENSIONS; i++) {
        size_t first = out->count;
        add_groups(out, s->workload, &dimensions[i]);
        for (size_t j = first; j < out->count; j++) {
            struct report_group *g = &out->groups[j];
            fill_group(g, &dimensions[i], s);
            if (!due)
                continue;
            g->is_compared = true;
            g->more_wait = compare(g, &dimensions[i], s, due, wait_of);
            g->more_matches = compare(g, &dimensions[i], s, due, matched_of);
            g->is_flagged = g->more_wait.low > 0;
        }
    }
}

void report_done(struct report *r)
{
    free(r->groups);
    *r = (struct report){0};
}
