/* Bearer tokens: JWS compact serialisation (RFC 7515, RFC 7519) verified with public keys only. The algorithm
 * is fixed by the key's type (RSA: RS256/384/512, EC P-256/384/521: ES256/384/512); `none`, HMAC and a `crit`
 * header are never accepted (RFC 8725). Keys are parsed once. See docs/api.md, "Tokens". */
#ifndef CONVERSATION_CODEC_TOKEN_H
#define CONVERSATION_CODEC_TOKEN_H

#include "conversation/base/err.h"
#include "conversation/base/str.h"
#include "conversation/domain/identity.h"

#define TOKEN_MAX_BYTES 8192

struct token_keys; /* the trusted public keys */

struct token_policy {
    const char *issuer, *audience; /* NULL or "": not checked */
    int64_t leeway_ms;
};

/* One or several PEM public keys (or certificates) in one text; a line `kid: NAME` before a key names it.
 * "\n" escapes are allowed for line ends. NULL and *problem (a static text) when a key cannot be read or is
 * of a kind not supported. */
struct token_keys *token_keys_new(struct str pem, const char **problem);
void token_keys_free(struct token_keys *keys);

/* OK and *out, or ERR_UNAUTHORIZED with *reason (a static text for the log and the error's details; never
 * token bytes). */
enum err token_verify(const struct token_keys *keys, const struct token_policy *policy, struct str token,
                      int64_t now_ms, struct identity *out, const char **reason) MUST_CHECK;

#endif
