/* sio/eio_payload.h: packets are text in UTF-8 or bytes, and a payload that is written anew from its packets
 * is the same text: there is one way to write it. */
#include "fuzz.h"

#include "sio/eio_payload.h"

static void add_again(struct buf *again, bool is_binary, struct str message)
{
    struct str data = is_binary ? message : (struct str){message.p + 1, message.n - 1};
    if (is_binary || (message.p[0] >= '0' && message.p[0] <= '6')) {
        eio_payload_add(again, is_binary ? EIO_MESSAGE : (enum eio_packet_type)(message.p[0] - '0'),
                        is_binary, &data, 1);
        return;
    }
    if (again->n) /* a type that the session will refuse */
        buf_addc(again, '\x1e');
    buf_add_str(again, message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str payload = fuzz_input(data, n), rest = payload, message;
    struct buf scratch = {0}, again = {0};
    enum eio_payload_result result;
    bool is_binary;
    while ((result = eio_payload_next(&rest, &scratch, &is_binary, &message)) == EIO_PAYLOAD_PACKET) {
        assert(is_binary || (message.n > 0 && str_utf8_length(message) >= 0));
        assert(is_binary || !memchr(message.p, '\x1e', message.n));
        add_again(&again, is_binary, message);
        assert(again.n <= payload.n && memcmp(again.p, payload.p, again.n) == 0);
    }
    assert(result == EIO_PAYLOAD_BAD || again.n == payload.n);
    buf_done(&scratch);
    buf_done(&again);
    return 0;
}
