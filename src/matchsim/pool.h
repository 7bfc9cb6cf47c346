/* Policies that look at everybody who waits: too slow for a daemon, good to compare with. */
#ifndef MATCHSIM_POOL_H
#define MATCHSIM_POOL_H

#include "conversation/domain/pairing.h"

void *pool_start_oldest(const struct pairing_rules *rules, int64_t interval_ms);
void *pool_start_batch(const struct pairing_rules *rules, int64_t interval_ms);
void pool_stop(void *state);
void pool_add(void *state, const struct match_request *r);
bool pool_remove(void *state, const struct uuid *id);
bool pool_has_due(const void *state, int64_t now_ms);
size_t pool_decide(void *state, int64_t now_ms, const struct pairing_pair **pairs);
bool pool_expire(void *state, int64_t now_ms, struct pairing_ticket *out);
int64_t pool_next_due_ms(const void *state);

#endif
