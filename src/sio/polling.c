/* The polling transport. A poll lives from its GET to its answer, which is made at the end of the loop turn
 * in which it was first sent something: by then everything of the turn is in it. Invariant: `task` waits
 * exactly while the payload is not empty. */
#include "polling.h"

#include <stdlib.h>

#include "conversation/rt/loop.h"
#include "eio_payload.h"
#include "sid.h"

/* The answers to polls and what they say are for one client, once. */
#define NO_STORE "Cache-Control: no-store\r\n"

#define SCRATCH_KEPT_BYTES (16 * 1024) /* of the room for decoding; more is needed seldom */

struct poll {
    struct eio_transport eio;
    struct conn *conn;
    struct buf payload, headers;
    size_t max_payload_bytes;
    struct loop_task task;
};

static void poll_free(struct poll *poll)
{
    loop_undefer(&poll->task);
    buf_done(&poll->payload);
    buf_done(&poll->headers);
    free(poll);
}

/* Whatever the session sends after this is kept for the next poll. */
static void answer(struct poll *poll)
{
    if (poll->eio.session)
        eio_session_detach(poll->eio.session);
    http_respond(poll->conn, &(struct http_response){
                                 .status = 200,
                                 .content_type = "text/plain; charset=UTF-8",
                                 .body = buf_str(&poll->payload),
                                 .extra_headers = poll->headers.n ? buf_str(&poll->headers) : STR(NO_STORE),
                             });
    poll_free(poll);
}

static void on_turn_end(struct loop_task *t)
{
    answer(container_of(t, struct poll, task));
}

/* --- Engine.IO above --- */

static bool send_packet(struct eio_transport *t, enum eio_packet_type type, bool is_binary,
                        const struct str *parts, int part_count)
{
    struct poll *poll = container_of(t, struct poll, eio);
    size_t bytes = 2; /* separator, type */
    for (int i = 0; i < part_count; i++)
        bytes += parts[i].n;
    if (poll->payload.n + bytes > poll->max_payload_bytes)
        return false;
    if (!poll->payload.n)
        loop_defer(&poll->task);
    eio_payload_add(&poll->payload, type, is_binary, parts, part_count);
    return true;
}

/* A client that has closed itself gets its poll back; others are told. */
static void close_poll(struct eio_transport *t, enum eio_reason reason)
{
    struct poll *poll = container_of(t, struct poll, eio);
    if (reason != EIO_TRANSPORT_CLOSE)
        eio_payload_add(&poll->payload, EIO_CLOSE, false, NULL, 0);
    else if (!poll->payload.n)
        eio_payload_add(&poll->payload, EIO_NOOP, false, NULL, 0);
    answer(poll);
}

static const struct eio_transport_ops ops = {
    .name = "polling", .is_poll = true, .send = send_packet, .close = close_poll};

/* --- GET --- */

static void gone(void *arg)
{
    struct poll *poll = arg;
    eio_transport_closed(&poll->eio, EIO_TRANSPORT_ERROR);
    poll_free(poll);
}

static struct poll *poll_new(struct conn *c, const struct eio_config *config, struct str headers)
{
    struct poll *poll = calloc(1, sizeof *poll);
    if (!poll)
        abort();
    poll->eio.ops = &ops;
    poll->conn = c;
    poll->task.run = on_turn_end;
    /* What fits a session's backlog fits here, too: base64 makes four bytes of three. */
    poll->max_payload_bytes = config->max_buffered_bytes / 3 * 4 + 4;
    if (headers.n) {
        buf_add_str(&poll->headers, headers);
        buf_addz(&poll->headers, NO_STORE);
    }
    return poll;
}

bool polling_open(struct conn *c, struct eio_server *server, struct str headers, const void *context)
{
    struct poll *poll = poll_new(c, eio_server_config(server), headers);
    if (!eio_session_open(server, &poll->eio, context)) {
        poll_free(poll);
        return false;
    }
    http_set_answering(c, gone, poll);
    return true;
}

void polling_wait(struct conn *c, struct eio_server *server, struct eio_session *s, struct str headers)
{
    struct poll *poll = poll_new(c, eio_server_config(server), headers);
    http_set_answering(c, gone, poll);
    http_forget_request(c);
    eio_session_attach(s, &poll->eio);
}

/* --- POST --- */

/* A body that is arriving. The session may end meanwhile: it is known by its id. */
struct arrival {
    struct eio_server *server;
    char sid[SID_LENGTH + 1];
};

static void arrived(void *arg, bool is_complete)
{
    struct arrival *a = arg;
    struct eio_session *s = eio_session_find(a->server, str_of(a->sid));
    if (s)
        eio_session_end_post(s, is_complete);
    free(a);
}

void polling_expect(struct conn *c, struct eio_server *server, struct eio_session *s)
{
    if (!eio_session_begin_post(s))
        return;
    struct arrival *a = calloc(1, sizeof *a);
    if (!a)
        abort();
    a->server = server;
    memcpy(a->sid, eio_session_sid(s), sizeof a->sid);
    http_set_receiving(c, arrived, a);
}

static struct buf scratch;

static void scratch_trim(void)
{
    if (scratch.cap > SCRATCH_KEPT_BYTES)
        buf_done(&scratch);
}

bool polling_take(struct eio_session *s, struct str body)
{
    enum eio_payload_result result;
    enum eio_reason why = EIO_TRANSPORT_CLOSE;
    struct str message;
    bool is_binary, goes_on = true;
    while (goes_on && (result = eio_payload_next(&body, &scratch, &is_binary, &message)) != EIO_PAYLOAD_END) {
        if (result == EIO_PAYLOAD_BAD) {
            eio_session_close(s, why = EIO_PARSE_ERROR);
            goes_on = false;
        } else {
            goes_on = eio_session_received(s, is_binary, message, &why);
        }
    }
    scratch_trim();
    return goes_on || (why != EIO_PARSE_ERROR && why != EIO_TRANSPORT_ERROR);
}
