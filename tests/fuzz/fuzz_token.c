/* codec/token.h, in two ways that the input's first byte chooses between.
 * 'r': the rest is a token, for keys whose private halves no longer exist. Only what these have signed may
 * pass. Else: the rest is a header, a line feed and claims; the target signs them, rightly and once with a
 * byte changed, and knows from the claims what the answer must be. */
#include "fuzz.h"

#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "conversation/base/arena.h"
#include "conversation/codec/token.h"
#include "fuzz_token_keys.h"
#include "unit/codec/token_signer.h"

#define NOW_MS 1736937000000 /* 2025-01-15T10:30:00Z */

static const struct token_policy policy = {.leeway_ms = 30000};

static bool verify(const struct token_keys *keys, struct str token, struct identity *who)
{
    const char *reason = NULL;
    struct identity before;
    memset(who, 0x5a, sizeof *who);
    memcpy(&before, who, sizeof before);
    enum err err = token_verify(keys, &policy, token, NOW_MS, who, &reason);
    assert(err == OK || (err == ERR_UNAUTHORIZED && reason && memcmp(who, &before, sizeof before) == 0));
    assert(ERR_peek_error() == 0);
    return err == OK;
}

static struct token_keys *keys_of(struct str pem)
{
    const char *problem;
    struct token_keys *keys = token_keys_new(pem, &problem);
    assert(keys);
    return keys;
}

static void check_identity(const struct identity *who)
{
    assert(!uuid_is_nil(&who->user_id) && who->expires_at_ms + policy.leeway_ms > NOW_MS);
    assert(who->level_count >= 0 && who->level_count <= IDENTITY_LEVELS_MAX);
    assert((who->roles & ~(unsigned)(ROLE_MODERATOR | ROLE_ADMIN)) == 0);
    assert(str_utf8_length(str_of(who->display_name)) >= 0);
    for (const char *c = who->display_name; *c; c++)
        assert((unsigned char)*c >= ' ' && *c != 0x7f);
    for (const char *c = who->avatar_url; *c; c++)
        assert(*c > ' ' && *c <= '~' && *c != '"' && *c != '<' && *c != '>');
}

static void check_raw(struct str token)
{
    static struct token_keys *keys;
    struct identity who;
    if (!keys)
        keys = keys_of(STR(LOST_KEYS));
    if (!verify(keys, token, &who))
        return;
    check_identity(&who);
    bool is_known = false;
    for (size_t i = 0; i < sizeof signed_once / sizeof signed_once[0]; i++)
        is_known = is_known || str_starts_with(token, str_of(signed_once[i]));
    assert(is_known);
}

/* --- signed here --- */

/* P-256 with the private key 1: the public one is the curve's generator. */
static EVP_PKEY *key_one(void)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM_BLD *params = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    unsigned char *point;
    size_t n = EC_POINT_point2buf(group, EC_GROUP_get0_generator(group), POINT_CONVERSION_UNCOMPRESSED,
                                  &point, NULL);
    MUST(OSSL_PARAM_BLD_push_utf8_string(params, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1);
    MUST(OSSL_PARAM_BLD_push_BN(params, OSSL_PKEY_PARAM_PRIV_KEY, BN_value_one()) == 1);
    MUST(OSSL_PARAM_BLD_push_octet_string(params, OSSL_PKEY_PARAM_PUB_KEY, point, n) == 1);
    OSSL_PARAM *all = OSSL_PARAM_BLD_to_param(params);
    MUST(EVP_PKEY_fromdata_init(ctx) == 1 && EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, all) == 1);
    OSSL_PARAM_free(all);
    OSSL_PARAM_BLD_free(params);
    OPENSSL_free(point);
    EVP_PKEY_CTX_free(ctx);
    EC_GROUP_free(group);
    return key;
}

/* Strings may hold zero bytes. */
static struct str text_of(const json_t *json)
{
    return (struct str){json_string_value(json), json_string_length(json)};
}

/* Whether the key and we understand it. */
static bool header_is_good(const json_t *header)
{
    const json_t *kid = json_object_get(header, "kid");
    return str_eqz(text_of(json_object_get(header, "alg")), "ES256") && !json_object_get(header, "crit") &&
           (!kid || json_is_string(kid));
}

static bool is_current(const json_t *claims)
{
    const json_t *exp = json_object_get(claims, "exp");
    double at_s = json_number_value(exp);
    return json_is_number(exp) && at_s < 253402300799 && at_s > (NOW_MS - policy.leeway_ms) / 1000 + 1;
}

/* Good beyond doubt: a subject, a time to come, and none of the claims that might be wrong. */
static bool claims_are_plain(const json_t *claims)
{
    static const char *const others[] = {"nbf", "iat", "iss", "aud"};
    struct str sub = text_of(json_object_get(claims, "sub"));
    struct uuid user_id;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (json_object_get(claims, others[i]))
            return false;
    return is_current(claims) && uuid_parse(sub, &user_id) && !uuid_is_nil(&user_id);
}

static void check_signed(const struct token_keys *keys, struct str token, const json_t *header,
                         const json_t *claims)
{
    struct identity who;
    bool is_good = verify(keys, token, &who);
    if (is_good)
        check_identity(&who);
    assert(!is_good || header_is_good(header));
    assert(is_good || !header_is_good(header) || !claims_are_plain(claims) || token.n > TOKEN_MAX_BYTES);
}

static void check_changed(const struct token_keys *keys, struct buf *token, uint8_t where)
{
    struct identity who;
    char *changed = &token->p[token->n * where / 256];
    *changed = *changed == 'A' ? 'B' : 'A';
    assert(!verify(keys, buf_str(token), &who));
}

static json_t *parsed(const char *text)
{
    return json_loads(text, JSON_ALLOW_NUL, NULL);
}

static void check_made(struct str input, uint8_t where)
{
    static EVP_PKEY *key;
    static struct token_keys *keys;
    if (!key) {
        key = key_one();
        struct buf pem = public_pem(key);
        keys = keys_of(buf_str(&pem));
        buf_done(&pem);
    }
    struct arena arena = {0};
    struct str rest = input;
    const char *header_text = arena_strz(&arena, str_cut(&rest, '\n')),
               *claims_text = arena_strz(&arena, rest);
    json_t *header = parsed(header_text), *claims = parsed(claims_text);
    struct buf token = sign_token(key, 256, header_text, claims_text);
    check_signed(keys, buf_str(&token), header, claims);
    check_changed(keys, &token, where);
    buf_done(&token);
    json_decref(header);
    json_decref(claims);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str input = fuzz_input(data, n);
    uint8_t first = fuzz_take_byte(&input);
    if (first == 'r')
        check_raw(input);
    else
        check_made(input, first);
    return 0;
}
