/* What a flow sees of its caller, and how it answers: REST calls and socket events (docs/ARCHITECTURE.md,
 * "Edge"). A caller that has left is no error: its flow is cancelled, and answers go nowhere. */
#ifndef CONVERSATION_EDGE_REPLY_H
#define CONVERSATION_EDGE_REPLY_H

#include <stdint.h>

#include "conversation/base/jsonw.h"
#include "conversation/base/str.h"
#include "conversation/codec/fields.h"
#include "conversation/domain/identity.h"
#include "conversation/rt/flow.h"

/* One endpoint's or event's behaviour: the flow, and what its input must look like. The input struct is the
 * first member of the flow's context; it is decoded, and a bad one answered, before the function runs. */
struct handler {
    struct flow_spec flow;
    const struct field *input; /* NULL: none */
};

/* The process is shutting down: new work is refused, what runs may finish. */
bool edge_is_draining(void);

/* --- both kinds of caller --- */

const struct uuid *caller_user_id(struct flow *f);
/* Sends the error that the flow failed with (flow_error, flow_error_details): error body, or ack/exception
 * event. */
void reply_error(struct flow *f);

/* --- REST --- */

const struct identity *rest_identity(struct flow *f); /* all zero on a route with AUTH_NONE */

/* The call is about what is others', by right of a role, or asks for it: its answer, whatever that is, is
 * noted in the audit log. All calls of routes with AUTH_MODERATOR are. `action` is static; nil or NULL: about
 * nobody, or no session, in particular. */
void rest_audit(struct flow *f, const char *action, const struct uuid *user_id,
                const struct uuid *session_id);

/* The request's Idempotency-Key, on a route with ROUTE_REPEATABLE; {NULL,0} when it has none. */
struct str rest_idempotency_key(struct flow *f);

/* Starts the answer: write one JSON value through the returned writer, then reply_send. */
struct jsonw *reply_begin(struct flow *f, int http_status);
void reply_send(struct flow *f);
/* A whole answer that is not built here: metrics text, the API description. `body` is copied. */
void reply_raw(struct flow *f, int http_status, const char *content_type, struct str body);
/* How long the call took because its client asked it to wait: not counted as the route's latency. */
void reply_waited_ms(struct flow *f, int64_t ms);

/* --- socket events --- */

uint64_t event_socket(struct flow *f);          /* the socket that sent it, for ports/sockets.h */
int64_t event_token_expires_ms(struct flow *f); /* of the token the socket authenticated with */
/* {"status":"ok", …}: members may be added between the two calls. Nothing is sent when no ack was asked for.
 */
struct jsonw *event_ack_begin(struct flow *f);
void event_ack_send(struct flow *f);

/* --- relayed socket events: answered at once, without a flow --- */

struct json_index;
struct json_wanted;

/* Everything is valid during the call only. */
struct relay_call {
    const struct json_index *index;   /* of the event's object */
    const struct json_wanted *target; /* its member `targetUserId` */
    const struct json_wanted *value;  /* its member event_row.relays */
    uint64_t socket_id;
    uint64_t session; /* as given to sockets_enter_session */
    struct uuid user_id;
    const char *reason; /* out, on failure: static text for the client, may stay NULL */
};

#endif
