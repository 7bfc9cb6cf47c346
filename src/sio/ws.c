/* The WebSocket transport. Invariant: `eio.session` is set exactly while neither side has closed. */
#include "ws.h"

#include <assert.h>
#include <stdlib.h>

#include "conversation/base/metrics.h"
#include "conversation/codec/ws_frame.h"
#include "conversation/net/http.h"
#include "conversation/sio/sio.h"

struct ws {
    struct eio_transport eio;
    struct conn *conn;
    struct eio_server *server; /* borrowed */
    uint32_t compress_from;    /* bytes of a message; UINT32_MAX: permessage-deflate was not agreed on */
    struct ws_deflate_terms terms;
    struct ws_reader reader;
};

static void count_deflate(const char *direction, size_t plain_bytes, size_t wire_bytes)
{
    metric_add(M_WS_DEFLATE_PLAIN, (double)plain_bytes, direction, NULL, NULL);
    metric_add(M_WS_DEFLATE_WIRE, (double)wire_bytes, direction, NULL, NULL);
}

static bool compress(struct ws *ws, const struct str *parts, int part_count, size_t total, struct str *out)
{
    if (!ws_deflate_compress(eio_server_deflate(ws->server), &ws->terms, parts, part_count, out))
        return false;
    count_deflate("out", total, out->n);
    return true;
}

/* One frame of `first` and the parts. False: too much waits to be sent. */
static bool send_frame(struct ws *ws, enum ws_opcode opcode, struct str first, const struct str *parts,
                       int part_count)
{
    char header[WS_HEADER_MAX];
    struct str all[SIO_PARTS_MAX + 2];
    size_t total = first.n;
    assert(part_count <= SIO_PARTS_MAX);
    all[1] = first;
    for (int i = 0; i < part_count; i++) {
        total += parts[i].n;
        all[i + 2] = parts[i];
    }
    int count = part_count + 2;
    struct str compressed;
    bool is_message = opcode == WS_TEXT || opcode == WS_BINARY; /* the others never are: RFC 7692 section 6 */
    bool is_compressed =
        is_message && total >= ws->compress_from && compress(ws, all + 1, count - 1, total, &compressed);
    if (is_compressed) {
        all[1] = compressed;
        total = compressed.n;
        count = 2;
    }
    all[0] = (struct str){header, ws_header(header, opcode, total, is_compressed)};
    return conn_write(ws->conn, all, count, eio_server_config(ws->server)->max_buffered_bytes);
}

/* --- Engine.IO above --- */

static bool send_packet(struct eio_transport *t, enum eio_packet_type type, bool is_binary,
                        const struct str *parts, int part_count)
{
    struct ws *ws = container_of(t, struct ws, eio);
    char digit = (char)('0' + type);
    if (is_binary)
        return send_frame(ws, WS_BINARY, STR(""), parts, part_count);
    return send_frame(ws, WS_TEXT, (struct str){&digit, 1}, parts, part_count);
}

static void close_with(struct ws *ws, enum ws_close_code code)
{
    const char bytes[2] = {(char)(code >> 8), (char)code};
    /* A full buffer means that the peer does not read: it goes without. */
    (void)send_frame(ws, WS_CLOSE, (struct str){bytes, sizeof bytes}, NULL, 0);
    conn_finish(ws->conn);
}

static void close_transport(struct eio_transport *t, enum eio_reason reason)
{
    static const enum ws_close_code codes[] = {
        [EIO_TRANSPORT_CLOSE] = WS_CLOSE_NORMAL,     [EIO_TRANSPORT_ERROR] = WS_CLOSE_PROTOCOL_ERROR,
        [EIO_PING_TIMEOUT] = WS_CLOSE_NORMAL,        [EIO_PARSE_ERROR] = WS_CLOSE_INVALID_DATA,
        [EIO_FORCED_CLOSE] = WS_CLOSE_NORMAL,        [EIO_SLOW_CONSUMER] = WS_CLOSE_POLICY,
        [EIO_SERVER_SHUTDOWN] = WS_CLOSE_GOING_AWAY,
    };
    struct ws *ws = container_of(t, struct ws, eio);
    if (reason == EIO_SLOW_CONSUMER)
        conn_close(ws->conn); /* the peer does not read: what waits for it is not worth keeping */
    else
        close_with(ws, codes[reason]);
}

static const struct eio_transport_ops ops = {
    .name = "websocket", .send = send_packet, .close = close_transport};

/* --- the connection below --- */

static void fail(struct ws *ws, enum ws_close_code code)
{
    eio_transport_closed(&ws->eio, EIO_TRANSPORT_ERROR);
    close_with(ws, code);
}

static void pong(struct ws *ws, struct str payload)
{
    if (send_frame(ws, WS_PONG, payload, NULL, 0))
        return;
    eio_transport_closed(&ws->eio, EIO_SLOW_CONSUMER);
    conn_close(ws->conn);
}

/* Whoever gets the message may end the connection, and go on reading the message. */
static void handle(struct ws *ws, const struct ws_message *m)
{
    struct buf whole = ws_reader_take(&ws->reader);
    switch (m->opcode) {
    case WS_TEXT: eio_transport_received(&ws->eio, false, m->payload); break;
    case WS_BINARY: eio_transport_received(&ws->eio, true, m->payload); break;
    case WS_PING: pong(ws, m->payload); break;
    case WS_CLOSE: {
        enum ws_close_code code = ws_close_check(m->payload);
        eio_transport_closed(&ws->eio, EIO_TRANSPORT_CLOSE);
        close_with(ws, code);
        break;
    }
    case WS_PONG:
    case WS_CONTINUATION: break;
    }
    if (whole.p)
        buf_done(&whole);
}

/* WS_MESSAGE and WS_ERROR as from ws_read, with a compressed message expanded. */
static enum ws_result read_message(struct ws *ws, char *p, size_t n, size_t *used, struct ws_message *m,
                                   enum ws_close_code *close_code)
{
    const struct ws_limits limits = {.max_message_bytes = eio_server_config(ws->server)->max_payload_bytes,
                                     .allow_rsv1 = ws->terms.window_bits > 0};
    size_t need;
    enum ws_result result = ws_read(&ws->reader, &limits, p, n, used, &need, m, close_code);
    if (result != WS_MESSAGE || !m->is_compressed)
        return result;
    size_t wire_bytes = m->payload.n;
    if (!ws_deflate_expand(eio_server_deflate(ws->server), m, limits.max_message_bytes, close_code))
        return WS_ERROR;
    count_deflate("in", m->payload.n, wire_bytes);
    return WS_MESSAGE;
}

static size_t received(struct conn *c, char *p, size_t n)
{
    struct ws *ws = c->data;
    size_t taken = 0;
    while (taken < n &&
           c->state == CONN_OPEN) { /* a message may have closed the connection: then ws is gone */
        struct ws_message message;
        enum ws_close_code code;
        size_t used;
        enum ws_result result = read_message(ws, p + taken, n - taken, &used, &message, &code);
        taken += used;
        if (result == WS_NEED_MORE)
            break;
        if (result == WS_ERROR)
            fail(ws, code);
        else if (result == WS_MESSAGE)
            handle(ws, &message);
    }
    return taken;
}

static void stuck(struct conn *c)
{
    struct ws *ws = c->data;
    if (ws) /* else the session had ended, and its last packets were not read */
        eio_transport_closed(&ws->eio, EIO_SLOW_CONSUMER);
}

static void closed(struct conn *c)
{
    struct ws *ws = c->data;
    eio_transport_closed(&ws->eio, EIO_TRANSPORT_CLOSE);
    ws_reader_done(&ws->reader);
    free(ws);
}

static const struct conn_protocol ws_protocol = {.received = received, .stuck = stuck, .closed = closed};

static struct ws *ws_new(struct conn *c, struct eio_server *server, struct ws_deflate_terms terms)
{
    struct ws *ws = calloc(1, sizeof *ws);
    if (!ws)
        abort();
    ws->eio.ops = &ops;
    ws->conn = c;
    ws->server = server;
    ws->terms = terms;
    ws->compress_from = terms.window_bits ? eio_server_config(server)->deflate_threshold_bytes : UINT32_MAX;
    http_leave(c, &ws_protocol, ws);
    return ws;
}

bool ws_open(struct conn *c, struct eio_server *server, struct ws_deflate_terms terms, const void *context)
{
    struct ws *ws = ws_new(c, server, terms);
    if (eio_session_open(server, &ws->eio, context))
        return true;
    close_with(ws, WS_CLOSE_TRY_AGAIN);
    return false;
}

void ws_upgrade(struct conn *c, struct eio_server *server, struct ws_deflate_terms terms,
                struct eio_session *s)
{
    struct ws *ws = ws_new(c, server, terms);
    if (!eio_session_upgrade(s, &ws->eio))
        close_with(ws, WS_CLOSE_POLICY);
}
