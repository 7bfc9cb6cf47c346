/* The pairing index against a brute-force oracle that knows nothing of it: a plain array of requests, the
 * rules written down once more, everyone compared with everyone. The same random adds, removes, clock moves
 * and expiries go to both, and every answer must be equal.
 *
 *   PAIRING_SEED=n     the first seed (default 1); a failure prints the one to repeat
 *   PAIRING_QUEUES=n   how many random queues (default 10000) */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conversation/domain/pairing.h"
#include "requests.h"

enum { WORLD_REQUESTS = 256, WORLD_USERS = 24, HISTORY_MAX = 6, EXCLUDED_MAX = 4, PAIRS_MAX = 4 };

/* --- the oracle --- */

struct entry {
    struct match_request r;
    struct match_past_partner history[HISTORY_MAX];
    struct uuid excluded[EXCLUDED_MAX];
    int64_t tried_until; /* due times up to here have been tried */
    bool is_in;
};

struct oracle {
    struct entry entries[WORLD_REQUESTS];
    unsigned count;
    struct pairing_rules rules;
    int64_t now;
};

static int64_t start_of(const struct match_request *r)
{
    return r->mode == MATCH_SCHEDULED ? r->scheduled_for_ms : r->created_at_ms;
}

/* 0: up to 30 s, 1: up to 60 s, 2: up to 120 s, 3: any level. */
static int oracle_phase(const struct oracle *o, const struct match_request *r)
{
    int64_t waited = o->now - start_of(r);
    if (waited >= 120000 || (r->expires_at_ms && r->expires_at_ms - o->now <= o->rules.last_pass_ms))
        return 3;
    return waited >= 60000 ? 2 : waited >= 30000 ? 1 : 0;
}

static bool same_language(const char *a, const char *b)
{
    while (*a && *a != '-' && *a == *b)
        a++, b++;
    return (!*a || *a == '-') && (!*b || *b == '-');
}

static int distance_to_wish(const struct match_request *r, enum level partner)
{
    int wish = r->level;
    if (r->preferred_partner_level == PARTNER_HIGHER && wish < 5)
        wish++;
    if (r->preferred_partner_level == PARTNER_LOWER && wish > 0)
        wish--;
    return wish > (int)partner ? wish - (int)partner : (int)partner - wish;
}

static bool related(const struct oracle *o, const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    if (!strcmp(a, b))
        return true;
    if (nb > na && !strncmp(a, b, na) && b[na] == '.' && !strchr(b + na + 1, '.'))
        return true;
    if (na > nb && !strncmp(a, b, nb) && a[nb] == '.' && !strchr(a + nb + 1, '.'))
        return true;
    for (size_t i = 0; i < o->rules.compatible_count; i++) {
        const struct topic_pair *p = &o->rules.compatible[i];
        if ((!strcmp(p->a, a) && !strcmp(p->b, b)) || (!strcmp(p->a, b) && !strcmp(p->b, a)))
            return true;
    }
    return false;
}

static int history_score(const struct match_request *a, const struct match_request *b, int64_t now)
{
    const struct match_request *side[2][2] = {{a, b}, {b, a}};
    int64_t latest = 0;
    if (!a->history_is_known && !b->history_is_known)
        return 0;
    for (int s = 0; s < 2; s++) {
        for (size_t i = 0; side[s][0]->history_is_known && i < side[s][0]->history_count; i++) {
            const struct match_past_partner *past = &side[s][0]->history[i];
            if (uuid_eq(&past->user_id, &side[s][1]->user_id) && past->last_spoke_at_ms > latest)
                latest = past->last_spoke_at_ms;
        }
    }
    return !latest ? 50 : now - latest < 7 * DAY ? 10 : 40;
}

static bool blocked(const struct match_request *a, const struct match_request *b)
{
    for (size_t i = 0; i < a->excluded_count; i++)
        if (uuid_eq(&a->excluded[i], &b->user_id))
            return true;
    return false;
}

/* The score of a pair that may meet now, or -1. */
static int oracle_score(const struct oracle *o, const struct match_request *a, const struct match_request *b)
{
    if (uuid_eq(&a->user_id, &b->user_id) || blocked(a, b) || blocked(b, a))
        return -1;
    if (o->now < start_of(a) || o->now < start_of(b))
        return -1;
    int pa = oracle_phase(o, a), pb = oracle_phase(o, b), phase = pa > pb ? pa : pb;
    bool a_seeks = a->wanted_native_language[0], b_seeks = b->wanted_native_language[0];
    bool tandem = a_seeks && b_seeks && same_language(a->native_language, b->target_language) &&
                  same_language(b->native_language, a->target_language);
    if (!tandem && strcmp(a->target_language, b->target_language))
        return -1;
    if (!tandem && (a_seeks || b_seeks) && phase < 2)
        return -1;
    bool topic_fits = related(o, a->topic_code, b->topic_code);
    if (!topic_fits && !(phase >= 2 && a->topic_category == b->topic_category))
        return -1;
    int da = distance_to_wish(a, b->level), db = distance_to_wish(b, a->level), worst = da > db ? da : db;
    int hard_a = a->preferred_partner_level == PARTNER_ANY ? 0 : da;
    int hard_b = b->preferred_partner_level == PARTNER_ANY ? 0 : db;
    int allowed = phase == 0 ? 0 : phase < 3 ? 1 : 99;
    if (hard_a > allowed || hard_b > allowed)
        return -1;
    int score = (worst == 0 ? 50 : worst == 1 ? 30 : 0) + (tandem ? 100 : 0) + history_score(a, b, o->now);
    if (a->preferred_accent[0] && !strcmp(a->preferred_accent, b->preferred_accent))
        score += 20;
    if (a->tier == TIER_PREMIUM || b->tier == TIER_PREMIUM)
        score += 50;
    int minimum = phase == 0 ? 100 : phase < 3 ? o->rules.min_score : 0;
    return score >= minimum ? score : -1;
}

/* The earliest due time at or before now that has not been tried; INT64_MAX: none. */
static int64_t oracle_due(const struct oracle *o, const struct entry *e)
{
    int64_t start = start_of(&e->r),
            last = e->r.expires_at_ms ? e->r.expires_at_ms - o->rules.last_pass_ms : INT64_MAX;
    int64_t rises[] = {start, start + 30000, start + 60000, start + 120000, last};
    int64_t best = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        bool is_rise = i == 0 || (i < 4 ? rises[i] < last : last > start && last < start + 120000) ||
                       (i == 3 && rises[3] == last);
        if (is_rise && rises[i] > e->tried_until && rises[i] < best)
            best = rises[i];
    }
    return best;
}

static bool earlier(const struct match_request *a, const struct match_request *b)
{
    return start_of(a) != start_of(b) ? start_of(a) < start_of(b) : memcmp(&a->id, &b->id, sizeof a->id) < 0;
}

static bool oracle_next(struct oracle *o, struct entry **first, struct entry **second, int *score)
{
    for (;;) {
        struct entry *t = NULL;
        int64_t t_due = INT64_MAX;
        for (unsigned i = 0; i < o->count; i++) {
            struct entry *e = &o->entries[i];
            int64_t due = e->is_in ? oracle_due(o, e) : INT64_MAX;
            if (due <= o->now && (!t || due < t_due || (due == t_due && earlier(&e->r, &t->r)))) {
                t = e;
                t_due = due;
            }
        }
        if (!t)
            return false;
        t->tried_until = o->now;
        struct entry *best = NULL;
        int best_score = -1;
        for (unsigned i = 0; i < o->count; i++) {
            struct entry *e = &o->entries[i];
            int s = e->is_in && e != t ? oracle_score(o, &t->r, &e->r) : -1;
            if (s >= 0 && (s > best_score || (s == best_score && earlier(&e->r, &best->r)))) {
                best = e;
                best_score = s;
            }
        }
        if (best) {
            t->is_in = best->is_in = false;
            bool t_first = earlier(&t->r, &best->r);
            *first = t_first ? t : best;
            *second = t_first ? best : t;
            *score = best_score;
            return true;
        }
    }
}

/* --- random worlds --- */

struct world {
    struct oracle o;
    struct pairing *p;
    struct topic_pair tables[2][PAIRS_MAX];
    uint64_t random, seed;
    unsigned pairs_found, tandems, expired, practice_fallbacks, any_level, by_phase[PHASE_COUNT];
};

static const char *const topic_pool[] = {"travel", "travel.airport", "travel.hotel", "travel.hotel.booking",
                                         "work",   "work.meeting",   "free_talk",    "news"};
static const enum topic_category topic_pool_category[] = {CATEGORY_TRAVEL, CATEGORY_TRAVEL, CATEGORY_TRAVEL,
                                                          CATEGORY_TRAVEL, CATEGORY_WORK,   CATEGORY_WORK,
                                                          CATEGORY_OTHER,  CATEGORY_NEWS};
static const char *const language_pool[] = {"es", "en", "es-MX", "fr"};

static unsigned below(struct world *w, unsigned n)
{
    return random_below(&w->random, n);
}

static struct pairing_rules random_rules(struct world *w)
{
    static const int scores[] = {50, 50, 50, 0, 90, 110};
    for (int i = 0; i < 2 * PAIRS_MAX; i++) {
        struct topic_pair *pair = &w->tables[i / PAIRS_MAX][i % PAIRS_MAX];
        strcpy(pair->a, topic_pool[below(w, 8)]);
        strcpy(pair->b, topic_pool[below(w, 8)]);
    }
    return (struct pairing_rules){.min_score = scores[below(w, 6)],
                                  .last_pass_ms = below(w, 3) * 1000,
                                  .compatible = w->tables[0],
                                  .compatible_count = below(w, PAIRS_MAX + 1)};
}

static void random_past(struct world *w, struct entry *e)
{
    struct match_request *r = &e->r;
    r->history_is_known = below(w, 4) > 0;
    r->history = e->history;
    r->history_count = below(w, 3) ? 0 : below(w, HISTORY_MAX + 1);
    for (size_t i = 0; i < HISTORY_MAX; i++) {
        /* around the seventh day too, so that talks age past it while the queue waits */
        int64_t ago = below(w, 3) ? (int64_t)below(w, 14 * 86400) * 1000 : 7 * DAY - below(w, 120) * 1000;
        e->history[i] = (struct match_past_partner){id_of(5000 + below(w, WORLD_USERS)), w->o.now - ago};
    }
    r->excluded = e->excluded;
    r->excluded_count = below(w, 4) ? 0 : below(w, EXCLUDED_MAX + 1);
    for (size_t i = 0; i < EXCLUDED_MAX; i++)
        e->excluded[i] = id_of(5000 + below(w, WORLD_USERS));
}

static void random_request(struct world *w, struct entry *e, bool is_crowded)
{
    struct match_request *r = &e->r;
    memset(e, 0, sizeof *e);
    r->id = id_of((unsigned)random_next(&w->random)); /* ids in no relation to time */
    r->user_id = id_of(5000 + below(w, WORLD_USERS));
    unsigned topic = below(w, is_crowded ? 3 : 8);
    strcpy(r->topic_code, topic_pool[topic]);
    r->topic_category = topic_pool_category[topic];
    strcpy(r->target_language, language_pool[below(w, is_crowded ? 2 : 4)]);
    strcpy(r->native_language, language_pool[below(w, 4)]);
    if (below(w, 3) == 0)
        strcpy(r->wanted_native_language, r->target_language);
    if (below(w, 3) == 0)
        strcpy(r->preferred_accent, below(w, 2) ? "mexican" : "castilian");
    r->level = (enum level)(below(w, 2) ? LEVEL_A2 + (int)below(w, 2) : (int)below(w, LEVEL_COUNT));
    r->preferred_partner_level = (enum partner_level)below(w, 4);
    r->tier = below(w, 4) == 0 ? TIER_PREMIUM : TIER_FREE;
    /* whole seconds, so that equal waits and equal due times are common */
    r->created_at_ms = w->o.now - (below(w, 2) ? 0 : below(w, 130) * 1000);
    int64_t start = r->created_at_ms;
    if (below(w, 8) == 0) {
        r->mode = MATCH_SCHEDULED;
        r->scheduled_for_ms = start = w->o.now + below(w, 60) * 1000 - 10000;
    }
    r->expires_at_ms = below(w, 10) ? start + 1000 * (1 + below(w, 200)) : 0;
    random_past(w, e);
    e->tried_until = INT64_MIN;
    e->is_in = true;
}

/* --- the comparison --- */

static void fail_seed(const struct world *w, const char *what)
{
    fail_msg("%s differs: repeat with PAIRING_SEED=%llu PAIRING_QUEUES=1", what, (unsigned long long)w->seed);
}

#define CHECK(w, condition, what)   \
    do {                            \
        if (!(condition))           \
            fail_seed((w), (what)); \
    } while (0)

static void add_one(struct world *w, bool is_crowded)
{
    if (w->o.count == WORLD_REQUESTS)
        return;
    struct entry *e = &w->o.entries[w->o.count];
    random_request(w, e, is_crowded);
    if (pairing_contains(w->p, &e->r.id))
        return; /* the generator hit an id twice */
    w->o.count++;
    CHECK(w, pairing_add(w->p, &e->r), "add");
    CHECK(w, !pairing_add(w->p, &e->r), "second add");
}

static void remove_one(struct world *w)
{
    if (w->o.count == 0)
        return;
    struct entry *e = &w->o.entries[below(w, w->o.count)];
    CHECK(w, pairing_remove(w->p, &e->r.id) == e->is_in, "remove");
    e->is_in = false;
}

/* What the claim's loser does: it comes back with the wait it had. */
static void readd_one(struct world *w)
{
    if (w->o.count == 0)
        return;
    struct entry *e = &w->o.entries[below(w, w->o.count)];
    if (e->is_in)
        return;
    e->is_in = true;
    e->tried_until = INT64_MIN;
    CHECK(w, pairing_add(w->p, &e->r), "add again");
}

static bool is_same_ticket(const struct pairing_ticket *a, const struct pairing_ticket *b)
{
    return uuid_eq(&a->request_id, &b->request_id) && uuid_eq(&a->user_id, &b->user_id) &&
           !strcmp(a->target_language, b->target_language) && a->wait_start_ms == b->wait_start_ms &&
           a->expires_at_ms == b->expires_at_ms && a->tier == b->tier;
}

static bool is_same_pair(const struct pairing_pair *a, const struct pairing_pair *b)
{
    return is_same_ticket(&a->first, &b->first) && is_same_ticket(&a->second, &b->second) &&
           a->score == b->score && a->level_difference == b->level_difference &&
           a->is_tandem == b->is_tandem && a->is_any_level == b->is_any_level && a->phase == b->phase;
}

static bool next_pair(struct world *w)
{
    struct pairing_pair pair, admitted;
    struct entry *first, *second;
    int score;
    bool found = oracle_next(&w->o, &first, &second, &score);
    CHECK(w, pairing_next(w->p, w->o.now, &pair) == found, "whether there is a pair");
    if (!found)
        return false;
    CHECK(w, uuid_eq(&pair.first.request_id, &first->r.id) && uuid_eq(&pair.second.request_id, &second->r.id),
          "the pair");
    CHECK(w, pair.score == score, "the score");
    CHECK(w, pairing_admits(&w->o.rules, &second->r, &first->r, w->o.now, &admitted), "the rule");
    CHECK(w, is_same_pair(&pair, &admitted), "the description");
    w->pairs_found++;
    w->tandems += pair.is_tandem;
    w->any_level += pair.is_any_level;
    w->by_phase[pair.phase]++;
    w->practice_fallbacks += !pair.is_tandem && match_is_tandem_seeker(&first->r);
    return true;
}

static bool expire_one(struct world *w)
{
    struct entry *first = NULL;
    for (unsigned i = 0; i < w->o.count; i++) {
        struct entry *e = &w->o.entries[i];
        if (!e->is_in || !e->r.expires_at_ms || e->r.expires_at_ms > w->o.now)
            continue;
        if (!first || e->r.expires_at_ms < first->r.expires_at_ms ||
            (e->r.expires_at_ms == first->r.expires_at_ms && earlier(&e->r, &first->r)))
            first = e;
    }
    struct pairing_ticket ticket;
    CHECK(w, pairing_expire(w->p, w->o.now, &ticket) == (first != NULL), "whether one expires");
    if (!first)
        return false;
    CHECK(w, uuid_eq(&ticket.request_id, &first->r.id), "who expires");
    first->is_in = false;
    w->expired++;
    return true;
}

static void check_next_due(struct world *w)
{
    int64_t due = INT64_MAX;
    size_t count = 0;
    for (unsigned i = 0; i < w->o.count; i++) {
        const struct entry *e = &w->o.entries[i];
        if (!e->is_in)
            continue;
        int64_t of_e = oracle_due(&w->o, e);
        if (e->r.expires_at_ms && e->r.expires_at_ms < of_e)
            of_e = e->r.expires_at_ms;
        due = of_e < due ? of_e : due;
        count++;
    }
    CHECK(w, pairing_next_due_ms(w->p) == due, "next due");
    CHECK(w, pairing_count(w->p) == count, "count");
}

static void check_admits(struct world *w)
{
    if (w->o.count < 2)
        return;
    const struct match_request *a = &w->o.entries[below(w, w->o.count)].r,
                               *b = &w->o.entries[below(w, w->o.count)].r;
    struct pairing_pair pair;
    int score = oracle_score(&w->o, a, b);
    CHECK(w, pairing_admits(&w->o.rules, a, b, w->o.now, &pair) == (score >= 0), "admission");
    CHECK(w, score < 0 || pair.score == score, "the rule's score");
}

static void step(struct world *w, bool is_crowded)
{
    unsigned what = below(w, 20);
    if (what < 9) {
        add_one(w, is_crowded);
    } else if (what < 10) {
        remove_one(w);
    } else if (what < 11) {
        readd_one(w);
    } else if (what < 13) {
        w->o.now += below(w, 40) * 1000;
    } else if (what < 14) {
        int64_t due = pairing_next_due_ms(w->p);
        w->o.now = due != INT64_MAX && due > w->o.now ? due : w->o.now;
    } else if (what < 15) {
        next_pair(w); /* only one: the rest stays due while more happens */
    } else if (what < 16 && below(w, 4) == 0) {
        w->o.rules.compatible = w->tables[1];
        w->o.rules.compatible_count = below(w, PAIRS_MAX + 1);
        pairing_set_compatible(w->p, w->tables[1], w->o.rules.compatible_count);
    } else if (what < 19) {
        while (next_pair(w))
            ;
        check_next_due(w);
    } else {
        while (expire_one(w))
            ;
    }
    check_admits(w);
}

static void run_world(struct world *w, uint64_t seed)
{
    w->seed = w->random = seed;
    w->o.count = 0;
    w->o.now = T0;
    w->o.rules = random_rules(w);
    w->p = pairing_new(&w->o.rules);
    bool is_crowded = below(w, 2);
    for (unsigned steps = 30 + below(w, 90); steps > 0; steps--)
        step(w, is_crowded);
    while (next_pair(w))
        ;
    check_next_due(w);
    pairing_free(w->p); /* with tickets still in */
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);
    return value ? strtoull(value, NULL, 10) : otherwise;
}

static void equals_the_oracle_on_random_queues(void **state)
{
    (void)state;
    uint64_t first = from_environment("PAIRING_SEED", 1), queues = from_environment("PAIRING_QUEUES", 10000);
    struct world *w = calloc(1, sizeof *w);
    for (uint64_t i = 0; i < queues; i++)
        run_world(w, first + i);
    print_message(
        "seeds %llu to %llu: %u pairs (%u tandem, %u tandem seekers in practice; by phase %u %u %u %u), "
        "%u expired\n",
        (unsigned long long)first, (unsigned long long)(first + queues - 1), w->pairs_found, w->tandems,
        w->practice_fallbacks, w->by_phase[0], w->by_phase[1], w->by_phase[2], w->by_phase[3], w->expired);
    if (queues >= 1000) { /* the worlds must be rich enough to mean something */
        assert_true(w->tandems > queues / 10 && w->expired > queues / 10 &&
                    w->practice_fallbacks > queues / 100);
        for (int i = 0; i < PHASE_COUNT; i++)
            assert_true(w->by_phase[i] > queues / 10);
    }
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(equals_the_oracle_on_random_queues)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
