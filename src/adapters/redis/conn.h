/* One connection to Redis that comes back by itself: for commands, or, with an idle channel, a subscriber,
 * over which nothing but SUBSCRIBE and UNSUBSCRIBE is sent once it is up.
 *
 *            retry timer             address             PONG
 *     AWAY ---------------> RESOLVING ------> GREETING --------> UP
 *      ^_______________________|_________________|________________|   failed, refused, overdue, closed
 *     STOPPED <- any state, by redis_conn_stop
 *
 * GREETING is connect, AUTH, SELECT and PING, sent in one go. Outside UP nothing is sent for callers. The
 * oldest command not answered within REDIS_COMMAND_TIMEOUT_MS drops the connection: a frozen server looks
 * like this. */
#ifndef CONVERSATION_REDIS_CONN_H
#define CONVERSATION_REDIS_CONN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "conversation/base/err.h"
#include "conversation/base/list.h"
#include "conversation/base/str.h"
#include "conversation/rt/timer.h"

struct redisAsyncContext;
struct redisReply;
struct address_lookup;

enum redis_state { REDIS_STOPPED, REDIS_AWAY, REDIS_RESOLVING, REDIS_GREETING, REDIS_UP, REDIS_STATE_COUNT };

struct redis_conn {
    const char *label;                   /* in logs and metrics */
    void (*on_up)(struct redis_conn *c); /* may send; NULL: nothing to do */

    /* a subscriber's; the texts are valid during the call */
    const char *idle_channel; /* subscribed to again, where a connection for commands would send PING */
    void (*on_subscribed)(struct redis_conn *c, struct str channel);
    void (*on_unsubscribed)(struct redis_conn *c, struct str channel);
    void (*on_message)(struct redis_conn *c, struct str channel, struct str text);

    /* the rest is conn.c's; all zero is STOPPED */
    enum redis_state state;
    struct redisAsyncContext *ac;  /* hiredis frees it; NULL then */
    struct address_lookup *lookup; /* under way */
    struct list sent;              /* struct command, the oldest first; answers come in this order */
    struct timer timer;            /* AWAY: until the next try; with a connection: the watchdog */
    int failures;                  /* since it was last UP */
    int64_t last_sent_ms, away_since_ms;
    char reason[160]; /* why it is away, as last logged */
};

/* Connects, and again after every loss. No effect unless stopped. */
void redis_conn_start(struct redis_conn *c);
/* Reports the loss to every pending command; not from inside a reply. The struct may be reused at once; the
 * loop needs another turn to close the socket's handle. */
void redis_conn_stop(struct redis_conn *c);
bool redis_conn_is_up(const struct redis_conn *c);

/* `reply` is valid during the call; NULL when the connection was lost first. */
typedef void redis_reply_fn(void *arg, const struct redisReply *reply);

/* Sends one command: words separated by spaces, in which %s and integer conversions are replaced without
 * being split again. True: `done(arg, …)` is called exactly once, from the loop. False: not up; nothing was
 * sent, `done` is not called. */
bool redis_conn_send(struct redis_conn *c, redis_reply_fn *done, void *arg, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool redis_conn_vsend(struct redis_conn *c, redis_reply_fn *done, void *arg, const char *format,
                      va_list args);
/* The same with a command as it goes over the wire; copied. A zero byte must follow it: hiredis looks for its
 * words with strchr. */
bool redis_conn_send_raw(struct redis_conn *c, redis_reply_fn *done, void *arg, struct str command);

/* A subscriber's; false: not up, nothing was sent. After a reconnect nothing is subscribed to. */
bool redis_conn_subscribe(struct redis_conn *c, const char *channel);
bool redis_conn_unsubscribe(struct redis_conn *c, const char *channel); /* never the idle channel */

/* What a reply means: OK, ERR_KV_UNAVAILABLE (lost, or a server that says it cannot serve now) or
 * ERR_INTERNAL (our command was wrong). Logs and counts an error reply. */
enum err redis_reply_check(const struct redisReply *reply) MUST_CHECK;

#endif
