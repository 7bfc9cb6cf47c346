/* The store in this process's memory. Packets cost memory only as long as they may be missed: those of a live
 * socket are freed when it was sent nothing for a while, so thousands of quiet ones hold nothing. */
#include "recovery.h"

#include <assert.h>
#include <stdlib.h>

#include "conversation/base/clock.h"
#include "conversation/base/json_scan.h"
#include "conversation/rt/timer.h"

struct recovery {
    struct sio_recovery bounds;
    int64_t packet_age_ms;
    struct map by_pid; /* all */
    struct map owners; /* struct owner */
    struct list used;  /* the live ones that hold packets, in the order of look_at_ms */
    struct list lost;  /* longest lost first */
    struct timer used_timer, lost_timer;
    size_t used_count, lost_count, lost_bytes;
};

/* Somebody who has lost sockets. */
struct owner {
    struct map_node node;
    struct list states;
};

struct recovery *recovery_new(const struct sio_recovery *bounds, int64_t notice_ms)
{
    struct recovery *store = calloc(1, sizeof *store);
    if (!store)
        abort();
    store->bounds = *bounds;
    store->packet_age_ms = bounds->max_age_ms + notice_ms;
    list_init(&store->used);
    list_init(&store->lost);
    return store;
}

/* --- states --- */

struct recovery_state *recovery_new_state(struct recovery *store, uint64_t socket_id, const char *sid,
                                          struct str prefix)
{
    struct recovery_state *state = calloc(1, sizeof *state + prefix.n);
    char pid[SID_LENGTH + 1];
    if (!state)
        abort();
    state->socket_id = socket_id;
    state->prefix_bytes = (uint8_t)prefix.n;
    memcpy(state->prefix, prefix.p, prefix.n);
    memcpy(state->sid, sid, sizeof state->sid);
    sent_ring_init(&state->sent);
    struct uuid key = sid_random(pid);
    map_put(&store->by_pid, &key, &state->node);
    return state;
}

void recovery_set_note(struct recovery_state *state, struct str note)
{
    assert(note.n <= SIO_NOTE_MAX);
    memcpy(state->note, note.p, note.n);
    state->note_bytes = (uint8_t)note.n;
}

static void state_free(struct recovery *store, struct recovery_state *state)
{
    map_remove(&store->by_pid, &state->node.key);
    sent_ring_done(&state->sent);
    free(state);
}

/* --- packets of live sockets --- */

static struct recovery_state *first_of(struct list *states)
{
    return list_is_empty(states) ? NULL : LIST_FIRST(states, struct recovery_state, link);
}

static void on_used_timer(struct timer *t);

static void unuse(struct recovery *store, struct recovery_state *state)
{
    store->used_count -= list_is_linked(&state->link);
    list_remove(&state->link);
}

/* A state is looked at once in the age of a packet, however many it is sent: sending moves it nowhere. */
static void look_later(struct recovery *store, struct recovery_state *state)
{
    unuse(store, state);
    store->used_count++;
    state->look_at_ms = clock_mono_ms() + store->packet_age_ms;
    list_add_tail(&store->used, &state->link);
    if (!timer_is_running(&store->used_timer))
        timer_start(&store->used_timer, store->packet_age_ms, on_used_timer);
}

static void on_used_timer(struct timer *t)
{
    struct recovery *store = container_of(t, struct recovery, used_timer);
    int64_t now = clock_mono_ms();
    struct recovery_state *state;
    while ((state = first_of(&store->used)) && state->look_at_ms <= now) {
        if (state->last_ms + store->packet_age_ms > now) {
            look_later(store, state);
        } else {
            unuse(store, state);
            sent_ring_done(&state->sent);
        }
    }
    if (state)
        timer_start(&store->used_timer, state->look_at_ms - now, on_used_timer);
}

void recovery_drop(struct recovery *store, struct recovery_state *state)
{
    assert(state->socket_id);
    unuse(store, state);
    state_free(store, state);
}

/* --- lost sockets --- */

static size_t bytes_of(const struct recovery_state *state)
{
    return sizeof *state + state->prefix_bytes + state->sent.cap;
}

static struct owner *owner_of(struct recovery *store, const struct uuid *id)
{
    struct map_node *node = map_get(&store->owners, id);
    return node ? container_of(node, struct owner, node) : NULL;
}

static void enlist(struct recovery *store, struct recovery_state *state)
{
    if (uuid_is_nil(&state->owner))
        return;
    struct owner *owner = owner_of(store, &state->owner);
    if (!owner) {
        owner = calloc(1, sizeof *owner);
        if (!owner)
            abort();
        list_init(&owner->states);
        map_put(&store->owners, &state->owner, &owner->node);
    }
    list_add_tail(&owner->states, &state->of_owner);
}

static void delist(struct recovery *store, struct recovery_state *state)
{
    struct owner *owner = owner_of(store, &state->owner);
    if (!owner)
        return;
    list_remove(&state->of_owner);
    if (list_is_empty(&owner->states)) {
        map_remove(&store->owners, &state->owner);
        free(owner);
    }
}

static void unlose(struct recovery *store, struct recovery_state *state)
{
    delist(store, state);
    list_remove(&state->link);
    store->lost_bytes -= bytes_of(state);
    store->lost_count--;
}

static void forget(struct recovery *store, struct recovery_state *state)
{
    unlose(store, state);
    state_free(store, state);
}

static void keep_bounds(struct recovery *store)
{
    while (store->lost_bytes > store->bounds.total_bytes)
        forget(store, first_of(&store->lost));
}

static void on_lost_timer(struct timer *t)
{
    struct recovery *store = container_of(t, struct recovery, lost_timer);
    struct recovery_state *state;
    int64_t now = clock_mono_ms(), max_age_ms = store->bounds.max_age_ms;
    while ((state = first_of(&store->lost)) && state->last_ms + max_age_ms <= now)
        forget(store, state);
    if (state)
        timer_start(t, state->last_ms + max_age_ms - now, on_lost_timer);
}

void recovery_keep(struct recovery *store, struct recovery_state *state)
{
    assert(state->socket_id);
    unuse(store, state);
    sent_ring_shrink(&state->sent);
    state->socket_id = 0;
    state->last_ms = clock_mono_ms();
    list_add_tail(&store->lost, &state->link);
    store->lost_bytes += bytes_of(state);
    store->lost_count++;
    enlist(store, state);
    if (!timer_is_running(&store->lost_timer))
        timer_start(&store->lost_timer, store->bounds.max_age_ms, on_lost_timer);
    keep_bounds(store);
}

void recovery_take(struct recovery *store, struct recovery_state *state, uint64_t socket_id)
{
    assert(!state->socket_id);
    unlose(store, state);
    state->socket_id = socket_id;
    state->last_ms = clock_mono_ms();
    if (state->sent.n)
        look_later(store, state);
}

void recovery_each_lost(struct recovery *store, const struct uuid *id,
                        void (*visit)(struct recovery_state *state, void *arg), void *arg)
{
    struct owner *owner = owner_of(store, id);
    if (!owner)
        return;
    LIST_EACH (n, &owner->states)
        visit(container_of(n, struct recovery_state, of_owner), arg);
    keep_bounds(store);
}

/* --- both --- */

/* How much one socket may hold: the live ones that hold something share total_bytes. A power of two, so that
 * it seldom changes. */
static size_t room(const struct recovery *store)
{
    size_t sharers = store->used_count + 1;
    if (store->bounds.socket_bytes <= SIZE_MAX / sharers &&
        store->bounds.socket_bytes * sharers <= store->bounds.total_bytes)
        return store->bounds.socket_bytes;
    size_t share = store->bounds.total_bytes / sharers;
    return share ? (size_t)1 << (63 - __builtin_clzll(share)) : 0;
}

void recovery_add(struct recovery *store, struct recovery_state *state, const struct sent_packet *packet)
{
    int64_t now = clock_mono_ms();
    const struct sent_bounds bounds = {room(store), now - store->packet_age_ms};
    size_t cap = state->sent.cap;
    sent_ring_add(&state->sent, &bounds, now, packet);
    if (!state->socket_id) {
        store->lost_bytes += state->sent.cap - cap;
        return;
    }
    state->last_ms = now;
    if (!list_is_linked(&state->link) && state->sent.n)
        look_later(store, state);
}

/* --- claims --- */

/* A string member without escapes: a pid and an offset have none. */
static struct str plain_string(struct str object, const char *name)
{
    struct str value;
    enum json_type type;
    if (!json_member(object, name, &value, &type) || type != SCAN_STRING)
        return (struct str){NULL, 0};
    return json_inside(value);
}

bool recovery_read_claim(struct str auth, struct recovery_claim *claim)
{
    int64_t offset;
    if (!auth.p || !sid_parse(plain_string(auth, "pid"), &claim->pid) ||
        !str_to_int(plain_string(auth, "offset"), 1, INT64_MAX, &offset))
        return false;
    claim->offset = (uint64_t)offset;
    return true;
}

struct recovery_state *recovery_find(struct recovery *store, const struct recovery_claim *claim,
                                     struct str prefix)
{
    struct map_node *node = map_get(&store->by_pid, &claim->pid);
    struct recovery_state *state = node ? container_of(node, struct recovery_state, node) : NULL;
    if (!state || !str_eq((struct str){state->prefix, state->prefix_bytes}, prefix) ||
        !sent_ring_reaches(&state->sent, claim->offset))
        return NULL;
    return state;
}

/* --- the end --- */

struct recovery_count recovery_count(const struct recovery *store)
{
    struct recovery_count count = {store->by_pid.count, store->lost_count, store->lost_bytes, 0};
    LIST_EACH (n, &store->used)
        count.held_bytes += container_of(n, struct recovery_state, link)->sent.cap;
    return count;
}

void recovery_free(struct recovery *store)
{
    struct recovery_state *state;
    if (!store)
        return;
    while ((state = first_of(&store->lost)))
        forget(store, state);
    timer_stop(&store->used_timer);
    timer_stop(&store->lost_timer);
    assert(store->by_pid.count == 0);
    map_done(&store->by_pid);
    map_done(&store->owners);
    free(store);
}
