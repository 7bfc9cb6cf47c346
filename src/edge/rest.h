/* REST: from a complete HTTP request to a flow. */
#ifndef EDGE_REST_H
#define EDGE_REST_H

#include "conversation/net/http.h"

/* A request that is not for Socket.IO. Answers it now, or starts its flow. */
void rest_request(struct conn *c, const struct http_request *r);
/* Answers at once with the error body. `reason` (may be NULL) goes into the details. */
void rest_refuse(struct conn *c, const struct http_request *r, enum err err, const char *reason);

void rest_init(void);
void rest_drain(void); /* from now on new work is refused; ops routes still answer */
void rest_done(void);

#endif
