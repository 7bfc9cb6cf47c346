/* A state of recovery.h as bytes, for another process:
 *
 *   version 1 | sid 20 | owner 16 | length of the note 1 | note | length of the prefix 1 | prefix |
 *   number of the first record 8, little-endian | records (sent_ring.h)
 *
 * More records may be appended to it. Whoever reads it believes nothing of it. */
#ifndef SIO_RECOVERY_BYTES_H
#define SIO_RECOVERY_BYTES_H

#include "recovery.h"

#define RECOVERY_HEAD_MAX (1 + SID_LENGTH + 16 + 1 + SIO_NOTE_MAX + 1 + UINT8_MAX + 8)

/* All before the records; `first`: the number of the first that will follow. Returns how many bytes. */
size_t recovery_bytes_head(const struct recovery_state *state, uint64_t first, char out[RECOVERY_HEAD_MAX]);

/* Slices of what was read. */
struct recovery_head {
    struct str sid, note, prefix;
    struct uuid owner;
    uint64_t first;
};
/* Leaves the records in *rest, unread. False: that is no state of this version. */
bool recovery_bytes_read(struct str *rest, struct recovery_head *head);

#endif
