/* Engine.IO handshakes. Only the WebSocket transport is offered. */
#include "handshake.h"

#include "conversation/codec/ws_frame.h"
#include "conversation/config.h"
#include "cors.h"
#include "gate.h"
#include "sio/ws.h"

/* Errors as the reference server words them (engine.io, lib/server.ts). */
enum eio_error {
    EIO_UNKNOWN_TRANSPORT,
    EIO_UNKNOWN_SID,
    EIO_BAD_METHOD,
    EIO_BAD_REQUEST,
    EIO_FORBIDDEN,
    EIO_BAD_VERSION
};

static const char *const messages[] = {
    [EIO_UNKNOWN_TRANSPORT] = "Transport unknown",
    [EIO_UNKNOWN_SID] = "Session ID unknown",
    [EIO_BAD_METHOD] = "Bad handshake method",
    [EIO_BAD_REQUEST] = "Bad request",
    [EIO_FORBIDDEN] = "Forbidden",
    [EIO_BAD_VERSION] = "Unsupported protocol version",
};

/* --- which requests --- */

static struct str without_trailing_slash(struct str s)
{
    return s.n > 1 && s.p[s.n - 1] == '/' ? (struct str){s.p, s.n - 1} : s;
}

bool handshake_parse_ws_path(struct str path, struct socket_context *context)
{
    struct str base = without_trailing_slash(str_of(config.ws_path));
    struct str p = without_trailing_slash(path);
    *context = (struct socket_context){0};
    if (str_eq(p, base))
        return true;
    if (!str_starts_with(p, base) || p.n <= base.n + 1 || p.p[base.n] != '/')
        return false;
    context->is_bound = uuid_parse((struct str){p.p + base.n + 1, p.n - base.n - 1}, &context->bound_session);
    return context->is_bound;
}

bool handshake_is_for(struct str path, struct socket_context *context)
{
    *context = (struct socket_context){0};
    return str_eqz(without_trailing_slash(path), "/socket.io") || handshake_parse_ws_path(path, context);
}

/* --- refusals --- */

static void refuse(struct conn *c, const struct http_request *r, enum eio_error error)
{
    char body[96];
    struct buf headers = {0};
    int n = snprintf(body, sizeof body, "{\"code\":%d,\"message\":\"%s\"}", error, messages[error]);
    cors_add_headers(&headers, http_header(r, "Origin"));
    http_respond(c, &(struct http_response){
                        .status = error == EIO_FORBIDDEN ? 403 : 400,
                        .content_type = "application/json",
                        .body = {body, (size_t)n},
                        .extra_headers = buf_str(&headers),
                        .close = r->wants_upgrade,
                        .omit_body = r->method == HEAD,
                    });
    buf_done(&headers);
}

static void refuse_plainly(struct conn *c, int status, const char *header, const char *why)
{
    http_respond(c, &(struct http_response){
                        .status = status,
                        .content_type = "text/plain; charset=utf-8",
                        .body = str_of(why),
                        .extra_headers = str_of(header),
                        .close = true,
                    });
}

/* --- the query --- */

/* Engine.IO's own parameters need no decoding. */
static struct str query_value(struct str query, const char *name)
{
    struct str rest = query;
    while (rest.p) {
        struct str value = str_cut(&rest, '&');
        struct str key = str_cut(&value, '=');
        if (str_eqz(key, name))
            return value.p ? value : (struct str){"", 0};
    }
    return (struct str){NULL, 0};
}

/* In the order in which the reference server checks. */
static bool query_is_good(struct conn *c, const struct http_request *r)
{
    if (!str_eqz(query_value(r->query, "transport"), "websocket"))
        refuse(c, r, EIO_UNKNOWN_TRANSPORT);
    else if (query_value(r->query, "sid").p)
        refuse(c, r, EIO_UNKNOWN_SID); /* no other transport exists that a session could come from */
    else if (r->method != GET)
        refuse(c, r, EIO_BAD_METHOD);
    else if (!r->wants_upgrade)
        refuse(c, r, EIO_BAD_REQUEST);
    else if (!str_eqz(query_value(r->query, "EIO"), "4"))
        refuse(c, r, EIO_BAD_VERSION);
    else
        return true;
    return false;
}

/* RFC 6455 section 4.2.1, with what the service adds: origins, limits, draining. */
static bool upgrade_is_good(struct conn *c, const struct http_request *r, struct eio_server *server,
                            char accept[29])
{
    if (!str_eq_nocase(http_header(r, "Upgrade"), STR("websocket")))
        refuse_plainly(c, 400, "", "Upgrade must be websocket\n");
    else if (!str_eqz(http_header(r, "Sec-WebSocket-Version"), "13"))
        refuse_plainly(c, 426, "Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Version must be 13\n");
    else if (r->is_http_1_0 || !ws_accept_key(http_header(r, "Sec-WebSocket-Key"), accept))
        refuse_plainly(c, 400, "", "Sec-WebSocket-Key must be 16 bytes in base64\n");
    else if (!gate_websocket_origin_is_allowed(http_header(r, "Origin")))
        refuse(c, r, EIO_FORBIDDEN);
    else if (edge_is_draining())
        refuse_plainly(c, 503, "Retry-After: 1\r\n", "the service is shutting down\n");
    else if (eio_server_session_count(server) >= (size_t)config.ws_max_connections)
        refuse_plainly(c, 503, "Retry-After: 5\r\n", "too many connections\n");
    else
        return true;
    return false;
}

void handshake_request(struct conn *c, const struct http_request *r, struct eio_server *server,
                       const struct socket_context *context)
{
    char accept[29];
    if (!query_is_good(c, r) || !upgrade_is_good(c, r, server, accept))
        return;
    const struct str answer[] = {
        STR("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
            "Upgrade\r\nSec-WebSocket-Accept: "),
        {accept, 28},
        STR("\r\n\r\n"),
    };
    (void)conn_write(c, answer, 3, SIZE_MAX);
    ws_start(c, server, context);
}
