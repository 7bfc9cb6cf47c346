/* Port: connected clients (docs/signaling.md). A socket is named by its id; one that is gone is not an error,
 * and nothing happens then. Payloads are JSON text and are copied. */
#ifndef CONVERSATION_PORTS_SOCKETS_H
#define CONVERSATION_PORTS_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/base/str.h"
#include "conversation/base/uuid.h"

/* `parts`, concatenated, are the event's one argument: a relay passes slices of what it received. */
void sockets_emit(uint64_t socket_id, const char *event, const struct str *parts, int part_count);
void sockets_emit_user(const struct uuid *user_id, const char *event,
                       struct str json); /* every socket of the user */

/* `session_ended`: a socket is told of a session's end once, however many say so. To every socket of the user
 * but those that are in the session: they are told as such. */
void sockets_emit_ended(uint64_t socket_id, const struct uuid *session_id, struct str json);
void sockets_emit_user_ended(const struct uuid *user_id, const struct uuid *session_id, struct str json);

/* The socket takes part in this session from now on: its events may name it, and its end is told to
 * live_socket_gone. False: the socket is gone. A socket is in at most one session; entering another leaves
 * the first. `session`, the caller's number of the session, comes back with each relayed event, so that it
 * need not be looked up by its id. */
bool sockets_enter_session(uint64_t socket_id, const struct uuid *session_id, uint64_t session);
void sockets_leave_session(uint64_t socket_id);
void sockets_disconnect(uint64_t socket_id);
void sockets_disconnect_user(const struct uuid *user_id); /* all of them; nothing is kept for their return */

#endif
