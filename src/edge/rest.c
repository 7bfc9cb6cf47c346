/* REST dispatch: enforces the columns of the route table (auth, rate limit, input) and writes answers. Invariant: a flow started here answers
 * exactly once, or its client has left. */
#include "rest.h"

#include <assert.h>

#include "caller.h"
#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "cors.h"
#include "gate.h"

struct rest_call {
    struct caller caller; /* first: flow_caller() is one */
    struct conn *conn;    /* NULL once the client has left */
    const struct route *route;
    struct identity who;
    struct str origin, if_none_match;
    int64_t retry_after_ms;
    bool is_head, is_answered;
};

/* What is known of a request before it has a flow. */
struct arrival {
    struct conn *conn;
    const struct http_request *request;
    struct route_match match;
    struct identity who;
    char correlation_id[CORRELATION_ID_MAX + 1];
};

static bool is_draining;
static struct buf body, extra; /* of the answer being written */
static struct jsonw writer;

bool edge_is_draining(void)
{
    return is_draining;
}

/* --- answers --- */

static void add_common_headers(const char *correlation_id, struct str origin)
{
    buf_addf(&extra, "X-Correlation-Id: %s\r\n", correlation_id);
    cors_add_headers(&extra, origin);
}

static void write_error_body(enum err err, struct str details, const char *correlation_id)
{
    const struct err_info *info = err_info(err);
    body.n = 0;
    struct jsonw w = jsonw_on(&body);
    jsonw_object(&w);
    jsonw_m_int(&w, "statusCode", info->http_status);
    jsonw_m_z(&w, "error", err_http_reason(info->http_status));
    jsonw_m_z(&w, "message", info->wire_code);
    if (details.p) {
        jsonw_key(&w, "details");
        jsonw_raw(&w, details);
    }
    jsonw_m_z(&w, "correlationId", correlation_id);
    jsonw_end_object(&w);
}

static void add_error_headers(enum err err, int64_t retry_after_ms)
{
    if (err == ERR_UNAUTHORIZED)
        buf_addz(&extra, "WWW-Authenticate: Bearer\r\n");
    if (err_info(err)->retry_helps)
        buf_addf(&extra, "Retry-After: %lld\r\n", (long long)(retry_after_ms > 1000 ? (retry_after_ms + 999) / 1000 : 1));
    buf_addz(&extra, "Cache-Control: no-store\r\n");
}

static void count(enum http_method method, const char *route, int status, int64_t started_ms)
{
    char text[4];
    snprintf(text, sizeof text, "%d", status);
    metric_add(M_HTTP_REQUESTS, 1, router_method_name(method), route, text);
    if (started_ms)
        metric_observe(M_HTTP_DURATION, (double)(clock_mono_ms() - started_ms) / 1000, route);
}

/* --- answers of a flow --- */

static struct rest_call *call_of(struct flow *f)
{
    return flow_caller(f);
}

const struct identity *rest_identity(struct flow *f)
{
    return &call_of(f)->who;
}

struct jsonw *reply_begin(struct flow *f, int http_status)
{
    call_of(f)->caller.status = http_status;
    body.n = 0;
    writer = jsonw_on(&body);
    return &writer;
}

void reply_retry_after_ms(struct flow *f, int64_t ms)
{
    call_of(f)->retry_after_ms = ms;
}

/* FNV-1a: an entity tag must differ when the body does, it need not resist anybody. */
static uint64_t hash_of(struct str s)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < s.n; i++)
        hash = (hash ^ (uint8_t)s.p[i]) * 1099511628211u;
    return hash;
}

/* Adds the tag; true when the client has this very answer already (RFC 9110 section 13.1.2). */
static bool is_not_modified(const struct rest_call *call, struct str text)
{
    char tag[20];
    int n = snprintf(tag, sizeof tag, "\"%016llx\"", (unsigned long long)hash_of(text));
    buf_addf(&extra, "ETag: %s\r\nCache-Control: private, no-cache\r\n", tag);
    struct str rest = call->if_none_match;
    while (rest.p) {
        struct str candidate = str_trim(str_cut(&rest, ','), " \t");
        if (str_starts_with(candidate, STR("W/")))
            candidate = (struct str){candidate.p + 2, candidate.n - 2};
        if (str_eqz(candidate, "*") || str_eq(candidate, (struct str){tag, (size_t)n}))
            return true;
    }
    return false;
}

/* `extra` may hold headers of the answer's own. */
static void send_answer(struct flow *f, int status, const char *content_type, struct str text)
{
    struct rest_call *call = call_of(f);
    assert(!call->is_answered);
    call->is_answered = true;
    count(call->route->method, call->route->path, status, flow_started_ms(f));
    if (!call->conn)
        return;
    add_common_headers(flow_correlation_id(f), call->origin);
    struct http_response response = {
        .status = status,
        .content_type = content_type,
        .body = text,
        .extra_headers = buf_str(&extra),
        .omit_body = call->is_head,
    };
    if (status == 304)
        response = (struct http_response){.status = 304, .extra_headers = buf_str(&extra)};
    http_respond(call->conn, &response);
}

void reply_raw(struct flow *f, int http_status, const char *content_type, struct str text)
{
    struct rest_call *call = call_of(f);
    extra.n = 0;
    if (!(call->route->flags & ROUTE_ETAG) || http_status != 200)
        buf_addz(&extra, "Cache-Control: no-store\r\n");
    else if (is_not_modified(call, text))
        http_status = 304;
    send_answer(f, http_status, content_type, text);
}

void reply_send(struct flow *f)
{
    jsonw_finish(&writer);
    reply_raw(f, call_of(f)->caller.status, "application/json; charset=utf-8", buf_str(&body));
}

static void answer_error(struct flow *f)
{
    struct rest_call *call = call_of(f);
    enum err err = flow_error(f);
    extra.n = 0;
    add_error_headers(err, call->retry_after_ms);
    write_error_body(err, flow_error_details(f), flow_correlation_id(f));
    send_answer(f, err_info(err)->http_status, "application/json; charset=utf-8", buf_str(&body));
}

static void flow_ended(struct flow *f)
{
    struct rest_call *call = call_of(f);
    if (call->conn)
        assert(call->is_answered);
}

void rest_gone(struct conn *c, void *answering)
{
    struct flow *f = answering;
    (void)c;
    call_of(f)->conn = NULL;
    flow_cancel(f, ERR_CANCELLED);
}

/* --- answers without a flow --- */

static struct str details_of(const char *field, const char *reason)
{
    static struct buf text;
    if (!reason)
        return (struct str){NULL, 0};
    text.n = 0;
    struct jsonw w = jsonw_on(&text);
    jsonw_array(&w);
    jsonw_object(&w);
    if (field)
        jsonw_m_z(&w, "field", field);
    jsonw_m_z(&w, "reason", reason);
    jsonw_end_object(&w);
    jsonw_end_array(&w);
    return buf_str(&text);
}

static bool correlation_id_is_well_formed(struct str s)
{
    if (s.n == 0 || s.n > CORRELATION_ID_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= '0' && s.p[i] <= '9') ||
              memchr("-_.:", s.p[i], 4)))
            return false;
    return true;
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

/* `extra` may hold headers of the error's own. */
static void refuse(const struct arrival *a, enum err err, const char *field, const char *reason)
{
    const struct route *route = a->match.route;
    add_error_headers(err, 0);
    add_common_headers(a->correlation_id, http_header(a->request, "Origin"));
    write_error_body(err, details_of(field, reason), a->correlation_id);
    count(a->request->method, route ? route->path : "none", err_info(err)->http_status, 0);
    http_respond(a->conn, &(struct http_response){
                              .status = err_info(err)->http_status,
                              .content_type = "application/json; charset=utf-8",
                              .body = buf_str(&body),
                              .extra_headers = buf_str(&extra),
                              .omit_body = a->request->method == HEAD,
                          });
}

void rest_refuse(struct conn *c, const struct http_request *r, enum err err, const char *reason)
{
    struct arrival a = {.conn = c, .request = r};
    take_correlation_id(r, a.correlation_id);
    extra.n = 0;
    refuse(&a, err, NULL, reason);
}

/* --- the columns --- */

/* OPTIONS, and methods that the path does not have. */
static bool answer_method(struct arrival *a)
{
    extra.n = 0;
    if (a->request->method == OPTIONS && a->match.allowed_methods) {
        buf_addz(&extra, "Allow: ");
        router_allow(a->match.allowed_methods, &extra);
        buf_addz(&extra, "\r\n");
        cors_add_preflight(&extra, a->request, a->match.allowed_methods);
        add_common_headers(a->correlation_id, http_header(a->request, "Origin"));
        http_respond(a->conn, &(struct http_response){.status = 204, .extra_headers = buf_str(&extra)});
        return true;
    }
    if (a->match.route)
        return false;
    if (!a->match.allowed_methods) {
        refuse(a, ERR_NOT_FOUND, NULL, NULL);
        return true;
    }
    buf_addz(&extra, "Allow: ");
    router_allow(a->match.allowed_methods, &extra);
    buf_addz(&extra, "\r\n");
    refuse(a, ERR_METHOD_NOT_ALLOWED, NULL, NULL);
    return true;
}

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
    return gate_verify(token, &a->who, reason);
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

/* --- from the arrival to the flow --- */

static enum err decode(struct flow *f, const struct arrival *a, struct str *details)
{
    const struct field *fields = a->match.route->handler->input;
    struct field_param query[32];
    enum err err = fields_decode_params(fields, FIELD_FROM_PATH, a->match.params, (size_t)a->match.param_count,
                                        flow_ctx(f), flow_arena(f), details);
    if (err)
        return err;
    if (may_have_body(a->match.route))
        return fields_decode_json(fields, a->request->body, flow_ctx(f), flow_arena(f), details);
    int n = query_parse(a->request->query, query, sizeof query / sizeof query[0], flow_arena(f));
    if (n < 0) {
        *details = details_of("query", "malformed query string");
        return ERR_INVALID_REQUEST;
    }
    return fields_decode_params(fields, FIELD_FROM_INPUT, query, (size_t)n, flow_ctx(f), flow_arena(f), details);
}

/* flow_start's `before`: everything that is copied from the request, then the rate limit. */
static void prepare(struct flow *f, void *arg)
{
    const struct arrival *a = arg;
    struct rest_call *call = ARENA_NEW(flow_arena(f), struct rest_call);
    struct str details = {NULL, 0};
    call->caller = (struct caller){.user_id = a->who.user_id, .error = answer_error};
    call->conn = a->conn;
    call->route = a->match.route;
    call->who = a->who;
    call->is_head = a->request->method == HEAD;
    call->origin = arena_str(flow_arena(f), http_header(a->request, "Origin"));
    call->if_none_match = http_header(a->request, "If-None-Match");
    if (call->if_none_match.p)
        call->if_none_match = arena_str(flow_arena(f), call->if_none_match);
    flow_set_caller(f, call);
    enum err err = decode(f, a, &details);
    if (err)
        flow_set_error_details(f, err, details);
    else if (call->route->limit && call->route->limit->limit > 0)
        kv_rate_take(f, call->route->limit, &a->who.user_id, &call->retry_after_ms);
}

static enum err check(struct arrival *a, const char **field, const char **reason)
{
    enum err err;
    if (is_draining && !(a->match.route->flags & ROUTE_OPS)) {
        *reason = "the service is shutting down";
        return ERR_DRAINING;
    }
    *field = "Authorization";
    err = check_auth(a, reason);
    if (err)
        return err;
    *field = "Content-Type";
    *reason = "must be application/json";
    if (a->request->has_body && may_have_body(a->match.route) &&
        !is_json(http_header(a->request, "Content-Type")))
        return ERR_UNSUPPORTED_MEDIA;
    return OK;
}

void rest_request(struct conn *c, const struct http_request *r)
{
    struct arrival a = {.conn = c, .request = r};
    const char *field = NULL, *reason = NULL;
    take_correlation_id(r, a.correlation_id);
    router_match(r->method, r->path, c->on_ops_port, c->on_api_port, &a.match);
    if (answer_method(&a))
        return;
    enum err err = check(&a, &field, &reason);
    if (err) {
        refuse(&a, err, field, reason);
        return;
    }
    struct flow *f = flow_start(&(struct flow_start){
        .spec = &a.match.route->handler->flow,
        .correlation_id = a.correlation_id,
        .done = flow_ended,
        .before = prepare,
        .before_arg = &a,
    });
    http_set_answering(c, f);
}

void rest_drain(void)
{
    is_draining = true;
}

void rest_done(void)
{
    buf_done(&body);
    buf_done(&extra);
}
