/* The waits that ended stand in rings, one for each language and level, one for each language, one of all;
 * the requests that wait in a map, with what they were promised. wait_curve.c makes an interval of a ring. */
#include "conversation/domain/wait_estimate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "conversation/base/list.h"
#include "conversation/base/map.h"
#include "wait_curve.h"

const char *const wait_source_names[] = {"topic", "level", "language", "all", "nothing", NULL};

#define WANTED_SHARE 0.8
#define LEAST_WEIGHT \
    15.0 /* of the waits an estimate is made from, a recent one with a queue as now being 1 */
#define QUEUE_UNKNOWN UINT16_MAX
#define OTHER_KIND    0.1 /* what a practice wait counts for a tandem seeker, and the other way round */
#define OTHER_WISH    0.3 /* what the wait of one who wished another partner level counts */
/* How fast the share asked of the curve follows what came of the intervals, and how far it may go. */
#define SHARE_STEP 0.01
#define SHARE_LOW  0.6
#define SHARE_HIGH 0.95

struct sample {
    int64_t ended_at_ms;
    uint32_t topic; /* hash */
    uint16_t seconds;
    uint16_t queue; /* how many of the language and level waited when it began */
    uint8_t end;
    bool is_tandem_seeker;
    uint8_t wish;
};

struct ring {
    uint32_t next, count;
    struct sample samples[WAIT_RING];
};

struct level_waits {
    struct ring *ring; /* NULL: none ended yet */
    uint32_t waiting;
    double share[2]; /* asked of the curve, so that WANTED_SHARE come true; [1]: of tandem seekers */
};

struct language_waits {
    char code[LANG_MAX];
    struct ring *ring;
    struct level_waits levels[LEVEL_COUNT];
    double more[PARTNER_ANY + 1]; /* asked beyond that for a wish, at whatever level */
};

struct pending {
    struct map_node by_id;
    struct language_waits *language; /* NULL: one too many */
    int64_t start_ms;
    uint32_t topic;
    uint16_t queue;
    int16_t low, high; /* promised, counted from the begin of the wait; high < 0: nothing was */
    enum level level;
    enum partner_level wish;
    bool is_tandem_seeker;
};

struct wait_stats {
    struct map pending;
    struct language_waits languages[WAIT_LANGUAGES_MAX];
    int language_count;
    struct ring *all;
};

static void *new_zeroed(size_t n)
{
    void *p = calloc(1, n);
    if (!p)
        abort();
    return p;
}

struct wait_stats *wait_stats_new(void)
{
    return new_zeroed(sizeof(struct wait_stats));
}

static void free_pending(struct map_node *node, void *arg)
{
    (void)arg;
    free(container_of(node, struct pending, by_id));
}

void wait_stats_free(struct wait_stats *s)
{
    if (!s)
        return;
    map_each(&s->pending, free_pending, NULL);
    map_done(&s->pending);
    for (int i = 0; i < s->language_count; i++) {
        free(s->languages[i].ring);
        for (int level = 0; level < LEVEL_COUNT; level++)
            free(s->languages[i].levels[level].ring);
    }
    free(s->all);
    free(s);
}

/* NULL: not known, and either not to be created or one too many. */
static struct language_waits *language_of(struct wait_stats *s, const char *code, bool create)
{
    for (int i = 0; i < s->language_count; i++)
        if (strcmp(s->languages[i].code, code) == 0)
            return &s->languages[i];
    if (!create || s->language_count == WAIT_LANGUAGES_MAX)
        return NULL;
    struct language_waits *l = &s->languages[s->language_count++];
    (void)str_copy(str_of(code), l->code, sizeof l->code); /* a code fits */
    for (int level = 0; level < LEVEL_COUNT; level++)
        l->levels[level].share[0] = l->levels[level].share[1] = WANTED_SHARE;
    return l;
}

/* FNV-1a */
static uint32_t hash_of(const char *text)
{
    uint32_t h = 2166136261U;
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 16777619U;
    return h;
}

static void put(struct ring **ring, const struct sample *sample)
{
    if (!*ring)
        *ring = new_zeroed(sizeof **ring);
    struct ring *r = *ring;
    r->samples[r->next] = *sample;
    r->next = (r->next + 1) % WAIT_RING;
    if (r->count < WAIT_RING)
        r->count++;
}

static uint16_t seconds_of(int64_t wait_ms)
{
    if (wait_ms < 0)
        return 0;
    return (uint16_t)(wait_ms / 1000 < WAIT_SECONDS_MAX ? wait_ms / 1000 : WAIT_SECONDS_MAX);
}

static void learn(struct wait_stats *s, struct language_waits *language, enum level level,
                  const struct sample *sample)
{
    put(&s->all, sample);
    if (!language)
        return;
    put(&language->ring, sample);
    put(&language->levels[level].ring, sample);
}

void wait_stats_learn(struct wait_stats *s, const struct wait_key *key, int64_t ended_at_ms, int64_t wait_ms,
                      enum wait_end end)
{
    const struct sample sample = {.ended_at_ms = ended_at_ms,
                                  .topic = hash_of(key->topic),
                                  .seconds = seconds_of(wait_ms),
                                  .queue = QUEUE_UNKNOWN,
                                  .is_tandem_seeker = key->is_tandem_seeker,
                                  .wish = (uint8_t)key->wish,
                                  .end = (uint8_t)end};
    learn(s, language_of(s, key->language, true), key->level, &sample);
}

static uint16_t queue_of(const struct language_waits *language, enum level level)
{
    if (!language)
        return QUEUE_UNKNOWN;
    uint32_t n = language->levels[level].waiting;
    return (uint16_t)(n < QUEUE_UNKNOWN ? n : QUEUE_UNKNOWN - 1);
}

void wait_stats_began(struct wait_stats *s, const struct uuid *id, const struct wait_key *key,
                      int64_t start_ms)
{
    if (map_get(&s->pending, id))
        return;
    struct pending *p = new_zeroed(sizeof *p);
    p->language = language_of(s, key->language, true);
    p->level = key->level;
    p->is_tandem_seeker = key->is_tandem_seeker;
    p->wish = key->wish;
    p->topic = hash_of(key->topic);
    p->start_ms = start_ms;
    p->queue = queue_of(p->language, p->level);
    p->high = -1;
    if (p->language)
        p->language->levels[p->level].waiting++;
    map_put(&s->pending, id, &p->by_id);
}

static double within(double low, double x, double high)
{
    return x < low ? low : x > high ? high : x;
}

static double share_of(const struct language_waits *language, enum level level, bool is_tandem_seeker,
                       enum partner_level wish)
{
    if (!language)
        return WANTED_SHARE;
    return within(SHARE_LOW, language->levels[level].share[is_tandem_seeker] + language->more[wish],
                  SHARE_HIGH);
}

/* A cancelled wait does not tell what would have come of the promise. */
static void judge_promise(struct pending *p, const struct sample *sample)
{
    if (p->high < 0 || sample->end == WAIT_CANCELLED || !p->language)
        return;
    double *share = &p->language->levels[p->level].share[p->is_tandem_seeker];
    double *more = &p->language->more[p->wish];
    bool held = sample->seconds >= p->low && sample->seconds <= p->high;
    double step = SHARE_STEP * (WANTED_SHARE - (held ? 1 : 0));
    *share = within(SHARE_LOW, *share + step, SHARE_HIGH);
    *more = within(SHARE_LOW - WANTED_SHARE, *more + step, SHARE_HIGH - WANTED_SHARE);
}

void wait_stats_ended(struct wait_stats *s, const struct uuid *id, int64_t now_ms, enum wait_end end)
{
    struct map_node *node = map_remove(&s->pending, id);
    if (!node)
        return;
    struct pending *p = container_of(node, struct pending, by_id);
    const struct sample sample = {.ended_at_ms = now_ms,
                                  .topic = p->topic,
                                  .seconds = seconds_of(now_ms - p->start_ms),
                                  .queue = p->queue,
                                  .is_tandem_seeker = p->is_tandem_seeker,
                                  .wish = (uint8_t)p->wish,
                                  .end = (uint8_t)end};
    if (p->language)
        p->language->levels[p->level].waiting--;
    judge_promise(p, &sample);
    learn(s, p->language, p->level, &sample);
    free(p);
}

/* --- the estimate --- */

struct asked {
    int64_t now_ms;
    uint32_t topic;
    bool is_topic_alone, is_tandem_seeker;
    enum partner_level wish;
    int waited_seconds;
    uint16_t queue;
};

static double weight_of(const struct sample *sample, const struct asked *a)
{
    double age_ms = (double)(a->now_ms - sample->ended_at_ms);
    double weight = exp2(-(age_ms > 0 ? age_ms : 0) / WAIT_HALF_LIFE_MS);
    if (sample->is_tandem_seeker != a->is_tandem_seeker)
        weight *= OTHER_KIND;
    if (sample->wish != a->wish)
        weight *= OTHER_WISH;
    if (sample->queue == QUEUE_UNKNOWN || a->queue == QUEUE_UNKNOWN)
        return weight / 2;
    double difference = log2((sample->queue + 1.0) / (a->queue + 1.0));
    return weight / (1 + difference * difference);
}

/* The curve of the ring's waits that lasted as long as the asking one; its weight. */
static double collect(const struct ring *ring, const struct asked *a, struct wait_curve *curve)
{
    wait_curve_clear(curve);
    for (uint32_t i = 0; ring && i < ring->count; i++) {
        const struct sample *sample = &ring->samples[i];
        if (sample->seconds < a->waited_seconds || (a->is_topic_alone && sample->topic != a->topic))
            continue;
        wait_curve_add(curve, sample->seconds, sample->end == WAIT_MATCHED, weight_of(sample, a));
    }
    return curve->weight;
}

/* Fills the curve from the narrowest group that has enough. */
static enum wait_source choose(const struct wait_stats *s, const struct language_waits *language,
                               enum level level, struct asked *a, struct wait_curve *curve)
{
    const struct ring *of_level = language ? language->levels[level].ring : NULL;
    a->is_topic_alone = true;
    if (collect(of_level, a, curve) >= LEAST_WEIGHT)
        return WAIT_FROM_TOPIC;
    a->is_topic_alone = false;
    if (collect(of_level, a, curve) >= LEAST_WEIGHT)
        return WAIT_FROM_LEVEL;
    if (collect(language ? language->ring : NULL, a, curve) >= LEAST_WEIGHT)
        return WAIT_FROM_LANGUAGE;
    if (collect(s->all, a, curve) >= LEAST_WEIGHT)
        return WAIT_FROM_ALL;
    return WAIT_FROM_NOTHING;
}

static void promise(const struct wait_stats *s, const struct wait_question *q, int waited_seconds,
                    const struct wait_interval *interval)
{
    struct map_node *node = q->id ? map_get(&s->pending, q->id) : NULL;
    struct pending *p = node ? container_of(node, struct pending, by_id) : NULL;
    if (!p || p->high >= 0 || interval->source == WAIT_FROM_NOTHING)
        return;
    p->low = (int16_t)(waited_seconds + interval->low);
    p->high = (int16_t)(waited_seconds + interval->high);
}

static uint16_t queue_before(const struct wait_stats *s, const struct wait_question *q,
                             const struct language_waits *language)
{
    struct map_node *node = q->id ? map_get(&s->pending, q->id) : NULL;
    return node ? container_of(node, struct pending, by_id)->queue : queue_of(language, q->key.level);
}

struct wait_interval wait_interval_unknown(const struct wait_question *q)
{
    int left = seconds_of(q->max_wait_seconds * 1000LL) - seconds_of(q->waited_ms);
    left = left > 0 ? left : 0;
    return (struct wait_interval){0, left / 2, left, WAIT_FROM_NOTHING};
}

struct wait_interval wait_stats_estimate(struct wait_stats *s, const struct wait_question *q, int64_t now_ms)
{
    struct language_waits *language = language_of(s, q->key.language, false);
    int waited = seconds_of(q->waited_ms), end = seconds_of(q->max_wait_seconds * 1000LL);
    struct asked a = {.now_ms = now_ms,
                      .topic = hash_of(q->key.topic),
                      .is_tandem_seeker = q->key.is_tandem_seeker,
                      .wish = q->key.wish,
                      .waited_seconds = waited,
                      .queue = queue_before(s, q, language)};
    struct wait_interval out = wait_interval_unknown(q);
    struct wait_curve curve;
    enum wait_source source = choose(s, language, q->key.level, &a, &curve);
    if (source != WAIT_FROM_NOTHING && end > waited) {
        wait_curve_close(&curve, waited, end);
        double share = share_of(language, q->key.level, q->key.is_tandem_seeker, q->key.wish);
        struct wait_span span = wait_curve_span(&curve, share);
        out = (struct wait_interval){span.low - waited, span.median - waited, span.high - waited, source};
    }
    promise(s, q, waited, &out);
    return out;
}
