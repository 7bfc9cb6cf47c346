/* Spaces, topics, kinds and tickets: finding, making and dropping them. */
#include "pairing_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(size_t n)
{
    void *p = calloc(1, n);
    if (!p)
        abort();
    return p;
}

/* --- hashing --- */

#define HASH_SEED 0xCBF29CE484222325ULL /* FNV-1a, 64 bit */

static uint64_t hash_bytes(uint64_t hash, const void *p, size_t n)
{
    const unsigned char *byte = p;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ byte[i]) * 0x100000001B3ULL;
    return hash;
}

static size_t bucket_of(const struct hash *h, uint64_t hash)
{
    return (size_t)(hash ^ (hash >> 32)) & (h->bucket_count - 1);
}

static void hash_grow(struct hash *h)
{
    struct hash old = *h;
    h->bucket_count = old.bucket_count ? old.bucket_count * 2 : 16;
    h->buckets = allocate(h->bucket_count * sizeof *h->buckets);
    for (size_t i = 0; i < old.bucket_count; i++) {
        for (struct hash_node *n = old.buckets[i], *after; n; n = after) {
            after = n->next;
            struct hash_node **bucket = &h->buckets[bucket_of(h, n->hash)];
            n->next = *bucket;
            *bucket = n;
        }
    }
    free(old.buckets);
}

static void hash_put(struct hash *h, struct hash_node *n, uint64_t hash)
{
    if (h->count >= h->bucket_count)
        hash_grow(h);
    struct hash_node **bucket = &h->buckets[bucket_of(h, hash)];
    *n = (struct hash_node){.next = *bucket, .hash = hash};
    *bucket = n;
    h->count++;
}

static void hash_remove(struct hash *h, struct hash_node *n)
{
    struct hash_node **link = &h->buckets[bucket_of(h, n->hash)];
    while (*link != n)
        link = &(*link)->next;
    *link = n->next;
    h->count--;
}

#define HASH_EACH(n, h, wanted)                                                                            \
    for (struct hash_node *n = (h)->count ? (h)->buckets[bucket_of((h), (wanted))] : NULL; n; n = n->next) \
        if (n->hash == (wanted))

/* --- spaces --- */

static void language_cut_region(const char *code, char out[LANG_MAX])
{
    size_t n = strcspn(code, "-");
    memset(out, 0, LANG_MAX);
    memcpy(out, code, n < LANG_MAX ? n : LANG_MAX - 1);
}

static uint64_t space_hash(const char *target, const char *native)
{
    return hash_bytes(hash_bytes(HASH_SEED, target, strlen(target) + 1), native, strlen(native));
}

static struct space *space_find(const struct index *x, const char *target, const char *native, bool is_tandem)
{
    uint64_t hash = space_hash(target, native);
    HASH_EACH(n, &x->spaces, hash)
    {
        struct space *space = container_of(n, struct space, node);
        if (space->is_tandem == is_tandem && strcmp(space->target, target) == 0 &&
            strcmp(space->native, native) == 0)
            return space;
    }
    return NULL;
}

const struct space *index_space(const struct index *x, const char *target)
{
    return space_find(x, target, "", false);
}

struct space *index_crossed_space(const struct index *x, const struct ticket *t)
{
    if (!t->kind->key.is_tandem_seeker)
        return NULL;
    char target[LANG_MAX];
    language_cut_region(ticket_space(t)->target, target);
    return space_find(x, t->kind->key.native, target, true);
}

static struct space *space_get(struct index *x, const char *target, const char *native, bool is_tandem)
{
    struct space *space = space_find(x, target, native, is_tandem);
    if (space)
        return space;
    space = allocate(sizeof *space);
    memcpy(space->target, target, strlen(target));
    memcpy(space->native, native, strlen(native));
    space->is_tandem = is_tandem;
    list_init(&space->topics);
    for (int i = 0; i < CATEGORY_COUNT; i++) {
        list_init(&space->categories[i].kinds);
        list_init(&space->categories[i].wide);
    }
    hash_put(&x->spaces, &space->node, space_hash(target, native));
    list_add_tail(&x->all_spaces, &space->in_index);
    return space;
}

static void space_drop_if_empty(struct index *x, struct space *space)
{
    if (space->kind_count)
        return;
    LIST_EACH_SAFE (l, after, &space->topics) {
        struct topic_node *topic = container_of(l, struct topic_node, in_space);
        hash_remove(&x->topics, &topic->node);
        free(topic->related);
        free(topic);
    }
    hash_remove(&x->spaces, &space->node);
    list_remove(&space->in_index);
    free(space);
}

/* --- topics --- */

static void relate(struct topic_node *topic, struct topic_node *other)
{
    if (topic->related_count == topic->related_capacity) {
        topic->related_capacity = topic->related_capacity ? topic->related_capacity * 2 : 4;
        topic->related = realloc(topic->related, topic->related_capacity * sizeof(struct topic_node *));
        if (!topic->related)
            abort();
    }
    topic->related[topic->related_count++] = other;
}

static uint64_t topic_hash(const struct space *space, const char *code)
{
    return hash_bytes(hash_bytes(HASH_SEED, &space, sizeof space), code, strlen(code));
}

struct topic_node *index_topic(struct index *x, struct space *space, const char *code)
{
    uint64_t hash = topic_hash(space, code);
    HASH_EACH(n, &x->topics, hash)
    {
        struct topic_node *topic = container_of(n, struct topic_node, node);
        if (topic->space == space && strcmp(topic->code, code) == 0)
            return topic;
    }
    struct topic_node *topic = allocate(sizeof *topic);
    topic->space = space;
    memcpy(topic->code, code, strlen(code));
    list_init(&topic->kinds);
    LIST_EACH (l, &space->topics) {
        struct topic_node *other = container_of(l, struct topic_node, in_space);
        if (pairing_topics_are_related(&x->rules, topic->code, other->code)) {
            relate(topic, other);
            relate(other, topic);
        }
    }
    relate(topic, topic);
    list_add_tail(&space->topics, &topic->in_space);
    hash_put(&x->topics, &topic->node, hash);
    return topic;
}

static void topic_relate_anew(const struct index *x, struct topic_node *topic)
{
    topic->related_count = 0;
    LIST_EACH (l, &topic->space->topics) {
        struct topic_node *other = container_of(l, struct topic_node, in_space);
        if (pairing_topics_are_related(&x->rules, topic->code, other->code))
            relate(topic, other);
    }
}

void index_set_compatible(struct index *x, const struct topic_pair *pairs, size_t count)
{
    x->rules.compatible = pairs;
    x->rules.compatible_count = count;
    LIST_EACH (s, &x->all_spaces) {
        LIST_EACH (l, &container_of(s, struct space, in_index)->topics)
            topic_relate_anew(x, container_of(l, struct topic_node, in_space));
    }
}

/* --- kinds --- */

static void kind_place(struct kind *kind, struct kind_place *place, struct topic_node *topic)
{
    place->topic = topic;
    list_add_tail(&topic->kinds, &place->in_topic);
    list_add_tail(&topic->space->categories[kind->key.category].kinds, &place->in_category);
    topic->space->kind_count++;
}

static struct kind *kind_new(struct index *x, const struct kind_key *key, uint64_t hash)
{
    struct kind *kind = allocate(sizeof *kind);
    kind->key = *key;
    kind->traits = (struct match_traits){.target_language = key->topic->space->target,
                                         .native_language = kind->key.native,
                                         .topic_code = key->topic->code,
                                         .preferred_accent = kind->key.accent,
                                         .category = key->category,
                                         .level = key->level,
                                         .preferred_partner_level = key->preferred_partner_level,
                                         .tier = key->tier,
                                         .is_tandem_seeker = key->is_tandem_seeker,
                                         .history_is_known = key->history_is_known};
    for (int i = 0; i < PHASE_COUNT; i++)
        list_init(&kind->tickets[i]);
    kind_place(kind, &kind->places[0], key->topic);
    if (key->is_tandem_seeker) {
        char target[LANG_MAX];
        language_cut_region(key->topic->space->target, target);
        kind_place(kind, &kind->places[1],
                   index_topic(x, space_get(x, target, key->native, true), key->topic->code));
    }
    hash_put(&x->kinds, &kind->node, hash);
    return kind;
}

static struct kind *kind_get(struct index *x, const struct match_request *r)
{
    struct kind_key key;
    memset(&key, 0, sizeof key);
    key.topic = index_topic(x, space_get(x, r->target_language, "", false), r->topic_code);
    key.is_tandem_seeker = match_is_tandem_seeker(r);
    if (key.is_tandem_seeker)
        language_cut_region(r->native_language, key.native);
    memcpy(key.accent, r->preferred_accent, strnlen(r->preferred_accent, ACCENT_MAX - 1));
    key.category = (uint8_t)r->topic_category;
    key.level = (uint8_t)r->level;
    key.preferred_partner_level = (uint8_t)r->preferred_partner_level;
    key.tier = (uint8_t)r->tier;
    key.history_is_known = r->history_is_known;
    uint64_t hash = hash_bytes(HASH_SEED, &key, sizeof key);
    HASH_EACH(n, &x->kinds, hash)
    {
        struct kind *kind = container_of(n, struct kind, node);
        if (memcmp(&kind->key, &key, sizeof key) == 0)
            return kind;
    }
    return kind_new(x, &key, hash);
}

static void kind_drop_if_empty(struct index *x, struct kind *kind)
{
    if (kind->ticket_count)
        return;
    hash_remove(&x->kinds, &kind->node);
    for (int i = 0; i < 2 && kind->places[i].topic; i++) {
        struct kind_place *place = &kind->places[i];
        list_remove(&place->in_topic);
        list_remove(&place->in_category);
        place->topic->space->kind_count--;
        space_drop_if_empty(x, place->topic->space);
    }
    free(kind);
}

/* Those that look beyond their topic. */
static bool kind_is_wide(const struct kind *kind)
{
    return kind->phase_counts[PHASE_CATEGORY] + kind->phase_counts[PHASE_ANY_LEVEL] > 0;
}

/* A kind is on the wide lists while it holds a ticket of a wide phase. */
static void kind_set_wide(struct kind *kind, bool was_wide)
{
    bool is_wide = kind_is_wide(kind);
    for (int i = 0; i < 2 && kind->places[i].topic && was_wide != is_wide; i++) {
        struct kind_place *place = &kind->places[i];
        if (is_wide)
            list_add_tail(&place->topic->space->categories[kind->key.category].wide, &place->in_wide);
        else
            list_remove(&place->in_wide);
    }
}

/* --- slots --- */

static uint64_t slot_hash(const struct kind *kind, int64_t number)
{
    return hash_bytes(hash_bytes(HASH_SEED, &kind, sizeof kind), &number, sizeof number);
}

static struct slot *slot_find(const struct index *x, const struct kind *kind, int64_t number)
{
    uint64_t hash = slot_hash(kind, number);
    HASH_EACH(n, &x->slots, hash)
    {
        struct slot *slot = container_of(n, struct slot, node);
        if (slot->kind == kind && slot->number == number)
            return slot;
    }
    return NULL;
}

const struct slot *index_slot(const struct index *x, const struct kind *kind, int64_t number)
{
    return slot_find(x, kind, number);
}

static struct slot *slot_get(struct index *x, const struct kind *kind, int64_t number)
{
    struct slot *slot = slot_find(x, kind, number);
    if (slot)
        return slot;
    slot = allocate(sizeof *slot);
    slot->kind = kind;
    slot->number = number;
    list_init(&slot->tickets);
    hash_put(&x->slots, &slot->node, slot_hash(kind, number));
    return slot;
}

static void slot_drop_if_empty(struct index *x, struct slot *slot)
{
    if (!list_is_empty(&slot->tickets))
        return;
    hash_remove(&x->slots, &slot->node);
    free(slot);
}

/* --- tickets --- */

static int compare_past(const void *a, const void *b)
{
    const struct match_past_partner *x = a, *y = b;
    int users = uuid_cmp(&x->user_id, &y->user_id);
    if (users)
        return users;
    return (x->last_spoke_at_ms < y->last_spoke_at_ms) - (x->last_spoke_at_ms > y->last_spoke_at_ms);
}

struct ticket *ticket_new(struct index *x, const struct match_request *r)
{
    size_t past_count = r->history_is_known ? r->history_count : 0;
    struct ticket *t =
        allocate(sizeof *t + past_count * sizeof *t->past + r->excluded_count * sizeof *t->excluded);
    t->by_id.key = r->id; /* its place in a slot depends on it */
    t->user_id = r->user_id;
    t->wait_start_ms = match_wait_start_ms(r);
    t->expires_at_ms = r->expires_at_ms;
    t->phase = PHASE_NONE;
    t->is_scheduled = r->scheduled_for_ms != 0;
    t->past_count = (uint32_t)past_count;
    t->excluded_count = (uint32_t)r->excluded_count;
    t->excluded = (struct uuid *)&t->past[past_count];
    if (past_count) {
        memcpy(t->past, r->history, past_count * sizeof *t->past);
        qsort(t->past, past_count, sizeof *t->past, compare_past);
    }
    if (r->excluded_count) {
        memcpy(t->excluded, r->excluded, r->excluded_count * sizeof *t->excluded);
        qsort(t->excluded, r->excluded_count, sizeof *t->excluded, uuid_order);
    }
    for (size_t i = 0; i < past_count; i++)
        t->known_bits |= ticket_bit_of(&t->past[i].user_id);
    for (size_t i = 0; i < r->excluded_count; i++)
        t->known_bits |= ticket_bit_of(&t->excluded[i]);
    t->kind = kind_get(x, r);
    t->kind->ticket_count++;
    ticket_space(t)->ticket_count++;
    ticket_set_phase(x, t, PHASE_ASLEEP);
    return t;
}

/* In the list by wait start and id. Tickets come to a phase in about that order, so the place is near the
 * end. */
static void insert_by_wait(struct list *head, struct ticket *t)
{
    struct list *after = head->prev;
    while (after != head && ticket_is_before(t, container_of(after, struct ticket, in_kind)))
        after = after->prev;
    list_add_tail(after->next, &t->in_kind);
}

static void enter_slot(struct index *x, struct ticket *t)
{
    insert_by_wait(&slot_get(x, t->kind, ticket_slot_number(t))->tickets, t);
    t->kind->ahead_count++;
    ticket_space(t)->ahead_count++;
}

static void leave_slot(struct index *x, struct ticket *t)
{
    list_remove(&t->in_kind);
    t->kind->ahead_count--;
    ticket_space(t)->ahead_count--;
    slot_drop_if_empty(x, slot_find(x, t->kind, ticket_slot_number(t)));
}

static void enter_phase(struct ticket *t)
{
    insert_by_wait(&t->kind->tickets[t->phase], t);
    t->kind->phase_counts[t->phase]++;
    ticket_space(t)->awake_count++;
}

static void leave_phase(struct ticket *t)
{
    list_remove(&t->in_kind);
    t->kind->phase_counts[t->phase]--;
    ticket_space(t)->awake_count--;
}

void ticket_set_phase(struct index *x, struct ticket *t, unsigned phase)
{
    if (t->phase == phase)
        return;
    bool was_wide = kind_is_wide(t->kind);
    if (t->phase < PHASE_COUNT)
        leave_phase(t);
    else if (t->phase == PHASE_ASLEEP && t->is_scheduled)
        leave_slot(x, t);
    t->phase = (uint8_t)phase;
    if (phase < PHASE_COUNT)
        enter_phase(t);
    else if (phase == PHASE_ASLEEP && t->is_scheduled)
        enter_slot(x, t);
    kind_set_wide(t->kind, was_wide);
}

void ticket_free(struct index *x, struct ticket *t)
{
    ticket_set_phase(x, t, PHASE_NONE);
    ticket_space(t)->ticket_count--;
    t->kind->ticket_count--;
    kind_drop_if_empty(x, t->kind);
    free(t);
}

/* --- the index --- */

void index_init(struct index *x, const struct pairing_rules *rules)
{
    *x = (struct index){.rules = *rules};
    list_init(&x->all_spaces);
}

void index_done(struct index *x)
{
    assert(list_is_empty(&x->all_spaces));
    free(x->spaces.buckets);
    free(x->topics.buckets);
    free(x->kinds.buckets);
    free(x->slots.buckets);
}
