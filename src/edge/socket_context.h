/* What the hub knows of a connection beyond its sockets. */
#ifndef EDGE_SOCKET_CONTEXT_H
#define EDGE_SOCKET_CONTEXT_H

#include <stdbool.h>

#include "conversation/base/uuid.h"
#include "conversation/rt/limiter.h"

/* The context of an Engine.IO session (eio_session_context). */
struct socket_context {
    bool is_bound; /* the request path named a session */
    struct uuid bound_session;
    struct token_bucket connects; /* CONNECT packets, each of which may cost the check of a signature */
};

#endif
