/* Metrics: a hash table of series, keyed by metric and label text, and for each metric the list of its
 * series. */
#include "conversation/base/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "conversation/base/list.h"

#define LABELS_MAX   3
#define BUCKET_COUNT 18 /* of a histogram */
#define CHAIN_COUNT  1024

static const char *const bucket_bounds_text[BUCKET_COUNT] = {
    "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25",
    "0.5",    "1",     "2.5",    "5",     "10",   "30",    "60",   "120", "300"};
static const double bucket_bounds[BUCKET_COUNT] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                   0.5,    1,     2.5,    5,     10,   30,    60,   120, 300};

/* Points of a compatibility score: where the phases and the kinds of pairs lie apart. */
static const char *const score_bounds_text[BUCKET_COUNT] = {"0",   "30",  "40",  "50",  "60",  "70",
                                                            "80",  "90",  "100", "110", "120", "130",
                                                            "140", "150", "170", "200", "220", "250"};
static const double score_bounds[BUCKET_COUNT] = {0,   30,  40,  50,  60,  70,  80,  90,  100,
                                                  110, 120, 130, 140, 150, 170, 200, 220, 250};

struct histogram {
    double sum;
    uint64_t count;
    uint64_t buckets[BUCKET_COUNT]; /* observations within this bound and above the one before */
};

struct series {
    struct list in_metric;
    struct series *next_in_chain;
    enum metric metric;
    double value;
    uint64_t mean_count;         /* of the values that `value` is the mean of */
    struct histogram *histogram; /* histograms only */
    size_t label_length;
    char labels[]; /* `language="en",topic="IB3"`: the key within the metric, and as it is rendered */
};

static const struct {
    enum metric_kind kind;
    const char *name, *labels, *help;
} infos[METRIC_COUNT] = {
#define METRIC_ROW(id, kind, name, labels, help) [id] = {kind, name, labels, help},
    METRIC_TABLE(METRIC_ROW)
#undef METRIC_ROW
};

static const char *const kind_names[] = {[METRIC_COUNTER] = "counter",
                                         [METRIC_GAUGE] = "gauge",
                                         [METRIC_HISTOGRAM] = "histogram",
                                         [METRIC_SCORES] = "histogram"};

static bool is_histogram(enum metric id)
{
    return infos[id].kind == METRIC_HISTOGRAM || infos[id].kind == METRIC_SCORES;
}

static struct series *chains[CHAIN_COUNT];
static struct metric_state {
    struct list series; /* in order of creation */
    size_t count;
} states[METRIC_COUNT];
static struct buf key; /* scratch */

/* Number of leading bytes that stand for themselves in a label value: ASCII but the three that are escaped.
 */
static size_t plain_run(struct str s)
{
    size_t n = 0;
    while (n < s.n && (signed char)s.p[n] > 0 && s.p[n] != '\n' && s.p[n] != '\\' && s.p[n] != '"')
        n++;
    return n;
}

/* In a label value backslash, quote and line feed are escaped, and the text must be UTF-8. */
static void add_label_value(struct buf *out, const char *z)
{
    struct str s = str_of(z);
    while (s.n) {
        size_t n = plain_run(s);
        if (n == 0)
            n = str_utf8_sequence(s);
        if (n == 0)
            buf_addc(out, '?');
        else if (*s.p == '\n')
            buf_addz(out, "\\n");
        else if (*s.p == '\\' || *s.p == '"')
            buf_add(out, (const char[]){'\\', *s.p}, 2);
        else
            buf_add(out, s.p, n);
        n += n == 0;
        s.p += n;
        s.n -= n;
    }
}

static void build_key(enum metric id, const char *const values[LABELS_MAX])
{
    struct str names = str_of(infos[id].labels);
    int i = 0;
    key.n = 0;
    for (; names.n; i++) {
        assert(i < LABELS_MAX);
        struct str name = str_cut(&names, ',');
        if (i)
            buf_addc(&key, ',');
        buf_add_str(&key, name);
        buf_addz(&key, "=\"");
        add_label_value(&key, values[i] ? values[i] : "");
        buf_addc(&key, '"');
    }
    for (; i < LABELS_MAX; i++)
        assert(!values[i]); /* a value for a label the metric does not have */
}

/* FNV-1a; the number of series is bounded, so that colliding label values cost little. */
static struct series **chain_of(enum metric id, struct str labels)
{
    uint32_t h = 2166136261u ^ (uint32_t)id;
    for (size_t i = 0; i < labels.n; i++)
        h = (h ^ (unsigned char)labels.p[i]) * 16777619u;
    return &chains[(h ^ h >> 16) % CHAIN_COUNT];
}

static struct series *find(enum metric id, struct str labels)
{
    struct series *s = *chain_of(id, labels);
    while (s && !(s->metric == id && str_eq((struct str){s->labels, s->label_length}, labels)))
        s = s->next_in_chain;
    return s;
}

static void *zeroed(size_t n)
{
    void *p = calloc(1, n);
    if (!p)
        abort();
    return p;
}

static struct series *create(enum metric id, struct str labels)
{
    struct series *s = zeroed(sizeof *s + labels.n + 1);
    s->metric = id;
    s->label_length = labels.n;
    if (labels.n)
        memcpy(s->labels, labels.p, labels.n);
    if (is_histogram(id))
        s->histogram = zeroed(sizeof *s->histogram);
    if (!states[id].series.next)
        list_init(&states[id].series);
    list_add_tail(&states[id].series, &s->in_metric);
    struct series **chain = chain_of(id, labels);
    s->next_in_chain = *chain;
    *chain = s;
    states[id].count++;
    return s;
}

/* The last series a metric may have is the one that all further label values share. */
static struct series *series_of(enum metric id, const char *const values[LABELS_MAX])
{
    build_key(id, values);
    struct series *s = find(id, buf_str(&key));
    if (s)
        return s;
    if (states[id].count >= METRIC_SERIES_MAX - 1) {
        const char *other[LABELS_MAX] = {NULL};
        for (int i = 0; i < LABELS_MAX; i++)
            other[i] = values[i] ? "other" : NULL;
        build_key(id, other);
        s = find(id, buf_str(&key));
    }
    return s ? s : create(id, buf_str(&key));
}

void metric_add(enum metric id, double delta, const char *label1, const char *label2, const char *label3)
{
    assert(!is_histogram(id));
    assert(infos[id].kind == METRIC_GAUGE || delta >= 0);
    series_of(id, (const char *const[LABELS_MAX]){label1, label2, label3})->value += delta;
}

double *metric_counter(enum metric id, const char *label1)
{
    assert(infos[id].kind == METRIC_COUNTER);
    return &series_of(id, (const char *const[LABELS_MAX]){label1})->value;
}

void metric_set(enum metric id, double value, const char *label1)
{
    assert(infos[id].kind == METRIC_GAUGE);
    series_of(id, (const char *const[LABELS_MAX]){label1})->value = value;
}

void metric_mean(enum metric id, double value, const char *label1)
{
    assert(infos[id].kind == METRIC_GAUGE);
    struct series *s = series_of(id, (const char *const[LABELS_MAX]){label1});
    s->value += (value - s->value) / (double)++s->mean_count;
}

void metric_zero(enum metric id)
{
    struct metric_state *state = &states[id];
    if (!state->count)
        return;
    LIST_EACH (n, &state->series)
        container_of(n, struct series, in_metric)->value = 0;
}

void metric_observe(enum metric id, double value, const char *label1)
{
    assert(is_histogram(id));
    const double *bounds = infos[id].kind == METRIC_SCORES ? score_bounds : bucket_bounds;
    struct histogram *h = series_of(id, (const char *const[LABELS_MAX]){label1})->histogram;
    int i = 0;
    while (i < BUCKET_COUNT && value > bounds[i])
        i++;
    if (i < BUCKET_COUNT)
        h->buckets[i]++;
    h->sum += value;
    h->count++;
}

static void add_value(struct buf *out, double value)
{
    if (isfinite(value))
        buf_addf(out, " %.15g\n", value);
    else
        buf_addz(out, isnan(value) ? " NaN\n" : value > 0 ? " +Inf\n" : " -Inf\n");
}

static void render_histogram(struct buf *out, const char *name, const struct series *s)
{
    const struct histogram *h = s->histogram;
    const char *comma = s->label_length ? "," : "";
    const char *const *bounds =
        infos[s->metric].kind == METRIC_SCORES ? score_bounds_text : bucket_bounds_text;
    uint64_t below = 0;
    for (int i = 0; i < BUCKET_COUNT; i++) {
        below += h->buckets[i];
        buf_addf(out, "%s_bucket{%s%sle=\"%s\"} %ju\n", name, s->labels, comma, bounds[i], (uintmax_t)below);
    }
    buf_addf(out, "%s_bucket{%s%sle=\"+Inf\"} %ju\n", name, s->labels, comma, (uintmax_t)h->count);
    const char *open = s->label_length ? "{" : "", *close = s->label_length ? "}" : "";
    buf_addf(out, "%s_sum%s%s%s", name, open, s->labels, close);
    add_value(out, h->sum);
    buf_addf(out, "%s_count%s%s%s %ju\n", name, open, s->labels, close, (uintmax_t)h->count);
}

static void render_series(struct buf *out, const struct series *s)
{
    const char *name = infos[s->metric].name;
    if (s->histogram) {
        render_histogram(out, name, s);
        return;
    }
    buf_addz(out, name);
    if (s->label_length)
        buf_addf(out, "{%s}", s->labels);
    add_value(out, s->value);
}

#define UPDATES_MAX 4

static void (*updates[UPDATES_MAX])(void);

void metrics_on_render(void (*update)(void))
{
    if (!update) {
        memset(updates, 0, sizeof updates);
        return;
    }
    int i = 0;
    while (i < UPDATES_MAX && updates[i] && updates[i] != update)
        i++;
    assert(i < UPDATES_MAX);
    updates[i] = update;
}

void metrics_render(struct buf *out)
{
    for (int i = 0; i < UPDATES_MAX && updates[i]; i++)
        updates[i]();
    for (enum metric id = 0; id < METRIC_COUNT; id++) {
        buf_addf(out, "# HELP %s %s\n", infos[id].name, infos[id].help);
        buf_addf(out, "# TYPE %s %s\n", infos[id].name, kind_names[infos[id].kind]);
        /* A metric without labels is there from the start, as 0. */
        if (states[id].count == 0 && infos[id].labels[0] == '\0')
            series_of(id, (const char *const[LABELS_MAX]){NULL});
        if (states[id].count == 0)
            continue;
        LIST_EACH (n, &states[id].series)
            render_series(out, container_of(n, struct series, in_metric));
    }
}

void metrics_reset(void)
{
    for (size_t i = 0; i < CHAIN_COUNT; i++) {
        for (struct series *s = chains[i], *after; s; s = after) {
            after = s->next_in_chain;
            free(s->histogram);
            free(s);
        }
        chains[i] = NULL;
    }
    memset(states, 0, sizeof states);
    buf_done(&key);
}
