/* Requests for Engine.IO: verified in the order of the reference server (engine.io, lib/server.ts, verify and
 * handshake), then answered by a transport. */
#include "conversation/sio/engine.h"

#include <stdio.h>

#include "conversation/codec/ws_deflate.h"
#include "conversation/codec/ws_frame.h"
#include "polling.h"
#include "ws.h"

/* Codes and words of the reference server. */
enum engine_error {
    UNKNOWN_TRANSPORT,
    UNKNOWN_SID,
    BAD_HANDSHAKE_METHOD,
    BAD_REQUEST,
    FORBIDDEN,
    UNSUPPORTED_VERSION,
    NO_ERROR
};

static const char *const messages[] = {
    [UNKNOWN_TRANSPORT] = "Transport unknown",
    [UNKNOWN_SID] = "Session ID unknown",
    [BAD_HANDSHAKE_METHOD] = "Bad handshake method",
    [BAD_REQUEST] = "Bad request",
    [FORBIDDEN] = "Forbidden",
    [UNSUPPORTED_VERSION] = "Unsupported protocol version",
};

/* A request on its way. */
struct visit {
    const struct engine *engine;
    struct conn *conn;
    const struct http_request *request;
    const void *context;
    bool is_websocket;           /* by its query; else polling */
    struct eio_session *session; /* NULL: a handshake */
    struct ws_deflate_terms deflate;
};

/* Engine.IO's own parameters need no decoding. */
struct str engine_query_value(struct str query, const char *name)
{
    struct str rest = query;
    while (rest.p) {
        struct str value = str_cut(&rest, '&');
        struct str key = str_cut(&value, '=');
        if (str_eqz(key, name))
            return value.p ? value : STR("");
    }
    return (struct str){NULL, 0};
}

size_t engine_max_body(const struct engine *e)
{
    return eio_server_config(e->server)->max_payload_bytes;
}

/* --- answers --- */

static void add_host_headers(const struct visit *v, bool opens_session, struct buf *headers)
{
    if (v->engine->hooks && v->engine->hooks->add_headers)
        v->engine->hooks->add_headers(v->request, opens_session, headers);
}

/* `extra`: a header line, or "". */
static void respond(const struct visit *v, int status, const char *content_type, struct str body,
                    const char *extra)
{
    struct buf headers = {0};
    buf_addz(&headers, extra);
    add_host_headers(v, false, &headers);
    http_respond(v->conn, &(struct http_response){
                              .status = status,
                              .content_type = content_type,
                              .body = body,
                              .extra_headers = buf_str(&headers),
                              .close = v->request->wants_upgrade,
                              .omit_body = v->request->method == HEAD,
                          });
    buf_done(&headers);
}

static void refuse_as(const struct visit *v, enum engine_error error, const char *message)
{
    char body[160];
    int n = snprintf(body, sizeof body, "{\"code\":%d,\"message\":\"%s\"}", error, message);
    respond(v, error == FORBIDDEN ? 403 : 400, "application/json", (struct str){body, (size_t)n}, "");
}

static void refuse(const struct visit *v, enum engine_error error)
{
    refuse_as(v, error, messages[error]);
}

static void refuse_plainly(const struct visit *v, int status, const char *header, const char *why)
{
    respond(v, status, "text/plain; charset=utf-8", str_of(why), header);
}

static void refuse_admission(const struct visit *v, const struct engine_refusal *refusal)
{
    char retry_after[32] = "", text[160];
    const char *message = refusal->message ? refusal->message : messages[FORBIDDEN];
    if (refusal->status == 403) {
        refuse_as(v, FORBIDDEN, message);
        return;
    }
    if (refusal->retry_after_s)
        snprintf(retry_after, sizeof retry_after, "Retry-After: %d\r\n", refusal->retry_after_s);
    snprintf(text, sizeof text, "%s\n", message);
    refuse_plainly(v, refusal->status, retry_after, text);
}

/* --- verification --- */

static enum engine_error find_transport(struct visit *v)
{
    struct str name = engine_query_value(v->request->query, "transport");
    v->is_websocket = str_eqz(name, "websocket");
    return v->is_websocket || str_eqz(name, "polling") ? NO_ERROR : UNKNOWN_TRANSPORT;
}

static bool version_is_ours(const struct visit *v)
{
    return str_eqz(engine_query_value(v->request->query, "EIO"), "4");
}

/* Other protocols that a client would change to are ignored (RFC 9110 section 7.8). */
static bool upgrade_fits(const struct visit *v)
{
    const struct http_request *r = v->request;
    if (v->is_websocket)
        return r->wants_upgrade;
    return !r->wants_upgrade || !str_eq_nocase(http_header(r, "Upgrade"), STR("websocket"));
}

/* A WebSocket may ask for a session that it cannot have (eio_session_upgrade says so); a poll must not. */
static enum engine_error verify_known(struct visit *v, struct str sid)
{
    v->session = eio_session_find(v->engine->server, sid);
    if (!v->session)
        return UNKNOWN_SID;
    if (!upgrade_fits(v) || !version_is_ours(v))
        return BAD_REQUEST;
    return v->is_websocket || eio_session_is_polling(v->session) ? NO_ERROR : BAD_REQUEST;
}

static enum engine_error verify_handshake(const struct visit *v)
{
    if (v->request->method != GET)
        return BAD_HANDSHAKE_METHOD;
    return upgrade_fits(v) ? NO_ERROR : BAD_REQUEST;
}

static enum engine_error verify(struct visit *v)
{
    struct str sid = engine_query_value(v->request->query, "sid");
    enum engine_error error = find_transport(v);
    if (error != NO_ERROR)
        return error;
    return sid.n ? verify_known(v, sid) : verify_handshake(v);
}

/* Only what opens a session or changes its transport needs to be admitted. */
static bool is_admitted(const struct visit *v)
{
    struct engine_refusal refusal = {.status = 403};
    const struct engine_hooks *hooks = v->engine->hooks;
    if ((v->session && !v->is_websocket) || !hooks || !hooks->admit || hooks->admit(v->request, &refusal))
        return true;
    refuse_admission(v, &refusal);
    return false;
}

static bool is_verified(struct visit *v)
{
    enum engine_error error = verify(v);
    if (error != NO_ERROR) {
        refuse(v, error);
        return false;
    }
    if (!is_admitted(v))
        return false;
    if (!version_is_ours(v)) {
        refuse(v, UNSUPPORTED_VERSION);
        return false;
    }
    return true;
}

/* --- WebSocket --- */

/* False: a list of extensions is out of grammar, whether or not there is one for us. */
static bool negotiate_extensions(struct visit *v)
{
    struct ws_deflate_terms terms = {0};
    struct str field;
    for (int at = 0; (field = http_header_next(v->request, "Sec-WebSocket-Extensions", &at)).p;)
        if (!ws_deflate_negotiate(field, &terms))
            return false;
    if (eio_server_deflate(v->engine->server))
        v->deflate = terms;
    return true;
}

/* RFC 6455 section 4.2.1. */
static bool upgrade_is_good(struct visit *v, char accept[29])
{
    const struct http_request *r = v->request;
    if (r->method != GET)
        refuse_plainly(v, 405, "Allow: GET\r\n", "a WebSocket is opened by GET\n");
    else if (!str_eq_nocase(http_header(r, "Upgrade"), STR("websocket")))
        refuse_plainly(v, 400, "", "Upgrade must be websocket\n");
    else if (!str_eqz(http_header(r, "Sec-WebSocket-Version"), "13"))
        refuse_plainly(v, 426, "Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Version must be 13\n");
    else if (r->is_http_1_0 || !ws_accept_key(http_header(r, "Sec-WebSocket-Key"), accept))
        refuse_plainly(v, 400, "", "Sec-WebSocket-Key must be 16 bytes in base64\n");
    else if (!negotiate_extensions(v))
        refuse_plainly(v, 400, "", "Sec-WebSocket-Extensions must be a list of extensions\n");
    else
        return true;
    return false;
}

static void switch_protocols(const struct visit *v, const char accept[29])
{
    struct buf headers = {0};
    char agreed[WS_DEFLATE_ANSWER_MAX];
    if (v->deflate.window_bits)
        buf_addf(&headers, "Sec-WebSocket-Extensions: " STR_FMT "\r\n",
                 STR_ARG(ws_deflate_answer(&v->deflate, agreed)));
    add_host_headers(v, !v->session, &headers);
    const struct str answer[] = {
        STR("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
            "Upgrade\r\nSec-WebSocket-Accept: "),
        {accept, 28},
        STR("\r\n"),
        buf_str(&headers),
        STR("\r\n"),
    };
    (void)conn_write(v->conn, answer, 5, SIZE_MAX); /* the first that is written after a request */
    buf_done(&headers);
}

static bool serve_websocket(struct visit *v)
{
    char accept[29];
    if (!upgrade_is_good(v, accept))
        return false;
    switch_protocols(v, accept);
    if (!v->session)
        return ws_open(v->conn, v->engine->server, v->deflate, v->context);
    ws_upgrade(v->conn, v->engine->server, v->deflate, v->session);
    return false;
}

/* --- polling --- */

static bool open_by_polling(const struct visit *v)
{
    struct buf headers = {0};
    add_host_headers(v, true, &headers);
    bool is_open = polling_open(v->conn, v->engine->server, buf_str(&headers), v->context);
    buf_done(&headers);
    if (!is_open)
        refuse_plainly(v, 503, "Retry-After: 5\r\n", "too many connections\n");
    return is_open;
}

/* Two polls at once: neither client nor server could tell which of them gets what. */
static void poll(const struct visit *v)
{
    struct buf headers = {0};
    if (eio_session_has_poll(v->session)) {
        eio_session_close(v->session, EIO_TRANSPORT_ERROR);
        refuse(v, BAD_REQUEST);
        return;
    }
    add_host_headers(v, false, &headers);
    polling_wait(v->conn, v->engine->server, v->session, buf_str(&headers));
    buf_done(&headers);
}

/* In revision 4 binary packets are base64 in text. */
static bool is_binary_content(const struct http_request *r)
{
    struct str type = http_header(r, "Content-Type");
    return str_eq_nocase(str_trim(str_cut(&type, ';'), " \t"), STR("application/octet-stream"));
}

/* False, and the session has ended: the body of another POST is arriving still, while this one came whole. */
static bool is_the_only_post(const struct visit *v)
{
    if (!eio_session_begin_post(v->session))
        return false;
    eio_session_end_post(v->session, true);
    return true;
}

/* False: the session has ended. */
static bool take_post(const struct visit *v)
{
    if (!is_the_only_post(v))
        return false;
    if (!is_binary_content(v->request))
        return polling_take(v->session, v->request->body);
    eio_session_close(v->session, EIO_TRANSPORT_ERROR);
    return false;
}

static void post(const struct visit *v)
{
    if (take_post(v)) /* text/html and not text/plain: some browsers would offer the latter as a download */
        respond(v, 200, "text/html", STR("ok"), "Cache-Control: no-store\r\n");
    else
        refuse(v, BAD_REQUEST);
}

static bool serve_polling(const struct visit *v)
{
    if (!v->session)
        return open_by_polling(v);
    if (v->request->method == GET)
        poll(v);
    else if (v->request->method == POST)
        post(v);
    else
        refuse_plainly(v, 405, "Allow: GET, POST, OPTIONS\r\n", "GET polls, POST sends\n");
    return false;
}

bool engine_request(const struct engine *e, struct conn *c, const struct http_request *r, const void *context)
{
    struct visit v = {.engine = e, .conn = c, .request = r, .context = context};
    if (r->method == OPTIONS) {
        respond(&v, 204, NULL, STR(""), "Allow: GET, POST, OPTIONS\r\n");
        return false;
    }
    if (!is_verified(&v))
        return false;
    return v.is_websocket ? serve_websocket(&v) : serve_polling(&v);
}

void engine_body_follows(const struct engine *e, struct conn *c, const struct http_request *r)
{
    struct visit v = {.engine = e, .conn = c, .request = r};
    if (r->method == POST && verify(&v) == NO_ERROR && !v.is_websocket)
        polling_expect(c, e->server, v.session);
}
