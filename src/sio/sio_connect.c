/* From CONNECT to a socket that is accepted or refused, new or recovered. */
#include <stdlib.h>

#include "conversation/base/clock.h"
#include "recovery_share.h"
#include "sio_packet.h"
#include "sio_socket.h"

static void on_connect_timeout(struct timer *t)
{
    struct sio_conn *conn = container_of(t, struct sio_conn, timer);
    struct sio_socket *s;
    if (!sio_conn_first_in_state(conn, ACCEPTED)) {
        eio_session_close(conn->session, EIO_FORCED_CLOSE);
        return;
    }
    conn->refs++;
    /* Sockets are in the order of their CONNECT, hence of their deadlines. */
    while ((s = sio_conn_first_in_state(conn, PENDING)) && s->answer_due_ms <= clock_mono_ms()) {
        send_connect_error(conn, socket_prefix(s), "timeout");
        socket_end(s, "connect timeout", false);
    }
    if (s)
        timer_start(&conn->timer, s->answer_due_ms - clock_mono_ms(), on_connect_timeout);
    sio_conn_unref(conn);
}

void connect_opened(struct sio_conn *conn)
{
    timer_start(&conn->timer, conn->server->config.connect_timeout_ms, on_connect_timeout);
}

struct str connect_prefix(struct str namespace_, char space[SIO_NAMESPACE_MAX + 1])
{
    if (str_eqz(namespace_, "/"))
        return STR("");
    memcpy(space, namespace_.p, namespace_.n);
    space[namespace_.n] = ',';
    return (struct str){space, namespace_.n + 1};
}

/* --- what the client wants back --- */

#define ASK_MS 1000 /* other processes may take so long to answer */

/* A CONNECT that waits for what other processes know. Lives until they have answered, with the socket or
 * without it. */
struct question {
    struct sio_server *server;
    uint64_t socket_id; /* 0: it need not know any more */
    struct timer timer;
    size_t auth_bytes, query_bytes;
    bool has_query;
    char text[]; /* auth, query */
};

/* The state that the socket's client wants back, as long as it can have it. */
static struct recovery_state *claimed(const struct sio_socket *s)
{
    return s->claim ? recovery_find(s->conn->server->recovery, s->claim, socket_prefix(s)) : NULL;
}

static bool read_claim(struct sio_socket *s, struct str auth)
{
    struct recovery_claim claim;
    if (!s->conn->server->recovery || !recovery_read_claim(auth, &claim))
        return false;
    s->claim = malloc(sizeof *s->claim);
    if (!s->claim)
        abort();
    *s->claim = claim;
    return true;
}

static struct str namespace_of(const struct sio_socket *s)
{
    return s->prefix_bytes ? (struct str){s->prefix, s->prefix_bytes - 1U} : STR("/");
}

static void tell_application(struct sio_socket *s, struct str query, struct str auth)
{
    char space[SIO_NAMESPACE_MAX + 1], note[SIO_NOTE_MAX];
    struct str name = namespace_of(s);
    memcpy(space, name.p, name.n); /* the socket may be freed by whoever is told of it */
    struct sio_connect connect = {{space, name.n}, query, auth, false, {NULL, 0}};
    const struct recovery_state *state = claimed(s);
    if (state) {
        connect.can_recover = true;
        if (state->note_bytes) {
            memcpy(note, state->note, state->note_bytes);
            connect.note = (struct str){note, state->note_bytes};
        }
    }
    s->is_asking = false;
    s->conn->server->app->connect(s, &connect);
}

static void ask_no_longer(struct question *q)
{
    struct sio_socket *s = sio_socket_find(q->server, q->socket_id);
    struct str auth = {q->text, q->auth_bytes}, query = {q->text + q->auth_bytes, q->query_bytes};
    timer_stop(&q->timer);
    q->socket_id = 0;
    if (s)
        tell_application(s, q->has_query ? query : (struct str){NULL, 0}, auth);
}

static void on_ask_timeout(struct timer *t)
{
    ask_no_longer(container_of(t, struct question, timer));
}

static void on_answer(void *arg)
{
    struct question *q = arg;
    ask_no_longer(q);
    free(q);
}

/* Also when this process knows the state: it may be another's by now. False: nobody can be asked. */
static bool ask_others(struct sio_socket *s, struct str query, struct str auth)
{
    struct sio_server *server = s->conn->server;
    struct share *share = recovery_share(server->recovery);
    struct question *q = share ? calloc(1, sizeof *q + auth.n + query.n) : NULL;
    if (!share)
        return false;
    if (!q)
        abort();
    *q = (struct question){.server = server,
                           .socket_id = sio_socket_id(s),
                           .auth_bytes = auth.n,
                           .query_bytes = query.n,
                           .has_query = query.p != NULL};
    if (auth.p)
        memcpy(q->text, auth.p, auth.n);
    if (query.p)
        memcpy(q->text + auth.n, query.p, query.n);
    s->is_asking = share_take(share, &s->claim->pid, on_answer, q);
    if (s->is_asking)
        timer_start(&q->timer, ASK_MS, on_ask_timeout);
    else
        free(q);
    return s->is_asking;
}

void connect_received(struct sio_conn *conn, const struct sio_packet *packet)
{
    char space[SIO_NAMESPACE_MAX + 1];
    struct str prefix = connect_prefix(packet->namespace_, space);
    if (conn->socket_count >= conn->server->config.namespaces_max) {
        send_connect_error(conn, prefix, "Too many namespaces");
        return;
    }
    struct sio_socket *s = socket_new(conn, prefix);
    if (!timer_is_running(&conn->timer))
        connect_opened(conn);
    if (!read_claim(s, packet->payload) || !ask_others(s, packet->query, packet->payload))
        tell_application(s, packet->query, packet->payload);
}

void connect_moved(void *server, uint64_t socket_id)
{
    struct sio_socket *s = sio_socket_find(server, socket_id);
    struct sio_conn *conn = s->conn;
    recovery_drop(conn->server->recovery, s->memory);
    s->memory = NULL;
    eio_session_close(conn->session, EIO_TRANSPORT_CLOSE);
}

/* --- the answer --- */

void sio_decline_recovery(struct sio_socket *s)
{
    free(s->claim);
    s->claim = NULL;
}

/* The client has come back before the loss of its connection was noticed. False: `s` is gone, too, or has
 * been answered by the application when it was told. */
static bool close_former(struct sio_socket *s)
{
    struct sio_conn *conn = s->conn;
    struct sio_server *server = conn->server;
    struct recovery_state *state = claimed(s);
    uint64_t id = sio_socket_id(s);
    if (!state || !state->socket_id)
        return true;
    eio_session_close(sio_socket_find(server, state->socket_id)->conn->session, EIO_TRANSPORT_CLOSE);
    return sio_socket_find(server, id) == s && s->state == PENDING;
}

static void give_memory(struct sio_socket *s)
{
    struct recovery *store = s->conn->server->recovery;
    struct recovery_state *state = claimed(s);
    if (!store)
        return;
    if (state && !state->socket_id) {
        s->is_from_elsewhere = state->is_from_elsewhere;
        recovery_take(store, state, sio_socket_id(s), s->claim->offset);
        memcpy(s->sid, state->sid, sizeof s->sid);
        s->is_recovered = true;
    } else {
        state = recovery_new_state(store, sio_socket_id(s), s->sid, socket_prefix(s));
    }
    s->memory = state;
}

static void send_connect(struct sio_socket *s)
{
    char pid[SID_LENGTH + 1];
    struct str parts[] = {STR("0"),   socket_prefix(s), STR("{\"sid\":\""), str_of(s->sid),
                          STR("\"}"), {NULL, 0},        {NULL, 0}};
    int n = 5;
    if (s->memory) {
        sid_format(&s->memory->node.key, pid);
        parts[4] = STR("\",\"pid\":\"");
        parts[5] = str_of(pid);
        parts[6] = STR("\"}");
        n = 7;
    }
    send_parts(s->conn, parts, n);
}

static void send_again(void *arg, bool is_binary, const struct str *parts, int part_count)
{
    struct sio_conn *conn = arg;
    if (conn->session)
        eio_session_send(conn->session, is_binary, parts, part_count);
}

void sio_accept(struct sio_socket *s)
{
    if (s->state != PENDING || !close_former(s))
        return;
    give_memory(s);
    s->state = ACCEPTED;
    if (!sio_conn_first_in_state(s->conn, PENDING))
        timer_stop(&s->conn->timer);
    send_connect(s);
    if (s->is_recovered)
        sent_ring_replay(&s->memory->sent, s->claim->offset, send_again, s->conn);
    sio_decline_recovery(s); /* the claim is settled */
}

void sio_refuse(struct sio_socket *s, const char *message)
{
    if (s->state != PENDING)
        return;
    send_connect_error(s->conn, socket_prefix(s), message);
    socket_unlink(s, false);
    socket_free(s);
}
