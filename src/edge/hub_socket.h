/* One application socket: a Socket.IO socket, its user, and the session it takes part in. */
#ifndef EDGE_HUB_SOCKET_H
#define EDGE_HUB_SOCKET_H

#include <stdbool.h>

#include "conversation/base/err.h"
#include "conversation/base/list.h"
#include "conversation/base/uuid.h"
#include "conversation/rt/limiter.h"
#include "conversation/rt/timer.h"
#include "conversation/sio/sio.h"

#define MESSAGE_WINDOW_MS 60000 /* of RATE_LIMIT_WS_MESSAGES */

/* What a message touches stands first. */
struct hub_socket {
    struct sio_socket *sio;
    bool is_authenticated, has_session, is_bound;
    uint64_t session; /* has_session: as it was given to sockets_enter_session */
    struct uuid user_id;
    struct uuid session_id; /* has_session: the one it has joined */
    struct token_bucket messages;
    struct uuid bound_session; /* is_bound: the only one it may join */
    struct uuid told_end;      /* the session whose end it was told last */
    struct list of_user;       /* linked while authenticated */
    int64_t token_expires_ms;
    struct timer auth_timer; /* until authenticated */
};

/* The user of `token`, or a later expiry when it is of the same user again; ERR_FORBIDDEN when of another
 * one. Tells the client `authenticated`. */
enum err hub_socket_authenticate(struct hub_socket *h, struct str token, const char **reason) MUST_CHECK;

/* The string member `name` of a JSON object, unescaped into `out`; {NULL,0} when there is none or it does not
 * fit. */
struct str hub_string_member(struct str object, const char *name, char *out, size_t cap);

#endif
