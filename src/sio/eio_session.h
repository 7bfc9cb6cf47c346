/* What eio.c and eio_upgrade.c share: the session. */
#ifndef SIO_EIO_SESSION_H
#define SIO_EIO_SESSION_H

#include "conversation/base/list.h"
#include "conversation/base/map.h"
#include "conversation/rt/timer.h"
#include "conversation/sio/eio.h"
#include "sid.h"

enum session_state { OPENING, OPEN, DOOMED, LEAVING, CLOSED };

struct eio_server {
    struct eio_config config;
    const struct eio_user *user; /* borrowed, as is owner */
    void *owner;
    struct ws_deflate *deflate; /* owned; NULL: not in use */
    struct map by_sid;
    struct list sessions;          /* all but those OPENING */
    struct eio_session *posted_to; /* within eio_session_received, else NULL */
    bool has_post_ended_it;
    enum eio_reason post_ended_by;
};

struct upgrade;

/* What a message touches stands first. */
struct eio_session {
    struct eio_server *server;
    struct eio_transport *transport; /* borrowed; NULL between two polls */
    void *user;                      /* borrowed; NULL once it was told of the end */
    struct buf *backlog;     /* owned; what was sent while detached, see struct kept; NULL when nothing */
    struct upgrade *upgrade; /* owned; NULL unless a transport tries to take over */
    uint8_t state;
    uint8_t reason; /* DOOMED, LEAVING, or closed while OPENING: why */
    bool is_awaiting_pong, has_more_time, is_polling, is_posted_to; /* more time: for that pong */
    struct timer timer;   /* OPEN: the next ping, or its pong; DOOMED, LEAVING: the end */
    struct map_node node; /* in by_sid */
    struct list link;
    char sid[SID_LENGTH + 1];
    max_align_t context[]; /* context_bytes */
};

/* Sends everything that was kept to the transport; returns whether there was anything. */
bool session_drain(struct eio_session *s);
/* Frees `s`, after everybody has been told. The first reason stands. */
void session_end(struct eio_session *s, enum eio_reason reason);

/* --- eio_upgrade.c --- */

/* From the transport that tries. Frees the upgrade, or may end with `s` freed, when it has taken over. */
void upgrade_received(struct eio_session *s, bool is_binary, struct str message);
/* Ends the attempt: the transport is closed, or is gone already. Harmless when there is none. */
void upgrade_abandon(struct eio_session *s);
void upgrade_lost(struct eio_session *s);
/* `t` is not the one that carries the session, but tries to. */
bool upgrade_is_by(const struct eio_session *s, const struct eio_transport *t);
/* The client has stopped to poll, or will when its poll is answered: one must not wait. */
bool upgrade_is_probed(const struct eio_session *s);

#endif
