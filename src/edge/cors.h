/* Cross-origin requests (Fetch standard, "CORS protocol") by CORS_ALLOWED_ORIGINS. */
#ifndef EDGE_CORS_H
#define EDGE_CORS_H

#include "conversation/edge/router.h"
#include "conversation/net/http.h"

/* For every answer: lets an allowed origin read it. Nothing for others. */
void cors_add_headers(struct buf *headers, struct str origin);
/* For OPTIONS with Access-Control-Request-Method of an allowed origin. */
void cors_add_preflight(struct buf *headers, const struct http_request *r, unsigned allowed_methods);

#endif
