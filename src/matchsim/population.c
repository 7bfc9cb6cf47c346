/* The assumptions are the tables at the top. */
#include "matchsim/population.h"

#include <stdlib.h>
#include <string.h>

#include "matchsim/rng.h"
#include "matchsim/topics.h"

#define DAY_BEGIN_MS INT64_C(1736899200000) /* 2025-01-15T00:00:00Z, a Wednesday */
#define HOUR_MS      INT64_C(3600000)
#define DAY_MS       (24 * HOUR_MS)

enum { LANGUAGES = 5, NATIVES = 7, WAITS = 4, PAST_MAX = 24, REQUESTS_MAX = 3 };

/* Requests by hour, UTC: learners are European, and talk at noon and in the evening. */
static const double by_hour[24] = {0.8, 0.4, 0.3, 0.2, 0.3, 0.7, 1.8, 3.2, 3.4, 3.5, 3.8, 4.6,
                                   5.6, 5.0, 4.2, 4.2, 5.0, 7.0, 9.4, 11,  10,  7.8, 4.8, 2.2};
static const char *const target[LANGUAGES] = {"en", "es", "fr", "de", "it"};
static const double by_target[LANGUAGES] = {45, 20, 15, 12, 8};
static const char *const native[NATIVES] = {"fr", "es", "en", "de", "it", "pt-BR", "pl"};
static const double by_native[NATIVES] = {30, 20, 15, 14, 10, 7, 4};
static const double by_level[LEVEL_COUNT] = {20, 26, 25, 17, 9, 3};
static const double by_partner_level[4] = {62, 15, 5, 18};   /* same, higher, lower, any */
static const double by_requests[REQUESTS_MAX] = {75, 20, 5}; /* of a learner in the day: 1, 2, 3 */
static const int wait_seconds[WAITS] = {120, 60, 180, 300};
static const double by_wait[WAITS] = {70, 10, 10, 10};

#define PREMIUM        0.2  /* of the learners */
#define TANDEM         0.15 /* of those whose native language is learnt here */
#define ACCENT         0.2  /* name one, of two a language */
#define NEWCOMERS      0.3  /* have talked to nobody yet; the others to PAST_MEAN on average */
#define PAST_MEAN      5.0
#define BLOCKS         0.04           /* have blocked a past partner */
#define PATIENCE_MS    (15.0 * 60000) /* mean time after which a learner would give up and cancel */
#define NO_SHOWS       0.04
#define LEAST_APART_MS (20 * 60000) /* of two requests of a learner */

struct user {
    struct uuid id;
    uint8_t target, native, level, partner_level, accent;
    bool is_premium, is_tandem_seeker;
    uint32_t place; /* in its circle */
};

/* The learners of one language and level: past partners are from there. */
struct circle {
    uint32_t *users;
    uint32_t count, capacity;
};

struct town {
    struct rng rng;
    struct user *users;
    struct circle circles[LANGUAGES][LEVEL_COUNT];
};

static void *new_array(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    if (!p)
        abort();
    return p;
}

static void join_circle(struct circle *c, struct user *u, uint32_t index)
{
    if (c->count == c->capacity) {
        c->capacity = c->capacity ? 2 * c->capacity : 64;
        c->users = realloc(c->users, c->capacity * sizeof *c->users);
        if (!c->users)
            abort();
    }
    u->place = c->count;
    c->users[c->count++] = index;
}

static bool is_learnt_here(const char *language)
{
    for (int i = 0; i < LANGUAGES; i++)
        if (strcmp(target[i], language) == 0)
            return true;
    return false;
}

static void make_user(struct town *t, uint32_t index)
{
    struct rng *r = &t->rng;
    struct user *u = &t->users[index];
    u->id = rng_uuid(r);
    u->target = (uint8_t)rng_weighted(r, by_target, LANGUAGES);
    do
        u->native = (uint8_t)rng_weighted(r, by_native, NATIVES);
    while (strcmp(native[u->native], target[u->target]) == 0);
    u->level = (uint8_t)rng_weighted(r, by_level, LEVEL_COUNT);
    u->partner_level = (uint8_t)rng_weighted(r, by_partner_level, 4);
    u->is_premium = rng_unit(r) < PREMIUM;
    u->is_tandem_seeker = rng_unit(r) < TANDEM && is_learnt_here(native[u->native]);
    u->accent = rng_unit(r) < ACCENT ? (uint8_t)(1 + rng_below(r, 2)) : 0;
    join_circle(&t->circles[u->target][u->level], u, index);
}

/* --- requests --- */

/* Topics near the own level are liked, broad ones and free talk most; the free tier has those up to A2. */
static const struct sim_topic *choose_topic(struct rng *r, const struct user *u)
{
    double weights[128] = {0};
    for (size_t i = 0; i < sim_topic_count; i++) {
        const struct sim_topic *t = &sim_topics[i];
        if (!u->is_premium && t->level > LEVEL_A2)
            continue;
        int distance = abs((int)t->level - (int)u->level);
        weights[i] = 1.0 / (1 + distance);
        if (!strchr(t->code, '.'))
            weights[i] *= strcmp(t->code, "free_talk") == 0 ? 12 : 3;
    }
    return &sim_topics[rng_weighted(r, weights, sim_topic_count)];
}

/* Mostly neighbours in the circle, who ask at the same times: so that old partners meet again. */
static const struct user *choose_past(struct town *t, const struct user *u)
{
    const struct circle *c = &t->circles[u->target][u->level];
    uint32_t step = 1 + (uint32_t)rng_below(&t->rng, rng_unit(&t->rng) < 0.5 ? 20 : c->count);
    return &t->users[c->users[(u->place + step) % c->count]];
}

static void fill_past(struct town *t, const struct user *u, int64_t now_ms, struct arena *arena,
                      struct match_request *out)
{
    out->history_is_known = true;
    if (rng_unit(&t->rng) < NEWCOMERS)
        return;
    size_t count = 1 + (size_t)rng_exponential(&t->rng, PAST_MEAN - 0.5);
    count = count < PAST_MAX ? count : PAST_MAX;
    struct match_past_partner *past = ARENA_ARRAY(arena, struct match_past_partner, count);
    for (size_t i = 0; i < count; i++)
        past[i] = (struct match_past_partner){
            choose_past(t, u)->id, now_ms - HOUR_MS - (int64_t)rng_exponential(&t->rng, 20.0 * DAY_MS)};
    out->history = past;
    out->history_count = count;
    if (rng_unit(&t->rng) < BLOCKS) {
        out->excluded = &past[0].user_id;
        out->excluded_count = 1;
    }
}

static void fill_request(struct town *t, const struct user *u, int64_t now_ms, struct match_request *r)
{
    const struct sim_topic *topic = choose_topic(&t->rng, u);
    *r = (struct match_request){.id = rng_uuid(&t->rng),
                                .user_id = u->id,
                                .topic_category = topic->category,
                                .level = (enum level)u->level,
                                .preferred_partner_level = (enum partner_level)u->partner_level,
                                .tier = u->is_premium ? TIER_PREMIUM : TIER_FREE,
                                .max_wait_seconds = wait_seconds[rng_weighted(&t->rng, by_wait, WAITS)],
                                .created_at_ms = now_ms};
    r->expires_at_ms = now_ms + r->max_wait_seconds * INT64_C(1000);
    const char *const side[] = {"", "-north", "-south"};
    snprintf(r->target_language, sizeof r->target_language, "%s", target[u->target]);
    snprintf(r->native_language, sizeof r->native_language, "%s", native[u->native]);
    snprintf(r->topic_code, sizeof r->topic_code, "%s", topic->code);
    if (u->is_tandem_seeker)
        snprintf(r->wanted_native_language, sizeof r->wanted_native_language, "%s", target[u->target]);
    if (u->accent)
        snprintf(r->preferred_accent, sizeof r->preferred_accent, "%s%s", target[u->target], side[u->accent]);
}

static void ask(struct town *t, const struct user *u, int64_t now_ms, struct workload *out)
{
    struct learner *l = workload_add(out);
    l->arrives_at_ms = now_ms;
    fill_request(t, u, now_ms, &l->request);
    fill_past(t, u, now_ms, &out->arena, &l->request);
    int64_t patience = 1000 + (int64_t)rng_exponential(&t->rng, PATIENCE_MS);
    if (now_ms + patience < l->request.expires_at_ms)
        l->behaviour.cancels_at_ms = now_ms + patience;
    l->behaviour.is_no_show = rng_unit(&t->rng) < NO_SHOWS;
}

static void ask_all_day(struct town *t, const struct user *u, unsigned hours, struct workload *out)
{
    int64_t at[REQUESTS_MAX];
    size_t wanted = 1 + rng_weighted(&t->rng, by_requests, REQUESTS_MAX), count = 0;
    for (size_t i = 0; i < wanted; i++) {
        int64_t hour = (int64_t)rng_weighted(&t->rng, by_hour, hours);
        at[count] = DAY_BEGIN_MS + hour * HOUR_MS + (int64_t)(rng_unit(&t->rng) * HOUR_MS);
        bool is_apart = true;
        for (size_t j = 0; j < count; j++)
            is_apart = is_apart && llabs(at[j] - at[count]) >= LEAST_APART_MS;
        if (is_apart)
            ask(t, u, at[count++], out);
    }
}

void population_generate(const struct population_options *options, struct workload *out)
{
    struct town t = {.rng = {options->seed}, .users = new_array(options->users, sizeof *t.users)};
    unsigned hours = options->hours < 24 ? options->hours : 24;
    *out = (struct workload){.rules = {.min_score = 50,
                                       .last_pass_ms = 1000,
                                       .compatible = sim_topic_pairs,
                                       .compatible_count = sim_topic_pair_count}};
    for (uint32_t i = 0; i < options->users; i++)
        make_user(&t, i);
    for (uint32_t i = 0; i < options->users; i++)
        ask_all_day(&t, &t.users[i], hours, out);
    for (int i = 0; i < LANGUAGES; i++)
        for (int level = 0; level < LEVEL_COUNT; level++)
            free(t.circles[i][level].users);
    free(t.users);
    workload_finish(out);
}
