/* A key of each kind, trusted alone, and what a test says about a token. Each test program has its own. */
#ifndef TESTS_TOKEN_FIXTURE_H
#define TESTS_TOKEN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "conversation/codec/token.h"
#include "token_signer.h"

#define NOW_S  1736937000LL /* 2025-01-15T10:30:00Z */
#define NOW_MS (NOW_S * 1000)
#define USER   "550e8400-e29b-41d4-a716-446655440000"
#define CLAIMS "{\"sub\":\"" USER "\",\"exp\":1736940600}"
#define RS256  "{\"alg\":\"RS256\",\"typ\":\"JWT\"}"
#define ES256  "{\"alg\":\"ES256\"}"

enum { RSA_KEY, OTHER_RSA, P256, P384, P521, KEY_COUNT };

static EVP_PKEY *key[KEY_COUNT];
static struct buf pem[KEY_COUNT];
static struct token_keys *trusted[KEY_COUNT]; /* each alone */

static const struct token_policy plain_policy = {.leeway_ms = 30000};

static inline struct token_keys *keys_of(const char *text)
{
    const char *problem = NULL;
    struct token_keys *keys = token_keys_new(str_of(text), &problem);
    if (!keys)
        fail_msg("no keys: %s", problem);
    return keys;
}

static inline struct token_keys *keys_fmt(const char *format, ...)
{
    char text[8192];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert_true(n > 0 && (size_t)n < sizeof text);
    return keys_of(text);
}

static inline int make_keys(void **state)
{
    (void)state;
    key[RSA_KEY] = EVP_RSA_gen(2048);
    key[OTHER_RSA] = EVP_RSA_gen(2048);
    key[P256] = EVP_EC_gen("P-256");
    key[P384] = EVP_EC_gen("P-384");
    key[P521] = EVP_EC_gen("P-521");
    for (int i = 0; i < KEY_COUNT; i++) {
        pem[i] = public_pem(key[i]);
        buf_addc(&pem[i], '\0');
        trusted[i] = keys_of(pem[i].p);
    }
    return 0;
}

static inline int free_keys(void **state)
{
    (void)state;
    for (int i = 0; i < KEY_COUNT; i++) {
        token_keys_free(trusted[i]);
        buf_done(&pem[i]);
        EVP_PKEY_free(key[i]);
    }
    return 0;
}

/* --- what is asserted --- */

static struct identity who;

/* NULL when it verifies. A refusal must leave *out and OpenSSL's error queue alone. */
static inline const char *verify_str(const struct token_keys *keys, const struct token_policy *policy,
                                     struct str token)
{
    const char *reason = NULL;
    struct identity before;
    memset(&who, 0x5A, sizeof who);
    memcpy(&before, &who, sizeof before);
    char *exact = malloc(token.n ? token.n : 1); /* so that reading past its end is seen */
    memcpy(exact, token.p, token.n);
    enum err err = token_verify(keys, policy, (struct str){exact, token.n}, NOW_MS, &who, &reason);
    free(exact);
    assert_int_equal(ERR_peek_error(), 0);
    if (err) {
        assert_int_equal(err, ERR_UNAUTHORIZED);
        assert_non_null(reason);
        assert_memory_equal(&who, &before, sizeof who);
    } else {
        assert_null(reason);
    }
    return reason;
}

static inline void expect(const struct token_keys *keys, const struct token_policy *policy, struct buf token,
                          const char *expected)
{
    const char *reason = verify_str(keys, policy, buf_str(&token));
    if (!str_eq(str_of(reason), str_of(expected)))
        fail_msg(STR_FMT ": %s, not %s", STR_ARG(buf_str(&token)), reason ? reason : "verified",
                 expected ? expected : "verified");
    buf_done(&token);
}

static inline void expect_claims(const struct token_policy *policy, const char *claims, const char *expected)
{
    expect(trusted[P256], policy, sign_token(key[P256], 256, ES256, claims), expected);
}

/* A good token with `more` members, which start with a comma. */
static inline void expect_more(const struct token_policy *policy, const char *more, const char *expected)
{
    char claims[4096];
    snprintf(claims, sizeof claims, "{\"sub\":\"" USER "\",\"exp\":1736940600%s}", more);
    expect_claims(policy, claims, expected);
}

static inline void expect_header(const char *header, const char *expected)
{
    expect(trusted[RSA_KEY], &plain_policy, sign_token(key[RSA_KEY], 256, header, CLAIMS), expected);
}

#endif
