/* From a Socket.IO event to what its row in the event table says. */
#ifndef EDGE_EVENT_DISPATCH_H
#define EDGE_EVENT_DISPATCH_H

#include "conversation/edge/hub.h"
#include "hub_socket.h"

/* Borrows the table. */
void event_dispatch_init(const struct event_row *rows);
/* Enforces the columns, answers or starts the row's flow. The socket may be gone when it returns. */
void event_dispatch(struct hub_socket *h, const struct sio_event *e);

#endif
