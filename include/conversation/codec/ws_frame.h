/* WebSocket framing, server side (RFC 6455 section 5). Pure: bytes in, frames out. */
#ifndef CONVERSATION_CODEC_WS_FRAME_H
#define CONVERSATION_CODEC_WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/base/str.h"

enum ws_opcode { WS_CONTINUATION = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

/* RFC 6455 section 7.4.1 */
enum ws_close_code {
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL_ERROR = 1002,
    WS_CLOSE_INVALID_DATA = 1007,
    WS_CLOSE_POLICY = 1008,
    WS_CLOSE_TOO_BIG = 1009,
    WS_CLOSE_TRY_AGAIN = 1013
};

enum ws_result { WS_NEED_MORE, WS_FRAME, WS_MESSAGE, WS_ERROR };

/* A complete message, or a control frame. */
struct ws_message {
    enum ws_opcode opcode; /* TEXT, BINARY, CLOSE, PING, PONG */
    bool is_compressed;    /* RSV1 on the first frame, only if it was allowed */
    struct str payload;    /* unmasked; valid until the next call */
};

/* State between reads. All zero is a fresh connection. */
struct ws_reader {
    bool in_message; /* fragments of a message have been seen */
    bool is_compressed;
    uint8_t opcode;       /* of that message */
    struct buf fragments; /* heap from a message's first fragment to the call after its last */
};
void ws_reader_done(struct ws_reader *r);
/* Takes what the message given out last lies in, if it is the reader's: for a receiver in whose call the
 * reader may end. The caller frees it; empty when there is nothing. */
struct buf ws_reader_take(struct ws_reader *r);

struct ws_limits {
    size_t max_message_bytes;
    bool allow_rsv1; /* permessage-deflate (RFC 7692) was negotiated */
};

/* Reads the next message from `in` (writable: it is unmasked in place), setting *used to the bytes consumed.
 * WS_NEED_MORE: the frame at the start is incomplete (nothing consumed beyond fragments already taken); *need
 * is how many bytes it will take in all, when known, else 0. WS_MESSAGE: *out. WS_FRAME: a fragment was
 * taken, call again. WS_ERROR: fail the connection with *close_code (unmasked frame, reserved bits or
 * opcodes, fragmented or oversize control frames, non-minimal lengths, continuation without start, text that
 * is not UTF-8, too big). */
enum ws_result ws_read(struct ws_reader *r, const struct ws_limits *limits, char *in, size_t n, size_t *used,
                       size_t *need, struct ws_message *out, enum ws_close_code *close_code);

#define WS_HEADER_MAX 10
/* Header of an unmasked, final frame; returns its length (2, 4 or 10). */
size_t ws_header(char out[WS_HEADER_MAX], enum ws_opcode opcode, uint64_t payload_bytes, bool is_compressed);

/* Checks the payload of a received CLOSE (RFC 6455 section 5.5.1) and gives the code to echo. */
enum ws_close_code ws_close_check(struct str payload);

/* Sec-WebSocket-Accept for a Sec-WebSocket-Key (28 characters and NUL); false when the key is not 16 bytes of
 * base64. */
bool ws_accept_key(struct str key, char out[29]);

#endif
