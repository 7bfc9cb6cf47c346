/* Connections and sockets, as the files of the Socket.IO layer see them. The application may end any socket
 * or connection from inside any callback, so nothing touches a socket or a connection after it called the
 * application, unless it holds a reference to the connection.
 *
 * A connection lives as long as its session and its sockets: each holds a reference. A socket is
 *   PENDING ── sio_accept ──> ACCEPTED ──> GONE: app->disconnect is called, then it is freed
 * or GONE straight from PENDING; sio_refuse does not call app->disconnect, and nothing does while the
 * application has not been told of the socket (is_asking). */
#ifndef SIO_SOCKET_H
#define SIO_SOCKET_H

#include "conversation/base/list.h"
#include "conversation/base/slots.h"
#include "conversation/rt/timer.h"
#include "conversation/sio/sio.h"
#include "recovery.h"
#include "sid.h"

struct gathering;
struct sio_packet;

struct sio_server {
    struct sio_config config;
    size_t packet_max_bytes; /* of a packet with its attachments */
    const struct sio_app *app;
    struct eio_server *eio;
    struct slots sockets;      /* by id */
    struct recovery *recovery; /* NULL: off */
};

/* Of these two, what a message touches stands first: one cache line, or two. */
struct sio_conn {
    struct sio_server *server;
    struct eio_session *session; /* borrowed; NULL once it has ended */
    struct list sockets;
    struct gathering *gathering; /* owned; a binary packet that is not complete yet, or NULL */
    int socket_count;
    int refs;
    struct timer timer; /* runs until a namespace is joined, and while a socket is pending */
};

enum socket_state { PENDING, ACCEPTED, GONE };

struct sio_socket {
    struct sio_conn *conn; /* a reference */
    void *data;
    struct recovery_state *memory; /* owned; ACCEPTED and recovery on, else NULL */
    uint8_t state;
    bool is_recovered, is_from_elsewhere;
    bool is_asking; /* PENDING: the application does not know it yet, for other processes are asked first */
    uint8_t prefix_bytes;
    uint64_t id;                  /* in server->sockets */
    struct list link;             /* in conn->sockets */
    struct sio_acks *acks;        /* owned; NULL until the first sio_emit_with_ack */
    struct recovery_claim *claim; /* owned; PENDING: what it wants to recover, or NULL */
    int64_t answer_due_ms;        /* PENDING; clock_mono_ms */
    char sid[SID_LENGTH + 1];
    char prefix[]; /* "<namespace>," as in its packets; nothing for "/" */
};

static inline struct str socket_prefix(const struct sio_socket *s)
{
    return (struct str){s->prefix, s->prefix_bytes};
}

/* --- sio_socket.c --- */

void sio_conn_unref(struct sio_conn *conn);
struct sio_socket *sio_conn_first_socket(struct sio_conn *conn);
struct sio_socket *sio_conn_first_in_state(struct sio_conn *conn, enum socket_state state);
/* The connection's socket of a namespace, named by the prefix of its packets, or NULL. */
struct sio_socket *sio_conn_find(struct sio_conn *conn, struct str prefix);

/* A PENDING one. */
struct sio_socket *socket_new(struct sio_conn *conn, struct str prefix);
/* Out of reach of packets and of sio_socket_find: GONE. What it was sent is kept for recovery, or dropped. */
void socket_unlink(struct sio_socket *s, bool keeps_memory);
void socket_free(struct sio_socket *s);
/* Both; in between the application is told. */
void socket_end(struct sio_socket *s, const char *reason, bool keeps_memory);

/* --- sio_connect.c: every CONNECT is answered in time, and a connection must join a namespace in time --- */

/* How packets name a namespace: "<namespace>,", nothing for "/". */
struct str connect_prefix(struct str namespace_, char space[SIO_NAMESPACE_MAX + 1]);
void connect_opened(struct sio_conn *conn);
void connect_received(struct sio_conn *conn, const struct sio_packet *packet);
/* Another process has taken what was kept for a socket that was thought to be connected: its client is there.
 */
void connect_moved(void *server, uint64_t socket_id);

/* --- sio_send.c --- */

void send_parts(struct sio_conn *conn, const struct str *parts, int part_count);
void send_connect_error(struct sio_conn *conn, struct str prefix, const char *message);
void send_disconnect(struct sio_socket *s);

/* --- sio_acks.c: what sio_emit_with_ack waits for --- */

/* The id of a new question. */
uint64_t acks_ask(struct sio_socket *s, int64_t timeout_ms);
/* Ids that are not waited for are ignored, as by the reference server: the answer may have come too late. */
void acks_answered(struct sio_socket *s, uint64_t id, const struct sio_event *answer);
/* The socket is GONE: what it still waits for is answered with NULL. */
void acks_done(struct sio_socket *s);

#endif
