/* Engine.IO handshakes over HTTP: which requests are for Socket.IO, and the WebSocket upgrade (RFC 6455
 * section 4.2). */
#ifndef EDGE_HANDSHAKE_H
#define EDGE_HANDSHAKE_H

#include "conversation/net/http.h"
#include "conversation/sio/eio.h"
#include "socket_context.h"

/* Under /socket.io/, WS_PATH or WS_PATH/:sessionId. The last one binds: *context says so. */
bool handshake_is_for(struct str path, struct socket_context *context);
/* Upgrades, or answers with an error as the reference server does. */
void handshake_request(struct conn *c, const struct http_request *r, struct eio_server *server,
                       const struct socket_context *context);

/* WS_PATH itself or WS_PATH/:sessionId, as a request path or a namespace. */
bool handshake_parse_ws_path(struct str path, struct socket_context *context);

#endif
