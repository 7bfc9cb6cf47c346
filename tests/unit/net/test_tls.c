/* Connections over TLS: which handshakes succeed, bytes both ways, the end of a connection, and certificates
 * that change while clients are connected. */
#include "unit/net/tls_fixture.h"

#include "conversation/net/http.h"
#include "net/tls.h"

/* A protocol that gives back what it gets, and keeps what the test asks for. */
static struct {
    struct buf got;
    int closed;
    struct conn *conn;
} user;

static size_t received(struct conn *c, char *p, size_t n)
{
    struct str part = {p, n};
    buf_add(&user.got, p, n);
    user.conn = c;
    assert_true(conn_write(c, &part, 1, SIZE_MAX));
    return n;
}

static void closed(struct conn *c)
{
    (void)c;
    user.closed++;
}

static const struct conn_protocol echo = {.received = received, .closed = closed};

static struct certificate *certificate;
static struct tls_peer peer;

/* Another connection to the same server. */
static struct conn *connect_peer(struct tls_peer *p)
{
    int client, server;
    connect_pair(&client, &server);
    tls_peer_init(p, client);
    struct conn *c = conn_new(server, &echo, NULL);
    assert_non_null(c);
    conn_start_tls(c);
    return c;
}

static int set_up(void **state)
{
    (void)state;
    memset(&user, 0, sizeof user);
    edge_set_up();
    certificate = certificate_new("first.example.com");
    load(certificate);
    user.conn = connect_peer(&peer);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    edge_tear_down();
    assert_int_equal(conn_count(), 0);
    tls_peer_done(&peer);
    tls_unload();
    certificate_free(certificate);
    buf_done(&user.got);
    return 0;
}

static void say_hello(struct tls_peer *p)
{
    p->got.n = 0;
    tls_send(p, "hello", 5);
    tls_expect(p, "hello");
}

/* --- handshakes --- */

static void a_client_is_answered(void **state)
{
    (void)state;
    say_hello(&peer);
    assert_string_equal(SSL_get_version(peer.ssl), "TLSv1.3");
    expect_name(&peer, "first.example.com");
    assert_null(user.conn->out.p);
    say_hello(&peer);
}

static void only_a_client_of_tls_1_2_or_later(void **state)
{
    (void)state;
    static const struct {
        int version;
        bool is_taken;
    } cases[] = {
        {TLS1_VERSION, false}, {TLS1_1_VERSION, false}, {TLS1_2_VERSION, true}, {TLS1_3_VERSION, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_peer p;
        connect_peer(&p);
        SSL_set_security_level(p.ssl, 0); /* else this client would not even try the old ones */
        SSL_set_cipher_list(p.ssl, "ALL:@SECLEVEL=0");
        assert_true(SSL_set_min_proto_version(p.ssl, cases[i].version));
        assert_true(SSL_set_max_proto_version(p.ssl, cases[i].version));
        if (cases[i].is_taken) {
            say_hello(&p);
            assert_int_equal(SSL_version(p.ssl), cases[i].version);
        } else {
            TLS_WAIT(&p, p.tcp.has_ended);
            assert_true(p.has_failed);
            assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
        }
        tls_peer_done(&p);
    }
}

static void only_ciphers_with_forward_secrecy_and_authentication(void **state)
{
    (void)state;
    static const struct {
        const char *cipher;
        bool is_taken;
    } cases[] = {{"AES128-GCM-SHA256", false},
                 {"ECDHE-ECDSA-AES128-SHA", false},
                 {"ECDHE-ECDSA-AES128-SHA256", false},
                 {"ECDHE-ECDSA-AES128-GCM-SHA256", true},
                 {"ECDHE-ECDSA-CHACHA20-POLY1305", true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_peer p;
        connect_peer(&p);
        assert_true(SSL_set_max_proto_version(p.ssl, TLS1_2_VERSION));
        assert_true(SSL_set_cipher_list(p.ssl, cases[i].cipher));
        if (cases[i].is_taken) {
            say_hello(&p);
        } else {
            TLS_WAIT(&p, p.tcp.has_ended);
            assert_true(p.has_failed);
        }
        tls_peer_done(&p);
    }
}

/* RFC 7301 section 3.2: who offers nothing that we speak is told so. */
static void http_1_1_is_agreed_on_or_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *offer, *agreed; /* NULL: refused */
    } cases[] = {
        {"\x08http/1.1", "http/1.1"}, {"\x02h2\x08http/1.1", "http/1.1"}, {"\x02h2", NULL}, {"", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_peer p;
        const unsigned char *agreed;
        unsigned n;
        connect_peer(&p);
        SSL_set_alpn_protos(p.ssl, (const unsigned char *)cases[i].offer, (unsigned)strlen(cases[i].offer));
        if (cases[i].agreed) {
            say_hello(&p);
            SSL_get0_alpn_selected(p.ssl, &agreed, &n);
            assert_int_equal(n, strlen(cases[i].agreed));
            assert_memory_equal(agreed, cases[i].agreed, n);
        } else {
            TLS_WAIT(&p, p.tcp.has_ended);
            assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()),
                             SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
        }
        tls_peer_done(&p);
    }
}

static void a_handshake_may_come_byte_by_byte(void **state)
{
    (void)state;
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    BIO_up_ref(in);
    BIO_up_ref(out);
    SSL_set_bio(peer.ssl, in, out);
    double until = real_seconds() + WAIT_S;
    while (SSL_do_handshake(peer.ssl) != 1 && real_seconds() < until) {
        char byte;
        while (BIO_read(out, &byte, 1) == 1)
            peer_send_bytes(&peer.tcp, &byte, 1); /* pumps */
        peer_pump(&peer.tcp);
        BIO_write(in, peer.tcp.got.p, (int)peer.tcp.got.n);
        peer_forget(&peer.tcp);
    }
    assert_true(SSL_is_init_finished(peer.ssl));
    assert_int_equal(SSL_write(peer.ssl, "hello", 5), 5);
    char byte;
    while (BIO_read(out, &byte, 1) == 1)
        peer_send_bytes(&peer.tcp, &byte, 1);
    assert_int_equal(user.got.n, 5);
    BIO_free(in);
    BIO_free(out);
}

static void a_session_is_resumed_by_its_ticket(void **state)
{
    (void)state;
    say_hello(&peer);
    SSL_SESSION *session = SSL_get1_session(peer.ssl);
    assert_true(SSL_SESSION_is_resumable(session));
    struct tls_peer again;
    connect_peer(&again);
    SSL_set_session(again.ssl, session);
    say_hello(&again);
    assert_true(SSL_session_reused(again.ssl));
    SSL_SESSION_free(session);
    tls_peer_done(&again);
}

static void renegotiation_is_refused(void **state)
{
    (void)state;
    struct tls_peer p;
    connect_peer(&p);
    assert_true(SSL_set_max_proto_version(p.ssl, TLS1_2_VERSION));
    say_hello(&p);
    assert_int_equal(SSL_renegotiate(p.ssl), 1);
    (void)SSL_do_handshake(p.ssl);
    TLS_WAIT(&p, p.tcp.has_ended);
    assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_NO_RENEGOTIATION);
    tls_peer_done(&p);
}

/* --- what is no TLS --- */

static void plain_http_is_told_so(void **state)
{
    (void)state;
    peer_send(&peer.tcp, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    peer_expect_end(&peer.tcp);
    assert_true(peer_has(&peer.tcp, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"));
    assert_true(peer_has(&peer.tcp, "\r\n\r\nthis port speaks HTTPS only\n"));
    assert_false(peer.tcp.was_reset);
    assert_int_equal(user.closed, 1);
    assert_int_equal(user.got.n, 0);
}

static void garbage_is_the_end(void **state)
{
    (void)state;
    static const struct str texts[] = {
        STR("\x80\x2e\x01"),                          /* a hello of SSL 2 */
        STR("\x16\x03\x01\xff\xff and so on"),        /* a record longer than any */
        STR("\x16\x03\x01\x00\x05\x02\x00\x00\x01x"), /* a server's hello */
        STR("\x17\x03\x03\x00\x01x"),                 /* data before the handshake */
        STR("\x15\x03\x03\x00\x02\x02\x28"),          /* an alert */
        STR("hello, who is there?"),
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct tls_peer p;
        connect_peer(&p);
        peer_send_bytes(&p.tcp, texts[i].p, texts[i].n);
        shutdown(p.tcp.fd, SHUT_WR);
        peer_expect_end(&p.tcp);
        tls_peer_done(&p);
    }
    assert_int_equal(user.got.n, 0);
    turns(2);
    assert_int_equal(conn_count(), 1); /* the one of set_up */
}

static void a_bent_record_is_the_end(void **state)
{
    (void)state;
    static const struct str record = STR("\x17\x03\x03\x00\x20 that was never encrypted by us.");
    say_hello(&peer);
    assert_int_equal(send(peer.tcp.fd, record.p, record.n, MSG_NOSIGNAL), 37);
    TLS_WAIT(&peer, peer.tcp.has_ended);
    assert_true(peer.has_failed); /* by an alert */
    assert_int_equal(user.closed, 1);
    assert_int_equal(user.got.n, 5);
}

/* --- bytes --- */

static char *pattern(size_t n)
{
    char *p = malloc(n);
    for (size_t i = 0; i < n; i++)
        p[i] = (char)(i * 7 + i / 251);
    return p;
}

static void much_goes_both_ways(void **state)
{
    (void)state;
    size_t n = 5000000;
    char *bytes = pattern(n);
    tls_send(&peer, bytes, n);
    TLS_WAIT(&peer, peer.got.n >= n);
    assert_int_equal(user.got.n, n);
    assert_memory_equal(user.got.p, bytes, n);
    assert_int_equal(peer.got.n, n);
    assert_memory_equal(peer.got.p, bytes, n);
    free(bytes);
    turns(2);
    assert_int_equal(conn_unsent(user.conn), 0);
}

static void what_is_written_in_a_turn_is_one_record(void **state)
{
    (void)state;
    say_hello(&peer);
    turns(3);
    tls_pump(&peer); /* takes the session ticket */
    for (int i = 0; i < 3; i++)
        assert_true(conn_write(user.conn, &STR("message"), 1, SIZE_MAX));
    assert_int_equal(conn_unsent(user.conn), 21);
    turns(2);
    unsigned char record[256];
    ssize_t n = recv(peer.tcp.fd, record, sizeof record, MSG_PEEK);
    assert_int_equal(n, 5 + (record[3] << 8 | record[4]));
    peer.got.n = 0;
    tls_expect(&peer, "messagemessagemessage");
}

static void a_peer_that_takes_nothing_is_cut(void **state)
{
    (void)state;
    static char chunk[65536];
    struct str part = {chunk, sizeof chunk};
    say_hello(&peer);
    for (int i = 0; i < 2000 && conn_unsent(user.conn) < 4 * sizeof chunk; i++) {
        assert_true(conn_write(user.conn, &part, 1, SIZE_MAX));
        turns(1);
    }
    assert_true(conn_unsent(user.conn) > 0);
    advance(net_settings.body_timeout_ms + 100);
    assert_int_equal(user.closed, 1);
}

/* What waits to be sent is no reason to read: a connection that is paused would read on for as long as its
 * peer is slow. */
static void writing_that_waits_asks_for_no_reading(void **state)
{
    (void)state;
    static char chunk[65536];
    struct str part = {chunk, sizeof chunk};
    say_hello(&peer);
    while (conn_unsent(user.conn) < 4 * sizeof chunk) {
        assert_true(conn_write(user.conn, &part, 1, SIZE_MAX));
        turns(1);
    }
    assert_false(tls_wants_write(user.conn->tls));
}

static void a_slow_peer_gets_everything(void **state)
{
    (void)state;
    static char chunk[65536];
    struct str part = {chunk, sizeof chunk};
    say_hello(&peer);
    peer.got.n = 0;
    size_t total = 0;
    while (conn_unsent(user.conn) < 1000000) {
        assert_true(conn_write(user.conn, &part, 1, SIZE_MAX));
        total += sizeof chunk;
        turns(1);
    }
    conn_finish(user.conn);
    TLS_WAIT(&peer, peer.tcp.has_ended);
    assert_int_equal(peer.got.n, total);
    assert_true(peer.was_told);
}

/* --- the end --- */

static void finishing_says_so(void **state)
{
    (void)state;
    say_hello(&peer);
    peer.got.n = 0;
    assert_true(conn_write(user.conn, &STR("goodbye"), 1, SIZE_MAX));
    conn_finish(user.conn);
    TLS_WAIT(&peer, peer.tcp.has_ended);
    assert_true(peer.was_told);
    tls_expect(&peer, "goodbye");
}

static void closing_says_so(void **state)
{
    (void)state;
    say_hello(&peer);
    conn_close(user.conn);
    TLS_WAIT(&peer, peer.tcp.has_ended);
    assert_true(peer.was_told);
}

static void a_peer_that_says_goodbye_has_left(void **state)
{
    (void)state;
    say_hello(&peer);
    (void)SSL_shutdown(peer.ssl); /* the TCP connection stays */
    TLS_WAIT(&peer, peer.tcp.has_ended);
    assert_true(peer.was_told);
    assert_int_equal(user.closed, 1);
}

/* Both in one segment: nothing more comes from the socket that would tell. */
static void goodbye_right_after_the_last_bytes_is_heard(void **state)
{
    (void)state;
    say_hello(&peer);
    assert_int_equal(SSL_write(peer.ssl, "last", 4), 4);
    (void)SSL_shutdown(peer.ssl);
    TLS_WAIT(&peer, peer.tcp.has_ended);
    assert_int_equal(user.closed, 1);
    assert_int_equal(user.got.n, strlen("hellolast"));
}

static void a_peer_that_vanishes_has_left(void **state)
{
    (void)state;
    say_hello(&peer);
    shutdown(peer.tcp.fd, SHUT_WR);
    TLS_WAIT(&peer, peer.tcp.has_ended);
    assert_int_equal(user.closed, 1);
}

static void on_request(struct conn *c, const struct http_request *r)
{
    (void)r;
    http_respond(c, &(struct http_response){.status = 204});
}

static void on_refuse(struct conn *c, const struct http_request *r, enum err err, const char *reason)
{
    (void)err, (void)reason;
    on_request(c, r);
}

static void a_handshake_must_end_in_time(void **state)
{
    (void)state;
    static const struct http_user http_user = {.request = on_request, .refuse = on_refuse};
    int client, server;
    http_init(&http_user);
    connect_pair(&client, &server);
    struct peer slow = {.fd = client};
    conn_start_tls(http_accept(server));
    peer_send_bytes(&slow, "\x16\x03\x01\x01\x00\x01", 6);
    advance(net_settings.header_timeout_ms - 100);
    peer_send_bytes(&slow, "\x00", 1);
    assert_false(slow.has_ended);
    advance(200);
    peer_expect_end(&slow);
    assert_int_equal(slow.got.n, 0);
    peer_done(&slow);
}

/* --- certificates --- */

static void a_new_certificate_is_for_new_connections(void **state)
{
    (void)state;
    struct certificate *second = certificate_new("second.example.com");
    struct tls_peer p;
    say_hello(&peer);
    load(second);
    say_hello(&peer);
    expect_name(&peer, "first.example.com");
    connect_peer(&p);
    say_hello(&p);
    expect_name(&p, "second.example.com");
    tls_peer_done(&p);
    certificate_free(second);
}

static void expect_refused(const char *certificate_path, const char *key_path, bool is_of_key,
                           const char *why)
{
    struct tls_problem problem;
    const struct tls_files files = {certificate_path, key_path};
    char expected[384];
    snprintf(expected, sizeof expected, "\"%s\": %s", is_of_key ? key_path : certificate_path, why);
    assert_false(tls_load(&files, &problem));
    assert_int_equal(problem.is_of_key, is_of_key);
    assert_string_equal(problem.why, expected);
}

static void a_pair_that_cannot_be_used_changes_nothing(void **state)
{
    (void)state;
    struct certificate *other = certificate_new("other.example.com");
    const char *good = certificate->certificate_path, *key = certificate->key_path;
    char empty[32];
    fclose(temporary(empty));
    expect_refused("/nowhere.pem", key, false, "No such file or directory");
    expect_refused(good, "/nowhere.pem", true, "No such file or directory");
    expect_refused("/tmp", key, false, "no start line");
    expect_refused(empty, key, false, "no start line");
    expect_refused(key, key, false, "no start line");
    expect_refused(good, empty, true, "unsupported");
    expect_refused(good, other->key_path, true, "key values mismatch");
    unlink(empty);
    certificate_free(other);
    say_hello(&peer);
    expect_name(&peer, "first.example.com");
}

/* It must not ask anybody. */
static void an_encrypted_key_is_refused(void **state)
{
    (void)state;
    char path[32];
    struct tls_problem problem;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *file = temporary(path);
    assert_true(PEM_write_PKCS8PrivateKey(file, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL));
    fclose(file);
    const struct tls_files files = {certificate->certificate_path, path};
    assert_false(tls_load(&files, &problem));
    assert_true(problem.is_of_key);
    unlink(path);
    EVP_PKEY_free(key);
}

static void its_end_is_known(void **state)
{
    (void)state;
    int64_t day_ms = 86400000, now_ms = (int64_t)time(NULL) * 1000;
    assert_in_range(tls_expires_at_ms(), now_ms + day_ms - 60000, now_ms + day_ms);
    assert_true(tls_is_loaded());
    tls_unload();
    assert_false(tls_is_loaded());
    say_hello(&peer); /* keeps what it began with */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_client_is_answered),
        TEST(only_a_client_of_tls_1_2_or_later),
        TEST(only_ciphers_with_forward_secrecy_and_authentication),
        TEST(http_1_1_is_agreed_on_or_nothing),
        TEST(a_handshake_may_come_byte_by_byte),
        TEST(a_session_is_resumed_by_its_ticket),
        TEST(renegotiation_is_refused),
        TEST(plain_http_is_told_so),
        TEST(garbage_is_the_end),
        TEST(a_bent_record_is_the_end),
        TEST(much_goes_both_ways),
        TEST(what_is_written_in_a_turn_is_one_record),
        TEST(a_peer_that_takes_nothing_is_cut),
        TEST(writing_that_waits_asks_for_no_reading),
        TEST(a_slow_peer_gets_everything),
        TEST(finishing_says_so),
        TEST(closing_says_so),
        TEST(a_peer_that_says_goodbye_has_left),
        TEST(goodbye_right_after_the_last_bytes_is_heard),
        TEST(a_peer_that_vanishes_has_left),
        TEST(a_handshake_must_end_in_time),
        TEST(a_new_certificate_is_for_new_connections),
        TEST(a_pair_that_cannot_be_used_changes_nothing),
        TEST(an_encrypted_key_is_refused),
        TEST(its_end_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
