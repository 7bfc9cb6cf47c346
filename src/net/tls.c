/* OpenSSL over a socket. One context is current; each connection holds a reference to the one it began with.
 * Invariant: tls_read receives at most once, and leaves nothing readable behind in OpenSSL, so that the loop,
 * which watches the socket, misses nothing. */
#include "tls.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

struct tls {
    SSL *ssl;
    int fd;
    bool may_receive;  /* in this tls_read */
    bool has_received; /* anything ever */
    bool is_plain;     /* what came first is no TLS record but text */
    bool has_eof;
    bool wants_write, is_broken, is_over;
};

static SSL_CTX *context;
static BIO_METHOD *socket_method; /* made once, for good: open connections use it */

/* --- the socket below: as OpenSSL's own, but without SIGPIPE, and received from once at a time --- */

static int on_bio_read(BIO *bio, char *p, int n)
{
    struct tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!t->may_receive) {
        BIO_set_retry_read(bio);
        return -1;
    }
    t->may_receive = false;
    ssize_t got = recv(t->fd, p, (size_t)n, 0);
    if (got > 0 && !t->has_received) {
        t->has_received = true;
        t->is_plain = p[0] >= 'A' && p[0] <= 'Z'; /* a record begins with its type, 20 to 23 */
    }
    if (t->is_plain)
        return -1;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    t->has_eof = got == 0;
    return (int)got;
}

static int on_bio_write(BIO *bio, const char *p, int n)
{
    const struct tls *t = BIO_get_data(bio);
    ssize_t sent;
    BIO_clear_retry_flags(bio);
    do
        sent = send(t->fd, p, (size_t)n, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno == EAGAIN)
        BIO_set_retry_write(bio);
    return (int)sent;
}

static long on_bio_ctrl(BIO *bio, int command, long number, void *p)
{
    const struct tls *t = BIO_get_data(bio);
    (void)number;
    (void)p;
    if (command == BIO_CTRL_EOF)
        return t->has_eof;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *new_socket_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
    if (!m || !BIO_meth_set_read(m, on_bio_read) || !BIO_meth_set_write(m, on_bio_write) ||
        !BIO_meth_set_ctrl(m, on_bio_ctrl))
        abort();
    return m;
}

/* --- the certificate --- */

/* Why OpenSSL failed, in one line. */
static const char *reason(void)
{
    unsigned long error = ERR_peek_error();
    const char *text =
        ERR_SYSTEM_ERROR(error) ? strerror((int)ERR_GET_REASON(error)) : ERR_reason_error_string(error);
    return text ? text : "cannot be used";
}

static bool refuse(struct tls_problem *problem, bool is_of_key, const char *path)
{
    *problem = (struct tls_problem){.is_of_key = is_of_key};
    snprintf(problem->why, sizeof problem->why, "\"%.250s\": %s", path, reason());
    return false;
}

/* Nobody is there to be asked for a passphrase. */
static int no_passphrase(char *p, int size, int is_for_writing, void *arg)
{
    (void)p, (void)size, (void)is_for_writing, (void)arg;
    return -1;
}

static bool take_files(SSL_CTX *c, const struct tls_files *files, struct tls_problem *problem)
{
    SSL_CTX_set_default_passwd_cb(c, no_passphrase);
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(c, files->certificate) != 1)
        return refuse(problem, false, files->certificate);
    if (SSL_CTX_use_PrivateKey_file(c, files->key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(c) != 1)
        return refuse(problem, true, files->key);
    return true;
}

/* RFC 7301: HTTP/1.1 or nothing. Who asks for other protocols only is refused: it was meant for another
 * server. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_bytes,
                           const unsigned char *in, unsigned in_bytes, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    (void)ssl, (void)arg;
    if (SSL_select_next_proto(&chosen, out_bytes, ours, sizeof ours - 1, in, in_bytes) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* Sessions are resumed by tickets alone: nothing of a connection is kept after it. Forward secrecy and
 * authenticated encryption always; a peer without AES instructions chooses ChaCha20. */
static SSL_CTX *new_context(void)
{
    static const unsigned char id[] = "conversation";
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    if (!c || !SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) ||
        !SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20") ||
        !SSL_CTX_set1_groups_list(c, "X25519:P-256:P-384") ||
        !SSL_CTX_set_session_id_context(c, id, sizeof id - 1) || !SSL_CTX_set_num_tickets(c, 1))
        abort(); /* constants that every OpenSSL 3 takes, or no memory */
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(c, 1); /* a record's header and content by one recv */
    SSL_CTX_set_alpn_select_cb(c, choose_protocol, NULL);
    return c;
}

bool tls_load(const struct tls_files *files, struct tls_problem *problem)
{
    SSL_CTX *next = new_context();
    bool ok = take_files(next, files, problem);
    ERR_clear_error();
    if (!ok) {
        SSL_CTX_free(next);
        return false;
    }
    if (!socket_method)
        socket_method = new_socket_method();
    SSL_CTX_free(context); /* lives on in the connections that began with it */
    context = next;
    return true;
}

bool tls_is_loaded(void)
{
    return context != NULL;
}

int64_t tls_expires_at_ms(void)
{
    struct tm tm = {0};
    int ok = ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(context)), &tm);
    return ok ? (int64_t)timegm(&tm) * 1000 : 0;
}

void tls_unload(void)
{
    SSL_CTX_free(context);
    context = NULL;
}

/* --- connections --- */

struct tls *tls_new(int fd)
{
    assert(context);
    struct tls *t = calloc(1, sizeof *t);
    BIO *bio = BIO_new(socket_method);
    if (!t || !bio || !(t->ssl = SSL_new(context)))
        abort();
    t->fd = fd;
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_accept_state(t->ssl);
    return t;
}

void tls_end(struct tls *t)
{
    if (!t)
        return;
    if (!t->is_broken && SSL_is_init_finished(t->ssl))
        (void)SSL_shutdown(t->ssl); /* a peer that does not take it now goes without */
    ERR_clear_error();
    SSL_free(t->ssl);
    free(t);
}

/* What stopped an operation, as errno; 0: the peer's close_notify, or its end. */
static int stopped_by(struct tls *t)
{
    switch (SSL_get_error(t->ssl, 0)) {
    case SSL_ERROR_WANT_WRITE:
    case SSL_ERROR_WANT_READ: return EAGAIN;
    case SSL_ERROR_ZERO_RETURN: t->is_over = true; return 0;
    default: t->is_over = t->is_broken = true; return t->is_plain ? EPROTOTYPE : EPROTO;
    }
}

ssize_t tls_read(struct tls *t, char *p, size_t n)
{
    size_t total = 0, got;
    assert(n >= TLS_READ_BYTES);
    t->may_receive = true;
    ERR_clear_error();
    while (SSL_read_ex(t->ssl, p + total, n - total, &got) == 1)
        total += got;
    int error = stopped_by(t);
    t->may_receive = false;
    t->wants_write = SSL_want_write(t->ssl);
    if (total > 0)
        return (ssize_t)total; /* the error, if it is one that stays, comes again */
    errno = error;
    return error ? -1 : 0;
}

ssize_t tls_write(struct tls *t, const char *p, size_t n)
{
    size_t sent;
    ERR_clear_error();
    if (SSL_write_ex(t->ssl, p, n, &sent) == 1)
        return (ssize_t)sent;
    errno = stopped_by(t);
    if (!errno)
        errno = EPIPE;
    return -1;
}

bool tls_wants_write(const struct tls *t)
{
    return t->wants_write;
}

bool tls_is_over(const struct tls *t)
{
    return t->is_over;
}
