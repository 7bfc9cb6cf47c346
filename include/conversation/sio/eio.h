/* Engine.IO protocol revision 4, server side: sessions, and the transports that carry them
 * (https://socket.io/docs/v4/engine-io-protocol/). Knows nothing of HTTP or sockets below, or of Socket.IO
 * above.
 *
 *      polling, WebSocket                    Socket.IO connection
 *   eio_transport_ops <-> eio_session <-> eio_user
 *
 * A session outlives what carries it: it owns the packets not yet written, the heartbeat and the sid. On
 * polling, each waiting GET is a transport of its own, and between two of them there is none. */
#ifndef CONVERSATION_SIO_EIO_H
#define CONVERSATION_SIO_EIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/base/str.h"

struct eio_server;
struct eio_session;
struct ws_deflate;

struct eio_config {
    int64_t ping_interval_ms;
    int64_t ping_timeout_ms;    /* for the pong; once anew when something else comes before it */
    int64_t upgrade_timeout_ms; /* for a WebSocket to take over, from its handshake on; 10 s */
    int64_t close_timeout_ms;   /* for a poll to come and fetch the end of a closed session; 30 s */
    size_t max_payload_bytes;   /* told to the client and enforced by the transport */
    size_t max_buffered_bytes;  /* of a session without a writable transport; above it is closed */
    size_t max_sessions;
    uint32_t deflate_threshold_bytes; /* WebSocket messages from this size on are compressed for clients that
                                         agree (permessage-deflate); 0: it is not agreed to */
    size_t context_bytes;             /* of what the host keeps with each session: eio_session_open */
    void (*context_done)(void *context); /* the copy of a session that eio_session_open returned is about to
                                            be freed; NULL: nothing to do */
    const char *greeting;                /* a text message sent right after OPEN; NULL: none */
};

enum eio_packet_type { EIO_OPEN, EIO_CLOSE, EIO_PING, EIO_PONG, EIO_MESSAGE, EIO_UPGRADE, EIO_NOOP };

/* Why a session ended; the names are those of the reference server ("ping timeout", …): eio_reason_name. */
enum eio_reason {
    EIO_TRANSPORT_CLOSE,
    EIO_TRANSPORT_ERROR,
    EIO_PING_TIMEOUT,
    EIO_PARSE_ERROR,
    EIO_FORCED_CLOSE,  /* by the server */
    EIO_SLOW_CONSUMER, /* does not read what it is sent */
    EIO_SERVER_SHUTDOWN
};
const char *eio_reason_name(enum eio_reason reason);

/* --- what carries packets --- */

struct eio_transport {
    const struct eio_transport_ops *ops;
    struct eio_session *session; /* NULL before attach and after the session let go */
};

struct eio_transport_ops {
    const char *name; /* "websocket", "polling" */
    bool is_poll;     /* carries what a session has once, and is then detached */
    /* Sends one packet: text is `type` digit + the parts; binary (is_binary, type MESSAGE) the parts alone.
     * Copies. False: over the transport's own bound; the session ends as a slow consumer. */
    bool (*send)(struct eio_transport *t, enum eio_packet_type type, bool is_binary, const struct str *parts,
                 int part_count);
    /* Flush, then close. After this call the transport no longer refers to the session. */
    void (*close)(struct eio_transport *t, enum eio_reason reason);
};

/* --- what uses a session: implemented by sio.c --- */

struct eio_user {
    /* A new session; returns the user's data for it, or NULL to refuse. Nothing can be sent yet. */
    void *(*open)(void *owner, struct eio_session *s);
    /* A text or binary message; valid during the call. */
    void (*message)(void *user, bool is_binary, struct str payload);
    /* The session ended; called exactly once; the session must not be used after it returns. */
    void (*close)(void *user, enum eio_reason reason);
};

/* `user` and `owner`, which user->open is given, are borrowed. */
struct eio_server *eio_server_new(const struct eio_config *config, const struct eio_user *user, void *owner);
void eio_server_free(struct eio_server *server); /* all sessions and their connections must be closed */
void eio_server_close_all(struct eio_server *server, enum eio_reason reason);
const struct eio_config *eio_server_config(const struct eio_server *server);
/* What all WebSockets of a server compress with; NULL when deflate_threshold_bytes is 0. */
struct ws_deflate *eio_server_deflate(const struct eio_server *server);
size_t eio_server_session_count(const struct eio_server *server);

/* Handshake: a new session on `t`, its OPEN packet sent. NULL when full or refused (nothing was sent).
 * `context` is what the host knows of the request (path, address, headers): context_bytes, copied, kept until
 * the user's close returned. */
struct eio_session *eio_session_open(struct eio_server *server, struct eio_transport *t, const void *context);
/* A session whose pong is overdue is ended, not found. */
struct eio_session *eio_session_find(struct eio_server *server, struct str sid);
void *eio_session_context(struct eio_session *s);
const char *eio_session_sid(const struct eio_session *s);
bool eio_session_is_polling(const struct eio_session *s); /* opened so, and not upgraded yet */

/* From the transport: one message of the wire (text: digit + data; binary: data). May close the session, and
 * with it the transport (ops->close) — the caller must not touch either after, unless t->session is still
 * set. */
void eio_transport_received(struct eio_transport *t, bool is_binary, struct str message);
/* From the transport: it is gone (peer closed, error, timeout). */
void eio_transport_closed(struct eio_transport *t, enum eio_reason reason);

/* A poll begins to wait, and is sent what has been kept; there must be none (eio_session_has_poll). May end
 * the session: a closed one waited for it. */
void eio_session_attach(struct eio_session *s, struct eio_transport *t);
/* The poll has been answered. From now on packets are kept, within max_buffered_bytes. */
void eio_session_detach(struct eio_session *s);
bool eio_session_has_poll(const struct eio_session *s);
/* The body of a POST begins to arrive. One at a time: false, and the session has ended, when there is another
 * that does. */
bool eio_session_begin_post(struct eio_session *s);
/* It has arrived, or never will, which ends the session. */
void eio_session_end_post(struct eio_session *s, bool is_complete);
/* One packet of a POST. False: the session has ended, for *why. */
bool eio_session_received(struct eio_session *s, bool is_binary, struct str message, enum eio_reason *why);

/* `t` wants to take over from polling: it is attached once it has sent UPGRADE; until then the session goes
 * on by polling, and survives the end of `t`. False: another one is trying, or there is nothing to upgrade.
 */
bool eio_session_upgrade(struct eio_session *s, struct eio_transport *t);

/* To the client. The parts are copied. No effect once the session is closing. Never ends the session from
 * inside the call: one that cannot take more is closed as a slow consumer from the loop. */
void eio_session_send(struct eio_session *s, bool is_binary, const struct str *parts, int part_count);
/* Ends it: user->close is called from here. With EIO_FORCED_CLOSE and no poll waiting, the client still gets
 * what was sent, by its next poll within close_timeout_ms. */
void eio_session_close(struct eio_session *s, enum eio_reason reason);

#endif
