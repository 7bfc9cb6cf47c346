/* Polling payloads. */
#include "eio_payload.h"

#include "conversation/base/base64.h"

#define SEPARATOR '\x1e'

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* --- decoding --- */

/* Four digits, the last `padding` of which are '='; false when they are not, or when bits are set that
 * stand for nothing. */
static bool decode_quantum(const char *p, int padding, struct buf *out)
{
    uint32_t bits = 0;
    for (int i = 0; i < 4; i++) {
        int value = i < 4 - padding ? base64_value(p[i], '+', '/') : p[i] == '=' ? 0 : -1;
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
    }
    if (bits & ((1U << 8 * padding) - 1))
        return false;
    const char bytes[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
    buf_add(out, bytes, 3 - (size_t)padding);
    return true;
}

static bool decode_base64(struct str text, struct buf *out)
{
    out->n = 0;
    if (text.n % 4 != 0)
        return false;
    buf_reserve(out, text.n / 4 * 3);
    for (size_t i = 0; i < text.n; i += 4) {
        const char *p = text.p + i;
        bool is_last = i + 4 == text.n;
        int padding = !is_last || p[3] != '=' ? 0 : p[2] != '=' ? 1 : 2;
        if (!decode_quantum(p, padding, out))
            return false;
    }
    return true;
}

enum eio_payload_result eio_payload_next(struct str *rest, struct buf *scratch, bool *is_binary,
                                         struct str *message)
{
    if (!rest->p)
        return EIO_PAYLOAD_END;
    struct str packet = str_cut(rest, SEPARATOR);
    if (packet.n && packet.p[0] == 'b') {
        if (!decode_base64((struct str){packet.p + 1, packet.n - 1}, scratch))
            return EIO_PAYLOAD_BAD;
        *is_binary = true;
        *message = scratch->n ? buf_str(scratch) : STR("");
        return EIO_PAYLOAD_PACKET;
    }
    if (!packet.n || !str_is_utf8(packet))
        return EIO_PAYLOAD_BAD;
    *is_binary = false;
    *message = packet;
    return EIO_PAYLOAD_PACKET;
}

/* --- encoding --- */

static void encode_quantum(const unsigned char *bytes, size_t n, struct buf *out)
{
    uint32_t bits = (uint32_t)bytes[0] << 16 | (n > 1 ? (uint32_t)bytes[1] << 8 : 0) | (n > 2 ? bytes[2] : 0);
    const char text[4] = {digits[bits >> 18], digits[bits >> 12 & 63], n > 1 ? digits[bits >> 6 & 63] : '=',
                          n > 2 ? digits[bits & 63] : '='};
    buf_add(out, text, sizeof text);
}

/* Of the parts as one string of bytes: a quantum may lie across several of them. */
static void encode_base64(const struct str *parts, int part_count, struct buf *out)
{
    unsigned char quantum[3];
    size_t n = 0;
    for (int part = 0; part < part_count; part++) {
        for (size_t i = 0; i < parts[part].n; i++) {
            quantum[n++] = (unsigned char)parts[part].p[i];
            if (n < sizeof quantum)
                continue;
            encode_quantum(quantum, n, out);
            n = 0;
        }
    }
    if (n)
        encode_quantum(quantum, n, out);
}

void eio_payload_add(struct buf *payload, enum eio_packet_type type, bool is_binary, const struct str *parts,
                     int part_count)
{
    if (payload->n)
        buf_addc(payload, SEPARATOR);
    if (is_binary) {
        buf_addc(payload, 'b');
        encode_base64(parts, part_count, payload);
        return;
    }
    buf_addc(payload, (char)('0' + type));
    for (int i = 0; i < part_count; i++)
        buf_add_str(payload, parts[i]);
}
