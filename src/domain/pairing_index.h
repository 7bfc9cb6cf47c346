/* The places of the pairing index. Private to domain/.
 *
 *   space   all requests for one target language, or all tandem seekers of one language pair
 *   topic   a topic of a space; knows the related topics of its space
 *   kind    the requests that are alike in everything the score looks at but the history
 *   ticket  one request, in its kind's list of its phase, the longest waiting first
 *   slot    the scheduled requests of a kind that still sleep, by the five minutes they are scheduled in
 *
 * A plain request's kind stands in the space of its target language, a tandem seeker's also in that of its
 * language pair. Spaces and kinds exist while they have tickets; topics as long as their space. */
#ifndef CONVERSATION_DOMAIN_PAIRING_INDEX_H
#define CONVERSATION_DOMAIN_PAIRING_INDEX_H

#include "conversation/base/list.h"
#include "conversation/base/map.h"
#include "pairing_heap.h"
#include "pairing_rules.h"

struct hash_node {
    struct hash_node *next; /* in its bucket */
    uint64_t hash;
};

/* Chained hash table of nodes owned by the caller, who compares the keys. All zero is empty. */
struct hash {
    struct hash_node **buckets;
    size_t count, bucket_count;
};

struct space_category {
    struct list kinds;    /* all of the category */
    struct list wide;     /* those that hold a ticket in a phase that looks beyond its topic */
    uint32_t batch_group; /* while partners are exchanged: its first group (pairing_wishes.c); else 0 */
};

struct space {
    struct hash_node node;
    struct list in_index;
    char target[LANG_MAX];
    char native[LANG_MAX]; /* only of a language pair, and then both are without region */
    bool is_tandem;
    size_t kind_count;
    size_t ticket_count, awake_count, ahead_count; /* of its target language: 0 for a language pair's */
    struct list topics;
    struct space_category categories[CATEGORY_COUNT];
};

struct topic_node {
    struct hash_node node;
    struct list in_space;
    struct space *space;
    char code[TOPIC_MAX];
    struct list kinds;
    struct topic_node **related; /* itself included */
    size_t related_count, related_capacity;
    uint32_t batch_group; /* as in space_category */
};

/* Compared byte by byte: the padding is zero. */
struct kind_key {
    struct topic_node *topic; /* in the space of the target language */
    char native[LANG_MAX];    /* a tandem seeker's, without region; "" otherwise */
    char accent[ACCENT_MAX];
    uint8_t category, level, preferred_partner_level, tier, is_tandem_seeker, history_is_known;
};

/* Where a kind stands in a space. */
struct kind_place {
    struct topic_node *topic; /* NULL: unused */
    struct list in_topic, in_category, in_wide;
};

struct kind {
    struct hash_node node;
    struct kind_key key;
    struct match_traits traits; /* its strings are the key's and the space's */
    struct kind_place places[2];
    struct list tickets[PHASE_COUNT];
    size_t ticket_count, ahead_count; /* all of them; those in slots */
    size_t phase_counts[PHASE_COUNT];
    uint32_t batch_group; /* while partners are exchanged: its members; else 0 */
};

/* Exists while it has tickets. Whoever may meet ahead of time is in the same slot or the one beside it. */
struct slot {
    struct hash_node node;
    const struct kind *kind;
    int64_t number;      /* wait start divided by PAIRING_AHEAD_MS */
    struct list tickets; /* by wait start and id */
};

#define PHASE_ASLEEP PHASE_COUNT       /* the wait has not begun: in a slot, or if not scheduled, nowhere */
#define PHASE_NONE   (PHASE_COUNT + 1) /* in no list of its kind: comes or goes */

/* What a search looks at of everyone in a list stands first, in one cache line. */
struct ticket {
    struct map_node by_id;
    struct list in_kind; /* or in its slot */
    struct uuid user_id;
    uint64_t known_bits; /* a bit for each of `past` and `excluded`; see ticket_bit_of */
    struct list in_ready;
    struct kind *kind;
    int64_t wait_start_ms, expires_at_ms;
    int64_t due_ms; /* while ready: the earliest untried due time */
    uint32_t heap_slot[HEAP_KINDS];
    uint32_t past_count, excluded_count;
    uint8_t phase; /* enum match_phase, PHASE_ASLEEP or PHASE_NONE */
    bool is_scheduled;
    struct uuid *excluded;            /* sorted; behind `past` in the same allocation */
    struct match_past_partner past[]; /* sorted by user, the latest talk first */
};

/* Whose bit is not set in known_bits is not known to the ticket: most are strangers, and need no search. */
static inline uint64_t ticket_bit_of(const struct uuid *user_id)
{
    return UINT64_C(1) << (user_id->b[sizeof user_id->b - 1] & 63);
}

static inline bool ticket_is_before(const struct ticket *a, const struct ticket *b)
{
    return a->wait_start_ms != b->wait_start_ms ? a->wait_start_ms < b->wait_start_ms
                                                : uuid_cmp(&a->by_id.key, &b->by_id.key) < 0;
}

struct index {
    struct pairing_rules rules;
    struct hash spaces, topics, kinds, slots;
    struct list all_spaces; /* oldest first */
};

void index_init(struct index *x, const struct pairing_rules *rules);
void index_done(struct index *x); /* no ticket may be left */
void index_set_compatible(struct index *x, const struct topic_pair *pairs, size_t count);

/* A ticket of the request's kind, asleep. */
struct ticket *ticket_new(struct index *x, const struct match_request *r);
void ticket_free(struct index *x, struct ticket *t);
/* Moves it to its kind's list of `phase`. */
void ticket_set_phase(struct index *x, struct ticket *t, unsigned phase);

/* The space of the target language a ticket waits for. */
static inline struct space *ticket_space(const struct ticket *t)
{
    return t->kind->places[0].topic->space;
}

/* The space of a target language; NULL when nobody waits for it. */
const struct space *index_space(const struct index *x, const char *target);
/* Where the counterparts of a tandem seeker stand; NULL when there are none, or it seeks no tandem. */
struct space *index_crossed_space(const struct index *x, const struct ticket *t);
/* Creates the topic in the space when it is not there yet. */
struct topic_node *index_topic(struct index *x, struct space *space, const char *code);

/* The tickets of the kind scheduled in those five minutes; NULL: none. */
const struct slot *index_slot(const struct index *x, const struct kind *kind, int64_t number);

static inline int64_t ticket_slot_number(const struct ticket *t)
{
    return t->wait_start_ms / PAIRING_AHEAD_MS;
}

/* Neither the same user nor one excluded by the other. */
bool ticket_may_meet(const struct ticket *a, const struct ticket *b);
/* What their last talk, reckoned from `at_ms`, adds to the score. */
int ticket_history_points(const struct ticket *a, const struct ticket *b, int64_t at_ms);
/* Both awake or both asleep: when they would talk, and whether their times are near enough. */
int64_t ticket_meeting_ms(const struct ticket *a, const struct ticket *b, int64_t now_ms);
bool ticket_is_in_reach(const struct ticket *a, const struct ticket *b);

/* The partner that `t` gets at `now_ms`, with the score; NULL: none. One that sleeps gets one that sleeps. */
struct ticket *index_best(struct index *x, const struct ticket *t, int64_t now_ms, int *score);

struct pairing_explanation;
void index_explain(struct index *x, const struct ticket *t, int64_t now_ms, struct pairing_explanation *out);

#endif
