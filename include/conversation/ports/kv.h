/* Port: Redis — what may be lost or can be rebuilt from the database (docs/ARCHITECTURE.md, "Redis keys").
 * Every operation reports OK, or ERR_KV_UNAVAILABLE (at once while Redis is known to be away), or
 * ERR_INTERNAL when a key holds what this service did not write (logged). */
#ifndef CONVERSATION_PORTS_KV_H
#define CONVERSATION_PORTS_KV_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/domain/match.h"
#include "conversation/domain/session.h"
#include "conversation/rt/flow.h"

void kv_start(void); /* connects, and reconnects until kv_stop */
void kv_stop(void);
bool kv_is_up(void);

/* One more of `what` for this user within the sliding window, shared by all instances; in-process while Redis
 * is away (never ERR_KV_UNAVAILABLE). OK, or ERR_RATE_LIMITED with *retry_after_ms. limit 0: always OK. */
struct rate_limit {
    const char *what;
    int limit;
    int64_t window_ms;
};
void kv_rate_take(struct flow *f, const struct rate_limit *limit, const struct uuid *user_id,
                  int64_t *retry_after_ms);

/* The shared queue: match_queue:{lang}:{level}:{topic} and match_request:{id}. */
void kv_queue_add(struct flow *f, const struct match_request *requests,
                  size_t count); /* again: changes nothing */
void kv_queue_remove(struct flow *f, const struct uuid *request_ids, size_t count);

/* session:{id} and user_session:{userId}; refreshed while the session lives. */
void kv_session_put(struct flow *f, const struct session *s, int prompts_shown);
void kv_session_clear(struct flow *f, const struct session *s);

#endif
