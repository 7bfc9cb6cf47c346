/* The token gate: whom a bearer token names, and which browser origins may ask. */
#ifndef EDGE_GATE_H
#define EDGE_GATE_H

#include <stdbool.h>

#include "conversation/base/err.h"
#include "conversation/base/str.h"
#include "conversation/domain/identity.h"

/* From the configuration. False: *problem is a static text. Again on reload: then the old keys stay when it
 * fails. */
bool gate_init(const char **problem);
void gate_done(void);
enum err gate_verify(struct str token, struct identity *out, const char **reason) MUST_CHECK;

/* CORS_ALLOWED_ORIGINS: is this Origin among them? `*` allows every one. */
bool gate_origin_is_allowed(struct str origin);
/* The same for a WebSocket handshake, where an empty list or no Origin header means no restriction: tokens,
 * not cookies, authorise. */
bool gate_websocket_origin_is_allowed(struct str origin);

#endif
