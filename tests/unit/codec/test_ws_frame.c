/* WebSocket framing: the RFC's vectors, every malformed frame, and random streams cut at random places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conversation/codec/ws_frame.h"

#define FIN        0x80
#define BYTES(...) ((const char[]){__VA_ARGS__}), sizeof((const char[]){__VA_ARGS__})

static const struct ws_limits limits = {.max_message_bytes = 1000000};

/* --- helpers --- */

/* A masked frame, length in its shortest form. */
static void add_frame(struct buf *wire, int first_byte, struct str payload)
{
    static const char mask[4] = {0x37, (char)0xfa, 0x21, 0x3d};
    char header[WS_HEADER_MAX];
    size_t n = ws_header(header, WS_TEXT, payload.n, false);
    header[0] = (char)first_byte;
    header[1] = (char)(header[1] | 0x80);
    buf_add(wire, header, n);
    buf_add(wire, mask, sizeof mask);
    for (size_t i = 0; i < payload.n; i++)
        buf_addc(wire, (char)(payload.p[i] ^ mask[i % 4]));
}

/* What one ws_read says about `n` bytes, given in a block of exactly that size. */
struct reading {
    enum ws_result result;
    size_t used, need;
    struct ws_message message;
    enum ws_close_code close_code;
    char *block; /* the payload lies here */
};

static struct reading read_once(struct ws_reader *r, const struct ws_limits *l, const char *p, size_t n)
{
    struct reading got = {.block = malloc(n ? n : 1)};
    if (n)
        memcpy(got.block, p, n);
    got.result = ws_read(r, l, got.block, n, &got.used, &got.need, &got.message, &got.close_code);
    return got;
}

static void assert_fails(struct ws_reader *r, const struct ws_limits *l, const char *p, size_t n,
                         enum ws_close_code code)
{
    struct reading got = read_once(r, l, p, n);
    assert_int_equal(got.result, WS_ERROR);
    assert_int_equal(got.close_code, code);
    free(got.block);
    ws_reader_done(r);
}

static void assert_message(const struct reading *got, enum ws_opcode opcode, struct str payload)
{
    assert_int_equal(got->result, WS_MESSAGE);
    assert_int_equal(got->message.opcode, opcode);
    assert_true(str_eq(got->message.payload, payload));
}

/* Everything read from a stream, as text: "opcode:payload;", "!code" at the end of a failed one. */
static void read_all(struct ws_reader *r, struct buf *pending, struct buf *log)
{
    for (;;) {
        struct reading got = read_once(r, &limits, pending->p, pending->n);
        if (got.result == WS_MESSAGE)
            buf_addf(log, "%d:%zu:", got.message.opcode, got.message.payload.n);
        if (got.result == WS_MESSAGE)
            buf_add_str(log, got.message.payload);
        if (got.result == WS_ERROR)
            buf_addf(log, "!%d", got.close_code);
        free(got.block);
        if (got.result == WS_NEED_MORE || got.result == WS_ERROR)
            return;
        buf_consume(pending, got.used);
    }
}

/* --- frames of the RFC, section 5.7 --- */

static void test_rfc_masked_text(void **state)
{
    (void)state;
    struct ws_reader r = {0};
    struct reading got = read_once(
        &r, &limits,
        BYTES((char)0x81, (char)0x85, 0x37, (char)0xfa, 0x21, 0x3d, 0x7f, (char)0x9f, 0x4d, 0x51, 0x58));
    assert_message(&got, WS_TEXT, STR("Hello"));
    assert_int_equal(got.used, 11);
    assert_ptr_equal(got.message.payload.p, got.block + 6); /* in place */
    free(got.block);
}

static void test_rfc_fragmented_text_with_ping_between(void **state)
{
    (void)state;
    struct ws_reader r = {0};
    struct buf wire = {0}, log = {0};
    add_frame(&wire, WS_TEXT, STR("Hel"));
    add_frame(&wire, FIN | WS_PING, STR("Hello"));
    add_frame(&wire, FIN | WS_CONTINUATION, STR("lo"));
    add_frame(&wire, FIN | WS_BINARY, STR(""));
    read_all(&r, &wire, &log);
    assert_true(str_eqz(buf_str(&log), "9:5:Hello1:5:Hello2:0:"));
    assert_null(r.fragments.p); /* an idle connection holds no memory */
    buf_done(&wire);
    buf_done(&log);
}

static void test_rfc_headers(void **state)
{
    (void)state;
    char h[WS_HEADER_MAX];
    assert_int_equal(ws_header(h, WS_TEXT, 5, false), 2);
    assert_memory_equal(h, "\x81\x05", 2);
    assert_int_equal(ws_header(h, WS_TEXT, 125, true), 2);
    assert_memory_equal(h, "\xc1\x7d", 2);
    assert_int_equal(ws_header(h, WS_BINARY, 126, false), 4);
    assert_memory_equal(h, "\x82\x7e\x00\x7e", 4);
    assert_int_equal(ws_header(h, WS_BINARY, 256, false), 4);
    assert_memory_equal(h, "\x82\x7e\x01\x00", 4);
    assert_int_equal(ws_header(h, WS_BINARY, 65535, false), 4);
    assert_memory_equal(h, "\x82\x7e\xff\xff", 4);
    assert_int_equal(ws_header(h, WS_BINARY, 65536, false), 10);
    assert_memory_equal(h, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10);
}

static void test_rfc_accept_key(void **state)
{
    (void)state;
    char accept[29];
    assert_true(ws_accept_key(STR("dGhlIHNhbXBsZSBub25jZQ=="), accept));
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_false(ws_accept_key(STR(""), accept));
    assert_false(ws_accept_key(STR("dGhlIHNhbXBsZSBub25jZQ="), accept));
    assert_false(ws_accept_key(STR("dGhlIHNhbXBsZSBub25jZQ==="), accept));
    assert_false(ws_accept_key(STR("dGhlIHNhbXBsZSBub25jZWE="), accept)); /* 17 bytes */
    assert_false(ws_accept_key(STR("dGhlIHNhbXBsZSBub25jZ-=="), accept));
}

/* --- malformed frames --- */

/* The rules of sections 5.2, 5.4 and 5.5 (and RFC 7692 section 6) in other words than the parser's. */
static bool may_start_frame(int b0, bool is_masked, bool in_message, bool allow_rsv1)
{
    int rsv = b0 >> 4 & 7, opcode = b0 & 15;
    bool is_data = opcode == 1 || opcode == 2;
    if (!is_masked)
        return false;
    if (rsv != 0 && !(rsv == 4 && allow_rsv1 && is_data))
        return false;
    switch (opcode) {
    case 0: return in_message;
    case 1:
    case 2: return !in_message;
    case 8:
    case 9:
    case 10: return b0 & FIN;
    default: return false;
    }
}

static void test_every_first_byte(void **state)
{
    (void)state;
    for (int i = 0; i < 256 * 8; i++) {
        int b0 = i & 255;
        bool is_masked = i & 256, in_message = i & 512, allow_rsv1 = i & 1024;
        struct ws_limits l = {.max_message_bytes = 10, .allow_rsv1 = allow_rsv1};
        struct ws_reader r = {.in_message = in_message, .opcode = WS_BINARY};
        const char frame[] = {(char)b0, (char)(is_masked ? 0x80 : 0), 1, 2, 3, 4};
        struct reading got = read_once(&r, &l, frame, is_masked ? 6 : 2);
        if (may_start_frame(b0, is_masked, in_message, allow_rsv1)) {
            assert_int_equal(got.result, b0 & FIN ? WS_MESSAGE : WS_FRAME);
            assert_int_equal(got.used, 6);
        } else {
            assert_int_equal(got.result, WS_ERROR);
            assert_int_equal(got.close_code, WS_CLOSE_PROTOCOL_ERROR);
        }
        free(got.block);
        ws_reader_done(&r);
    }
}

static void test_compressed_flag_is_of_the_first_frame(void **state)
{
    (void)state;
    struct ws_limits l = {.max_message_bytes = 10, .allow_rsv1 = true};
    struct ws_reader r = {0};
    struct reading got = read_once(&r, &l, BYTES(0x41, (char)0x81, 0, 0, 0, 0, (char)0xff));
    assert_int_equal(got.result, WS_FRAME);
    free(got.block);
    got = read_once(&r, &l, BYTES((char)0x80, (char)0x80, 0, 0, 0, 0));
    assert_message(&got, WS_TEXT, STR("\xff")); /* not UTF-8 yet: not inflated */
    assert_true(got.message.is_compressed);
    free(got.block);
    ws_reader_done(&r);
}

static void test_lengths(void **state)
{
    (void)state;
    struct ws_reader r = {0};
    /* a control frame has at most 125 bytes */
    assert_fails(&r, &limits, BYTES((char)0x89, (char)0xfe, 0, 126), WS_CLOSE_PROTOCOL_ERROR);
    assert_fails(&r, &limits, BYTES((char)0x88, (char)0xff), WS_CLOSE_PROTOCOL_ERROR);
    /* not in the shortest form */
    assert_fails(&r, &limits, BYTES((char)0x82, (char)0xfe, 0, 0), WS_CLOSE_PROTOCOL_ERROR);
    assert_fails(&r, &limits, BYTES((char)0x82, (char)0xfe, 0, 125), WS_CLOSE_PROTOCOL_ERROR);
    assert_fails(&r, &limits, BYTES((char)0x82, (char)0xff, 0, 0, 0, 0, 0, 0, 0, 5), WS_CLOSE_PROTOCOL_ERROR);
    assert_fails(&r, &limits, BYTES((char)0x82, (char)0xff, 0, 0, 0, 0, 0, 0, (char)0xff, (char)0xff),
                 WS_CLOSE_PROTOCOL_ERROR);
    /* the most significant bit must be 0 */
    assert_fails(&r, &limits, BYTES((char)0x82, (char)0xff, (char)0x80, 0, 0, 0, 0, 1, 0, 0),
                 WS_CLOSE_PROTOCOL_ERROR);
    /* too big is known from the header alone */
    assert_fails(&r, &limits, BYTES((char)0x82, (char)0xff, 0x7f, 0, 0, 0, 0, 1, 0, 0), WS_CLOSE_TOO_BIG);
    assert_fails(&r, &limits, BYTES((char)0x82, (char)0xff, 0, 0, 0, 0, 0, 15, 0x42, 0x41), WS_CLOSE_TOO_BIG);
}

static void test_message_limit_is_of_all_fragments(void **state)
{
    (void)state;
    const struct ws_limits l = {.max_message_bytes = 4};
    struct ws_reader r = {0};
    struct buf wire = {0};
    add_frame(&wire, WS_BINARY, STR("abc"));
    struct reading got = read_once(&r, &l, wire.p, wire.n);
    assert_int_equal(got.result, WS_FRAME);
    free(got.block);

    wire.n = 0;
    add_frame(&wire, FIN | WS_PING, STR("longer than the limit")); /* which is not for control frames */
    got = read_once(&r, &l, wire.p, wire.n);
    assert_message(&got, WS_PING, STR("longer than the limit"));
    free(got.block);

    wire.n = 0;
    add_frame(&wire, FIN | WS_CONTINUATION, STR("de"));
    assert_fails(&r, &l, wire.p, wire.n, WS_CLOSE_TOO_BIG);

    wire.n = 0;
    add_frame(&wire, FIN | WS_BINARY, STR("abcd"));
    got = read_once(&r, &l, wire.p, wire.n);
    assert_message(&got, WS_BINARY, STR("abcd"));
    free(got.block);
    buf_done(&wire);
}

static void test_need_is_told_as_soon_as_it_is_known(void **state)
{
    (void)state;
    struct ws_reader r = {0};
    char payload[300];
    struct buf wire = {0};
    memset(payload, 'x', sizeof payload);
    add_frame(&wire, FIN | WS_TEXT, (struct str){payload, sizeof payload});
    for (size_t n = 0; n < wire.n; n++) {
        struct reading got = read_once(&r, &limits, wire.p, n);
        assert_int_equal(got.result, WS_NEED_MORE);
        assert_int_equal(got.used, 0);
        assert_int_equal(got.need, n < 4 ? 0 : 8 + sizeof payload);
        assert_memory_equal(got.block, wire.p, n); /* untouched until whole */
        free(got.block);
    }
    buf_done(&wire);
}

/* --- text --- */

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second; /* fragments; NULL: one frame */
        bool is_valid;
    } rows[] = {
        {"plain ASCII, longer than a word", NULL, true},
        {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", NULL, true},
        {"eight by\xe2\x82\xac", NULL, true},
        {"\xe2\x82", "\xac", true}, /* a code point over two fragments */
        {"\xf0", "\x9f\x98\x80!", true},
        {"", "", true},
        {"\xe2\x82", NULL, false}, /* cut short */
        {"\xe2\x82", "x", false},
        {"12345678\x80", NULL, false},     /* stray continuation */
        {"\xc0\x80", NULL, false},         /* overlong */
        {"\xed\xa0", "\x80", false},       /* surrogate */
        {"\xf4\x90\x80\x80", NULL, false}, /* above U+10FFFF */
        {"fine", "\xff", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ws_reader r = {0};
        struct buf wire = {0}, log = {0}, want = {0};
        add_frame(&wire, (rows[i].second ? 0 : FIN) | WS_TEXT, str_of(rows[i].first));
        if (rows[i].second)
            add_frame(&wire, FIN | WS_CONTINUATION, str_of(rows[i].second));
        const char *second = rows[i].second ? rows[i].second : "";
        buf_addf(&want, "1:%zu:%s%s", strlen(rows[i].first) + strlen(second), rows[i].first, second);
        if (!rows[i].is_valid) {
            want.n = 0;
            buf_addz(&want, "!1007");
        }
        read_all(&r, &wire, &log);
        assert_true(str_eq(buf_str(&log), buf_str(&want)));
        ws_reader_done(&r);
        buf_done(&wire);
        buf_done(&log);
        buf_done(&want);
    }
}

/* Text is unmasked in strides of several lengths; what is no UTF-8 is seen in each, and nothing else is. */
static void test_utf8_at_every_place(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 70; n++) {
        for (size_t at = 0; at <= n; at++) { /* at n: nowhere */
            struct ws_reader r = {0};
            struct buf wire = {0}, log = {0}, want = {0};
            char text[70];
            memset(text, 'x', n);
            if (at < n)
                text[at] = '\x80';
            add_frame(&wire, FIN | WS_TEXT, (struct str){text, n});
            buf_addf(&want, "1:%zu:%.*s", n, (int)n, text);
            read_all(&r, &wire, &log);
            assert_true(str_eq(buf_str(&log), at < n ? STR("!1007") : buf_str(&want)));
            ws_reader_done(&r);
            buf_done(&wire);
            buf_done(&log);
            buf_done(&want);
        }
    }
}

static void test_close_payloads(void **state)
{
    (void)state;
    static const struct {
        unsigned from, to;
        bool is_valid;
    } codes[] = {{0, 999, false},     {1000, 1003, true}, {1004, 1006, false}, {1007, 1014, true},
                 {1015, 2999, false}, {3000, 4999, true}, {5000, 65535, false}};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        for (unsigned code = codes[i].from; code <= codes[i].to; code++) {
            const char payload[] = {(char)(code >> 8), (char)code};
            assert_int_equal(ws_close_check((struct str){payload, 2}),
                             codes[i].is_valid ? code : WS_CLOSE_PROTOCOL_ERROR);
        }
    }
    assert_int_equal(ws_close_check(STR("")), WS_CLOSE_NORMAL);
    assert_int_equal(ws_close_check(STR("\x03")), WS_CLOSE_PROTOCOL_ERROR);
    assert_int_equal(ws_close_check(STR("\x03\xe9going")), WS_CLOSE_GOING_AWAY);
    assert_int_equal(ws_close_check(STR("\x03\xe9\xff")), WS_CLOSE_INVALID_DATA);
}

/* --- random streams --- */

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

/* One message of up to `max` bytes, in up to four fragments with control frames between them, on the wire and
 * in the log. */
static void add_random_message(struct buf *wire, struct buf *log, size_t max, unsigned *seed)
{
    static char bytes[70000];
    static const size_t sizes[] = {0, 1, 7, 125, 126, 127, 5000, 65535, 65536, 70000};
    size_t n = sizes[next_random(seed) % (sizeof sizes / sizeof *sizes)];
    if (n > max)
        n = max;
    enum ws_opcode opcode = next_random(seed) % 2 ? WS_TEXT : WS_BINARY;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(next_random(seed) & (opcode == WS_TEXT ? 0x7f : 0xff));
    int fragments = 1 + (int)(next_random(seed) % 4);
    size_t at = 0;
    struct buf control = {0};
    for (int i = 0; i < fragments; i++) {
        bool is_last = i == fragments - 1;
        size_t part = is_last ? n - at : next_random(seed) % (n - at + 1);
        add_frame(wire, (is_last ? FIN : 0) | (i == 0 ? opcode : WS_CONTINUATION),
                  (struct str){bytes + at, part});
        at += part;
        if (!is_last && next_random(seed) % 2) {
            control.n = 0;
            buf_addf(&control, "ping %u", next_random(seed));
            add_frame(wire, FIN | WS_PING, buf_str(&control));
            buf_addf(log, "9:%zu:", control.n);
            buf_add_str(log, buf_str(&control));
        }
    }
    buf_addf(log, "%d:%zu:", opcode, n);
    buf_add(log, bytes, n);
    buf_done(&control);
}

/* Feeds the wire in chunks of up to `chunk_max` bytes; the log must not depend on it. */
static void assert_reads_as(struct buf *wire, struct buf *want, size_t chunk_max, unsigned *seed)
{
    struct ws_reader r = {0};
    struct buf pending = {0}, log = {0};
    for (size_t at = 0; at < wire->n;) {
        size_t chunk = 1 + next_random(seed) % chunk_max;
        if (chunk > wire->n - at)
            chunk = wire->n - at;
        buf_add(&pending, wire->p + at, chunk);
        at += chunk;
        read_all(&r, &pending, &log);
    }
    assert_int_equal(pending.n, 0);
    assert_true(str_eq(buf_str(&log), buf_str(want)));
    ws_reader_done(&r);
    buf_done(&pending);
    buf_done(&log);
}

static void test_random_streams_in_random_chunks(void **state)
{
    (void)state;
    for (unsigned round = 1; round <= 60; round++) {
        unsigned seed = round;
        struct buf wire = {0}, want = {0};
        for (int i = 0; i < 5; i++)
            add_random_message(&wire, &want, 70000, &seed);
        assert_reads_as(&wire, &want, 1 << 20, &seed);
        assert_reads_as(&wire, &want, 5000, &seed);
        buf_done(&wire);
        buf_done(&want);
    }
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    for (unsigned round = 1; round <= 40; round++) {
        unsigned seed = round * 7919;
        struct buf wire = {0}, want = {0};
        for (int i = 0; i < 5; i++)
            add_random_message(&wire, &want, 300, &seed);
        assert_reads_as(&wire, &want, 1, &seed);
        buf_done(&wire);
        buf_done(&want);
    }
}

/* No bytes at all may make the reader do harm or loop; every result is one of the four. */
static void test_random_bytes(void **state)
{
    (void)state;
    unsigned seed = 42;
    for (int round = 0; round < 20000; round++) {
        struct ws_reader r = {0};
        struct buf pending = {0}, log = {0};
        size_t n = next_random(&seed) % 64;
        for (size_t i = 0; i < n; i++)
            buf_addc(&pending, (char)next_random(&seed));
        if (n >= 2) { /* past the first checks more often than chance would have it */
            pending.p[0] = (char)(pending.p[0] & 0x8b);
            pending.p[1] = (char)(pending.p[1] | 0x80);
        }
        read_all(&r, &pending, &log);
        ws_reader_done(&r);
        buf_done(&pending);
        buf_done(&log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc_masked_text),
        cmocka_unit_test(test_rfc_fragmented_text_with_ping_between),
        cmocka_unit_test(test_rfc_headers),
        cmocka_unit_test(test_rfc_accept_key),
        cmocka_unit_test(test_every_first_byte),
        cmocka_unit_test(test_compressed_flag_is_of_the_first_frame),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_message_limit_is_of_all_fragments),
        cmocka_unit_test(test_need_is_told_as_soon_as_it_is_known),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_utf8_at_every_place),
        cmocka_unit_test(test_close_payloads),
        cmocka_unit_test(test_random_streams_in_random_chunks),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
