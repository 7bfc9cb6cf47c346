/* The issuer's side of tokens, for tests and benches: keys, PEM and compact serialisation by OpenSSL.
 * Whatever fails stops the program. */
#ifndef TESTS_TOKEN_SIGNER_H
#define TESTS_TOKEN_SIGNER_H

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "conversation/base/str.h"

#define MUST(condition) ((condition) ? (void)0 : abort())

static inline struct buf pem_of_bio(BIO *bio)
{
    struct buf pem = {0};
    char *bytes;
    long n = BIO_get_mem_data(bio, &bytes);
    buf_add(&pem, bytes, (size_t)n);
    BIO_free(bio);
    return pem;
}

static inline struct buf public_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    MUST(PEM_write_bio_PUBKEY(bio, key));
    return pem_of_bio(bio);
}

static inline void add_base64url(struct buf *out, const void *bytes, size_t n)
{
    unsigned char *text = malloc(4 * ((n + 2) / 3) + 1);
    MUST(text);
    int length = EVP_EncodeBlock(text, bytes, (int)n);
    for (int i = 0; i < length && text[i] != '='; i++)
        buf_addc(out, text[i] == '+' ? '-' : text[i] == '/' ? '_' : (char)text[i]);
    free(text);
}

/* header.payload, each encoded. */
static inline struct buf signed_text(const char *header, const char *payload)
{
    struct buf text = {0};
    add_base64url(&text, header, strlen(header));
    buf_addc(&text, '.');
    add_base64url(&text, payload, strlen(payload));
    return text;
}

/* OpenSSL's DER to the r||s of RFC 7518 section 3.4. */
static inline size_t raw_signature(unsigned char *signature, size_t n, int number_bytes)
{
    const unsigned char *der = signature;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
    MUST(sig);
    MUST(BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, number_bytes) == number_bytes);
    MUST(BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + number_bytes, number_bytes) == number_bytes);
    ECDSA_SIG_free(sig);
    return 2 * (size_t)number_bytes;
}

/* Signs with the digest of `bits` (256, 384, 512), whatever the header says. */
static inline struct buf sign_token(EVP_PKEY *key, int bits, const char *header, const char *payload)
{
    const EVP_MD *md = bits == 256 ? EVP_sha256() : bits == 384 ? EVP_sha384() : EVP_sha512();
    unsigned char signature[1024];
    size_t n = sizeof signature;
    struct buf token = signed_text(header, payload);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    MUST(EVP_DigestSignInit(ctx, NULL, md, NULL, key) == 1);
    MUST(EVP_DigestSign(ctx, signature, &n, (const unsigned char *)token.p, token.n) == 1);
    EVP_MD_CTX_free(ctx);
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
        n = raw_signature(signature, n, (EVP_PKEY_get_bits(key) + 7) / 8);
    buf_addc(&token, '.');
    add_base64url(&token, signature, n);
    return token;
}

/* HS256 with any bytes as the secret. */
static inline struct buf hmac_token(struct str secret, const char *header, const char *payload)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = sizeof mac;
    struct buf token = signed_text(header, payload);
    MUST(HMAC(EVP_sha256(), secret.p, (int)secret.n, (const unsigned char *)token.p, token.n, mac, &n));
    buf_addc(&token, '.');
    add_base64url(&token, mac, n);
    return token;
}

#endif
