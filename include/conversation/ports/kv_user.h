/* Port: what Redis keeps of one user (docs/ARCHITECTURE.md, "Redis keys"). The rules of ports/kv.h hold. */
#ifndef CONVERSATION_PORTS_KV_USER_H
#define CONVERSATION_PORTS_KV_USER_H

#include "conversation/base/uuid.h"
#include "conversation/rt/flow.h"

/* Deletes every key that is named after the user. */
void kv_user_forget(struct flow *f, const struct uuid *user_id);

#endif
