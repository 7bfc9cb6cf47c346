/* What the product adds to Engine.IO over HTTP: paths, origins, limits, CORS. */
#include "handshake.h"

#include "conversation/config.h"
#include "conversation/edge/hub.h"
#include "conversation/sio/engine.h"
#include "conversation/sio/sio.h"
#include "cors.h"
#include "gate.h"

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

/* --- who may, and what the answers carry --- */

/* A session that changes its transport is there already. */
static bool opens_session(const struct http_request *r)
{
    return engine_query_value(r->query, "sid").n == 0;
}

static bool admit(const struct http_request *r, struct engine_refusal *refusal)
{
    struct eio_server *server = sio_server_eio(hub_sio());
    if (!gate_websocket_origin_is_allowed(http_header(r, "Origin")))
        *refusal = (struct engine_refusal){.status = 403};
    else if (edge_is_draining())
        *refusal = (struct engine_refusal){503, "the service is shutting down", 1};
    else if (opens_session(r) && eio_server_session_count(server) >= (size_t)config.ws_max_connections)
        *refusal = (struct engine_refusal){503, "too many connections", 5};
    else
        return true;
    return false;
}

static void add_headers(const struct http_request *r, bool is_handshake, struct buf *headers)
{
    (void)is_handshake;
    cors_add_headers(headers, http_header(r, "Origin"));
    if (r->method == OPTIONS)
        cors_add_preflight(headers, r, 1U << GET | 1U << POST);
}

static const struct engine_hooks hooks = {.admit = admit, .add_headers = add_headers};

void handshake_request(struct conn *c, const struct http_request *r, struct eio_server *server,
                       const struct socket_context *context)
{
    const struct engine engine = {server, &hooks};
    (void)engine_request(&engine, c, r, context); /* the context owns nothing */
}

void handshake_body_follows(struct conn *c, const struct http_request *r, struct eio_server *server)
{
    engine_body_follows(&(struct engine){.server = server}, c, r);
}

size_t handshake_max_body(struct eio_server *server)
{
    return engine_max_body(&(struct engine){.server = server});
}
