/* Packets to the client, as pieces that the transport copies: nothing is allocated, and a payload that is
 * relayed is copied straight from the packet it came in. */
#include <assert.h>

#include "conversation/base/jsonw.h"
#include "sio_socket.h"

#define DIGITS_MAX   20
#define TEXT_BYTES   256
#define SHORT_BYTES  64 /* a piece up to this is copied: cheaper than what each part costs on its way out */
#define SYNTAX_BYTES 64 /* of a packet's own numbers and brackets, which always find room */

/* What is put one after the other; neighbours that are short become one part. */
struct packet_text {
    struct str parts[SIO_PARTS_MAX];
    int n;
    char *begin, *end; /* of the short ones that are not yet a part */
    char text[TEXT_BYTES + SYNTAX_BYTES];
};

_Static_assert(SYNTAX_BYTES >= 2 * DIGITS_MAX + sizeof "2-[\"\",,\"\"]", "what a packet has of its own");

void send_parts(struct sio_conn *conn, const struct str *parts, int part_count)
{
    if (conn->session)
        eio_session_send(conn->session, false, parts, part_count);
}

void send_connect_error(struct sio_conn *conn, struct str prefix, const char *message)
{
    struct buf json = {0};
    struct jsonw w = jsonw_on(&json);
    jsonw_object(&w);
    jsonw_m_z(&w, "message", message);
    jsonw_end_object(&w);
    jsonw_finish(&w);
    send_parts(conn, (struct str[]){STR("4"), prefix, buf_str(&json)}, 3);
    buf_done(&json);
}

void send_disconnect(struct sio_socket *s)
{
    if (s->state == ACCEPTED)
        send_parts(s->conn, (struct str[]){STR("1"), socket_prefix(s)}, 2);
}

/* --- events and acknowledgements --- */

static void start_text(struct packet_text *t)
{
    t->n = 0;
    t->begin = t->end = t->text;
}

static void end_part(struct packet_text *t)
{
    if (t->end > t->begin)
        t->parts[t->n++] = (struct str){t->begin, (size_t)(t->end - t->begin)};
    t->begin = t->end;
}

/* Of the packet's own syntax; inline, so that a few characters are no call. */
static inline void put_syntax(struct packet_text *t, struct str characters)
{
    memcpy(t->end, characters.p, characters.n);
    t->end += characters.n;
}

static void put(struct packet_text *t, struct str piece)
{
    if (piece.n == 0)
        return;
    if (piece.n <= SHORT_BYTES && (size_t)(t->end - t->text) + piece.n <= TEXT_BYTES) {
        put_syntax(t, piece);
        return;
    }
    end_part(t);
    t->parts[t->n++] = piece;
}

/* At most two of a packet: how many attachments, and its id or offset. */
static void put_number(struct packet_text *t, uint64_t n)
{
    char digits[DIGITS_MAX], *p = digits + sizeof digits;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    put_syntax(t, (struct str){p, (size_t)(digits + sizeof digits - p)});
}

/* Type and namespace; a type with attachments is that without plus 3. */
static void put_head(struct packet_text *t, char type, struct str prefix, const struct sio_message *m)
{
    assert(m->piece_count <= SIO_PIECES_MAX && m->attachment_count <= SIO_ATTACHMENTS_MAX);
    start_text(t);
    *t->end++ = m->attachment_count ? (char)(type + 3) : type;
    if (m->attachment_count) {
        put_number(t, (uint64_t)m->attachment_count);
        put_syntax(t, STR("-"));
    }
    put(t, prefix);
}

static bool has_args(const struct sio_message *m)
{
    for (int i = 0; i < m->piece_count; i++)
        if (m->args[i].n)
            return true;
    return false;
}

static void put_args(struct packet_text *t, const struct sio_message *m)
{
    for (int i = 0; i < m->piece_count; i++)
        put(t, m->args[i]);
}

/* An event without id and without offset has those as 0. */
static void write_event(struct packet_text *t, struct str prefix, const struct sio_message *m, uint64_t id,
                        uint64_t offset)
{
    put_head(t, '2', prefix, m);
    if (id)
        put_number(t, id);
    put_syntax(t, STR("[\""));
    put(t, str_of(m->name));
    put_syntax(t, STR("\""));
    if (has_args(m))
        put_syntax(t, STR(","));
    put_args(t, m);
    if (offset) {
        put_syntax(t, STR(",\""));
        put_number(t, offset);
        put_syntax(t, STR("\""));
    }
    put_syntax(t, STR("]"));
    end_part(t);
}

static void write_ack(struct packet_text *t, struct str prefix, const struct sio_message *m, uint64_t id)
{
    put_head(t, '3', prefix, m);
    put_number(t, id);
    put_syntax(t, STR("["));
    put_args(t, m);
    put_syntax(t, STR("]"));
    end_part(t);
}

static void send_packet(struct sio_conn *conn, const struct packet_text *t, const struct sio_message *m)
{
    send_parts(conn, t->parts, t->n);
    for (int i = 0; i < m->attachment_count && conn->session; i++)
        eio_session_send(conn->session, true, &m->attachments[i], 1);
}

static void remember(struct recovery *store, struct recovery_state *memory, const struct packet_text *t,
                     const struct sio_message *m)
{
    recovery_add(store, memory, &(struct sent_packet){t->parts, t->n, m->attachments, m->attachment_count});
}

void sio_emit_message(struct sio_socket *s, const struct sio_message *m)
{
    struct packet_text t;
    if (s->state != ACCEPTED)
        return;
    if (s->memory)
        sent_ring_expect(&s->memory->sent);
    write_event(&t, socket_prefix(s), m, 0, s->memory ? recovery_next_offset(s->memory) : 0);
    send_packet(s->conn, &t, m);
    if (s->memory)
        remember(s->conn->server->recovery, s->memory, &t, m);
}

void sio_emit(struct sio_socket *s, const char *name, const struct str *args, int piece_count)
{
    sio_emit_message(s, &(struct sio_message){.name = name, .args = args, .piece_count = piece_count});
}

uint64_t sio_emit_with_ack(struct sio_socket *s, const struct sio_message *m, int64_t timeout_ms)
{
    struct packet_text t;
    if (s->state != ACCEPTED)
        return 0;
    uint64_t id = acks_ask(s, timeout_ms);
    write_event(&t, socket_prefix(s), m, id, 0);
    send_packet(s->conn, &t, m);
    return id;
}

void sio_ack_message(struct sio_socket *s, uint64_t ack_id, const struct sio_message *m)
{
    struct packet_text t;
    if (s->state != ACCEPTED)
        return;
    write_ack(&t, socket_prefix(s), m, ack_id);
    send_packet(s->conn, &t, m);
}

void sio_ack(struct sio_socket *s, uint64_t ack_id, struct str args)
{
    sio_ack_message(s, ack_id, &(struct sio_message){.args = &args, .piece_count = 1});
}

/* --- to lost sockets --- */

struct to_lost {
    struct recovery *store;
    struct sio_message message;
};

static void add_to_lost(struct recovery_state *memory, void *arg)
{
    const struct to_lost *job = arg;
    struct packet_text t;
    write_event(&t, (struct str){memory->prefix, memory->prefix_bytes}, &job->message, 0,
                recovery_next_offset(memory));
    remember(job->store, memory, &t, &job->message);
}

void sio_emit_to_lost(struct sio_server *server, const struct uuid *owner, const char *name,
                      const struct str *args, int piece_count)
{
    struct to_lost job = {server->recovery, {.name = name, .args = args, .piece_count = piece_count}};
    if (server->recovery)
        recovery_each_lost(server->recovery, owner, add_to_lost, &job);
}
