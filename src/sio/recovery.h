/* What clients need to go on after they lost their connection (Socket.IO's connection-state recovery): for
 * each socket its ids, the application's note and the packets it was sent. All of it belongs to the store,
 * which finds it by its `pid`, a secret of client and server:
 *
 *   recovery_new_state ──> live ── recovery_keep ──> lost ── too old, or over the bounds ──> forgotten
 *                           ^ └─ recovery_drop ─┐     │
 *                           └── recovery_take ──│─────┘
 *                                               └──> forgotten
 *
 * With a store that several processes share, what other processes need to know of the states is there, too,
 * as bytes (recovery_bytes.h) under their pids: see recovery_share.h. A state that another process took there
 * is forgotten here, and its socket, if it still lives, closed; one that was taken from another process lies
 * among the lost ones until its socket is accepted. */
#ifndef SIO_RECOVERY_H
#define SIO_RECOVERY_H

#include "conversation/base/list.h"
#include "conversation/base/map.h"
#include "conversation/sio/sio.h"
#include "sent_ring.h"
#include "sid.h"

struct recovery;
struct share;

/* What a packet to the client touches stands first. */
struct recovery_state {
    struct sent_ring sent;
    int64_t last_ms;        /* live: of the last packet; lost: of the loss */
    uint64_t socket_id;     /* 0: lost */
    struct list link;       /* live and holding packets, or lost: see struct recovery */
    int64_t look_at_ms;     /* live and holding packets: when to see whether they are too old */
    struct map_node node;   /* by pid */
    struct list of_owner;   /* lost, and somebody's */
    struct uuid owner;      /* all zero: nobody's */
    struct list unsaved;    /* in the share's list: something of it is not in the shared store yet */
    uint64_t saved_added;   /* sent.added at the last write */
    uint32_t saved_bytes;   /* in the shared store, as far as we know; 0: it holds nothing of this state */
    bool must_put;          /* more has changed than packets were added */
    bool is_saved_bare;     /* the shared store has not all that was in the ring when it was put there */
    bool is_doubted;        /* somebody else may have taken it */
    bool is_from_elsewhere; /* it was another process's, and not taken here yet */
    char sid[SID_LENGTH + 1];
    uint8_t note_bytes, prefix_bytes;
    char note[SIO_NOTE_MAX];
    char prefix[]; /* of the namespace's packets */
};

/* What a client asks for: the packets after `offset`, and to be who it was. */
struct recovery_claim {
    struct uuid pid;
    uint64_t offset;
};

/* `notice_ms`: how long the loss of a connection may go unnoticed. */
struct recovery *recovery_new(const struct sio_recovery *bounds, int64_t notice_ms);
/* No state may be live. What the shared store holds stays there. */
void recovery_free(struct recovery *store);
struct share *recovery_share(struct recovery *store); /* NULL: none */
/* `moved` is told of the sockets of live states that another process took, once each; it drops the state. */
void recovery_on_moved(struct recovery *store, void (*moved)(void *arg, uint64_t socket_id), void *arg);

/* A live state with a new pid. */
struct recovery_state *recovery_new_state(struct recovery *store, uint64_t socket_id, const char *sid,
                                          struct str prefix);
/* At most SIO_NOTE_MAX bytes (asserted). */
void recovery_set_note(struct recovery *store, struct recovery_state *state, struct str note);
void recovery_set_owner(struct recovery *store, struct recovery_state *state, const struct uuid *owner);
/* The number that the next packet will have. */
static inline uint64_t recovery_next_offset(const struct recovery_state *state)
{
    return state->sent.next;
}
/* Of a live or lost state. Copies. */
void recovery_add(struct recovery *store, struct recovery_state *state, const struct sent_packet *packet);

void recovery_keep(struct recovery *store, struct recovery_state *state); /* live: it is lost now */
void recovery_drop(struct recovery *store, struct recovery_state *state); /* live: frees it */

/* `pid` and `offset` of a CONNECT packet's payload. */
bool recovery_read_claim(struct str auth, struct recovery_claim *claim);
/* The state that fulfils the claim in this namespace, or NULL. Live: the client has lost a connection that
 * the server still holds for good. */
struct recovery_state *recovery_find(struct recovery *store, const struct recovery_claim *claim,
                                     struct str prefix);
/* Lost: it is live again, and nobody else can take it. */
void recovery_take(struct recovery *store, struct recovery_state *state, uint64_t socket_id, uint64_t offset);

/* --- for recovery_share.c --- */

struct recovery_state *recovery_by_pid(const struct recovery *store, const struct uuid *pid); /* NULL: none */
void recovery_each(struct recovery *store, void (*visit)(struct recovery_state *state, void *arg), void *arg);
/* A lost state of another process; false: these bytes are none. No state may have this pid. */
bool recovery_import(struct recovery *store, const struct uuid *pid, struct str bytes);
/* It is another process's now. */
void recovery_moved(struct recovery *store, struct recovery_state *state);
/* For how long the state is to be kept. */
int64_t recovery_keep_ms(const struct recovery *store, const struct recovery_state *state);

/* Calls `visit` for every lost state of the owner. It may add packets. */
void recovery_each_lost(struct recovery *store, const struct uuid *owner,
                        void (*visit)(struct recovery_state *state, void *arg), void *arg);

struct recovery_count {
    size_t states, lost, lost_bytes, held_bytes;
};
struct recovery_count recovery_count(const struct recovery *store); /* for tests */

#endif
