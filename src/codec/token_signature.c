/* Signatures of RFC 7518 section 3. The algorithm is not the token's to choose: it must be one of its key's
 * kind (RFC 8725 section 3.1), so a public key never serves as an HMAC secret. */
#include "token_keys.h"

#include <openssl/err.h>

struct algorithm {
    const char *name;
    enum key_kind kind;
    const EVP_MD *(*digest)(void);
    size_t number_bytes; /* EC: length of r and of s */
};

#define NUMBER_BYTES_MAX 66 /* P-521 */

static const struct algorithm algorithms[] = {
    {"RS256", KEY_RSA, EVP_sha256, 0},   {"RS384", KEY_RSA, EVP_sha384, 0},
    {"RS512", KEY_RSA, EVP_sha512, 0},   {"ES256", KEY_P256, EVP_sha256, 32},
    {"ES384", KEY_P384, EVP_sha384, 48}, {"ES512", KEY_P521, EVP_sha512, 66},
};

static const struct algorithm *find_algorithm(struct str name)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
        if (str_eqz(name, algorithms[i].name))
            return &algorithms[i];
    }
    return NULL;
}

/* --- r||s (RFC 7518 section 3.4) to the DER that OpenSSL takes (RFC 3279 section 2.2.3) --- */

#define DER_INTEGER_MAX  (2 + 1 + NUMBER_BYTES_MAX)
#define DER_SEQUENCE_MAX (3 + 2 * DER_INTEGER_MAX)

/* The shortest form, with a zero byte in front where the number would read as negative. */
static size_t put_der_integer(unsigned char *out, const unsigned char *number, size_t n)
{
    while (n > 1 && *number == 0) {
        number++;
        n--;
    }
    size_t pad = *number & 0x80 ? 1 : 0;
    out[0] = 0x02;
    out[1] = (unsigned char)(n + pad);
    out[2] = 0;
    memcpy(out + 2 + pad, number, n);
    return 2 + pad + n;
}

static size_t put_der_signature(unsigned char *out, const unsigned char *raw, size_t number_bytes)
{
    unsigned char body[2 * DER_INTEGER_MAX];
    size_t n = put_der_integer(body, raw, number_bytes);
    n += put_der_integer(body + n, raw + number_bytes, number_bytes);
    size_t header = 0;
    out[header++] = 0x30;
    if (n >= 0x80)
        out[header++] = 0x81;
    out[header++] = (unsigned char)n;
    memcpy(out + header, body, n);
    return header + n;
}

/* --- verification --- */

static bool verify(const struct token_keys *keys, const struct token_key *key, const struct algorithm *alg,
                   struct str text, struct str signature)
{
    unsigned char der[DER_SEQUENCE_MAX];
    const unsigned char *sig = (const unsigned char *)signature.p;
    size_t n = signature.n;
    if (alg->number_bytes) {
        if (n != 2 * alg->number_bytes)
            return false;
        n = put_der_signature(der, sig, alg->number_bytes);
        sig = der;
    }
    bool is_right = EVP_DigestVerifyInit(keys->digest, NULL, alg->digest(), NULL, key->public_key) == 1 &&
                    EVP_DigestVerify(keys->digest, sig, n, (const unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_reset(keys->digest);
    if (!is_right)
        ERR_clear_error(); /* TLS code on this thread would take what is left in the queue for its own */
    return is_right;
}

/* A named key is for its name and for tokens that give none (RFC 7515 section 4.1.4: kid is a hint); an
 * unnamed key for all. */
static bool admits(const struct token_key *key, struct str kid)
{
    return !key->kid || !kid.p || str_eqz(kid, key->kid);
}

const char *token_check_signature(const struct token_keys *keys, struct str alg, struct str kid,
                                  struct str text, struct str signature)
{
    const struct algorithm *algorithm = find_algorithm(alg);
    bool is_known = false, is_fitting = false;
    if (!algorithm)
        return "algorithm not allowed";
    for (int i = 0; i < keys->count; i++) {
        const struct token_key *key = &keys->items[i];
        if (!admits(key, kid))
            continue;
        is_known = true;
        if (key->kind != algorithm->kind)
            continue;
        is_fitting = true;
        if (verify(keys, key, algorithm, text, signature))
            return NULL;
    }
    if (!is_known)
        return "unknown key";
    return is_fitting ? "bad signature" : "algorithm not allowed";
}
