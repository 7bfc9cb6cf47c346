/* The hub: sockets, their users, and the dispatch of events. Invariant: a socket is in its user's list
 * exactly while it is authenticated. */
#include "conversation/edge/hub.h"

#include <assert.h>
#include <stdlib.h>

#include "conversation/base/clock.h"
#include "conversation/base/json_scan.h"
#include "conversation/base/list.h"
#include "conversation/base/log.h"
#include "conversation/base/map.h"
#include "conversation/base/metrics.h"
#include "conversation/codec/token.h"
#include "conversation/config.h"
#include "conversation/domain/identity.h"
#include "conversation/ports/recovery.h"
#include "conversation/ports/sockets.h"
#include "conversation/rt/limiter.h"
#include "conversation/rt/timer.h"
#include "event_call.h"
#include "event_dispatch.h"
#include "handshake.h"
#include "hub_socket.h"

#define NAMESPACES_MAX     4 /* of one connection */
#define RECONNECT_AFTER_MS 1000
/* Of Engine.IO sessions; the reference server's. */
#define UPGRADE_TIMEOUT_MS 10000
#define CLOSE_TIMEOUT_MS   30000

struct hub_user {
    struct map_node node; /* by user id */
    struct list sockets;
};

static const struct hub_setup *setup;
static token_gate *gate;
static struct sio_server *server;
static struct map users;
static size_t socket_count;

struct sio_server *hub_sio(void)
{
    return server;
}

size_t hub_socket_count(void)
{
    return socket_count;
}

static struct hub_socket *find(uint64_t socket_id)
{
    struct sio_socket *s = server ? sio_socket_find(server, socket_id) : NULL;
    return s ? sio_socket_data(s) : NULL;
}

/* --- users --- */

static struct hub_user *user_of(const struct uuid *user_id)
{
    struct map_node *n = map_get(&users, user_id);
    return n ? container_of(n, struct hub_user, node) : NULL;
}

static void enlist(struct hub_socket *h)
{
    struct hub_user *user = user_of(&h->user_id);
    if (!user) {
        user = calloc(1, sizeof *user);
        if (!user)
            abort();
        list_init(&user->sockets);
        map_put(&users, &h->user_id, &user->node);
    }
    list_add_tail(&user->sockets, &h->of_user);
}

static void delist(struct hub_socket *h)
{
    struct hub_user *user = user_of(&h->user_id);
    if (!user || !h->is_authenticated)
        return;
    list_remove(&h->of_user);
    if (list_is_empty(&user->sockets)) {
        map_remove(&users, &h->user_id);
        free(user);
    }
}

/* --- recovery --- */

/* What is left with a socket for the one that recovers it. All zero: it was nobody's yet. */
struct note {
    struct uuid user_id, session_id; /* session_id: nil when it was in none */
    int64_t token_expires_ms;
};
_Static_assert(sizeof(struct note) <= SIO_NOTE_MAX, "a note must fit");

static void leave_note(struct hub_socket *h)
{
    struct note note = {.user_id = h->user_id, .token_expires_ms = h->token_expires_ms};
    if (h->has_session)
        note.session_id = h->session_id;
    sio_socket_set_note(h->sio, (struct str){(const char *)&note, sizeof note});
}

static struct note read_note(const struct sio_connect *c)
{
    struct note note = {0};
    if (c->note.n == sizeof note)
        memcpy(&note, c->note.p, sizeof note);
    return note;
}

/* A token decides who it is, as always; without one the note does, as long as the token lives that it tells
 * of. */
static bool may_recover(const struct note *note, const struct socket_context *binding,
                        const struct identity *who)
{
    if (binding->is_bound && !uuid_is_nil(&note->session_id) &&
        !uuid_eq(&note->session_id, &binding->bound_session))
        return false;
    if (uuid_is_nil(&note->user_id))
        return true;
    if (who->expires_at_ms)
        return uuid_eq(&note->user_id, &who->user_id);
    return clock_now_ms() < note->token_expires_ms + config.jwt_leeway_seconds * 1000LL;
}

/* --- authentication --- */

static void on_auth_timeout(struct timer *t)
{
    struct hub_socket *h = container_of(t, struct hub_socket, auth_timer);
    sio_disconnect(h->sio, true);
}

static void authenticated(struct hub_socket *h, const struct identity *who)
{
    timer_stop(&h->auth_timer);
    h->token_expires_ms = who->expires_at_ms;
    if (!h->is_authenticated) {
        h->user_id = who->user_id;
        h->is_authenticated = true;
        sio_socket_set_owner(h->sio, &h->user_id);
        enlist(h);
    }
    leave_note(h);
}

struct str hub_string_member(struct str object, const char *name, char *out, size_t cap)
{
    struct str value;
    enum json_type type;
    size_t n;
    if (!object.n || object.p[0] != '{' || !json_member(object, name, &value, &type) || type != SCAN_STRING ||
        !json_unescape(value, out, cap, &n))
        return (struct str){NULL, 0};
    return (struct str){out, n};
}

enum err hub_socket_authenticate(struct hub_socket *h, struct str token, const char **reason)
{
    struct identity who;
    enum err err = gate(token, &who, reason);
    if (err)
        return err;
    if (h->is_authenticated && !uuid_eq(&who.user_id, &h->user_id)) {
        *reason = "the token is of another user than this socket";
        return ERR_FORBIDDEN;
    }
    authenticated(h, &who);
    char json[80];
    struct str part = {json, 0};
    part.n = (size_t)snprintf(json, sizeof json, "{\"userId\":\"%s\"}", UUIDZ(&h->user_id));
    sio_emit(h->sio, "authenticated", &part, 1);
    return OK;
}

/* --- connect and disconnect --- */

/* *binding: to which session it binds, if any, by its name or by the path of the connection; they must agree.
 */
static bool namespace_is_known(struct str name, const struct socket_context *of_path,
                               struct socket_context *binding)
{
    *binding = (struct socket_context){0};
    if (!str_eqz(name, "/") && !handshake_parse_ws_path(name, binding))
        return false;
    if (!of_path->is_bound)
        return true;
    bool agree = !binding->is_bound || uuid_eq(&binding->bound_session, &of_path->bound_session);
    *binding = *of_path;
    return agree;
}

static struct hub_socket *socket_new(struct sio_socket *s, const struct socket_context *binding)
{
    struct hub_socket *h = calloc(1, sizeof *h);
    if (!h)
        abort();
    h->sio = s;
    h->is_bound = binding->is_bound;
    h->bound_session = binding->bound_session;
    sio_socket_set_data(s, h);
    socket_count++;
    return h;
}

static bool has_member(struct str object, const char *name)
{
    struct str value;
    enum json_type type;
    return object.n && object.p[0] == '{' && json_member(object, name, &value, &type) && type != SCAN_NULL;
}

/* NULL and *who (all zero without a token), or why the client may not connect. */
static const char *check_auth(struct str auth, struct identity *who)
{
    static char text[TOKEN_MAX_BYTES];
    const char *reason;
    *who = (struct identity){0};
    if (!has_member(auth, "token"))
        return config.ws_require_handshake_auth ? "Authentication error" : NULL;
    struct str token = hub_string_member(auth, "token", text, sizeof text);
    return token.p && gate(token, who, &reason) == OK ? NULL : "Invalid token";
}

/* Why the client may not connect, or NULL and *who, as check_auth. */
static const char *check_connect(struct sio_socket *s, const struct sio_connect *c,
                                 struct socket_context *binding, struct identity *who)
{
    struct socket_context *connection = sio_socket_context(s);
    if (!token_bucket_take(&connection->connects, 1, config.rate_limit_ws_messages, MESSAGE_WINDOW_MS))
        return "Too many attempts";
    if (!namespace_is_known(c->namespace_, connection, binding))
        return "Invalid namespace";
    return check_auth(c->auth, who);
}

static const char *recovery_result(const struct sio_socket *s)
{
    if (!sio_socket_is_recovered(s))
        return "fresh";
    return sio_socket_is_from_elsewhere(s) ? "shared" : "recovered";
}

/* In its session again, if it was in one. */
static void go_on(const struct hub_socket *h, const struct note *note)
{
    if (!uuid_is_nil(&note->session_id))
        event_dispatch_rejoin(h, &note->session_id);
    else if (h->is_authenticated && sio_socket_is_from_elsewhere(h->sio) && setup->came_from_elsewhere)
        setup->came_from_elsewhere(sio_socket_id(h->sio), &h->user_id);
}

static void on_connect(struct sio_socket *s, const struct sio_connect *c)
{
    struct socket_context binding;
    struct identity who;
    const char *problem = check_connect(s, c, &binding, &who);
    if (problem) {
        sio_refuse(s, problem);
        return;
    }
    struct note note = read_note(c);
    if (c->can_recover && !may_recover(&note, &binding, &who))
        sio_decline_recovery(s);
    struct hub_socket *h = socket_new(s, &binding);
    sio_accept(s);
    bool is_recovered = sio_socket_is_recovered(s);
    if (has_member(c->auth, "pid"))
        metric_inc(M_WS_RECOVERIES, recovery_result(s));
    if (is_recovered && !who.expires_at_ms)
        who = (struct identity){.user_id = note.user_id, .expires_at_ms = note.token_expires_ms};
    if (who.expires_at_ms)
        authenticated(h, &who);
    else
        timer_start(&h->auth_timer, config.ws_auth_timeout_ms, on_auth_timeout);
    if (is_recovered)
        go_on(h, &note);
}

/* Out of its session, which is told unless it asked for it. */
static void leave_session(struct hub_socket *h, bool tell)
{
    if (!h->has_session)
        return;
    h->has_session = false;
    leave_note(h);
    if (tell)
        setup->socket_gone(sio_socket_id(h->sio), &h->session_id, &h->user_id);
}

static void on_disconnect(struct sio_socket *s, const char *reason)
{
    struct hub_socket *h = sio_socket_data(s);
    LOG(LOG_DEBUG, "socket.disconnected", LOG_UUID("userId", h->is_authenticated ? &h->user_id : NULL),
        LOG_Z("reason", reason));
    timer_stop(&h->auth_timer);
    delist(h);
    leave_session(h, true);
    socket_count--;
    free(h);
}

static void on_event(struct sio_socket *s, const struct sio_event *e)
{
    event_dispatch(sio_socket_data(s), e);
}

/* --- ports/sockets.h --- */

void sockets_emit(uint64_t socket_id, const char *event, const struct str *parts, int part_count)
{
    struct sio_socket *s = server ? sio_socket_find(server, socket_id) : NULL;
    if (s)
        sio_emit(s, event, parts, part_count);
}

void sockets_emit_user(const struct uuid *user_id, const char *event, struct str json)
{
    struct hub_user *user = user_of(user_id);
    if (server)
        sio_emit_to_lost(server, user_id, event, &json, 1);
    if (!user)
        return;
    LIST_EACH (n, &user->sockets)
        sio_emit(container_of(n, struct hub_socket, of_user)->sio, event, &json, 1);
}

static void emit_ended(struct hub_socket *h, const struct uuid *session_id, struct str json)
{
    if (uuid_eq(&h->told_end, session_id))
        return;
    h->told_end = *session_id;
    sio_emit(h->sio, "session_ended", &json, 1);
}

void sockets_emit_ended(uint64_t socket_id, const struct uuid *session_id, struct str json)
{
    struct hub_socket *h = find(socket_id);
    if (h)
        emit_ended(h, session_id, json);
}

void sockets_emit_user_ended(const struct uuid *user_id, const struct uuid *session_id, struct str json)
{
    struct hub_user *user = user_of(user_id);
    if (server)
        sio_emit_to_lost(server, user_id, "session_ended", &json, 1);
    if (!user)
        return;
    LIST_EACH (n, &user->sockets) {
        struct hub_socket *h = container_of(n, struct hub_socket, of_user);
        if (!h->has_session || !uuid_eq(&h->session_id, session_id))
            emit_ended(h, session_id, json);
    }
}

/* Each that is disconnected leaves the user's list, and the last one takes the list along. */
void sockets_disconnect_user(const struct uuid *user_id)
{
    size_t count = 0;
    struct hub_user *user = user_of(user_id);
    if (user)
        LIST_EACH (n, &user->sockets)
            count++;
    for (; count > 0; count--)
        sio_disconnect(LIST_FIRST(&user->sockets, struct hub_socket, of_user)->sio, false);
}

bool sockets_enter_session(uint64_t socket_id, const struct uuid *session_id, uint64_t session)
{
    struct hub_socket *h = find(socket_id);
    if (!h)
        return false;
    if (h->has_session && !uuid_eq(&h->session_id, session_id))
        leave_session(h, true);
    h->has_session = true;
    h->session_id = *session_id;
    h->session = session;
    leave_note(h);
    return true;
}

void sockets_leave_session(uint64_t socket_id)
{
    struct hub_socket *h = find(socket_id);
    if (h)
        leave_session(h, false);
}

void sockets_disconnect(uint64_t socket_id)
{
    struct hub_socket *h = find(socket_id);
    if (h)
        sio_disconnect(h->sio, false);
}

/* --- life --- */

void hub_init(const struct hub_setup *setup_, token_gate *gate_)
{
    static const struct sio_app app = {.connect = on_connect, .event = on_event, .disconnect = on_disconnect};
    const struct sio_config sio = {
        .connect_timeout_ms = config.ws_connect_timeout_ms,
        .namespaces_max = NAMESPACES_MAX,
        .recovery = {.max_age_ms = config.ws_recovery_seconds * 1000LL,
                     .socket_bytes = (size_t)config.ws_recovery_bytes,
                     .total_bytes = (size_t)config.ws_recovery_total_bytes,
                     .share = config.ws_recovery_shared_bytes ? &recovery_store : NULL,
                     .shared_bytes = (size_t)config.ws_recovery_shared_bytes},
    };
    const struct eio_config eio = {
        .ping_interval_ms = config.ws_heartbeat_interval_ms,
        .ping_timeout_ms = config.ws_heartbeat_timeout_ms,
        .upgrade_timeout_ms = UPGRADE_TIMEOUT_MS,
        .close_timeout_ms = CLOSE_TIMEOUT_MS,
        .max_payload_bytes = (size_t)config.ws_max_payload_bytes,
        .max_buffered_bytes = (size_t)config.ws_send_buffer_bytes,
        .max_sessions = (size_t)config.ws_max_connections,
        .deflate_threshold_bytes = (uint32_t)config.ws_deflate_threshold_bytes,
        .context_bytes = sizeof(struct socket_context),
    };
    setup = setup_;
    gate = gate_;
    event_dispatch_init(setup->events);
    server = sio_server_new(&sio, &eio, &app);
}

static void tell_draining(struct map_node *n, void *arg)
{
    struct hub_user *user = container_of(n, struct hub_user, node);
    const struct str *json = arg;
    LIST_EACH (s, &user->sockets)
        sio_emit(container_of(s, struct hub_socket, of_user)->sio, "server_draining", json, 1);
}

void hub_drain(void)
{
    char json[48];
    struct str part = {json, 0};
    part.n = (size_t)snprintf(json, sizeof json, "{\"reconnectAfterMs\":%d}", RECONNECT_AFTER_MS);
    map_each(&users, tell_draining, &part);
}

bool hub_has_unsaved(void)
{
    return sio_server_has_unsaved(server);
}

void hub_close_all(void)
{
    eio_server_close_all(sio_server_eio(server), EIO_SERVER_SHUTDOWN);
}

void hub_done(void)
{
    sio_server_free(server);
    server = NULL;
    map_done(&users);
    event_call_done();
}
