/* Port: what Redis keeps of one user (docs/ARCHITECTURE.md, "Redis keys"). The rules of ports/kv.h hold. */
#ifndef CONVERSATION_PORTS_KV_USER_H
#define CONVERSATION_PORTS_KV_USER_H

#include <stddef.h>

#include "conversation/base/uuid.h"
#include "conversation/rt/flow.h"

/* unlocked_topics:{userId}: what db_unlocked_topics said, for ten minutes. As skills are only ever gained,
 * putting what was true a moment ago takes nothing away from what is kept. */
struct kv_unlocked {
    const char *const *codes;
    size_t count; /* 0: nothing is kept */
};
void kv_unlocked_get(struct flow *f, const struct uuid *user_id, struct kv_unlocked *out);
void kv_unlocked_put(struct flow *f, const struct uuid *user_id, const char *const *codes, size_t count);
void kv_unlocked_drop(struct flow *f, const struct uuid *user_id);

/* Deletes every key that is named after the user. */
void kv_user_forget(struct flow *f, const struct uuid *user_id);

#endif
