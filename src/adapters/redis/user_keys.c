/* Keys that are named after a user. Which there are only Redis knows (profiles have a language in their key,
 * limits a name), so they are looked for: SCAN goes through all keys a thousand at a time, and Redis serves
 * others in between. */
#include <hiredis/hiredis.h>

#include "adapters/redis/commands.h"
#include "conversation/ports/kv_user.h"

/* In the flow's arena. */
struct forget {
    struct flow_op *op;
    struct uuid_text user;
    int unanswered;
    enum err err; /* the first one */
};

static void settle(struct forget *g, enum err err)
{
    if (!g->err)
        g->err = err;
    if (--g->unanswered == 0)
        flow_op_done(g->op, g->err);
}

static void on_deleted(void *arg, const struct redisReply *reply)
{
    settle(arg, redis_reply_check(reply));
}

static void on_page(void *arg, const struct redisReply *reply);

static void scan(struct forget *g, const char *cursor)
{
    if (redis_conn_send(&redis_commands, on_page, g, "SCAN %s MATCH *%s* COUNT 1000", cursor, g->user.z))
        g->unanswered++;
    else
        g->err = ERR_KV_UNAVAILABLE;
}

static enum err read_page(struct forget *g, const struct redisReply *reply)
{
    enum err err = redis_reply_check(reply);
    if (err)
        return err;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
        return ERR_INTERNAL;
    const struct redisReply *keys = reply->element[1];
    for (size_t i = 0; i < keys->elements; i++)
        if (redis_conn_send(&redis_commands, on_deleted, g, "DEL %s", keys->element[i]->str))
            g->unanswered++;
        else
            return ERR_KV_UNAVAILABLE;
    if (strcmp(reply->element[0]->str, "0") != 0)
        scan(g, reply->element[0]->str);
    return OK;
}

static void on_page(void *arg, const struct redisReply *reply)
{
    settle(arg, read_page(arg, reply));
}

/* The session, too, should its end have found Redis away. */
static const char forget_session[] = "local session = redis.call('GET', KEYS[1]) "
                                     "if session then redis.call('DEL', 'session:' .. session) end "
                                     "return redis.call('DEL', KEYS[1])";

void kv_user_forget(struct flow *f, const struct uuid *user_id)
{
    struct forget *g = ARENA_NEW(flow_arena(f), struct forget);
    g->op = flow_op_begin(f);
    g->user = uuid_text(user_id);
    if (redis_conn_send(&redis_commands, on_deleted, g, "EVAL %s 1 user_session:%s", forget_session,
                        g->user.z))
        g->unanswered++;
    scan(g, "0");
    if (g->unanswered == 0)
        flow_op_done_later(g->op, ERR_KV_UNAVAILABLE);
}
