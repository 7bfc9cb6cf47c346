/* From bytes to a request: what is taken, what is refused and why, and that it does not matter how the bytes
 * are cut. */
#include "unit/net/net_fixture.h"

#include "net/http_reader.h"

static struct http_reader reader;

static int set_up(void **state)
{
    char problem[512];
    (void)state;
    clearenv();
    assert_true(config_load(NULL, problem));
    net_settings = net_settings_default;
    http_reader_init(&reader);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_reader_done(&reader);
    config_free();
    return 0;
}

/* Feeds `n` bytes in pieces of `step`, each copied so that reading past its end is seen. */
static size_t feed(const char *p, size_t n, size_t step)
{
    size_t at = 0;
    while (at < n && reader.stage != HTTP_COMPLETE && reader.stage != HTTP_BAD) {
        size_t piece = step < n - at ? step : n - at;
        char *copy = malloc(piece);
        memcpy(copy, p + at, piece);
        at += http_reader_read(&reader, copy, piece);
        free(copy);
    }
    return at;
}

static const struct http_request *read_text(const char *text)
{
    http_reader_init(&reader);
    feed(text, strlen(text), SIZE_MAX);
    return http_reader_request(&reader);
}

static const struct http_request *read_good(const char *text)
{
    const struct http_request *r = read_text(text);
    if (reader.stage != HTTP_COMPLETE)
        fail_msg("stage %d (%s) after %s", reader.stage, reader.reason ? reader.reason : "", text);
    return r;
}

static void expect_text(struct str s, const char *text)
{
    assert_int_equal(s.n, strlen(text));
    assert_memory_equal(s.p, text, s.n);
}

/* However it is cut. */
static void expect_bad_bytes(const char *p, size_t n, enum err problem)
{
    for (size_t step = 1; step <= n; step = step < 4 ? step + 1 : step * 2) {
        http_reader_init(&reader);
        feed(p, n, step);
        if (reader.stage != HTTP_BAD || reader.problem != problem)
            fail_msg("stage %d, problem %d, not %d, in steps of %zu: %.*s", reader.stage, reader.problem,
                     problem, step, (int)n, p);
        assert_non_null(reader.reason);
    }
}

static void expect_bad(const char *text)
{
    expect_bad_bytes(text, strlen(text), ERR_INVALID_REQUEST);
}

/* A request with these header lines. */
static void expect_bad_header(const char *lines)
{
    char text[1024];
    snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n", lines);
    expect_bad(text);
}

/* The reason in the answer, so that a request is not refused for something else. */
static void expect_reason(const char *text, enum err problem, const char *reason)
{
    expect_bad_bytes(text, strlen(text), problem);
    if (strcmp(reader.reason, reason) != 0)
        fail_msg("\"%s\", not \"%s\", for %s", reader.reason, reason, text);
}

/* --- good ones --- */

static void a_field_may_come_several_times(void **state)
{
    (void)state;
    static const char *const values[] = {"a", "", "b"};
    const struct http_request *r = read_good("GET / HTTP/1.1\r\nHost: x\r\nAccept: a\r\nOther: o\r\n"
                                             "ACCEPT:\r\naccept: b\r\nOther: p\r\n\r\n");
    int at = 0;
    for (int i = 0; i < 3; i++) {
        struct str value = http_header_next(r, "Accept", &at);
        assert_non_null(value.p);
        expect_text(value, values[i]);
    }
    assert_null(http_header_next(r, "Accept", &at).p);
    assert_null(http_header_next(r, "Accept", &at).p);
    expect_text(http_header(r, "Accept"), "a");
}

static void a_request_is_taken_apart(void **state)
{
    (void)state;
    const struct http_request *r =
        read_good("POST /a/b?c=d&e HTTP/1.1\r\nHost: x\r\nContent-Type:  text/plain \r\n"
                  "Content-Length: 5\r\nEmpty:\r\n\r\nhello");
    assert_int_equal(r->method, POST);
    expect_text(r->path, "/a/b");
    expect_text(r->query, "c=d&e");
    expect_text(r->body, "hello");
    expect_text(http_header(r, "content-TYPE"), "text/plain");
    expect_text(http_header(r, "Empty"), "");
    assert_non_null(http_header(r, "Empty").p);
    assert_null(http_header(r, "Absent").p);
    assert_true(r->has_body);
    assert_false(r->is_http_1_0);
    assert_false(r->wants_upgrade);
    assert_true(http_reader_keeps_alive(&reader));
}

static void what_is_absent_is_empty(void **state)
{
    (void)state;
    const struct http_request *r = read_good("GET /? HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_text(r->path, "/");
    assert_non_null(r->query.p);
    assert_int_equal(r->query.n, 0);
    expect_text(r->body, "");
    assert_false(r->has_body);
    assert_null(read_good("GET / HTTP/1.1\r\nHost: x\r\n\r\n")->query.p);
}

static void every_method_has_its_name(void **state)
{
    (void)state;
    static const char *const names[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"};
    for (int i = 0; i < HTTP_METHOD_COUNT; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s / HTTP/1.1\r\nHost: x\r\n\r\n", names[i]);
        assert_int_equal(read_good(text)->method, i);
        assert_string_equal(http_method_name(i), names[i]);
    }
    assert_int_equal(read_good("PROPFIND / HTTP/1.1\r\nHost: x\r\n\r\n")->method, HTTP_METHOD_OTHER);
    expect_text(read_good("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")->path, "*");
}

static const char chunked[] =
    "POST /c HTTP/1.1\r\nHost: x\r\nX-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
    "Transfer-Encoding: chunked\r\n\r\n"
    "5;name=value\r\nhello\r\n1\r\n,\r\n6\r\n world\r\n0\r\nAuthorization: trailer\r\n\r\n";

static void the_same_however_it_is_cut(void **state)
{
    (void)state;
    for (size_t step = 1; step <= sizeof chunked; step++) {
        http_reader_init(&reader);
        assert_int_equal(feed(chunked, sizeof chunked - 1, step), sizeof chunked - 1);
        assert_int_equal(reader.stage, HTTP_COMPLETE);
        const struct http_request *r = http_reader_request(&reader);
        expect_text(r->path, "/c");
        expect_text(http_header(r, "X-Long"), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        expect_text(r->body, "hello, world");
        assert_true(r->has_body);
    }
}

static void trailers_are_not_headers(void **state)
{
    (void)state;
    const struct http_request *r = read_good(chunked);
    assert_null(http_header(r, "Authorization").p);
    assert_int_equal(r->field_count, 3);
}

static void it_stops_where_the_request_ends(void **state)
{
    (void)state;
    static const char two[] =
        "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nabGET /2 HTTP/1.1\r\nHost: x\r\n\r\n";
    size_t used = feed(two, sizeof two - 1, SIZE_MAX);
    assert_int_equal(used, strstr(two, "GET") - two);
    expect_text(http_reader_request(&reader)->body, "ab");
    http_reader_init(&reader);
    feed(two + used, sizeof two - 1 - used, SIZE_MAX);
    assert_int_equal(reader.stage, HTTP_COMPLETE);
    expect_text(http_reader_request(&reader)->path, "/2");
}

static void stages_are_told_apart(void **state)
{
    (void)state;
    static const char head[] =
        "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    feed("\r\n", 2, 1); /* empty lines before a request are ignored: RFC 9112 section 2.2 */
    assert_int_equal(reader.stage, HTTP_IDLE);
    assert_null(reader.draft);
    assert_int_equal(http_reader_request(&reader)->method, HTTP_METHOD_OTHER);
    feed(head, 1, 1);
    assert_int_equal(reader.stage, HTTP_HEADERS);
    assert_int_equal(http_reader_request(&reader)->method, HTTP_METHOD_OTHER);
    feed(head + 1, sizeof head - 2, 1);
    assert_int_equal(reader.stage, HTTP_BODY);
    assert_true(http_reader_expects_continue(&reader));
    feed("ab", 2, 1);
    assert_int_equal(reader.stage, HTTP_COMPLETE);
}

static void only_http_1_1_waits_for_continue(void **state)
{
    (void)state;
    read_good("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na");
    assert_false(http_reader_expects_continue(&reader));
}

static void the_connection_lives_on_as_the_client_says(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool lives;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
        {"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\na", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        read_good(cases[i].text);
        assert_int_equal(http_reader_keeps_alive(&reader), cases[i].lives);
    }
}

static void an_upgrade_takes_both_headers(void **state)
{
    (void)state;
    assert_true(read_good("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
                    ->wants_upgrade);
    assert_true(
        read_good("GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n\r\n")
            ->wants_upgrade);
    assert_false(read_good("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n")->wants_upgrade);
    static const char early[] =
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nframes";
    http_reader_init(&reader);
    assert_int_equal(feed(early, sizeof early - 1, SIZE_MAX), sizeof early - 1 - strlen("frames"));
}

/* --- limits --- */

static void fill(struct buf *text, char c, size_t n)
{
    while (n--)
        buf_addc(text, c);
}

static void expect_at_limit(struct buf *text, enum err problem)
{
    if (problem) {
        expect_bad_bytes(text->p, text->n, problem);
    } else {
        for (size_t step = 1; step <= 100; step += 99) {
            http_reader_init(&reader);
            feed(text->p, text->n, step);
            if (reader.stage != HTTP_COMPLETE)
                fail_msg("stage %d, problem %d: %s", reader.stage, reader.problem, reader.reason);
        }
    }
    buf_done(text);
}

static void the_target_is_limited(void **state)
{
    (void)state;
    net_settings.max_uri_bytes = 300;
    for (size_t more = 0; more < 2; more++) {
        struct buf text = {0};
        buf_addz(&text, "GET /");
        fill(&text, 'a', 299 + more);
        buf_addz(&text, " HTTP/1.1\r\nHost: x\r\n\r\n");
        expect_at_limit(&text, more ? ERR_URI_TOO_LONG : OK);
    }
}

static void header_fields_are_limited(void **state)
{
    (void)state;
    net_settings.max_header_bytes = 1024;
    for (size_t more = 0; more < 2; more++) {
        struct buf text = {0};
        buf_addz(&text, "GET / HTTP/1.1\r\nHost: x\r\nA: ");
        fill(&text, 'a', 1024 - 6 + more);
        buf_addz(&text, "\r\n\r\n");
        expect_at_limit(&text, more ? ERR_HEADERS_TOO_LARGE : OK);
    }
}

static void the_number_of_header_fields_is_limited(void **state)
{
    (void)state;
    for (int count = HTTP_FIELDS_MAX; count <= HTTP_FIELDS_MAX + 1; count++) {
        struct buf text = {0};
        buf_addz(&text, "GET / HTTP/1.1\r\nHost: x\r\n");
        for (int i = 1; i < count; i++)
            buf_addf(&text, "F%d:\r\n", i);
        buf_addz(&text, "\r\n");
        expect_at_limit(&text, count > HTTP_FIELDS_MAX ? ERR_HEADERS_TOO_LARGE : OK);
    }
}

static void trailers_count_as_header_fields(void **state)
{
    (void)state;
    net_settings.max_header_bytes = 1024;
    for (int count = 35; count <= 100; count += 65) {
        struct buf text = {0};
        buf_addz(&text, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
        for (int i = 0; i < count; i++)
            buf_addf(&text, "Trailer-%d: 0123456789\r\n", i);
        buf_addz(&text, "\r\n");
        expect_at_limit(&text, count == 100 ? ERR_HEADERS_TOO_LARGE : OK);
    }
}

static void the_body_is_limited(void **state)
{
    (void)state;
    net_settings.max_body_bytes = 1024;
    for (size_t n = 1024; n <= 1025; n++) {
        struct buf by_length = {0}, by_chunks = {0};
        buf_addf(&by_length, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", n);
        fill(&by_length, 'a', n);
        expect_at_limit(&by_length, n > 1024 ? ERR_PAYLOAD_TOO_LARGE : OK);
        buf_addf(&by_chunks, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n200\r\n");
        fill(&by_chunks, 'a', 512);
        buf_addf(&by_chunks, "\r\n%zx\r\n", n - 512);
        fill(&by_chunks, 'a', n - 512);
        buf_addz(&by_chunks, "\r\n0\r\n\r\n");
        expect_at_limit(&by_chunks, n > 1024 ? ERR_PAYLOAD_TOO_LARGE : OK);
    }
}

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

/* Extensions of chunks are read over, as long as they are few. */
static void extensions_of_chunks_are_limited(void **state)
{
    (void)state;
    net_settings.max_header_bytes = 1024;
    for (int many = 0; many < 2; many++) {
        struct buf text = {0};
        buf_addz(&text, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < (many ? 20 : 5); i++) {
            buf_addz(&text, "1;extension=");
            fill(&text, 'x', 80);
            buf_addz(&text, "\r\na\r\n");
        }
        buf_addz(&text, "0\r\n\r\n");
        expect_at_limit(&text, many ? ERR_HEADERS_TOO_LARGE : OK);
    }
    struct buf endless = {0}, tiny = {0};
    buf_addz(&endless, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;");
    fill(&endless, 'x', 1100);
    expect_at_limit(&endless, ERR_HEADERS_TOO_LARGE);
    buf_addz(&tiny, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 2000; i++)
        buf_addz(&tiny, "0001\r\na\r\n"); /* wasteful, but a body */
    buf_addz(&tiny, "0\r\n\r\n");
    expect_at_limit(&tiny, OK);
}

static void a_length_too_large_is_refused_before_the_body(void **state)
{
    (void)state;
    static const char text[] = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n";
    expect_bad_bytes(text, sizeof text - 1, ERR_PAYLOAD_TOO_LARGE);
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

/* --- at random --- */

static uint64_t random_state = 88172645463325252u;

static size_t random_below(size_t n) /* xorshift */
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

/* A bent request is taken or refused, but the same way whole and cut, and never read past its end. */
static void bent_requests_are_read_the_same_however_they_are_cut(void **state)
{
    (void)state;
    for (int round = 0; round < 3000; round++) {
        char text[sizeof chunked];
        memcpy(text, chunked, sizeof text);
        for (size_t i = 0; i <= random_below(3); i++)
            text[random_below(sizeof text - 1)] = "\r\n\0 :;0z\x80,"[random_below(10)];
        http_reader_init(&reader);
        feed(text, sizeof text - 1, SIZE_MAX);
        enum http_stage whole = reader.stage;
        http_reader_init(&reader);
        feed(text, sizeof text - 1, 1 + random_below(7));
        if (reader.stage != whole)
            fail_msg("round %d: %d whole, %d in pieces: %s", round, whole, reader.stage, text);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_taken_apart),
        TEST(a_field_may_come_several_times),
        TEST(what_is_absent_is_empty),
        TEST(every_method_has_its_name),
        TEST(the_same_however_it_is_cut),
        TEST(trailers_are_not_headers),
        TEST(it_stops_where_the_request_ends),
        TEST(stages_are_told_apart),
        TEST(only_http_1_1_waits_for_continue),
        TEST(the_connection_lives_on_as_the_client_says),
        TEST(an_upgrade_takes_both_headers),
        TEST(the_target_is_limited),
        TEST(header_fields_are_limited),
        TEST(the_number_of_header_fields_is_limited),
        TEST(trailers_count_as_header_fields),
        TEST(the_body_is_limited),
        TEST(only_chunked_is_taken),
        TEST(only_100_continue_is_expected),
        TEST(get_and_head_have_no_body),
        TEST(extensions_of_chunks_are_limited),
        TEST(a_length_too_large_is_refused_before_the_body),
        TEST(malformed_requests_are_refused),
        TEST(malformed_header_fields_are_refused),
        TEST(smuggled_requests_are_refused),
        TEST(targets_and_hosts_are_checked),
        TEST(an_absolute_target_replaces_host),
        TEST(malformed_chunks_are_refused),
        TEST(bent_requests_are_read_the_same_however_they_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
