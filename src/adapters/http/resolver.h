/* The addresses of one host, looked up in libuv's thread pool. libcurl's own resolver would do, but for a
 * transfer that is given up while a name server hangs: it then waits for its thread, and the loop with it.
 * Private to the HTTP client. */
#ifndef CONVERSATION_HTTP_RESOLVER_H
#define CONVERSATION_HTTP_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/base/str.h"

struct address_lookup;

struct http_resolver {
    const char *host; /* borrowed; no brackets */
    int port;
    /* A look-up has ended: NULL, or why it failed. From the loop. */
    void (*ended)(struct http_resolver *r, const char *problem);

    /* the rest is resolver.c's */
    bool is_numeric;
    struct address_lookup *lookup; /* under way */
    struct buf line;               /* "HOST:PORT:ADDRESS,ADDRESS…", terminated; empty: none known */
    int64_t known_until_ms;
};

void http_resolver_init(struct http_resolver *r);
void http_resolver_done(struct http_resolver *r);

/* No look-up is needed before a transfer. */
bool http_resolver_knows(const struct http_resolver *r);
/* For CURLOPT_RESOLVE; NULL when the host is an address itself. */
const char *http_resolver_line(const struct http_resolver *r);
void http_resolver_start(struct http_resolver *r);  /* no effect while one is under way */
void http_resolver_forget(struct http_resolver *r); /* nobody could be reached there */

#endif
