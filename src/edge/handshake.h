/* Which HTTP requests are for Socket.IO, and who may open a connection; the rest is sio/engine.h. */
#ifndef EDGE_HANDSHAKE_H
#define EDGE_HANDSHAKE_H

#include "conversation/net/http.h"
#include "conversation/sio/eio.h"
#include "socket_context.h"

/* Under /socket.io/, WS_PATH or WS_PATH/:sessionId. The last one binds: *context says so. */
bool handshake_is_for(struct str path, struct socket_context *context);
/* A handshake, poll, POST or upgrade. */
void handshake_request(struct conn *c, const struct http_request *r, struct eio_server *server,
                       const struct socket_context *context);
void handshake_body_follows(struct conn *c, const struct http_request *r, struct eio_server *server);
/* How long the body of such a request may be. */
size_t handshake_max_body(struct eio_server *server);

/* WS_PATH itself or WS_PATH/:sessionId, as a request path or a namespace. */
bool handshake_parse_ws_path(struct str path, struct socket_context *context);

#endif
