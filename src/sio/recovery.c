/* The store in this process's memory. Packets cost memory only as long as they may be missed: those of a live
 * socket are freed when it was sent nothing for a while, so thousands of quiet ones hold nothing. */
#include "recovery.h"

#include <assert.h>
#include <stdlib.h>

#include "conversation/base/clock.h"
#include "conversation/base/json_scan.h"
#include "conversation/rt/timer.h"
#include "recovery_bytes.h"
#include "recovery_share.h"

/* How long a socket that is connected, and sent nothing, can be recovered by another process. */
#define QUIET_KEEP_MS 3600000
/* A client may know of newer packets than the process that died had shared: so many at most. */
#define AHEAD_MAX 256

struct recovery {
    struct sio_recovery bounds;
    int64_t packet_age_ms;
    struct map by_pid; /* all */
    struct map owners; /* struct owner */
    struct list used;  /* the live ones that hold packets, in the order of look_at_ms */
    struct list lost;  /* longest lost first */
    struct timer used_timer, lost_timer;
    size_t used_count, lost_count, lost_bytes;
    struct share *share; /* NULL: none */
    void (*moved)(void *arg, uint64_t socket_id);
    void *moved_arg;
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
    if (bounds->share)
        store->share = share_new(store, &store->bounds);
    return store;
}

struct share *recovery_share(struct recovery *store)
{
    return store->share;
}

void recovery_on_moved(struct recovery *store, void (*moved)(void *arg, uint64_t socket_id), void *arg)
{
    store->moved = moved;
    store->moved_arg = arg;
}

/* --- states --- */

static struct recovery_state *state_new(struct recovery *store, const struct uuid *pid, struct str sid,
                                        struct str prefix)
{
    struct recovery_state *state = calloc(1, sizeof *state + prefix.n);
    if (!state)
        abort();
    state->prefix_bytes = (uint8_t)prefix.n;
    memcpy(state->prefix, prefix.p, prefix.n);
    memcpy(state->sid, sid.p, SID_LENGTH);
    sent_ring_init(&state->sent);
    map_put(&store->by_pid, pid, &state->node);
    return state;
}

struct recovery_state *recovery_new_state(struct recovery *store, uint64_t socket_id, const char *sid,
                                          struct str prefix)
{
    char pid[SID_LENGTH + 1];
    struct uuid key = sid_random(pid);
    struct recovery_state *state = state_new(store, &key, (struct str){sid, SID_LENGTH}, prefix);
    state->socket_id = socket_id;
    return state;
}

static void changed_all(struct recovery *store, struct recovery_state *state)
{
    if (store->share)
        share_changed_all(store->share, state);
}

void recovery_set_note(struct recovery *store, struct recovery_state *state, struct str note)
{
    assert(note.n <= SIO_NOTE_MAX);
    memcpy(state->note, note.p, note.n);
    state->note_bytes = (uint8_t)note.n;
    changed_all(store, state);
}

void recovery_set_owner(struct recovery *store, struct recovery_state *state, const struct uuid *owner)
{
    state->owner = *owner;
    changed_all(store, state);
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
            changed_all(store, state);
        }
    }
    if (state)
        timer_start(&store->used_timer, state->look_at_ms - now, on_used_timer);
}

void recovery_drop(struct recovery *store, struct recovery_state *state)
{
    assert(state->socket_id);
    unuse(store, state);
    if (store->share)
        share_forget(store->share, state, false);
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

/* `is_expired`: the shared store forgets it by itself. */
static void forget(struct recovery *store, struct recovery_state *state, bool is_expired)
{
    unlose(store, state);
    if (store->share)
        share_forget(store->share, state, is_expired);
    state_free(store, state);
}

static void keep_bounds(struct recovery *store)
{
    while (store->lost_bytes > store->bounds.total_bytes)
        forget(store, first_of(&store->lost), false);
}

static void on_lost_timer(struct timer *t)
{
    struct recovery *store = container_of(t, struct recovery, lost_timer);
    struct recovery_state *state;
    int64_t now = clock_mono_ms(), max_age_ms = store->bounds.max_age_ms;
    while ((state = first_of(&store->lost)) && state->last_ms + max_age_ms <= now)
        forget(store, state, true);
    if (state)
        timer_start(t, state->last_ms + max_age_ms - now, on_lost_timer);
}

static void lose(struct recovery *store, struct recovery_state *state)
{
    state->socket_id = 0;
    state->last_ms = clock_mono_ms();
    list_add_tail(&store->lost, &state->link);
    store->lost_bytes += bytes_of(state);
    store->lost_count++;
    enlist(store, state);
    if (!timer_is_running(&store->lost_timer))
        timer_start(&store->lost_timer, store->bounds.max_age_ms, on_lost_timer);
    if (store->share && state->sent.next > 1) /* it is kept for another time now */
        share_changed(store->share, state);
    keep_bounds(store);
}

void recovery_keep(struct recovery *store, struct recovery_state *state)
{
    assert(state->socket_id);
    unuse(store, state);
    sent_ring_shrink(&state->sent);
    lose(store, state);
}

void recovery_take(struct recovery *store, struct recovery_state *state, uint64_t socket_id, uint64_t offset)
{
    assert(!state->socket_id);
    unlose(store, state);
    state->socket_id = socket_id;
    state->last_ms = clock_mono_ms();
    state->is_from_elsewhere = false;
    if (offset >= state->sent.next)
        sent_ring_skip(&state->sent, offset + 1);
    if (state->sent.n)
        look_later(store, state);
    if (store->share)
        share_changed(store->share, state);
    changed_all(store, state);
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
    if (store->share)
        share_changed(store->share, state);
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

struct recovery_state *recovery_by_pid(const struct recovery *store, const struct uuid *pid)
{
    struct map_node *node = map_get(&store->by_pid, pid);
    return node ? container_of(node, struct recovery_state, node) : NULL;
}

/* The client of a process that died may have got what that had no time to share. */
static bool reaches(const struct recovery_state *state, uint64_t offset)
{
    if (state->is_from_elsewhere && offset >= state->sent.next)
        return offset - state->sent.next < AHEAD_MAX;
    return sent_ring_reaches(&state->sent, offset);
}

struct recovery_state *recovery_find(struct recovery *store, const struct recovery_claim *claim,
                                     struct str prefix)
{
    struct recovery_state *state = recovery_by_pid(store, &claim->pid);
    if (!state || !str_eq((struct str){state->prefix, state->prefix_bytes}, prefix) ||
        !reaches(state, claim->offset))
        return NULL;
    return state;
}

/* --- with other processes --- */

struct visit {
    void (*visit)(struct recovery_state *state, void *arg);
    void *arg;
};

static void visit_node(struct map_node *node, void *arg)
{
    const struct visit *v = arg;
    v->visit(container_of(node, struct recovery_state, node), v->arg);
}

void recovery_each(struct recovery *store, void (*visit)(struct recovery_state *state, void *arg), void *arg)
{
    struct visit v = {visit, arg};
    map_each(&store->by_pid, visit_node, &v);
}

bool recovery_import(struct recovery *store, const struct uuid *pid, struct str bytes)
{
    struct recovery_head head;
    struct sent_ring sent;
    assert(!recovery_by_pid(store, pid));
    sent_ring_init(&sent);
    if (!recovery_bytes_read(&bytes, &head) ||
        !sent_ring_restore(&sent, head.first, bytes, store->bounds.socket_bytes, clock_mono_ms()))
        return false;
    struct recovery_state *state = state_new(store, pid, head.sid, head.prefix);
    memcpy(state->note, head.note.p, head.note.n);
    state->note_bytes = (uint8_t)head.note.n;
    state->owner = head.owner;
    state->sent = sent;
    state->is_from_elsewhere = true;
    lose(store, state);
    return true;
}

void recovery_moved(struct recovery *store, struct recovery_state *state)
{
    share_forget(store->share, state, true);
    if (state->socket_id)
        store->moved(store->moved_arg, state->socket_id);
    else
        forget(store, state, true);
}

int64_t recovery_keep_ms(const struct recovery *store, const struct recovery_state *state)
{
    if (state->socket_id)
        return QUIET_KEEP_MS;
    int64_t left_ms = state->last_ms + store->bounds.max_age_ms - clock_mono_ms();
    return left_ms > 0 ? left_ms : 1;
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
        forget(store, state, true);
    share_free(store->share);
    timer_stop(&store->used_timer);
    timer_stop(&store->lost_timer);
    assert(store->by_pid.count == 0);
    map_done(&store->by_pid);
    map_done(&store->owners);
    free(store);
}
