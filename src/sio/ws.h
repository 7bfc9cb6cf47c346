/* The WebSocket transport of an Engine.IO session: frames on a connection (RFC 6455), one packet a message.
 */
#ifndef SIO_WS_H
#define SIO_WS_H

#include <stdbool.h>

#include "conversation/codec/ws_deflate.h"
#include "conversation/net/conn.h"
#include "conversation/sio/eio.h"

/* The connection has been answered 101 and speaks WebSocket from now on, compressed on these terms. */

/* A new Engine.IO session is opened on it, with a copy of `context`. False: refused, the connection closes.
 */
bool ws_open(struct conn *c, struct eio_server *server, struct ws_deflate_terms terms, const void *context);
/* It may take over the session from polling. If that is not to be had, it is closed at once. */
void ws_upgrade(struct conn *c, struct eio_server *server, struct ws_deflate_terms terms,
                struct eio_session *s);

#endif
