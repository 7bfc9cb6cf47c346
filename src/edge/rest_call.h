/* One REST call that has a flow, and what all REST answers have in common. */
#ifndef EDGE_REST_CALL_H
#define EDGE_REST_CALL_H

#include "audit.h"
#include "caller.h"
#include "conversation/base/jsonw.h"
#include "conversation/domain/identity.h"
#include "conversation/net/http.h"

struct rest_call {
    struct caller caller; /* first: flow_caller() is one */
    struct conn *conn;    /* NULL once the client has left */
    const struct route *route;
    struct identity who;
    struct str origin, if_none_match;
    struct str idempotency_key; /* {NULL,0}: none */
    struct audit audit;
    int64_t retry_after_ms, waited_ms;
    bool is_head, is_answered;
};

/* caller.error of a REST call: sends the flow's error. */
void rest_call_error(struct flow *f);
/* flow_start.done: a call whose client is still there has been answered. */
void rest_call_ended(struct flow *f);
/* The client left: the flow is cancelled, its answer goes nowhere. */
void rest_call_gone(struct flow *f);

/* An error without a flow. */
struct rest_refusal {
    struct conn *conn;
    const struct http_request *request;
    const char *route; /* for the metric */
    const char *correlation_id;
    struct str headers; /* of this answer alone, may be empty */
    enum err err;
    const char *field, *reason; /* into `details`; may be NULL */
};
void rest_refuse_with(const struct rest_refusal *r);

/* `details` of the error body, [{"field","reason"}]; valid until the next call. */
struct str rest_details(const char *field, const char *reason);
/* X-Correlation-Id, and what cross-origin readers need. */
void rest_add_common_headers(struct buf *headers, const char *correlation_id, struct str origin);
void rest_count(enum http_method method, const char *route, int status);

void rest_call_done(void); /* frees the scratch memory */

#endif
