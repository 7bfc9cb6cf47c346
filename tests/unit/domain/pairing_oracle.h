/* What the pairing index is compared with: a plain array of requests, the rules written down once more,
 * everyone compared with everyone. */
#ifndef TESTS_UNIT_DOMAIN_PAIRING_ORACLE_H
#define TESTS_UNIT_DOMAIN_PAIRING_ORACLE_H

#include "conversation/domain/pairing.h"
#include "requests.h"

#ifndef WORLD_REQUESTS
#define WORLD_REQUESTS 256
#endif
enum { WORLD_USERS = 24, HISTORY_MAX = 6, EXCLUDED_MAX = 4, PAIRS_MAX = 4 };

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

static inline int64_t start_of(const struct match_request *r)
{
    return r->mode == MATCH_SCHEDULED ? r->scheduled_for_ms : r->created_at_ms;
}

/* 0: up to 30 s, 1: up to 60 s, 2: up to 120 s, 3: any level. */
static inline int oracle_phase(const struct oracle *o, const struct match_request *r)
{
    int64_t waited = o->now - start_of(r);
    if (waited >= 120000 || (r->expires_at_ms && r->expires_at_ms - o->now <= o->rules.last_pass_ms))
        return 3;
    return waited >= 60000 ? 2 : waited >= 30000 ? 1 : 0;
}

static inline bool same_language(const char *a, const char *b)
{
    while (*a && *a != '-' && *a == *b)
        a++, b++;
    return (!*a || *a == '-') && (!*b || *b == '-');
}

static inline int distance_to_wish(const struct match_request *r, enum level partner)
{
    int wish = r->level;
    if (r->preferred_partner_level == PARTNER_HIGHER && wish < 5)
        wish++;
    if (r->preferred_partner_level == PARTNER_LOWER && wish > 0)
        wish--;
    return wish > (int)partner ? wish - (int)partner : (int)partner - wish;
}

static inline bool related(const struct oracle *o, const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    if (!strcmp(a, b))
        return true;
    if (nb > na && !strncmp(a, b, na) && b[na] == '.' && !strchr(b + na + 1, '.'))
        return true;
    if (na > nb && !strncmp(a, b, nb) && a[nb] == '.' && !strchr(a + nb + 1, '.'))
        return true;
    for (size_t i = 0; i < o->rules.compatible_count; i++) {
        const struct topic_pair *pair = &o->rules.compatible[i];
        if ((!strcmp(pair->a, a) && !strcmp(pair->b, b)) || (!strcmp(pair->a, b) && !strcmp(pair->b, a)))
            return true;
    }
    return false;
}

static inline int history_score(const struct match_request *a, const struct match_request *b, int64_t now)
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

static inline bool blocked(const struct match_request *a, const struct match_request *b)
{
    for (size_t i = 0; i < a->excluded_count; i++)
        if (uuid_eq(&a->excluded[i], &b->user_id))
            return true;
    return false;
}

/* What speaks against a pair; the bits of `oracle_verdict.failing`. */
enum {
    AGAINST_LANGUAGE = 1,
    AGAINST_TIME = 2,
    AGAINST_TANDEM = 4,
    AGAINST_TOPIC = 8,
    AGAINST_LEVEL = 16,
    AGAINST_BLOCK = 32,
    AGAINST_SCORE = 64
};

struct oracle_verdict {
    unsigned failing;
    int score;
};

static inline bool is_tandem(const struct match_request *a, const struct match_request *b)
{
    return a->wanted_native_language[0] && b->wanted_native_language[0] &&
           same_language(a->native_language, b->target_language) &&
           same_language(b->native_language, a->target_language);
}

/* How far the worse served of the two is from its wish; whoever takes any level may count as served. */
static inline int worst_distance(const struct match_request *a, const struct match_request *b,
                                 bool any_is_served)
{
    int da = distance_to_wish(a, b->level), db = distance_to_wish(b, a->level);
    if (any_is_served && a->preferred_partner_level == PARTNER_ANY)
        da = 0;
    if (any_is_served && b->preferred_partner_level == PARTNER_ANY)
        db = 0;
    return da > db ? da : db;
}

static inline int pair_score(const struct match_request *a, const struct match_request *b, int64_t talk_at)
{
    int worst = worst_distance(a, b, false);
    int score = (worst == 0 ? 50 : worst == 1 ? 30 : 0) + (is_tandem(a, b) ? 100 : 0);
    score += history_score(a, b, talk_at);
    if (a->preferred_accent[0] && !strcmp(a->preferred_accent, b->preferred_accent))
        score += 20;
    if (a->tier == TIER_PREMIUM || b->tier == TIER_PREMIUM)
        score += 50;
    return score;
}

/* The pair on the terms of a phase, its last talk reckoned from `talk_at`; when they meet is not looked at.
 */
static inline struct oracle_verdict oracle_judge(const struct oracle *o, const struct match_request *a,
                                                 const struct match_request *b, int phase, int64_t talk_at)
{
    struct oracle_verdict v = {.score = pair_score(a, b, talk_at)};
    bool tandem = is_tandem(a, b), seeks = a->wanted_native_language[0] || b->wanted_native_language[0];
    if (!tandem && strcmp(a->target_language, b->target_language))
        v.failing |= AGAINST_LANGUAGE;
    if (!tandem && seeks && phase < 2)
        v.failing |= AGAINST_TANDEM;
    if (!related(o, a->topic_code, b->topic_code) && !(phase >= 2 && a->topic_category == b->topic_category))
        v.failing |= AGAINST_TOPIC;
    if (worst_distance(a, b, true) > (phase == 0 ? 0 : phase < 3 ? 1 : 99))
        v.failing |= AGAINST_LEVEL;
    if (uuid_eq(&a->user_id, &b->user_id) || blocked(a, b) || blocked(b, a))
        v.failing |= AGAINST_BLOCK;
    if (v.score < (phase == 0 ? 100 : phase < 3 ? o->rules.min_score : 0))
        v.failing |= AGAINST_SCORE;
    return v;
}

static inline int64_t later_start(const struct match_request *a, const struct match_request *b)
{
    return start_of(a) > start_of(b) ? start_of(a) : start_of(b);
}

/* Two that are scheduled, not yet awake, and near each other. */
static inline bool is_ahead(const struct oracle *o, const struct match_request *a,
                            const struct match_request *b)
{
    int64_t apart = start_of(a) - start_of(b);
    return a->mode == MATCH_SCHEDULED && b->mode == MATCH_SCHEDULED && start_of(a) > o->now &&
           start_of(b) > o->now && apart <= 300000 && apart >= -300000;
}

static inline int pair_phase(const struct oracle *o, const struct match_request *a,
                             const struct match_request *b)
{
    int pa = oracle_phase(o, a), pb = oracle_phase(o, b);
    return pa > pb ? pa : pb;
}

/* The score of a pair that may meet now, or -1. */
static inline int oracle_score(const struct oracle *o, const struct match_request *a,
                               const struct match_request *b)
{
    bool ahead = is_ahead(o, a, b);
    if (!ahead && o->now < later_start(a, b))
        return -1;
    struct oracle_verdict v =
        oracle_judge(o, a, b, ahead ? 0 : pair_phase(o, a, b), ahead ? later_start(a, b) : o->now);
    return v.failing ? -1 : v.score;
}

/* The earliest due time that has not been tried; INT64_MAX: none. */
static inline int64_t oracle_due(const struct oracle *o, const struct entry *e)
{
    int64_t start = start_of(&e->r),
            last = e->r.expires_at_ms ? e->r.expires_at_ms - o->rules.last_pass_ms : INT64_MAX;
    int64_t due[] = {e->r.created_at_ms, start, start + 30000, start + 60000, start + 120000, last};
    bool counts[] = {e->r.created_at_ms < start, true, due[2] < last,
                     due[3]<last, due[4] <= last, last> start && last < start + 120000};
    int64_t best = INT64_MAX;
    for (int i = 0; i < 6; i++) {
        if (counts[i] && due[i] > e->tried_until && due[i] < best)
            best = due[i];
    }
    return best;
}

static inline bool earlier(const struct match_request *a, const struct match_request *b)
{
    return start_of(a) != start_of(b) ? start_of(a) < start_of(b) : memcmp(&a->id, &b->id, sizeof a->id) < 0;
}

/* The one that is to be tried next; NULL: nobody is due. */
static inline struct entry *oracle_next_due(struct oracle *o)
{
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
    return t;
}

/* The best partner of one that is tried; NULL: none. Both are out then. */
static inline struct entry *oracle_try(struct oracle *o, struct entry *t)
{
    struct entry *best = NULL;
    int best_score = -1;
    t->tried_until = o->now;
    for (unsigned i = 0; i < o->count; i++) {
        struct entry *e = &o->entries[i];
        int s = e->is_in && e != t ? oracle_score(o, &t->r, &e->r) : -1;
        if (s >= 0 && (s > best_score || (s == best_score && earlier(&e->r, &best->r)))) {
            best = e;
            best_score = s;
        }
    }
    if (best)
        t->is_in = best->is_in = false;
    return best;
}

/* What is decided at one moment before partners are exchanged: the members 2n and 2n + 1 are a pair, those
 * behind `paired` were tried and left alone. */
struct oracle_batch {
    struct entry *members[WORLD_REQUESTS];
    unsigned paired, count;
    bool has_sleepers;
};

static inline void oracle_decide(struct oracle *o, struct oracle_batch *b)
{
    struct entry *alone[WORLD_REQUESTS], *t;
    unsigned alone_count = 0, taken = 0, max = o->rules.batch_max ? (unsigned)o->rules.batch_max : 2048;
    *b = (struct oracle_batch){.count = 0};
    while ((taken == 0 || taken + 2 <= max) && (t = oracle_next_due(o))) {
        struct entry *partner = oracle_try(o, t);
        taken += partner ? 2 : 1;
        b->has_sleepers |= partner && start_of(&t->r) > o->now;
        if (partner) {
            b->members[b->paired++] = t;
            b->members[b->paired++] = partner;
        } else if (start_of(&t->r) <= o->now) {
            alone[alone_count++] = t;
        }
    }
    memcpy(&b->members[b->paired], alone, alone_count * sizeof(struct entry *));
    b->count = b->paired + alone_count;
}

/* The greatest sum (a score and one for each pair) in which all who were paired are, by trying everything. */
static inline int oracle_best_sum(const struct oracle *o, const struct oracle_batch *b, unsigned used)
{
    unsigned i = 0;
    while (i < b->paired && (used & 1U << i))
        i++;
    if (i == b->paired)
        return 0;
    int best = -1;
    for (unsigned j = 0; j < b->count; j++) {
        int s = j == i || (used & 1U << j) ? -1 : oracle_score(o, &b->members[i]->r, &b->members[j]->r);
        int rest = s < 0 ? -1 : oracle_best_sum(o, b, used | 1U << i | 1U << j);
        if (rest >= 0 && s + 1 + rest > best)
            best = s + 1 + rest;
    }
    return best;
}

#endif
