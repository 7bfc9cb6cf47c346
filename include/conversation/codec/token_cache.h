/* Tokens that have been verified, so that a client's next request costs a digest instead of a signature. An
 * entry is found by the SHA-256 of the whole token text: another spelling is another token, and nobody can
 * make two that meet. It says what the token says; the keys and the policy that it was verified with are the
 * owner's to keep track of. Only good tokens are kept: nobody fills it with bad ones. */
#ifndef CONVERSATION_CODEC_TOKEN_CACHE_H
#define CONVERSATION_CODEC_TOKEN_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/base/str.h"
#include "conversation/domain/identity.h"

struct token_cache;

/* Room for at most `entries` (> 0) tokens; a full one forgets the token that was not used for longest among
 * those that share its set. An entry takes memory when it is first used. */
struct token_cache *token_cache_new(size_t entries);
void token_cache_free(struct token_cache *c); /* NULL is none */

/* True and *out when the token is kept and good now, by the rules of token_verify; false says nothing about
 * the token. */
bool token_cache_find(struct token_cache *c, struct str token, int64_t leeway_ms, int64_t now_ms,
                      struct identity *out);
/* `who` is what token_verify has just made of the token. */
void token_cache_add(struct token_cache *c, struct str token, const struct identity *who);

#endif
