/* What edge tests share: the configuration's defaults, the virtual clock, the loop, and a client on a real
 * loopback connection. Each test program has its own. */
#ifndef TESTS_EDGE_FIXTURE_H
#define TESTS_EDGE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/base/str.h"
#include "conversation/config.h"
#include "conversation/net/conn.h"
#include "conversation/net/settings.h"
#include "conversation/rt/loop.h"
#include "conversation/rt/timer.h"

#define NOW_MS INT64_C(1736937000000) /* 2025-01-15T10:30:00Z */
#define UNUSED __attribute__((unused))

/* --- loop and clock --- */

UNUSED static void edge_set_up(void)
{
    char problem[512];
    clearenv();
    assert_true(config_load(NULL, problem));
    log_init("test", LOG_ERROR);
    clock_set_for_test(NOW_MS, 1000000);
    loop_init();
    net_settings = net_settings_default;
    conn_init();
}

UNUSED static void turns(int n)
{
    while (n-- > 0)
        loop_turn_for_test();
}

UNUSED static void edge_tear_down(void)
{
    conn_close_all();
    turns(3);
    loop_done();
    metrics_reset();
    config_free();
    log_done();
}

UNUSED static void advance(int64_t ms)
{
    clock_set_for_test(clock_now_ms() + ms, clock_mono_ms() + ms);
    timer_wheel_advance(clock_mono_ms());
    turns(2);
}

UNUSED static double metric_value(const char *line_start)
{
    struct buf text = {0};
    double value = -1;
    metrics_render(&text);
    buf_addc(&text, '\0');
    for (const char *p = strstr(text.p, line_start); p; p = strstr(p + 1, line_start))
        if (p[-1] == '\n' && p[strlen(line_start)] == ' ')
            value = strtod(p + strlen(line_start), NULL);
    buf_done(&text);
    return value;
}

/* --- sockets --- */

UNUSED static void set_nonblocking(int fd)
{
    assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

/* Two ends of a TCP connection over loopback. */
UNUSED static void connect_pair(int *client, int *server)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &n), 0);
    *client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(*client, (struct sockaddr *)&a, sizeof a), 0);
    *server = accept(listener, NULL, NULL);
    assert_true(*server >= 0);
    close(listener);
    int on = 1; /* else a test would wait for acknowledgements that the kernel delays */
    setsockopt(*client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(*server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    set_nonblocking(*client);
    set_nonblocking(*server);
}

/* The client's end. */
struct peer {
    int fd;
    struct buf got;
    bool has_ended; /* end of file, or reset */
    bool was_reset;
};

UNUSED static void peer_done(struct peer *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    buf_done(&p->got);
}

/* To a listener on loopback; whether there is one. */
UNUSED static bool try_connect(struct peer *p, int port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *p = (struct peer){.fd = socket(AF_INET, SOCK_STREAM, 0)};
    bool ok = connect(p->fd, (struct sockaddr *)&a, sizeof a) == 0;
    set_nonblocking(p->fd);
    return ok;
}

UNUSED static void peer_pump(struct peer *p)
{
    char bytes[65536];
    loop_turn_for_test();
    for (;;) {
        ssize_t n = recv(p->fd, bytes, sizeof bytes, 0);
        if (n > 0) {
            buf_add(&p->got, bytes, (size_t)n);
            buf_addc(&p->got, '\0'); /* for strstr; not counted */
            p->got.n--;
            continue;
        }
        if (n == 0 || errno == ECONNRESET)
            p->has_ended = true;
        p->was_reset |= n < 0 && errno == ECONNRESET;
        return;
    }
}

/* Bounds a wait that hangs because of a bug; no test depends on how long it is. */
UNUSED static double real_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#define WAIT_S 10

UNUSED static void peer_send_bytes(struct peer *p, const void *bytes, size_t n)
{
    double until = real_seconds() + WAIT_S;
    for (size_t at = 0; at < n;) {
        ssize_t sent = send(p->fd, (const char *)bytes + at, n - at, MSG_NOSIGNAL);
        if (sent > 0)
            at += (size_t)sent;
        else if (errno != EAGAIN)
            return; /* the server has closed: what comes of that is the test's to see */
        else if (real_seconds() > until)
            fail_msg("the server does not read: %zu of %zu bytes sent", at, n);
        peer_pump(p);
    }
}

UNUSED static void peer_send(struct peer *p, const char *text)
{
    peer_send_bytes(p, text, strlen(text));
}

UNUSED static bool peer_has(const struct peer *p, const char *text)
{
    return p->got.n && memmem(p->got.p, p->got.n, text, strlen(text));
}

UNUSED static void peer_expect(struct peer *p, const char *text)
{
    double until = real_seconds() + WAIT_S;
    while (!peer_has(p, text)) {
        if (p->has_ended || real_seconds() > until)
            fail_msg("no \"%s\" in \"%.*s\"%s", text, (int)p->got.n, p->got.p,
                     p->has_ended ? ", closed" : "");
        peer_pump(p);
    }
}

UNUSED static void peer_expect_end(struct peer *p)
{
    double until = real_seconds() + WAIT_S;
    while (!p->has_ended) {
        if (real_seconds() > until)
            fail_msg("still open after \"%.*s\"", (int)p->got.n, p->got.p);
        peer_pump(p);
    }
}

/* Takes what came, so that the next wait sees only what is new. */
UNUSED static void peer_forget(struct peer *p)
{
    p->got.n = 0;
}

UNUSED static size_t peer_times(const struct peer *p, const char *text)
{
    size_t times = 0;
    const char *at = p->got.p, *end = p->got.p + p->got.n;
    while (at && (at = memmem(at, (size_t)(end - at), text, strlen(text)))) {
        times++;
        at += strlen(text);
    }
    return times;
}

#endif
