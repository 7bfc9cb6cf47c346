/* The hub: sockets, their users, and the dispatch of events. Invariant: a socket is in its user's list exactly while it is authenticated. */
#include "conversation/edge/hub.h"

#include <assert.h>
#include <stdlib.h>

#include "conversation/base/clock.h"
#include "conversation/base/json_scan.h"
#include "conversation/base/list.h"
#include "conversation/base/log.h"
#include "conversation/base/map.h"
#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "conversation/domain/identity.h"
#include "conversation/ports/sockets.h"
#include "conversation/rt/limiter.h"
#include "conversation/rt/timer.h"
#include "event_call.h"
#include "handshake.h"
#include "hub_socket.h"

#define NAMESPACES_MAX     4 /* of one connection */
#define MESSAGE_WINDOW_MS  60000
#define RECONNECT_AFTER_MS 1000

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
    if (h->is_authenticated)
        return;
    h->user_id = who->user_id;
    h->is_authenticated = true;
    enlist(h);
}

/* The string member `name` of a JSON object, unescaped into `out`; an empty slice when there is none. */
static struct str string_member(struct str object, const char *name, char *out, size_t cap)
{
    struct str value;
    enum json_type type;
    size_t n;
    if (!object.n || object.p[0] != '{' || !json_member(object, name, &value, &type) || type != JSON_STRING ||
        !json_unescape(value, out, cap, &n))
        return (struct str){NULL, 0};
    return (struct str){out, n};
}

static bool has_member(struct str object, const char *name)
{
    struct str value;
    enum json_type type;
    return object.n && object.p[0] == '{' && json_member(object, name, &value, &type) && type != JSON_NULL;
}

#define TOKEN_TEXT_MAX 8192
static char token_text[TOKEN_TEXT_MAX];

/* `authenticate {token}`: the late way in, or a fresher token of the same user. */
static enum err authenticate(struct hub_socket *h, struct str payload, const char **reason)
{
    struct identity who;
    struct str token = string_member(payload, "token", token_text, sizeof token_text);
    *reason = "token must be a string";
    enum err err = token.p ? gate(token, &who, reason) : ERR_UNAUTHORIZED;
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

static bool namespace_is_known(struct str name, struct socket_context *bound)
{
    *bound = (struct socket_context){0};
    return str_eqz(name, "/") || handshake_parse_ws_path(name, bound);
}

static struct hub_socket *socket_new(struct sio_socket *s, const struct socket_context *of_namespace)
{
    const struct socket_context *of_path = sio_socket_context(s);
    const struct socket_context *binding = of_namespace->is_bound ? of_namespace : of_path;
    struct hub_socket *h = calloc(1, sizeof *h);
    if (!h)
        abort();
    h->sio = s;
    h->is_bound = binding->is_bound;
    h->bound_session = binding->bound_session;
    sio_socket_set_data(s, h);
    socket_count++;
    metric_set(M_WS_ACTIVE, (double)socket_count, NULL);
    return h;
}

static void on_connect(struct sio_socket *s, struct str name, struct str query, struct str auth)
{
    struct socket_context bound;
    struct identity who;
    const char *reason;
    (void)query;
    if (!namespace_is_known(name, &bound)) {
        sio_refuse(s, "Invalid namespace");
        return;
    }
    bool has_token = has_member(auth, "token");
    if (!has_token && config.ws_require_handshake_auth) {
        sio_refuse(s, "Authentication error");
        return;
    }
    struct str token = has_token ? string_member(auth, "token", token_text, sizeof token_text) : (struct str){NULL, 0};
    if (has_token && (!token.p || gate(token, &who, &reason))) {
        sio_refuse(s, "Invalid token");
        return;
    }
    struct hub_socket *h = socket_new(s, &bound);
    sio_accept(s);
    if (has_token)
        authenticated(h, &who);
    else
        timer_start(&h->auth_timer, config.ws_auth_timeout_ms, on_auth_timeout);
}

/* Out of its session, which is told unless it asked for it. */
static void leave_session(struct hub_socket *h, bool tell)
{
    if (!h->has_session)
        return;
    h->has_session = false;
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
    metric_set(M_WS_ACTIVE, (double)socket_count, NULL);
    free(h);
}

/* --- events --- */

static const struct event_row *row_of(struct str name)
{
    for (const struct event_row *row = setup->events; row->name; row++)
        if (str_eqz(name, row->name))
            return row;
    return NULL;
}

/* The event's one argument: an object. */
static enum err take_payload(const struct sio_event *e, struct str *payload, const char **reason)
{
    struct str rest = e->args;
    enum json_type type;
    *reason = "the event's argument must be an object";
    if (!json_take_value(&rest, payload, &type) || type != JSON_OBJECT)
        return ERR_INVALID_REQUEST;
    return OK;
}

/* NEEDS_SESSION: the payload names the session that this socket has joined. A bound socket is in no other one. */
static enum err check_session(const struct hub_socket *h, const struct event_row *row, struct str payload,
                              const char **reason)
{
    char text[UUID_TEXT_LENGTH];
    struct uuid named;
    bool has_one = uuid_parse(string_member(payload, "sessionId", text, sizeof text), &named);
    if (has_one && h->is_bound && !uuid_eq(&named, &h->bound_session)) {
        *reason = "this socket is bound to another session";
        return ERR_FORBIDDEN;
    }
    if (row->needs != NEEDS_SESSION)
        return OK;
    if (!has_one) {
        *reason = "sessionId must be a UUID";
        return ERR_INVALID_REQUEST;
    }
    if (!h->has_session || !uuid_eq(&named, &h->session_id)) {
        *reason = "this socket has not joined the session";
        return ERR_NOT_IN_SESSION;
    }
    return OK;
}

static enum err relay(struct hub_socket *h, const struct event_row *row, struct str payload, const char **reason)
{
    struct relay_call call = {
        .payload = payload,
        .socket_id = sio_socket_id(h->sio),
        .user_id = h->user_id,
        .session_id = h->session_id,
    };
    enum err err = row->relay(&call);
    *reason = call.reason;
    return err;
}

/* The columns of the table, in order; a flow is started last. *started: it will answer itself. */
static enum err dispatch(struct hub_socket *h, const struct sio_event *e, const char **reason, bool *started)
{
    const struct event_row *row = row_of(e->name);
    struct str payload;
    metric_inc(M_WS_MESSAGES, row ? row->name : str_eqz(e->name, "authenticate") ? "authenticate" : "unknown");
    if (!token_bucket_take(&h->messages, 1, config.rate_limit_ws_messages, MESSAGE_WINDOW_MS)) {
        *reason = "too many messages";
        return ERR_RATE_LIMITED;
    }
    bool is_authenticate = str_eqz(e->name, "authenticate");
    if (!h->is_authenticated && !is_authenticate) {
        *reason = "authenticate first";
        return ERR_UNAUTHORIZED;
    }
    if (!row && !is_authenticate)
        return ERR_UNKNOWN_EVENT;
    enum err err = take_payload(e, &payload, reason);
    if (err)
        return err;
    if (is_authenticate)
        return authenticate(h, payload, reason);
    err = check_session(h, row, payload, reason);
    if (err)
        return err;
    if (row->relay)
        return relay(h, row, payload, reason);
    *started = true;
    event_call_start(h, e, row, payload);
    return OK;
}

static void on_event(struct sio_socket *s, const struct sio_event *e)
{
    struct hub_socket *h = sio_socket_data(s);
    const char *reason = NULL;
    bool started = false;
    enum err err = dispatch(h, e, &reason, &started);
    if (err)
        event_call_refuse(h, e, err, reason);
    else if (!started && e->wants_ack)
        sio_ack(s, e->ack_id, STR("{\"status\":\"ok\"}"));
}

/* --- ports/sockets.h --- */

void sockets_emit(uint64_t socket_id, const char *event, const struct str *parts, int part_count)
{
    struct hub_socket *h = find(socket_id);
    if (h)
        sio_emit(h->sio, event, parts, part_count);
}

void sockets_emit_user(const struct uuid *user_id, const char *event, struct str json)
{
    struct hub_user *user = user_of(user_id);
    if (!user)
        return;
    LIST_EACH(n, &user->sockets)
        sio_emit(container_of(n, struct hub_socket, of_user)->sio, event, &json, 1);
}

bool sockets_enter_session(uint64_t socket_id, const struct uuid *session_id)
{
    struct hub_socket *h = find(socket_id);
    if (!h)
        return false;
    if (h->has_session && !uuid_eq(&h->session_id, session_id))
        leave_session(h, true);
    h->has_session = true;
    h->session_id = *session_id;
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
    };
    const struct eio_config eio = {
        .ping_interval_ms = config.ws_heartbeat_interval_ms,
        .ping_timeout_ms = config.ws_heartbeat_timeout_ms,
        .max_payload_bytes = (size_t)config.ws_max_payload_bytes,
        .max_buffered_bytes = (size_t)config.ws_send_buffer_bytes,
        .max_sessions = (size_t)config.ws_max_connections,
    };
    setup = setup_;
    gate = gate_;
    server = sio_server_new(&sio, &eio, &app);
}

static void tell_draining(struct map_node *n, void *arg)
{
    struct hub_user *user = container_of(n, struct hub_user, node);
    const struct str *json = arg;
    LIST_EACH(s, &user->sockets)
        sio_emit(container_of(s, struct hub_socket, of_user)->sio, "server_draining", json, 1);
}

void hub_drain(void)
{
    char json[48];
    struct str part = {json, 0};
    part.n = (size_t)snprintf(json, sizeof json, "{\"reconnectAfterMs\":%d}", RECONNECT_AFTER_MS);
    map_each(&users, tell_draining, &part);
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
