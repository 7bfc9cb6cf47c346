/* Tokens: each algorithm with its key, and every way of forging, bending or breaking one. */
#include "token_fixture.h"

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

/* A right signature with a byte more would be a second spelling of the same token. */
static void refuses_a_right_signature_with_more_behind_it(void **state)
{
    (void)state;
    static const char *const more[] = {"AA", "AAAA", "_w"};
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        struct buf es384 =
            sign_token(key[P384], 384, "{\"alg\":\"ES384\"}", CLAIMS); /* 96 bytes: no bits left over */
        buf_addz(&es384, more[i]);
        expect(trusted[P384], &plain_policy, es384, "bad signature");
    }
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

/* The last character of a part may hold bits that no byte uses: another spelling of the same bytes. */
static void refuses_leftover_bits_in_base64url(void **state)
{
    (void)state;
    static const char *const headers[] = {"{\"alg\":\"RS256\"} ",
                                          "{\"alg\":\"RS256\"}  "}; /* four and two bits */
    for (size_t i = 0; i < 2; i++) {
        struct buf token = sign_token(key[RSA_KEY], 256, headers[i], CLAIMS);
        char *last = (char *)memchr(token.p, '.', token.n) - 1;
        assert_int_equal((size_t)(last + 1 - token.p) % 4, 2 + i);
        assert_null(verify_str(trusted[RSA_KEY], &plain_policy, buf_str(&token)));
        (*last)++; /* Q, g or w, so that the next letter is of the alphabet */
        expect(trusted[RSA_KEY], &plain_policy, token, "malformed token");
    }
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

/* One name for two keys, as an issuer that changes its algorithm may do: the header's algorithm decides which
 * of the two it is, never what a key is used for. */
static void keys_of_two_kinds_may_share_a_kid(void **state)
{
    (void)state;
    static const char rs_same[] = "{\"alg\":\"RS256\",\"kid\":\"same\"}";
    static const char es_same[] = "{\"alg\":\"ES256\",\"kid\":\"same\"}";
    struct token_keys *both = keys_fmt("kid: same\n%skid: same\n%s", pem[RSA_KEY].p, pem[P256].p);
    struct token_keys *rsa = keys_fmt("kid: same\n%s", pem[RSA_KEY].p);
    expect(both, &plain_policy, sign_token(key[RSA_KEY], 256, rs_same, CLAIMS), NULL);
    expect(both, &plain_policy, sign_token(key[P256], 256, es_same, CLAIMS), NULL);
    expect(both, &plain_policy, sign_token(key[P256], 256, rs_same, CLAIMS), "bad signature");
    expect(both, &plain_policy, sign_token(key[RSA_KEY], 256, es_same, CLAIMS), "bad signature");
    expect(rsa, &plain_policy, sign_token(key[P256], 256, es_same, CLAIMS), "algorithm not allowed");
    expect(both, &plain_policy,
           hmac_token((struct str){pem[RSA_KEY].p, pem[RSA_KEY].n - 1},
                      "{\"alg\":\"HS256\",\"kid\":\"same\"}", CLAIMS),
           "algorithm not allowed");
    token_keys_free(both);
    token_keys_free(rsa);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verifies_each_algorithm_with_its_key),
        cmocka_unit_test(verifies_the_example_of_rfc_7515),
        cmocka_unit_test(the_rest_of_the_header_is_ignored),
        cmocka_unit_test(none_is_never_an_algorithm),
        cmocka_unit_test(a_public_key_is_no_hmac_secret),
        cmocka_unit_test(the_algorithm_must_be_of_the_keys_kind),
        cmocka_unit_test(refuses_another_key_and_the_one_in_the_header),
        cmocka_unit_test(refuses_critical_extensions),
        cmocka_unit_test(refuses_ec_signatures_of_another_form),
        cmocka_unit_test(refuses_a_right_signature_with_more_behind_it),
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
        cmocka_unit_test(keys_of_two_kinds_may_share_a_kid),
        cmocka_unit_test(without_kid_all_keys_of_the_kind_are_tried),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
