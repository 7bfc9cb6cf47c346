/* The window in Redis is a list of the times taken, the oldest first, by Redis' own clock: instances need not
 * agree on the time. The script is atomic. The key goes with the last time in it. */
#include "adapters/redis/rate.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>

#include "conversation/base/str.h"
#include "conversation/rt/limiter.h"

/* KEYS[1] the window; ARGV limit, window in ms. Returns 0, or the ms until one more is allowed. When the
 * limit was lowered there may be more in the list than it allows: then as many must leave. */
static const char script[] = "local t = redis.call('TIME')\n"
                             "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
                             "local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])\n"
                             "local oldest = redis.call('LINDEX', KEYS[1], 0)\n"
                             "while oldest and tonumber(oldest) <= now - window do\n"
                             "  redis.call('LPOP', KEYS[1])\n"
                             "  oldest = redis.call('LINDEX', KEYS[1], 0)\n"
                             "end\n"
                             "local n = redis.call('LLEN', KEYS[1])\n"
                             "if n >= limit then\n"
                             "  return tonumber(redis.call('LINDEX', KEYS[1], n - limit)) + window - now\n"
                             "end\n"
                             "redis.call('RPUSH', KEYS[1], string.format('%.0f', now))\n"
                             "redis.call('PEXPIRE', KEYS[1], window)\n"
                             "return 0\n";

#define SHA1_HEX_LENGTH 40

static char script_name[SHA1_HEX_LENGTH + 1]; /* what SCRIPT LOAD answered; the same on every server */

/* --- in this process --- */

#define KINDS_MAX 8

/* One kind of limit; its window is new when the limit was reconfigured. */
static struct kind {
    char what[32]; /* "": unused */
    int limit;
    int64_t window_ms;
    struct sliding_window *window;
} kinds[KINDS_MAX];

static struct sliding_window *window_of(const struct rate_limit *limit)
{
    struct kind *k = kinds;
    while (k < kinds + KINDS_MAX && k->what[0] && strcmp(k->what, limit->what) != 0)
        k++;
    assert(k < kinds + KINDS_MAX);
    if (k->window && k->limit == limit->limit && k->window_ms == limit->window_ms)
        return k->window;
    sliding_window_free(k->window);
    *k = (struct kind){.limit = limit->limit, .window_ms = limit->window_ms};
    bool fits = str_copy(str_of(limit->what), k->what, sizeof k->what);
    assert(fits);
    k->window = sliding_window_new(limit->limit, limit->window_ms);
    return k->window;
}

void rate_done(void)
{
    for (int i = 0; i < KINDS_MAX; i++) {
        sliding_window_free(kinds[i].window);
        kinds[i] = (struct kind){0};
    }
}

/* --- in Redis --- */

/* In the flow's arena. */
struct take {
    struct flow_op *op;
    struct redis_conn *conn;
    struct rate_limit limit; /* `what` is a copy */
    struct uuid user_id;
    int64_t *retry_after_ms;
    bool is_by_name; /* EVALSHA; else the whole script was sent */
};

static void on_loaded(void *arg, const struct redisReply *reply)
{
    (void)arg;
    if (redis_reply_check(reply) == OK && reply->type == REDIS_REPLY_STRING)
        (void)str_copy((struct str){reply->str, reply->len}, script_name, sizeof script_name);
}

void rate_prepare(struct redis_conn *c)
{
    redis_conn_send(c, on_loaded, NULL, "SCRIPT LOAD %s", script);
}

static enum err take_here(const struct take *t)
{
    return sliding_window_take(window_of(&t->limit), &t->user_id, t->retry_after_ms) ? OK : ERR_RATE_LIMITED;
}

static bool send_take(struct take *t, bool is_by_name);

static void on_taken(void *arg, const struct redisReply *reply)
{
    struct take *t = arg;
    bool is_unknown = reply && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOSCRIPT", 8) == 0;
    if (is_unknown && t->is_by_name && send_take(t, false)) /* after SCRIPT FLUSH; this loads it again */
        return;
    if (redis_reply_check(reply) || reply->type != REDIS_REPLY_INTEGER) {
        flow_op_done(t->op, take_here(t));
    } else if (reply->integer == 0) {
        flow_op_done(t->op, OK);
    } else {
        /* More than the window only when the server's clock was set back. */
        *t->retry_after_ms = reply->integer < t->limit.window_ms ? reply->integer : t->limit.window_ms;
        flow_op_done(t->op, ERR_RATE_LIMITED);
    }
}

static bool send_take(struct take *t, bool is_by_name)
{
    t->is_by_name = is_by_name;
    return redis_conn_send(t->conn, on_taken, t, "%s %s 1 rate:%s:%s %d %" PRId64,
                           is_by_name ? "EVALSHA" : "EVAL", is_by_name ? script_name : script, t->limit.what,
                           UUIDZ(&t->user_id), t->limit.limit, t->limit.window_ms);
}

void rate_take(struct flow *f, struct redis_conn *c, const struct rate_limit *limit,
               const struct uuid *user_id, int64_t *retry_after_ms)
{
    struct take *t = ARENA_NEW(flow_arena(f), struct take);
    *t = (struct take){.op = flow_op_begin(f),
                       .conn = c,
                       .limit = *limit,
                       .user_id = *user_id,
                       .retry_after_ms = retry_after_ms};
    t->limit.what = arena_strz(flow_arena(f), str_of(limit->what));
    if (limit->limit == 0)
        flow_op_done_later(t->op, OK);
    else if (!send_take(t, script_name[0] != '\0'))
        flow_op_done_later(t->op, take_here(t));
}
