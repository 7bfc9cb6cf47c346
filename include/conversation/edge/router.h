/* The REST route table and the columns the dispatcher enforces (docs/ARCHITECTURE.md, "Adding an endpoint").
 */
#ifndef CONVERSATION_EDGE_ROUTER_H
#define CONVERSATION_EDGE_ROUTER_H

#include <stdbool.h>
#include <stddef.h>

#include "conversation/edge/reply.h"
#include "conversation/net/http_request.h"
#include "conversation/ports/kv.h"

enum route_auth {
    AUTH_NONE,
    AUTH_USER,     /* a valid bearer token; rest_identity() is its user */
    AUTH_MODERATOR /* of a moderator or admin, others are ERR_FORBIDDEN; every call is audited */
};

enum route_flags {
    ROUTE_ETAG = 1,      /* the answer carries an ETag and If-None-Match is honoured */
    ROUTE_OPS = 2,       /* served on OPS_PORT when that is set; bare path without the API prefix */
    ROUTE_REPEATABLE = 4 /* Idempotency-Key is looked at, and a malformed one refused */
};

struct route {
    enum http_method method;
    const char
        *path; /* below /api/conversations, ":name" segments are parameters; ops routes: the whole path */
    const struct handler *handler;
    enum route_auth auth;
    const struct rate_limit *limit; /* per user; NULL: none */
    unsigned flags;
};

#define API_PREFIX       "/api/conversations"
#define ROUTE_PARAMS_MAX 4

/* Borrows the table; asserts on a row that contradicts another. */
void router_init(const struct route *routes, size_t count);

struct route_match {
    const struct route *route;                   /* NULL: none */
    struct field_param params[ROUTE_PARAMS_MAX]; /* values borrowed from the path */
    int param_count;
    unsigned allowed_methods; /* bits by enum http_method, of the path; 0: unknown path */
};
/* HEAD finds the row of GET. The two flags say which rows the port serves that the request came in on. The
 * path "*", of OPTIONS alone, has the methods of all of them (RFC 9110 section 9.3.7). */
void router_match(enum http_method method, struct str path, bool on_ops_port, bool on_api_port,
                  struct route_match *out);

/* "DELETE, GET, HEAD, OPTIONS" of a path's methods, for Allow. */
void router_allow(unsigned allowed_methods, struct buf *out);

#endif
