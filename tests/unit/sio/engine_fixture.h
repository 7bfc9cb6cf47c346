/* Engine.IO over HTTP on real loopback connections, with an application that sends back what it gets, and a
 * client that polls. Each test program has its own. */
#ifndef TESTS_ENGINE_FIXTURE_H
#define TESTS_ENGINE_FIXTURE_H

#include "ws_client.h"

#include "conversation/sio/engine.h"

#define MAX_PAYLOAD  2000
#define MAX_BUFFERED 10000

/* --- the application --- */

static struct {
    int open, closed;
    enum eio_reason reason; /* of the last that closed */
    bool refuses;
} app;

UNUSED static void *on_open(void *owner, struct eio_session *s)
{
    assert_ptr_equal(owner, &app);
    if (app.refuses)
        return NULL;
    app.open++;
    return s;
}

/* Payloads are valid during the call, whatever becomes of the session. */
UNUSED static void end_then_read_on(struct eio_session *s, struct str payload)
{
    eio_session_close(s, EIO_FORCED_CLOSE);
    assert_true(str_eqz(payload, "end, then read on"));
}

UNUSED static void on_message(void *u, bool is_binary, struct str payload)
{
    if (str_eqz(payload, "end"))
        eio_session_close(u, EIO_FORCED_CLOSE);
    else if (str_eqz(payload, "end, then read on"))
        end_then_read_on(u, payload);
    else if (str_eqz(payload, "break"))
        eio_session_close(u, EIO_PARSE_ERROR);
    else
        eio_session_send(u, is_binary, &payload, 1);
}

UNUSED static void on_close(void *u, enum eio_reason reason)
{
    (void)u;
    app.closed++;
    app.reason = reason;
}

static const struct eio_user callbacks = {.open = on_open, .message = on_message, .close = on_close};

static struct eio_server *server;
static struct engine engine;
static bool last_opened;

UNUSED static bool admit(const struct http_request *r, struct engine_refusal *refusal)
{
    struct str deny = engine_query_value(r->query, "deny");
    if (!deny.p)
        return true;
    if (str_eqz(deny, "busy"))
        *refusal = (struct engine_refusal){503, "busy", 7};
    else if (str_eqz(deny, "why"))
        refusal->message = "because";
    return false;
}

UNUSED static void add_headers(const struct http_request *r, bool opens_session, struct buf *headers)
{
    buf_addf(headers, "X-Host: %s%s\r\n", http_method_name(r->method), opens_session ? ", opens" : "");
}

UNUSED static size_t max_body(const struct http_request *r)
{
    (void)r;
    return engine_max_body(&engine);
}

static void on_body_follows(struct conn *c, const struct http_request *r)
{
    engine_body_follows(&engine, c, r);
}

static void on_request(struct conn *c, const struct http_request *r)
{
    static const int context = 42;
    last_opened = engine_request(&engine, c, r, &context);
}

UNUSED static void on_refuse(struct conn *c, const struct http_request *r, enum err err, const char *reason)
{
    (void)r;
    http_respond(c, &(struct http_response){
                        .status = err == ERR_PAYLOAD_TOO_LARGE ? 413 : 400,
                        .content_type = "text/plain",
                        .body = str_of(reason),
                    });
}

/* --- set-up --- */

static struct peer poller, poster;

UNUSED static int set_up(void **state)
{
    static const struct engine_hooks hooks = {.admit = admit, .add_headers = add_headers};
    static const struct http_user user = {
        .max_body = max_body, .body_follows = on_body_follows, .request = on_request, .refuse = on_refuse};
    const struct eio_config settings = {
        .ping_interval_ms = 25000,
        .ping_timeout_ms = 20000,
        .upgrade_timeout_ms = 10000,
        .close_timeout_ms = 30000,
        .max_payload_bytes = MAX_PAYLOAD,
        .max_buffered_bytes = MAX_BUFFERED,
        .max_sessions = 10,
        .context_bytes = sizeof(int),
    };
    (void)state;
    edge_set_up();
    http_init(&user);
    /* Connections outlast what the tests wait for. */
    net_settings.keep_alive_timeout_ms = net_settings.header_timeout_ms = 3600000;
    memset(&app, 0, sizeof app);
    server = eio_server_new(&settings, &callbacks, &app);
    engine = (struct engine){server, &hooks};
    ws_open_tcp(&poller);
    ws_open_tcp(&poster);
    return 0;
}

UNUSED static int tear_down(void **state)
{
    (void)state;
    eio_server_close_all(server, EIO_SERVER_SHUTDOWN);
    assert_int_equal(app.open, app.closed);
    conn_close_all();
    turns(3);
    eio_server_free(server);
    edge_tear_down();
    peer_done(&poller);
    peer_done(&poster);
    return 0;
}

/* --- a polling client --- */

#define POLLING "/engine.io/?EIO=4&transport=polling"
#define WS      "/engine.io/?EIO=4&transport=websocket"

static char sid[21];

UNUSED static void send_request(struct peer *p, const char *method, const char *target, const char *headers,
                                struct str body)
{
    struct buf text = {0};
    buf_addf(&text, "%s %s HTTP/1.1\r\nHost: x\r\n%s", method, target, headers);
    if (body.p)
        buf_addf(&text, "Content-Length: %zu\r\n", body.n);
    buf_addz(&text, "\r\n");
    buf_add_str(&text, body);
    peer_send_bytes(p, text.p, text.n);
    buf_done(&text);
}

static const struct str no_body = {NULL, 0};

UNUSED static const char *polling_path(void)
{
    static char path[100];
    snprintf(path, sizeof path, POLLING "&sid=%s", sid);
    return path;
}

UNUSED static const char *ws_path(void)
{
    static char path[100];
    snprintf(path, sizeof path, WS "&sid=%s", sid);
    return path;
}

/* The next answer is complete, has this status and exactly this body; what stands before it stays readable
 * until the next call. */
UNUSED static const char *expect_answer(struct peer *p, int status, const char *body)
{
    static struct buf head;
    char start[64], end[64];
    snprintf(start, sizeof start, "HTTP/1.1 %d ", status);
    snprintf(end, sizeof end, "Content-Length: %zu\r\n\r\n", strlen(body));
    peer_expect(p, "\r\n\r\n");
    head.n = 0;
    buf_add(&head, p->got.p, (size_t)(strstr(p->got.p, "\r\n\r\n") + 4 - p->got.p));
    buf_addc(&head, '\0');
    if (strncmp(head.p, start, strlen(start)) != 0 || !strstr(head.p, end))
        fail_msg("not %d with %zu bytes: \"%.*s\"", status, strlen(body), (int)p->got.n, p->got.p);
    buf_consume(&p->got, head.n - 1);
    peer_expect(p, body);
    assert_memory_equal(p->got.p, body, strlen(body));
    buf_consume(&p->got, strlen(body));
    return head.p;
}

UNUSED static void expect_nothing(struct peer *p)
{
    for (int i = 0; i < 5; i++)
        peer_pump(p);
    if (p->got.n || p->has_ended)
        fail_msg("something came: \"%.*s\"", (int)p->got.n, p->got.p);
}

UNUSED static void open_polling(void)
{
    static const char before[] = "0{\"sid\":\"";
    send_request(&poller, "GET", POLLING, "", no_body);
    peer_expect(&poller, before);
    peer_expect(&poller, "}");
    memcpy(sid, strstr(poller.got.p, before) + sizeof before - 1, 20);
    peer_forget(&poller);
}

UNUSED static void send_poll(void)
{
    send_request(&poller, "GET", polling_path(), "", no_body);
    turns(5);
}

UNUSED static void expect_poll(const char *payload)
{
    send_poll();
    expect_answer(&poller, 200, payload);
}

UNUSED static void post(const char *body, int status, const char *answer)
{
    send_request(&poster, "POST", polling_path(), "Content-Type: text/plain;charset=UTF-8\r\n", str_of(body));
    expect_answer(&poster, status, answer);
}

#define BAD_REQUEST "{\"code\":3,\"message\":\"Bad request\"}"
#define UNKNOWN_SID "{\"code\":1,\"message\":\"Session ID unknown\"}"

UNUSED static void expect_session_gone(enum eio_reason reason)
{
    assert_int_equal(app.closed, 1);
    assert_int_equal(app.reason, reason);
    send_request(&poster, "GET", polling_path(), "", no_body);
    expect_answer(&poster, 400, UNKNOWN_SID);
}

UNUSED static void refused(const char *method, const char *target, const char *headers, int status,
                           const char *body)
{
    struct peer p;
    int closed = app.closed;
    ws_open_tcp(&p);
    send_request(&p, method, target, headers, no_body);
    expect_answer(&p, status, body);
    assert_false(last_opened);
    assert_int_equal(app.closed, closed); /* no session came to harm */
    peer_done(&p);
}

#define UPGRADE (UPGRADE_HEADERS + 9)

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
