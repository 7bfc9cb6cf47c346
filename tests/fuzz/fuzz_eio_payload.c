/* sio/eio_payload.h: every packet has one spelling, so a payload that is read whole is written again byte for
 * byte; and what is refused has a reason, with OpenSSL as the judge of base64. */
#include "fuzz.h"

#include <openssl/evp.h>

#include "sio/eio_payload.h"

#define SEPARATOR '\x1e'

/* Whether OpenSSL decodes it, and encodes that as the same text. */
static bool is_base64(struct str text)
{
    if (text.n % 4)
        return false;
    size_t bytes = text.n / 4 * 3;
    unsigned char *decoded = malloc(bytes + 1);
    char *encoded = malloc(text.n + 1);
    bool is_same = EVP_DecodeBlock(decoded, (const unsigned char *)text.p, (int)text.n) == (int)bytes;
    for (size_t i = text.n; is_same && i > 0 && i + 2 > text.n && text.p[i - 1] == '='; i--)
        bytes--;
    is_same = is_same && EVP_EncodeBlock((unsigned char *)encoded, decoded, (int)bytes) == (int)text.n &&
              str_eq(text, (struct str){encoded, text.n});
    free(decoded);
    free(encoded);
    return is_same;
}

static bool is_good(struct str packet)
{
    if (packet.n && packet.p[0] == 'b')
        return is_base64((struct str){packet.p + 1, packet.n - 1});
    return packet.n > 0 && str_utf8_length(packet) >= 0;
}

static void write_text(struct buf *out, struct str message)
{
    struct str data = {message.p + 1, message.n - 1};
    if (message.p[0] >= '0' + EIO_OPEN && message.p[0] <= '0' + EIO_NOOP) {
        eio_payload_add(out, (enum eio_packet_type)(message.p[0] - '0'), false, &data, 1);
        return;
    }
    if (out->n) /* no packet that there is: passed on to be refused, as it came */
        buf_addc(out, SEPARATOR);
    buf_add_str(out, message);
}

/* In three parts, so that base64 goes on across them. */
static void write_binary(struct buf *out, struct str message)
{
    size_t third = message.n / 3;
    const struct str parts[] = {
        {message.p, third}, {message.p + third, third}, {message.p + 2 * third, message.n - 2 * third}};
    eio_payload_add(out, EIO_MESSAGE, true, parts, 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str payload = fuzz_input(data, n), rest = payload, expected = payload, message;
    struct buf scratch = {0}, written = {0};
    enum eio_payload_result result;
    bool is_binary;
    while ((result = eio_payload_next(&rest, &scratch, &is_binary, &message)) == EIO_PAYLOAD_PACKET) {
        struct str packet = str_cut(&expected, SEPARATOR);
        assert(is_good(packet) && is_binary == (packet.p[0] == 'b'));
        assert(is_binary || (fuzz_lies_within(message, payload) && str_eq(message, packet)));
        if (is_binary)
            write_binary(&written, message);
        else
            write_text(&written, message);
    }
    if (result == EIO_PAYLOAD_BAD)
        assert(!is_good(str_cut(&expected, SEPARATOR)));
    else
        assert(str_eq(buf_str(&written), payload));
    buf_done(&scratch);
    buf_done(&written);
    return 0;
}
