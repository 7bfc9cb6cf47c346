/* A request reader, fed in pieces. Each test program has its own. */
#ifndef TESTS_HTTP_READER_FIXTURE_H
#define TESTS_HTTP_READER_FIXTURE_H

#include "unit/net/net_fixture.h"

#include "net/http_reader.h"

static struct http_reader reader;

UNUSED static int set_up(void **state)
{
    char problem[512];
    (void)state;
    clearenv();
    assert_true(config_load(NULL, problem));
    net_settings = net_settings_default;
    http_reader_init(&reader);
    return 0;
}

UNUSED static int tear_down(void **state)
{
    (void)state;
    http_reader_done(&reader);
    config_free();
    return 0;
}

/* Feeds `n` bytes in pieces of `step`, each copied so that reading past its end is seen. */
UNUSED static size_t feed(const char *p, size_t n, size_t step)
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

UNUSED static const struct http_request *read_text(const char *text)
{
    http_reader_init(&reader);
    feed(text, strlen(text), SIZE_MAX);
    return http_reader_request(&reader);
}

UNUSED static const struct http_request *read_good(const char *text)
{
    const struct http_request *r = read_text(text);
    if (reader.stage != HTTP_COMPLETE)
        fail_msg("stage %d (%s) after %s", reader.stage, reader.reason ? reader.reason : "", text);
    return r;
}

UNUSED static void expect_text(struct str s, const char *text)
{
    assert_int_equal(s.n, strlen(text));
    assert_memory_equal(s.p, text, s.n);
}

/* However it is cut. */
UNUSED static void expect_bad_bytes(const char *p, size_t n, enum err problem)
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

UNUSED static void expect_bad(const char *text)
{
    expect_bad_bytes(text, strlen(text), ERR_INVALID_REQUEST);
}

/* A request with these header lines. */
UNUSED static void expect_bad_header(const char *lines)
{
    char text[1024];
    snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n", lines);
    expect_bad(text);
}

/* The reason in the answer, so that a request is not refused for something else. */
UNUSED static void expect_reason(const char *text, enum err problem, const char *reason)
{
    expect_bad_bytes(text, strlen(text), problem);
    if (strcmp(reader.reason, reason) != 0)
        fail_msg("\"%s\", not \"%s\", for %s", reader.reason, reason, text);
}

UNUSED static void fill(struct buf *text, char c, size_t n)
{
    while (n--)
        buf_addc(text, c);
}

UNUSED static void expect_at_limit(struct buf *text, enum err problem)
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
