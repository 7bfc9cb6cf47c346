/* Configured keys: what is taken, and that each thing that must not be is refused with its reason. */
#include "token_fixture.h"

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
    refuses_keys("-----BEGIN PUBLIC KEY-----\n"
                 "Proc-Type: 4,ENCRYPTED\n"
                 "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
                 "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
                 "-----END PUBLIC KEY-----\n",
                 unreadable); /* and no passphrase is asked for */
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
        cmocka_unit_test(refuses_keys_of_other_kinds),
        cmocka_unit_test(refuses_private_keys_and_secrets),
        cmocka_unit_test(refuses_texts_that_cannot_be_read),
        cmocka_unit_test(without_a_key_every_token_is_refused),
        cmocka_unit_test(takes_escaped_line_ends),
        cmocka_unit_test(takes_certificates_and_pkcs1),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
