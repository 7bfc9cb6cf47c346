/* The claims of a token whose signature is right. Private to the token codec. */
#ifndef CODEC_TOKEN_CLAIMS_H
#define CODEC_TOKEN_CLAIMS_H

#include <jansson.h>

#include "conversation/codec/token.h"

/* A string member's text; {NULL,0} when it is absent or no string. */
static inline struct str json_text(const json_t *json)
{
    return (struct str){json_string_value(json), json_string_length(json)};
}

/* NULL, or why a token of these times is not good now, a static text. */
const char *token_check_times(int64_t not_before_ms, int64_t expires_at_ms, int64_t leeway_ms,
                              int64_t now_ms);

/* NULL and *out filled, or why the claims are refused, a static text. */
const char *token_read_claims(const json_t *claims, const struct token_policy *policy, int64_t now_ms,
                              struct identity *out);

#endif
