/* Compressing and expanding messages (RFC 7692 section 7.2), against zlib driven directly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zlib.h>

#include "conversation/codec/ws_deflate.h"

#define MAX_BYTES  100000
#define BYTES(...) ((struct str){(const char[]){__VA_ARGS__}, sizeof((const char[]){__VA_ARGS__})})
#define NO_TERMS   ((struct ws_deflate_terms){.window_bits = 15})

static struct ws_deflate *d;

static int set_up(void **state)
{
    (void)state;
    d = ws_deflate_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ws_deflate_free(d);
    return 0;
}

/* --- helpers --- */

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Text that repeats itself at all distances, or bytes that hardly do. */
static void add_random(struct buf *b, size_t n, bool is_text, unsigned *seed)
{
    static const char *const words[] = {"a=candidate:", "udp ", "2122260223 ", "192.168.0.", "typ host\r\n"};
    size_t end = b->n + n;
    while (b->n < end) {
        if (!is_text)
            buf_addc(b, (char)next_random(seed));
        else if (next_random(seed) % 4)
            buf_addz(b, words[next_random(seed) % 5]);
        else
            buf_addc(b, (char)(' ' + next_random(seed) % 90));
    }
    b->n = end;
}

/* What a sender could make of `plain`: any level, window, strategy and way of flushing. The tail is taken
 * off. */
static void zlib_compress(struct str plain, int level, int bits, int strategy, unsigned *seed,
                          struct buf *out)
{
    static const int flushes[] = {Z_NO_FLUSH, Z_BLOCK, Z_PARTIAL_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH};
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, -bits, 8, strategy), Z_OK);
    out->n = 0;
    buf_reserve(out, 2 * plain.n + 100000);
    z.next_out = (Bytef *)out->p;
    z.avail_out = (uInt)out->cap;
    z.next_in = (Bytef *)plain.p;
    for (size_t left = plain.n; left;) {
        size_t n = 1 + next_random(seed) % 5000;
        n = n < left ? n : left;
        z.avail_in = (uInt)n;
        assert_int_not_equal(deflate(&z, flushes[next_random(seed) % 5]), Z_STREAM_ERROR);
        assert_int_equal(z.avail_in, 0);
        left -= n;
    }
    uInt before = z.avail_out;
    deflate(&z, Z_SYNC_FLUSH);
    if (z.avail_out == before) { /* the last piece was flushed so already: an empty block of its own */
        memcpy(z.next_out, "\0\0\0\xff\xff", 5);
        z.avail_out -= 5;
    }
    out->n = out->cap - z.avail_out - 4;
    deflateEnd(&z);
}

static bool expand_as(enum ws_opcode opcode, struct str payload, size_t max, struct str *out,
                      enum ws_close_code *code)
{
    char *block = malloc(payload.n ? payload.n : 1); /* for the sanitizer: not a byte more can be read */
    if (payload.n)
        memcpy(block, payload.p, payload.n);
    struct ws_message m = {.opcode = opcode, .is_compressed = true, .payload = {block, payload.n}};
    bool is_good = ws_deflate_expand(d, &m, max, code);
    assert_int_equal(m.is_compressed, !is_good);
    free(block);
    *out = m.payload;
    return is_good;
}

static void assert_expands(struct str payload, struct str expected)
{
    struct str out;
    enum ws_close_code code;
    assert_true(expand_as(WS_BINARY, payload, MAX_BYTES, &out, &code));
    assert_int_equal(out.n, expected.n);
    assert_true(str_eq(out, expected));
}

static void assert_refused(enum ws_opcode opcode, struct str payload, size_t max, enum ws_close_code expected)
{
    struct str out;
    enum ws_close_code code;
    assert_false(expand_as(opcode, payload, max, &out, &code));
    assert_int_equal(code, expected);
    assert_expands(BYTES((char)0xf2, 0x48, (char)0xcd, (char)0xc9, (char)0xc9, 0x07, 0x00), STR("Hello"));
}

/* --- the examples of section 7.2.3 --- */

static void test_rfc_examples(void **state)
{
    (void)state;
    const struct str hello = STR("Hello");
    assert_expands(STR("\xf2\x48\xcd\xc9\xc9\x07\x00"), hello);                         /* 7.2.3.1 */
    assert_expands(STR("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), hello);         /* 7.2.3.3 */
    assert_expands(STR("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), hello);                     /* 7.2.3.4 */
    assert_expands(STR("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), hello); /* 7.2.3.5 */
    assert_expands(STR("\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff\x02\x00"), hello); /* 7.2.3.6 */
    assert_expands(STR("\x02\x00"), STR(""));
    assert_expands(STR("\x00"), STR(""));
}

/* 7.2.3.2: "Hello" again, referring to the message before. It was agreed that nobody does. */
static void test_no_message_refers_to_the_one_before(void **state)
{
    (void)state;
    assert_expands(STR("\xf2\x48\xcd\xc9\xc9\x07\x00"), STR("Hello"));
    assert_refused(WS_TEXT, STR("\xf2\x00\x11\x00\x00"), MAX_BYTES, WS_CLOSE_INVALID_DATA);
}

static void test_blocks_after_a_final_one(void **state)
{
    (void)state;
    /* "Hello" in a final block, then "Hello" as a copy of it: the message goes on, and so does its window. */
    assert_expands(STR("\xf3\x48\xcd\xc9\xc9\x07\x00\x02\x13\x00\x00"), STR("HelloHello"));
    /* Final blocks only, many. */
    struct buf many = {0};
    for (int i = 0; i < 1000; i++)
        buf_add(&many, "\x03\x00", 2);
    buf_addc(&many, 0);
    assert_expands(buf_str(&many), STR(""));
    buf_done(&many);
}

/* A fragmented compressed message, with a ping between (section 7.2.3.1: RSV1 on the first frame only). */
static void test_fragments(void **state)
{
    (void)state;
    static const char wire[] = "\x41\x83\0\0\0\0\xf2\x48\xcd"
                               "\x89\x80\0\0\0\0"
                               "\x80\x84\0\0\0\0\xc9\xc9\x07\x00";
    const struct ws_limits limits = {.max_message_bytes = MAX_BYTES, .allow_rsv1 = true};
    struct ws_reader r = {0};
    char in[sizeof wire - 1];
    memcpy(in, wire, sizeof in);
    static const enum ws_result expected[] = {WS_FRAME, WS_MESSAGE, WS_MESSAGE};
    struct ws_message m = {0};
    enum ws_close_code code;
    size_t taken = 0;
    for (int i = 0; i < 3; i++) {
        size_t used, need;
        assert_int_equal(ws_read(&r, &limits, in + taken, sizeof in - taken, &used, &need, &m, &code),
                         expected[i]);
        taken += used;
        assert_int_equal(m.is_compressed, i == 2);
    }
    assert_true(ws_deflate_expand(d, &m, MAX_BYTES, &code));
    assert_int_equal(m.opcode, WS_TEXT);
    assert_true(str_eqz(m.payload, "Hello"));
    ws_reader_done(&r);
}

/* --- what is refused --- */

static void test_streams_that_are_not_whole(void **state)
{
    (void)state;
    static const struct str streams[] = {
        {"", 0},                                              /* the tail alone is half a block */
        {"\xf2\x48\xcd\xc9\xc9\x07", 6},                      /* without its last byte */
        {"\xf3\x48\xcd\xc9\xc9\x07\x00", 7},                  /* final, and no empty block after it */
        {"\x00\x05\x00\xfa\xff\x48\x65", 7},                  /* a stored block cut */
        {"\x00\x05\x00\xfb\xff\x48\x65\x6c\x6c\x6f\x00", 11}, /* its length and complement differ */
        {"\x06\x00", 2},                                      /* BTYPE 11 */
        {"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff", 11}, /* the tail left on */
        {"{\"a\":1}", 7},                                     /* not compressed at all */
    };
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        assert_refused(WS_BINARY, streams[i], MAX_BYTES, WS_CLOSE_INVALID_DATA);
}

static void test_every_cut_of_a_stream(void **state)
{
    (void)state;
    struct buf plain = {0}, packed = {0};
    unsigned seed = 7;
    add_random(&plain, 3000, true, &seed);
    zlib_compress(buf_str(&plain), 6, 15, Z_DEFAULT_STRATEGY, &seed, &packed);
    for (size_t n = 0; n < packed.n; n++) {
        struct str out;
        enum ws_close_code code;
        if (expand_as(WS_BINARY, (struct str){packed.p, n}, MAX_BYTES, &out, &code))
            assert_true(out.n < plain.n && memcmp(out.p, plain.p, out.n) == 0); /* cut after a flush */
        else
            assert_int_equal(code, WS_CLOSE_INVALID_DATA);
    }
    buf_done(&plain);
    buf_done(&packed);
}

static void test_text_is_checked_after_expanding(void **state)
{
    (void)state;
    struct str out;
    enum ws_close_code code;
    const struct str cut =
        STR("\x00\x02\x00\xfd\xff\xc3\xa4\x00\x01\x00\xfe\xff\xc3\x00"); /* "ä" and half of one */
    const struct str whole =
        STR("\x00\x01\x00\xfe\xff\xc3\x00\x01\x00\xfe\xff\xa4\x00"); /* "ä" over two blocks */
    assert_refused(WS_TEXT, cut, MAX_BYTES, WS_CLOSE_INVALID_DATA);
    assert_expands(cut, STR("\xc3\xa4\xc3"));
    assert_true(expand_as(WS_TEXT, whole, MAX_BYTES, &out, &code));
    assert_true(str_eqz(out, "ä"));
}

static void test_the_bound_is_exact(void **state)
{
    (void)state;
    struct buf plain = {0}, packed = {0};
    unsigned seed = 3;
    static const size_t sizes[] = {1, 2, 1000, 65535, 65536, 65537, 99999, MAX_BYTES};
    add_random(&plain, MAX_BYTES, true, &seed);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct str text = {plain.p, sizes[i]}, out;
        enum ws_close_code code;
        zlib_compress(text, 6, 15, Z_DEFAULT_STRATEGY, &seed, &packed);
        assert_true(expand_as(WS_TEXT, buf_str(&packed), sizes[i], &out, &code));
        assert_true(str_eq(out, text));
        assert_refused(WS_TEXT, buf_str(&packed), sizes[i] - 1, WS_CLOSE_TOO_BIG);
    }
    buf_done(&plain);
    buf_done(&packed);
}

/* 100 MB of zeros in 100 KB. */
static void test_bombs(void **state)
{
    (void)state;
    struct buf packed = {0};
    static char zeros[100000];
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    buf_reserve(&packed, 200000);
    z.next_out = (Bytef *)packed.p;
    z.avail_out = (uInt)packed.cap;
    for (int i = 0; i < 1000; i++) {
        z.next_in = (Bytef *)zeros;
        z.avail_in = sizeof zeros;
        deflate(&z, i == 999 ? Z_SYNC_FLUSH : Z_NO_FLUSH);
    }
    packed.n = packed.cap - z.avail_out - 4;
    deflateEnd(&z);
    assert_in_range(packed.n, 90000, 110000);
    assert_refused(WS_TEXT, buf_str(&packed), MAX_BYTES, WS_CLOSE_TOO_BIG);
    assert_refused(WS_TEXT, buf_str(&packed), 1, WS_CLOSE_TOO_BIG);
    buf_done(&packed);
}

/* --- round trips --- */

static void test_whatever_zlib_sends_is_read(void **state)
{
    (void)state;
    struct buf plain = {0}, packed = {0};
    unsigned seed = 42;
    for (int round = 0; round < 400; round++) {
        plain.n = 0;
        add_random(&plain, next_random(&seed) % (round % 10 ? 6000 : MAX_BYTES), round % 3, &seed);
        zlib_compress(buf_str(&plain), round % 10, 9 + round % 7, round % 5, &seed, &packed);
        assert_expands(buf_str(&packed), buf_str(&plain));
    }
    buf_done(&plain);
    buf_done(&packed);
}

static void assert_zlib_reads(struct str packed, int bits, struct str expected)
{
    z_stream z = {0};
    struct buf in = {0};
    char *out = malloc(expected.n + 1);
    buf_add_str(&in, packed);
    buf_add(&in, "\0\0\xff\xff", 4);
    assert_int_equal(inflateInit2(&z, -bits), Z_OK);
    z.next_in = (Bytef *)in.p;
    z.avail_in = (uInt)in.n;
    /* Byte by byte: so the window, not the output, is what references are looked up in. */
    for (size_t i = 0; i <= expected.n && z.avail_in; i++) {
        z.next_out = (Bytef *)out + i;
        z.avail_out = 1;
        assert_int_equal(inflate(&z, Z_SYNC_FLUSH), Z_OK);
    }
    assert_int_equal(z.total_out, expected.n);
    assert_memory_equal(out, expected.p, expected.n);
    inflateEnd(&z);
    buf_done(&in);
    free(out);
}

static void test_zlib_reads_what_is_sent(void **state)
{
    (void)state;
    struct buf plain = {0};
    unsigned seed = 42;
    int compressed = 0;
    for (int round = 0; round < 400; round++) {
        uint8_t bits = (uint8_t)(8 + round % 8);
        const struct ws_deflate_terms terms = {.window_bits = bits};
        plain.n = 0;
        add_random(&plain, 60 + next_random(&seed) % (round % 10 ? 4000 : 90000), true, &seed);
        size_t cut = next_random(&seed) % plain.n;
        const struct str parts[] = {{plain.p, cut}, {plain.p, 0}, {plain.p + cut, plain.n - cut}};
        struct str out;
        bool is_compressed = ws_deflate_compress(d, &terms, parts, 3, &out);
        assert_int_equal(is_compressed, bits == 15 || plain.n <= 1u << bits);
        if (is_compressed) {
            assert_true(out.n < plain.n);
            assert_zlib_reads(out, bits, buf_str(&plain));
            assert_expands(out, buf_str(&plain));
            compressed++;
        }
    }
    assert_in_range(compressed, 100, 399);
    buf_done(&plain);
}

static void test_what_does_not_get_smaller_is_left(void **state)
{
    (void)state;
    struct buf noise = {0};
    unsigned seed = 1;
    struct str out = STR("untouched");
    add_random(&noise, 90000, false, &seed);
    for (size_t n = 0; n <= noise.n; n = 2 * n + 1) {
        const struct str part = {noise.p, n};
        assert_false(ws_deflate_compress(d, &NO_TERMS, &part, 1, &out));
        assert_true(str_eqz(out, "untouched"));
    }
    assert_false(ws_deflate_compress(d, &NO_TERMS, NULL, 0, &out));
    /* Where compressing begins to be worth it, the two sizes meet. */
    struct buf text = {0};
    for (size_t n = 1; n < 400; n++) {
        text.n = 0;
        add_random(&text, 1 + n / 4, true, &seed);
        const struct str part = buf_str(&text);
        if (ws_deflate_compress(d, &NO_TERMS, &part, 1, &out))
            assert_true(out.n < part.n);
    }
    buf_done(&text);
    /* The stream is fit for use after that. */
    const struct str laughter = STR("ha ha ha ha ha ha ha ha ha ha ha ha");
    assert_true(ws_deflate_compress(d, &NO_TERMS, &laughter, 1, &out));
    assert_expands(out, laughter);
    buf_done(&noise);
}

/* Whatever comes, it is refused or expanded within the bound. */
static void test_random_streams(void **state)
{
    (void)state;
    struct buf packed = {0};
    unsigned seed = 9;
    for (int round = 0; round < 20000; round++) {
        struct str out;
        enum ws_close_code code = 0;
        packed.n = 0;
        add_random(&packed, next_random(&seed) % 64, false, &seed);
        if (expand_as(WS_TEXT, buf_str(&packed), 100, &out, &code))
            assert_true(out.n <= 100 && str_is_utf8(out));
        else
            assert_true(code == WS_CLOSE_INVALID_DATA || code == WS_CLOSE_TOO_BIG);
    }
    buf_done(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc_examples),
        cmocka_unit_test(test_no_message_refers_to_the_one_before),
        cmocka_unit_test(test_blocks_after_a_final_one),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_streams_that_are_not_whole),
        cmocka_unit_test(test_every_cut_of_a_stream),
        cmocka_unit_test(test_text_is_checked_after_expanding),
        cmocka_unit_test(test_the_bound_is_exact),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_whatever_zlib_sends_is_read),
        cmocka_unit_test(test_zlib_reads_what_is_sent),
        cmocka_unit_test(test_what_does_not_get_smaller_is_left),
        cmocka_unit_test(test_random_streams),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
