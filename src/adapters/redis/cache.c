/* Texts that are kept for a while: GET and SET … EX. Nothing depends on what is kept: each value may be gone
 * at any time. */
#include <hiredis/hiredis.h>

#include "adapters/redis/batch.h"
#include "adapters/redis/commands.h"
#include "conversation/ports/kv.h"

/* In the flow's arena. */
struct get {
    struct flow_op *op;
    struct str *value;
};

static void on_value(void *arg, const struct redisReply *reply)
{
    struct get *g = arg;
    enum err err = redis_reply_check(reply);
    if (!err && reply->type == REDIS_REPLY_STRING)
        *g->value = arena_str(flow_arena(flow_op_flow(g->op)), (struct str){reply->str, reply->len});
    flow_op_done(g->op, err);
}

void kv_cache_get(struct flow *f, const char *key, struct str *value)
{
    struct get *g = ARENA_NEW(flow_arena(f), struct get);
    *g = (struct get){.op = flow_op_begin(f), .value = value};
    *value = (struct str){0};
    if (!redis_conn_send(&redis_commands, on_value, g, "GET %s", key))
        flow_op_done_later(g->op, ERR_KV_UNAVAILABLE);
}

void kv_cache_put(struct flow *f, const char *key, struct str value, int seconds)
{
    struct redis_batch *b = redis_batch_new(f, &redis_commands);
    redis_batch_add(b, "SET %s %s EX %d", key, arena_strz(flow_arena(f), value), seconds);
    redis_batch_submit(b);
}
