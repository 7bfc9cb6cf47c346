/* What clients need to go on after they lost their connection (Socket.IO's connection-state recovery): for
 * each socket its ids, the application's note and the packets it was sent. All of it belongs to the store,
 * which finds it by its `pid`, a secret of client and server:
 *
 *   recovery_new_state ──> live ── recovery_keep ──> lost ── too old, or over the bounds ──> forgotten
 *                           ^ └─ recovery_drop ─┐     │
 *                           └── recovery_take ──│─────┘
 *                                               └──> forgotten
 *
 * A lost state is plain bytes under a random key (two ids, the note, a namespace, the ring's records), and
 * the socket that takes it may be answered later than it asked (sio_accept). So a store that other processes
 * share can take the place of the lost half of this one: recovery_keep writes it there, recovery_find asks
 * there. */
#ifndef SIO_RECOVERY_H
#define SIO_RECOVERY_H

#include "conversation/base/list.h"
#include "conversation/base/map.h"
#include "conversation/sio/sio.h"
#include "sent_ring.h"
#include "sid.h"

struct recovery;

/* What a packet to the client touches stands first. */
struct recovery_state {
    struct sent_ring sent;
    int64_t last_ms;      /* live: of the last packet; lost: of the loss */
    uint64_t socket_id;   /* 0: lost */
    struct list link;     /* live and holding packets, or lost: see struct recovery */
    int64_t look_at_ms;   /* live and holding packets: when to see whether they are too old */
    struct map_node node; /* by pid */
    struct list of_owner; /* lost, and somebody's */
    struct uuid owner;    /* all zero: nobody's */
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
void recovery_free(struct recovery *store); /* no state may be live */

/* A live state with a new pid. */
struct recovery_state *recovery_new_state(struct recovery *store, uint64_t socket_id, const char *sid,
                                          struct str prefix);
/* At most SIO_NOTE_MAX bytes (asserted). */
void recovery_set_note(struct recovery_state *state, struct str note);
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
void recovery_take(struct recovery *store, struct recovery_state *state, uint64_t socket_id);

/* Calls `visit` for every lost state of the owner. It may add packets. */
void recovery_each_lost(struct recovery *store, const struct uuid *owner,
                        void (*visit)(struct recovery_state *state, void *arg), void *arg);

struct recovery_count {
    size_t states, lost, lost_bytes, held_bytes;
};
struct recovery_count recovery_count(const struct recovery *store); /* for tests */

#endif
