/* Engine.IO over HTTP: which session a request belongs to, and by what transport
 * (https://socket.io/docs/v4/engine-io-protocol/, "HTTP long-polling", "WebSocket", "Upgrade"). The host
 * decides by path which requests are for it, and hands them over. */
#ifndef CONVERSATION_SIO_ENGINE_H
#define CONVERSATION_SIO_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

#include "conversation/net/http.h"
#include "conversation/sio/eio.h"

/* Why a client may not open a session. */
struct engine_refusal {
    int status; /* 403: {"code":4,"message"} as the reference server answers; others are plain text */
    const char *message; /* static; NULL: "Forbidden" */
    int retry_after_s;   /* 0: none */
};

struct engine_hooks {
    /* May this client open a session, or change the transport of one to WebSocket (the query then has a
     * `sid`)? False: *refusal. NULL: all may. */
    bool (*admit)(const struct http_request *r, struct engine_refusal *refusal);
    /* Adds complete header lines to an answer (CORS, also of a preflight; cookies). `opens_session`: the
     * answer to a handshake. NULL: none. */
    void (*add_headers)(const struct http_request *r, bool opens_session, struct buf *headers);
};

struct engine {
    struct eio_server *server;
    const struct engine_hooks *hooks; /* NULL: none */
};

/* Answers now, or when there is something to poll. Errors are the reference server's: 400
 * {"code":N,"message":"..."} (engine.io, lib/server.ts). Borrows everything for the call. True: a session has
 * been opened with a copy of `context` (eio_session_open), which context_done will be called for, if it was
 * not already. */
bool engine_request(const struct engine *e, struct conn *c, const struct http_request *r,
                    const void *context);

/* For http_user.body_follows of the same requests: two POSTs at once, and one that is broken off, end their
 * session. */
void engine_body_follows(const struct engine *e, struct conn *c, const struct http_request *r);

/* For http_user.max_body: how long the body of a request for the engine may be. */
size_t engine_max_body(const struct engine *e);

/* The undecoded value of a query parameter: {NULL,0} when absent, {"",0} when empty. */
struct str engine_query_value(struct str query, const char *name);

#endif
