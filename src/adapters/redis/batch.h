/* Several commands that are one operation of a flow: sent together, reported once, when the last answer is
 * in. */
#ifndef CONVERSATION_REDIS_BATCH_H
#define CONVERSATION_REDIS_BATCH_H

#include "adapters/redis/conn.h"
#include "conversation/rt/flow.h"

struct redis_batch;

/* Begins the operation; redis_batch_submit must follow in the same call. */
struct redis_batch *redis_batch_new(struct flow *f, struct redis_conn *conn);
/* As redis_conn_send. The answer's content does not matter, only whether it is an error. */
void redis_batch_add(struct redis_batch *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Reports the first error among the answers; ERR_KV_UNAVAILABLE next turn when nothing could be sent. */
void redis_batch_submit(struct redis_batch *b);

#endif
