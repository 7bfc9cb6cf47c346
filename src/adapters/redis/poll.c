/* hiredis' hooks (addRead … cleanup) on one uv_poll handle. The handle outlives the context by a turn of the
 * loop: libuv frees handles late, hiredis its context at once, also from inside the calls made here. */
#include "adapters/redis/poll.h"

#include <hiredis/async.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "conversation/rt/loop.h"

struct redis_poll {
    uv_poll_t uv;
    redisAsyncContext *ac; /* NULL once hiredis let go */
    int events;            /* that hiredis waits for */
    void (*gone)(void *arg);
    void *arg;
};

static void on_events(uv_poll_t *uv, int status, int events)
{
    struct redis_poll *p = uv->data;
    if (status < 0) { /* libuv stopped the handle; reading or writing tells hiredis what happened */
        events = UV_READABLE | UV_WRITABLE;
        uv_poll_start(uv, p->events, on_events);
    }
    if (p->ac && (events & UV_READABLE))
        redisAsyncHandleRead(p->ac);
    if (p->ac && (events & p->events & UV_WRITABLE))
        redisAsyncHandleWrite(p->ac);
}

static void watch(struct redis_poll *p, int events)
{
    if (events == p->events)
        return;
    p->events = events;
    if (events)
        uv_poll_start(&p->uv, events, on_events);
    else
        uv_poll_stop(&p->uv);
}

static void add_read(void *data)
{
    struct redis_poll *p = data;
    watch(p, p->events | UV_READABLE);
}

static void del_read(void *data)
{
    struct redis_poll *p = data;
    watch(p, p->events & ~UV_READABLE);
}

static void add_write(void *data)
{
    struct redis_poll *p = data;
    watch(p, p->events | UV_WRITABLE);
}

static void del_write(void *data)
{
    struct redis_poll *p = data;
    watch(p, p->events & ~UV_WRITABLE);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void cleanup(void *data)
{
    struct redis_poll *p = data;
    memset(&p->ac->ev, 0, sizeof p->ac->ev); /* no hook is called again */
    p->gone(p->arg);
    p->ac = NULL;
    uv_poll_stop(&p->uv);
    uv_close((uv_handle_t *)&p->uv, on_closed);
}

int redis_poll_attach(struct redisAsyncContext *ac, void (*gone)(void *arg), void *arg)
{
    struct redis_poll *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    int rc = uv_poll_init(loop_uv(), &p->uv, ac->c.fd);
    if (rc < 0) {
        free(p);
        return rc;
    }
    p->uv.data = p;
    p->ac = ac;
    p->gone = gone;
    p->arg = arg;
    ac->ev.addRead = add_read;
    ac->ev.delRead = del_read;
    ac->ev.addWrite = add_write;
    ac->ev.delWrite = del_write;
    ac->ev.cleanup = cleanup;
    ac->ev.data = p;
    return 0;
}
