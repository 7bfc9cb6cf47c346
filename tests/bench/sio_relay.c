/* What one relayed WebRTC offer costs above the sockets: a masked frame is read, its Socket.IO event parsed,
 * the SDP spliced into an event for the partner, framed and copied. Prints nanoseconds a message, for a 2 KiB
 * SDP.
 *
 *   cmake --build build --target bench_sio_relay && build/bench_sio_relay */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "conversation/base/json_scan.h"
#include "conversation/codec/ws_frame.h"
#include "conversation/sio/sio.h"

#define ROUNDS    500000
#define SDP_BYTES 2048
#define IDLE      10000

static uint64_t partner_id;
static struct sio_server *server;
static struct buf out;

static bool send_frame(struct eio_transport *t, enum eio_packet_type type, bool is_binary,
                       const struct str *parts, int part_count)
{
    (void)t;
    char header[WS_HEADER_MAX];
    size_t bytes = is_binary ? 0 : 1;
    for (int i = 0; i < part_count; i++)
        bytes += parts[i].n;
    out.n = 0;
    buf_add(&out, header, ws_header(header, is_binary ? WS_BINARY : WS_TEXT, bytes, false));
    if (!is_binary)
        buf_addc(&out, (char)('0' + type));
    for (int i = 0; i < part_count; i++)
        buf_add_str(&out, parts[i]);
    return true;
}

static void close_transport(struct eio_transport *t, enum eio_reason reason)
{
    (void)t;
    (void)reason;
}

static void on_connect(struct sio_socket *s, const struct sio_connect *c)
{
    (void)c;
    partner_id = sio_socket_id(s);
    sio_accept(s);
}

static void on_event(struct sio_socket *s, const struct sio_event *event)
{
    (void)s;
    struct str sdp;
    enum json_type type;
    if (!json_member(event->args, "sdp", &sdp, &type))
        abort();
    struct str pieces[] = {STR("{\"from\":\"7d1f\",\"sdp\":"), sdp, STR("}")};
    sio_emit(sio_socket_find(server, partner_id), "offer", pieces, 3);
}

static void on_disconnect(struct sio_socket *s, const char *reason)
{
    (void)s;
    (void)reason;
}

static const struct eio_transport_ops ops = {.name = "bench", .send = send_frame, .close = close_transport};
static const struct sio_app app = {.connect = on_connect, .event = on_event, .disconnect = on_disconnect};
static struct eio_transport transports[IDLE];

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* A client's frame; the mask is zero, which costs the reader the same. */
static void make_frame(struct buf *frame)
{
    struct buf text = {0};
    buf_addz(&text, "42[\"offer\",{\"sessionId\":\"x\",\"targetUserId\":\"y\",\"sdp\":\"");
    for (int i = 0; i < SDP_BYTES; i++)
        buf_addz(&text, i % 40 == 39 ? "\\r\\n" : "a");
    buf_addz(&text, "\"}]");
    char header[WS_HEADER_MAX];
    size_t n = ws_header(header, WS_TEXT, text.n, false);
    header[1] = (char)(header[1] | 0x80);
    buf_add(frame, header, n);
    buf_add(frame, "\0\0\0\0", 4);
    buf_add_str(frame, buf_str(&text));
    buf_done(&text);
}

static void open_idle_connections(void)
{
    static const struct sio_config config = {.connect_timeout_ms = 45000, .namespaces_max = 4};
    static const struct eio_config eio = {.ping_interval_ms = 30000,
                                          .ping_timeout_ms = 20000,
                                          .max_payload_bytes = 1000000,
                                          .max_buffered_bytes = 1000000,
                                          .max_sessions = IDLE};
    server = sio_server_new(&config, &eio, &app);
    for (int i = 0; i < IDLE; i++) {
        transports[i].ops = &ops;
        if (!eio_session_open(sio_server_eio(server), &transports[i], NULL))
            abort();
        eio_transport_received(&transports[i], false, STR("40"));
    }
}

static void relay(struct buf *frame)
{
    static const struct ws_limits limits = {.max_message_bytes = 1000000};
    struct ws_reader reader = {0};
    for (int i = 0; i < ROUNDS; i++) {
        struct ws_message message;
        enum ws_close_code code;
        size_t used, need;
        if (ws_read(&reader, &limits, frame->p, frame->n, &used, &need, &message, &code) != WS_MESSAGE)
            abort();
        eio_transport_received(&transports[0], false, message.payload);
    }
}

int main(void)
{
    struct buf frame = {0};
    open_idle_connections();
    make_frame(&frame);
    double begin = now_ns();
    relay(&frame);
    printf("%.0f ns a message of %zu bytes, %d connections\n", (now_ns() - begin) / ROUNDS, frame.n, IDLE);
    eio_server_close_all(sio_server_eio(server), EIO_SERVER_SHUTDOWN);
    sio_server_free(server);
    buf_done(&frame);
    buf_done(&out);
    return 0;
}
