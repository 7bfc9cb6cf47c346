/* What the tests of the Redis adapter share: a private redis-server, a second client to look with, and
 * operations run as flows on the real loop. Waiting is polling with a deadline. */
#ifndef TESTS_REDIS_HARNESS_H
#define TESTS_REDIS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "conversation/ports/kv.h"
#include "conversation/rt/loop.h"
#include "unit/net/free_port.h"

#define DEADLINE_MS 15000
#define PASSWORD    "p%s w\"d" /* whatever an operator may choose */
#ifndef COMMAND_TIMEOUT_MS
#define COMMAND_TIMEOUT_MS \
    "10000" /* a server that stands still for a while is not what most tests are about */
#endif

/* --- the server --- */

static pid_t server_pid; /* 0: not running */
static int server_port;

/* A connection of the test's own; NULL while the server does not answer. */
static inline redisContext *look_open(void)
{
    redisContext *look = redisConnectWithTimeout("127.0.0.1", server_port, (struct timeval){5, 0});
    redisReply *reply = NULL;
    if (look && !look->err)
        reply = redisCommand(look, "AUTH %s", PASSWORD);
    bool ok = reply && reply->type != REDIS_REPLY_ERROR;
    freeReplyObject(reply);
    if (ok)
        freeReplyObject(redisCommand(look, "SELECT 3"));
    else if (look)
        redisFree(look);
    return ok ? look : NULL;
}

static inline void server_start(void)
{
    char port[16];
    snprintf(port, sizeof port, "%d", server_port);
    fflush(stdout);
    server_pid = fork();
    if (server_pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
               "--appendonly", "no", "--logfile", "/dev/null", "--dir", "/tmp", "--enable-debug-command",
               "yes", "--requirepass", PASSWORD, (char *)NULL);
        _exit(127);
    }
    redisContext *look = NULL;
    for (int waited_ms = 0; !look && waited_ms < DEADLINE_MS; waited_ms += 5) {
        poll(NULL, 0, 5);
        look = look_open();
    }
    assert_non_null(look);
    redisFree(look);
}

static inline void server_kill(void)
{
    if (!server_pid)
        return;
    kill(server_pid, SIGKILL);
    waitpid(server_pid, NULL, 0);
    server_pid = 0;
}

/* One command by the test's own connection; an integer, or the length of a text, or -1. */
__attribute__((format(printf, 1, 2))) static inline long long look_int(const char *format, ...)
{
    va_list args;
    redisContext *look = look_open();
    assert_non_null(look);
    va_start(args, format);
    redisReply *reply = redisvCommand(look, format, args);
    va_end(args);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", format, reply->str);
    long long n = reply->type == REDIS_REPLY_INTEGER ? reply->integer
                  : reply->str                       ? (long long)reply->len
                                                     : -1;
    freeReplyObject(reply);
    redisFree(look);
    return n;
}

/* As look_int for a text; "" for none. Valid until the next call. */
__attribute__((format(printf, 1, 2))) static inline const char *look_text(const char *format, ...)
{
    static char text[8192];
    va_list args;
    redisContext *look = look_open();
    assert_non_null(look);
    va_start(args, format);
    redisReply *reply = redisvCommand(look, format, args);
    va_end(args);
    assert_non_null(reply);
    snprintf(text, sizeof text, "%s", reply->str ? reply->str : "");
    freeReplyObject(reply);
    redisFree(look);
    return text;
}

/* --- the loop --- */

static inline int64_t real_ms(void)
{
    return (int64_t)(uv_hrtime() / 1000000);
}

static inline void turn(void)
{
    uv_run(loop_uv(), UV_RUN_NOWAIT);
    poll(NULL, 0, 1);
}

#define run_until(condition)                                               \
    do {                                                                   \
        int64_t until_ms_ = real_ms() + DEADLINE_MS;                       \
        while (!(condition)) {                                             \
            turn();                                                        \
            if (real_ms() > until_ms_)                                     \
                fail_msg("not within %d ms: %s", DEADLINE_MS, #condition); \
        }                                                                  \
    } while (0)

/* --- operations --- */

/* One operation and what came of it. */
struct call {
    void (*submit)(struct flow *f, struct call *c);
    const struct match_request *request;
    const struct session *session;
    struct rate_limit limit;
    struct uuid user_id;
    int64_t retry_after_ms;
    const char *key;
    char text[256];
    bool has_text;
    int seconds;
    bool is_done;
    enum err err;
};

struct call_ctx {
    struct call *call;
    int64_t retry_after_ms;
    struct str value;
};

static inline void call_run(struct flow *f)
{
    struct call_ctx *x = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, x->call->submit(f, x->call));
    FLOW_END(f);
fail:
    return;
}

static inline void call_done(struct flow *f)
{
    struct call_ctx *x = flow_ctx(f);
    x->call->is_done = true;
    x->call->err = flow_error(f);
    x->call->retry_after_ms = x->retry_after_ms;
    x->call->has_text = x->value.p != NULL;
    if (x->value.p)
        assert_true(str_copy(x->value, x->call->text, sizeof x->call->text));
}

static const struct flow_spec call_spec = {"test.call", call_run, sizeof(struct call_ctx), 0};
static const struct flow_spec short_call_spec = {"test.short_call", call_run, sizeof(struct call_ctx), 100};

static inline void call_start_with(struct call *c, const struct flow_spec *spec)
{
    struct flow *f = flow_start(&(struct flow_start){.spec = spec, .done = call_done});
    c->is_done = false;
    ((struct call_ctx *)flow_ctx(f))->call = c;
}

static inline void call_start(struct call *c)
{
    call_start_with(c, &call_spec);
}

static inline enum err call_and_wait(struct call *c)
{
    call_start(c);
    run_until(c->is_done);
    return c->err;
}

static inline void submit_queue_add(struct flow *f, struct call *c)
{
    kv_queue_add(f, c->request, 1);
}

static inline void submit_queue_remove(struct flow *f, struct call *c)
{
    kv_queue_remove(f, &c->request->id, 1);
}

static inline void submit_session_put(struct flow *f, struct call *c)
{
    kv_session_put(f, c->session, 2);
}

static inline void submit_session_clear(struct flow *f, struct call *c)
{
    kv_session_clear(f, c->session);
}

/* What is to be kept is `text`; what was kept is copied there. */
static inline void submit_cache_put(struct flow *f, struct call *c)
{
    kv_cache_put(f, c->key, str_of(c->text), c->seconds);
}

static inline void submit_cache_get(struct flow *f, struct call *c)
{
    struct call_ctx *x = flow_ctx(f);
    kv_cache_get(f, c->key, &x->value);
}

static inline void submit_rate_take(struct flow *f, struct call *c)
{
    struct call_ctx *x = flow_ctx(f);
    kv_rate_take(f, &c->limit, &c->user_id, &x->retry_after_ms);
}

static inline enum err rate_take_now(const char *what, int limit, int64_t window_ms,
                                     const struct uuid *user_id, int64_t *retry_after_ms)
{
    struct call c = {.submit = submit_rate_take,
                     .limit = {what, limit, window_ms},
                     .user_id = *user_id,
                     .retry_after_ms = -1};
    enum err err = call_and_wait(&c);
    *retry_after_ms = c.retry_after_ms;
    return err;
}

static inline struct match_request some_request(void)
{
    struct match_request r = {
        .id = uuid_random(),
        .user_id = uuid_random(),
        .target_language = "en-GB",
        .native_language = "es",
        .topic_code = "restaurant.ordering",
        .preferred_accent = "",
        .display_name = "Ana María",
        .level = LEVEL_B1,
        .topic_category = CATEGORY_TRAVEL,
        .preferred_partner_level = PARTNER_ANY,
        .tier = TIER_PREMIUM,
        .created_at_ms = clock_now_ms(),
        .expires_at_ms = clock_now_ms() + 120000,
    };
    return r;
}

static inline struct session some_session(void)
{
    return (struct session){
        .id = uuid_random(),
        .status = SESSION_ACTIVE,
        .started_at_ms = 1736936940000,
        .participants = {{.user_id = uuid_random()}, {.user_id = uuid_random()}},
    };
}

static inline enum err queue_add_now(const struct match_request *r)
{
    return call_and_wait(&(struct call){.submit = submit_queue_add, .request = r});
}

/* --- set-up --- */

static inline void setting(const char *name, const char *value)
{
    char problem[512];
    setenv(name, value, 1);
    if (!config_load(NULL, problem))
        fail_msg("%s", problem);
}

static inline void kv_start_and_wait(void)
{
    kv_start();
    run_until(kv_is_up());
}

/* Group set-up: a server, the configuration that names it, the loop. kv is not started. */
static inline int world_open(void **state)
{
    (void)state;
    char port[16];
    server_port = free_port();
    snprintf(port, sizeof port, "%d", server_port);
    server_start();
    setenv("REDIS_HOST", "127.0.0.1", 1);
    setenv("REDIS_PORT", port, 1);
    setenv("REDIS_PASSWORD", PASSWORD, 1);
    setenv("REDIS_COMMAND_TIMEOUT_MS", COMMAND_TIMEOUT_MS, 1);
    setting("REDIS_DB", "3");
    log_init("test", LOG_ERROR);
    loop_init();
    clock_update();
    return 0;
}

static inline int world_open_and_connect(void **state)
{
    world_open(state);
    kv_start_and_wait();
    return 0;
}

/* Asserts, in loop_done, that nothing was left in the loop. */
static inline int world_close(void **state)
{
    (void)state;
    kv_stop();
    loop_stop();
    loop_run();
    loop_done();
    config_free();
    metrics_reset();
    server_kill();
    return 0;
}

#endif
