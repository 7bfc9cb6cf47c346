/* permessage-deflate (RFC 7692), server side. Each message is compressed by itself (no context takeover in
 * either direction), so that all connections share one compressor, one decompressor and their buffers. */
#ifndef CONVERSATION_CODEC_WS_DEFLATE_H
#define CONVERSATION_CODEC_WS_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/base/str.h"
#include "conversation/codec/ws_frame.h"

/* --- negotiation (RFC 6455 section 9.1, RFC 7692 section 7.1) --- */

/* What was agreed with a client. All zero: the extension is not in use. */
struct ws_deflate_terms {
    uint8_t window_bits;          /* 8 to 15: how far back our messages may refer; 0: not in use */
    bool client_named_the_window; /* the answer must then name it, too */
};

/* Looks at one Sec-WebSocket-Extensions field; a request may have several, which come in their order, with
 * the same `terms`. The first offer that can be met settles the terms: an offer with a parameter that is
 * unknown, given twice or has a bad value cannot. False: the field does not follow the grammar; the handshake
 * must be refused. */
bool ws_deflate_negotiate(struct str field, struct ws_deflate_terms *terms);

/* The Sec-WebSocket-Extensions of the answer; terms must be in use. `client_max_window_bits` is never in it:
 * any window of the client's can be read. */
#define WS_DEFLATE_ANSWER_MAX 112
struct str ws_deflate_answer(const struct ws_deflate_terms *terms, char out[WS_DEFLATE_ANSWER_MAX]);

/* --- messages (section 7.2) --- */

struct ws_deflate; /* about 300 KB */
struct ws_deflate *ws_deflate_new(void);
void ws_deflate_free(struct ws_deflate *d);

/* The message made of `parts`, compressed: the payload of a frame with RSV1 set, valid until the next
 * ws_deflate_compress. False: it does not get smaller, or is longer than the client's window; it is to be
 * sent as it is. */
bool ws_deflate_compress(struct ws_deflate *d, const struct ws_deflate_terms *terms, const struct str *parts,
                         int part_count, struct str *out);

/* Replaces the payload of a compressed message by what it stands for, at most `max_message_bytes`; it is
 * valid until the next ws_deflate_expand. False: fail the connection with *close_code (1009 too big, 1007 not
 * a whole DEFLATE stream or a text that is not UTF-8); *m is as it was. */
bool ws_deflate_expand(struct ws_deflate *d, struct ws_message *m, size_t max_message_bytes,
                       enum ws_close_code *close_code);

#endif
