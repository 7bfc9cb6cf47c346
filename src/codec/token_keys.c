/* Reading the trusted keys. Strict: a line that is neither a key's, nor a name's, nor a comment is refused,
 * so that a shared secret or a slip in `kid:` does not go unseen. */
#include "token_keys.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "conversation/codec/token.h"

#define RSA_BITS_MIN 2048 /* RFC 7518 section 3.3 */

struct reader {
    struct token_keys *keys;
    struct str rest;
    const char *kid; /* of the `kid:` line not yet used by a key */
    const char *problem;
};

static enum key_kind curve_of(EVP_PKEY *key)
{
    char group[32];
    if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1)
        return KEY_UNSUPPORTED;
    if (strcmp(group, "prime256v1") == 0)
        return KEY_P256;
    if (strcmp(group, "secp384r1") == 0)
        return KEY_P384;
    return strcmp(group, "secp521r1") == 0 ? KEY_P521 : KEY_UNSUPPORTED;
}

static enum key_kind kind_of(EVP_PKEY *key, const char **problem)
{
    enum key_kind kind = KEY_UNSUPPORTED;
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
        kind = EVP_PKEY_get_bits(key) >= RSA_BITS_MIN ? KEY_RSA : KEY_UNSUPPORTED;
    else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
        kind = curve_of(key);
    if (kind == KEY_UNSUPPORTED)
        *problem = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA
                       ? "an RSA key must have at least 2048 bits"
                       : "a key must be RSA, or EC on P-256, P-384 or P-521";
    return kind;
}

/* Without it OpenSSL would ask the terminal when a key claims to be encrypted. */
static int no_passphrase(char *out, int size, int for_writing, void *arg)
{
    (void)out;
    (void)size;
    (void)for_writing;
    (void)arg;
    return -1;
}

static EVP_PKEY *parse_certificate(BIO *pem)
{
    X509 *certificate = PEM_read_bio_X509(pem, NULL, no_passphrase, NULL);
    EVP_PKEY *key = certificate ? X509_get_pubkey(certificate) : NULL;
    X509_free(certificate);
    return key;
}

static EVP_PKEY *parse_key(struct str block, bool is_certificate)
{
    BIO *pem = BIO_new_mem_buf(block.p, (int)block.n);
    if (!pem)
        abort(); /* out of memory */
    EVP_PKEY *key =
        is_certificate ? parse_certificate(pem) : PEM_read_bio_PUBKEY(pem, NULL, no_passphrase, NULL);
    BIO_free(pem);
    ERR_clear_error();
    return key;
}

/* --- the text, line by line --- */

static bool refuse(struct reader *r, const char *problem)
{
    r->problem = problem;
    return false;
}

static bool add_key(struct reader *r, struct str block, bool is_certificate)
{
    if (r->keys->count == TOKEN_KEYS_MAX)
        return refuse(r, "more than 16 keys");
    EVP_PKEY *key = parse_key(block, is_certificate);
    if (!key)
        return refuse(r, "a key between its BEGIN and END lines cannot be read");
    enum key_kind kind = kind_of(key, &r->problem);
    if (kind == KEY_UNSUPPORTED) {
        EVP_PKEY_free(key);
        return false;
    }
    r->keys->items[r->keys->count++] = (struct token_key){r->kid, key, kind};
    r->kid = NULL;
    return true;
}

/* From `begin`, the block's first line, which has been taken, to its END line. */
static bool take_block(struct reader *r, struct str begin)
{
    bool is_certificate = str_eqz(begin, "-----BEGIN CERTIFICATE-----");
    if (memmem(begin.p, begin.n, "PRIVATE KEY", 11))
        return refuse(r, "a private key must not be configured: use its public key");
    if (!is_certificate && !str_eqz(begin, "-----BEGIN PUBLIC KEY-----") &&
        !str_eqz(begin, "-----BEGIN RSA PUBLIC KEY-----"))
        return refuse(r, "a PEM block must be a PUBLIC KEY or a CERTIFICATE");
    while (r->rest.p) {
        struct str line = str_trim(str_cut(&r->rest, '\n'), " \t\r");
        if (str_starts_with(line, STR("-----END ")))
            return add_key(r, (struct str){begin.p, (size_t)(line.p + line.n - begin.p)}, is_certificate);
    }
    return refuse(r, "a key has no END line");
}

static bool take_kid(struct reader *r, struct str name)
{
    if (r->kid)
        return refuse(r, "a kid line is not followed by a key");
    if (!name.n)
        return refuse(r, "a kid line names nothing");
    r->kid = arena_strz(&r->keys->names, name);
    return true;
}

static bool take_line(struct reader *r)
{
    struct str line = str_trim(str_cut(&r->rest, '\n'), " \t\r");
    if (!line.n || line.p[0] == '#')
        return true;
    if (str_starts_with(line, STR("-----BEGIN ")))
        return take_block(r, line);
    if (str_starts_with(line, STR("kid:")))
        return take_kid(r, str_trim((struct str){line.p + 4, line.n - 4}, " \t"));
    return refuse(r, "neither a PEM public key nor a \"kid: NAME\" line; a shared secret cannot be used");
}

static struct buf with_line_ends(struct str pem)
{
    struct buf text = {0};
    for (size_t i = 0; i < pem.n; i++) {
        if (pem.p[i] == '\\' && i + 1 < pem.n && (pem.p[i + 1] == 'n' || pem.p[i + 1] == 'r'))
            buf_addc(&text, pem.p[++i] == 'n' ? '\n' : '\r');
        else
            buf_addc(&text, pem.p[i]);
    }
    return text;
}

struct token_keys *token_keys_new(struct str pem, const char **problem)
{
    struct buf text = with_line_ends(pem);
    struct token_keys *keys = calloc(1, sizeof *keys);
    if (!keys || !(keys->digest = EVP_MD_CTX_new()))
        abort(); /* out of memory */
    struct reader r = {.keys = keys, .rest = buf_str(&text)};
    while (r.rest.p && take_line(&r))
        ;
    if (!r.problem && r.kid)
        r.problem = "a kid line is not followed by a key";
    buf_done(&text);
    if (r.problem) {
        token_keys_free(keys);
        *problem = r.problem;
        return NULL;
    }
    return keys;
}

void token_keys_free(struct token_keys *keys)
{
    if (!keys)
        return;
    for (int i = 0; i < keys->count; i++)
        EVP_PKEY_free(keys->items[i].public_key);
    EVP_MD_CTX_free(keys->digest);
    arena_done(&keys->names);
    free(keys);
}
