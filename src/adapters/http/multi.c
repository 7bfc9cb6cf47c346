/* The three hooks of curl_multi_socket_action: sockets to watch, a timer to set, and telling it of both. */
#include "adapters/http/multi.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

struct watch {
    uv_poll_t uv;
    struct http_multi *multi;
    curl_socket_t fd;
    int events; /* that libcurl waits for */
};

static void report_ended(struct http_multi *m)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(m->curl, &left))) {
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;
        curl_multi_remove_handle(m->curl, easy); /* `message` is gone with it */
        m->ended(easy, result);
    }
}

static void act(struct http_multi *m, curl_socket_t fd, int events)
{
    int running;
    curl_multi_socket_action(m->curl, fd, events, &running);
    report_ended(m);
}

/* --- sockets --- */

static void on_events(uv_poll_t *uv, int status, int events)
{
    struct watch *w = uv->data;
    int curl_events =
        (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
    if (status < 0) { /* libuv stopped the handle; reading and writing tell libcurl what happened */
        curl_events = CURL_CSELECT_IN | CURL_CSELECT_OUT;
        uv_poll_start(uv, w->events, on_events);
    }
    act(w->multi, w->fd, curl_events); /* may close the handle */
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void unwatch(struct watch *w)
{
    uv_poll_stop(&w->uv); /* now: libcurl closes the descriptor before the handle is closed */
    uv_close((uv_handle_t *)&w->uv, on_closed);
}

static struct watch *watch_new(struct http_multi *m, curl_socket_t fd)
{
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    if (uv_poll_init(loop_uv(), &w->uv, fd) < 0) {
        free(w);
        return NULL;
    }
    w->uv.data = w;
    w->multi = m;
    w->fd = fd;
    curl_multi_assign(m->curl, fd, w);
    return w;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket)
{
    struct http_multi *m = arg;
    struct watch *w = of_socket;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w)
            unwatch(w);
        curl_multi_assign(m->curl, fd, NULL);
        return 0;
    }
    if (!w && !(w = watch_new(m, fd)))
        return -1; /* the transfers fail with CURLE_ABORTED_BY_CALLBACK */
    w->events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    uv_poll_start(&w->uv, w->events, on_events);
    return 0;
}

/* --- time --- */

static void on_task(struct loop_task *t)
{
    act(container_of(t, struct http_multi, task), CURL_SOCKET_TIMEOUT, 0);
}

static void on_due(struct timer *t)
{
    act(container_of(t, struct http_multi, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int on_timeout(CURLM *curl, long ms, void *arg)
{
    struct http_multi *m = arg;
    (void)curl;
    timer_stop(&m->timer);
    loop_undefer(&m->task);
    if (ms == 0)
        loop_defer(&m->task);
    else if (ms > 0)
        timer_start(&m->timer, ms, on_due);
    return 0;
}

/* --- life --- */

void http_multi_init(struct http_multi *m, long connections_max)
{
    m->task.run = on_task;
    m->curl = curl_multi_init();
    if (!m->curl)
        abort();
    curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m);
    curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m);
    curl_multi_setopt(m->curl, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections_max);
    curl_multi_setopt(m->curl, CURLMOPT_MAXCONNECTS, connections_max);
}

void http_multi_add(struct http_multi *m, CURL *easy)
{
    CURLMcode code = curl_multi_add_handle(m->curl, easy);
    assert(code == CURLM_OK); /* fails only for a handle that is in already, and without memory */
}

void http_multi_remove(struct http_multi *m, CURL *easy)
{
    curl_multi_remove_handle(m->curl, easy);
}

void http_multi_done(struct http_multi *m)
{
    curl_multi_cleanup(m->curl);
    timer_stop(&m->timer);
    loop_undefer(&m->task);
    m->curl = NULL;
}
