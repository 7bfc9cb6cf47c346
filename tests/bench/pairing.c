/* The pairing index alone: 100,000 waiting requests that fit nobody, then arrivals; and how fast pairs are
 * made when everyone fits.
 *
 *   bench_pairing [waiting] [arrivals]
 *
 * "Fits nobody" in five shapes: a mixed queue in its first 30 s in which no pair reaches the score of 100
 * (history unknown, no premium); a mixed queue of learners with histories who all wish a higher partner; the
 * same number in a single topic and level; one language pair's tandem seekers without counterparts; and
 * requests scheduled for the same quarters of an hour. Arrival to decision is pairing_add plus pairing_decide
 * while somebody is due. Memory is malloc's own account of the index, tables and chunk heads included. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "conversation/domain/pairing.h"
#include "conversation/domain/pairing_explain.h"

#define T0 INT64_C(1736935200000)

/* Past partners: 0 to 16, on average 8; blocked or reported: 0 to 2, on average 1. */
enum { LANGUAGES = 5, TOPICS = 50, ACCENTS = 4, HISTORY = 16, EXCLUDED = 2 };

static const char *const languages[LANGUAGES] = {"en", "fr", "es", "de", "it"};
static const char *const accents[ACCENTS] = {"", "", "neutral", "southern"};

struct shape {
    const char *name;
    void (*fill)(struct match_request *r, uint64_t *random);
};

static uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state += 0x9E3779B97F4A7C15ULL; /* splitmix64 */
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
}

static unsigned below(uint64_t *random, unsigned n)
{
    return (unsigned)(random_next(random) % n);
}

static struct uuid random_uuid(uint64_t *random)
{
    uint64_t halves[2] = {random_next(random), random_next(random)};
    struct uuid u;
    memcpy(u.b, halves, sizeof u.b);
    return u;
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static size_t heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd; /* the large tables are mapped */
}

/* --- requests --- */

static struct match_past_partner history[HISTORY];
static struct uuid excluded[EXCLUDED];

static void fill_mixed(struct match_request *r, uint64_t *random)
{
    strcpy(r->target_language, languages[below(random, LANGUAGES)]);
    strcpy(r->native_language, languages[below(random, LANGUAGES)]);
    unsigned topic = below(random, TOPICS);
    snprintf(r->topic_code, sizeof r->topic_code, "%s.topic_%u", topic_category_names[topic % CATEGORY_COUNT],
             topic);
    r->topic_category = (enum topic_category)(topic % CATEGORY_COUNT);
    r->level = (enum level)below(random, LEVEL_COUNT);
    r->preferred_partner_level = (enum partner_level)below(random, 4);
    strcpy(r->preferred_accent, accents[below(random, ACCENTS)]);
}

/* Each wants somebody one level above, who wants the same in turn. */
static void fill_higher(struct match_request *r, uint64_t *random)
{
    fill_mixed(r, random);
    r->level = (enum level)below(random, LEVEL_C2);
    r->preferred_partner_level = PARTNER_HIGHER;
    r->history_is_known = true;
}

/* The same, over the next seven days from 8 to 22 o'clock. */
static void fill_scheduled(struct match_request *r, uint64_t *random)
{
    fill_higher(r, random);
    r->mode = MATCH_SCHEDULED;
    r->scheduled_for_ms = T0 + 86400000LL * (1 + below(random, 6)) + 900000LL * (32 + below(random, 56));
}

static void fill_one_topic(struct match_request *r, uint64_t *random)
{
    (void)random;
    strcpy(r->target_language, "en");
    strcpy(r->native_language, "fr");
    strcpy(r->topic_code, "free_talk");
    r->topic_category = CATEGORY_OTHER;
    r->level = LEVEL_B1;
}

static void fill_tandem(struct match_request *r, uint64_t *random)
{
    fill_mixed(r, random);
    strcpy(r->target_language, "en");
    strcpy(r->native_language, "fr");
    strcpy(r->wanted_native_language, "en");
}

/* Somebody who knows all about everybody, so that most pairs would score: "never spoke". */
static void fill_matching(struct match_request *r, uint64_t *random)
{
    fill_mixed(r, random);
    r->history_is_known = true;
    r->preferred_partner_level = PARTNER_SAME;
}

static struct match_request request(const struct shape *shape, int64_t at_ms, uint64_t *random)
{
    struct match_request r = {.id = random_uuid(random), .user_id = random_uuid(random)};
    r.created_at_ms = at_ms;
    for (int i = 0; i < HISTORY; i++)
        history[i] = (struct match_past_partner){random_uuid(random), at_ms - 86400000 * (i + 1)};
    for (int i = 0; i < EXCLUDED; i++)
        excluded[i] = random_uuid(random);
    r.excluded = excluded;
    r.excluded_count = below(random, EXCLUDED + 1);
    r.history = history;
    r.history_count = below(random, HISTORY + 1);
    shape->fill(&r, random);
    r.expires_at_ms = match_wait_start_ms(&r) + 120000;
    return r;
}

/* --- measuring --- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_times(const char *what, double *us, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += us[i];
    qsort(us, n, sizeof *us, compare);
    printf("  %s: mean %.1f us, p50 %.1f, p99 %.1f, p99.9 %.1f, max %.1f\n", what, sum / (double)n, us[n / 2],
           us[n * 99 / 100], us[n * 999 / 1000], us[n - 1]);
}

static double longest_us; /* of the calls that decide: what the loop is held up for */

static unsigned drain(struct pairing *p, int64_t at_ms)
{
    const struct pairing_pair *pairs;
    unsigned count = 0;
    while (pairing_has_due(p, at_ms)) {
        double start = now_us();
        count += (unsigned)pairing_decide(p, at_ms, &pairs);
        double took = now_us() - start;
        longest_us = took > longest_us ? took : longest_us;
    }
    return count;
}

/* All that wait reach 30 s, where most fit somebody. */
static void bench_crossing(struct pairing *p)
{
    if (pairing_next_due_ms(p) > T0 + 55000)
        return; /* scheduled ones sleep on */
    size_t left = pairing_count(p);
    longest_us = 0;
    double start = now_us();
    unsigned pairs = drain(p, T0 + 55000);
    double took = now_us() - start;
    printf("  all cross 30 s at once: %u pairs of %zu in %.0f ms, %.0f pairs/s; the longest call %.1f ms\n",
           pairs, left, took / 1000, pairs / (took / 1e6), longest_us / 1000);
}

/* What the loop is held up for by one explanation. */
static void bench_explain(const struct shape *shape, struct pairing *p, int64_t at_ms, uint64_t *random)
{
    enum { TIMES = 500 };
    double us[TIMES];
    struct pairing_explanation e = {0};
    size_t exact = 0;
    for (int i = 0; i < TIMES; i++) {
        struct match_request r = request(shape, at_ms, random);
        pairing_add(p, &r);
        double start = now_us();
        pairing_explain(p, &r.id, at_ms, &e);
        us[i] = now_us() - start;
        exact += e.is_exact;
        pairing_remove(p, &r.id);
    }
    print_times("explanation", us, TIMES);
    printf("    of the last: %zu candidates; %zu of %d exact\n", e.candidates, exact, TIMES);
}

static void bench_incompatible(const struct shape *shape, size_t waiting, size_t arrivals)
{
    static const struct pairing_rules rules = {.min_score = 50, .last_pass_ms = 1000};
    uint64_t random = 1;
    struct pairing *p = pairing_new(&rules);
    size_t before = heap_bytes();
    double start = now_us();
    unsigned pairs = 0;
    for (size_t i = 0; i < waiting; i++) { /* over 20 s: nobody leaves the strict phase */
        int64_t at_ms = T0 + (int64_t)(i * 20000 / waiting);
        struct match_request r = request(shape, at_ms, &random);
        pairing_add(p, &r);
        pairs += drain(p, at_ms);
    }
    double filled = now_us();
    size_t bytes = heap_bytes() - before;
    printf("%s: %zu waiting (%u pairs meanwhile), filled in %.0f ms, %.0f bytes a ticket\n", shape->name,
           pairing_count(p), pairs, (filled - start) / 1000, (double)bytes / (double)pairing_count(p));
    double *us = calloc(arrivals, sizeof *us);
    for (size_t i = 0; i < arrivals; i++) {
        struct match_request r = request(shape, T0 + 20000 + (int64_t)i / 10, &random);
        start = now_us();
        pairing_add(p, &r);
        drain(p, r.created_at_ms);
        us[i] = now_us() - start;
    }
    print_times("arrival to decision", us, arrivals);
    free(us);
    bench_explain(shape, p, T0 + 20000 + (int64_t)arrivals / 10, &random);
    bench_crossing(p);
    pairing_free(p);
}

static void bench_matching(size_t arrivals)
{
    static const struct shape shape = {"everyone fits", fill_matching};
    static const struct pairing_rules rules = {.min_score = 50, .last_pass_ms = 1000};
    uint64_t random = 2;
    struct pairing *p = pairing_new(&rules);
    double *us = calloc(arrivals, sizeof *us), total = 0;
    unsigned pairs = 0;
    for (size_t i = 0; i < arrivals; i++) {
        struct match_request r = request(&shape, T0 + (int64_t)i / 100, &random);
        double start = now_us();
        pairing_add(p, &r);
        pairs += drain(p, r.created_at_ms);
        us[i] = now_us() - start;
        total += us[i];
    }
    printf("%s: %zu arrivals, %u pairs, %zu left, %.0f pair decisions/s\n", shape.name, arrivals, pairs,
           pairing_count(p), pairs / (total / 1e6));
    print_times("arrival to decision", us, arrivals);
    free(us);
    pairing_free(p);
}

int main(int argc, char **argv)
{
    static const struct shape shapes[] = {{"mixed queue", fill_mixed},
                                          {"mixed queue with histories", fill_higher},
                                          {"scheduled, with histories", fill_scheduled},
                                          {"one topic, one level", fill_one_topic},
                                          {"tandem, one direction", fill_tandem}};
    size_t waiting = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    size_t arrivals = argc > 2 ? strtoull(argv[2], NULL, 10) : 20000;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        bench_incompatible(&shapes[i], waiting, arrivals);
    bench_matching(waiting);
    return 0;
}
