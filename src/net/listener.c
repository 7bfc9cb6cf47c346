/* Listening sockets on uv_poll. */
#include "conversation/net/listener.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/net/conn.h"
#include "conversation/net/http.h"
#include "conversation/net/settings.h"

#define LISTENERS_MAX  3
#define ACCEPTS_A_TURN 64    /* others must get their turn too */
#define NO_FD_PAUSE_MS 100   /* while descriptors are out, before accept is tried again */
#define TELL_EVERY_MS  10000 /* at most one log line of a kind in this time, whatever clients do */
#define OPS_RESERVE    64    /* connections that a full server still takes from probes and scrapers */

struct listener {
    uv_poll_t poll;
    struct timer pause;
    int fd;
    struct listener_setup setup;
    bool is_open;
};

static struct listener listeners[LISTENERS_MAX];
static int listener_count;

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void on_pause_over(struct timer *t)
{
    struct listener *l = container_of(t, struct listener, pause);
    uv_poll_start(&l->poll, UV_READABLE, on_acceptable);
}

static void take(const struct listener *l, int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct conn *c = http_accept(fd);
    if (!c)
        return;
    c->on_api_port = l->setup.serves_api;
    c->on_ops_port = l->setup.serves_ops;
    if (l->setup.uses_tls)
        conn_start_tls(c);
}

/* May this be told again? *last_ms is when it was told last, 0 for never. */
static bool is_time_to_tell(int64_t *last_ms)
{
    int64_t now_ms = clock_mono_ms();
    if (*last_ms && now_ms - *last_ms < TELL_EVERY_MS)
        return false;
    *last_ms = now_ms;
    return true;
}

static bool is_full(const struct listener *l)
{
    size_t limit = net_settings.max_connections + (l->setup.serves_api ? 0 : OPS_RESERVE);
    return conn_count() >= limit;
}

static void refuse(int fd)
{
    static int64_t told_ms;
    close(fd);
    metric_inc(M_HTTP_REFUSED, NULL);
    if (is_time_to_tell(&told_ms))
        LOG(LOG_WARN, "listener.full", LOG_INT("connections", (int64_t)conn_count()));
}

/* A connection waits in the backlog that cannot be had for now; polling on would spin. */
static void pause_accepting(struct listener *l, int error)
{
    static int64_t told_ms;
    if (is_time_to_tell(&told_ms))
        LOG(LOG_ERROR, "listener.exhausted", LOG_Z("error", strerror(error)),
            LOG_INT("connections", (int64_t)conn_count()));
    uv_poll_stop(&l->poll);
    timer_start(&l->pause, NO_FD_PAUSE_MS, on_pause_over);
}

/* False: nothing more to accept now. */
static bool accept_one(struct listener *l)
{
    int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        if (is_full(l))
            refuse(fd);
        else
            take(l, fd);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        pause_accepting(l, errno);
        return false;
    }
    return errno != EAGAIN; /* a connection that was reset before we got to it is no reason to stop */
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct listener *l = container_of(poll, struct listener, poll);
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN && accept_one(l); i++)
        continue;
}

/* IPv6 any-address also takes IPv4, where the kernel allows it. */
static int bind_socket(const struct listener_setup *s)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)s->port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};
    bool is_v4 = inet_pton(AF_INET, s->address, &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, s->address, &v6.sin6_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    int on = 1, off = 0;
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!is_v4)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    const struct sockaddr *address = is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
    if (bind(fd, address, is_v4 ? sizeof v4 : sizeof v6) < 0 || listen(fd, SOMAXCONN) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static int bound_port(int fd)
{
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &n) < 0)
        return 0;
    return ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)&a)->sin_port
                                        : ((struct sockaddr_in6 *)&a)->sin6_port);
}

bool listener_open(const struct listener_setup *setup, const char **problem)
{
    assert(listener_count < LISTENERS_MAX);
    struct listener *l = &listeners[listener_count];
    *l = (struct listener){.setup = *setup};
    l->fd = bind_socket(setup);
    if (l->fd < 0) {
        *problem = strerror(errno);
        return false;
    }
    l->setup.port = bound_port(l->fd);
    int rc = uv_poll_init(loop_uv(), &l->poll, l->fd);
    if (rc < 0) {
        close(l->fd);
        *problem = uv_strerror(rc);
        return false;
    }
    uv_poll_start(&l->poll, UV_READABLE, on_acceptable); /* fails only on a closing handle */
    l->is_open = true;
    listener_count++;
    return true;
}

int listener_port(void)
{
    for (int i = 0; i < listener_count; i++)
        if (listeners[i].setup.serves_api)
            return listeners[i].setup.port;
    return 0;
}

int listener_last_port(void)
{
    return listener_count ? listeners[listener_count - 1].setup.port : 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct listener *l = container_of(handle, struct listener, poll);
    close(l->fd);
    listener_count--; /* all close together */
}

void listener_close_all(void)
{
    for (int i = 0; i < listener_count; i++) {
        struct listener *l = &listeners[i];
        if (!l->is_open)
            continue;
        l->is_open = false;
        timer_stop(&l->pause);
        uv_poll_stop(&l->poll);
        shutdown(l->fd, SHUT_RDWR); /* new connections are refused at once, not when the handle has closed */
        uv_close((uv_handle_t *)&l->poll, on_closed);
    }
}
