#include "adapters/redis/script.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>

/* In the flow's arena. */
struct script_call {
    struct flow_op *op;
    void (*read)(void *out, int64_t answer);
    void *out;
};

static void on_answer(void *arg, const struct redisReply *reply)
{
    struct script_call *call = arg;
    enum err err = redis_reply_check(reply);
    if (!err && reply->type != REDIS_REPLY_INTEGER)
        err = ERR_INTERNAL;
    if (!err && call->read)
        call->read(call->out, reply->integer);
    flow_op_done(call->op, err);
}

void redis_script_run(struct flow *f, struct redis_conn *c, const struct redis_script *script)
{
    struct script_call *call = ARENA_NEW(flow_arena(f), struct script_call);
    *call = (struct script_call){flow_op_begin(f), script->read, script->out};
    if (!redis_conn_send(c, on_answer, call, "EVAL %s 1 %s %s %" PRId64, script->text, script->key,
                         script->arg, script->number))
        flow_op_done_later(call->op, ERR_KV_UNAVAILABLE);
}
