/* From a Socket.IO event to what its row in the event table says. */
#ifndef EDGE_EVENT_DISPATCH_H
#define EDGE_EVENT_DISPATCH_H

#include "conversation/edge/hub.h"
#include "hub_socket.h"

/* Borrows the table. */
void event_dispatch_init(const struct event_row *rows);
/* Enforces the columns, answers or starts the row's flow. The socket may be gone when it returns. */
void event_dispatch(struct hub_socket *h, const struct sio_event *e);
/* The row's flow that brings a recovered socket back into its session; a failure is told by `exception`. */
void event_dispatch_rejoin(const struct hub_socket *h, const struct uuid *session_id);

#endif
