#include "learner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE      64 /* sockets in their handshake at the same time: within any listen backlog */
#define CONNECT_NS   60000000000
#define MASK         "\x37\xfa\x21\x3d"
#define JOIN_ACK     "430"
#define CONNECTED    "40"
#define REFUSED      "44"
#define EVENT        "42"
#define OPCODE_CLOSE 8
#define OPCODE_PING  9

static size_t pending;

struct plan plan_read(const char *path)
{
    struct plan plan = {0};
    FILE *f = fopen(path, "r");
    char user_id[ID_LENGTH + 1], session_id[ID_LENGTH + 1];
    char *token;
    if (!f)
        die("cannot read %s", path);
    for (size_t size = 0; fscanf(f, "%36s %ms %36s", user_id, &token, session_id) == 3; plan.count++) {
        if (plan.count == size) {
            size = size ? 2 * size : 1024;
            plan.learners = realloc(plan.learners, size * sizeof(*plan.learners));
            if (!plan.learners)
                die("out of memory");
        }
        struct learner *l = &plan.learners[plan.count];
        *l = (struct learner){.token = token};
        strcpy(l->user_id, user_id);
        strcpy(l->session_id, session_id);
    }
    fclose(f);
    if (plan.count == 0 || plan.count % 2 != 0)
        die("%s: %zu learners are no pairs", path, plan.count);
    for (size_t i = 0; i < plan.count; i++)
        plan.learners[i].partner = &plan.learners[i ^ 1];
    return plan;
}

void frame_add(struct bytes *out, const char *text, size_t n)
{
    unsigned char header[8] = {0x81};
    size_t at = 2;
    if (n < 126) {
        header[1] = (unsigned char)(0x80 | n);
    } else {
        header[1] = 0x80 | 126;
        header[2] = (unsigned char)(n >> 8);
        header[3] = (unsigned char)n;
        at = 4;
    }
    memcpy(header + at, MASK, 4);
    bytes_add(out, header, at + 4);
    bytes_add(out, text, n);
    for (size_t i = 0; i < n; i++)
        out->p[out->n - n + i] ^= MASK[i % 4];
}

static void send_text(struct learner *l, const char *text, size_t n)
{
    struct bytes frame = {0};
    frame_add(&frame, text, n);
    link_send(&l->link, frame.p, frame.n);
    free(frame.p);
}

static bool begins(const char *text, size_t n, const char *with)
{
    return n >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

static void ready(struct learner *l)
{
    l->is_ready = true;
    pending--;
}

static void on_connected(struct learner *l)
{
    char text[256];
    if (l->session_id[0] == '-') {
        ready(l);
        return;
    }
    int n = snprintf(text, sizeof text, "420[\"join_session\",{\"userId\":\"%s\",\"sessionId\":\"%s\"}]",
                     l->user_id, l->session_id);
    send_text(l, text, (size_t)n);
}

static void on_open(struct learner *l)
{
    struct bytes connect = {0};
    bytes_add_text(&connect, "40{\"token\":\"");
    bytes_add_text(&connect, l->token);
    bytes_add_text(&connect, "\"}");
    send_text(l, connect.p, connect.n);
    free(connect.p);
}

/* One Engine.IO packet. */
static void on_text(struct learner *l, const char *text, size_t n)
{
    if (begins(text, n, EVENT)) {
        if (l->on_event)
            l->on_event(l, text + 2, n - 2);
    } else if (begins(text, n, "2")) {
        send_text(l, "3", 1);
    } else if (begins(text, n, "0")) {
        on_open(l);
    } else if (begins(text, n, CONNECTED)) {
        on_connected(l);
    } else if (begins(text, n, JOIN_ACK) && memmem(text, n, "\"ok\"", 4)) {
        ready(l);
    } else if (begins(text, n, JOIN_ACK) || begins(text, n, REFUSED)) {
        die("refused: %.*s", (int)n, text);
    }
}

static size_t on_upgrade(struct learner *l, const char *p, size_t n)
{
    const char *end = memmem(p, n, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (!begins(p, n, "HTTP/1.1 101 "))
        die("no WebSocket: %.*s", (int)(end - p), p);
    l->is_upgraded = true;
    if (l->token[0] == '-')
        ready(l);
    return (size_t)(end - p) + 4;
}

/* One unmasked frame; neither server fragments, and nothing here is longer than 64 KiB. */
static size_t received(struct link *link, const char *text, size_t n)
{
    struct learner *l = (struct learner *)link;
    const unsigned char *p = (const unsigned char *)text;
    if (!l->is_upgraded)
        return on_upgrade(l, text, n);
    bool is_long = n >= 2 && p[1] == 126;
    size_t at = is_long ? 4 : 2;
    if (n < at)
        return 0;
    size_t payload = is_long ? (size_t)p[2] << 8 | p[3] : p[1];
    if (n < at + payload)
        return 0;
    if ((p[0] & 15) == OPCODE_CLOSE)
        die("the server closed a socket: code %d", payload >= 2 ? p[at] << 8 | p[at + 1] : 0);
    if ((p[0] & 15) != OPCODE_PING)
        on_text(l, text + at, payload);
    return at + payload;
}

static void request_upgrade(struct learner *l, int port)
{
    char request[512];
    int n = snprintf(request, sizeof request,
                     "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                     "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                     port);
    link_open(&l->link, port, received);
    link_send(&l->link, request, (size_t)n);
    pending++;
}

void learners_connect(struct plan *plan, size_t count, int port, int other_port)
{
    int64_t deadline = now_ns() + CONNECT_NS;
    for (size_t next = 0; next < count || pending > 0;) {
        for (; next < count && pending < AT_ONCE; next++)
            request_upgrade(&plan->learners[next], next % 2 && other_port ? other_port : port);
        link_turn(deadline);
        if (now_ns() > deadline)
            die("%zu sockets are not ready", pending + count - next);
    }
}
