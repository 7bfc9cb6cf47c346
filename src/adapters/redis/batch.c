/* The batch counts its answers; it lives in the flow's arena, which lasts until the operation has reported.
 */
#include "adapters/redis/batch.h"

#include <assert.h>

struct redis_batch {
    struct flow_op *op;
    struct redis_conn *conn;
    int unanswered;
    enum err err; /* the first one */
};

struct redis_batch *redis_batch_new(struct flow *f, struct redis_conn *conn)
{
    struct redis_batch *b = ARENA_NEW(flow_arena(f), struct redis_batch);
    b->op = flow_op_begin(f);
    b->conn = conn;
    return b;
}

static void on_reply(void *arg, const struct redisReply *reply)
{
    struct redis_batch *b = arg;
    enum err err = redis_reply_check(reply);
    if (!b->err)
        b->err = err;
    if (--b->unanswered == 0)
        flow_op_done(b->op, b->err);
}

void redis_batch_add(struct redis_batch *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (redis_conn_vsend(b->conn, on_reply, b, format, args))
        b->unanswered++;
    else
        b->err = ERR_KV_UNAVAILABLE;
    va_end(args);
}

void redis_batch_submit(struct redis_batch *b)
{
    if (b->unanswered == 0)
        flow_op_done_later(b->op, b->err);
}
