/* Socket events as callers of flows. */
#include "event_call.h"

#include <assert.h>

#include "caller.h"
#include "conversation/base/jsonw.h"

struct event_call {
    struct caller caller; /* first: flow_caller() is one */
    uint64_t socket_id, ack_id;
    int64_t token_expires_ms;
    const char *event;
    int64_t retry_after_ms; /* of the row's limit; an event's answer has no place for it */
    bool wants_ack;
};

/* Whom an answer goes to. */
struct addressee {
    uint64_t socket_id, ack_id;
    const char *event;
    bool wants_ack;
};

static struct buf text; /* the answer being written */
static struct jsonw writer;

static struct event_call *call_of(struct flow *f)
{
    return flow_caller(f);
}

/* --- answers --- */

static void send_error(const struct addressee *to, enum err err, const char *message, struct str details)
{
    struct sio_socket *s = sio_socket_find(hub_sio(), to->socket_id);
    if (!s)
        return;
    const char *code = err_info(err)->wire_code;
    text.n = 0;
    struct jsonw w = jsonw_on(&text);
    jsonw_object(&w);
    jsonw_m_z(&w, "status", "error");
    jsonw_m_z(&w, "code", code);
    jsonw_m_z(&w, "message", message ? message : code);
    if (details.p) {
        jsonw_key(&w, "details");
        jsonw_raw(&w, details);
    }
    if (!to->wants_ack)
        jsonw_m_z(&w, "event", to->event);
    jsonw_end_object(&w);
    struct str part = buf_str(&text);
    if (to->wants_ack)
        sio_ack(s, to->ack_id, part);
    else
        sio_emit(s, "exception", &part, 1);
}

void event_call_refuse(uint64_t socket_id, const struct sio_event *e, enum err err, const char *reason)
{
    char name[64];
    if (!str_copy(e->name, name, sizeof name))
        name[0] = '\0';
    const struct addressee to = {socket_id, e->ack_id, name, e->wants_ack};
    send_error(&to, err, reason, (struct str){NULL, 0});
}

static void answer_error(struct flow *f)
{
    const struct event_call *call = call_of(f);
    const struct addressee to = {call->socket_id, call->ack_id, call->event, call->wants_ack};
    send_error(&to, flow_error(f), NULL, flow_error_details(f));
}

struct jsonw *event_ack_begin(struct flow *f)
{
    (void)f;
    text.n = 0;
    writer = jsonw_on(&text);
    jsonw_object(&writer);
    jsonw_m_z(&writer, "status", "ok");
    return &writer;
}

void event_ack_send(struct flow *f)
{
    const struct event_call *call = call_of(f);
    jsonw_end_object(&writer);
    jsonw_finish(&writer);
    struct sio_socket *s = call->wants_ack ? sio_socket_find(hub_sio(), call->socket_id) : NULL;
    if (s)
        sio_ack(s, call->ack_id, buf_str(&text));
}

uint64_t event_socket(struct flow *f)
{
    return call_of(f)->socket_id;
}

int64_t event_token_expires_ms(struct flow *f)
{
    return call_of(f)->token_expires_ms;
}

/* --- start --- */

struct start {
    const struct hub_socket *socket;
    const struct sio_event *event;
    const struct event_row *row;
    struct str payload;
};

static void prepare(struct flow *f, void *arg)
{
    const struct start *s = arg;
    struct event_call *call = ARENA_NEW(flow_arena(f), struct event_call);
    struct str details = {NULL, 0};
    *call = (struct event_call){
        .caller = {.user_id = s->socket->user_id, .error = answer_error},
        .socket_id = sio_socket_id(s->socket->sio),
        .ack_id = s->event->ack_id,
        .wants_ack = s->event->wants_ack,
        .token_expires_ms = s->socket->token_expires_ms,
        .event = s->row->name,
    };
    flow_set_caller(f, call);
    enum err err =
        fields_decode_json(s->row->handler->input, s->payload, flow_ctx(f), flow_arena(f), &details);
    if (err)
        flow_set_error_details(f, err, details);
    else if (s->row->limit && s->row->limit->limit > 0)
        kv_rate_take(f, s->row->limit, &call->caller.user_id, &call->retry_after_ms);
}

void event_call_start(const struct hub_socket *h, const struct sio_event *e, const struct event_row *row,
                      struct str payload)
{
    struct start s = {.socket = h, .event = e, .row = row, .payload = payload};
    flow_start(&(struct flow_start){.spec = &row->handler->flow, .before = prepare, .before_arg = &s});
}

void event_call_done(void)
{
    buf_done(&text);
}
