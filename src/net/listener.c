/* Listening sockets on uv_poll. */
#include "conversation/net/listener.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/net/conn.h"
#include "conversation/net/http.h"
#include "conversation/net/settings.h"
#include "sources.h"

#define LISTENERS_MAX  3
#define ACCEPTS_A_TURN 64  /* others must get their turn too */
#define NO_FD_PAUSE_MS 100 /* while descriptors are out, before accept is tried again */
#define OPS_RESERVE    64  /* connections that a full server still takes from probes and scrapers */

struct listener {
    uv_poll_t poll;
    struct timer pause;
    int fd;
    struct listener_setup setup;
    bool is_open;
};

static struct listener listeners[LISTENERS_MAX];
static int listener_count;
static int spare_fd = -1; /* in reserve for when there is no other; -1: not even that */

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void take_spare(void)
{
    spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_pause_over(struct timer *t)
{
    struct listener *l = container_of(t, struct listener, pause);
    if (spare_fd < 0)
        take_spare();
    uv_poll_start(&l->poll, UV_READABLE, on_acceptable);
}

/* --- connections that are not wanted --- */

enum refusal { AT_LIMIT, AT_ADDRESS_LIMIT, NO_DESCRIPTORS };

static const struct {
    const char *label, *event; /* of the metric, of the log */
} refusals[] = {
    [AT_LIMIT] = {"limit", "listener.full"},
    [AT_ADDRESS_LIMIT] = {"address", "listener.address_full"},
    [NO_DESCRIPTORS] = {"descriptors", "listener.exhausted"},
};

/* A word of why, as far as it costs nothing: no waiting, no TLS handshake. */
static void say_full(int fd)
{
    static const struct str text =
        STR("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 21\r\n\r\ntoo many connections\n");
    static char unread[4096];
    (void)!send(fd, text.p, text.n, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    (void)!recv(fd, unread, sizeof unread, 0); /* a request left unread would take the answer away */
}

static void refuse(const struct listener *l, int fd, const struct sockaddr_storage *peer, enum refusal why)
{
    static int64_t told_ms[NO_DESCRIPTORS + 1];
    char address[SOURCE_TEXT_MAX];
    if (!l->setup.uses_tls)
        say_full(fd);
    close(fd);
    metric_inc(M_HTTP_REFUSED, refusals[why].label);
    if (!log_is_time(&told_ms[why]))
        return;
    source_format(peer, address);
    LOG(LOG_WARN, refusals[why].event, LOG_INT("connections", (int64_t)conn_count()),
        LOG_Z("address", why == AT_ADDRESS_LIMIT ? address : NULL));
}

/* --- accepting --- */

static bool is_full(const struct listener *l)
{
    size_t limit = net_settings.max_connections + (l->setup.serves_api ? 0 : OPS_RESERVE);
    return conn_count() >= limit;
}

static void take(const struct listener *l, int fd, const struct sockaddr_storage *peer)
{
    struct source *source = NULL;
    int on = 1;
    if (is_full(l)) {
        refuse(l, fd, peer, AT_LIMIT);
        return;
    }
    if (l->setup.serves_api && !source_take(peer, &source)) {
        refuse(l, fd, peer, AT_ADDRESS_LIMIT);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct conn *c = http_accept(fd);
    if (!c) {
        source_release(source);
        return;
    }
    c->source = source;
    c->on_api_port = l->setup.serves_api;
    c->on_ops_port = l->setup.serves_ops;
    if (l->setup.uses_tls)
        conn_start_tls(c);
}

/* A connection waits in the backlog that cannot be had for now; polling on would spin. */
static void pause_accepting(struct listener *l, int error)
{
    static int64_t told_ms;
    if (log_is_time(&told_ms))
        LOG(LOG_ERROR, "listener.paused", LOG_Z("error", strerror(error)),
            LOG_INT("connections", (int64_t)conn_count()));
    uv_poll_stop(&l->poll);
    timer_start(&l->pause, NO_FD_PAUSE_MS, on_pause_over);
}

static int accept_from(const struct listener *l, struct sockaddr_storage *peer)
{
    socklen_t n = sizeof *peer;
    return accept4(l->fd, (struct sockaddr *)peer, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* The descriptor in reserve serves to tell the client instead of leaving it waiting. 0, or why not; EAGAIN:
 * none waits, which the kernel does not look at while there is no descriptor. */
static int refuse_without_descriptors(const struct listener *l)
{
    struct sockaddr_storage peer = {0};
    if (spare_fd < 0)
        return EMFILE;
    close(spare_fd);
    int fd = accept_from(l, &peer), error = fd < 0 ? errno : 0;
    if (fd >= 0)
        refuse(l, fd, &peer, NO_DESCRIPTORS);
    take_spare();
    return error;
}

/* False: nothing more to accept now. */
static bool accept_one(struct listener *l)
{
    struct sockaddr_storage peer = {0};
    int fd = accept_from(l, &peer);
    if (fd >= 0) {
        take(l, fd, &peer);
        return true;
    }
    int error = errno;
    if (error == EMFILE)
        error = refuse_without_descriptors(l);
    if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
        pause_accepting(l, error);
        return false;
    }
    return error != EAGAIN; /* a connection that was reset before we got to it is no reason to stop */
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
    if (listener_count++ == 0)
        take_spare();
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
    if (spare_fd >= 0)
        close(spare_fd);
    spare_fd = -1;
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
