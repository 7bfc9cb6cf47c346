/* Socket.IO connections and their sockets. The application may end any socket or connection from inside any
 * callback, so nothing here touches a socket or a connection after it called the application, unless it holds
 * a reference.
 *
 * A connection lives as long as its session and its sockets: each holds a reference. A socket is
 *   PENDING ── sio_accept ──> ACCEPTED ──> GONE: app->disconnect is called, then it is freed
 * or GONE straight from PENDING; sio_refuse does not call app->disconnect. */
#include "conversation/sio/sio.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "conversation/base/clock.h"
#include "conversation/base/jsonw.h"
#include "conversation/base/list.h"
#include "conversation/base/map.h"
#include "conversation/rt/timer.h"
#include "sid.h"
#include "sio_packet.h"

struct sio_server {
    struct sio_config config;
    size_t packet_max_bytes; /* of a packet with its attachments */
    const struct sio_app *app;
    struct eio_server *eio;
    struct map sockets; /* by id */
    uint64_t last_id;
};

/* A binary packet of which attachments are still to come. */
struct gathering {
    struct buf bytes; /* the packet's text, then the attachments */
    size_t text_bytes;
    int count, expected;
    size_t ends[SIO_ATTACHMENTS_MAX]; /* of each attachment, in bytes */
};

struct sio_conn {
    struct sio_server *server;
    struct eio_session *session; /* borrowed; NULL once it has ended */
    struct list sockets;
    struct timer timer; /* runs until a namespace is joined, and while a socket is pending */
    struct gathering *gathering;
    int socket_count;
    int refs;
};

enum socket_state { PENDING, ACCEPTED, GONE };

struct sio_socket {
    struct list link;      /* in conn->sockets */
    struct map_node node;  /* in server->sockets; the key is the id */
    struct sio_conn *conn; /* a reference */
    void *data;
    int64_t answer_due_ms; /* PENDING; clock_mono_ms */
    uint8_t state;
    uint8_t prefix_bytes;
    char sid[SID_LENGTH + 1];
    char prefix[]; /* "<namespace>," as in its packets; nothing for "/" */
};

static void conn_unref(struct sio_conn *conn)
{
    if (--conn->refs == 0)
        free(conn);
}

/* --- sending --- */

static struct str socket_prefix(const struct sio_socket *s)
{
    return (struct str){s->prefix, s->prefix_bytes};
}

static void send_text(struct sio_conn *conn, const struct str *parts, int part_count)
{
    if (conn->session)
        eio_session_send(conn->session, false, parts, part_count);
}

static void send_connect_error(struct sio_conn *conn, struct str prefix, const char *message)
{
    struct buf json = {0};
    struct jsonw w = jsonw_on(&json);
    jsonw_object(&w);
    jsonw_m_z(&w, "message", message);
    jsonw_end_object(&w);
    jsonw_finish(&w);
    send_text(conn, (struct str[]){STR("4"), prefix, buf_str(&json)}, 3);
    buf_done(&json);
}

static void send_disconnect(struct sio_socket *s)
{
    if (s->state == ACCEPTED)
        send_text(s->conn, (struct str[]){STR("1"), socket_prefix(s)}, 2);
}

void sio_emit(struct sio_socket *s, const char *name, const struct str *args, int piece_count)
{
    struct str parts[SIO_PIECES_MAX + 6] = {STR("2"), socket_prefix(s), STR("[\""), str_of(name)};
    size_t args_bytes = 0;
    int n = 5;
    assert(piece_count <= SIO_PIECES_MAX);
    if (s->state != ACCEPTED)
        return;
    for (int i = 0; i < piece_count; i++) {
        args_bytes += args[i].n;
        parts[n++] = args[i];
    }
    parts[4] = args_bytes ? STR("\",") : STR("\"");
    parts[n++] = STR("]");
    send_text(s->conn, parts, n);
}

void sio_emit_message(struct sio_socket *s, const struct sio_message *m)
{
    sio_emit(s, m->name, m->args, m->piece_count);
}

void sio_ack_message(struct sio_socket *s, uint64_t ack_id, const struct sio_message *m)
{
    (void)s, (void)ack_id, (void)m;
}

uint64_t sio_emit_with_ack(struct sio_socket *s, const struct sio_message *m, int64_t timeout_ms)
{
    (void)s, (void)m, (void)timeout_ms;
    return 0;
}

void sio_decline_recovery(struct sio_socket *s)
{
    (void)s;
}

bool sio_socket_is_recovered(const struct sio_socket *s)
{
    (void)s;
    return false;
}

void sio_socket_set_note(struct sio_socket *s, struct str note)
{
    (void)s, (void)note;
}

void sio_socket_set_owner(struct sio_socket *s, const struct uuid *owner)
{
    (void)s, (void)owner;
}

void sio_emit_to_lost(struct sio_server *server, const struct uuid *owner, const char *name,
                      const struct str *args, int piece_count)
{
    (void)server, (void)owner, (void)name, (void)args, (void)piece_count;
}

void sio_ack(struct sio_socket *s, uint64_t ack_id, struct str args)
{
    char id[24];
    int n = snprintf(id, sizeof id, "%llu[", (unsigned long long)ack_id);
    if (s->state == ACCEPTED)
        send_text(s->conn, (struct str[]){STR("3"), socket_prefix(s), {id, (size_t)n}, args, STR("]")}, 5);
}

/* --- sockets --- */

static struct uuid id_key(uint64_t id)
{
    struct uuid key = {0};
    memcpy(key.b, &id, sizeof id);
    return key;
}

uint64_t sio_socket_id(const struct sio_socket *s)
{
    uint64_t id;
    memcpy(&id, s->node.key.b, sizeof id);
    return id;
}

const char *sio_socket_sid(const struct sio_socket *s)
{
    return s->sid;
}

void *sio_socket_context(const struct sio_socket *s)
{
    return s->conn->session ? eio_session_context(s->conn->session) : NULL;
}

void sio_socket_set_data(struct sio_socket *s, void *data)
{
    s->data = data;
}

void *sio_socket_data(const struct sio_socket *s)
{
    return s->data;
}

struct sio_socket *sio_socket_find(struct sio_server *server, uint64_t id)
{
    struct uuid key = id_key(id);
    struct map_node *node = map_get(&server->sockets, &key);
    return node ? container_of(node, struct sio_socket, node) : NULL;
}

/* How packets name a namespace: "<namespace>,", nothing for "/". */
static struct str make_prefix(struct str namespace_, char out[SIO_NAMESPACE_MAX + 1])
{
    if (str_eqz(namespace_, "/"))
        return STR("");
    memcpy(out, namespace_.p, namespace_.n);
    out[namespace_.n] = ',';
    return (struct str){out, namespace_.n + 1};
}

static struct sio_socket *socket_new(struct sio_conn *conn, struct str prefix)
{
    struct sio_server *server = conn->server;
    struct sio_socket *s = calloc(1, sizeof *s + prefix.n);
    if (!s)
        abort();
    memcpy(s->prefix, prefix.p, prefix.n);
    s->prefix_bytes = (uint8_t)prefix.n;
    s->conn = conn;
    s->answer_due_ms = clock_mono_ms() + server->config.connect_timeout_ms;
    sid_random(s->sid);
    struct uuid key = id_key(++server->last_id);
    map_put(&server->sockets, &key, &s->node);
    list_add_tail(&conn->sockets, &s->link);
    conn->socket_count++;
    conn->refs++;
    return s;
}

/* Out of reach of packets and of sio_socket_find. */
static void socket_unlink(struct sio_socket *s)
{
    s->state = GONE;
    list_remove(&s->link);
    map_remove(&s->conn->server->sockets, &s->node.key);
    s->conn->socket_count--;
}

static void socket_free(struct sio_socket *s)
{
    conn_unref(s->conn);
    free(s);
}

static void socket_end(struct sio_socket *s, const char *reason)
{
    socket_unlink(s);
    s->conn->server->app->disconnect(s, reason);
    socket_free(s);
}

static struct sio_socket *first_socket(struct sio_conn *conn)
{
    return list_is_empty(&conn->sockets) ? NULL : LIST_FIRST(&conn->sockets, struct sio_socket, link);
}

static struct sio_socket *first_in_state(struct sio_conn *conn, enum socket_state state)
{
    LIST_EACH (n, &conn->sockets) {
        struct sio_socket *s = container_of(n, struct sio_socket, link);
        if (s->state == state)
            return s;
    }
    return NULL;
}

/* --- connecting: every CONNECT is answered in time, and a connection must join a namespace in time --- */

static void on_connect_timeout(struct timer *t)
{
    struct sio_conn *conn = container_of(t, struct sio_conn, timer);
    struct sio_socket *s;
    if (!first_in_state(conn, ACCEPTED)) {
        eio_session_close(conn->session, EIO_FORCED_CLOSE);
        return;
    }
    conn->refs++;
    /* Sockets are in the order of their CONNECT, hence of their deadlines. */
    while ((s = first_in_state(conn, PENDING)) && s->answer_due_ms <= clock_mono_ms()) {
        send_connect_error(conn, socket_prefix(s), "timeout");
        socket_end(s, "connect timeout");
    }
    if (s)
        timer_start(&conn->timer, s->answer_due_ms - clock_mono_ms(), on_connect_timeout);
    conn_unref(conn);
}

static void connect_socket(struct sio_conn *conn, const struct sio_packet *packet)
{
    const struct sio_config *config = &conn->server->config;
    char space[SIO_NAMESPACE_MAX + 1];
    struct str prefix = make_prefix(packet->namespace_, space);
    if (conn->socket_count >= config->namespaces_max) {
        send_connect_error(conn, prefix, "Too many namespaces");
        return;
    }
    struct sio_socket *s = socket_new(conn, prefix);
    if (!timer_is_running(&conn->timer))
        timer_start(&conn->timer, config->connect_timeout_ms, on_connect_timeout);
    const struct sio_connect connect = {
        .namespace_ = packet->namespace_, .query = packet->query, .auth = packet->payload};
    conn->server->app->connect(s, &connect);
}

void sio_accept(struct sio_socket *s)
{
    if (s->state != PENDING)
        return;
    s->state = ACCEPTED;
    if (!first_in_state(s->conn, PENDING))
        timer_stop(&s->conn->timer);
    send_text(s->conn,
              (struct str[]){STR("0"), socket_prefix(s), STR("{\"sid\":\""), str_of(s->sid), STR("\"}")}, 5);
}

void sio_refuse(struct sio_socket *s, const char *message)
{
    if (s->state != PENDING)
        return;
    send_connect_error(s->conn, socket_prefix(s), message);
    socket_unlink(s);
    socket_free(s);
}

/* As the reference server: every socket of the connection gets its DISCONNECT before the connection goes. */
static void conn_disconnect(struct sio_conn *conn)
{
    struct sio_socket *s;
    conn->refs++;
    while ((s = first_socket(conn))) {
        send_disconnect(s);
        socket_end(s, "server namespace disconnect");
    }
    if (conn->session)
        eio_session_close(conn->session, EIO_FORCED_CLOSE);
    conn_unref(conn);
}

void sio_disconnect(struct sio_socket *s, bool close)
{
    if (close) {
        conn_disconnect(s->conn);
    } else if (s->state != GONE) {
        send_disconnect(s);
        socket_end(s, "server namespace disconnect");
    }
}

/* --- packets from the client --- */

static struct sio_socket *find_socket(struct sio_conn *conn, struct str namespace_)
{
    char space[SIO_NAMESPACE_MAX + 1];
    struct str prefix = make_prefix(namespace_, space);
    LIST_EACH (n, &conn->sockets) {
        struct sio_socket *s = container_of(n, struct sio_socket, link);
        if (str_eq(socket_prefix(s), prefix))
            return s;
    }
    return NULL;
}

static void deliver_event(struct sio_socket *s, const struct sio_packet *packet,
                          const struct str *attachments)
{
    struct sio_event event = {.name = packet->name,
                              .args = packet->args,
                              .attachments = attachments,
                              .attachment_count = packet->attachment_count,
                              .wants_ack = packet->has_id,
                              .ack_id = packet->id};
    s->conn->server->app->event(s, &event);
}

/* A packet that does not fit the state of its namespace (events before CONNECT was answered, CONNECT again)
 * closes the connection, as the reference server does. */
static void dispatch(struct sio_conn *conn, const struct sio_packet *packet, const struct str *attachments)
{
    struct sio_socket *s = find_socket(conn, packet->namespace_);
    if (!s && packet->type == SIO_CONNECT) {
        connect_socket(conn, packet);
        return;
    }
    if (!s || s->state != ACCEPTED) {
        eio_session_close(conn->session, EIO_FORCED_CLOSE);
        return;
    }
    switch (packet->type) {
    case SIO_EVENT:
    case SIO_BINARY_EVENT: deliver_event(s, packet, attachments); break;
    case SIO_DISCONNECT: socket_end(s, "client namespace disconnect"); break;
    case SIO_ACK:
    case SIO_BINARY_ACK: break; /* events are sent without asking for one */
    case SIO_CONNECT:
    case SIO_CONNECT_ERROR: eio_session_close(conn->session, EIO_FORCED_CLOSE); break;
    }
}

static void gathering_free(struct gathering *g)
{
    if (g)
        buf_done(&g->bytes);
    free(g);
}

static struct gathering *gathering_new(struct str text, int expected)
{
    struct gathering *g = calloc(1, sizeof *g);
    if (!g)
        abort();
    buf_add_str(&g->bytes, text);
    g->text_bytes = text.n;
    g->expected = expected;
    return g;
}

static void dispatch_gathered(struct sio_conn *conn, const struct gathering *g)
{
    struct sio_packet packet;
    struct str attachments[SIO_ATTACHMENTS_MAX];
    size_t begin = g->text_bytes;
    bool is_valid = sio_packet_parse((struct str){g->bytes.p, begin}, &packet); /* as it was when it came */
    assert(is_valid);
    for (int i = 0; i < g->count; i++) {
        attachments[i] = (struct str){g->bytes.p + begin, g->ends[i] - begin};
        begin = g->ends[i];
    }
    dispatch(conn, &packet, attachments);
}

static void take_attachment(struct sio_conn *conn, struct str data)
{
    struct gathering *g = conn->gathering;
    if (!g || g->bytes.n + data.n > conn->server->packet_max_bytes) {
        eio_session_close(conn->session, EIO_PARSE_ERROR);
        return;
    }
    buf_add_str(&g->bytes, data);
    g->ends[g->count++] = g->bytes.n;
    if (g->count < g->expected)
        return;
    conn->gathering = NULL;
    dispatch_gathered(conn, g);
    gathering_free(g);
}

/* --- Engine.IO --- */

static void *on_open(void *owner, struct eio_session *session)
{
    struct sio_server *server = owner;
    struct sio_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        abort();
    conn->server = server;
    conn->session = session;
    conn->refs = 1;
    list_init(&conn->sockets);
    timer_start(&conn->timer, server->config.connect_timeout_ms, on_connect_timeout);
    return conn;
}

static void on_message(void *user, bool is_binary, struct str payload)
{
    struct sio_conn *conn = user;
    struct sio_packet packet;
    if (is_binary)
        take_attachment(conn, payload);
    else if (conn->gathering || !sio_packet_parse(payload, &packet))
        eio_session_close(conn->session, EIO_PARSE_ERROR);
    else if (packet.attachment_count)
        conn->gathering = gathering_new(payload, packet.attachment_count);
    else
        dispatch(conn, &packet, NULL);
}

static void on_close(void *user, enum eio_reason reason)
{
    struct sio_conn *conn = user;
    struct sio_socket *s;
    timer_stop(&conn->timer);
    gathering_free(conn->gathering);
    conn->gathering = NULL;
    while ((s = first_socket(conn)))
        socket_end(s, eio_reason_name(reason));
    conn->session = NULL;
    conn_unref(conn);
}

static const struct eio_user eio_callbacks = {.open = on_open, .message = on_message, .close = on_close};

struct sio_server *sio_server_new(const struct sio_config *config, const struct eio_config *eio,
                                  const struct sio_app *app)
{
    struct sio_server *server = calloc(1, sizeof *server);
    if (!server)
        abort();
    server->config = *config;
    server->packet_max_bytes = eio->max_payload_bytes;
    server->app = app;
    server->eio = eio_server_new(eio, &eio_callbacks, server);
    return server;
}

void sio_server_free(struct sio_server *server)
{
    if (!server)
        return;
    eio_server_free(server->eio);
    assert(server->sockets.count == 0);
    map_done(&server->sockets);
    free(server);
}

struct eio_server *sio_server_eio(struct sio_server *server)
{
    return server->eio;
}
