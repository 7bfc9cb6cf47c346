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
#include "conversation/sio/eio.h"

struct sio_server;
struct sio_socket;

#define SIO_ATTACHMENTS_MAX 10
#define SIO_NAMESPACE_MAX   200
#define SIO_EVENT_NAME_MAX  128 /* of a name with escapes in it; others may be of any length */
#define SIO_PIECES_MAX      16

struct sio_event {
    struct str name; /* unescaped; a number as its text */
    struct str args; /* JSON text of the arguments after the name, "a,b" without brackets; may be "" */
    const struct str *attachments; /* binary ones; {"_placeholder":true,"num":N} in args stands for the Nth */
    int attachment_count;
    bool wants_ack;
    uint64_t ack_id;
};

struct sio_app {
    /* CONNECT to a namespace (query stripped; `query` is what followed '?'). `auth` is the JSON payload or
     * {NULL,0}. Answer now or later with sio_accept or sio_refuse; unanswered within connect_timeout the
     * client is refused and the socket gone. */
    void (*connect)(struct sio_socket *s, struct str namespace_, struct str query, struct str auth);
    /* An event of an accepted socket. Slices are valid during the call. */
    void (*event)(struct sio_socket *s, const struct sio_event *event);
    /* The socket is gone (client's DISCONNECT, sio_disconnect, no answer in time, or the session ended).
     * Exactly once for every socket that `connect` was called for and that sio_refuse was not. Its data and
     * context are still there. */
    void (*disconnect)(struct sio_socket *s, const char *reason);
};

struct sio_config {
    int64_t connect_timeout_ms; /* to join a first namespace, and to answer each CONNECT; 45 s */
    int namespaces_max;         /* per connection */
};

/* Borrows `app`. */
struct sio_server *sio_server_new(const struct sio_config *config, const struct eio_config *eio,
                                  const struct sio_app *app);
void sio_server_free(struct sio_server *server); /* all sessions must be closed: eio_server_close_all */
struct eio_server *sio_server_eio(struct sio_server *server);

uint64_t sio_socket_id(const struct sio_socket *s);     /* unique in this process, never reused */
const char *sio_socket_sid(const struct sio_socket *s); /* what the client sees as socket.id */
struct sio_socket *sio_socket_find(struct sio_server *server, uint64_t id); /* NULL when gone */
void *sio_socket_context(const struct sio_socket *s);                       /* of its Engine.IO session */
void sio_socket_set_data(struct sio_socket *s, void *data);                 /* the application's */
void *sio_socket_data(const struct sio_socket *s);

void sio_accept(struct sio_socket *s);                      /* sends CONNECT {"sid":…} */
void sio_refuse(struct sio_socket *s, const char *message); /* CONNECT_ERROR {"message":…}; frees s */
/* Sends DISCONNECT, calls app->disconnect("server namespace disconnect"), frees s; closes the connection too
 * when `close`. */
void sio_disconnect(struct sio_socket *s, bool close);

/* EVENT ["name",args…]; args as in sio_event. All text must be valid JSON; the name is sent as it is, without
 * escaping. The pieces of args (at most SIO_PIECES_MAX) are concatenated, so that a relay can splice slices
 * of what it received. Neither this nor sio_ack frees the socket, and neither has an effect on one that is
 * not accepted. */
void sio_emit(struct sio_socket *s, const char *name, const struct str *args, int piece_count);
void sio_ack(struct sio_socket *s, uint64_t ack_id, struct str args); /* ACK [args] */

#endif
