/* codec/ws_deflate.h, messages: the same payload expands alike within any bound, and never beyond it; what
 * was expanded can be compressed and expanded again. The input's first byte says whether it is text (lowest
 * bit) and how far back a message may refer. */
#include "fuzz.h"

#include "conversation/codec/ws_deflate.h"

#define MAX_BYTES 70000 /* more than what the buffer begins with */

/* False, with *code, or *out: owned by the caller. */
static bool expand(struct ws_deflate *d, enum ws_opcode opcode, struct str payload, size_t max,
                   enum ws_close_code *code, struct buf *out)
{
    struct ws_message m = {.opcode = opcode, .is_compressed = true, .payload = payload};
    *code = 0;
    if (!ws_deflate_expand(d, &m, max, code)) {
        assert(*code == WS_CLOSE_TOO_BIG || *code == WS_CLOSE_INVALID_DATA);
        assert(m.is_compressed && m.payload.p == payload.p && m.payload.n == payload.n);
        return false;
    }
    assert(!m.is_compressed && m.payload.n <= max);
    assert(opcode != WS_TEXT || str_utf8_length(m.payload) >= 0);
    buf_add_str(out, m.payload);
    return true;
}

/* One byte less than it takes is too little. */
static void check_bound(struct ws_deflate *d, enum ws_opcode opcode, struct str payload, struct str plain)
{
    enum ws_close_code code;
    struct buf again = {0};
    assert(expand(d, opcode, payload, plain.n, &code, &again));
    assert(str_eq(buf_str(&again), plain));
    buf_done(&again);
    assert(plain.n == 0 || !expand(d, opcode, payload, plain.n - 1, &code, &again));
    assert(plain.n == 0 || code == WS_CLOSE_TOO_BIG);
}

static void check_round_trip(struct ws_deflate *d, enum ws_opcode opcode, struct str plain, uint8_t bits)
{
    const struct ws_deflate_terms terms = {.window_bits = bits};
    enum ws_close_code code;
    struct str packed;
    struct buf again = {0};
    const struct str halves[] = {{plain.p, plain.n / 2}, {plain.p + plain.n / 2, plain.n - plain.n / 2}};
    if (!ws_deflate_compress(d, &terms, halves, 2, &packed))
        return;
    assert(packed.n < plain.n);
    assert(expand(d, opcode, packed, plain.n, &code, &again));
    assert(str_eq(buf_str(&again), plain));
    buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str payload = fuzz_input(data, n);
    uint8_t first = fuzz_take_byte(&payload);
    enum ws_opcode opcode = first & 1 ? WS_TEXT : WS_BINARY;
    struct ws_deflate *d = ws_deflate_new();
    enum ws_close_code code;
    struct buf plain = {0};
    if (expand(d, opcode, payload, MAX_BYTES, &code, &plain)) {
        buf_reserve(&plain, 1); /* so that there is a block even of nothing */
        check_bound(d, opcode, payload, buf_str(&plain));
        check_round_trip(d, opcode, buf_str(&plain), (uint8_t)(8 + (first >> 1) % 8));
    }
    buf_done(&plain);
    ws_deflate_free(d);
    return 0;
}
