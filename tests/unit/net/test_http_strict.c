/* What RFC 9112 forbids, or leaves to guess, is refused, however the bytes are cut. */
#include "unit/net/http_reader_fixture.h"

/* RFC 9112 section 6.3: with another last coding the end of the body cannot be known, and the answer is 400.
 */
static void only_chunked_is_taken(void **state)
{
    (void)state;
    static const char other[] = "the only transfer coding is chunked",
                      last[] = "chunked must be the last transfer coding, once",
                      malformed[] = "malformed HTTP request"; /* said by llhttp */
    static const struct {
        const char *coding;
        enum err problem;
        const char *reason;
    } cases[] = {
        {"gzip, chunked", ERR_NOT_IMPLEMENTED, other},
        {"identity, chunked", ERR_NOT_IMPLEMENTED, other},
        {"identity", ERR_INVALID_REQUEST, last},
        {"xchunked", ERR_INVALID_REQUEST, last},
        {"gzip", ERR_INVALID_REQUEST, last},
        {"chunked, gzip", ERR_INVALID_REQUEST, malformed},
        {"chunked, chunked", ERR_INVALID_REQUEST, malformed},
        {"chunked;q=1", ERR_INVALID_REQUEST, last},
        {"chunked,", ERR_INVALID_REQUEST, malformed},
        {"\"chunked\"", ERR_INVALID_REQUEST, last},
        {"", ERR_INVALID_REQUEST, last},
        {" \t", ERR_INVALID_REQUEST, last},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: %s\r\n\r\n",
                 cases[i].coding);
        expect_reason(text, cases[i].problem, cases[i].reason);
    }
    expect_reason("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ERR_INVALID_REQUEST,
                  "Transfer-Encoding needs HTTP/1.1");
    read_good("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \tChunked \r\n\r\n0\r\n\r\n");
}

static void only_100_continue_is_expected(void **state)
{
    (void)state;
    static const char reason[] = "the only expectation is 100-continue";
    expect_reason("POST / HTTP/1.1\r\nHost: x\r\nExpect: a-miracle\r\n\r\n", ERR_EXPECTATION_FAILED, reason);
    expect_reason("POST / HTTP/1.1\r\nHost: x\r\nExpect:\r\n\r\n", ERR_EXPECTATION_FAILED, reason);
    read_good("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\n\r\n");
    read_good("POST / HTTP/1.0\r\nExpect: a-miracle\r\n\r\n");
}

/* RFC 9110 section 9.3.1: what such a body hides would be a request for who takes it for none. */
static void get_and_head_have_no_body(void **state)
{
    (void)state;
    static const char reason[] = "GET and HEAD have no body";
    expect_reason("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", ERR_INVALID_REQUEST, reason);
    expect_reason("HEAD / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                  ERR_INVALID_REQUEST, reason);
    read_good("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    read_good("DELETE / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
}

/* --- bad ones --- */

static void malformed_requests_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "hello\r\n\r\n",
        "\x16\x03\x01\x02\x01",
        "GET /\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
        "GET /  HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /\tHTTP/1.1\r\nHost: x\r\n\r\n",
        " GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: x\r\n\r\n",
        "GET / HTTP/1.10\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.2\r\nHost: x\r\n\r\n",
        "GET / HTTP/01.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.\r\nHost: x\r\n\r\n",
        "GET / HTTP/-1.1\r\nHost: x\r\n\r\n",
        "GET / http/1.1\r\nHost: x\r\n\r\n",
        "GET / RTSP/1.0\r\nHost: x\r\n\r\n",
        "OPTIONS / RTSP/1.0\r\nHost: x\r\n\r\n",
        "SOURCE / ICE/1.0\r\nHost: x\r\n\r\n",
        "GETT / HTTP/1.1\r\nHost: x\r\n\r\n",
        "G@T / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: x\r\n\r\n",
        "GET / HTTP/0.9\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\nHost: x\n\n",
        "get / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: x\r\n\r\n",
        "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: x\r\nhost: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /\f HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /?a=\t HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        expect_bad(texts[i]);
}

static void malformed_header_fields_are_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "Bad Name: x\r\n",
        "Bad : x\r\n",
        " Folded: x\r\n",
        "nothing\r\n",
        ": nameless\r\n",
        ":\r\n",
        "B\"d: x\r\n",
        "B\x80: x\r\n",
        "X\t: a\r\n",
        "X: a\r\n folded\r\n",
        "X: a\r\n\tfolded\r\n",
        "X: a\x01\r\n",
        "X: a\x1b[0m\r\n",
        "X: a\vb\r\n",
        "X: a\x7f\r\n",
        "Content-Length: ten\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +1\r\n",
        "Content-Length: 1, 1\r\n",
        "Content-Length: 1,1\r\n",
        "Content-Length: 1 1\r\n",
        "Content-Length: 0x10\r\n",
        "Content-Length: 1e1\r\n",
        "Content-Length: 1.0\r\n",
        "Content-Length: \"1\"\r\n",
        "Content-Length:\r\n",
        "Content-Length: \r\n",
        "Content-Length: 0\r\nContent-Length: 0\r\n",
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        "Content-Length: 99999999999999999999\r\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        expect_bad_header(lines[i]);
    static const char nul[] = "GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n";
    expect_bad_bytes(nul, sizeof nul - 1, ERR_INVALID_REQUEST);
    static const char nul_in_name[] = "GET / HTTP/1.1\r\nHost: x\r\nX\0: b\r\n\r\n";
    expect_bad_bytes(nul_in_name, sizeof nul_in_name - 1, ERR_INVALID_REQUEST);
    static const char nul_in_target[] = "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n";
    expect_bad_bytes(nul_in_target, sizeof nul_in_target - 1, ERR_INVALID_REQUEST);
}

/* Whatever two servers in a row could take for different requests. */
static void smuggled_requests_are_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
        "Transfer-Encoding:\r\n chunked\r\nContent-Length: 1\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Content-Length: 1\r\nTransfer-Encoding:\r\n",
        "Transfer-Encoding: \r\nContent-Length: 1\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\ntransfer-encoding: identity\r\n",
        "Transfer-Encoding: \x0b"
        "chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        "Expect: 100-continue\r\nExpect: 100-continue\r\n",
        "X: a\rContent-Length: 5\r\n",
        "X: a\nContent-Length: 5\r\n",
        "X: a\r\rContent-Length: 5\r\n",
        "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
        "Content-Type: text/plain\r\ncontent-type: application/json\r\n",
        "Origin: a\r\nOrigin: b\r\n",
        "Sec-WebSocket-Key: a\r\nSec-WebSocket-Key: b\r\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        expect_bad_header(lines[i]);
    expect_bad("GET / HTTP/1.1\rHost: x\r\n\r\n");
    expect_bad("GET / HTTP/1.1\r\nHost: x\r\n\rGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
}

/* Only the reason differs: which of two servers in a row would be right does not matter. */
static void targets_and_hosts_are_checked(void **state)
{
    (void)state;
    static const char form[] = "the request target must be an absolute path or an http URI",
                      host[] = "Host is not valid", one[] = "exactly one Host header is required";
    static const struct {
        const char *start, *host, *reason; /* NULL: taken */
    } cases[] = {
        {"GET /", "x", NULL},
        {"GET //x", "x", NULL},
        {"GET *", "x", form},
        {"OPTIONS *", "x", NULL},
        {"OPTIONS *?a", "x", form},
        {"CONNECT x:443", "x:443", form},
        {"GET /#top", "x", "the request target has a fragment"},
        {"GET /?a#top", "x", "the request target has a fragment"},
        {"GET http://other/", "x", NULL},
        {"GET HTTPS://other:1/", "x", NULL},
        {"GET http:///", "x", host},
        {"GET http://a@b/", "x", host},
        {"GET http://a:b/", "x", host},
        {"GET http://other/", "x y", host},
        {"GET ftp://other/", "x", form},
        {"GET /", "", host},
        {"GET /", "a, b", host},
        {"GET /", "a/b", host},
        {"GET /", "a?b", host},
        {"GET /", "a@b", host},
        {"GET /", "a\\b", host},
        {"GET /", "a\xc3\xa4", host},
        {"GET /", "a%2", host},
        {"GET /", "a%2Fb", NULL},
        {"GET /", "a_b.example.com.", NULL},
        {"GET /", "a:80", NULL},
        {"GET /", "a:", NULL},
        {"GET /", ":80", host},
        {"GET /", "a:80:80", host},
        {"GET /", "a:+80", host},
        {"GET /", "a:65536", host},
        {"GET /", "192.0.2.1:3003", NULL},
        {"GET /", "::1", host},
        {"GET /", "[::1]", NULL},
        {"GET /", "[::1]:80", NULL},
        {"GET /", "[::1", host},
        {"GET /", "[::1]80", host},
        {"GET /", "[::g]", host},
        {"GET /", "[]", host},
        {"GET /", "a\r\nHost: a", one},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: %s\r\n\r\n", cases[i].start, cases[i].host);
        if (cases[i].reason)
            expect_reason(text, ERR_INVALID_REQUEST, cases[i].reason);
        else
            read_good(text);
    }
}

/* RFC 9112 section 3.2.2 */
static void an_absolute_target_replaces_host(void **state)
{
    (void)state;
    static const struct {
        const char *start, *host, *path, *query;
    } cases[] = {
        {"GET /a?b", "x:1", "/a", "b"},
        {"GET http://other:80/a/b?c?d", "other:80", "/a/b", "c?d"},
        {"GET https://other", "other", "/", NULL},
        {"GET http://other?a=/b", "other", "/", "a=/b"},
        {"OPTIONS http://other", "other", "*", NULL},
        {"OPTIONS http://other/", "other", "/", NULL},
        {"GET /http://other/", "x:1", "/http://other/", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: x:1\r\n\r\n", cases[i].start);
        const struct http_request *r = read_good(text);
        expect_text(r->host, cases[i].host);
        expect_text(r->path, cases[i].path);
        if (cases[i].query)
            expect_text(r->query, cases[i].query);
        else
            assert_null(r->query.p);
    }
    assert_null(read_good("GET / HTTP/1.0\r\n\r\n")->host.p);
}

static void malformed_chunks_are_refused(void **state)
{
    (void)state;
    static const char *const chunks[] = {"zz\r\n",
                                         "-1\r\n",
                                         "0x5\r\n",
                                         "\r\n",
                                         "5\rhello",
                                         "5\nhello\r\n0\r\n\r\n",
                                         " 5\r\nhello\r\n0\r\n\r\n",
                                         "+5\r\nhello\r\n0\r\n\r\n",
                                         "5 \r\nhello\r\n0\r\n\r\n",
                                         ";a\r\nhello\r\n0\r\n\r\n",
                                         "5;a=\x01\r\nhello\r\n0\r\n\r\n",
                                         "5\r\nhello\n0\r\n\r\n",
                                         "5\r\nhello\r\n0\r\nContent-Length : 1\r\n\r\n",
                                         "5\r\nhello\r\n0\r\nfolded: 1\r\n 2\r\n\r\n",
                                         "5\r\nhello\r\n-0\r\n\r\n",
                                         "10000000000000005\r\nhello\r\n0\r\n\r\n",
                                         "5 5\r\nhello",
                                         "ffffffffffffffffff\r\n",
                                         "1\r\nab\r\n",
                                         "5;a=\rb\r\nhello\r\n0\r\n\r\n",
                                         "5\r\nhelloXX0\r\n\r\n",
                                         "0\r\nA: b\r\r\n\r\n",
                                         "0\r\n\rX"};
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%s",
                 chunks[i]);
        expect_bad(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_chunked_is_taken),
        TEST(only_100_continue_is_expected),
        TEST(get_and_head_have_no_body),
        TEST(malformed_requests_are_refused),
        TEST(malformed_header_fields_are_refused),
        TEST(smuggled_requests_are_refused),
        TEST(targets_and_hosts_are_checked),
        TEST(an_absolute_target_replaces_host),
        TEST(malformed_chunks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
