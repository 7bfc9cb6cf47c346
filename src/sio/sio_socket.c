/* The life of sockets: see sio_socket.h. */
#include "sio_socket.h"

#include <stdlib.h>

#include "conversation/base/clock.h"

/* --- connections --- */

void sio_conn_unref(struct sio_conn *conn)
{
    if (--conn->refs == 0)
        free(conn);
}

struct sio_socket *sio_conn_first_socket(struct sio_conn *conn)
{
    return list_is_empty(&conn->sockets) ? NULL : LIST_FIRST(&conn->sockets, struct sio_socket, link);
}

struct sio_socket *sio_conn_first_in_state(struct sio_conn *conn, enum socket_state state)
{
    LIST_EACH (n, &conn->sockets) {
        struct sio_socket *s = container_of(n, struct sio_socket, link);
        if (s->state == state)
            return s;
    }
    return NULL;
}

struct sio_socket *sio_conn_find(struct sio_conn *conn, struct str prefix)
{
    LIST_EACH (n, &conn->sockets) {
        struct sio_socket *s = container_of(n, struct sio_socket, link);
        if (str_eq(socket_prefix(s), prefix))
            return s;
    }
    return NULL;
}

/* --- what the application knows a socket by --- */

uint64_t sio_socket_id(const struct sio_socket *s)
{
    return s->id;
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
    return slots_get(&server->sockets, id);
}

bool sio_socket_is_recovered(const struct sio_socket *s)
{
    return s->is_recovered;
}

bool sio_socket_is_from_elsewhere(const struct sio_socket *s)
{
    return s->is_from_elsewhere;
}

void sio_socket_set_note(struct sio_socket *s, struct str note)
{
    if (s->memory)
        recovery_set_note(s->conn->server->recovery, s->memory, note);
}

void sio_socket_set_owner(struct sio_socket *s, const struct uuid *owner)
{
    if (s->memory)
        recovery_set_owner(s->conn->server->recovery, s->memory, owner);
}

/* --- life --- */

struct sio_socket *socket_new(struct sio_conn *conn, struct str prefix)
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
    s->id = slots_put(&server->sockets, s);
    list_add_tail(&conn->sockets, &s->link);
    conn->socket_count++;
    conn->refs++;
    return s;
}

static void part_with_memory(struct sio_socket *s, bool keeps_memory)
{
    struct recovery *store = s->conn->server->recovery;
    if (s->memory && keeps_memory)
        recovery_keep(store, s->memory);
    else if (s->memory)
        recovery_drop(store, s->memory);
    s->memory = NULL;
}

void socket_unlink(struct sio_socket *s, bool keeps_memory)
{
    s->state = GONE;
    list_remove(&s->link);
    slots_remove(&s->conn->server->sockets, s->id);
    s->conn->socket_count--;
    part_with_memory(s, keeps_memory);
}

void socket_free(struct sio_socket *s)
{
    sio_conn_unref(s->conn);
    free(s->claim);
    free(s);
}

void socket_end(struct sio_socket *s, const char *reason, bool keeps_memory)
{
    socket_unlink(s, keeps_memory);
    acks_done(s);
    if (!s->is_asking)
        s->conn->server->app->disconnect(s, reason);
    socket_free(s);
}

/* As the reference server: every socket of the connection gets its DISCONNECT before the connection goes. */
static void conn_disconnect(struct sio_conn *conn)
{
    struct sio_socket *s;
    conn->refs++;
    while ((s = sio_conn_first_socket(conn))) {
        send_disconnect(s);
        socket_end(s, "server namespace disconnect", false);
    }
    if (conn->session)
        eio_session_close(conn->session, EIO_FORCED_CLOSE);
    sio_conn_unref(conn);
}

void sio_disconnect(struct sio_socket *s, bool close)
{
    if (close) {
        conn_disconnect(s->conn);
    } else if (s->state != GONE) {
        send_disconnect(s);
        socket_end(s, "server namespace disconnect", false);
    }
}
