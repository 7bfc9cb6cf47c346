/* Why a ticket has no partner yet. The others are counted by kind and phase, as if all were strangers; then
 * those of them are looked up one by one whom the ticket knows, or who know it. The related topics come
 * first, so that when there are too many to look at all, those who matter most have been. */
#include "conversation/domain/pairing_explain.h"

#include <stdlib.h>
#include <string.h>

#include "pairing_index.h"

const char *const pairing_constraint_names[] = {"LANGUAGE", "TIME",  "TANDEM", "TOPIC",
                                                "LEVEL",    "SCORE", NULL};

enum { VARIANTS_MAX = 6, TOPICS_MAX = 256 };

/* The ticket as it is, or as it could have been asked for. */
struct variant {
    struct match_traits traits;
    size_t *more; /* of the explanation; NULL for the ticket as it is */
};

struct topic_count {
    const char *code; /* of the index */
    size_t more;
};

struct explainer {
    struct index *index;
    const struct ticket *t;
    struct pairing_explanation *out;
    size_t kinds_left, tickets_left;       /* that there is time to look at */
    struct variant variants[VARIANTS_MAX]; /* the first is the ticket as it is */
    size_t variant_count;
    struct topic_count topics[TOPICS_MAX];
    size_t topic_count;
    size_t more_in_topic; /* of the topic being looked at */
};

/* How the variants stand to one kind. */
struct standing {
    const struct kind *kind;
    size_t variant_count; /* only the first where the topics are too far apart for any of them */
    struct pairing_bounds bounds[VARIANTS_MAX];
    int base[VARIANTS_MAX]; /* score without history */
};

/* What is between the ticket and one of the kind, or a group of them. */
struct relation {
    bool is_blocked;
    int history_points;
};

#define BIT(constraint) (1U << (constraint))
#define BLOCKED         BIT(CONSTRAINT_COUNT) /* speaks against a pair, and is not told */

/* --- judging --- */

static unsigned failing(const struct explainer *x, const struct standing *s, size_t variant,
                        enum match_phase phase, struct relation r)
{
    const struct pairing_bounds *b = &s->bounds[variant];
    unsigned bits = 0;
    if (b->language > phase)
        bits |= BIT(CONSTRAINT_LANGUAGE);
    if (b->tandem > phase)
        bits |= BIT(CONSTRAINT_TANDEM);
    if (b->topic > phase)
        bits |= BIT(CONSTRAINT_TOPIC);
    if (b->level > phase)
        bits |= BIT(CONSTRAINT_LEVEL);
    if (r.is_blocked)
        bits |= BLOCKED;
    if (s->base[variant] + r.history_points < pairing_min_score(&x->index->rules, phase))
        bits |= BIT(CONSTRAINT_SCORE);
    return bits;
}

static enum match_phase later_of(enum match_phase a, enum match_phase b)
{
    return a > b ? a : b;
}

static void count_excluded(struct explainer *x, const struct kind *kind, unsigned bits, size_t n)
{
    if (bits == BLOCKED) {
        x->out->candidates -= n; /* and so excluded by the language */
        return;
    }
    enum pairing_constraint first = (enum pairing_constraint)__builtin_ctz(bits & ~BLOCKED);
    x->out->excluded[first] += n;
    if (bits != BIT(first))
        return;
    x->out->only_this[first] += n;
    if (first != CONSTRAINT_TOPIC)
        return;
    x->more_in_topic += n;
    if (kind->key.category == x->t->kind->key.category)
        x->out->more_in_category += n;
}

/* `n` of a kind, all in `phase` themselves and all in the same relation to the ticket. */
static void tally(struct explainer *x, const struct standing *s, enum match_phase phase, struct relation r,
                  size_t n)
{
    enum match_phase now = later_of(x->out->phase, phase);
    unsigned bits = failing(x, s, 0, now, r);
    if (!bits)
        x->out->eligible += n;
    else
        count_excluded(x, s->kind, bits, n);
    for (size_t i = 1; bits && i < s->variant_count; i++) {
        if (!failing(x, s, i, now, r))
            *x->variants[i].more += n;
    }
    for (size_t i = 0; i < x->out->outlook_count; i++) {
        struct pairing_outlook *o = &x->out->outlooks[i];
        if (!failing(x, s, 0, later_of(o->phase, phase), r))
            o->admits += n;
    }
}

static struct relation relation_of(const struct explainer *x, const struct ticket *other)
{
    int64_t meeting_ms = ticket_meeting_ms(x->t, other, x->out->now_ms);
    return (struct relation){!ticket_may_meet(x->t, other), ticket_history_points(x->t, other, meeting_ms)};
}

static struct relation stranger(const struct explainer *x, const struct kind *kind)
{
    bool is_known = x->t->kind->key.history_is_known || kind->key.history_is_known;
    return (struct relation){false, match_history_points(is_known ? HISTORY_NEVER : HISTORY_UNKNOWN)};
}

/* --- going through the others --- */

static bool may_look(struct explainer *x, size_t *left)
{
    if (*left == 0) {
        x->out->is_exact = false;
        return false;
    }
    --*left;
    return true;
}

/* Whether any count depends on who the others are: not when two terms speak against them all, now and
 * whatever is changed. Spares looking at most of a mixed queue. */
static bool persons_matter(const struct explainer *x, const struct standing *s, enum match_phase phase)
{
    const struct relation open = {false, MATCH_HISTORY_POINTS_MAX};
    enum match_phase now = later_of(x->out->phase, phase);
    unsigned bits = failing(x, s, 0, now, open) & ~BIT(CONSTRAINT_SCORE);
    if ((bits & (bits - 1)) == 0)
        return true;
    for (size_t i = 1; i < s->variant_count; i++) {
        if (!failing(x, s, i, now, open))
            return true;
    }
    for (size_t i = 0; i < x->out->outlook_count; i++) {
        if (!failing(x, s, 0, later_of(x->out->outlooks[i].phase, phase), open))
            return true;
    }
    return false;
}

/* Counts those of the kind and phase who are no strangers, and says how many they are. The ones there is no
 * time to look at are taken for strangers. */
static size_t count_acquaintances(struct explainer *x, const struct standing *s, enum match_phase phase,
                                  struct relation usual)
{
    size_t n = 0;
    LIST_EACH (l, &s->kind->tickets[phase]) {
        const struct ticket *other = container_of(l, struct ticket, in_kind);
        if (!may_look(x, &x->tickets_left))
            break;
        struct relation r = relation_of(x, other);
        bool is_usual = r.is_blocked == usual.is_blocked && r.history_points == usual.history_points;
        if (other == x->t || is_usual)
            continue;
        tally(x, s, phase, r, 1);
        n++;
    }
    return n;
}

static void count_phase(struct explainer *x, const struct standing *s, enum match_phase phase)
{
    struct relation usual = stranger(x, s->kind);
    size_t strangers = s->kind->phase_counts[phase] - (x->t->kind == s->kind && x->t->phase == phase);
    if (persons_matter(x, s, phase))
        strangers -= count_acquaintances(x, s, phase, usual);
    if (strangers)
        tally(x, s, phase, usual, strangers);
}

/* The sleepers of the kind; only those in the ticket's slot or beside it can be near enough. */
static void count_ahead(struct explainer *x, const struct standing *s)
{
    size_t near = 0;
    for (int64_t n = ticket_slot_number(x->t) - 1; n <= ticket_slot_number(x->t) + 1; n++) {
        const struct slot *slot = index_slot(x->index, s->kind, n);
        if (!slot)
            continue;
        LIST_EACH (l, &slot->tickets) {
            const struct ticket *other = container_of(l, struct ticket, in_kind);
            if (!may_look(x, &x->tickets_left))
                return;
            if (other == x->t || !ticket_is_in_reach(x->t, other))
                continue;
            tally(x, s, PHASE_STRICT, relation_of(x, other), 1);
            near++;
        }
    }
    x->out->excluded[CONSTRAINT_TIME] += s->kind->ahead_count - near - (s->kind == x->t->kind);
}

static void count_kind(struct explainer *x, const struct kind *kind, bool topics_are_related)
{
    bool is_far = !topics_are_related && kind->key.category != x->t->kind->key.category;
    struct standing s = {.kind = kind, .variant_count = is_far ? 1 : x->variant_count};
    for (size_t i = 0; i < s.variant_count; i++) {
        s.bounds[i] = pairing_bounds_of(&x->variants[i].traits, &kind->traits, topics_are_related);
        s.base[i] = match_traits_score(&x->variants[i].traits, &kind->traits);
    }
    if (x->out->is_asleep) {
        count_ahead(x, &s);
        return;
    }
    for (enum match_phase phase = PHASE_STRICT; phase < PHASE_COUNT; phase++) {
        if (kind->phase_counts[phase])
            count_phase(x, &s, phase);
    }
}

static size_t others_of(const struct explainer *x, const struct kind *kind)
{
    size_t awake = 0;
    for (int i = 0; i < PHASE_COUNT; i++)
        awake += kind->phase_counts[i];
    return x->out->is_asleep ? kind->ahead_count : awake;
}

static void add_topic(struct explainer *x, const char *code)
{
    size_t i = 0;
    while (i < x->topic_count && strcmp(x->topics[i].code, code) != 0)
        i++;
    if (i == TOPICS_MAX) {
        x->out->is_exact = false;
        return;
    }
    if (i == x->topic_count)
        x->topics[x->topic_count++] = (struct topic_count){.code = code};
    x->topics[i].more += x->more_in_topic;
}

/* A topic of the ticket's space, or with place 1 of the crossed one. There, who learns the same language has
 * been met in the ticket's own space. */
static void count_topic(struct explainer *x, const struct topic_node *topic, int place, bool is_related)
{
    x->more_in_topic = 0;
    LIST_EACH (l, &topic->kinds) {
        const struct kind *kind = container_of(l, struct kind, places[place].in_topic);
        size_t others = others_of(x, kind);
        if (!others || (place && strcmp(kind->traits.target_language, ticket_space(x->t)->target) == 0))
            continue;
        if (!may_look(x, &x->kinds_left))
            break;
        if (place)
            x->out->candidates += others;
        count_kind(x, kind, is_related);
    }
    if (x->more_in_topic)
        add_topic(x, topic->code);
}

static bool is_among(const struct topic_node *topic, const struct topic_node *own)
{
    for (size_t i = 0; i < own->related_count; i++) {
        if (own->related[i] == topic)
            return true;
    }
    return false;
}

static void count_space(struct explainer *x, struct space *space, int place)
{
    const struct topic_node *own = index_topic(x->index, space, x->t->kind->key.topic->code);
    for (size_t i = 0; i < own->related_count; i++)
        count_topic(x, own->related[i], place, true);
    LIST_EACH (l, &space->topics) {
        const struct topic_node *topic = container_of(l, struct topic_node, in_space);
        if (!is_among(topic, own))
            count_topic(x, topic, place, false);
    }
}

/* --- before and after --- */

static void add_variants(struct explainer *x)
{
    const struct match_traits *own = &x->t->kind->traits;
    x->variants[x->variant_count++] = (struct variant){.traits = *own};
    for (int wish = PARTNER_SAME; wish <= PARTNER_ANY; wish++) {
        if (wish == (int)own->preferred_partner_level)
            continue;
        struct variant *v = &x->variants[x->variant_count++];
        *v = (struct variant){*own, &x->out->more_with_wish[wish]};
        v->traits.preferred_partner_level = (enum partner_level)wish;
    }
    if (own->is_tandem_seeker) {
        struct variant *v = &x->variants[x->variant_count++];
        *v = (struct variant){*own, &x->out->more_without_tandem};
        v->traits.is_tandem_seeker = false;
    }
}

/* The phases still to come, and when: no later than the last pass, with which the others would be left out.
 */
static void add_outlooks(struct explainer *x)
{
    struct pairing_explanation *out = x->out;
    int64_t last_pass_ms = pairing_last_pass_at_ms(&x->index->rules, out->expires_at_ms);
    for (int phase = (int)out->phase + 1; phase < PHASE_COUNT; phase++) {
        int64_t at_ms =
            out->wait_start_ms + pairing_phase_start_ms(&x->index->rules, (enum match_phase)phase);
        if (at_ms >= last_pass_ms && phase != PHASE_ANY_LEVEL)
            continue;
        out->outlooks[out->outlook_count++] = (struct pairing_outlook){
            .phase = (enum match_phase)phase, .at_ms = at_ms < last_pass_ms ? at_ms : last_pass_ms};
    }
}

static int by_more(const void *a, const void *b)
{
    const struct topic_count *x = a, *y = b;
    if (x->more != y->more)
        return x->more > y->more ? -1 : 1;
    return strcmp(x->code, y->code);
}

static void take_topics(struct explainer *x)
{
    qsort(x->topics, x->topic_count, sizeof x->topics[0], by_more);
    for (size_t i = 0; i < x->topic_count && i < PAIRING_EXPLAIN_TOPICS; i++) {
        struct pairing_topic_outlook *topic = &x->out->topics[x->out->topic_count++];
        topic->more = x->topics[i].more;
        memcpy(topic->code, x->topics[i].code, sizeof topic->code);
    }
}

static size_t others_of_space(const struct explainer *x, const struct space *space)
{
    return x->out->is_asleep ? space->ahead_count : space->awake_count;
}

static size_t others_of_all(const struct explainer *x)
{
    size_t n = 0;
    LIST_EACH (l, &x->index->all_spaces)
        n += others_of_space(x, container_of(l, struct space, in_index));
    return n;
}

static struct pairing_explanation begin(const struct ticket *t, int64_t now_ms)
{
    const struct kind_key *key = &t->kind->key;
    bool is_asleep = t->phase == PHASE_ASLEEP && t->is_scheduled;
    return (struct pairing_explanation){.now_ms = now_ms,
                                        .wait_start_ms = t->wait_start_ms,
                                        .expires_at_ms = t->expires_at_ms,
                                        .is_asleep = is_asleep,
                                        .is_exact = true,
                                        .phase = t->phase < PHASE_COUNT ? (enum match_phase)t->phase
                                                                        : PHASE_STRICT,
                                        .level = (enum level)key->level,
                                        .wish = (enum partner_level)key->preferred_partner_level,
                                        .category = (enum topic_category)key->category};
}

void index_explain(struct index *index, const struct ticket *t, int64_t now_ms,
                   struct pairing_explanation *out)
{
    struct explainer x = {.index = index,
                          .t = t,
                          .out = out,
                          .kinds_left = PAIRING_EXPLAIN_LOOKS_MAX,
                          .tickets_left = PAIRING_EXPLAIN_LOOKS_MAX};
    bool counts_itself = t->phase < PHASE_COUNT || t->is_scheduled;
    *out = begin(t, now_ms);
    add_variants(&x);
    if (!out->is_asleep)
        add_outlooks(&x);
    out->others = others_of_all(&x) - counts_itself;
    out->candidates = others_of_space(&x, ticket_space(t)) - counts_itself;
    count_space(&x, ticket_space(t), 0);
    struct space *crossed = index_crossed_space(index, t);
    if (crossed)
        count_space(&x, crossed, 1);
    out->excluded[CONSTRAINT_LANGUAGE] = out->others - out->candidates;
    take_topics(&x);
}
