/* A socket event that is answered by a flow, and the answers of all events: ack or `exception`. */
#ifndef EDGE_EVENT_CALL_H
#define EDGE_EVENT_CALL_H

#include "conversation/edge/hub.h"
#include "hub_socket.h"

/* Starts the row's flow. It is not cancelled when the socket goes: what it has stored, it must carry through.
 */
void event_call_start(const struct hub_socket *h, const struct sio_event *e, const struct event_row *row,
                      struct str payload);
/* Answers at once: {"status":"error","code","message"} as ack, or as event `exception` with the event's name.
 */
void event_call_refuse(uint64_t socket_id, const struct sio_event *e, enum err err, const char *reason);
void event_call_done(void); /* frees the scratch memory */

#endif
