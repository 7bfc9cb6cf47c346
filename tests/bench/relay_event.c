/* What a relayed event costs the service above the transport: its packet parsed, the row's columns enforced,
 * the payload validated, and the partner's event written and kept for recovery. Prints nanoseconds a message.
 * The argument is the number of rounds; for instructions:
 *
 *   cmake --build build --target bench_relay_event && build/bench_relay_event
 *   valgrind --tool=callgrind --toggle-collect=eio_transport_received build/bench_relay_event 1000 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/config.h"
#include "conversation/domain/identity.h"
#include "conversation/edge/hub.h"
#include "conversation/rt/loop.h"
#include "edge/socket_context.h"
#include "flows/live.h"
#include "tables.h"

#define SESSION       "11111111-0000-4000-8000-000000000001"
#define ADA           "00000000-0000-4000-8000-00000000000a"
#define BOB           "00000000-0000-4000-8000-00000000000b"
#define CRLF          "\\r\\n"
#define TOKEN_LIFE_MS 3600000

static struct eio_transport transports[2];
static struct buf out;

static bool send_packet(struct eio_transport *t, enum eio_packet_type type, bool is_binary,
                        const struct str *parts, int part_count)
{
    (void)t;
    (void)is_binary;
    out.n = 0;
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

/* A token is the text of the user's id. */
static enum err verify(struct str token, struct identity *who, const char **reason)
{
    *reason = NULL;
    *who = (struct identity){.expires_at_ms = clock_now_ms() + TOKEN_LIFE_MS};
    return uuid_parse(token, &who->user_id) ? OK : ERR_UNAUTHORIZED;
}

static const struct eio_transport_ops ops = {.name = "bench", .send = send_packet, .close = close_transport};

static struct uuid id_of(const char *text)
{
    struct uuid id;
    if (!uuid_parse(str_of(text), &id))
        abort();
    return id;
}

static void connect_user(int who, const char *user)
{
    static const struct socket_context context;
    char connect[128];
    int n = snprintf(connect, sizeof connect, "40{\"token\":\"%s\"}", user);
    transports[who].ops = &ops;
    if (!eio_session_open(sio_server_eio(hub_sio()), &transports[who], &context))
        abort();
    eio_transport_received(&transports[who], false, (struct str){connect, (size_t)n});
}

/* A session of the two, as join_session makes it; its sockets are the first in the first two slots
 * (base/slots.h). */
static void open_session(void)
{
    static struct session session = {.max_duration_seconds = 900};
    static const struct db_session_prompts prompts;
    session.id = id_of(SESSION);
    session.participants[0].user_id = id_of(ADA);
    session.participants[1].user_id = id_of(BOB);
    struct live *l = live_open(&session, &prompts);
    for (int who = 0; who < 2; who++)
        live_join(l, &(struct live_seat){.who = who, .socket_id = (UINT64_C(1) << 32) + (uint64_t)who});
}

static struct str offer(void)
{
    static struct buf text;
    buf_addz(&text, "42[\"offer\",{\"sessionId\":\"" SESSION "\",\"targetUserId\":\"" BOB "\",\"sdp\":\"");
    buf_addz(&text,
             "v=0" CRLF "o=- 4611731400430051336 2 IN IP4 127.0.0.1" CRLF "s=-" CRLF "t=0 0" CRLF
             "a=group:BUNDLE 0" CRLF "a=msid-semantic: WMS" CRLF
             "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126" CRLF "c=IN IP4 0.0.0.0" CRLF
             "a=rtcp:9 IN IP4 0.0.0.0" CRLF "a=ice-ufrag:abcd" CRLF "a=ice-pwd:asd88fgpdd777uzjYhagZg12" CRLF
             "a=fingerprint:sha-256 AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:"
             "22:33:44:55:66:77:88:99" CRLF "a=setup:actpass" CRLF "a=mid:0" CRLF "a=sendrecv" CRLF
             "a=rtcp-mux" CRLF);
    for (int i = 0; text.n < 2100; i++)
        buf_addf(&text, "a=rtpmap:%d opus/48000/2" CRLF "a=fmtp:%d minptime=10;useinbandfec=1" CRLF, i, i);
    buf_addz(&text, "\"}]");
    return buf_str(&text);
}

static struct str candidate(void)
{
    return STR("42[\"ice_candidate\",{\"sessionId\":\"" SESSION "\",\"targetUserId\":\"" BOB
               "\",\"candidate\":{\"candidate\":\"candidate:842163049 1 udp 1677729535 192.0.2.44 46154 typ "
               "srflx raddr "
               "10.0.0.17 rport 46154 generation 0 ufrag EEtu network-cost "
               "999\",\"sdpMid\":\"0\",\"sdpMLineIndex\":0,"
               "\"usernameFragment\":\"EEtu\"}}]");
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void relay(const char *what, struct str packet, int rounds)
{
    double begin = now_ns();
    for (int i = 0; i < rounds; i++)
        eio_transport_received(&transports[0], false, packet);
    if (!memmem(out.p, out.n, "\"from\"", 6))
        abort(); /* refused */
    printf("%-14s %.0f ns a message of %zu bytes\n", what, (now_ns() - begin) / rounds, packet.n);
}

int main(int argc, char **argv)
{
    static const struct hub_setup hub = {.events = event_rows, .socket_gone = live_socket_gone};
    char problem[512];
    int rounds = argc > 1 ? atoi(argv[1]) : 500000;
    if (!config_load(NULL, problem))
        abort();
    config.rate_limit_ws_messages = config.rate_limit_ice_candidates = 0;
    log_init("bench", LOG_ERROR);
    loop_init();
    hub_init(&hub, verify);
    connect_user(0, ADA);
    connect_user(1, BOB);
    open_session();
    if (argc < 3 || argv[2][0] == 'o')
        relay("offer", offer(), rounds);
    if (argc < 3 || argv[2][0] == 'i')
        relay("ice_candidate", candidate(), rounds);
    live_done();
    hub_close_all();
    hub_done();
    loop_done();
    return 0;
}
