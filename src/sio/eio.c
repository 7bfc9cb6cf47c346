/* Engine.IO sessions. Sending never ends a session from inside the call (it becomes DOOMED and its own timer
 * ends it), so whoever sends may go on using what it holds; ending happens in session_end alone, and nothing
 * touches a session after it.
 *
 *   OPENING ── user accepted ──> OPEN ── over a bound ──> DOOMED ──┐
 *      └─────────── closed ────────┼───────── closed ──────────────┴──> CLOSED, freed
 *                                  └─ closed by the server ──> LEAVING ── a poll, or time ──> CLOSED
 * While LEAVING there is no user any more: the next poll fetches what was sent, and the end. */
#include "conversation/sio/eio.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/codec/ws_deflate.h"
#include "eio_session.h"

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
    if (config->deflate_threshold_bytes)
        server->deflate = ws_deflate_new();
    list_init(&server->sessions);
    return server;
}

void eio_server_free(struct eio_server *server)
{
    if (!server)
        return;
    assert(server->by_sid.count == 0);
    map_done(&server->by_sid);
    ws_deflate_free(server->deflate);
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

struct ws_deflate *eio_server_deflate(const struct eio_server *server)
{
    return server->deflate;
}

size_t eio_server_session_count(const struct eio_server *server)
{
    return server->by_sid.count;
}

static void count_sessions(const struct eio_server *server)
{
    metric_set(M_WS_ACTIVE, (double)server->by_sid.count, NULL);
}

/* --- the end of a session --- */

static void session_free(struct eio_session *s)
{
    struct eio_server *server = s->server;
    map_remove(&server->by_sid, &s->node.key);
    count_sessions(server);
    if (s->backlog)
        buf_done(s->backlog);
    free(s->backlog);
    free(s);
}

static void note_slow_consumer(const struct eio_session *s)
{
    static int64_t told_ms;
    metric_inc(M_WS_SLOW_CLOSED, NULL);
    if (log_is_time(&told_ms))
        LOG(LOG_WARN, "socket.slow_consumer", LOG_INT("sockets", (int64_t)s->server->by_sid.count));
}

/* Whatever the user does from inside close has no effect on the session: it is CLOSED, and in no list. */
static void tell_user(struct eio_session *s, enum eio_reason reason)
{
    void *user = s->user;
    s->state = CLOSED;
    s->user = NULL;
    list_remove(&s->link);
    if (reason == EIO_SLOW_CONSUMER)
        note_slow_consumer(s);
    if (user)
        s->server->user->close(user, reason);
}

void session_end(struct eio_session *s, enum eio_reason reason)
{
    struct eio_transport *t = s->transport;
    if (s->state == DOOMED || s->state == LEAVING)
        reason = s->reason;
    timer_stop(&s->timer);
    eio_session_detach(s);
    tell_user(s, reason);
    upgrade_abandon(s);
    if (s->server->posted_to == s) {
        s->server->has_post_ended_it = true;
        s->server->post_ended_by = reason;
    }
    if (t)
        t->ops->close(t, reason);
    if (s->server->config.context_done)
        s->server->config.context_done(s->context);
    session_free(s);
}

static void on_end(struct timer *t)
{
    struct eio_session *s = container_of(t, struct eio_session, timer);
    session_end(s, s->reason);
}

static void session_doom(struct eio_session *s, enum eio_reason reason)
{
    s->state = DOOMED;
    s->reason = reason;
    timer_start(&s->timer, 0, on_end);
}

/* The client is between two polls. */
static void session_leave(struct eio_session *s, enum eio_reason reason)
{
    tell_user(s, reason);
    list_add_tail(&s->server->sessions, &s->link);
    s->state = LEAVING;
    s->reason = reason;
    timer_start(&s->timer, s->server->config.close_timeout_ms, on_end);
}

void eio_session_close(struct eio_session *s, enum eio_reason reason)
{
    switch ((enum session_state)s->state) {
    case OPENING: /* from inside user->open: eio_session_open ends it */
        s->state = DOOMED;
        s->reason = reason;
        break;
    case OPEN:
        if (reason == EIO_FORCED_CLOSE && s->is_polling && !s->transport)
            session_leave(s, reason);
        else
            session_end(s, reason);
        break;
    case DOOMED:
    case LEAVING: session_end(s, reason); break;
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

static bool send_kept(struct eio_transport *t, const struct buf *backlog)
{
    for (size_t at = 0; at < backlog->n;) {
        struct kept head;
        memcpy(&head, backlog->p + at, sizeof head);
        at += sizeof head;
        if (!t->ops->send(t, head.type, head.is_binary, &(struct str){backlog->p + at, head.n}, 1))
            return false;
        at += head.n;
    }
    return true;
}

bool session_drain(struct eio_session *s)
{
    struct buf *backlog = s->backlog;
    if (!backlog)
        return false;
    s->backlog = NULL;
    if (!send_kept(s->transport, backlog) && s->state == OPEN)
        session_doom(s, EIO_SLOW_CONSUMER);
    buf_done(backlog);
    free(backlog);
    return true;
}

/* --- polls come and go --- */

bool eio_session_has_poll(const struct eio_session *s)
{
    return s->is_polling && s->transport;
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
    s->transport = t;
    t->session = s;
    bool had_something = session_drain(s);
    if (s->state == LEAVING)
        session_end(s, s->reason);
    else if (!had_something && upgrade_is_probed(s))
        send_packet(s, (struct kept){.type = EIO_NOOP}, NULL, 0);
}

/* --- heartbeat: the server pings, the client answers --- */

/* Due times follow from each other, not from when a timer fired: a late ping leaves no more time for the
 * pong. */
static void on_heartbeat(struct timer *t)
{
    struct eio_session *s = container_of(t, struct eio_session, timer);
    if (s->is_awaiting_pong) {
        session_end(s, EIO_PING_TIMEOUT);
        return;
    }
    int64_t pong_due_ms = t->due_ms + s->server->config.ping_timeout_ms;
    s->is_awaiting_pong = true;
    s->has_more_time = false;
    timer_start(t, pong_due_ms - clock_mono_ms(), on_heartbeat);
    send_packet(s, (struct kept){.type = EIO_PING}, NULL, 0);
}

/* Who sends something else is there, and the pong may be behind more of it: once it gets its whole time
 * again, as from the reference server. */
static void give_more_time(struct eio_session *s)
{
    if (!s->is_awaiting_pong || s->has_more_time)
        return;
    s->has_more_time = true;
    timer_start(&s->timer, s->server->config.ping_timeout_ms, on_heartbeat);
}

static bool pong_is_overdue(const struct eio_session *s)
{
    return s->state == OPEN && s->is_awaiting_pong && s->timer.due_ms <= clock_mono_ms();
}

static void schedule_ping(struct eio_session *s)
{
    s->is_awaiting_pong = false;
    timer_start(&s->timer, s->server->config.ping_interval_ms, on_heartbeat);
}

/* --- sessions --- */

static void send_open_packet(struct eio_session *s)
{
    const struct eio_config *c = &s->server->config;
    char json[224];
    int n = snprintf(
        json, sizeof json,
        "{\"sid\":\"%s\",\"upgrades\":[%s],\"pingInterval\":%lld,\"pingTimeout\":%lld,\"maxPayload\":%zu}",
        s->sid, s->is_polling ? "\"websocket\"" : "", (long long)c->ping_interval_ms,
        (long long)c->ping_timeout_ms, c->max_payload_bytes);
    assert(n > 0 && (size_t)n < sizeof json);
    send_packet(s, (struct kept){.type = EIO_OPEN}, &(struct str){json, (size_t)n}, 1);
    if (c->greeting)
        send_packet(s, (struct kept){.type = EIO_MESSAGE}, &(struct str){c->greeting, strlen(c->greeting)},
                    1);
}

static struct eio_session *session_new(struct eio_server *server, const void *context)
{
    struct eio_session *s = calloc(1, sizeof *s + server->config.context_bytes);
    if (!s)
        abort();
    s->server = server;
    if (server->config.context_bytes)
        memcpy(s->context, context, server->config.context_bytes);
    struct uuid key = sid_random(s->sid);
    map_put(&server->by_sid, &key, &s->node);
    count_sessions(server);
    return s;
}

/* The user refused it, or closed it at once. */
static void session_stillborn(struct eio_session *s)
{
    tell_user(s, s->reason);
    session_free(s);
}

struct eio_session *eio_session_open(struct eio_server *server, struct eio_transport *t, const void *context)
{
    if (server->by_sid.count >= server->config.max_sessions)
        return NULL;
    struct eio_session *s = session_new(server, context);
    s->user = server->user->open(server->owner, s);
    if (!s->user || s->state == DOOMED) {
        session_stillborn(s);
        return NULL;
    }
    s->state = OPEN;
    s->is_polling = t->ops->is_poll;
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
    struct eio_session *s = node ? container_of(node, struct eio_session, node) : NULL;
    if (s && pong_is_overdue(s)) {
        session_end(s, EIO_PING_TIMEOUT);
        return NULL;
    }
    return s;
}

void *eio_session_context(struct eio_session *s)
{
    return s->context;
}

const char *eio_session_sid(const struct eio_session *s)
{
    return s->sid;
}

bool eio_session_is_polling(const struct eio_session *s)
{
    return s->is_polling;
}

/* --- from the client --- */

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

/* Of a session that is not OPEN nothing is wanted any more. */
static void take(struct eio_session *s, bool is_binary, struct str message)
{
    if (s->state == LEAVING && !is_binary && message.n && message.p[0] == '0' + EIO_CLOSE) {
        session_end(s, s->reason);
        return;
    }
    if (s->state != OPEN)
        return;
    give_more_time(s);
    if (is_binary)
        s->server->user->message(s->user, true, message);
    else
        take_text(s, message);
}

void eio_transport_received(struct eio_transport *t, bool is_binary, struct str message)
{
    struct eio_session *s = t->session;
    if (s && upgrade_is_by(s, t))
        upgrade_received(s, is_binary, message);
    else if (s)
        take(s, is_binary, message);
}

bool eio_session_begin_post(struct eio_session *s)
{
    if (s->is_posted_to) {
        session_end(s, EIO_TRANSPORT_ERROR);
        return false;
    }
    s->is_posted_to = true;
    return true;
}

void eio_session_end_post(struct eio_session *s, bool is_complete)
{
    s->is_posted_to = false;
    if (!is_complete)
        session_end(s, EIO_TRANSPORT_ERROR);
}

bool eio_session_received(struct eio_session *s, bool is_binary, struct str message, enum eio_reason *why)
{
    struct eio_server *server = s->server;
    assert(!server->posted_to);
    server->posted_to = s;
    server->has_post_ended_it = false;
    take(s, is_binary, message);
    server->posted_to = NULL;
    *why = server->post_ended_by;
    return !server->has_post_ended_it;
}

void eio_transport_closed(struct eio_transport *t, enum eio_reason reason)
{
    struct eio_session *s = t->session;
    if (!s)
        return;
    if (upgrade_is_by(s, t)) {
        upgrade_lost(s);
        return;
    }
    eio_session_detach(s);
    session_end(s, reason);
}
