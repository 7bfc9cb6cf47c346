/* Event dispatch: enforces the columns of the event table (rate, authentication, payload, session). The one
 * event that is not in the table is `authenticate`. */
#include "event_dispatch.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "conversation/base/json_scan.h"
#include "conversation/base/metrics.h"
#include "conversation/codec/token.h"
#include "conversation/config.h"
#include "event_call.h"

#define EVENTS_MAX 32 /* rows */

static const struct event_row *rows;
static struct {
    struct str name;
    double *received; /* metric_counter; NULL until it is needed */
} known[EVENTS_MAX];  /* of each row */
static int row_count;

void event_dispatch_init(const struct event_row *rows_)
{
    rows = rows_;
    for (row_count = 0; rows[row_count].name; row_count++) {
        assert(row_count < EVENTS_MAX);
        known[row_count].name = str_of(rows[row_count].name);
        known[row_count].received = NULL;
    }
}

static void count_received(const struct event_row *row, bool is_authenticate)
{
    if (!row) {
        metric_inc(M_WS_MESSAGES, is_authenticate ? "authenticate" : "unknown");
        return;
    }
    double **counter = &known[row - rows].received;
    if (!*counter)
        *counter = metric_counter(M_WS_MESSAGES, row->name);
    ++**counter;
}

static const struct event_row *row_of(struct str name)
{
    for (int i = 0; i < row_count; i++)
        if (str_eq(name, known[i].name))
            return &rows[i];
    return NULL;
}

/* The event's one argument: an object. */
static enum err take_payload(const struct sio_event *e, const char **reason)
{
    if (e->first.n && e->first.p[0] == '{')
        return OK;
    *reason = "the event's argument must be an object";
    return ERR_INVALID_REQUEST;
}

static enum err authenticate(struct hub_socket *h, const struct sio_event *e, const char **reason)
{
    static char token[TOKEN_MAX_BYTES];
    enum err err = take_payload(e, reason);
    if (err)
        return err;
    *reason = "token must be a string";
    struct str text = hub_string_member(e->first, "token", token, sizeof token);
    return text.p ? hub_socket_authenticate(h, text, reason) : ERR_UNAUTHORIZED;
}

/* What the columns of a row look for in the payload. */
enum { SESSION_ID, TARGET, RELAYED, MEMBERS };

/* NEEDS_SESSION: the payload names the session that this socket has joined. A bound socket is in no other
 * one. */
static enum err check_session(const struct hub_socket *h, enum event_needs needs,
                              const struct json_wanted *session_id, const char **reason)
{
    struct uuid named;
    bool has_one = json_read_uuid(session_id, &named);
    if (has_one && h->is_bound && !uuid_eq(&named, &h->bound_session)) {
        *reason = "this socket is bound to another session";
        return ERR_FORBIDDEN;
    }
    if (needs != NEEDS_SESSION)
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

static enum err relay(const struct hub_socket *h, const struct event_row *row, const struct sio_event *e,
                      const struct json_wanted members[MEMBERS], const char **reason)
{
    struct relay_call call = {
        .index = e->index,
        .target = &members[TARGET],
        .value = &members[RELAYED],
        .socket_id = sio_socket_id(h->sio),
        .session = h->session,
        .user_id = h->user_id,
    };
    enum err err = row->relay(&call);
    *reason = call.reason;
    return err;
}

/* The columns, in order; a flow is started last. *started: it will answer itself. */
static enum err run_row(const struct hub_socket *h, const struct sio_event *e, const struct event_row *row,
                        const char **reason, bool *started)
{
    if (!h->is_authenticated) {
        *reason = "authenticate first";
        return ERR_UNAUTHORIZED;
    }
    if (!row)
        return ERR_UNKNOWN_EVENT;
    struct json_wanted members[MEMBERS] = {[SESSION_ID] = {.key = STR("sessionId")},
                                           [TARGET] = {.key = STR("targetUserId")},
                                           [RELAYED] = {.key = str_of(row->relays)}};
    enum err err = take_payload(e, reason);
    if (err)
        return err;
    json_find(e->index, NULL, members, !row->relay ? TARGET : row->relays ? MEMBERS : RELAYED);
    err = check_session(h, row->needs, &members[SESSION_ID], reason);
    if (err)
        return err;
    if (row->relay)
        return relay(h, row, e, members, reason);
    *started = true;
    event_call_start(h, e, row, e->first);
    return OK;
}

static void acknowledge(uint64_t socket_id, const struct sio_event *e, const struct uuid *authenticated)
{
    struct sio_socket *s = e->wants_ack ? sio_socket_find(hub_sio(), socket_id) : NULL;
    char json[96];
    if (!s)
        return;
    if (!authenticated) {
        sio_ack(s, e->ack_id, STR("{\"status\":\"ok\"}"));
        return;
    }
    int n = snprintf(json, sizeof json, "{\"status\":\"ok\",\"userId\":\"%s\"}", UUIDZ(authenticated));
    sio_ack(s, e->ack_id, (struct str){json, (size_t)n});
}

void event_dispatch(struct hub_socket *h, const struct sio_event *e)
{
    const struct event_row *row = row_of(e->name);
    bool is_authenticate = str_eqz(e->name, "authenticate"), started = false;
    uint64_t socket_id = sio_socket_id(h->sio); /* a relay may end the socket */
    const char *reason = NULL;
    enum err err;
    count_received(row, is_authenticate);
    if (!token_bucket_take(&h->messages, 1, config.rate_limit_ws_messages, MESSAGE_WINDOW_MS)) {
        reason = "too many messages";
        err = ERR_RATE_LIMITED;
    } else if (is_authenticate) {
        err = authenticate(h, e, &reason);
    } else {
        err = run_row(h, e, row, &reason, &started);
    }
    if (err)
        event_call_refuse(socket_id, e, err, reason);
    else if (!started)
        acknowledge(socket_id, e, is_authenticate ? &h->user_id : NULL);
}

void event_dispatch_rejoin(const struct hub_socket *h, const struct uuid *session_id)
{
    char json[128];
    const struct event_row *row = rows;
    while (row->name && !row->is_rejoin)
        row++;
    if (!row->name)
        return;
    int n = snprintf(json, sizeof json, "{\"userId\":\"%s\",\"sessionId\":\"%s\"}", UUIDZ(&h->user_id),
                     UUIDZ(session_id));
    event_call_start(h, &(struct sio_event){.name = str_of(row->name)}, row, (struct str){json, (size_t)n});
}
