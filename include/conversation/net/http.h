/* HTTP/1.1 on a connection (RFC 9112): one request at a time is read, handed up, answered; pipelined ones
 * wait. */
#ifndef CONVERSATION_NET_HTTP_H
#define CONVERSATION_NET_HTTP_H

#include <stdbool.h>

#include "conversation/base/err.h"
#include "conversation/net/conn.h"
#include "conversation/net/http_request.h"

/* What is above: */
struct http_user {
    /* How long this request's body may be, asked when its header is complete. NULL:
     * net_settings.max_body_bytes.
     */
    size_t (*max_body)(const struct http_request *r);
    /* A request's header is complete and its body is not: http_set_receiving may be called. NULL: of no
     * interest. */
    void (*body_follows)(struct conn *c, const struct http_request *r);
    /* A request is complete; answer now or later through http_respond. */
    void (*request)(struct conn *c, const struct http_request *r);
    /* A request that never became one: answer with this error; the connection then closes. */
    void (*refuse)(struct conn *c, const struct http_request *r, enum err err, const char *reason);
};
void http_init(const struct http_user *user);

/* Takes over an accepted non-blocking socket; NULL (and closed) when it cannot be watched. */
struct conn *http_accept(int fd);

/* While a request is being answered: `gone` is called with `arg` when the connection closes before that. */
void http_set_answering(struct conn *c, void (*gone)(void *arg), void *arg);

/* While a body is received: `received` is called once, with `arg`, right before `request`, or when there will
 * be none. */
void http_set_receiving(struct conn *c, void (*received)(void *arg, bool is_complete), void *arg);
/* For an answer that takes its time: the request's memory is freed, and the request is not to be used again.
 */
void http_forget_request(struct conn *c);

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
