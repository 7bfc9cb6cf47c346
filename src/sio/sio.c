/* Socket.IO connections: what comes in on a session, and what becomes of it. See sio_socket.h. */
#include "conversation/sio/sio.h"

#include <assert.h>
#include <stdlib.h>

#include "recovery_share.h"
#include "sio_packet.h"
#include "sio_socket.h"

/* A binary packet of which attachments are still to come. */
struct gathering {
    struct buf bytes; /* the packet's text, then the attachments */
    size_t text_bytes;
    int count, expected;
    size_t ends[SIO_ATTACHMENTS_MAX]; /* of each attachment, in bytes */
};

/* --- packets from the client --- */

static void deliver_event(struct sio_socket *s, const struct sio_packet *packet,
                          const struct str *attachments)
{
    struct sio_event event = {.name = packet->name,
                              .args = packet->args,
                              .first = packet->first,
                              .index = &packet->index,
                              .attachments = attachments,
                              .attachment_count = packet->attachment_count,
                              .wants_ack = packet->has_id,
                              .ack_id = packet->id};
    s->conn->server->app->event(s, &event);
}

static void deliver_answer(struct sio_socket *s, const struct sio_packet *packet,
                           const struct str *attachments)
{
    struct sio_event answer = {.name = STR(""),
                               .args = packet->args,
                               .first = packet->first,
                               .index = &packet->index,
                               .attachments = attachments,
                               .attachment_count = packet->attachment_count};
    if (packet->has_id)
        acks_answered(s, packet->id, &answer);
}

/* A packet that does not fit the state of its namespace (events before CONNECT was answered, CONNECT again)
 * closes the connection, as the reference server does. */
static void dispatch(struct sio_conn *conn, const struct sio_packet *packet, const struct str *attachments)
{
    char space[SIO_NAMESPACE_MAX + 1];
    struct sio_socket *s = sio_conn_find(conn, connect_prefix(packet->namespace_, space));
    if (!s && packet->type == SIO_CONNECT) {
        connect_received(conn, packet);
        return;
    }
    if (!s || s->state != ACCEPTED) {
        eio_session_close(conn->session, EIO_FORCED_CLOSE);
        return;
    }
    switch (packet->type) {
    case SIO_EVENT:
    case SIO_BINARY_EVENT: deliver_event(s, packet, attachments); break;
    case SIO_DISCONNECT: socket_end(s, "client namespace disconnect", false); break;
    case SIO_ACK:
    case SIO_BINARY_ACK: deliver_answer(s, packet, attachments); break;
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
    connect_opened(conn);
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

/* Those of the reference server, where a client may come back, and that of a client too slow. */
static bool is_recoverable(enum eio_reason reason)
{
    switch (reason) {
    case EIO_TRANSPORT_CLOSE:
    case EIO_TRANSPORT_ERROR:
    case EIO_PING_TIMEOUT:
    case EIO_FORCED_CLOSE:
    case EIO_SLOW_CONSUMER:
    case EIO_SERVER_SHUTDOWN: return true;
    case EIO_PARSE_ERROR: break;
    }
    return false;
}

static void on_close(void *user, enum eio_reason reason)
{
    struct sio_conn *conn = user;
    struct sio_socket *s;
    timer_stop(&conn->timer);
    gathering_free(conn->gathering);
    conn->gathering = NULL;
    while ((s = sio_conn_first_socket(conn)))
        socket_end(s, eio_reason_name(reason), is_recoverable(reason));
    conn->session = NULL;
    sio_conn_unref(conn);
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
    if (config->recovery.max_age_ms > 0) {
        server->recovery = recovery_new(&config->recovery, eio->ping_interval_ms + eio->ping_timeout_ms);
        recovery_on_moved(server->recovery, connect_moved, server);
    }
    server->eio = eio_server_new(eio, &eio_callbacks, server);
    return server;
}

void sio_server_free(struct sio_server *server)
{
    if (!server)
        return;
    eio_server_free(server->eio);
    assert(server->sockets.count == 0);
    slots_done(&server->sockets);
    recovery_free(server->recovery);
    free(server);
}

struct eio_server *sio_server_eio(struct sio_server *server)
{
    return server->eio;
}

bool sio_server_has_unsaved(const struct sio_server *server)
{
    struct share *share = server->recovery ? recovery_share(server->recovery) : NULL;
    return share && share_has_unsaved(share);
}
