/* A token from its text to an identity: three base64url parts (RFC 7515 section 7.1), header, signature, then
 * claims, in this order: claims are not parsed before the signature is known to be right. */
#include "conversation/codec/token.h"

#include "conversation/base/base64.h"
#include "token_claims.h"
#include "token_keys.h"

#define DECODED_MAX (TOKEN_MAX_BYTES / 4 * 3)

struct parts {
    struct str header, payload, signature; /* base64url */
    struct str signed_text;                /* header.payload */
};

static bool split(struct str token, struct parts *out)
{
    struct str rest = token;
    out->header = str_cut(&rest, '.');
    out->payload = str_cut(&rest, '.');
    out->signature = rest;
    if (!rest.p) /* a third dot is no base64url: the signature is refused for it */
        return false;
    out->signed_text = (struct str){token.p, (size_t)(rest.p - 1 - token.p)};
    return true;
}

/* --- base64url (RFC 4648 section 5), without padding --- */

/* Strict, so that one token has one spelling: no character outside the alphabet, no bits left over but zeros.
 */
static bool base64url_decode(struct str text, char out[DECODED_MAX], struct str *decoded)
{
    unsigned bits = 0;
    int bit_count = 0;
    size_t n = 0;
    if (text.n % 4 == 1)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        int value = base64_value(text.p[i], '-', '_');
        if (value < 0)
            return false;
        bits = (bits << 6 | (unsigned)value) & 0xFFF;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            out[n++] = (char)(bits >> bit_count);
        }
    }
    *decoded = (struct str){out, n};
    return (bits & ((1U << bit_count) - 1)) == 0;
}

/* The JSON object of a part, to be released with json_decref; NULL when it is none. */
static json_t *decode_object(struct str part)
{
    char text[DECODED_MAX];
    struct str json;
    if (!base64url_decode(part, text, &json))
        return NULL;
    return json_loadb(json.p, json.n, JSON_ALLOW_NUL,
                      NULL); /* NULL for a scalar too, and an array has no members */
}

/* --- the two steps --- */

static const char *check_signature(const struct token_keys *keys, const struct parts *parts,
                                   const json_t *header)
{
    char bytes[DECODED_MAX];
    struct str signature;
    const json_t *kid = json_object_get(header, "kid");
    if (!json_is_object(header) || (kid && !json_is_string(kid)))
        return "malformed token";
    if (json_object_get(header, "crit")) /* we understand no extension: RFC 7515 section 4.1.11 */
        return "critical header not understood";
    if (!base64url_decode(parts->signature, bytes, &signature))
        return "malformed token";
    return token_check_signature(keys, json_text(json_object_get(header, "alg")), json_text(kid),
                                 parts->signed_text, signature);
}

static const char *check(const struct token_keys *keys, const struct token_policy *policy, struct str token,
                         int64_t now_ms, struct identity *out)
{
    struct parts parts;
    if (!keys || keys->count == 0)
        return "no key is configured";
    if (token.n > TOKEN_MAX_BYTES)
        return "token too long";
    if (!split(token, &parts))
        return "malformed token";
    json_t *header = decode_object(parts.header);
    const char *reason = check_signature(keys, &parts, header);
    json_decref(header);
    if (reason)
        return reason;
    json_t *claims = decode_object(parts.payload);
    reason = json_is_object(claims) ? token_read_claims(claims, policy, now_ms, out) : "malformed token";
    json_decref(claims);
    return reason;
}

enum err token_verify(const struct token_keys *keys, const struct token_policy *policy, struct str token,
                      int64_t now_ms, struct identity *out, const char **reason)
{
    struct identity who;
    const char *why = check(keys, policy, token, now_ms, &who);
    if (why) {
        *reason = why;
        return ERR_UNAUTHORIZED;
    }
    *out = who;
    return OK;
}
