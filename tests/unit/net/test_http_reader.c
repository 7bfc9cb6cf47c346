/* From bytes to a request: what is taken, how much, and that it does not matter how the bytes are cut. What
 * is refused is in test_http_strict.c. */
#include "unit/net/http_reader_fixture.h"

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
        TEST(extensions_of_chunks_are_limited),
        TEST(a_length_too_large_is_refused_before_the_body),
        TEST(bent_requests_are_read_the_same_however_they_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
