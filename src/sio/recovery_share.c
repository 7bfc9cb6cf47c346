#include "recovery_share.h"

#include <assert.h>
#include <stdlib.h>

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/shared_store.h"
#include "conversation/rt/loop.h"
#include "conversation/rt/timer.h"
#include "recovery_bytes.h"

/* Batches follow each other this far apart, on average; after a pause so many ms of them at once. The fuller
 * one is, the longer the next may wait, as each then writes more of what a socket was sent: but not so long
 * that what waits now is not all written within a second. */
#define GAP_MS      20
#define FULL_GAP_MS 100
#define ALL_MS      1000
#define BURST_MS    500
#define RETRY_MS    1000 /* after one that failed */
#define BATCH_MAX   256
#define BATCH_BYTES 65536 /* a batch is not made longer once it has so many */

/* A key that is to go from the store. */
struct removal {
    struct list link;
    struct uuid key;
};

/* What becomes of a state when its write is under way. */
struct plan {
    struct recovery_state *state;
    uint32_t saved_bytes;
    bool is_bare;
};

struct share {
    const struct shared_store *store;
    struct recovery *states;
    const struct sio_recovery *bounds;
    struct list unsaved; /* struct recovery_state, longest waiting first */
    size_t unsaved_count;
    struct list removals; /* struct removal */
    size_t saved_bytes;   /* of all states */
    size_t planned_bytes; /* and with the batch that is being made */
    bool is_away, is_writing;
    int64_t next_ms; /* clock_mono_ms: when all batches there were would be due, GAP_MS apart */
    struct timer timer;
    struct loop_task at_turn_end;
    size_t count; /* of the batch that is being written */
    struct uuid keys[BATCH_MAX];
    struct shared_write writes[BATCH_MAX]; /* these three: of the batch that is being made */
    struct plan plans[BATCH_MAX];
    char heads[BATCH_MAX][RECOVERY_HEAD_MAX];
};

static void write_batch(struct share *share);

/* --- when --- */

static void on_turn_end(struct loop_task *t)
{
    write_batch(container_of(t, struct share, at_turn_end));
}

static void on_timer(struct timer *t)
{
    write_batch(container_of(t, struct share, timer));
}

static bool is_empty(const struct share *share)
{
    return list_is_empty(&share->unsaved) && list_is_empty(&share->removals);
}

static void arm(struct share *share)
{
    if (share->is_away || share->is_writing || is_empty(share) || timer_is_running(&share->timer) ||
        list_is_linked(&share->at_turn_end.link))
        return;
    int64_t wait_ms = share->next_ms - BURST_MS - clock_mono_ms();
    if (wait_ms > 0)
        timer_start(&share->timer, wait_ms, on_timer);
    else
        loop_defer(&share->at_turn_end);
}

void share_enlist(struct share *share, struct recovery_state *state)
{
    list_add_tail(&share->unsaved, &state->unsaved);
    share->unsaved_count++;
    arm(share);
}

static void delist(struct share *share, struct recovery_state *state)
{
    share->unsaved_count -= list_is_linked(&state->unsaved);
    list_remove(&state->unsaved);
}

void share_changed_all(struct share *share, struct recovery_state *state)
{
    if (!state->saved_bytes)
        return;
    state->must_put = true;
    share_changed(share, state);
}

bool share_has_unsaved(const struct share *share)
{
    return !share->is_away && (share->is_writing || !is_empty(share));
}

/* --- what --- */

static void set_saved(struct share *share, struct recovery_state *state, uint32_t bytes)
{
    share->saved_bytes += bytes;
    share->saved_bytes -= state->saved_bytes;
    state->saved_bytes = bytes;
}

/* Packets that are in the store already stay there, for who claims the ones after them, as long as there is
 * room for them. Who has lost its connection may claim all that the ring holds. */
static bool can_append(const struct share *share, const struct recovery_state *state, uint64_t more)
{
    bool is_short = state->is_saved_bare && !state->socket_id;
    return state->saved_bytes && !state->must_put && !is_short && more <= state->sent.n &&
           state->saved_bytes + more <= 2 * share->bounds->socket_bytes + RECOVERY_HEAD_MAX &&
           share->planned_bytes + more <= share->bounds->shared_bytes;
}

/* A client that is sent more than a ring holds between two copies has got what the next one would hold when
 * its instance dies, or has missed more. */
static bool is_turned_over(const struct recovery_state *state, uint64_t more)
{
    return state->socket_id && state->saved_bytes && more > state->sent.n;
}

/* Then, and over the bound of all, the head alone: who has missed nothing can still recover. */
static void plan_put(struct share *share, size_t at, struct recovery_state *state, uint64_t more)
{
    struct shared_write *w = &share->writes[at];
    const struct sent_ring *ring = &state->sent;
    bool fits = share->planned_bytes - state->saved_bytes + ring->n <= share->bounds->shared_bytes;
    bool is_bare = !fits || is_turned_over(state, more);
    size_t n = recovery_bytes_head(state, is_bare ? ring->next : ring->first, share->heads[at]);
    w->kind = SHARED_PUT;
    w->parts[0] = (struct str){share->heads[at], n};
    if (!is_bare)
        sent_ring_newest(ring, ring->n, w->parts + 1);
    share->plans[at].saved_bytes = (uint32_t)(n + (is_bare ? 0 : ring->n));
    share->plans[at].is_bare = is_bare;
}

static void plan_append(struct share *share, size_t at, struct recovery_state *state, size_t more)
{
    struct shared_write *w = &share->writes[at];
    w->kind = SHARED_APPEND;
    sent_ring_newest(&state->sent, more, w->parts);
    share->plans[at].saved_bytes = state->saved_bytes + (uint32_t)more;
    share->plans[at].is_bare = state->is_saved_bare;
}

/* Returns how many bytes that makes. */
static size_t plan(struct share *share, size_t at, struct recovery_state *state)
{
    struct shared_write *w = &share->writes[at];
    uint64_t more = state->sent.added - state->saved_added;
    *w = (struct shared_write){.key = state->node.key, .keep_ms = recovery_keep_ms(share->states, state)};
    share->plans[at].state = state;
    if (can_append(share, state, more))
        plan_append(share, at, state, (size_t)more);
    else
        plan_put(share, at, state, more);
    share->planned_bytes += share->plans[at].saved_bytes;
    share->planned_bytes -= state->saved_bytes;
    return w->parts[0].n + w->parts[1].n + w->parts[2].n;
}

/* The batch is under way: what it holds is saved until we hear otherwise. */
static void settle(struct share *share, size_t state_count)
{
    for (size_t i = 0; i < share->count; i++)
        share->keys[i] = share->writes[i].key;
    for (size_t i = 0; i < state_count; i++) {
        struct recovery_state *state = share->plans[i].state;
        delist(share, state);
        set_saved(share, state, share->plans[i].saved_bytes);
        state->saved_added = state->sent.added;
        state->is_saved_bare = share->plans[i].is_bare;
        state->must_put = false;
    }
    for (size_t i = state_count; i < share->count; i++) {
        struct removal *removal = LIST_FIRST(&share->removals, struct removal, link);
        list_remove(&removal->link);
        free(removal);
    }
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* After a batch of so many states and bytes. */
static int64_t gap_ms(const struct share *share, size_t count, size_t bytes)
{
    if (count == 0)
        return GAP_MS;
    size_t longest_ms = smaller(FULL_GAP_MS, ALL_MS * count / share->unsaved_count);
    size_t by_count_ms = longest_ms * count / BATCH_MAX;
    size_t by_bytes_ms = longest_ms * smaller(bytes, BATCH_BYTES) / BATCH_BYTES;
    size_t ms = by_count_ms > by_bytes_ms ? by_count_ms : by_bytes_ms;
    return ms > GAP_MS ? (int64_t)ms : GAP_MS;
}

/* *gap: until the next one. */
static size_t plan_states(struct share *share, int64_t *gap)
{
    size_t count = 0, bytes = 0;
    share->planned_bytes = share->saved_bytes;
    LIST_EACH (n, &share->unsaved) {
        if (count == BATCH_MAX || bytes >= BATCH_BYTES)
            break;
        bytes += plan(share, count++, container_of(n, struct recovery_state, unsaved));
    }
    *gap = gap_ms(share, count, bytes);
    return count;
}

static void on_written(void *arg, const uint8_t *results);

static void write_batch(struct share *share)
{
    int64_t gap;
    size_t state_count = plan_states(share, &gap);
    share->count = state_count;
    LIST_EACH (n, &share->removals) {
        if (share->count == BATCH_MAX)
            break;
        share->writes[share->count++] =
            (struct shared_write){.kind = SHARED_REMOVE, .key = container_of(n, struct removal, link)->key};
    }
    if (share->count == 0)
        return;
    int64_t now = clock_mono_ms();
    share->next_ms = (share->next_ms > now ? share->next_ms : now) + gap;
    share->is_away = !share->store->write(share->writes, share->count, on_written, share);
    if (share->is_away)
        return; /* until it is back */
    share->is_writing = true;
    settle(share, state_count);
}

/* --- what became of it --- */

/* Nothing of it is in the store, or we do not know what. */
static void save_anew(struct share *share, struct recovery_state *state)
{
    set_saved(share, state, 0);
    share_changed(share, state);
}

static void written(struct share *share, struct recovery_state *state, enum shared_written result)
{
    if (result == SHARED_MOVED || (result == SHARED_ABSENT && state->is_doubted))
        recovery_moved(share->states, state);
    else if (result == SHARED_ABSENT)
        save_anew(share, state);
    else
        state->is_doubted = false;
}

static void on_written(void *arg, const uint8_t *results)
{
    struct share *share = arg;
    if (!results)
        share->next_ms = clock_mono_ms() + BURST_MS + RETRY_MS;
    for (size_t i = 0; i < share->count; i++) {
        struct recovery_state *state = recovery_by_pid(share->states, &share->keys[i]);
        if (state && results)
            written(share, state, (enum shared_written)results[i]);
        else if (state)
            save_anew(share, state);
    }
    share->is_writing = false;
    arm(share);
}

static void save_all_of(struct recovery_state *state, void *arg)
{
    if (state->sent.next > 1)
        save_anew(arg, state);
}

static void on_back(void *arg)
{
    struct share *share = arg;
    share->is_away = false;
    recovery_each(share->states, save_all_of, share);
    arm(share);
}

static void on_doubt(void *arg, const struct uuid *key)
{
    struct share *share = arg;
    struct recovery_state *state = recovery_by_pid(share->states, key);
    if (!state || !state->saved_bytes)
        return;
    state->is_doubted = true;
    share_changed(share, state);
}

void share_forget(struct share *share, struct recovery_state *state, bool is_expired)
{
    delist(share, state);
    if (state->saved_bytes && !is_expired) {
        struct removal *removal = calloc(1, sizeof *removal);
        if (!removal)
            abort();
        removal->key = state->node.key;
        list_add_tail(&share->removals, &removal->link);
        arm(share);
    }
    set_saved(share, state, 0);
}

/* --- claims --- */

struct take {
    struct share *share;
    struct uuid pid;
    void (*done)(void *arg);
    void *arg;
};

static void forget_ours(struct share *share, const struct uuid *pid)
{
    struct recovery_state *state = recovery_by_pid(share->states, pid);
    if (state)
        recovery_moved(share->states, state);
}

static void on_taken(void *arg, enum shared_taken what, struct str bytes)
{
    struct take *t = arg;
    switch (what) {
    case SHARED_TAKEN:
        forget_ours(t->share, &t->pid);
        if (!recovery_import(t->share->states, &t->pid, bytes))
            LOG(LOG_WARN, "recovery.unreadable", LOG_INT("bytes", (int64_t)bytes.n));
        break;
    case SHARED_ANOTHER: forget_ours(t->share, &t->pid); break;
    case SHARED_OURS:
    case SHARED_NONE:
    case SHARED_UNKNOWN: break; /* what is here, if it is, counts */
    }
    t->done(t->arg);
    free(t);
}

bool share_take(struct share *share, const struct uuid *pid, void (*done)(void *arg), void *arg)
{
    struct take *t = malloc(sizeof *t);
    if (!t)
        abort();
    *t = (struct take){share, *pid, done, arg};
    bool is_asked = share->store->take(pid, on_taken, t);
    if (!is_asked)
        free(t);
    return is_asked;
}

/* --- life --- */

struct share *share_new(struct recovery *states, const struct sio_recovery *bounds)
{
    struct share *share = calloc(1, sizeof *share);
    if (!share)
        abort();
    share->store = bounds->share;
    share->states = states;
    share->bounds = bounds;
    share->at_turn_end.run = on_turn_end;
    list_init(&share->unsaved);
    list_init(&share->removals);
    share->store->listen(&(struct shared_listener){on_back, on_doubt, share});
    return share;
}

void share_free(struct share *share)
{
    if (!share)
        return;
    assert(list_is_empty(&share->unsaved));
    share->store->listen(NULL);
    timer_stop(&share->timer);
    loop_undefer(&share->at_turn_end);
    while (!list_is_empty(&share->removals)) {
        struct removal *removal = LIST_FIRST(&share->removals, struct removal, link);
        list_remove(&removal->link);
        free(removal);
    }
    free(share);
}
