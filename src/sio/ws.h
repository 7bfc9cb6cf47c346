/* The WebSocket transport of an Engine.IO session: frames on a connection (RFC 6455), one packet a message.
 */
#ifndef SIO_WS_H
#define SIO_WS_H

#include "conversation/net/conn.h"
#include "conversation/sio/eio.h"

/* The connection has been answered 101 and speaks WebSocket from now on; a new Engine.IO session is opened on
 * it, with a copy of `context`. */
void ws_start(struct conn *c, struct eio_server *server, const void *context);

#endif
