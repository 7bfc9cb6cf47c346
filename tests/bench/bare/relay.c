/* The floor of the relay benchmark: what the kernel takes for a message, and next to nothing more. WebSocket
 * upgrade, then every frame of a connection goes to its neighbour (the first to the second that came, the
 * third to the fourth): unmasked and under a new header in place, one recv and one send a message, one core.
 * No JSON, no tokens, no heartbeat, no limits; whatever is unexpected ends it.
 *
 *   bare_relay      listens on 127.0.0.1:$PORT; GET of anything but an upgrade answers 200 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS      1024
#define PEERS_MAX   65536 /* descriptors */
#define READ_BYTES  65536
#define HEADER_MAX  512
#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

struct peer {
    int fd;
    struct peer *partner; /* NULL until it has come */
    int is_upgraded;
    size_t held_bytes; /* the begin of a frame whose rest has not come */
    char *held;
};

static struct peer peers[PEERS_MAX];
static struct peer *unpaired;
static char in[2 * READ_BYTES];

static void die(const char *what)
{
    fprintf(stderr, "bare_relay: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void send_all(int fd, const char *p, size_t n)
{
    if (send(fd, p, n, MSG_NOSIGNAL) != (ssize_t)n)
        die("a client that does not read");
}

static void pair(struct peer *p)
{
    p->partner = unpaired;
    if (unpaired)
        unpaired->partner = p;
    unpaired = unpaired ? NULL : p;
}

static void answer_request(struct peer *p, size_t n)
{
    char text[HEADER_MAX], accept[32];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_bytes;
    const char *key = memmem(in, n, "Sec-WebSocket-Key: ", 19);
    if (!key) {
        send_all(p->fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38);
        return;
    }
    int length = snprintf(text, sizeof text, "%.24s" ACCEPT_GUID, key + 19);
    if (!EVP_Digest(text, (size_t)length, digest, &digest_bytes, EVP_sha1(), NULL))
        die("SHA-1");
    EVP_EncodeBlock((unsigned char *)accept, digest, (int)digest_bytes);
    length = snprintf(text, sizeof text,
                      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Accept: %s\r\n\r\n",
                      accept);
    send_all(p->fd, text, (size_t)length);
    p->is_upgraded = 1;
    pair(p);
}

static void unmask(char *p, size_t n, const char mask[4])
{
    uint64_t wide, word;
    size_t i = 0;
    memcpy(&wide, mask, 4);
    memcpy((char *)&wide + 4, mask, 4);
    for (; i + 8 <= n; i += 8) {
        memcpy(&word, p + i, 8);
        word ^= wide;
        memcpy(p + i, &word, 8);
    }
    for (; i < n; i++)
        p[i] ^= mask[i % 4];
}

/* One masked frame of up to 64 KiB at `p`: to the partner; returns its length, 0 when it is not whole. */
static size_t relay_frame(struct peer *from, char *p, size_t n)
{
    const unsigned char *u = (const unsigned char *)p;
    size_t extended = n >= 2 && (u[1] & 127) == 126 ? 2 : 0, head = 2 + extended + 4;
    if (n < head)
        return 0;
    size_t payload = extended ? (size_t)u[2] << 8 | u[3] : u[1] & 127;
    if (n < head + payload)
        return 0;
    if ((u[0] & 15) == 8)
        return head + payload; /* its close follows */
    unmask(p + head, payload, p + head - 4);
    p[1] &= 127;
    memmove(p + 4, p, 2 + extended); /* the server's header is the client's without the mask */
    if (from->partner)
        send_all(from->partner->fd, p + 4, 2 + extended + payload);
    return head + payload;
}

static void close_peer(struct peer *p)
{
    close(p->fd);
    free(p->held);
    if (unpaired == p)
        unpaired = NULL;
    if (p->partner)
        p->partner->partner = NULL;
    *p = (struct peer){0};
}

static void keep(struct peer *p, const char *rest, size_t n)
{
    p->held_bytes = n;
    p->held = n ? realloc(p->held, n) : p->held;
    if (n)
        memcpy(p->held, rest, n);
}

static void readable(struct peer *p)
{
    size_t n = p->held_bytes, at = 0, took;
    if (n)
        memcpy(in, p->held, n);
    ssize_t got = recv(p->fd, in + n, READ_BYTES, 0);
    if (got <= 0) {
        close_peer(p);
        return;
    }
    n += (size_t)got;
    if (!p->is_upgraded) { /* requests of the bench come in one piece */
        answer_request(p, n);
        return;
    }
    while ((took = relay_frame(p, in + at, n - at)) > 0)
        at += took;
    if (at < n || p->held_bytes)
        keep(p, in + at, n - at);
}

static void accept_peer(int epoll_fd, int listener)
{
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 || fd >= PEERS_MAX)
        die("accept");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    peers[fd].fd = fd;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &(struct epoll_event){EPOLLIN, {.ptr = &peers[fd]}}) < 0)
        die("epoll_ctl");
}

int main(void)
{
    struct epoll_event events[EVENTS];
    const char *port = getenv("PORT");
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port ? port : "0"))};
    int on = 1, epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, SOMAXCONN) < 0)
        die("listen");
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &(struct epoll_event){EPOLLIN, {.ptr = NULL}}) < 0)
        die("epoll_ctl");
    for (;;) {
        int n = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                readable(events[i].data.ptr);
            else
                accept_peer(epoll_fd, listener);
        }
    }
}
