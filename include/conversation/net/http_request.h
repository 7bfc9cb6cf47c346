/* A complete HTTP request, as the HTTP protocol hands it up. */
#ifndef CONVERSATION_NET_HTTP_REQUEST_H
#define CONVERSATION_NET_HTTP_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/base/str.h"

enum http_method { GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS, HTTP_METHOD_COUNT, HTTP_METHOD_OTHER };

const char *http_method_name(enum http_method method); /* "OTHER" for the rest */

/* A header field; the offsets are into the request's text. */
struct http_field {
    uint32_t name_at, name_bytes, value_at, value_bytes;
};

/* Everything in it is the connection's, until the request has been answered. */
struct http_request {
    enum http_method method;
    struct str path, query; /* of the target, undecoded; query without '?', {NULL,0} when absent */
    struct str host;        /* of an absolute target, else of Host; {NULL,0}: HTTP/1.0 without one */
    struct str body;        /* {"",0} when none */
    bool has_body;          /* Content-Length > 0 or chunked */
    bool is_http_1_0, wants_upgrade;
    const char *text;
    const struct http_field *fields;
    int field_count;
};

/* The value of the first header field of that name, {NULL,0} when absent, {"",0} when empty. */
struct str http_header(const struct http_request *r, const char *name);
/* The values of all fields of that name in turn, *at being 0 before the first; {NULL,0} after the last. */
struct str http_header_next(const struct http_request *r, const char *name, int *at);

#endif
