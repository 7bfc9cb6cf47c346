/* WebSocket framing, server side (RFC 6455 section 5). A frame is judged by its first two bytes, sized by its
 * length field, and unmasked where it lies once it is whole. Only fragmented messages are copied. */
#include "conversation/codec/ws_frame.h"

#include <openssl/evp.h>

#include "conversation/base/base64.h"

#define FIN           0x80
#define RSV1          0x40
#define RSV2_RSV3     0x30
#define OPCODE        0x0f
#define MASKED        0x80
#define LENGTH        0x7f
#define CONTROL_BYTES 125 /* section 5.5 */
#define MASK_BYTES    4
#define ACCEPT_GUID   "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* section 1.3 */
#define KEY_LENGTH    24                                     /* 16 bytes in base64, padded */
#define KEY_DIGITS    22

struct frame {
    enum ws_opcode opcode;
    bool is_final, rsv1;
    bool is_ascii; /* set once it is unmasked */
    size_t header_bytes, payload_bytes;
};

static bool is_control(enum ws_opcode opcode)
{
    return opcode & 0x8;
}

static bool is_known(unsigned opcode)
{
    return opcode <= WS_BINARY || (opcode >= WS_CLOSE && opcode <= WS_PONG);
}

/* What the first two bytes alone can get wrong, given the message they would belong to. */
static bool start_is_valid(const struct ws_reader *r, const struct ws_limits *limits, uint8_t b0, uint8_t b1)
{
    unsigned opcode = b0 & OPCODE;
    if (!is_known(opcode) || (b0 & RSV2_RSV3) || !(b1 & MASKED))
        return false;
    bool starts_message = opcode == WS_TEXT || opcode == WS_BINARY;
    if ((b0 & RSV1) && !(limits->allow_rsv1 && starts_message)) /* RFC 7692 section 6 */
        return false;
    if (is_control(opcode))
        return (b0 & FIN) && (b1 & LENGTH) <= CONTROL_BYTES;
    return starts_message != r->in_message;
}

static uint64_t big_endian(const uint8_t *p, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | p[i];
    return value;
}

/* WS_FRAME: *f describes the frame at the start of `in`, which may not be there whole. */
static enum ws_result read_header(const struct ws_reader *r, const struct ws_limits *limits,
                                  const uint8_t *in, size_t n, struct frame *f,
                                  enum ws_close_code *close_code)
{
    if (n < 2)
        return WS_NEED_MORE;
    *close_code = WS_CLOSE_PROTOCOL_ERROR;
    if (!start_is_valid(r, limits, in[0], in[1]))
        return WS_ERROR;
    uint64_t length = in[1] & LENGTH;
    int extended = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (n < 2 + (size_t)extended)
        return WS_NEED_MORE;
    if (extended) {
        length = big_endian(in + 2, extended);
        if (length <= (extended == 2 ? CONTROL_BYTES : UINT16_MAX) || length > INT64_MAX)
            return WS_ERROR;
    }
    size_t held = is_control(in[0] & OPCODE) ? 0 : r->fragments.n;
    if (!is_control(in[0] & OPCODE) && length > limits->max_message_bytes - held) {
        *close_code = WS_CLOSE_TOO_BIG;
        return WS_ERROR;
    }
    *f = (struct frame){.opcode = in[0] & OPCODE,
                        .is_final = in[0] & FIN,
                        .rsv1 = in[0] & RSV1,
                        .header_bytes = 2 + (size_t)extended + MASK_BYTES,
                        .payload_bytes = length};
    return WS_FRAME;
}

typedef uint32_t lanes __attribute__((vector_size(16)));

/* Whether the payload is ASCII turns out on the way: then it need not be looked at again for UTF-8. */
static bool unmask(char *p, size_t n, const char mask[MASK_BYTES])
{
    uint32_t key;
    memcpy(&key, mask, sizeof key);
    lanes wide = {key, key, key, key}, seen = {0};
    char last = 0;
    size_t i = 0;
    for (; i + sizeof wide <= n; i += sizeof wide) {
        lanes part;
        memcpy(&part, p + i, sizeof part);
        part ^= wide;
        seen |= part;
        memcpy(p + i, &part, sizeof part);
    }
    uint32_t all = seen[0] | seen[1] | seen[2] | seen[3];
    for (; i + sizeof key <= n; i += sizeof key) {
        uint32_t part;
        memcpy(&part, p + i, sizeof part);
        part ^= key;
        all |= part;
        memcpy(p + i, &part, sizeof part);
    }
    for (; i < n; i++)
        last |= p[i] ^= mask[i % MASK_BYTES];
    return !((all & 0x80808080) | (last & 0x80));
}

static enum ws_result deliver(struct ws_message *out, struct ws_message message, bool is_ascii,
                              enum ws_close_code *close_code)
{
    /* Compressed text is checked by whoever inflates it. Section 8.1. */
    bool is_text = message.opcode == WS_TEXT && !message.is_compressed;
    if (is_text && !is_ascii && !str_is_utf8(message.payload)) {
        *close_code = WS_CLOSE_INVALID_DATA;
        return WS_ERROR;
    }
    *out = message;
    return WS_MESSAGE;
}

/* A whole, unmasked frame: a message of its own, or a piece of one (section 5.4). */
static enum ws_result take_frame(struct ws_reader *r, const struct frame *f, struct str payload,
                                 struct ws_message *out, enum ws_close_code *close_code)
{
    if (is_control(f->opcode) || (f->is_final && f->opcode != WS_CONTINUATION))
        return deliver(out, (struct ws_message){f->opcode, f->rsv1, payload}, f->is_ascii, close_code);
    if (f->opcode != WS_CONTINUATION) {
        r->opcode = (uint8_t)f->opcode;
        r->is_compressed = f->rsv1;
    }
    r->in_message = !f->is_final;
    buf_add_str(&r->fragments, payload);
    if (r->in_message)
        return WS_FRAME;
    struct ws_message whole = {r->opcode, r->is_compressed, buf_str(&r->fragments)};
    return deliver(out, whole, false, close_code);
}

enum ws_result ws_read(struct ws_reader *r, const struct ws_limits *limits, char *in, size_t n, size_t *used,
                       size_t *need, struct ws_message *out, enum ws_close_code *close_code)
{
    *used = 0;
    *need = 0;
    if (!r->in_message && r->fragments.p)
        buf_done(&r->fragments); /* the message given out last */

    struct frame f;
    enum ws_result result = read_header(r, limits, (const uint8_t *)in, n, &f, close_code);
    if (result != WS_FRAME)
        return result;
    *need = f.header_bytes + f.payload_bytes;
    if (n < *need)
        return WS_NEED_MORE;
    char *payload = in + f.header_bytes;
    f.is_ascii = unmask(payload, f.payload_bytes, payload - MASK_BYTES);
    *used = *need;
    return take_frame(r, &f, (struct str){payload, f.payload_bytes}, out, close_code);
}

void ws_reader_done(struct ws_reader *r)
{
    buf_done(&r->fragments);
    *r = (struct ws_reader){0};
}

struct buf ws_reader_take(struct ws_reader *r)
{
    struct buf whole = r->fragments;
    if (r->in_message) /* fragments of one still to come */
        return (struct buf){0};
    r->fragments = (struct buf){0};
    return whole;
}

size_t ws_header(char out[WS_HEADER_MAX], enum ws_opcode opcode, uint64_t payload_bytes, bool is_compressed)
{
    int extended = payload_bytes <= CONTROL_BYTES ? 0 : payload_bytes <= UINT16_MAX ? 2 : 8;
    out[0] = (char)(FIN | (is_compressed ? RSV1 : 0) | opcode);
    out[1] = (char)(extended == 0 ? payload_bytes : extended == 2 ? 126 : 127);
    for (int i = 0; i < extended; i++)
        out[2 + i] = (char)(payload_bytes >> 8 * (extended - 1 - i));
    return 2 + (size_t)extended;
}

/* Codes that may stand in a frame: section 7.4, and 1012 to 1014 of the IANA registry. */
static bool is_sendable_code(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

enum ws_close_code ws_close_check(struct str payload)
{
    if (payload.n == 0)
        return WS_CLOSE_NORMAL;
    if (payload.n == 1)
        return WS_CLOSE_PROTOCOL_ERROR;
    unsigned code = (unsigned)big_endian((const uint8_t *)payload.p, 2);
    if (!is_sendable_code(code))
        return WS_CLOSE_PROTOCOL_ERROR;
    if (!str_is_utf8((struct str){payload.p + 2, payload.n - 2}))
        return WS_CLOSE_INVALID_DATA;
    return code;
}

bool ws_accept_key(struct str key, char out[29])
{
    if (key.n != KEY_LENGTH || key.p[KEY_LENGTH - 2] != '=' || key.p[KEY_LENGTH - 1] != '=')
        return false;
    for (size_t i = 0; i < KEY_DIGITS; i++)
        if (base64_value(key.p[i], '+', '/') < 0)
            return false;
    char text[KEY_LENGTH + sizeof ACCEPT_GUID];
    memcpy(text, key.p, KEY_LENGTH);
    memcpy(text + KEY_LENGTH, ACCEPT_GUID, sizeof ACCEPT_GUID);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_bytes;
    if (!EVP_Digest(text, KEY_LENGTH + sizeof ACCEPT_GUID - 1, digest, &digest_bytes, EVP_sha1(), NULL))
        return false;
    EVP_EncodeBlock((unsigned char *)out, digest, (int)digest_bytes);
    return true;
}
