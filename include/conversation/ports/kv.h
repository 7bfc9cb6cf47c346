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

/* Answers of others, kept for a while. `key` is the caller's, with a prefix of its own; texts hold no zero
 * byte. *value is in the flow's arena, {NULL,0} when nothing is kept. */
void kv_cache_get(struct flow *f, const char *key, struct str *value);
void kv_cache_put(struct flow *f, const char *key, struct str value, int seconds);

/* The shared queue: match_queue:{lang}:{level}:{topic} and match_request:{id}. */
void kv_queue_add(struct flow *f, const struct match_request *requests,
                  size_t count); /* again: changes nothing */
void kv_queue_remove(struct flow *f, const struct uuid *request_ids, size_t count);

/* Whether everything pending is in it: a mark in Redis says so, which is lost with the rest. When not, the
 * caller fills it, with every pending request, and says when it has. */
void kv_queue_check(struct flow *f, bool *is_whole);
void kv_queue_filled(struct flow *f); /* no effect when it was emptied again since the check */

/* A lease by name: taken when nobody holds it, extended when this instance does. */
enum kv_lease { KV_LEASE_OTHERS, KV_LEASE_TAKEN, KV_LEASE_EXTENDED };
void kv_lease_hold(struct flow *f, const char *name, int64_t ms, enum kv_lease *out);
void kv_lease_release(struct flow *f, const char *name); /* another's is left alone */

/* session:{id} and user_session:{userId}; refreshed while the session lives. */
void kv_session_put(struct flow *f, const struct session *s, int prompts_shown);
/* The same for many that run, with what changes as they do. Of a participant whose heartbeat is 0 nothing is
 * said: its socket is not here. */
struct kv_running {
    struct uuid id, user_ids[2];
    enum session_status status;
    int64_t started_at_ms;
    int prompts_shown;
    bool is_owner; /* this instance runs its timers */
    int64_t heartbeat_ms[2];
};
void kv_sessions_refresh(struct flow *f, const struct kv_running *items, size_t count);
void kv_session_clear(struct flow *f, const struct session *s);

#endif
