/* In-process rate limits: a token bucket for sockets (no I/O, embedded), and a sliding window by key used
 * when the shared one in Redis cannot be reached. A limit of 0 means "off". */
#ifndef CONVERSATION_RT_LIMITER_H
#define CONVERSATION_RT_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/base/uuid.h"

/* All zero is a full bucket. */
struct token_bucket {
    double level; /* tokens used */
    int64_t at_ms;
};
/* Takes `cost` tokens from a bucket of `capacity` that refills wholly in `window_ms`; false: not enough, none
 * taken. */
bool token_bucket_take(struct token_bucket *b, double cost, double capacity, int64_t window_ms);

struct sliding_window; /* counts per key over the last `window_ms` */
struct sliding_window *sliding_window_new(int limit, int64_t window_ms);
void sliding_window_free(struct sliding_window *w);
/* True and counted, or false with *retry_after_ms until the oldest counted one leaves the window. */
bool sliding_window_take(struct sliding_window *w, const struct uuid *key, int64_t *retry_after_ms);

#endif
