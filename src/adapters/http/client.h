/* HTTP calls to one other service, over connections that are kept. libcurl on the loop; nothing of it is seen
 * here. No redirects, no proxy of the environment, HTTP/1.1; https checks the certificate against the
 * system's authorities. */
#ifndef CONVERSATION_HTTP_CLIENT_H
#define CONVERSATION_HTTP_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "conversation/base/str.h"
#include "conversation/rt/flow.h"

struct http_client;

/* `base_url`: as url_is_base (base/url.h) allows. More calls than connections wait for one, their time
 * running. NULL: libcurl cannot use the URL. */
struct http_client *http_client_new(const char *base_url, int connections_max);
/* Calls under way report HTTP_STOPPED. NULL is allowed. The loop needs another turn to close handles. */
void http_client_free(struct http_client *c);

#define HTTP_HEADERS_MAX 4

struct http_get {
    const char *path;                      /* appended to the base; begins with / */
    const char *headers[HTTP_HEADERS_MAX]; /* "Name: value"; NULL ends */
    int64_t timeout_ms;                    /* for all of it, name resolution included */
    size_t body_max;
};

enum http_outcome {
    HTTP_ANSWERED,    /* `status` and `body`, whatever the status */
    HTTP_UNREACHABLE, /* no address, refused, TLS, reset, cut short, no HTTP */
    HTTP_TIMED_OUT,
    HTTP_TOO_LARGE, /* a body longer than body_max, or an endless head */
    HTTP_STOPPED
};

struct http_answer {
    enum http_outcome outcome;
    int status;
    struct str body;     /* in the flow's arena; terminated */
    const char *problem; /* unless ANSWERED: for the log, one line, in the flow's arena */
};

/* One operation of the flow, which always reports OK: what came of it is in *out. Everything is copied. */
void http_client_get(struct http_client *c, struct flow *f, const struct http_get *get,
                     struct http_answer *out);

#endif
