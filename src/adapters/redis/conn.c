/* The connection's life: see the states in conn.h. hiredis calls every pending callback with a NULL reply,
 * then the cleanup hook, before it frees a context, whatever the cause; so `lost` is called from both, and
 * the first call counts. */
#include "adapters/redis/conn.h"

#include <assert.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "adapters/redis/poll.h"
#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "conversation/rt/address_lookup.h"

#define REPLIES_LABEL  "redis" /* in metrics */
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define IDLE_PING_MS                                                                                        \
    5000                   /* an idle connection is tried this often: readiness must notice a frozen server \
                            */
#define LOG_AGAIN_MS 10000 /* the same error reply is logged once in this time */

struct command {
    struct list link; /* in redis_conn.sent */
    struct redis_conn *conn;
    redis_reply_fn *done;
    void *arg;
    int64_t sent_ms;
    uint64_t sent_ns;
};

static void watch(struct timer *t);
static void try_again(struct timer *t);

static struct list spare = {&spare,
                            &spare}; /* commands that were answered: a busy connection allocates none */

static void command_free(struct command *command)
{
    list_add_tail(&spare, &command->link);
}

static void free_spare(void)
{
    while (!list_is_empty(&spare)) {
        struct command *command = LIST_FIRST(&spare, struct command, link);
        list_remove(&command->link);
        free(command);
    }
}

/* --- states --- */

static void move(struct redis_conn *c, enum redis_state next)
{
    static const unsigned legal[REDIS_STATE_COUNT] = {
        [REDIS_STOPPED] = 1u << REDIS_RESOLVING,
        [REDIS_AWAY] = 1u << REDIS_RESOLVING | 1u << REDIS_STOPPED,
        [REDIS_RESOLVING] = 1u << REDIS_GREETING | 1u << REDIS_AWAY | 1u << REDIS_STOPPED,
        [REDIS_GREETING] = 1u << REDIS_UP | 1u << REDIS_AWAY | 1u << REDIS_STOPPED,
        [REDIS_UP] = 1u << REDIS_AWAY | 1u << REDIS_STOPPED,
    };
    assert(legal[c->state] & 1u << next);
    c->state = next;
    metric_set(M_DEPENDENCY_UP, next == REDIS_UP, c->label);
}

bool redis_conn_is_up(const struct redis_conn *c)
{
    return c->state == REDIS_UP;
}

/* Exponential backoff with full jitter: many instances must not come back in step. */
static int64_t backoff_ms(int failures)
{
    int64_t most_ms = failures >= 6 ? BACKOFF_MAX_MS : (int64_t)BACKOFF_MIN_MS << failures;
    return 1 + (int64_t)arc4random_uniform((uint32_t)most_ms);
}

/* No connection any more, or none came about. Logged when it was up, and when the reason is another than
 * before. */
static void lost(struct redis_conn *c, const char *reason)
{
    if (c->state == REDIS_STOPPED || c->state == REDIS_AWAY)
        return;
    bool is_news = c->state == REDIS_UP || strncmp(c->reason, reason, sizeof c->reason - 1) != 0;
    if (c->state == REDIS_UP || !c->away_since_ms)
        c->away_since_ms = clock_mono_ms();
    move(c, REDIS_AWAY);
    metric_inc(M_DEPENDENCY_ERRORS, c->label);
    timer_start(&c->timer, backoff_ms(c->failures++), try_again);
    if (!is_news)
        return;
    snprintf(c->reason, sizeof c->reason, "%s", reason);
    LOG(LOG_ERROR, "redis.unavailable", LOG_Z("connection", c->label), LOG_Z("host", config.redis_host),
        LOG_INT("port", config.redis_port), LOG_Z("reason", c->reason));
}

static void drop(struct redis_conn *c, const char *reason)
{
    lost(c, reason);
    if (c->ac)
        redisAsyncFree(c->ac); /* inside a callback of hiredis: freed when that returns */
}

static const char *error_of(const struct redisAsyncContext *ac)
{
    return ac->c.err ? ac->c.errstr : "connection closed";
}

/* Those of a subscriber: hiredis reports the loss by channel, not by command. */
static void free_unanswered(struct redis_conn *c)
{
    while (!list_is_empty(&c->sent)) {
        struct command *command = LIST_FIRST(&c->sent, struct command, link);
        list_remove(&command->link);
        command_free(command);
    }
}

/* hiredis is about to free its context. */
static void on_context_gone(void *arg)
{
    struct redis_conn *c = arg;
    lost(c, error_of(c->ac));
    free_unanswered(c);
    c->ac = NULL;
}

void redis_conn_stop(struct redis_conn *c)
{
    if (c->state == REDIS_STOPPED)
        return;
    move(c, REDIS_STOPPED);
    timer_stop(&c->timer);
    address_lookup_forget(c->lookup);
    c->lookup = NULL;
    if (c->ac)
        redisAsyncFree(c->ac);
    free_spare();
}

/* --- commands --- */

static void answered(struct command *command)
{
    list_remove(&command->link);
    metric_observe(M_DEPENDENCY_LATENCY, (double)(uv_hrtime() - command->sent_ns) / 1e9,
                   command->conn->label);
}

static void on_reply(struct redisAsyncContext *ac, void *reply, void *data)
{
    struct command *command = data;
    struct redis_conn *c = command->conn;
    answered(command);
    if (!reply)
        lost(c, error_of(ac));
    command->done(command->arg, reply);
    command_free(command);
}

static struct command *command_new(struct redis_conn *c, redis_reply_fn *done, void *arg)
{
    struct command *command = LIST_FIRST(&spare, struct command, link);
    if (list_is_empty(&spare))
        command = malloc(sizeof *command);
    else
        list_remove(&command->link);
    if (!command)
        abort();
    *command = (struct command){
        .conn = c, .done = done, .arg = arg, .sent_ms = clock_mono_ms(), .sent_ns = uv_hrtime()};
    return command;
}

/* `status`: what hiredis made of it. */
static bool is_sent(struct command *command, int status)
{
    struct redis_conn *c = command->conn;
    if (status != REDIS_OK) {
        command_free(command);
        return false;
    }
    c->last_sent_ms = command->sent_ms;
    if (list_is_empty(&c->sent))
        timer_start(&c->timer, config.redis_command_timeout_ms, watch);
    list_add_tail(&c->sent, &command->link);
    return true;
}

/* In any state with a connection. */
static bool submit(struct redis_conn *c, redis_reply_fn *done, void *arg, const char *format, va_list args)
{
    struct command *command = command_new(c, done, arg);
    return is_sent(command, redisvAsyncCommand(c->ac, on_reply, command, format, args));
}

bool redis_conn_vsend(struct redis_conn *c, redis_reply_fn *done, void *arg, const char *format, va_list args)
{
    assert(!c->idle_channel);
    return c->state == REDIS_UP && submit(c, done, arg, format, args);
}

bool redis_conn_send(struct redis_conn *c, redis_reply_fn *done, void *arg, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool sent = redis_conn_vsend(c, done, arg, format, args);
    va_end(args);
    return sent;
}

bool redis_conn_send_raw(struct redis_conn *c, redis_reply_fn *done, void *arg, struct str text)
{
    assert(!c->idle_channel);
    if (c->state != REDIS_UP)
        return false;
    struct command *command = command_new(c, done, arg);
    return is_sent(command, redisAsyncFormattedCommand(c->ac, on_reply, command, text.p, text.n));
}

/* --- channels --- */

static struct str text_of(const struct redisReply *reply)
{
    return (struct str){reply->str, reply->len};
}

/* A message, or the answer to the oldest command: [kind, channel, text or count of channels]. NULL, for each
 * channel, when the connection is lost: on_context_gone sees to it. */
static void on_push(struct redisAsyncContext *ac, void *data, void *arg)
{
    struct redis_conn *c = arg;
    const struct redisReply *push = data;
    (void)ac;
    if (!push || push->type != REDIS_REPLY_ARRAY || push->elements != 3)
        return;
    struct str kind = text_of(push->element[0]), channel = text_of(push->element[1]);
    if (str_eqz(kind, "message")) {
        c->on_message(c, channel, text_of(push->element[2]));
        return;
    }
    if (!list_is_empty(&c->sent)) {
        struct command *command = LIST_FIRST(&c->sent, struct command, link);
        answered(command);
        command_free(command);
    }
    if (str_eqz(kind, "subscribe"))
        c->on_subscribed(c, channel);
    else if (str_eqz(kind, "unsubscribe"))
        c->on_unsubscribed(c, channel);
}

static bool submit_channel(struct redis_conn *c, const char *format, const char *channel)
{
    assert(c->idle_channel);
    return c->state == REDIS_UP &&
           is_sent(command_new(c, NULL, NULL), redisAsyncCommand(c->ac, on_push, c, format, channel));
}

bool redis_conn_subscribe(struct redis_conn *c, const char *channel)
{
    return submit_channel(c, "SUBSCRIBE %s", channel);
}

bool redis_conn_unsubscribe(struct redis_conn *c, const char *channel)
{
    return submit_channel(c, "UNSUBSCRIBE %s", channel);
}

/* --- the watchdog --- */

static void on_idle_pong(void *arg, const struct redisReply *reply)
{
    (void)arg;
    if (redis_reply_check(reply))
        return; /* logged; the callers' own commands learn the same */
}

static bool send_idle(struct redis_conn *c)
{
    return c->idle_channel ? redis_conn_subscribe(c, c->idle_channel)
                           : redis_conn_send(c, on_idle_pong, c, "PING");
}

static int64_t overdue_in_ms(const struct redis_conn *c)
{
    const struct command *oldest = LIST_FIRST(&c->sent, struct command, link);
    return oldest->sent_ms + config.redis_command_timeout_ms - clock_mono_ms();
}

static void watch_idle(struct redis_conn *c)
{
    int64_t left_ms = c->last_sent_ms + IDLE_PING_MS - clock_mono_ms();
    if (left_ms > 0)
        timer_start(&c->timer, left_ms, watch);
    else if (!send_idle(c))
        drop(c, "cannot send");
}

/* When it was this process that stood still, nobody is blamed: answers that lie in the socket are read first,
 * and after a long while commands may not even have left. */
static void make_up_for_standstill(struct redis_conn *c)
{
    if (timer_stood_still(&c->timer)) {
        LIST_EACH (n, &c->sent)
            container_of(n, struct command, link)->sent_ms = clock_mono_ms();
    } else if (!list_is_empty(&c->sent) && overdue_in_ms(c) <= 0) {
        redisAsyncHandleRead(c->ac);
    }
}

/* Runs as long as there is a connection. */
static void watch(struct timer *t)
{
    struct redis_conn *c = container_of(t, struct redis_conn, timer);
    make_up_for_standstill(c);
    if (!c->ac)
        return; /* that found it closed */
    if (list_is_empty(&c->sent))
        watch_idle(c);
    else if (overdue_in_ms(c) <= 0)
        drop(c, "no answer in time");
    else
        timer_start(&c->timer, overdue_in_ms(c), watch);
}

/* --- greeting --- */

static bool is_greeted(struct redis_conn *c, const struct redisReply *reply)
{
    if (c->state != REDIS_GREETING)
        return false;
    if (!reply || reply->type != REDIS_REPLY_ERROR)
        return reply != NULL;
    drop(c, reply->str);
    return false;
}

static void on_greeting_reply(void *arg, const struct redisReply *reply)
{
    (void)is_greeted(arg, reply); /* a refused AUTH or SELECT drops the connection */
}

/* The last answer of the greeting. PING is refused where the rest is not: while the data set is loading, and
 * without AUTH. */
static void on_greeting_pong(void *arg, const struct redisReply *reply)
{
    struct redis_conn *c = arg;
    if (!is_greeted(c, reply))
        return;
    move(c, REDIS_UP);
    LOG(LOG_INFO, "redis.connected", LOG_Z("connection", c->label), LOG_Z("host", config.redis_host),
        LOG_INT("port", config.redis_port),
        LOG_INT("awayMs", c->away_since_ms ? clock_mono_ms() - c->away_since_ms : 0));
    c->failures = 0;
    c->away_since_ms = 0;
    c->reason[0] = '\0';
    if (c->on_up)
        c->on_up(c);
}

__attribute__((format(printf, 3, 4))) static bool greet_with(struct redis_conn *c, redis_reply_fn *done,
                                                             const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool sent = submit(c, done, c, format, args);
    va_end(args);
    return sent;
}

static void greet(struct redis_conn *c, const char *address)
{
    move(c, REDIS_GREETING);
    redisAsyncContext *ac = redisAsyncConnect(address, config.redis_port);
    if (!ac)
        abort(); /* out of memory */
    if (ac->err || redis_poll_attach(ac, on_context_gone, c) != 0) {
        lost(c, error_of(ac));
        redisAsyncFree(ac);
        return;
    }
    c->ac = ac;
    bool sent = true;
    if (config.redis_password[0])
        sent = greet_with(c, on_greeting_reply, "AUTH %s", config.redis_password);
    sent = sent && greet_with(c, on_greeting_reply, "SELECT %d", config.redis_db);
    sent = sent && greet_with(c, on_greeting_pong, "PING");
    if (!sent)
        drop(c, "cannot send");
}

/* --- the address --- */

/* Each failure moves on to the next address of the host. */
static bool choose_address(const struct addrinfo *found, int failures, char out[ADDRESS_TEXT_MAX])
{
    int count = 0;
    for (const struct addrinfo *a = found; a; a = a->ai_next)
        count++;
    if (!count)
        return false;
    const struct addrinfo *chosen = found;
    for (int i = failures % count; i > 0; i--)
        chosen = chosen->ai_next;
    return address_write(chosen, out);
}

static void on_looked_up(void *arg, const struct addrinfo *found, const char *problem)
{
    struct redis_conn *c = arg;
    char address[ADDRESS_TEXT_MAX];
    c->lookup = NULL;
    if (problem)
        lost(c, problem);
    else if (!choose_address(found, c->failures, address))
        lost(c, "the host has no address");
    else
        greet(c, address);
}

static void resolve(struct redis_conn *c)
{
    assert(!c->ac);
    move(c, REDIS_RESOLVING);
    if (address_is_numeric(config.redis_host))
        greet(c, config.redis_host);
    else
        c->lookup = address_lookup_start(config.redis_host, on_looked_up, c);
}

static void try_again(struct timer *t)
{
    resolve(container_of(t, struct redis_conn, timer));
}

void redis_conn_start(struct redis_conn *c)
{
    if (c->state != REDIS_STOPPED)
        return;
    c->failures = 0;
    c->away_since_ms = 0;
    c->reason[0] = '\0';
    list_init(&c->sent);
    resolve(c);
}

/* --- error replies --- */

/* The server's own state, not our command, is why it answers so; docs of Redis, "errors". */
static const char *const unavailable_codes[] = {
    "LOADING", "READONLY", "OOM", "MASTERDOWN", "MISCONF", "NOREPLICAS", "BUSY", "CLUSTERDOWN", "TRYAGAIN"};

static bool says_unavailable(struct str code)
{
    for (size_t i = 0; i < sizeof unavailable_codes / sizeof unavailable_codes[0]; i++)
        if (str_eqz(code, unavailable_codes[i]))
            return true;
    return false;
}

/* A server that is out of memory refuses every command: one line in a while says as much as all of them. */
static void log_error_reply(struct str code, const char *text)
{
    static char last_code[32];
    static int64_t last_ms;
    bool is_same = str_eqz(code, last_code);
    if (is_same && clock_mono_ms() - last_ms < LOG_AGAIN_MS)
        return;
    last_ms = clock_mono_ms();
    (void)str_copy(code, last_code, sizeof last_code);
    LOG(LOG_ERROR, "redis.error_reply", LOG_Z("error", text));
}

enum err redis_reply_check(const struct redisReply *reply)
{
    if (!reply)
        return ERR_KV_UNAVAILABLE;
    if (reply->type != REDIS_REPLY_ERROR)
        return OK;
    struct str rest = text_of(reply);
    struct str code = str_cut(&rest, ' ');
    metric_inc(M_DEPENDENCY_ERRORS, REPLIES_LABEL);
    log_error_reply(code, reply->str);
    return says_unavailable(code) ? ERR_KV_UNAVAILABLE : ERR_INTERNAL;
}
