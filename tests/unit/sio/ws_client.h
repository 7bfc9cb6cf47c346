/* A WebSocket client written by hand (RFC 6455), on a connection to HTTP. */
#ifndef TESTS_WS_CLIENT_H
#define TESTS_WS_CLIENT_H

#include "unit/net/net_fixture.h"

#include "conversation/net/http.h"

struct frame {
    int opcode;
    bool is_compressed;
    size_t n;
    char bytes[8192]; /* NUL-terminated; long ones are cut */
};

UNUSED static struct conn *ws_open_tcp(struct peer *p)
{
    int fd;
    *p = (struct peer){0};
    connect_pair(&p->fd, &fd);
    struct conn *c = http_accept(fd);
    assert_non_null(c);
    c->on_api_port = true;
    return c;
}

#define UPGRADE_FIELDS                                                           \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define UPGRADE_HEADERS "Host: x\r\n" UPGRADE_FIELDS
#define QUERY           "?EIO=4&transport=websocket"

/* The parts of a frame a client may get wrong are given by the caller. */
UNUSED static void ws_send_raw(struct peer *p, int first_byte, bool is_masked, const void *payload, size_t n)
{
    static const char mask[4] = {0x11, 0x22, 0x33, 0x44};
    struct buf frame = {0};
    buf_addc(&frame, (char)first_byte);
    buf_addc(&frame, (char)((is_masked ? 0x80 : 0) | (n < 126 ? (int)n : n < 65536 ? 126 : 127)));
    for (int i = n < 126 ? 0 : n < 65536 ? 2 : 8; i-- > 0;)
        buf_addc(&frame, (char)(n >> 8 * i));
    if (is_masked)
        buf_add(&frame, mask, 4);
    for (size_t i = 0; i < n; i++)
        buf_addc(&frame, (char)(((const char *)payload)[i] ^ (is_masked ? mask[i % 4] : 0)));
    peer_send_bytes(p, frame.p, frame.n);
    buf_done(&frame);
}

UNUSED static void ws_send(struct peer *p, const char *text)
{
    ws_send_raw(p, 0x81, true, text, strlen(text));
}

UNUSED static bool take_frame(struct peer *p, struct frame *out)
{
    const unsigned char *b = (const unsigned char *)p->got.p;
    size_t header = 2, n;
    if (p->got.n < 2)
        return false;
    assert_int_equal(b[1] & 0x80, 0); /* servers do not mask */
    n = b[1];
    if (n >= 126) {
        size_t more = n == 126 ? 2 : 8;
        if (p->got.n < 2 + more)
            return false;
        n = 0;
        for (size_t i = 0; i < more; i++)
            n = n << 8 | b[2 + i];
        header += more;
    }
    if (p->got.n < header + n)
        return false;
    assert_int_equal(b[0] & 0xb0, 0x80); /* whole, no extension but permessage-deflate */
    out->opcode = b[0] & 0xf;
    out->is_compressed = b[0] & 0x40;
    out->n = n;
    size_t kept = n < sizeof out->bytes - 1 ? n : sizeof out->bytes - 1;
    memcpy(out->bytes, b + header, kept);
    out->bytes[kept] = '\0';
    buf_consume(&p->got, header + n);
    return true;
}

UNUSED static const struct frame *ws_next(struct peer *p)
{
    static struct frame frame;
    double until = real_seconds() + WAIT_S;
    while (!take_frame(p, &frame)) {
        if (p->has_ended || real_seconds() > until)
            fail_msg("no frame%s", p->has_ended ? ": closed" : "");
        peer_pump(p);
    }
    return &frame;
}

UNUSED static void ws_expect_start(struct peer *p, const char *text)
{
    const struct frame *f = ws_next(p);
    if (f->opcode != 1 || f->is_compressed || strncmp(f->bytes, text, strlen(text)) != 0)
        fail_msg("opcode %d \"%s\", not \"%s\"", f->opcode, f->bytes, text);
}

UNUSED static void ws_expect(struct peer *p, const char *text)
{
    const struct frame *f = ws_next(p);
    if (f->opcode != 1 || f->is_compressed || strcmp(f->bytes, text) != 0)
        fail_msg("opcode %d \"%s\", not \"%s\"", f->opcode, f->bytes, text);
}

UNUSED static void ws_expect_close(struct peer *p, int code)
{
    const struct frame *f = ws_next(p);
    if (f->opcode != 8)
        fail_msg("opcode %d \"%s\", not a close frame", f->opcode, f->bytes);
    assert_int_equal((unsigned char)f->bytes[0] << 8 | (unsigned char)f->bytes[1], code);
    peer_expect_end(p);
    assert_int_equal(p->got.n, 0);
}

UNUSED static void ws_expect_nothing(struct peer *p)
{
    for (int i = 0; i < 10; i++)
        peer_pump(p);
    if (p->got.n || p->has_ended)
        fail_msg("something came: %zu bytes \"%.*s\"", p->got.n, (int)p->got.n, p->got.p);
}

/* Answered 101; Engine.IO's first packet is next. */
UNUSED static void ws_expect_upgrade(struct peer *p, const char *path)
{
    char request[512];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" UPGRADE_HEADERS "\r\n", path);
    peer_send(p, request);
    peer_expect(p, "HTTP/1.1 101 Switching Protocols\r\n");
    peer_expect(p, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"); /* RFC 6455 section 1.3 */
    peer_expect(p, "\r\n\r\n");
    buf_consume(&p->got, (size_t)(strstr(p->got.p, "\r\n\r\n") + 4 - p->got.p));
}

UNUSED static void ws_handshake(struct peer *p, const char *path)
{
    ws_expect_upgrade(p, path);
    ws_expect_start(p, "0{\"sid\":\"");
}

#endif
