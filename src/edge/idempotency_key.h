/* The Idempotency-Key request header field (draft-ietf-httpapi-idempotency-key-header-07, section 2.1): a
 * String of structured fields, `"8e03978e-40d5"`. Clients that know other services send the bare text, which
 * is taken, too. */
#ifndef EDGE_IDEMPOTENCY_KEY_H
#define EDGE_IDEMPOTENCY_KEY_H

#include <stdbool.h>

#include "conversation/net/http_request.h"

#define IDEMPOTENCY_KEY_MAX 255

/* False when the field is there and is not one key of 1 to 255 characters. *key is in `text`, {NULL,0}
 * without the field. */
bool idempotency_key_take(const struct http_request *r, char text[IDEMPOTENCY_KEY_MAX], struct str *key);

#endif
