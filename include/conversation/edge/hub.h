/* The hub: authenticated Socket.IO sockets, and the dispatch of their events by table (docs/signaling.md). It
 * implements ports/sockets.h. Which event does what is src/events.c; what a session is, the hub does not
 * know. */
#ifndef CONVERSATION_EDGE_HUB_H
#define CONVERSATION_EDGE_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/base/err.h"
#include "conversation/base/str.h"
#include "conversation/base/uuid.h"
#include "conversation/edge/reply.h"
#include "conversation/ports/kv.h"
#include "conversation/sio/sio.h"

enum event_needs {
    NEEDS_USER,   /* an authenticated socket */
    NEEDS_SESSION /* a socket that has joined the session its payload names in `sessionId` */
};

struct event_row {
    const char *name;
    enum event_needs needs;
    const struct handler *handler;              /* a flow; or: */
    enum err (*relay)(struct relay_call *call); /* decided at once, without I/O or allocation */
    const char *relays;                         /* with relay: the member that it passes on */
    const struct rate_limit *limit;             /* with handler: per user; NULL: none */
    /* Started, with {userId, sessionId}, for a recovered socket that was in a session; on one row. */
    bool is_rejoin;
};

struct hub_setup {
    const struct event_row *events; /* borrowed; ended by a row without name */
    /* A socket that had entered a session is gone or has left it without sockets_leave_session. */
    void (*socket_gone)(uint64_t socket_id, const struct uuid *session_id, const struct uuid *user_id);
    /* A socket of this user has been recovered that was at another instance; between the two nobody may have
     * heard what the user was told. NULL: nothing to do. */
    void (*came_from_elsewhere)(uint64_t socket_id, const struct uuid *user_id);
};

/* Verifies a token: the edge's gate, also used for REST. OK, or ERR_UNAUTHORIZED and *reason. */
struct identity;
typedef enum err token_gate(struct str token, struct identity *out, const char **reason);

void hub_init(const struct hub_setup *setup, token_gate *gate);
struct sio_server *hub_sio(void); /* NULL before hub_init */
void hub_drain(void);             /* tells every authenticated socket `server_draining` */
void hub_close_all(void);         /* closes every session: their sockets are gone when it returns */
bool hub_has_unsaved(void);       /* whether other instances cannot yet recover all that they should */
void hub_done(void);              /* after hub_close_all, with no event flow left */
size_t hub_socket_count(void);

#endif
