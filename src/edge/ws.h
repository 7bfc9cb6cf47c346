/* The WebSocket transport of an Engine.IO session: frames on a connection (RFC 6455), one packet a message.
 */
#ifndef EDGE_WS_H
#define EDGE_WS_H

#include "conn.h"
#include "conversation/sio/eio.h"
#include "socket_context.h"

/* The connection has been answered 101 and speaks WebSocket from now on; a new Engine.IO session is opened on
 * it. */
void ws_start(struct conn *c, struct eio_server *server, const struct socket_context *context);

#endif
