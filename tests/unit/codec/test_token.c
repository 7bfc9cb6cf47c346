/* Tokens: each algorithm with its key, and every way of forging, bending or breaking one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

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

static struct token_keys *keys_of(const char *text)
{
    const char *problem = NULL;
    struct token_keys *keys = token_keys_new(str_of(text), &problem);
    if (!keys)
        fail_msg("no keys: %s", problem);
    return keys;
}

static struct token_keys *keys_fmt(const char *format, ...)
{
    char text[8192];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert_true(n > 0 && (size_t)n < sizeof text);
    return keys_of(text);
}

static int make_keys(void **state)
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

static int free_keys(void **state)
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
static const char *verify_str(const struct token_keys *keys, const struct token_policy *policy,
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

static void expect(const struct token_keys *keys, const struct token_policy *policy, struct buf token,
                   const char *expected)
{
    const char *reason = verify_str(keys, policy, buf_str(&token));
    if ((reason != NULL) != (expected != NULL) || (reason && strcmp(reason, expected) != 0))
        fail_msg(STR_FMT ": %s, not %s", STR_ARG(buf_str(&token)), reason ? reason : "verified",
                 expected ? expected : "verified");
    buf_done(&token);
}

static void expect_claims(const struct token_policy *policy, const char *claims, const char *expected)
{
    expect(trusted[P256], policy, sign_token(key[P256], 256, ES256, claims), expected);
}

/* A good token with `more` members, which start with a comma. */
static void expect_more(const struct token_policy *policy, const char *more, const char *expected)
{
    char claims[4096];
    snprintf(claims, sizeof claims, "{\"sub\":\"" USER "\",\"exp\":1736940600%s}", more);
    expect_claims(policy, claims, expected);
}

static void expect_header(const char *header, const char *expected)
{
    expect(trusted[RSA_KEY], &plain_policy, sign_token(key[RSA_KEY], 256, header, CLAIMS), expected);
}

/* --- good tokens --- */

static void verifies_each_algorithm_with_its_key(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        int key, bits;
    } cases[] = {
        {RS256, RSA_KEY, 256}, {"{\"alg\":\"RS384\"}", RSA_KEY, 384}, {"{\"alg\":\"RS512\"}", RSA_KEY, 512},
        {ES256, P256, 256},    {"{\"alg\":\"ES384\"}", P384, 384},    {"{\"alg\":\"ES512\"}", P521, 512},
    };
    struct uuid user;
    assert_true(uuid_parse(STR(USER), &user));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int round = 0; round < 20;
             round++) { /* r and s of all sizes: some with leading zeros or a high bit */
            expect(trusted[cases[i].key], &plain_policy,
                   sign_token(key[cases[i].key], cases[i].bits, cases[i].header, CLAIMS), NULL);
            assert_true(uuid_eq(&who.user_id, &user));
        }
    }
}

/* RFC 7515 appendix A.3: a signature that none of our code made. */
static void verifies_the_example_of_rfc_7515(void **state)
{
    (void)state;
    struct token_keys *keys = keys_of("-----BEGIN PUBLIC KEY-----\n"
                                      "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
                                      "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
                                      "-----END PUBLIC KEY-----\n");
    static const char token[] =
        "eyJhbGciOiJFUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert_string_equal(verify_str(keys, &plain_policy, STR(token)),
                        "token expired"); /* so the signature is right */
    token_keys_free(keys);
}

static void reads_the_whole_identity(void **state)
{
    (void)state;
    expect_more(&plain_policy,
                ",\"name\":\"Ana "
                "\\u00d1\",\"picture\":\"https://cdn.example.com/"
                "a.png?x=1\",\"tier\":\"premium\",\"role\":\"moderator\","
                "\"roles\":[\"admin\",\"cook\",7],\"nativeLanguageCode\":\"es\",\"accent\":\"en-GB\","
                "\"levels\":{\"en\":\"B1\",\"pt-BR\":\"C2\"},\"iat\":1736936999.5,\"nbf\":1736936000",
                NULL);
    assert_string_equal(who.display_name, "Ana Ñ");
    assert_string_equal(who.avatar_url, "https://cdn.example.com/a.png?x=1");
    assert_int_equal(who.tier, TIER_PREMIUM);
    assert_int_equal(who.roles, ROLE_MODERATOR | ROLE_ADMIN);
    assert_string_equal(who.native_language, "es");
    assert_string_equal(who.accent, "en-GB");
    assert_int_equal(who.level_count, 2);
    assert_string_equal(who.levels[0].language, "en");
    assert_int_equal(who.levels[0].level, LEVEL_B1);
    assert_string_equal(who.levels[1].language, "pt-BR");
    assert_int_equal(who.levels[1].level, LEVEL_C2);
    assert_int_equal(who.expires_at_ms, 1736940600000);
}

static void the_rest_of_the_header_is_ignored(void **state)
{
    (void)state;
    expect_header("{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"jku\":\"https://evil.example\",\"x\":[{}]}", NULL);
    expect_header("{\"typ\":5,\"alg\":\"none\",\"alg\":\"RS256\"}", NULL); /* of duplicates the last */
    expect_header("{\"alg\":\"RS256\",\"alg\":\"none\"}", "algorithm not allowed");
}

/* --- the algorithm --- */

static void none_is_never_an_algorithm(void **state)
{
    (void)state;
    static const char *const spellings[] = {"none",        "None",         "NONE",   "nOnE",    "",   "null",
                                            "none\\u0000", "RS256\\u0000", "rs256",  "RS256 ",  "RS", "PS256",
                                            "EdDSA",       "HS256",        "ES256K", "RSA-OAEP"};
    char header[64];
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        snprintf(header, sizeof header, "{\"alg\":\"%s\"}", spellings[i]);
        expect_header(header, "algorithm not allowed");
        struct buf unsigned_token = signed_text(header, CLAIMS);
        buf_addc(&unsigned_token, '.');
        expect(trusted[RSA_KEY], &plain_policy, unsigned_token, "algorithm not allowed");
    }
    static const char *const no_strings[] = {"{}", "{\"alg\":null}", "{\"alg\":256}", "{\"alg\":[\"RS256\"]}",
                                             "{\"ALG\":\"RS256\"}"};
    for (size_t i = 0; i < sizeof no_strings / sizeof no_strings[0]; i++)
        expect_header(no_strings[i], "algorithm not allowed");
}

static void a_public_key_is_no_hmac_secret(void **state)
{
    (void)state;
    struct str secret = {pem[RSA_KEY].p, pem[RSA_KEY].n - 1};
    expect(trusted[RSA_KEY], &plain_policy, hmac_token(secret, "{\"alg\":\"HS256\"}", CLAIMS),
           "algorithm not allowed");
    expect(trusted[RSA_KEY], &plain_policy, hmac_token(secret, RS256, CLAIMS), "bad signature");
    expect(trusted[P256], &plain_policy, hmac_token(buf_str(&pem[P256]), "{\"alg\":\"HS256\"}", CLAIMS),
           "algorithm not allowed");
}

static void the_algorithm_must_be_of_the_keys_kind(void **state)
{
    (void)state;
    expect(trusted[P256], &plain_policy, sign_token(key[RSA_KEY], 256, RS256, CLAIMS),
           "algorithm not allowed");
    expect(trusted[RSA_KEY], &plain_policy, sign_token(key[P256], 256, ES256, CLAIMS),
           "algorithm not allowed");
    expect(trusted[P384], &plain_policy, sign_token(key[P384], 256, ES256, CLAIMS), "algorithm not allowed");
    expect(trusted[P256], &plain_policy, sign_token(key[P256], 384, "{\"alg\":\"ES384\"}", CLAIMS),
           "algorithm not allowed");
    expect_header("{\"alg\":\"RS384\"}", "bad signature"); /* signed with SHA-256 */
}

static void refuses_another_key_and_the_one_in_the_header(void **state)
{
    (void)state;
    expect(trusted[RSA_KEY], &plain_policy, sign_token(key[OTHER_RSA], 256, RS256, CLAIMS), "bad signature");
    BIGNUM *modulus = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(key[OTHER_RSA], "n", &modulus), 1);
    unsigned char bytes[256];
    struct buf header = {0};
    assert_int_equal(BN_bn2binpad(modulus, bytes, sizeof bytes), sizeof bytes);
    BN_free(modulus);
    buf_addz(&header, "{\"alg\":\"RS256\",\"jwk\":{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"");
    add_base64url(&header, bytes, sizeof bytes);
    buf_add(&header, "\"}}", 4);
    expect(trusted[RSA_KEY], &plain_policy, sign_token(key[OTHER_RSA], 256, header.p, CLAIMS),
           "bad signature");
    buf_done(&header);
}

static void refuses_critical_extensions(void **state)
{
    (void)state;
    expect_header("{\"alg\":\"RS256\",\"crit\":[\"exp\"],\"exp\":1}", "critical header not understood");
    expect_header("{\"alg\":\"RS256\",\"crit\":[\"b64\"],\"b64\":false}", "critical header not understood");
    expect_header("{\"alg\":\"RS256\",\"crit\":[]}", "critical header not understood");
    expect_header("{\"alg\":\"RS256\",\"crit\":null}", "critical header not understood");
}

/* --- the signature's form --- */

static struct buf with_signature(const char *header, const unsigned char *signature, size_t n)
{
    struct buf token = signed_text(header, CLAIMS);
    buf_addc(&token, '.');
    add_base64url(&token, signature, n);
    return token;
}

static void refuses_ec_signatures_of_another_form(void **state)
{
    (void)state;
    unsigned char signature[256];
    memset(signature, 0, sizeof signature);
    expect(trusted[P256], &plain_policy, with_signature(ES256, signature, 64),
           "bad signature"); /* r = s = 0 */
    expect(trusted[P521], &plain_policy, with_signature("{\"alg\":\"ES512\"}", signature, 132),
           "bad signature");
    memset(signature, 0xFF, sizeof signature); /* beyond the group's order */
    expect(trusted[P256], &plain_policy, with_signature(ES256, signature, 64), "bad signature");
    expect(trusted[P521], &plain_policy, with_signature("{\"alg\":\"ES512\"}", signature, 132),
           "bad signature");
    static const size_t lengths[] = {0, 1, 63, 65, 70, 71, 72, 96, 128, 256};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        expect(trusted[P256], &plain_policy, with_signature(ES256, signature, lengths[i]), "bad signature");
}

static void refuses_der_in_place_of_the_raw_form(void **state)
{
    (void)state;
    unsigned char der[256];
    size_t n = sizeof der;
    struct buf text = signed_text(ES256, CLAIMS);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key[P256]), 1);
    assert_int_equal(EVP_DigestSign(ctx, der, &n, (const unsigned char *)text.p, text.n), 1);
    EVP_MD_CTX_free(ctx);
    buf_done(&text);
    expect(trusted[P256], &plain_policy, with_signature(ES256, der, n), "bad signature");
}

static void refuses_rsa_signatures_of_another_length(void **state)
{
    (void)state;
    unsigned char signature[300] = {0};
    static const size_t lengths[] = {0, 1, 255, 256, 257, 300};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        expect(trusted[RSA_KEY], &plain_policy, with_signature(RS256, signature, lengths[i]),
               "bad signature");
}

/* --- the token's form --- */

static const struct {
    const char *header;
    int key;
} both_kinds[] = {{RS256, RSA_KEY}, {ES256, P256}};

static void refuses_every_cut(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct buf token = sign_token(key[both_kinds[i].key], 256, both_kinds[i].header, CLAIMS);
        for (size_t n = 0; n < token.n; n++)
            assert_non_null(verify_str(trusted[both_kinds[i].key], &plain_policy, (struct str){token.p, n}));
        buf_done(&token);
    }
}

static void refuses_every_flipped_bit(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct buf token = sign_token(key[both_kinds[i].key], 256, both_kinds[i].header, CLAIMS);
        for (size_t bit = 0; bit < 8 * token.n; bit++) {
            token.p[bit / 8] = (char)(token.p[bit / 8] ^ 1 << bit % 8);
            if (!verify_str(trusted[both_kinds[i].key], &plain_policy, buf_str(&token)))
                fail_msg("bit %zu does not matter in " STR_FMT, bit, STR_ARG(buf_str(&token)));
            token.p[bit / 8] = (char)(token.p[bit / 8] ^ 1 << bit % 8);
        }
        expect(trusted[both_kinds[i].key], &plain_policy, token, NULL);
    }
}

static void refuses_junk_around_and_between(void **state)
{
    (void)state;
    static const char *const junk[] = {".",    "=",  "==", " ", "\n", "A",  "AA",
                                       "AAAA", ".A", "..", "+", "/",  "%3D"};
    struct buf good = sign_token(key[RSA_KEY], 256, RS256, CLAIMS);
    for (size_t i = 0; i < sizeof junk / sizeof junk[0]; i++) {
        for (size_t at = 0; at <= good.n; at += at + 1 < good.n ? good.n / 7 : 1) {
            struct buf bent = {0};
            buf_add(&bent, good.p, at);
            buf_addz(&bent, junk[i]);
            buf_add(&bent, good.p + at, good.n - at);
            assert_non_null(verify_str(trusted[RSA_KEY], &plain_policy, buf_str(&bent)));
            buf_done(&bent);
        }
    }
    buf_done(&good);
}

static void refuses_what_is_no_token(void **state)
{
    (void)state;
    static const char *const malformed[] = {"",
                                            ".",
                                            "..",
                                            "...",
                                            "a.b",
                                            "a.b.c",
                                            "a.b.c.d",
                                            "Bearer x",
                                            "e30",
                                            "e30.e30",
                                            "e31.e30.AA",
                                            "W10.e30.AA",
                                            "MQ.e30.AA",
                                            "bm90IGpzb24.e30.AA",
                                            "e30=.e30.AA",
                                            "eyJhIjo.e30.AA",
                                            "_w.e30.AA"};
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        const char *reason = verify_str(trusted[RSA_KEY], &plain_policy, str_of(malformed[i]));
        if (!reason || strcmp(reason, "malformed token") != 0)
            fail_msg("%s: %s", malformed[i], reason);
    }
    assert_string_equal(verify_str(trusted[RSA_KEY], &plain_policy, STR("e30.e30.AA")),
                        "algorithm not allowed");
}

/* The last character of the header holds bits that no byte uses: another spelling of the same bytes. */
static void refuses_leftover_bits_in_base64url(void **state)
{
    (void)state;
    struct buf token = {0}, good = sign_token(key[RSA_KEY], 256, "{\"alg\":\"RS256\"} ", CLAIMS);
    size_t header_length = (size_t)((char *)memchr(good.p, '.', good.n) - good.p);
    assert_int_equal(header_length % 4, 3); /* two bits are left over */
    buf_add_str(&token, buf_str(&good));
    token.p[header_length - 1]++;
    expect(trusted[RSA_KEY], &plain_policy, good, NULL);
    expect(trusted[RSA_KEY], &plain_policy, token, "malformed token");
}

static void refuses_a_signed_payload_that_is_no_object(void **state)
{
    (void)state;
    static const char *const payloads[] = {
        "", "x", "[]", "1", "null", "\"" USER "\"", "{", "{} {}", "{\"sub\":\"\xFF\"}", "{\"exp\":1e999}"};
    for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++)
        expect_claims(&plain_policy, payloads[i], "malformed token");
    expect_header("[\"RS256\"]", "malformed token");
    expect_header("{\"alg\":\"RS256\"", "malformed token");
}

static struct buf token_of_length(size_t n)
{
    for (size_t pad = n * 3 / 4 - 600;; pad++) {
        struct buf claims = {0};
        buf_addz(&claims, "{\"sub\":\"" USER "\",\"exp\":1736940600,\"pad\":\"");
        while (claims.n < pad)
            buf_addc(&claims, 'x');
        buf_add(&claims, "\"}", 3);
        struct buf token = sign_token(key[P256], 256, ES256, claims.p);
        buf_done(&claims);
        if (token.n >= n)
            return token;
        buf_done(&token);
    }
}

static void bounds_the_size(void **state)
{
    (void)state;
    expect(trusted[P256], &plain_policy, token_of_length(TOKEN_MAX_BYTES - 1), NULL);
    expect(trusted[P256], &plain_policy, token_of_length(TOKEN_MAX_BYTES + 1), "token too long");
    char *huge = malloc(1 << 20);
    memset(huge, 'A', 1 << 20);
    assert_string_equal(verify_str(trusted[P256], &plain_policy, (struct str){huge, 1 << 20}),
                        "token too long");
    /* a header that fills all there is: brackets only, then one part after the other at its largest */
    memset(huge, 'W', TOKEN_MAX_BYTES);
    assert_string_equal(verify_str(trusted[P256], &plain_policy, (struct str){huge, TOKEN_MAX_BYTES}),
                        "malformed token");
    huge[TOKEN_MAX_BYTES - 1] = huge[TOKEN_MAX_BYTES - 2] = '.';
    assert_string_equal(verify_str(trusted[P256], &plain_policy, (struct str){huge, TOKEN_MAX_BYTES}),
                        "malformed token");
    free(huge);
}

/* --- which key --- */

static void kid_chooses_the_key(void **state)
{
    (void)state;
    struct token_keys *keys = keys_fmt("kid: one\n%skid:two\n%s\n# the next one is elliptic\nkid: three\n%s",
                                       pem[RSA_KEY].p, pem[OTHER_RSA].p, pem[P256].p);
    expect(keys, &plain_policy, sign_token(key[RSA_KEY], 256, "{\"alg\":\"RS256\",\"kid\":\"one\"}", CLAIMS),
           NULL);
    expect(keys, &plain_policy,
           sign_token(key[OTHER_RSA], 256, "{\"alg\":\"RS256\",\"kid\":\"two\"}", CLAIMS), NULL);
    expect(keys, &plain_policy, sign_token(key[P256], 256, "{\"alg\":\"ES256\",\"kid\":\"three\"}", CLAIMS),
           NULL);
    expect(keys, &plain_policy, sign_token(key[RSA_KEY], 256, "{\"alg\":\"RS256\",\"kid\":\"two\"}", CLAIMS),
           "bad signature");
    expect(keys, &plain_policy,
           sign_token(key[RSA_KEY], 256, "{\"alg\":\"RS256\",\"kid\":\"three\"}", CLAIMS),
           "algorithm not allowed");
    static const char *const unknown[] = {"four", "", "One", "one\\u0000", "one "};
    char header[64];
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        snprintf(header, sizeof header, "{\"alg\":\"RS256\",\"kid\":\"%s\"}", unknown[i]);
        expect(keys, &plain_policy, sign_token(key[RSA_KEY], 256, header, CLAIMS), "unknown key");
    }
    expect(keys, &plain_policy, sign_token(key[RSA_KEY], 256, "{\"alg\":\"RS256\",\"kid\":1}", CLAIMS),
           "malformed token");
    expect(keys, &plain_policy, sign_token(key[RSA_KEY], 256, "{\"alg\":\"RS256\",\"kid\":null}", CLAIMS),
           "malformed token");
    token_keys_free(keys);
}

static void without_kid_all_keys_of_the_kind_are_tried(void **state)
{
    (void)state;
    struct token_keys *named = keys_fmt("kid: one\n%skid: two\n%s", pem[RSA_KEY].p, pem[P256].p);
    struct token_keys *unnamed = keys_fmt("%s%s%s", pem[P384].p, pem[OTHER_RSA].p, pem[RSA_KEY].p);
    expect(named, &plain_policy, sign_token(key[P256], 256, ES256, CLAIMS), NULL);
    expect(named, &plain_policy, sign_token(key[OTHER_RSA], 256, RS256, CLAIMS), "bad signature");
    expect(unnamed, &plain_policy, sign_token(key[RSA_KEY], 256, RS256, CLAIMS), NULL);
    expect(unnamed, &plain_policy,
           sign_token(key[OTHER_RSA], 256, "{\"alg\":\"RS256\",\"kid\":\"any\"}", CLAIMS), NULL);
    expect(unnamed, &plain_policy, sign_token(key[P256], 256, ES256, CLAIMS), "algorithm not allowed");
    token_keys_free(named);
    token_keys_free(unnamed);
}

/* --- claims --- */

static void checks_the_times(void **state)
{
    (void)state;
    static const char *const exp_type = "claim exp must be a time in seconds";
    static const struct {
        const char *exp, *expected;
    } cases[] = {
        {"1736936971", NULL}, /* 29 s ago */
        {"1736936970", "token expired"},
        {"1736936970.001", NULL},
        {"1.736940600e9", NULL},
        {"0", "token expired"},
        {"-1", "token expired"},
        {"-1736940600", "token expired"},
        {"253402300799", NULL},
        {"253402300800", "claim exp must be a time in seconds"},
        {"1736940600000", "claim exp must be a time in seconds"},
        {"9223372036854775807", "claim exp must be a time in seconds"},
        {"-9223372036854775808", "claim exp must be a time in seconds"},
        {"1e300", "claim exp must be a time in seconds"},
        {"-1e300", "claim exp must be a time in seconds"},
        {"9223372036854775808", "malformed token"},
    };
    static const char *const no_numbers[] = {"\"1736940600\"", "null", "true", "[1736940600]", "{}"};
    char claims[128];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(claims, sizeof claims, "{\"sub\":\"" USER "\",\"exp\":%s}", cases[i].exp);
        expect_claims(&plain_policy, claims, cases[i].expected);
    }
    for (size_t i = 0; i < sizeof no_numbers / sizeof no_numbers[0]; i++) {
        snprintf(claims, sizeof claims, "{\"sub\":\"" USER "\",\"exp\":%s}", no_numbers[i]);
        expect_claims(&plain_policy, claims, exp_type);
    }
    expect_claims(&plain_policy, "{\"sub\":\"" USER "\"}", exp_type);
    expect_more(&plain_policy, ",\"exp\":1", "token expired"); /* of duplicates the last */
}

static void checks_not_before_and_issued_at(void **state)
{
    (void)state;
    expect_more(&plain_policy, ",\"nbf\":1736937030", NULL);
    expect_more(&plain_policy, ",\"nbf\":1736937030.5", "token not valid yet");
    expect_more(&plain_policy, ",\"nbf\":1736937031", "token not valid yet");
    expect_more(&plain_policy, ",\"nbf\":-5", NULL);
    expect_more(&(struct token_policy){0}, ",\"nbf\":1736937001", "token not valid yet");
    expect_more(&plain_policy, ",\"iat\":1736937031", NULL);
    static const char *const wrong[] = {"\"1736936000\"", "null", "true", "[]", "1e200", "1736936000000"};
    char more[64];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(more, sizeof more, ",\"nbf\":%s", wrong[i]);
        expect_more(&plain_policy, more, "claim nbf must be a time in seconds");
        snprintf(more, sizeof more, ",\"iat\":%s", wrong[i]);
        expect_more(&plain_policy, more, "claim iat must be a time in seconds");
    }
}

static void checks_issuer_and_audience(void **state)
{
    (void)state;
    const struct token_policy policy = {.issuer = "https://auth.example", .audience = "conversations"};
    static const struct {
        const char *iss, *aud, *expected;
    } cases[] = {
        {"\"https://auth.example\"", "\"conversations\"", NULL},
        {"\"https://auth.example\"", "[\"x\",\"conversations\"]", NULL},
        {"\"https://auth.example/\"", "\"conversations\"", "wrong issuer"},
        {"\"https://auth.example\\u0000\"", "\"conversations\"", "wrong issuer"},
        {"\"\"", "\"conversations\"", "wrong issuer"},
        {"[\"https://auth.example\"]", "\"conversations\"", "claim iss must be a string"},
        {"null", "\"conversations\"", "claim iss must be a string"},
        {"\"https://auth.example\"", "\"conversation\"", "wrong audience"},
        {"\"https://auth.example\"", "\"conversations \"", "wrong audience"},
        {"\"https://auth.example\"", "[]", "wrong audience"},
        {"\"https://auth.example\"", "[\"x\"]", "wrong audience"},
        {"\"https://auth.example\"", "null", "claim aud must be a string or an array of strings"},
        {"\"https://auth.example\"", "{\"conversations\":1}",
         "claim aud must be a string or an array of strings"},
        {"\"https://auth.example\"", "[\"conversations\",1]",
         "claim aud must be a string or an array of strings"},
    };
    char more[256];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(more, sizeof more, ",\"iss\":%s,\"aud\":%s", cases[i].iss, cases[i].aud);
        expect_more(&policy, more, cases[i].expected);
    }
    expect_more(&policy, ",\"aud\":\"conversations\"", "wrong issuer");
    expect_more(&policy, ",\"iss\":\"https://auth.example\"", "wrong audience");
}

static void types_count_even_where_nothing_is_required(void **state)
{
    (void)state;
    const struct token_policy empty = {.issuer = "", .audience = ""};
    expect_more(&empty, ",\"iss\":\"any\",\"aud\":[\"any\"]", NULL);
    expect_more(&plain_policy, ",\"iss\":\"any\",\"aud\":\"any\"", NULL);
    expect_more(&plain_policy, ",\"iss\":7", "claim iss must be a string");
    expect_more(&plain_policy, ",\"aud\":7", "claim aud must be a string or an array of strings");
    expect_more(&plain_policy, ",\"aud\":[[]]", "claim aud must be a string or an array of strings");
}

static void the_subject_is_a_uuid(void **state)
{
    (void)state;
    static const char *const wrong[] = {"7",
                                        "null",
                                        "\"\"",
                                        "\"ana\"",
                                        "[\"" USER "\"]",
                                        "\"" USER "\\u0000\"",
                                        "\"" USER " \"",
                                        "\"00000000-0000-0000-0000-000000000000\""};
    char claims[128];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(claims, sizeof claims, "{\"sub\":%s,\"exp\":1736940600}", wrong[i]);
        expect_claims(&plain_policy, claims, "claim sub must be a UUID");
    }
    expect_claims(&plain_policy, "{\"exp\":1736940600}", "claim sub must be a UUID");
}

static void the_tier_is_known(void **state)
{
    (void)state;
    static const char *const wrong[] = {"\"gold\"",      "\"Premium\"",       "\"\"", "1", "true",
                                        "[\"premium\"]", "\"premium\\u0000\""};
    char more[64];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(more, sizeof more, ",\"tier\":%s", wrong[i]);
        expect_more(&plain_policy, more, "claim tier must be free or premium");
    }
    expect_more(&plain_policy, ",\"tier\":\"free\"", NULL);
    assert_int_equal(who.tier, TIER_FREE);
    expect_more(&plain_policy, ",\"tier\":null", NULL);
    assert_int_equal(who.tier, TIER_FREE);
}

/* What describes the learner and makes no sense is as if it were absent. */
static void malformed_profile_claims_are_left_out(void **state)
{
    (void)state;
    static const char *const more[] = {
        "",
        ",\"name\":7,\"picture\":7,\"role\":7,\"roles\":7,\"nativeLanguageCode\":7,\"levels\":7,\"accent\":7",
        ",\"name\":null,\"picture\":null,\"role\":null,\"roles\":null,\"nativeLanguageCode\":null,\"levels\":"
        "null,\"accent\":null",
        ",\"name\":[],\"picture\":{},\"role\":[\"admin\"],\"roles\":\"admin\",\"nativeLanguageCode\":[],"
        "\"levels\":[\"en\"]",
        ",\"name\":\"a\\u0000b\",\"picture\":\"https://x.example/"
        "\\u0000\",\"role\":\"admin\\u0000\",\"nativeLanguageCode\":\"es\\u0000\"",
        ",\"name\":\"a\\nb\",\"role\":\"Admin\",\"roles\":[\"root\",[\"admin\"]],\"nativeLanguageCode\":"
        "\"Spanish\",\"accent\":\"british\"",
        ",\"levels\":{\"en\":\"b1\",\"EN\":\"B1\",\"es\":3,\"x\":\"A1\",\"fr\\ud83d\\ude00\":\"A1\",\"de\":"
        "null,\"it\":\"A1\\u0000\"}",
    };
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        expect_more(&plain_policy, more[i], NULL);
        struct identity expected = {.user_id = who.user_id, .expires_at_ms = 1736940600000};
        assert_string_equal(who.display_name, "");
        assert_string_equal(who.avatar_url, "");
        assert_string_equal(who.native_language, "");
        assert_string_equal(who.accent, "");
        assert_int_equal(who.level_count, 0);
        assert_int_equal(who.roles, expected.roles);
        assert_int_equal(who.tier, expected.tier);
    }
}

static void takes_http_urls_only(void **state)
{
    (void)state;
    static const char *const good[] = {"https://x.example", "http://x.example/a",
                                       "HTTPS://x.example/%20?q=~#f"};
    static const char *const bad[] = {"javascript:alert(1)",
                                      "data:image/png;base64,AA",
                                      "//x.example/a",
                                      "x.png",
                                      "https:",
                                      "https://",
                                      "https:/x",
                                      "https://x/\\u00e9",
                                      "https://x/ a",
                                      "https://x/\\\"onload",
                                      "https://x/<b>",
                                      "ftp://x"};
    char more[700], long_path[512];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(more, sizeof more, ",\"picture\":\"%s\"", good[i]);
        expect_more(&plain_policy, more, NULL);
        assert_string_equal(who.avatar_url, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(more, sizeof more, ",\"picture\":\"%s\"", bad[i]);
        expect_more(&plain_policy, more, NULL);
        assert_string_equal(who.avatar_url, "");
    }
    memset(long_path, 'p', sizeof long_path);
    for (int fits = 1; fits >= 0; fits--) {
        snprintf(more, sizeof more, ",\"picture\":\"https://%.*s\"", (int)sizeof who.avatar_url - 8 - fits,
                 long_path);
        expect_more(&plain_policy, more, NULL);
        assert_int_equal(strlen(who.avatar_url), fits ? sizeof who.avatar_url - 1 : 0);
    }
}

static void takes_names_that_fit_and_the_first_levels(void **state)
{
    (void)state;
    char more[512], name[NAME_MAX_BYTES + 1];
    memset(name, 'n', sizeof name);
    snprintf(more, sizeof more, ",\"name\":\"%.*s\"", NAME_MAX_BYTES - 1, name);
    expect_more(&plain_policy, more, NULL);
    assert_int_equal(strlen(who.display_name), NAME_MAX_BYTES - 1);
    snprintf(more, sizeof more, ",\"name\":\"%.*s\"", NAME_MAX_BYTES, name);
    expect_more(&plain_policy, more, NULL);
    assert_string_equal(who.display_name, "");
    expect_more(&plain_policy,
                ",\"levels\":{\"aa\":\"A1\",\"bb\":\"A2\",\"cc\":\"B1\",\"zz\":\"?\",\"dd\":\"B2\",\"ee\":"
                "\"C1\",\"ff\":\"C2\",\"gg\":\"A1\","
                "\"hh\":\"A1\",\"ii\":\"A1\"}",
                NULL);
    assert_int_equal(who.level_count, IDENTITY_LEVELS_MAX);
    assert_string_equal(who.levels[IDENTITY_LEVELS_MAX - 1].language, "hh");
}

/* --- configured keys --- */

static void refuses_keys(const char *text, const char *expected)
{
    const char *problem = NULL;
    struct token_keys *keys = token_keys_new(str_of(text), &problem);
    if (keys || !problem || strcmp(problem, expected) != 0)
        fail_msg("%.60s: %s, not %s", text, keys ? "taken" : problem, expected);
    assert_int_equal(ERR_peek_error(), 0);
}

static void refuses_generated(EVP_PKEY *made, const char *expected)
{
    struct buf text = public_pem(made);
    buf_addc(&text, '\0');
    refuses_keys(text.p, expected);
    buf_done(&text);
    EVP_PKEY_free(made);
}

static void refuses_keys_of_other_kinds(void **state)
{
    (void)state;
    static const char *const kinds = "a key must be RSA, or EC on P-256, P-384 or P-521";
    refuses_generated(EVP_RSA_gen(1024), "an RSA key must have at least 2048 bits");
    refuses_generated(EVP_EC_gen("secp256k1"), kinds);
    refuses_generated(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), kinds);
}

static struct buf private_pem(EVP_PKEY *of, bool is_encrypted)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const EVP_CIPHER *cipher = is_encrypted ? EVP_aes_128_cbc() : NULL;
    unsigned char pass[] = "pass";
    MUST(PEM_write_bio_PrivateKey(bio, of, cipher, is_encrypted ? pass : NULL, is_encrypted ? 4 : 0, NULL,
                                  NULL));
    struct buf text = pem_of_bio(bio);
    buf_addc(&text, '\0');
    return text;
}

static void refuses_private_keys_and_secrets(void **state)
{
    (void)state;
    static const char *const secret =
        "neither a PEM public key nor a \"kid: NAME\" line; a shared secret cannot be used";
    for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++) {
        struct buf text = private_pem(key[RSA_KEY], is_encrypted);
        refuses_keys(text.p, "a private key must not be configured: use its public key");
        buf_done(&text);
    }
    refuses_keys("-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----\n",
                 "a private key must not be configured: use its public key");
    refuses_keys("correct horse battery staple", secret);
    refuses_keys("c2VjcmV0IHNlY3JldCBzZWNyZXQ=", secret);
    refuses_keys("{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qz\"}", secret);
}

static void refuses_texts_that_cannot_be_read(void **state)
{
    (void)state;
    char text[8192];
    static const char *const unreadable = "a key between its BEGIN and END lines cannot be read";
    refuses_keys("-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n", unreadable);
    refuses_keys("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", unreadable);
    refuses_keys("-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
                 "AES-128-CBC,00\n\nMFkw\n-----END PUBLIC KEY-----\n",
                 unreadable);
    refuses_keys("-----BEGIN CERTIFICATE-----\nMFkw\n-----END CERTIFICATE-----\n", unreadable);
    refuses_keys("-----BEGIN PUBLIC KEY-----\nMFkw\n", "a key has no END line");
    refuses_keys("-----BEGIN OPENSSH KEY-----\nAA\n-----END OPENSSH KEY-----",
                 "a PEM block must be a PUBLIC KEY or a CERTIFICATE");
    snprintf(text, sizeof text, "kid: one\n%skid: two\n", pem[P256].p);
    refuses_keys(text, "a kid line is not followed by a key");
    snprintf(text, sizeof text, "kid: one\nkid: two\n%s", pem[P256].p);
    refuses_keys(text, "a kid line is not followed by a key");
    snprintf(text, sizeof text, "kid:\n%s", pem[P256].p);
    refuses_keys(text, "a kid line names nothing");
    snprintf(text, sizeof text, "%skdi: two\n%s", pem[P256].p, pem[P384].p);
    refuses_keys(text, "neither a PEM public key nor a \"kid: NAME\" line; a shared secret cannot be used");
    struct buf many = {0};
    for (int i = 0; i < 17; i++)
        buf_addz(&many, pem[P256].p);
    buf_addc(&many, '\0');
    refuses_keys(many.p, "more than 16 keys");
    buf_done(&many);
}

static void without_a_key_every_token_is_refused(void **state)
{
    (void)state;
    struct token_keys *keys = keys_of(" \n# none yet\n");
    expect(keys, &plain_policy, sign_token(key[RSA_KEY], 256, RS256, CLAIMS), "no key is configured");
    expect(NULL, &plain_policy, sign_token(key[RSA_KEY], 256, RS256, CLAIMS), "no key is configured");
    token_keys_free(keys);
    token_keys_free(NULL);
}

static void takes_escaped_line_ends(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_addz(&text, "kid: one\\r\\n");
    for (const char *c = pem[RSA_KEY].p; *c; c++) {
        if (*c == '\n')
            buf_addz(&text, "\\n");
        else
            buf_addc(&text, *c);
    }
    buf_addc(&text, '\0');
    struct token_keys *keys = keys_of(text.p);
    expect(keys, &plain_policy, sign_token(key[RSA_KEY], 256, "{\"alg\":\"RS256\",\"kid\":\"one\"}", CLAIMS),
           NULL);
    token_keys_free(keys);
    buf_done(&text);
}

static struct buf certificate_pem(EVP_PKEY *of)
{
    X509 *certificate = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());
    MUST(X509_set_pubkey(certificate, of) && X509_gmtime_adj(X509_getm_notBefore(certificate), 0));
    MUST(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600) && X509_sign(certificate, of, EVP_sha256()));
    MUST(PEM_write_bio_X509(bio, certificate));
    X509_free(certificate);
    struct buf text = pem_of_bio(bio);
    buf_addc(&text, '\0');
    return text;
}

static struct buf pkcs1_pem(EVP_PKEY *of)
{
    BIO *bio = BIO_new(BIO_s_mem());
    unsigned char *der = NULL;
    int n = i2d_PublicKey(of, &der);
    MUST(n > 0 && PEM_write_bio(bio, "RSA PUBLIC KEY", "", der, n) > 0);
    OPENSSL_free(der);
    struct buf text = pem_of_bio(bio);
    buf_addc(&text, '\0');
    return text;
}

static void takes_certificates_and_pkcs1(void **state)
{
    (void)state;
    struct buf certificate = certificate_pem(key[P256]), pkcs1 = pkcs1_pem(key[RSA_KEY]);
    struct token_keys *keys = keys_fmt("%s%s", certificate.p, pkcs1.p);
    expect(keys, &plain_policy, sign_token(key[P256], 256, ES256, CLAIMS), NULL);
    expect(keys, &plain_policy, sign_token(key[RSA_KEY], 256, RS256, CLAIMS), NULL);
    token_keys_free(keys);
    buf_done(&certificate);
    buf_done(&pkcs1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verifies_each_algorithm_with_its_key),
        cmocka_unit_test(verifies_the_example_of_rfc_7515),
        cmocka_unit_test(reads_the_whole_identity),
        cmocka_unit_test(the_rest_of_the_header_is_ignored),
        cmocka_unit_test(none_is_never_an_algorithm),
        cmocka_unit_test(a_public_key_is_no_hmac_secret),
        cmocka_unit_test(the_algorithm_must_be_of_the_keys_kind),
        cmocka_unit_test(refuses_another_key_and_the_one_in_the_header),
        cmocka_unit_test(refuses_critical_extensions),
        cmocka_unit_test(refuses_ec_signatures_of_another_form),
        cmocka_unit_test(refuses_der_in_place_of_the_raw_form),
        cmocka_unit_test(refuses_rsa_signatures_of_another_length),
        cmocka_unit_test(refuses_every_cut),
        cmocka_unit_test(refuses_every_flipped_bit),
        cmocka_unit_test(refuses_junk_around_and_between),
        cmocka_unit_test(refuses_what_is_no_token),
        cmocka_unit_test(refuses_leftover_bits_in_base64url),
        cmocka_unit_test(refuses_a_signed_payload_that_is_no_object),
        cmocka_unit_test(bounds_the_size),
        cmocka_unit_test(kid_chooses_the_key),
        cmocka_unit_test(without_kid_all_keys_of_the_kind_are_tried),
        cmocka_unit_test(checks_the_times),
        cmocka_unit_test(checks_not_before_and_issued_at),
        cmocka_unit_test(checks_issuer_and_audience),
        cmocka_unit_test(types_count_even_where_nothing_is_required),
        cmocka_unit_test(the_subject_is_a_uuid),
        cmocka_unit_test(the_tier_is_known),
        cmocka_unit_test(malformed_profile_claims_are_left_out),
        cmocka_unit_test(takes_http_urls_only),
        cmocka_unit_test(takes_names_that_fit_and_the_first_levels),
        cmocka_unit_test(refuses_keys_of_other_kinds),
        cmocka_unit_test(refuses_private_keys_and_secrets),
        cmocka_unit_test(refuses_texts_that_cannot_be_read),
        cmocka_unit_test(without_a_key_every_token_is_refused),
        cmocka_unit_test(takes_escaped_line_ends),
        cmocka_unit_test(takes_certificates_and_pkcs1),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
