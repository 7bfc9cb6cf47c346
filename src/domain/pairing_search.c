/* The best partner for a ticket. The tickets of a kind differ only in who they are and whom they have talked
 * to, so of each kind and phase only the longest waiting one that may be had matters, unless the two have a
 * past: then the search goes on to the next. That bounds the work by the number of kinds plus the ticket's
 * acquaintances. */
#include <stdlib.h>
#include <string.h>

#include "pairing_index.h"

struct search {
    struct index *index;
    const struct ticket *t;
    int64_t now_ms;
    struct ticket *best;
    int best_score;
};

static bool excludes(const struct ticket *t, const struct uuid *user_id)
{
    size_t low = 0, high = t->excluded_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = uuid_cmp(&t->excluded[middle], user_id);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* When `t` last spoke to the user; 0: never. */
static int64_t last_spoke(const struct ticket *t, const struct uuid *user_id)
{
    size_t low = 0, high = t->past_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (uuid_cmp(&t->past[middle].user_id, user_id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_found = low < t->past_count && uuid_eq(&t->past[low].user_id, user_id);
    return is_found ? t->past[low].last_spoke_at_ms : 0;
}

static int history_points(const struct ticket *a, const struct ticket *b, int64_t now_ms)
{
    if (!a->kind->key.history_is_known && !b->kind->key.history_is_known)
        return match_history_points(HISTORY_UNKNOWN);
    int64_t of_a = last_spoke(a, &b->user_id), of_b = last_spoke(b, &a->user_id);
    return match_history_points(match_history_at(of_a > of_b ? of_a : of_b, now_ms));
}

static bool may_meet(const struct ticket *a, const struct ticket *b)
{
    return !uuid_eq(&a->user_id, &b->user_id) && !excludes(a, &b->user_id) && !excludes(b, &a->user_id);
}

/* When the two would talk: the day from which their last talk is reckoned. */
static int64_t meeting_ms(const struct search *s, const struct ticket *candidate)
{
    if (s->t->phase != PHASE_ASLEEP)
        return s->now_ms;
    return candidate->wait_start_ms > s->t->wait_start_ms ? candidate->wait_start_ms : s->t->wait_start_ms;
}

static bool is_in_reach(const struct search *s, const struct ticket *candidate)
{
    return s->t->phase != PHASE_ASLEEP ||
           llabs(candidate->wait_start_ms - s->t->wait_start_ms) <= PAIRING_AHEAD_MS;
}

static bool beats_best(const struct search *s, int score, const struct ticket *candidate)
{
    if (!s->best || score != s->best_score)
        return !s->best || score > s->best_score;
    return ticket_is_before(candidate, s->best);
}

/* `tickets` are of one kind and phase or slot; the score of each is `base` and its history's points. */
static void visit_tickets(struct search *s, const struct list *tickets, int base, int min_score)
{
    bool is_known = s->t->kind->key.history_is_known ||
                    LIST_FIRST(tickets, struct ticket, in_kind)->kind->key.history_is_known;
    int highest = base + match_history_points(is_known ? HISTORY_NEVER : HISTORY_UNKNOWN);
    if (highest < min_score)
        return;
    LIST_EACH (l, tickets) {
        struct ticket *candidate = container_of(l, struct ticket, in_kind);
        if (!beats_best(s, highest, candidate))
            return; /* nor do those behind it, which began to wait later */
        if (!is_in_reach(s, candidate) || !may_meet(s->t, candidate))
            continue;
        int score = base + history_points(s->t, candidate, meeting_ms(s, candidate));
        if (score >= min_score && beats_best(s, score, candidate)) {
            s->best = candidate;
            s->best_score = score;
        }
        if (score == highest)
            return;
    }
}

static void visit_kind(struct search *s, const struct kind *kind, bool topics_are_related)
{
    const struct match_traits *own = &s->t->kind->traits;
    enum match_phase first = pairing_first_phase(own, &kind->traits, topics_are_related);
    int base = -1;
    for (enum match_phase phase = PHASE_STRICT; phase < PHASE_COUNT; phase++) {
        enum match_phase of_pair = phase > s->t->phase ? phase : s->t->phase;
        if (of_pair < first || list_is_empty(&kind->tickets[phase]))
            continue;
        if (base < 0)
            base = match_traits_score(own, &kind->traits);
        visit_tickets(s, &kind->tickets[phase], base, pairing_min_score(&s->index->rules, of_pair));
    }
}

static void visit_kind_ahead(struct search *s, const struct kind *kind)
{
    const struct match_traits *own = &s->t->kind->traits;
    if (!kind->ahead_count || pairing_first_phase(own, &kind->traits, true) != PHASE_STRICT)
        return;
    int base = match_traits_score(own, &kind->traits);
    for (int64_t n = ticket_slot_number(s->t) - 1; n <= ticket_slot_number(s->t) + 1; n++) {
        const struct slot *slot = index_slot(s->index, kind, n);
        if (slot)
            visit_tickets(s, &slot->tickets, base, pairing_min_score(&s->index->rules, PHASE_STRICT));
    }
}

/* `place`: which of its two places a kind has in this space. */
static void visit_space(struct search *s, struct space *space, int place)
{
    const struct kind_key *key = &s->t->kind->key;
    const struct topic_node *topic = index_topic(s->index, space, key->topic->code);
    bool is_asleep = s->t->phase == PHASE_ASLEEP;
    for (size_t i = 0; i < topic->related_count; i++) {
        LIST_EACH (l, &topic->related[i]->kinds) {
            const struct kind *kind = container_of(l, struct kind, places[place].in_topic);
            if (is_asleep)
                visit_kind_ahead(s, kind);
            else
                visit_kind(s, kind, true);
        }
    }
    if (is_asleep)
        return;
    const struct space_category *category = &space->categories[key->category];
    if (s->t->phase >= PHASE_CATEGORY) {
        LIST_EACH (l, &category->kinds)
            visit_kind(s, container_of(l, struct kind, places[place].in_category), false);
    } else {
        LIST_EACH (l, &category->wide)
            visit_kind(s, container_of(l, struct kind, places[place].in_wide), false);
    }
}

struct ticket *index_best(struct index *x, const struct ticket *t, int64_t now_ms, int *score)
{
    struct search s = {.index = x, .t = t, .now_ms = now_ms};
    visit_space(&s, ticket_space(t), 0);
    if (t->kind->key.is_tandem_seeker) {
        char target[LANG_MAX];
        language_cut_region(ticket_space(t)->target, target);
        struct space *crossed = index_tandem_space(x, t->kind->key.native, target);
        if (crossed)
            visit_space(&s, crossed, 1);
    }
    if (s.best)
        *score = s.best_score;
    return s.best;
}
