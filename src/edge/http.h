/* HTTP/1.1 on a connection (RFC 9112): one request at a time is read, handed up, answered; pipelined ones
 * wait. */
#ifndef EDGE_HTTP_H
#define EDGE_HTTP_H

#include <stdbool.h>

#include "conn.h"
#include "conversation/base/err.h"
#include "http_request.h"

/* What is above: */
struct http_user {
    /* A request is complete; answer now or later through http_respond. */
    void (*request)(struct conn *c, const struct http_request *r);
    /* The connection closed while a request was being answered. */
    void (*gone)(void *answering);
    /* A request that never became one: answer with this error; the connection then closes. */
    void (*refuse)(struct conn *c, const struct http_request *r, enum err err, const char *reason);
};
void http_init(const struct http_user *user);

/* Takes over an accepted non-blocking socket; NULL (and closed) when it cannot be watched. */
struct conn *http_accept(int fd);

/* While a request is being answered: whom `gone` tells. */
void http_set_answering(struct conn *c, void *answering);

struct http_response {
    int status;
    const char *content_type; /* NULL: no body headers (204, 304) */
    struct str body;
    struct str extra_headers; /* complete lines with CRLF */
    bool close;               /* after this answer */
    bool omit_body;           /* HEAD */
};
/* Writes the answer of the current request, then goes on with the next one or closes. */
void http_respond(struct conn *c, const struct http_response *response);

/* The connection leaves HTTP for `protocol` (101 has been written); bytes not taken go there. */
void http_leave(struct conn *c, const struct conn_protocol *protocol, void *data);

/* Closes connections that wait for a request; the others close after their answer. */
void http_drain(void);

#endif
