/* A TCP connection: bytes in, bytes out, from accept to close. What the bytes mean is its protocol's: HTTP
 * first, WebSocket after an upgrade; TLS lies below both. Writing appends to a buffer that is sent once per
 * loop turn; reading goes through one buffer of the process.
 *
 *     open --conn_finish--> flushing --sent--> lingering --peer closed or 2 s--> closed
 *       \---------------- conn_close, peer closed, error ---------------------/
 */
#ifndef CONVERSATION_NET_CONN_H
#define CONVERSATION_NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "conversation/base/list.h"
#include "conversation/base/str.h"
#include "conversation/rt/loop.h"
#include "conversation/rt/timer.h"

struct conn;
struct source;
struct tls;

struct conn_protocol {
    /* Looks at the `n` bytes received so far and returns how many it is done with; the rest comes again,
     * longer. It may close the connection or change its protocol; what it did not take then goes to the new
     * one. `p` is writable. */
    size_t (*received)(struct conn *c, char *p, size_t n);
    /* Everything written has been sent. May be NULL. */
    void (*sent)(struct conn *c);
    /* The peer has not taken a byte of what waits for it in HTTP_BODY_TIMEOUT_MS: the connection is closed
     * next. May come after `closed`, when what was written before is still being sent. May be NULL. */
    void (*stuck)(struct conn *c);
    /* The connection is closing; the protocol frees its data, which is NULL from then on, and forgets the
     * connection. Called exactly once. */
    void (*closed)(struct conn *c);
};

enum conn_state { CONN_OPEN, CONN_FLUSHING, CONN_LINGERING, CONN_CLOSED };

/* In the order of use: what a message touches first, in as few cache lines as it goes: what is not in the
 * cache is most of its cost. */
struct conn {
    uv_poll_t poll;
    int fd;
    enum conn_state state;
    int poll_events;
    bool is_paused, peer_ended;
    bool on_ops_port, on_api_port; /* what the port serves that it came in on */
    const struct conn_protocol *protocol;
    void *data;             /* the protocol's */
    struct tls *tls;        /* owned; NULL: plain TCP */
    struct list dirty;      /* in the list of those with unsent bytes */
    struct buf out;         /* to be sent; empty most of the time */
    size_t out_sent;        /* of `out` */
    size_t in_taken;        /* of `in` */
    struct buf in;          /* received and not yet taken; empty most of the time */
    struct timer progress;  /* unsent bytes must move, and lingering must end */
    struct timer timer;     /* the protocol's: header, body, idle */
    struct list all;        /* in the list of all connections */
    struct source *source;  /* counts it; NULL: nobody does */
    struct loop_task again; /* conn_resume */
};

/* Takes over an accepted non-blocking socket. NULL when libuv cannot watch it (the socket is closed then). */
struct conn *conn_new(int fd, const struct conn_protocol *protocol, void *data);
/* Of a new connection: what follows is TLS, with the certificate of conversation/net/tls.h. */
void conn_start_tls(struct conn *c);
/* From now on `protocol` gets the bytes, first those in hand. The old protocol's `closed` is not called. */
void conn_set_protocol(struct conn *c, const struct conn_protocol *protocol, void *data);

/* Appends; sent at the end of the loop turn. No effect unless open. False: more than `limit` bytes would be
 * waiting (nothing was added); the caller decides what becomes of a peer that does not read. */
bool conn_write(struct conn *c, const struct str *parts, int count, size_t limit);
size_t conn_unsent(const struct conn *c);

/* Stop and go on reading: while paused up to a bound of bytes is kept, so that a peer's leaving is noticed.
 */
void conn_pause(struct conn *c);
/* What is in hand is offered again, from the loop: a peer that sends much does not keep others waiting. */
void conn_resume(struct conn *c);

void conn_finish(struct conn *c); /* sends what is written, then closes in order */
void conn_close(struct conn *c);  /* now; unsent bytes are lost */

void conn_init(void); /* once per loop */
size_t conn_count(void);
void conn_each(void (*visit)(struct conn *c)); /* the visitor may finish or close the one it is given */
void conn_close_all(void);

#endif
