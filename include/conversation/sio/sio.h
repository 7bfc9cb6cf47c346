/* Socket.IO protocol revision 5, server side, on Engine.IO sessions
 * (https://socket.io/docs/v4/socket-io-protocol/). A connection (one Engine.IO session) carries sockets, one
 * per namespace. Payloads are passed as JSON text, not trees. The application is a table of callbacks; it
 * knows sockets by pointer during a callback, by id at any other time. */
#ifndef CONVERSATION_SIO_SIO_H
#define CONVERSATION_SIO_SIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/base/str.h"
#include "conversation/base/uuid.h"
#include "conversation/sio/eio.h"

struct shared_store;
struct sio_server;
struct sio_socket;

#define SIO_ATTACHMENTS_MAX 10
#define SIO_NAMESPACE_MAX   200
#define SIO_EVENT_NAME_MAX  128 /* of a name with escapes in it; others may be of any length */
#define SIO_PIECES_MAX      16
/* Of a packet to the transport: the pieces, and at most type, count, "-", namespace, id, "[", name, ",", and
 * after the pieces ",", offset, its quote, "]". */
#define SIO_PARTS_MAX (SIO_PIECES_MAX + 12)
#define SIO_NOTE_MAX  48

/* A CONNECT packet. Slices are valid during the call. */
struct sio_connect {
    struct str namespace_, query; /* query: what followed '?', {NULL,0} when absent */
    struct str auth;              /* JSON object, {NULL,0} when absent */
    /* The client names a socket (`pid` and `offset` in auth) whose state is still here: sio_accept will give
     * it its id back and send what it missed, unless sio_decline_recovery is called before. `note` is what
     * the application left with that socket (sio_socket_set_note), else {NULL,0}. */
    bool can_recover;
    struct str note;
};

struct json_index;

struct sio_event {
    struct str name;  /* unescaped; a number as its text; "" in an answer to sio_emit_with_ack */
    struct str args;  /* JSON text of the arguments after the name, "a,b" without brackets; may be "" */
    struct str first; /* the first of them; {NULL,0}: none */
    const struct json_index *index; /* of `first`, when there is one */
    const struct str *attachments;  /* binary ones; {"_placeholder":true,"num":N} in args is the Nth */
    int attachment_count;
    bool wants_ack;
    uint64_t ack_id;
};

struct sio_app {
    /* CONNECT to a namespace; called later when the client names a socket that other processes may know of.
     * Answer now or later with sio_accept or sio_refuse; unanswered within
     * connect_timeout the client is refused and the socket gone. */
    void (*connect)(struct sio_socket *s, const struct sio_connect *c);
    /* An event of an accepted socket. Slices are valid during the call. */
    void (*event)(struct sio_socket *s, const struct sio_event *event);
    /* The answer to sio_emit_with_ack: exactly once for each, with NULL when it did not come in time or the
     * socket is going. May be NULL in an application that never asks. */
    void (*acked)(struct sio_socket *s, uint64_t ack_id, const struct sio_event *answer);
    /* The socket is gone (client's DISCONNECT, sio_disconnect, no answer in time, or the session ended).
     * Exactly once for every socket that `connect` was called for and that sio_refuse was not. Its data and
     * context are still there. */
    void (*disconnect)(struct sio_socket *s, const char *reason);
};

/* Connection-state recovery (https://socket.io/docs/v4/connection-state-recovery): what a socket was sent is
 * kept for a client that lost its connection, within these bounds. */
struct sio_recovery {
    /* After the loss. A packet is kept that long after a loss could be noticed, so ping interval and timeout
     * longer. 0: no recovery, no pid is given out, no offset added to events. */
    int64_t max_age_ms;
    /* Of packets, for each socket: who missed older ones than these hold cannot recover. */
    size_t socket_bytes;
    /* Of all sockets that are lost: the oldest are forgotten. The others share as much again for their
     * packets. */
    size_t total_bytes;
    /* Where other processes find what sockets here were sent, and their clients after this process has died;
     * borrowed. NULL: each process for itself. */
    const struct shared_store *share;
    size_t shared_bytes; /* of packets there, of all sockets; a socket has at most 2 * socket_bytes */
};

struct sio_config {
    int64_t connect_timeout_ms; /* to join a first namespace, and to answer each CONNECT; 45 s */
    int namespaces_max;         /* per connection */
    struct sio_recovery recovery;
};

/* Borrows `app`. */
struct sio_server *sio_server_new(const struct sio_config *config, const struct eio_config *eio,
                                  const struct sio_app *app);
void sio_server_free(struct sio_server *server); /* all sessions must be closed: eio_server_close_all */
struct eio_server *sio_server_eio(struct sio_server *server);

uint64_t
sio_socket_id(const struct sio_socket *s); /* unique in this process, never reused, by recovery neither */
const char *
sio_socket_sid(const struct sio_socket *s); /* what the client sees as socket.id; kept by recovery */
struct sio_socket *sio_socket_find(struct sio_server *server, uint64_t id); /* NULL when gone */
void *sio_socket_context(const struct sio_socket *s);                       /* of its Engine.IO session */
void sio_socket_set_data(struct sio_socket *s, void *data);                 /* the application's */
void *sio_socket_data(const struct sio_socket *s);

/* Sends CONNECT {"sid":…} (and "pid" with recovery on), then what a recovered socket missed. When the loss of
 * the client's former connection was not noticed yet, that connection is closed first: `disconnect` is called
 * for its sockets from here. */
void sio_accept(struct sio_socket *s);
void sio_refuse(struct sio_socket *s, const char *message); /* CONNECT_ERROR {"message":…}; frees s */
/* Sends DISCONNECT, calls app->disconnect("server namespace disconnect"), frees s; closes the connection too
 * when `close`. Nothing is kept for recovery. */
void sio_disconnect(struct sio_socket *s, bool close);

/* --- recovery; nothing of it has an effect when it is off --- */

/* Before sio_accept: the client gets a new id and nothing is replayed. */
void sio_decline_recovery(struct sio_socket *s);
bool sio_socket_is_recovered(const struct sio_socket *s); /* after sio_accept */
/* Recovered, and not this process's before: events to its owner may have been told to nobody. */
bool sio_socket_is_from_elsewhere(const struct sio_socket *s);
/* Whether there is something that other processes should know and do not know yet. */
bool sio_server_has_unsaved(const struct sio_server *server);
/* Of an accepted socket: what the application needs to go on with it when it is recovered. At most
 * SIO_NOTE_MAX bytes, copied. */
void sio_socket_set_note(struct sio_socket *s, struct str note);
/* Of an accepted socket: whose it is, for sio_emit_to_lost. */
void sio_socket_set_owner(struct sio_socket *s, const struct uuid *owner);
/* To every lost socket of this owner: it gets the event if it is recovered. As sio_emit otherwise. */
void sio_emit_to_lost(struct sio_server *server, const struct uuid *owner, const char *name,
                      const struct str *args, int piece_count);

/* --- sending: nothing of it frees the socket, or has an effect on one that is not accepted --- */

/* What is emitted or acknowledged. All text must be valid JSON; the name is sent as it is, without escaping.
 * The pieces of args (at most SIO_PIECES_MAX) are concatenated, so that a relay can splice slices of what it
 * received. Attachments (at most SIO_ATTACHMENTS_MAX) are sent as binary messages; args must hold their
 * placeholders, {"_placeholder":true,"num":N}, in order. */
struct sio_message {
    const char *name; /* NULL in an acknowledgement */
    const struct str *args;
    int piece_count;
    const struct str *attachments;
    int attachment_count;
};

/* With recovery on, an event gets its offset as an additional last argument, a string. */
void sio_emit_message(struct sio_socket *s, const struct sio_message *m);
void sio_ack_message(struct sio_socket *s, uint64_t ack_id, const struct sio_message *m);
/* Returns the id that app->acked gets, 0 when the socket is not accepted. Has no offset and is not replayed:
 * the answer would come to another socket. */
uint64_t sio_emit_with_ack(struct sio_socket *s, const struct sio_message *m, int64_t timeout_ms);

void sio_emit(struct sio_socket *s, const char *name, const struct str *args, int piece_count);
void sio_ack(struct sio_socket *s, uint64_t ack_id, struct str args); /* ACK [args] */

#endif
