#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS     1024
#define READ_BYTES 65536

static int epoll_fd = -1;
static struct {
    struct link **items;
    size_t n, size;
} dirty;

void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

void *must_alloc(size_t count, size_t size)
{
    void *p = calloc(count, size);
    if (!p)
        die("out of memory");
    return p;
}

int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void *must_grow(void *p, size_t bytes)
{
    p = realloc(p, bytes);
    if (!p)
        die("out of memory");
    return p;
}

void bytes_add(struct bytes *b, const void *p, size_t n)
{
    if (n == 0)
        return;
    if (b->n + n > b->size) {
        b->size = 2 * (b->n + n);
        b->p = must_grow(b->p, b->size);
    }
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void bytes_add_text(struct bytes *b, const char *text)
{
    bytes_add(b, text, strlen(text));
}

void bytes_drop(struct bytes *b, size_t n)
{
    b->n -= n;
    memmove(b->p, b->p + n, b->n);
}

void link_open(struct link *l, int port, size_t (*received)(struct link *, const char *, size_t))
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (epoll_fd < 0)
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    *l = (struct link){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .received = received};
    if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("cannot connect to port %d: %s", port, strerror(errno));
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = l};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, l->fd, &event) != 0)
        die("epoll_ctl: %s", strerror(errno));
}

void link_send(struct link *l, const void *p, size_t n)
{
    bytes_add(&l->out, p, n);
    if (l->is_dirty)
        return;
    l->is_dirty = true;
    if (dirty.n == dirty.size) {
        dirty.size = dirty.size ? 2 * dirty.size : 64;
        dirty.items = must_grow(dirty.items, dirty.size * sizeof(*dirty.items));
    }
    dirty.items[dirty.n++] = l;
}

/* What is in flight is bounded and small: a socket that takes no more is a server that does not read. */
static void send_collected(void)
{
    for (size_t i = 0; i < dirty.n; i++) {
        struct link *l = dirty.items[i];
        ssize_t n = send(l->fd, l->out.p, l->out.n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n != (ssize_t)l->out.n)
            die("the server does not read: %s", n < 0 ? strerror(errno) : "short write");
        l->out.n = 0;
        l->is_dirty = false;
    }
    dirty.n = 0;
}

static size_t hand_out(struct link *l, const char *p, size_t n)
{
    size_t used = 0, took = 1;
    while (used < n && took > 0) {
        took = l->received(l, p + used, n - used);
        used += took;
    }
    return used;
}

static void receive(struct link *l)
{
    static char chunk[READ_BYTES];
    ssize_t n = recv(l->fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        die("connection lost: %s", n == 0 ? "closed by the server" : strerror(errno));
    if (n < 0)
        return;
    if (l->in.n == 0) {
        size_t used = hand_out(l, chunk, (size_t)n);
        bytes_add(&l->in, chunk + used, (size_t)n - used);
    } else {
        bytes_add(&l->in, chunk, (size_t)n);
        bytes_drop(&l->in, hand_out(l, l->in.p, l->in.n));
    }
}

void link_turn(int64_t until_ns)
{
    struct epoll_event events[EVENTS];
    int64_t left = until_ns - now_ns();
    send_collected();
    if (left < 0)
        left = 0;
    struct timespec wait = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    int n = epoll_pwait2(epoll_fd, events, EVENTS, &wait, NULL);
    if (n < 0 && errno != EINTR)
        die("epoll: %s", strerror(errno));
    for (int i = 0; i < n; i++)
        receive(events[i].data.ptr);
    send_collected();
}
