/* Polling payloads: what is taken apart, what is refused, and that both directions agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sio/eio_payload.h"

/* "t:4text|" or "b:bytes|" for a packet, "bad|" and "end|". */
static void assert_decoded(struct str payload, const char *want)
{
    struct buf scratch = {0}, log = {0};
    char *copy = malloc(payload.n + 1); /* so that reading too far is found */
    memcpy(copy, payload.p, payload.n);
    struct str rest = {copy, payload.n}, message;
    bool is_binary;
    enum eio_payload_result result;
    while ((result = eio_payload_next(&rest, &scratch, &is_binary, &message)) == EIO_PAYLOAD_PACKET) {
        buf_addz(&log, is_binary ? "b:" : "t:");
        buf_add_str(&log, message);
        buf_addc(&log, '|');
    }
    buf_addz(&log, result == EIO_PAYLOAD_BAD ? "bad|" : "end|");
    buf_addc(&log, '\0');
    assert_string_equal(log.p, want);
    buf_done(&log);
    buf_done(&scratch);
    free(copy);
}

static void decodes(const char *payload, const char *want)
{
    assert_decoded(str_of(payload), want);
}

static void test_packets_are_taken_apart(void **state)
{
    (void)state;
    decodes("4hello", "t:4hello|end|");
    decodes("4a\x1e"
            "2\x1e"
            "4b",
            "t:4a|t:2|t:4b|end|");
    decodes("4", "t:4|end|");
    decodes("x", "t:x|end|"); /* types are the session's to judge */
    decodes("4h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "t:4h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80|end|");
    decodes("4hello\x1e"
            "bAQIDBA==",
            "t:4hello|b:\x01\x02\x03\x04|end|");
}

static void test_base64(void **state)
{
    (void)state;
    decodes("b", "b:|end|");
    decodes("bZg==", "b:f|end|"); /* RFC 4648 section 10 */
    decodes("bZm8=", "b:fo|end|");
    decodes("bZm9v", "b:foo|end|");
    decodes("bZm9vYg==", "b:foob|end|");
    decodes("bZm9vYmE=", "b:fooba|end|");
    decodes("bZm9vYmFy\x1e"
            "bZg==",
            "b:foobar|b:f|end|");
    decodes("b+/+/", "b:\xfb\xff\xbf|end|");
}

static void test_bad_base64(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "bZ",    "bZg",   "bZg=",    "bZm8",   "b=",    "b====",      "bZ===",       "bZg==Zg==", "bZg=a",
        "bZh==", "bZm9=", "bZm9v\n", "b Zm9v", "bZm-_", "bZm9vZm9vZ", "b\xc3\xa9==", "bZm9*",     "bZm9v=Zm9",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        decodes(bad[i], "bad|");
    assert_decoded(STR("bZm\0v"), "bad|");
}

static void test_empty_packets_are_bad(void **state)
{
    (void)state;
    decodes("", "bad|");
    decodes("\x1e", "bad|");
    decodes("4a\x1e", "t:4a|bad|");
    decodes("\x1e"
            "4a",
            "bad|");
    decodes("4a\x1e\x1e"
            "4b",
            "t:4a|bad|");
}

static void test_text_must_be_utf8(void **state)
{
    (void)state;
    decodes("4\xff", "bad|");
    decodes("4a\x1e"
            "4\xc3",
            "t:4a|bad|");
    decodes("4\xed\xa0\x80", "bad|");     /* a surrogate */
    decodes("4\xc0\xaf", "bad|");         /* overlong */
    decodes("4\xf4\x90\x80\x80", "bad|"); /* above U+10FFFF */
    decodes("4\xc3\x1e"
            "4\xa9",
            "bad|"); /* cut by the separator */
    decodes("4aaaaaaaaaaaaaaaaaaaaaaa\x80", "bad|");
}

static void adds(struct buf *payload, const char *want)
{
    assert_int_equal(payload->n, strlen(want));
    assert_memory_equal(payload->p, want, payload->n);
    payload->n = 0;
}

static void test_encoding(void **state)
{
    (void)state;
    struct buf payload = {0};
    eio_payload_add(&payload, EIO_NOOP, false, NULL, 0);
    adds(&payload, "6");
    eio_payload_add(&payload, EIO_MESSAGE, false, (struct str[]){STR("a"), STR(""), STR("bc")}, 3);
    eio_payload_add(&payload, EIO_MESSAGE, true, (struct str[]){STR("\x01"), STR("\x02\x03\x04")}, 2);
    eio_payload_add(&payload, EIO_PING, false, NULL, 0);
    eio_payload_add(&payload, EIO_MESSAGE, true, NULL, 0);
    adds(&payload, "4abc\x1e"
                   "bAQIDBA==\x1e"
                   "2\x1e"
                   "b");
    buf_done(&payload);
}

/* Bytes of every length and value, in parts cut anywhere, come back as they were. */
static void test_binary_there_and_back(void **state)
{
    (void)state;
    unsigned char bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 7);
    for (size_t n = 0; n < sizeof bytes; n++) {
        struct buf payload = {0}, scratch = {0};
        const char *p = (const char *)bytes;
        const struct str parts[] = {{p, n / 3}, {p + n / 3, 0}, {p + n / 3, n - n / 3}};
        struct str rest, message;
        bool is_binary = false;
        eio_payload_add(&payload, EIO_MESSAGE, true, parts, 3);
        rest = buf_str(&payload);
        assert_int_equal(eio_payload_next(&rest, &scratch, &is_binary, &message), EIO_PAYLOAD_PACKET);
        assert_true(is_binary);
        assert_true(str_eq(message, (struct str){p, n}));
        assert_int_equal(eio_payload_next(&rest, &scratch, &is_binary, &message), EIO_PAYLOAD_END);
        buf_done(&payload);
        buf_done(&scratch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets_are_taken_apart),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_bad_base64),
        cmocka_unit_test(test_empty_packets_are_bad),
        cmocka_unit_test(test_text_must_be_utf8),
        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_binary_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
