/* Rate limits shared by all instances: an exact sliding window in Redis, in this process while Redis cannot
 * say. */
#ifndef CONVERSATION_REDIS_RATE_H
#define CONVERSATION_REDIS_RATE_H

#include "adapters/redis/conn.h"
#include "conversation/ports/kv.h"

/* Each new connection: the script is loaded, so that calls need its name only. */
void rate_prepare(struct redis_conn *c);
/* kv_rate_take over `c`. */
void rate_take(struct flow *f, struct redis_conn *c, const struct rate_limit *limit,
               const struct uuid *user_id, int64_t *retry_after_ms);
/* Frees the windows of this process. */
void rate_done(void);

#endif
