/* The HTTP protocol of a connection: timeouts, one request at a time, answers. Invariant: from the end of a
 * request until its answer has been written the connection is paused and the reader not fed. */
#include "conversation/net/http.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/net/settings.h"
#include "http_reader.h"

struct http {
    struct http_reader reader;
    void (*received)(void *arg, bool is_complete); /* set with `arg` while a body is received */
    void (*gone)(void *arg);                       /* set with `arg` while an answer is being prepared */
    void *arg;
    bool is_answering, close_after;
    bool waits_for_reader; /* answers the peer has not read keep the next request waiting */
};

static const struct http_user *user;
static bool is_draining;

void http_init(const struct http_user *user_)
{
    user = user_;
    is_draining = false;
}

/* --- a request is there, or will never be --- */

static void begin_answer(struct conn *c)
{
    struct http *h = c->data;
    timer_stop(&c->timer);
    h->is_answering = true;
    conn_pause(c);
}

static void tell_received(struct http *h, bool is_complete)
{
    void (*tell)(void *arg, bool is_complete) = h->received;
    h->received = NULL;
    if (tell)
        tell(h->arg, is_complete);
}

static void refuse(struct conn *c, enum err err, const char *reason)
{
    struct http *h = c->data;
    tell_received(h, false);
    begin_answer(c);
    h->close_after = true;
    user->refuse(c, http_reader_request(&h->reader), err, reason);
}

static void complete(struct conn *c)
{
    struct http *h = c->data;
    tell_received(h, true);
    begin_answer(c);
    h->close_after = !http_reader_keeps_alive(&h->reader);
    user->request(c, http_reader_request(&h->reader));
}

/* Who still reads the last answer is not idle; that it does read is the connection's to watch. */
static void on_idle(struct timer *t)
{
    struct conn *c = container_of(t, struct conn, timer);
    if (conn_unsent(c) > 0)
        timer_start(t, net_settings.keep_alive_timeout_ms, on_idle);
    else
        conn_close(c);
}

static void on_too_slow(struct timer *t)
{
    refuse(container_of(t, struct conn, timer), ERR_REQUEST_TIMEOUT, "the request did not arrive in time");
}

/* A client that asked for it waits for our word before it sends the body (RFC 9110 section 10.1.1). */
static void body_follows(struct conn *c)
{
    static const struct str go_on = STR("HTTP/1.1 100 Continue\r\n\r\n");
    struct http *h = c->data;
    timer_start(&c->timer, net_settings.body_timeout_ms, on_too_slow);
    if (user->body_follows)
        user->body_follows(c, http_reader_request(&h->reader));
    if (http_reader_expects_continue(&h->reader))
        (void)conn_write(c, &go_on, 1, SIZE_MAX); /* one a request */
}

static void stage_changed(struct conn *c)
{
    struct http *h = c->data;
    switch (h->reader.stage) {
    case HTTP_IDLE: break;
    case HTTP_HEADERS: timer_start(&c->timer, net_settings.header_timeout_ms, on_too_slow); break;
    case HTTP_BODY: body_follows(c); break;
    case HTTP_COMPLETE: complete(c); break;
    case HTTP_BAD: refuse(c, h->reader.problem, h->reader.reason); break;
    }
}

static size_t received(struct conn *c, char *p, size_t n)
{
    struct http *h = c->data;
    enum http_stage before = h->reader.stage;
    size_t used = http_reader_read(&h->reader, p, n);
    if (h->reader.stage != before)
        stage_changed(c); /* may have freed h */
    return used;
}

static void sent(struct conn *c)
{
    struct http *h = c->data;
    if (h->waits_for_reader)
        conn_resume(c);
    h->waits_for_reader = false;
}

static void http_free(struct http *h)
{
    http_reader_done(&h->reader);
    free(h);
}

static void closed(struct conn *c)
{
    struct http *h = c->data;
    tell_received(h, false);
    if (h->gone)
        h->gone(h->arg);
    http_free(h);
}

static void stuck(struct conn *c)
{
    static int64_t told_ms;
    metric_inc(M_HTTP_SLOW_CLOSED, NULL);
    if (log_is_time(&told_ms))
        LOG(LOG_WARN, "http.slow_reader", LOG_INT("unsentBytes", (int64_t)conn_unsent(c)));
}

static const struct conn_protocol http_protocol = {
    .received = received, .sent = sent, .stuck = stuck, .closed = closed};

/* --- answers --- */

void http_set_answering(struct conn *c, void (*gone)(void *arg), void *arg)
{
    struct http *h = c->data;
    assert(h->is_answering);
    h->gone = gone;
    h->arg = arg;
}

void http_set_receiving(struct conn *c, void (*received_)(void *arg, bool is_complete), void *arg)
{
    struct http *h = c->data;
    assert(h->reader.stage == HTTP_BODY);
    h->received = received_;
    h->arg = arg;
}

void http_forget_request(struct conn *c)
{
    struct http *h = c->data;
    assert(h->is_answering);
    http_reader_done(&h->reader);
}

/* RFC 9110 section 5.6.7; made once a second. */
static struct str date_line(void)
{
    static char line[64];
    static size_t n;
    static time_t made_for = -1;
    time_t now = (time_t)(clock_now_ms() / 1000);
    if (now != made_for) {
        struct tm tm;
        gmtime_r(&now, &tm);
        n = strftime(line, sizeof line, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
        made_for = now;
    }
    return (struct str){line, n};
}

/* `number` in decimal, at the end of `space`. */
static struct str decimal(size_t number, char space[20])
{
    size_t at = 20;
    do
        space[--at] = (char)('0' + number % 10);
    while (number /= 10);
    return (struct str){space + at, 20 - at};
}

static void write_response(struct conn *c, const struct http_response *r, bool close)
{
    char status[20], length[20];
    const struct str head[] = {
        STR("HTTP/1.1 "),
        decimal((size_t)r->status, status),
        STR(" "),
        str_of(err_http_reason(r->status)),
        close ? STR("\r\nConnection: close\r\n") : STR("\r\nConnection: keep-alive\r\n"),
        date_line(),
        r->extra_headers,
    };
    const struct str body[] = {
        STR("Content-Type: "),      str_of(r->content_type), STR("\r\nContent-Length: "),
        decimal(r->body.n, length), STR("\r\n\r\n"),         {r->body.p, r->omit_body ? 0 : r->body.n},
    };
    static const struct str no_body = STR("\r\n");
    /* Without a limit: the next request is not read while much is unread (http_respond). */
    (void)conn_write(c, head, sizeof head / sizeof head[0], SIZE_MAX);
    if (r->content_type)
        (void)conn_write(c, body, sizeof body / sizeof body[0], SIZE_MAX);
    else
        (void)conn_write(c, &no_body, 1, SIZE_MAX);
}

static void next_request(struct conn *c)
{
    struct http *h = c->data;
    http_reader_init(&h->reader);
    timer_start(&c->timer, net_settings.keep_alive_timeout_ms, on_idle);
    if (conn_unsent(c) > net_settings.write_buffer_bytes)
        h->waits_for_reader = true;
    else
        conn_resume(c);
}

void http_respond(struct conn *c, const struct http_response *r)
{
    struct http *h = c->data;
    assert(h->is_answering);
    bool close = r->close || h->close_after || is_draining;
    write_response(c, r, close);
    h->is_answering = false;
    h->gone = NULL;
    if (close)
        conn_finish(c);
    else
        next_request(c);
}

/* --- the connection's life --- */

struct conn *http_accept(int fd)
{
    struct http *h = calloc(1, sizeof *h);
    if (!h)
        abort();
    struct conn *c = conn_new(fd, &http_protocol, h);
    if (!c) {
        free(h);
        return NULL;
    }
    h->reader.max_body = user->max_body;
    http_reader_init(&h->reader);
    timer_start(&c->timer, net_settings.header_timeout_ms, on_idle);
    return c;
}

void http_leave(struct conn *c, const struct conn_protocol *protocol, void *data)
{
    http_free(c->data);
    conn_set_protocol(c, protocol, data);
    conn_resume(c);
}

static void drain(struct conn *c)
{
    if (c->protocol != &http_protocol || c->state != CONN_OPEN)
        return;
    const struct http *h = c->data;
    if (!h->is_answering && h->reader.stage == HTTP_IDLE)
        conn_finish(c);
}

void http_drain(void)
{
    is_draining = true;
    conn_each(drain);
}
