/* States in a store that several processes share (base/shared_store.h), so that a client whose process has
 * died recovers at another. What sockets are sent is written behind their backs: at the end of the loop turn;
 * under load all that came together in the meantime, and never more at a time than a bounded batch, of which
 * one is under way; full ones follow each other as seldom as lets all that waits be written within a second.
 * So the rings are the queue: however slow the store, nothing is held for it but them, and what was
 * overwritten meanwhile is not written.
 *
 *     changed ──> unsaved ── batch ──> in the store ── nothing sent for long ──> its head alone
 *                    ^                   │
 *                    └── failed, absent ─┘ taken by another process ──> recovery_moved
 *
 * A socket that was sent nothing has nothing to recover and is not in the store. */
#ifndef SIO_RECOVERY_SHARE_H
#define SIO_RECOVERY_SHARE_H

#include "recovery.h"

/* `states` and bounds are borrowed. */
struct share *share_new(struct recovery *states, const struct sio_recovery *bounds);
void share_free(struct share *share);

/* Something of the state has changed that the store should know. */
void share_enlist(struct share *share, struct recovery_state *state);
static inline void share_changed(struct share *share, struct recovery_state *state)
{
    if (!list_is_linked(&state->unsaved))
        share_enlist(share, state);
}
/* More has changed than that packets were added. No effect on a state of which the store has nothing. */
void share_changed_all(struct share *share, struct recovery_state *state);
/* The state is about to be freed. `is_expired`: so it is in the store. */
void share_forget(struct share *share, struct recovery_state *state, bool is_expired);

/* Whether something is still to be written, and the store is there. */
bool share_has_unsaved(const struct share *share);

/* Asks for a state of another process. True: `done` is called exactly once; the state, if it was there, is
 * then among the lost ones, and none of that pid is when another process has it. False: the store is away. */
bool share_take(struct share *share, const struct uuid *pid, void (*done)(void *arg), void *arg);

#endif
