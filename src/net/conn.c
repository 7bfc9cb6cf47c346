/* Connections over uv_poll. Invariant: a connection with unsent bytes is in `dirty` or waits for UV_WRITABLE.
 * What was written is sent at the end of the turn, in one call a connection; in a turn with many events every
 * DIRTY_MAX connections, while what they were given to send is still in the processor's cache. */
#include "conversation/net/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conversation/base/metrics.h"
#include "conversation/net/settings.h"
#include "sources.h"
#include "tls.h"

#define READ_BYTES (64 * 1024)
#define PAUSED_IN_BYTES \
    (64 * 1024)          /* kept while paused; a peer that sends more waits in the kernel's buffers */
#define SPARE_BYTES 4096 /* larger buffers are not kept for the next */
#define SPARES_MAX  1024 /* what one turn may need: the loop takes up to 1024 events at once */
#define DIRTY_MAX   32
#define LINGER_MS   2000 /* for the peer to read an answer before the reset that unread input would cause */

static struct list all = {&all, &all}, dirty = {&dirty, &dirty};
static size_t count, dirty_count; /* dirty_count: added since all were flushed */
static char read_buffer[READ_BYTES];

static struct buf spares[SPARES_MAX]; /* small and empty; the latest is still in the processor's cache */
static size_t spare_count;

static void on_event(uv_poll_t *poll, int status, int events);

/* --- memory: a connection at rest keeps none, and one that is busy does not allocate for each message --- */

static void take_buffer(struct buf *b)
{
    if (!b->p && spare_count > 0)
        *b = spares[--spare_count];
}

static void give_buffer(struct buf *b)
{
    if (!b->p || b->cap > SPARE_BYTES || spare_count == SPARES_MAX) {
        buf_done(b);
        return;
    }
    b->n = 0;
    spares[spare_count++] = *b;
    *b = (struct buf){0};
}

static void set_state(struct conn *c, enum conn_state to)
{
    static const bool is_legal[4][4] = {
        [CONN_OPEN] = {[CONN_FLUSHING] = true, [CONN_CLOSED] = true},
        [CONN_FLUSHING] = {[CONN_LINGERING] = true, [CONN_CLOSED] = true},
        [CONN_LINGERING] = {[CONN_CLOSED] = true},
    };
    assert(is_legal[c->state][to]);
    c->state = to;
}

/* --- closing --- */

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = container_of(handle, struct conn, poll);
    buf_done(&c->in);
    buf_done(&c->out);
    free(c);
}

static void end_protocol(struct conn *c)
{
    timer_stop(&c->timer);
    loop_undefer(&c->again);
    c->protocol->closed(c);
    c->data = NULL;
}

void conn_close(struct conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    bool was_open = c->state == CONN_OPEN;
    set_state(c, CONN_CLOSED);
    if (was_open)
        end_protocol(c);
    timer_stop(&c->progress);
    tls_end(c->tls);
    c->tls = NULL;
    source_release(c->source);
    list_remove(&c->dirty);
    list_remove(&c->all);
    metric_set(M_HTTP_CONNECTIONS, (double)--count, NULL);
    uv_poll_stop(&c->poll);
    close(c->fd);
    uv_close((uv_handle_t *)&c->poll, on_closed);
}

static void on_linger_over(struct timer *t)
{
    conn_close(container_of(t, struct conn, progress));
}

static void on_no_progress(struct timer *t)
{
    struct conn *c = container_of(t, struct conn, progress);
    if (c->protocol->stuck)
        c->protocol->stuck(c);
    conn_close(c);
}

/* --- what is watched --- */

static size_t held(const struct conn *c)
{
    return c->in.n - c->in_taken;
}

static void watch(struct conn *c)
{
    int events = 0;
    if (!c->peer_ended && !(c->is_paused && held(c) >= PAUSED_IN_BYTES))
        events |= UV_READABLE;
    if ((conn_unsent(c) > 0 && !list_is_linked(&c->dirty)) || (c->tls && tls_wants_write(c->tls)))
        events |= UV_WRITABLE;
    if (events == c->poll_events)
        return;
    c->poll_events = events;
    if (events)
        uv_poll_start(&c->poll, events, on_event);
    else
        uv_poll_stop(&c->poll);
}

/* --- writing --- */

size_t conn_unsent(const struct conn *c)
{
    return c->out.n - c->out_sent;
}

static void mark_dirty(struct conn *c)
{
    if (list_is_linked(&c->dirty) || (c->poll_events & UV_WRITABLE))
        return;
    list_add_tail(&dirty, &c->dirty);
    dirty_count++;
}

static void add_parts(struct buf *b, const struct str *parts, int part_count, size_t total)
{
    take_buffer(b);
    buf_reserve(b, total);
    for (int i = 0; i < part_count; i++) {
        if (parts[i].n)
            memcpy(b->p + b->n, parts[i].p, parts[i].n);
        b->n += parts[i].n;
    }
}

bool conn_write(struct conn *c, const struct str *parts, int part_count, size_t limit)
{
    if (c->state != CONN_OPEN)
        return true;
    size_t total = 0;
    for (int i = 0; i < part_count; i++)
        total += parts[i].n;
    if (conn_unsent(c) + total > limit)
        return false;
    if (c->out_sent > c->out.n / 2) { /* else a peer that never quite catches up would let `out` grow on */
        buf_consume(&c->out, c->out_sent);
        c->out_sent = 0;
    }
    add_parts(&c->out, parts, part_count, total);
    mark_dirty(c);
    return true;
}

static void all_sent(struct conn *c)
{
    give_buffer(&c->out);
    c->out_sent = 0;
    if (c->state == CONN_FLUSHING && c->peer_ended) {
        conn_close(c);
    } else if (c->state == CONN_FLUSHING) {
        set_state(c, CONN_LINGERING);
        tls_end(c->tls);
        c->tls = NULL;
        shutdown(c->fd, SHUT_WR);
        timer_start(&c->progress, LINGER_MS, on_linger_over);
    } else if (c->state == CONN_OPEN && c->protocol->sent) {
        c->protocol->sent(c);
    }
}

/* Sends what the kernel takes; false: the peer is gone, and the connection closed. */
static bool send_out(struct conn *c)
{
    while (conn_unsent(c) > 0) {
        const char *p = c->out.p + c->out_sent;
        ssize_t n =
            c->tls ? tls_write(c->tls, p, conn_unsent(c)) : send(c->fd, p, conn_unsent(c), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n < 0) {
            conn_close(c);
            return false;
        }
        c->out_sent += (size_t)n;
        timer_stop(&c->progress);
        if (!c->tls && conn_unsent(c) > 0)
            return true; /* the kernel took what it had room for; TLS sends a record at a time */
    }
    return true;
}

static void flush(struct conn *c)
{
    list_remove(&c->dirty);
    if (!send_out(c))
        return;
    if (conn_unsent(c) == 0)
        all_sent(c);
    else if (!timer_is_running(&c->progress))
        timer_start(&c->progress, net_settings.body_timeout_ms, on_no_progress);
    if (c->state != CONN_CLOSED)
        watch(c);
}

static void flush_dirty(void)
{
    while (!list_is_empty(&dirty))
        flush(LIST_FIRST(&dirty, struct conn, dirty));
    dirty_count = 0;
}

void conn_finish(struct conn *c)
{
    if (c->state != CONN_OPEN)
        return;
    set_state(c, CONN_FLUSHING);
    end_protocol(c);
    c->is_paused = false;
    if (c->state != CONN_CLOSED) /* by the protocol, which was told that it ends */
        mark_dirty(c);           /* also when nothing is unsent: flush then starts to linger */
}

/* --- reading --- */

/* Offers bytes until the protocol takes no more, closes or pauses; returns how many were taken. */
static size_t offer(struct conn *c, char *p, size_t n)
{
    size_t taken = 0;
    while (taken < n && c->state == CONN_OPEN && !c->is_paused) {
        const struct conn_protocol *protocol = c->protocol;
        size_t took = protocol->received(c, p + taken, n - taken);
        taken += took;
        if (took == 0 && c->protocol == protocol)
            break;
    }
    return taken;
}

static void hold(struct conn *c, const char *p, size_t n)
{
    if (n == 0)
        return;
    take_buffer(&c->in);
    buf_consume(&c->in, c->in_taken);
    c->in_taken = 0;
    buf_add(&c->in, p, n);
}

static void offer_held(struct conn *c)
{
    c->in_taken += offer(c, c->in.p + c->in_taken, held(c));
    if (held(c) == 0) {
        give_buffer(&c->in);
        c->in_taken = 0;
    }
}

static void received(struct conn *c, size_t n)
{
    if (held(c) == 0 && !c->is_paused) {
        size_t taken = offer(c, read_buffer, n);
        if (c->state == CONN_OPEN)
            hold(c, read_buffer + taken, n - taken);
        return;
    }
    hold(c, read_buffer, n);
    if (!c->is_paused)
        offer_held(c);
}

/* As Node does, a peer that ends its side ends the connection; what has been written it still gets. */
static void ended(struct conn *c)
{
    c->peer_ended = true;
    conn_finish(c);
    if (conn_unsent(c) == 0)
        conn_close(c);
}

/* Somebody took the port for one of plain HTTP: in those words it is told. */
static void refuse_plain(struct conn *c)
{
    static const struct str answer =
        STR("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Content-Length: 28\r\n\r\nthis port speaks HTTPS only\n");
    tls_end(c->tls);
    c->tls = NULL;
    (void)conn_write(c, &answer, 1, SIZE_MAX);
    conn_finish(c);
}

static void readable_once(struct conn *c)
{
    ssize_t n = c->tls ? tls_read(c->tls, read_buffer, sizeof read_buffer)
                       : recv(c->fd, read_buffer, sizeof read_buffer, 0);
    if (n > 0 && c->state == CONN_OPEN)
        received(c, (size_t)n);
    else if (n == 0)
        ended(c);
    else if (n < 0 && errno == EPROTOTYPE && c->state == CONN_OPEN)
        refuse_plain(c);
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        conn_close(c);
}

static void readable(struct conn *c)
{
    readable_once(c);
    if (c->tls && tls_is_over(c->tls)) /* came with the last bytes; the socket has nothing more to tell */
        readable_once(c);
    if (c->state != CONN_CLOSED)
        watch(c);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct conn *c = container_of(poll, struct conn, poll);
    if (status < 0) { /* POLLERR: send and recv say what it is; libuv has stopped watching */
        c->poll_events = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    if ((events & UV_WRITABLE) && c->tls && tls_wants_write(c->tls))
        events |= UV_READABLE; /* reading goes on */
    if (events & UV_WRITABLE)
        flush(c);
    if ((events & UV_READABLE) && c->state != CONN_CLOSED)
        readable(c);
    if (dirty_count >= DIRTY_MAX)
        flush_dirty();
}

static void on_again(struct loop_task *t)
{
    struct conn *c = container_of(t, struct conn, again);
    c->is_paused = false;
    if (held(c) > 0)
        offer_held(c);
    if (c->state != CONN_CLOSED)
        watch(c);
}

void conn_pause(struct conn *c)
{
    c->is_paused = true;
    loop_undefer(&c->again);
}

void conn_resume(struct conn *c)
{
    if (c->state == CONN_OPEN && !list_is_linked(&c->again.link))
        loop_defer(&c->again);
}

/* --- the rest --- */

void conn_set_protocol(struct conn *c, const struct conn_protocol *protocol, void *data)
{
    timer_stop(&c->timer);
    c->protocol = protocol;
    c->data = data;
}

struct conn *conn_new(int fd, const struct conn_protocol *protocol, void *data)
{
    struct conn *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    if (uv_poll_init(loop_uv(), &c->poll, fd) < 0) {
        close(fd);
        free(c);
        return NULL;
    }
    c->fd = fd;
    c->protocol = protocol;
    c->data = data;
    c->again.run = on_again;
    list_add_tail(&all, &c->all);
    metric_set(M_HTTP_CONNECTIONS, (double)++count, NULL);
    watch(c);
    return c;
}

void conn_start_tls(struct conn *c)
{
    c->tls = tls_new(c->fd);
}

void conn_init(void)
{
    loop_at_turn_end(flush_dirty);
}

size_t conn_count(void)
{
    return count;
}

void conn_each(void (*visit)(struct conn *c))
{
    LIST_EACH_SAFE (n, after, &all)
        visit(container_of(n, struct conn, all));
}

void conn_close_all(void)
{
    while (!list_is_empty(&all))
        conn_close(LIST_FIRST(&all, struct conn, all));
    while (spare_count > 0)
        buf_done(&spares[--spare_count]);
}
