/* codec/ws_frame.h: the same bytes give the same messages and the same end however they are cut; what is
 * delivered can be written and read again. The input's first byte says how it is cut, its lowest bit also
 * whether RSV1 is allowed. */
#include "fuzz.h"

#include <stdio.h>

#include "conversation/codec/ws_frame.h"

#define MAX_MESSAGE_BYTES 300 /* small, but above 125, so that both are within reach */

static void check_message(const struct ws_limits *limits, const struct ws_message *m)
{
    bool is_data = m->opcode == WS_TEXT || m->opcode == WS_BINARY;
    assert(is_data || m->opcode == WS_CLOSE || m->opcode == WS_PING || m->opcode == WS_PONG);
    assert(m->payload.n <= (is_data ? MAX_MESSAGE_BYTES : 125));
    assert(!m->is_compressed || (is_data && limits->allow_rsv1));
    assert(m->opcode != WS_TEXT || m->is_compressed || str_utf8_length(m->payload) >= 0);
    if (m->opcode == WS_CLOSE)
        assert(ws_close_check(m->payload) >= 1000 && ws_close_check(m->payload) <= 4999);
}

/* As one masked frame, with the mask 0, it is the same message. */
static void check_round_trip(const struct ws_limits *limits, const struct ws_message *m)
{
    struct ws_reader reader = {0};
    struct ws_message again;
    enum ws_close_code code;
    size_t used, need;
    char header[WS_HEADER_MAX];
    size_t header_bytes = ws_header(header, m->opcode, m->payload.n, m->is_compressed);
    struct buf frame = {0};
    header[1] |= (char)0x80;
    buf_add(&frame, header, header_bytes);
    buf_add(&frame, "\0\0\0", 4);
    buf_add_str(&frame, m->payload);
    assert(ws_read(&reader, limits, frame.p, frame.n, &used, &need, &again, &code) == WS_MESSAGE);
    assert(used == frame.n && again.opcode == m->opcode && again.is_compressed == m->is_compressed);
    assert(str_eq(again.payload, m->payload));
    ws_reader_done(&reader);
    buf_done(&frame);
}

/* Reads what lies in `in`; false when the connection has failed. */
static bool read_all(struct ws_reader *reader, const struct ws_limits *limits, struct buf *in,
                     struct buf *out)
{
    struct ws_message message;
    enum ws_close_code code;
    for (;;) {
        size_t used = 0, need = 0, n = in->n;
        char *block = fuzz_copy(buf_str(in));
        enum ws_result result = ws_read(reader, limits, block, n, &used, &need, &message, &code);
        assert(used <= n && (used > 0 || result == WS_NEED_MORE || result == WS_ERROR));
        if (result == WS_MESSAGE) {
            check_message(limits, &message);
            check_round_trip(limits, &message);
            buf_addf(out, "%d %d %zu ", message.opcode, message.is_compressed, message.payload.n);
            buf_add_str(out, message.payload);
        } else if (result == WS_NEED_MORE) {
            assert(used == 0 && (need == 0 || need > n) && memcmp(block, in->p ? in->p : "", n) == 0);
        } else if (result == WS_ERROR) {
            buf_addf(out, "failed with %d", code);
        }
        free(block);
        if (result == WS_NEED_MORE || result == WS_ERROR)
            return result == WS_NEED_MORE;
        buf_consume(in, used);
    }
}

static void read_stream(struct str stream, const struct ws_limits *limits, uint8_t way, struct buf *out)
{
    struct ws_reader reader = {0};
    struct fuzz_cuts cuts = fuzz_cut(way);
    struct buf in = {0};
    bool is_open = true;
    for (size_t at = 0, n; at < stream.n && is_open; at += n) {
        n = fuzz_next_piece(&cuts, stream.n - at);
        buf_add(&in, stream.p + at, n);
        is_open = read_all(&reader, limits, &in, out);
    }
    ws_reader_done(&reader);
    buf_done(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str stream = fuzz_input(data, n);
    uint8_t way = fuzz_take_byte(&stream);
    struct ws_limits limits = {.max_message_bytes = MAX_MESSAGE_BYTES, .allow_rsv1 = way & 1};
    struct buf whole = {0}, cut = {0};
    read_stream(stream, &limits, 0, &whole);
    read_stream(stream, &limits, way, &cut);
    assert(str_eq(buf_str(&whole), buf_str(&cut)));
    buf_done(&whole);
    buf_done(&cut);
    return 0;
}
