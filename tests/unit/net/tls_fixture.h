/* TLS for tests: certificates made on the spot, and a client on OpenSSL over a real connection. */
#ifndef TESTS_TLS_FIXTURE_H
#define TESTS_TLS_FIXTURE_H

#include "unit/net/net_fixture.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "conversation/net/tls.h"

/* --- certificates --- */

struct certificate {
    char certificate_path[32], key_path[32];
    struct tls_files files;
};

UNUSED static FILE *temporary(char path[32])
{
    snprintf(path, 32, "/tmp/test_tls_XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    return fdopen(fd, "w");
}

UNUSED static X509 *self_signed(EVP_PKEY *key, const char *name)
{
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_NAME *subject = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, subject);
    X509_set_pubkey(x, key);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    return x;
}

UNUSED static struct certificate *certificate_new(const char *name)
{
    struct certificate *c = calloc(1, sizeof *c);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = self_signed(key, name);
    FILE *file = temporary(c->certificate_path);
    assert_true(PEM_write_X509(file, x));
    fclose(file);
    file = temporary(c->key_path);
    assert_true(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL));
    fclose(file);
    X509_free(x);
    EVP_PKEY_free(key);
    c->files = (struct tls_files){c->certificate_path, c->key_path};
    return c;
}

UNUSED static void certificate_free(struct certificate *c)
{
    unlink(c->certificate_path);
    unlink(c->key_path);
    free(c);
}

UNUSED static void load(const struct certificate *c)
{
    struct tls_problem problem;
    if (!tls_load(&c->files, &problem))
        fail_msg("%s", problem.why);
}

/* --- the client --- */

struct tls_peer {
    struct peer tcp;
    SSL_CTX *context;
    SSL *ssl;
    struct buf got;
    bool has_failed, was_told; /* the handshake or a record; of the end, by close_notify */
};

UNUSED static void tls_peer_init(struct tls_peer *p, int fd)
{
    *p = (struct tls_peer){.tcp = {.fd = fd}, .context = SSL_CTX_new(TLS_client_method())};
    SSL_CTX_set_options(p->context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    p->ssl = SSL_new(p->context);
    SSL_set_fd(p->ssl, fd);
    SSL_set_connect_state(p->ssl);
}

UNUSED static void tls_peer_done(struct tls_peer *p)
{
    SSL_free(p->ssl);
    SSL_CTX_free(p->context);
    peer_done(&p->tcp);
    buf_done(&p->got);
}

/* A turn of the loop, then whatever the client can do. */
UNUSED static void tls_pump(struct tls_peer *p)
{
    char bytes[16384];
    int n;
    loop_turn_for_test();
    ERR_clear_error();
    while ((n = SSL_read(p->ssl, bytes, sizeof bytes)) > 0)
        buf_add(&p->got, bytes, (size_t)n);
    int error = SSL_get_error(p->ssl, n);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return;
    p->tcp.has_ended = true;
    p->was_told = error == SSL_ERROR_ZERO_RETURN;
    p->has_failed |= error == SSL_ERROR_SSL;
}

#define TLS_WAIT(who, condition)                                                                       \
    do {                                                                                               \
        double until_ = real_seconds() + WAIT_S;                                                       \
        while (!(condition)) {                                                                         \
            if (real_seconds() > until_)                                                               \
                fail_msg("waited for " #condition " after \"%.*s\"", (int)(who)->got.n, (who)->got.p); \
            tls_pump(who);                                                                             \
        }                                                                                              \
    } while (0)

UNUSED static void tls_send(struct tls_peer *p, const void *bytes, size_t n)
{
    double until = real_seconds() + WAIT_S;
    for (size_t at = 0; at < n;) {
        int sent = SSL_write(p->ssl, (const char *)bytes + at, (int)(n - at));
        if (sent > 0)
            at += (size_t)sent;
        else if (SSL_get_error(p->ssl, sent) == SSL_ERROR_SSL || real_seconds() > until)
            fail_msg("%zu of %zu bytes sent", at, n);
        tls_pump(p);
    }
}

UNUSED static void tls_expect(struct tls_peer *p, const char *text)
{
    TLS_WAIT(p, p->got.n >= strlen(text));
    assert_int_equal(p->got.n, strlen(text));
    assert_memory_equal(p->got.p, text, p->got.n);
}

UNUSED static void expect_name(struct tls_peer *p, const char *name)
{
    char have[64] = "";
    X509 *x = SSL_get1_peer_certificate(p->ssl);
    assert_non_null(x);
    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, have, sizeof have);
    X509_free(x);
    assert_string_equal(have, name);
}

#endif
