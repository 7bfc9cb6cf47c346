/* Keys that are named after a user. Which there are only Redis knows (profiles have a language in their key,
 * limits a name), so they are looked for: SCAN goes through all keys a thousand at a time, and Redis serves
 * others in between. */
#include <hiredis/hiredis.h>
#include <stdio.h>

#include "adapters/redis/batch.h"
#include "adapters/redis/commands.h"
#include "conversation/base/jsonw.h"
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

/* --- unlocked topics --- */

#define UNLOCKED_SECONDS 600

/* In the flow's arena. */
struct unlocked_get {
    struct flow_op *op;
    struct kv_unlocked *out;
};

static void on_unlocked(void *arg, const struct redisReply *reply)
{
    struct unlocked_get *g = arg;
    struct arena *arena = flow_arena(flow_op_flow(g->op));
    enum err err = redis_reply_check(reply);
    if (!err && reply->type == REDIS_REPLY_ARRAY) {
        const char **codes = ARENA_ARRAY(arena, const char *, reply->elements + 1);
        for (size_t i = 0; i < reply->elements; i++)
            codes[i] = arena_strz(arena, (struct str){reply->element[i]->str, reply->element[i]->len});
        *g->out = (struct kv_unlocked){codes, reply->elements};
    }
    flow_op_done(g->op, err);
}

void kv_unlocked_get(struct flow *f, const struct uuid *user_id, struct kv_unlocked *out)
{
    struct unlocked_get *g = ARENA_NEW(flow_arena(f), struct unlocked_get);
    *g = (struct unlocked_get){flow_op_begin(f), out};
    *out = (struct kv_unlocked){0};
    /* As it goes over the wire: it is asked for each list of topics that skills decide about. */
    char command[128];
    int n = snprintf(command, sizeof command, "*2\r\n$8\r\nSMEMBERS\r\n$%zu\r\nunlocked_topics:%s\r\n",
                     sizeof "unlocked_topics:" - 1 + UUID_TEXT_LENGTH, UUIDZ(user_id));
    if (!redis_conn_send_raw(&redis_commands, on_unlocked, g, (struct str){command, (size_t)n}))
        flow_op_done_later(g->op, ERR_KV_UNAVAILABLE);
}

/* All of them in one command: whoever reads in between must not find a part. */
static const char put_unlocked[] = "redis.call('SADD', KEYS[1], unpack(cjson.decode(ARGV[1]))) "
                                   "return redis.call('EXPIRE', KEYS[1], ARGV[2])";

void kv_unlocked_put(struct flow *f, const struct uuid *user_id, const char *const *codes, size_t count)
{
    struct redis_batch *b = redis_batch_new(f, &redis_commands);
    struct buf list = {0};
    struct jsonw w = jsonw_on(&list);
    jsonw_array(&w);
    for (size_t i = 0; i < count; i++)
        jsonw_z(&w, codes[i]);
    jsonw_end_array(&w);
    buf_addc(&list, '\0');
    if (count > 0)
        redis_batch_add(b, "EVAL %s 1 unlocked_topics:%s %s %d", put_unlocked, UUIDZ(user_id), list.p,
                        UNLOCKED_SECONDS);
    buf_done(&list);
    redis_batch_submit(b);
}

void kv_unlocked_drop(struct flow *f, const struct uuid *user_id)
{
    struct redis_batch *b = redis_batch_new(f, &redis_commands);
    redis_batch_add(b, "DEL unlocked_topics:%s", UUIDZ(user_id));
    redis_batch_submit(b);
}
