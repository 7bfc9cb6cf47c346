/* Engine.IO sessions. Sending never ends a session from inside the call (it becomes DOOMED and its own timer
 * ends it), so whoever sends may go on using what it holds; ending happens in session_end alone, and nothing
 * touches a session after it.
 *
 *   OPENING ── user accepted ──> OPEN ── over a bound ──> DOOMED ──┐
 *      └─────────── closed ────────┴───────── closed ──────────────┴──> CLOSED, freed */
#include "conversation/sio/eio.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "conversation/base/list.h"
#include "conversation/base/map.h"
#include "conversation/rt/timer.h"
#include "sid.h"

enum session_state { OPENING, OPEN, DOOMED, CLOSED };

struct eio_server {
    struct eio_config config;
    const struct eio_user *user; /* borrowed, as is owner */
    void *owner;
    struct map by_sid;
    struct list sessions; /* all but those OPENING */
};

struct eio_session {
    struct map_node node; /* in by_sid */
    struct list link;
    struct timer timer; /* OPEN: the next ping, or its pong; DOOMED: the end */
    struct eio_server *server;
    struct eio_transport *transport; /* borrowed; NULL while detached */
    void *user;                      /* borrowed */
    struct buf *backlog; /* owned; what was sent while detached, see struct kept; NULL when nothing */
    char sid[SID_LENGTH + 1];
    uint8_t state;
    uint8_t reason; /* DOOMED, or closed while OPENING: why */
    bool is_awaiting_pong;
    max_align_t context[]; /* context_bytes */
};

/* A packet in the backlog; its data follows. */
struct kept {
    size_t n;
    enum eio_packet_type type;
    bool is_binary;
};

const char *eio_reason_name(enum eio_reason reason)
{
    static const char *const names[] = {
        [EIO_TRANSPORT_CLOSE] = "transport close",
        [EIO_TRANSPORT_ERROR] = "transport error",
        [EIO_PING_TIMEOUT] = "ping timeout",
        [EIO_PARSE_ERROR] = "parse error",
        [EIO_FORCED_CLOSE] = "forced server close",
        [EIO_SLOW_CONSUMER] = "slow consumer",
        [EIO_SERVER_SHUTDOWN] = "server shutting down",
    };
    return names[reason];
}

/* --- servers --- */

struct eio_server *eio_server_new(const struct eio_config *config, const struct eio_user *user, void *owner)
{
    struct eio_server *server = calloc(1, sizeof *server);
    if (!server)
        abort();
    server->config = *config;
    server->user = user;
    server->owner = owner;
    list_init(&server->sessions);
    return server;
}

void eio_server_free(struct eio_server *server)
{
    if (!server)
        return;
    assert(server->by_sid.count == 0);
    map_done(&server->by_sid);
    free(server);
}

void eio_server_close_all(struct eio_server *server, enum eio_reason reason)
{
    while (!list_is_empty(&server->sessions))
        eio_session_close(LIST_FIRST(&server->sessions, struct eio_session, link), reason);
}

const struct eio_config *eio_server_config(const struct eio_server *server)
{
    return &server->config;
}

size_t eio_server_session_count(const struct eio_server *server)
{
    return server->by_sid.count;
}

/* --- the end of a session --- */

static void session_free(struct eio_session *s)
{
    map_remove(&s->server->by_sid, &s->node.key);
    if (s->backlog)
        buf_done(s->backlog);
    free(s->backlog);
    free(s);
}

/* Frees `s`. Whatever user->close does with the session has no effect: it is CLOSED. */
static void session_end(struct eio_session *s, enum eio_reason reason)
{
    struct eio_transport *t = s->transport;
    if (s->state == DOOMED)
        reason = s->reason;
    s->state = CLOSED;
    s->transport = NULL;
    timer_stop(&s->timer);
    list_remove(&s->link);
    if (t)
        t->session = NULL;
    s->server->user->close(s->user, reason);
    if (t)
        t->ops->close(t, reason);
    session_free(s);
}

static void on_doom(struct timer *t)
{
    struct eio_session *s = container_of(t, struct eio_session, timer);
    session_end(s, s->reason);
}

static void session_doom(struct eio_session *s, enum eio_reason reason)
{
    s->state = DOOMED;
    s->reason = reason;
    timer_start(&s->timer, 0, on_doom);
}

void eio_session_close(struct eio_session *s, enum eio_reason reason)
{
    switch ((enum session_state)s->state) {
    case OPENING: /* from inside user->open: eio_session_open ends it */
        s->state = DOOMED;
        s->reason = reason;
        break;
    case OPEN:
    case DOOMED: session_end(s, reason); break;
    case CLOSED: break;
    }
}

/* --- sending --- */

static bool backlog_add(struct eio_session *s, struct kept head, const struct str *parts, int part_count)
{
    for (int i = 0; i < part_count; i++)
        head.n += parts[i].n;
    if (!s->backlog && !(s->backlog = calloc(1, sizeof *s->backlog)))
        abort();
    if (s->backlog->n + sizeof head + head.n > s->server->config.max_buffered_bytes)
        return false;
    buf_add(s->backlog, &head, sizeof head);
    for (int i = 0; i < part_count; i++)
        buf_add_str(s->backlog, parts[i]);
    return true;
}

static void send_packet(struct eio_session *s, struct kept head, const struct str *parts, int part_count)
{
    if (s->state != OPEN)
        return;
    struct eio_transport *t = s->transport;
    bool is_sent = t ? t->ops->send(t, head.type, head.is_binary, parts, part_count)
                     : backlog_add(s, head, parts, part_count);
    if (!is_sent)
        session_doom(s, EIO_SLOW_CONSUMER);
}

void eio_session_send(struct eio_session *s, bool is_binary, const struct str *parts, int part_count)
{
    send_packet(s, (struct kept){.type = EIO_MESSAGE, .is_binary = is_binary}, parts, part_count);
}

void eio_session_detach(struct eio_session *s)
{
    if (s->transport)
        s->transport->session = NULL;
    s->transport = NULL;
}

void eio_session_attach(struct eio_session *s, struct eio_transport *t)
{
    assert(!s->transport && !t->session);
    struct buf *backlog = s->backlog;
    s->transport = t;
    t->session = s;
    s->backlog = NULL;
    if (!backlog)
        return;
    for (size_t at = 0; at < backlog->n;) {
        struct kept head;
        memcpy(&head, backlog->p + at, sizeof head);
        at += sizeof head;
        send_packet(s, head, &(struct str){backlog->p + at, head.n}, 1);
        at += head.n;
    }
    buf_done(backlog);
    free(backlog);
}

/* --- heartbeat: the server pings, the client answers --- */

static void on_heartbeat(struct timer *t)
{
    struct eio_session *s = container_of(t, struct eio_session, timer);
    if (s->is_awaiting_pong) {
        session_end(s, EIO_PING_TIMEOUT);
        return;
    }
    s->is_awaiting_pong = true;
    timer_start(&s->timer, s->server->config.ping_timeout_ms, on_heartbeat);
    send_packet(s, (struct kept){.type = EIO_PING}, NULL, 0);
}

static void schedule_ping(struct eio_session *s)
{
    s->is_awaiting_pong = false;
    timer_start(&s->timer, s->server->config.ping_interval_ms, on_heartbeat);
}

/* --- sessions --- */

/* No upgrades are offered: WebSocket is the highest transport. */
static void send_open_packet(struct eio_session *s)
{
    const struct eio_config *c = &s->server->config;
    char json[192];
    int n = snprintf(
        json, sizeof json,
        "{\"sid\":\"%s\",\"upgrades\":[],\"pingInterval\":%lld,\"pingTimeout\":%lld,\"maxPayload\":%zu}",
        s->sid, (long long)c->ping_interval_ms, (long long)c->ping_timeout_ms, c->max_payload_bytes);
    assert(n > 0 && (size_t)n < sizeof json);
    send_packet(s, (struct kept){.type = EIO_OPEN}, &(struct str){json, (size_t)n}, 1);
}

struct eio_session *eio_session_open(struct eio_server *server, struct eio_transport *t, const void *context)
{
    if (server->by_sid.count >= server->config.max_sessions)
        return NULL;
    struct eio_session *s = calloc(1, sizeof *s + server->config.context_bytes);
    if (!s)
        abort();
    s->server = server;
    if (server->config.context_bytes)
        memcpy(s->context, context, server->config.context_bytes);
    struct uuid key = sid_random(s->sid);
    map_put(&server->by_sid, &key, &s->node);

    s->user = server->user->open(server->owner, s);
    if (!s->user || s->state == DOOMED) {
        if (s->user) {
            s->state = CLOSED;
            server->user->close(s->user, s->reason);
        }
        session_free(s);
        return NULL;
    }
    s->state = OPEN;
    s->transport = t;
    t->session = s;
    list_add_tail(&server->sessions, &s->link);
    schedule_ping(s);
    send_open_packet(s);
    return s;
}

struct eio_session *eio_session_find(struct eio_server *server, struct str sid)
{
    struct uuid key;
    struct map_node *node = sid_parse(sid, &key) ? map_get(&server->by_sid, &key) : NULL;
    return node ? container_of(node, struct eio_session, node) : NULL;
}

void *eio_session_context(struct eio_session *s)
{
    return s->context;
}

const char *eio_session_sid(const struct eio_session *s)
{
    return s->sid;
}

/* --- from the transport --- */

static void take_text(struct eio_session *s, struct str packet)
{
    int type = packet.n ? packet.p[0] - '0' : -1;
    switch (type) {
    case EIO_MESSAGE:
        s->server->user->message(s->user, false, (struct str){packet.p + 1, packet.n - 1});
        break;
    case EIO_PONG: schedule_ping(s); break;
    case EIO_PING: session_end(s, EIO_TRANSPORT_ERROR); break; /* only servers ping */
    case EIO_CLOSE: session_end(s, EIO_TRANSPORT_CLOSE); break;
    case EIO_OPEN:
    case EIO_UPGRADE:
    case EIO_NOOP: break; /* of no meaning here, and harmless: ignored as by the reference server */
    default: session_end(s, EIO_PARSE_ERROR); break;
    }
}

void eio_transport_received(struct eio_transport *t, bool is_binary, struct str message)
{
    struct eio_session *s = t->session;
    if (!s || s->state != OPEN)
        return;
    if (is_binary)
        s->server->user->message(s->user, true, message);
    else
        take_text(s, message);
}

void eio_transport_closed(struct eio_transport *t, enum eio_reason reason)
{
    struct eio_session *s = t->session;
    if (!s)
        return;
    eio_session_detach(s);
    session_end(s, reason);
}
