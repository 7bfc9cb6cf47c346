/* CORS headers. */
#include "cors.h"

#include "conversation/config.h"
#include "gate.h"

void cors_add_headers(struct buf *headers, struct str origin)
{
    if (!config.cors_allowed_origins[0])
        return;
    buf_addz(headers, "Vary: Origin\r\n");
    if (!gate_origin_is_allowed(origin))
        return;
    buf_addf(headers,
             "Access-Control-Allow-Origin: " STR_FMT "\r\n"
             "Access-Control-Expose-Headers: X-Correlation-Id, Retry-After, ETag\r\n",
             STR_ARG(origin));
}

void cors_add_preflight(struct buf *headers, const struct http_request *r, unsigned allowed_methods)
{
    if (!http_header(r, "Access-Control-Request-Method").p ||
        !gate_origin_is_allowed(http_header(r, "Origin")))
        return;
    buf_addz(headers, "Access-Control-Allow-Methods: ");
    router_allow(allowed_methods, headers);
    buf_addz(headers,
             "\r\nAccess-Control-Allow-Headers: Authorization, Content-Type, Idempotency-Key, If-None-Match, "
             "X-Correlation-Id, X-Request-Id\r\n"
             "Access-Control-Max-Age: 600\r\n");
}
