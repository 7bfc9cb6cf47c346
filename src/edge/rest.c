/* REST dispatch: enforces the columns of the route table (method, token, media type, input, rate limit) and
 * starts the row's flow. */
#include "rest.h"

#include "cors.h"
#include "gate.h"
#include "idempotency_key.h"
#include "rest_call.h"

#define QUERY_PARAMS_MAX 32

/* A request that has no flow yet. */
struct arrival {
    struct conn *conn;
    const struct http_request *request;
    struct route_match match;
    struct identity who;
    char correlation_id[CORRELATION_ID_MAX + 1];
    char key_text[IDEMPOTENCY_KEY_MAX];
    struct str idempotency_key; /* in key_text; {NULL,0}: none */
};

static bool is_draining;

bool edge_is_draining(void)
{
    return is_draining;
}

/* --- the correlation id --- */

static bool may_be_in_correlation_id(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || memchr("-_.:", c, 4);
}

static bool correlation_id_is_well_formed(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!may_be_in_correlation_id(s.p[i]))
            return false;
    return s.n > 0 && s.n <= CORRELATION_ID_MAX;
}

static void take_correlation_id(const struct http_request *r, char out[CORRELATION_ID_MAX + 1])
{
    struct str given = http_header(r, "X-Correlation-Id");
    if (!correlation_id_is_well_formed(given))
        given = http_header(r, "X-Request-Id");
    if (correlation_id_is_well_formed(given)) {
        (void)str_copy(given, out, CORRELATION_ID_MAX + 1);
        return;
    }
    struct uuid fresh = uuid_random();
    uuid_format(&fresh, out);
}

/* --- answers at once --- */

static struct rest_refusal refusal_of(const struct arrival *a, enum err err)
{
    return (struct rest_refusal){
        .conn = a->conn,
        .request = a->request,
        .route = a->match.route ? a->match.route->path : "none",
        .correlation_id = a->correlation_id,
        .err = err,
    };
}

void rest_refuse(struct conn *c, const struct http_request *r, enum err err, const char *reason)
{
    struct arrival a = {.conn = c, .request = r};
    take_correlation_id(r, a.correlation_id);
    struct rest_refusal refusal = refusal_of(&a, err);
    refusal.reason = reason;
    rest_refuse_with(&refusal);
}

static void add_allow(const struct arrival *a, struct buf *headers)
{
    buf_addz(headers, "Allow: ");
    router_allow(a->match.allowed_methods, headers);
    buf_addz(headers, "\r\n");
}

static void answer_options(const struct arrival *a)
{
    struct buf headers = {0};
    add_allow(a, &headers);
    cors_add_preflight(&headers, a->request, a->match.allowed_methods);
    rest_add_common_headers(&headers, a->correlation_id, http_header(a->request, "Origin"));
    rest_count(OPTIONS, "none", 204);
    http_respond(a->conn, &(struct http_response){.status = 204, .extra_headers = buf_str(&headers)});
    buf_done(&headers);
}

static void refuse_method(const struct arrival *a)
{
    struct buf headers = {0};
    struct rest_refusal refusal = refusal_of(a, ERR_METHOD_NOT_ALLOWED);
    add_allow(a, &headers);
    refusal.headers = buf_str(&headers);
    rest_refuse_with(&refusal);
    buf_done(&headers);
}

/* --- the columns --- */

static enum err check_auth(struct arrival *a, const char **reason)
{
    static const struct str scheme = STR("Bearer ");
    struct str value = http_header(a->request, "Authorization");
    if (a->match.route->auth == AUTH_NONE)
        return OK;
    *reason = "a bearer token is required";
    if (value.n <= scheme.n || !str_eq_nocase((struct str){value.p, scheme.n}, scheme))
        return ERR_UNAUTHORIZED;
    struct str token = str_trim((struct str){value.p + scheme.n, value.n - scheme.n}, " ");
    enum err err = gate_verify(token, &a->who, reason);
    if (err || a->match.route->auth != AUTH_MODERATOR || a->who.roles)
        return err;
    *reason = "the role moderator or admin is required";
    return ERR_FORBIDDEN;
}

/* What a route of moderators is about; nothing on others. */
static struct audit audit_of(const struct arrival *a)
{
    struct audit audit = {.action = NULL};
    if (a->match.route->auth == AUTH_MODERATOR) {
        audit.action = a->match.route->handler->flow.name;
        audit_take_path(&audit, a->match.params, a->match.param_count);
    }
    return audit;
}

static void audit_refusal(const struct arrival *a, enum err err)
{
    struct audit audit = audit_of(a);
    if (audit.action && !uuid_is_nil(&a->who.user_id))
        audit_write(&audit, &a->who, err_info(err)->http_status, a->correlation_id);
}

static bool is_json(struct str content_type)
{
    struct str rest = content_type;
    return str_eq_nocase(str_trim(str_cut(&rest, ';'), " \t"), STR("application/json"));
}

static bool may_have_body(const struct route *r)
{
    return r->method != GET && r->method != DELETE;
}

static enum err check(struct arrival *a, const char **field, const char **reason)
{
    if (is_draining && !(a->match.route->flags & ROUTE_OPS)) {
        *reason = "the service is shutting down";
        return ERR_DRAINING;
    }
    *field = "Authorization";
    enum err err = check_auth(a, reason);
    if (err)
        return err;
    *field = "Content-Type";
    *reason = "must be application/json";
    if (a->request->has_body && may_have_body(a->match.route) &&
        !is_json(http_header(a->request, "Content-Type")))
        return ERR_UNSUPPORTED_MEDIA;
    *field = "Idempotency-Key";
    *reason = "must be one string of 1 to 255 printable ASCII characters";
    if ((a->match.route->flags & ROUTE_REPEATABLE) &&
        !idempotency_key_take(a->request, a->key_text, &a->idempotency_key))
        return ERR_INVALID_REQUEST;
    return OK;
}

/* --- the flow --- */

static enum err decode(struct flow *f, const struct arrival *a, struct str *details)
{
    const struct field *fields = a->match.route->handler->input;
    struct field_param query[QUERY_PARAMS_MAX];
    enum err err = fields_decode_params(fields, FIELD_FROM_PATH, a->match.params,
                                        (size_t)a->match.param_count, flow_ctx(f), flow_arena(f), details);
    if (err)
        return err;
    if (may_have_body(a->match.route))
        return fields_decode_json(fields, a->request->body, flow_ctx(f), flow_arena(f), details);
    int n = query_parse(a->request->query, query, QUERY_PARAMS_MAX, flow_arena(f));
    if (n < 0) {
        *details = rest_details("query", "malformed query string");
        return ERR_INVALID_REQUEST;
    }
    return fields_decode_params(fields, FIELD_FROM_INPUT, query, (size_t)n, flow_ctx(f), flow_arena(f),
                                details);
}

static struct str kept(struct flow *f, struct str s)
{
    return s.p ? arena_str(flow_arena(f), s) : s;
}

/* flow_start's `before`: everything that is copied from the request, then the rate limit. */
static void prepare(struct flow *f, void *arg)
{
    const struct arrival *a = arg;
    struct rest_call *call = ARENA_NEW(flow_arena(f), struct rest_call);
    struct str details = {NULL, 0};
    *call = (struct rest_call){
        .caller = {.user_id = a->who.user_id, .error = rest_call_error},
        .conn = a->conn,
        .route = a->match.route,
        .who = a->who,
        .origin = kept(f, http_header(a->request, "Origin")),
        .if_none_match = kept(f, http_header(a->request, "If-None-Match")),
        .idempotency_key = kept(f, a->idempotency_key),
        .audit = audit_of(a),
        .is_head = a->request->method == HEAD,
    };
    flow_set_caller(f, call);
    enum err err = decode(f, a, &details);
    if (err)
        flow_set_error_details(f, err, details);
    else if (call->route->limit && call->route->limit->limit > 0)
        kv_rate_take(f, call->route->limit, &a->who.user_id, &call->retry_after_ms);
}

static void client_left(void *flow)
{
    rest_call_gone(flow);
}

static void start_flow(struct arrival *a)
{
    struct flow *f = flow_start(&(struct flow_start){
        .spec = &a->match.route->handler->flow,
        .correlation_id = a->correlation_id,
        .done = rest_call_ended,
        .before = prepare,
        .before_arg = a,
    });
    http_set_answering(a->conn, client_left, f);
}

void rest_request(struct conn *c, const struct http_request *r)
{
    struct arrival a = {.conn = c, .request = r};
    take_correlation_id(r, a.correlation_id);
    router_match(r->method, r->path, c->on_ops_port, c->on_api_port, &a.match);
    if (r->method == OPTIONS && a.match.allowed_methods) {
        answer_options(&a);
        return;
    }
    if (!a.match.route && a.match.allowed_methods && r->method != HTTP_METHOD_OTHER) {
        refuse_method(&a);
        return;
    }
    struct rest_refusal refusal = refusal_of(&a, ERR_NOT_FOUND);
    if (r->method == HTTP_METHOD_OTHER)
        refusal.err = ERR_NOT_IMPLEMENTED;
    else if (a.match.route)
        refusal.err = check(&a, &refusal.field, &refusal.reason);
    if (a.match.route && refusal.err)
        audit_refusal(&a, refusal.err);
    if (refusal.err)
        rest_refuse_with(&refusal);
    else
        start_flow(&a);
}

void rest_init(void)
{
    is_draining = false;
}

void rest_drain(void)
{
    is_draining = true;
}

void rest_done(void)
{
    rest_call_done();
}
