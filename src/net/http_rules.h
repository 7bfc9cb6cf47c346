/* What a request's head must be beyond its syntax, before anything of it is acted on (RFC 9110, RFC 9112).
 * Pure. */
#ifndef NET_HTTP_RULES_H
#define NET_HTTP_RULES_H

#include "conversation/base/err.h"
#include "conversation/net/http_request.h"

/* The parts of a request target (RFC 9112 section 3.2): origin-form, absolute-form, or "*". Of another form:
 * a path that does not begin with a slash. */
struct http_target {
    struct str authority;   /* {NULL,0} unless absolute-form */
    struct str path, query; /* never empty; without '?', {NULL,0} when absent */
};
struct http_target http_target_of(struct str target, enum http_method method);

/* OK, or what to answer, and why, for a request whose head is complete. */
enum err http_check_head(const struct http_request *r, const char **reason);

#endif
