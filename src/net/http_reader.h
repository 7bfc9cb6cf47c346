/* From bytes to one HTTP/1.1 request (RFC 9112), by llhttp and with what it lets pass checked. No I/O, no
 * time.
 *
 *     idle --first byte of a request--> headers --> body --> complete
 *                                          \---------\-----> bad
 */
#ifndef NET_HTTP_READER_H
#define NET_HTTP_READER_H

#include <llhttp.h>

#include "conversation/base/err.h"
#include "conversation/net/http_request.h"

#define HTTP_FIELDS_MAX 64

enum http_stage { HTTP_IDLE, HTTP_HEADERS, HTTP_BODY, HTTP_COMPLETE, HTTP_BAD };

struct http_draft; /* the request being read */

/* http_user.max_body */
typedef size_t http_max_body(const struct http_request *r);

struct http_reader {
    llhttp_t parser;
    enum http_stage stage;
    struct http_draft *draft; /* owned; NULL while idle */
    http_max_body *max_body;  /* may be NULL; kept by http_reader_init */
    size_t body_limit;        /* once the header is complete */
    const char *unchecked;    /* within what is being read: see lines_are_clean */
    enum {
        IN_LINE,
        AFTER_CR,
        AFTER_LF,
        AFTER_CHUNK
    } line;             /* where that is; the last: after bytes of a body */
    enum err problem;   /* BAD: the answer, and why */
    const char *reason; /* static text, may be NULL */
};

/* Of a zeroed reader, or of one for the next request. */
void http_reader_init(struct http_reader *r);
void http_reader_done(struct http_reader *r);

/* Reads on until the bytes or the request end, and returns how many it took. Not to be called when complete
 * or bad. */
size_t http_reader_read(struct http_reader *r, const char *p, size_t n);

/* What is known of the request so far; filled anew by each call. */
const struct http_request *http_reader_request(struct http_reader *r);

/* BODY or COMPLETE: the client waits for 100 (Continue) before it sends the body. */
bool http_reader_expects_continue(struct http_reader *r);
/* COMPLETE: the client allows another request on this connection. */
bool http_reader_keeps_alive(const struct http_reader *r);

#endif
