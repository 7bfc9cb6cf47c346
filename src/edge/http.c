/* HTTP/1.1 by llhttp. Invariant: llhttp is paused from the end of a request until its answer has been written, so that `text` and the
 * slices of the request stay as they are. */
#include "http.h"

#include <assert.h>
#include <llhttp.h>
#include <stdlib.h>
#include <time.h>

#include "conversation/base/clock.h"
#include "conversation/config.h"

struct span {
    size_t at, n;
};

struct http {
    llhttp_t parser;
    struct conn *conn;
    struct buf text;             /* target, header names and values, body: spans refer to it */
    struct span target, names[HTTP_HEADERS_MAX], values[HTTP_HEADERS_MAX], body;
    int header_count;
    bool in_value;               /* the last header callback was for a value */
    bool is_started, is_answering, close_after;
    enum err problem;            /* what the callbacks found wrong */
    const char *reason;
    void *answering;
    struct http_request request;
};

#define TEXT_KEPT_BYTES 4096 /* an idle connection keeps no more of its last request's memory */

static const struct http_user *user;
static llhttp_settings_t settings;
static bool is_draining;

/* --- one request --- */

static void start_over(struct http *h)
{
    llhttp_init(&h->parser, HTTP_REQUEST, &settings);
    h->parser.data = h;
    h->text.n = 0;
    h->target = h->body = (struct span){0, 0};
    h->header_count = 0;
    h->in_value = h->is_started = h->is_answering = false;
    h->problem = OK;
    h->reason = NULL;
    h->answering = NULL;
}

static struct str slice(const struct http *h, struct span s)
{
    return s.n ? (struct str){h->text.p + s.at, s.n} : (struct str){"", 0};
}

static enum http_method method_of(const llhttp_t *parser)
{
    switch (parser->method) {
    case HTTP_GET: return GET;
    case HTTP_POST: return POST;
    case HTTP_PUT: return PUT;
    case HTTP_PATCH: return PATCH;
    case HTTP_DELETE: return DELETE;
    case HTTP_HEAD: return HEAD;
    case HTTP_OPTIONS: return OPTIONS;
    default: return HTTP_METHOD_OTHER;
    }
}

static void fill_request(struct http *h)
{
    struct http_request *r = &h->request;
    struct str rest = slice(h, h->target);
    r->method = method_of(&h->parser);
    r->path = str_cut(&rest, '?');
    r->query = rest;
    r->header_count = h->header_count;
    for (int i = 0; i < h->header_count; i++)
        r->headers[i] = (struct http_header){slice(h, h->names[i]), slice(h, h->values[i])};
    r->body = slice(h, h->body);
    r->has_body = (h->parser.flags & F_CHUNKED) || h->body.n > 0;
    r->is_http_1_0 = h->parser.http_major == 1 && h->parser.http_minor == 0;
    r->wants_upgrade = h->parser.upgrade;
}

struct str http_header(const struct http_request *r, const char *name)
{
    struct str wanted = str_of(name);
    for (int i = 0; i < r->header_count; i++)
        if (str_eq_nocase(r->headers[i].name, wanted))
            return r->headers[i].value;
    return (struct str){NULL, 0};
}

/* --- llhttp callbacks: only collect --- */

static void on_too_slow(struct timer *t);

static int stop(struct http *h, enum err problem, const char *reason)
{
    h->problem = problem;
    h->reason = reason;
    return HPE_USER;
}

static void append(struct http *h, struct span *span, const char *p, size_t n)
{
    if (span->n == 0)
        span->at = h->text.n;
    buf_add(&h->text, p, n);
    span->n += n;
}

static int on_begin(llhttp_t *parser)
{
    struct http *h = parser->data;
    h->is_started = true;
    timer_start(&h->conn->timer, config.http_header_timeout_ms, on_too_slow);
    return 0;
}

static int on_url(llhttp_t *parser, const char *p, size_t n)
{
    struct http *h = parser->data;
    if (h->target.n + n > (size_t)config.http_max_uri_bytes)
        return stop(h, ERR_URI_TOO_LONG, "request target too long");
    append(h, &h->target, p, n);
    return 0;
}

static bool header_fits(const struct http *h, size_t n)
{
    return h->text.n - h->target.n + n <= (size_t)config.http_max_header_bytes;
}

static int on_field(llhttp_t *parser, const char *p, size_t n)
{
    struct http *h = parser->data;
    if (h->in_value || h->header_count == 0) {
        if (h->header_count == HTTP_HEADERS_MAX)
            return stop(h, ERR_HEADERS_TOO_LARGE, "too many header fields");
        h->header_count++;
        h->in_value = false;
        h->names[h->header_count - 1] = h->values[h->header_count - 1] = (struct span){0, 0};
    }
    if (!header_fits(h, n))
        return stop(h, ERR_HEADERS_TOO_LARGE, "header fields too large");
    append(h, &h->names[h->header_count - 1], p, n);
    return 0;
}

static int on_value(llhttp_t *parser, const char *p, size_t n)
{
    struct http *h = parser->data;
    h->in_value = true;
    if (!header_fits(h, n))
        return stop(h, ERR_HEADERS_TOO_LARGE, "header fields too large");
    append(h, &h->values[h->header_count - 1], p, n);
    return 0;
}

/* An empty value has no data callback of its own in every case: the next field must still open a new header. */
static int on_value_complete(llhttp_t *parser)
{
    struct http *h = parser->data;
    h->in_value = true;
    return 0;
}

/* A client that asked for it waits for our word before it sends the body (RFC 9110 section 10.1.1). */
static void continue_if_expected(struct http *h)
{
    static const struct str go_on = STR("HTTP/1.1 100 Continue\r\n\r\n");
    fill_request(h);
    if (str_eq_nocase(http_header(&h->request, "Expect"), STR("100-continue")))
        (void)conn_write(h->conn, &go_on, 1, SIZE_MAX);
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http *h = parser->data;
    if ((parser->flags & F_CONTENT_LENGTH) && parser->content_length > (uint64_t)config.http_max_body_bytes) {
        (void)stop(h, ERR_PAYLOAD_TOO_LARGE, "body too large");
        return -1;
    }
    timer_start(&h->conn->timer, config.http_body_timeout_ms, on_too_slow);
    continue_if_expected(h);
    return 0;
}

static int on_body(llhttp_t *parser, const char *p, size_t n)
{
    struct http *h = parser->data;
    if (h->body.n + n > (size_t)config.http_max_body_bytes)
        return stop(h, ERR_PAYLOAD_TOO_LARGE, "body too large");
    append(h, &h->body, p, n);
    return 0;
}

static int on_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

void http_init(const struct http_user *user_)
{
    user = user_;
    is_draining = false;
    llhttp_settings_init(&settings);
    settings.on_message_begin = on_begin;
    settings.on_url = on_url;
    settings.on_header_field = on_field;
    settings.on_header_value = on_value;
    settings.on_header_value_complete = on_value_complete;
    settings.on_headers_complete = on_headers_complete;
    settings.on_body = on_body;
    settings.on_message_complete = on_complete;
}

/* --- a request is there, or will never be --- */

static int count_headers(const struct http_request *r, const char *name)
{
    int n = 0;
    for (int i = 0; i < r->header_count; i++)
        n += str_eq_nocase(r->headers[i].name, str_of(name));
    return n;
}

/* What llhttp lets pass and RFC 9112 does not: the version, and exactly one Host in 1.1 (section 3.2). */
static const char *problem_of(const struct http *h)
{
    const struct http_request *r = &h->request;
    int hosts = count_headers(r, "Host");
    if (h->parser.http_major != 1 || h->parser.http_minor > 1)
        return "HTTP version not supported";
    if (hosts > 1 || (hosts == 0 && !r->is_http_1_0))
        return "exactly one Host header is required";
    if (r->path.n == 0 || (r->path.p[0] != '/' && !(r->method == OPTIONS && str_eqz(r->path, "*"))))
        return "request target must be an absolute path";
    return NULL;
}

static void on_idle(struct timer *t)
{
    conn_close(container_of(t, struct conn, timer));
}

static void refuse(struct conn *c, enum err err, const char *reason)
{
    struct http *h = c->data;
    timer_stop(&c->timer);
    fill_request(h);
    h->is_answering = true;
    h->close_after = true;
    conn_pause(c);
    user->refuse(c, &h->request, err, reason);
}

static void on_too_slow(struct timer *t)
{
    refuse(container_of(t, struct conn, timer), ERR_REQUEST_TIMEOUT, "the request did not arrive in time");
}

static void complete(struct conn *c)
{
    struct http *h = c->data;
    timer_stop(&c->timer);
    fill_request(h);
    const char *problem = problem_of(h);
    if (problem) {
        refuse(c, ERR_INVALID_REQUEST, problem);
        return;
    }
    h->is_answering = true;
    h->close_after = is_draining || !llhttp_should_keep_alive(&h->parser);
    conn_pause(c);
    user->request(c, &h->request);
}

static void failed(struct conn *c, llhttp_errno_t err)
{
    struct http *h = c->data;
    if (h->problem)
        refuse(c, h->problem, h->reason);
    else if (err == HPE_INVALID_VERSION)
        refuse(c, ERR_INVALID_REQUEST, "HTTP version not supported");
    else
        refuse(c, ERR_INVALID_REQUEST, "malformed HTTP request");
}

static size_t received(struct conn *c, char *p, size_t n)
{
    struct http *h = c->data;
    llhttp_errno_t err = llhttp_execute(&h->parser, p, n);
    size_t used = err == HPE_OK ? n : (size_t)(llhttp_get_error_pos(&h->parser) - p);
    if (err == HPE_PAUSED || err == HPE_PAUSED_UPGRADE)
        complete(c);
    else if (err != HPE_OK)
        failed(c, err);
    return used;
}

static void http_free(struct http *h)
{
    buf_done(&h->text);
    free(h);
}

static void closed(struct conn *c)
{
    struct http *h = c->data;
    if (h->is_answering && h->answering)
        user->gone(c, h->answering);
    http_free(h);
}

static const struct conn_protocol http_protocol = {.received = received, .closed = closed};

/* --- answers --- */

void http_set_answering(struct conn *c, void *answering)
{
    struct http *h = c->data;
    h->answering = answering;
}

/* RFC 9110 section 5.6.7; made once a second. */
static struct str date_line(void)
{
    static char line[64];
    static int n;
    static int64_t made_for = -1;
    time_t now = (time_t)(clock_now_ms() / 1000);
    if (now != made_for) {
        struct tm tm;
        gmtime_r(&now, &tm);
        n = (int)strftime(line, sizeof line, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
        made_for = now;
    }
    return (struct str){line, (size_t)n};
}

static void write_response(struct conn *c, const struct http_response *r, bool close)
{
    char head[256];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nConnection: %s\r\n", r->status, err_http_reason(r->status),
                     close ? "close" : "keep-alive");
    if (r->content_type)
        n += snprintf(head + n, sizeof head - (size_t)n, "Content-Type: %s\r\nContent-Length: %zu\r\n", r->content_type,
                      r->body.n);
    const struct str parts[] = {
        {head, (size_t)n}, date_line(), r->extra_headers, STR("\r\n"), {r->body.p, r->omit_body ? 0 : r->body.n},
    };
    (void)conn_write(c, parts, sizeof parts / sizeof parts[0], SIZE_MAX); /* one answer at a time: bounded by itself */
}

void http_respond(struct conn *c, const struct http_response *r)
{
    struct http *h = c->data;
    assert(h->is_answering);
    bool close = r->close || h->close_after || is_draining;
    write_response(c, r, close);
    h->is_answering = false;
    if (close) {
        conn_finish(c);
        return;
    }
    start_over(h);
    if (h->text.cap > TEXT_KEPT_BYTES)
        buf_done(&h->text);
    timer_start(&c->timer, config.http_keep_alive_timeout_ms, on_idle);
    conn_resume(c);
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
    h->conn = c;
    start_over(h);
    timer_start(&c->timer, config.http_header_timeout_ms, on_idle);
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
    if (c->protocol != &http_protocol)
        return;
    struct http *h = c->data;
    if (!h->is_answering && !h->is_started)
        conn_finish(c);
}

void http_drain(void)
{
    is_draining = true;
    conn_each(drain);
}
