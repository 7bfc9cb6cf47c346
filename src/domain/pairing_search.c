/* The best partner for a ticket. The tickets of a kind differ only in who they are and whom they have talked
 * to, so of each kind and phase only the longest waiting one that may be had matters, unless the two have a
 * past: then the search goes on to the next. That bounds the work by the number of kinds plus the ticket's
 * acquaintances. */
#include <string.h>

#include "pairing_index.h"

struct search {
    struct index *index;
    const struct ticket *t;
    int64_t now_ms;
    struct ticket *best;
    int best_score;
};

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
        if (!ticket_is_in_reach(s->t, candidate) || !ticket_may_meet(s->t, candidate))
            continue;
        int score =
            base + ticket_history_points(s->t, candidate, ticket_meeting_ms(s->t, candidate, s->now_ms));
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
    struct space *crossed = index_crossed_space(x, t);
    if (crossed)
        visit_space(&s, crossed, 1);
    if (s.best)
        *score = s.best_score;
    return s.best;
}
