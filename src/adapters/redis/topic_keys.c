/* topics:{lang}:{level}. */
#include <hiredis/hiredis.h>

#include "adapters/redis/batch.h"
#include "adapters/redis/commands.h"
#include "conversation/ports/kv_topics.h"

#define TOPICS_SECONDS 3600

void kv_topics_put(struct flow *f, const char *language, const struct kv_topic_lists *lists)
{
    struct redis_batch *b = redis_batch_new(f, &redis_commands);
    for (int i = 0; i < LEVEL_COUNT; i++)
        redis_batch_add(b, "SET topics:%s:%s %s EX %d", language, level_names[i],
                        arena_strz(flow_arena(f), lists->by_level[i]), TOPICS_SECONDS);
    redis_batch_submit(b);
}

/* In the flow's arena. */
struct topics_get {
    struct flow_op *op;
    struct kv_topic_lists *out;
};

static void on_lists(void *arg, const struct redisReply *reply)
{
    struct topics_get *g = arg;
    enum err err = redis_reply_check(reply);
    if (!err && (reply->type != REDIS_REPLY_ARRAY || reply->elements != LEVEL_COUNT))
        err = ERR_INTERNAL;
    for (int i = 0; !err && i < LEVEL_COUNT; i++) {
        const struct redisReply *text = reply->element[i];
        if (text->type == REDIS_REPLY_STRING)
            g->out->by_level[i] =
                arena_str(flow_arena(flow_op_flow(g->op)), (struct str){text->str, text->len});
    }
    flow_op_done(g->op, err);
}

void kv_topics_get(struct flow *f, const char *language, struct kv_topic_lists *out)
{
    struct topics_get *g = ARENA_NEW(flow_arena(f), struct topics_get);
    *g = (struct topics_get){flow_op_begin(f), out};
    *out = (struct kv_topic_lists){0};
    if (!redis_conn_send(&redis_commands, on_lists, g,
                         "MGET topics:%s:A1 topics:%s:A2 topics:%s:B1 topics:%s:B2 topics:%s:C1 topics:%s:C2",
                         language, language, language, language, language, language))
        flow_op_done_later(g->op, ERR_KV_UNAVAILABLE);
}
