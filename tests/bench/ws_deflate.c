/* What compressing a WebSocket message costs, and expanding one: µs and bytes, for an offer with a browser's
 * SDP in several sizes.
 *
 *   cmake --build build --target bench_ws_deflate && build/bench_ws_deflate */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "conversation/codec/ws_deflate.h"

#define ROUNDS     20000
#define LARGE_SIZE 65536
#define MUST(true_one)   \
    do {                 \
        if (!(true_one)) \
            abort();     \
    } while (0)

static const char head[] =
    "42[\"offer\",{\"sessionId\":\"0194f2c0-6d3e-7c1a-9b53-7f0e4a1d2c3b\",\"from\":"
    "\"550e8400-e29b-41d4-a716-446655440000\",\"sdp\":\"v=0\\r\\no=- 4611731400430051336 2 IN IP4 "
    "127.0.0.1\\r\\ns=-"
    "\\r\\nt=0 0\\r\\na=group:BUNDLE 0\\r\\na=extmap-allow-mixed\\r\\na=msid-semantic: WMS "
    "7a1c0b5e\\r\\nm=audio 9 "
    "UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\\r\\nc=IN IP4 0.0.0.0\\r\\na=rtcp:9 IN IP4 0.0.0.0\\r\\n"
    "a=ice-ufrag:F7gI\\r\\na=ice-pwd:x9cml/"
    "YzichV2+XlhiMu8gTw\\r\\na=ice-options:trickle\\r\\na=fingerprint:sha-256 "
    "D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F\\r\\n"
    "a=setup:actpass\\r\\na=mid:0\\r\\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\\r\\n"
    "a=extmap:2 "
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\\r\\na=sendrecv\\r\\na=rtcp-mux\\r\\n"
    "a=rtpmap:111 opus/48000/2\\r\\na=fmtp:111 minptime=10;useinbandfec=1\\r\\na=rtpmap:63 red/48000/2\\r\\n"
    "a=rtpmap:9 G722/8000\\r\\na=rtpmap:0 PCMU/8000\\r\\na=rtpmap:8 PCMA/8000\\r\\na=rtpmap:13 CN/8000\\r\\n";

/* Lines as they differ in an SDP: candidates. */
static void fill(struct buf *message, size_t bytes)
{
    buf_addz(message, head);
    for (unsigned port = 50000; message->n < bytes; port++)
        buf_addf(
            message,
            "a=candidate:%u 1 udp %u 198.51.100.%u %u typ srflx raddr 0.0.0.0 rport 0 generation 0\\r\\n",
            port * 2654435761u, 1677729535 - port % 7 * 256, port % 200, port);
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void measure(struct ws_deflate *d, size_t bytes)
{
    static const struct ws_deflate_terms terms = {.window_bits = 15};
    struct buf message = {0};
    struct str packed = {0};
    enum ws_close_code code;
    int rounds = bytes < LARGE_SIZE ? ROUNDS : ROUNDS / 20;
    fill(&message, bytes);
    const struct str plain = buf_str(&message);

    double start = now_us();
    for (int i = 0; i < rounds; i++)
        MUST(ws_deflate_compress(d, &terms, &plain, 1, &packed));
    double compressed = now_us();
    for (int i = 0; i < rounds; i++) {
        struct ws_message m = {.opcode = WS_TEXT, .is_compressed = true, .payload = packed};
        MUST(ws_deflate_expand(d, &m, bytes + 1000, &code));
        MUST(m.payload.n == plain.n);
    }
    double expanded = now_us();
    printf("%6zu bytes -> %5zu: compress %6.1f us, expand %6.1f us\n", plain.n, packed.n,
           (compressed - start) / rounds, (expanded - compressed) / rounds);
    buf_done(&message);
}

int main(void)
{
    struct ws_deflate *d = ws_deflate_new();
    measure(d, 1024);
    measure(d, 2048);
    measure(d, 4096);
    measure(d, LARGE_SIZE);
    ws_deflate_free(d);
}
