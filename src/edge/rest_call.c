/* Answers of REST calls: conversation/edge/reply.h, and errors without a flow. Invariant: a flow answers
 * exactly once, or its client has left. */
#include "rest_call.h"

#include <assert.h>

#include "conversation/base/clock.h"
#include "conversation/base/metrics.h"
#include "cors.h"

static const char json_type[] = "application/json; charset=utf-8";

static struct buf body, headers, details; /* of the answer being written */
static struct jsonw writer;

/* --- what all answers have in common --- */

void rest_add_common_headers(struct buf *out, const char *correlation_id, struct str origin)
{
    buf_addz(out, "X-Correlation-Id: ");
    buf_addz(out, correlation_id);
    buf_addz(out, "\r\n");
    cors_add_headers(out, origin);
}

void rest_count(enum http_method method, const char *route, int status)
{
    const char text[] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10),
                         (char)('0' + status % 10), '\0'};
    metric_add(M_HTTP_REQUESTS, 1, http_method_name(method), route, text);
}

static void write_error_body(enum err err, struct str problems, const char *correlation_id)
{
    const struct err_info *info = err_info(err);
    body.n = 0;
    struct jsonw w = jsonw_on(&body);
    jsonw_object(&w);
    jsonw_m_int(&w, "statusCode", info->http_status);
    jsonw_m_z(&w, "error", err_http_reason(info->http_status));
    jsonw_m_z(&w, "message", info->wire_code);
    if (problems.p) {
        jsonw_key(&w, "details");
        jsonw_raw(&w, problems);
    }
    jsonw_m_z(&w, "correlationId", correlation_id);
    jsonw_end_object(&w);
    jsonw_finish(&w);
}

static void add_error_headers(enum err err, int64_t retry_after_ms)
{
    if (err == ERR_UNAUTHORIZED)
        buf_addz(&headers, "WWW-Authenticate: Bearer\r\n");
    if (err_info(err)->retry_helps) {
        int64_t seconds = retry_after_ms > 1000 ? (retry_after_ms + 999) / 1000 : 1;
        buf_addf(&headers, "Retry-After: %lld\r\n", (long long)seconds);
    }
    buf_addz(&headers, "Cache-Control: no-store\r\n");
}

struct str rest_details(const char *field, const char *reason)
{
    details.n = 0;
    struct jsonw w = jsonw_on(&details);
    jsonw_array(&w);
    jsonw_object(&w);
    if (field)
        jsonw_m_z(&w, "field", field);
    jsonw_m_z(&w, "reason", reason);
    jsonw_end_object(&w);
    jsonw_end_array(&w);
    jsonw_finish(&w);
    return buf_str(&details);
}

void rest_refuse_with(const struct rest_refusal *r)
{
    struct str problems = {NULL, 0};
    int status = err_info(r->err)->http_status;
    if (r->reason)
        problems = rest_details(r->field, r->reason);
    headers.n = 0;
    buf_add_str(&headers, r->headers);
    add_error_headers(r->err, 0);
    rest_add_common_headers(&headers, r->correlation_id, http_header(r->request, "Origin"));
    write_error_body(r->err, problems, r->correlation_id);
    rest_count(r->request->method, r->route, status);
    http_respond(r->conn, &(struct http_response){
                              .status = status,
                              .content_type = json_type,
                              .body = buf_str(&body),
                              .extra_headers = buf_str(&headers),
                              .omit_body = r->request->method == HEAD,
                          });
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

void rest_audit(struct flow *f, const char *action, const struct uuid *user_id, const struct uuid *session_id)
{
    static const struct uuid nil;
    call_of(f)->audit = (struct audit){action, user_id ? *user_id : nil, session_id ? *session_id : nil};
}

struct str rest_idempotency_key(struct flow *f)
{
    return call_of(f)->idempotency_key;
}

struct jsonw *reply_begin(struct flow *f, int http_status)
{
    call_of(f)->caller.status = http_status;
    body.n = 0;
    writer = jsonw_on(&body);
    return &writer;
}

void reply_waited_ms(struct flow *f, int64_t ms)
{
    call_of(f)->waited_ms = ms;
}

/* --- the entity tag --- */

#define LANES      4
#define LANE_PRIME 0x9E3779B185EBCA87u /* odd, so that each step below can be undone: no word is lost */

static void mix(uint64_t lanes[LANES], const char block[LANES * 8])
{
    for (int i = 0; i < LANES; i++) {
        uint64_t word;
        memcpy(&word, block + i * 8, sizeof word);
        lanes[i] = (lanes[i] ^ word) * LANE_PRIME;
        lanes[i] = lanes[i] << 31 | lanes[i] >> 33;
    }
}

/* An entity tag must differ when the body does, it need not resist anybody. Four lanes of 8 bytes, which do
 * not wait for one another: a body of 10 KB takes half a microsecond. */
static uint64_t hash_of(struct str s)
{
    uint64_t lanes[LANES] = {1, 2, 3, 4}, hash = s.n;
    char last[LANES * 8] = {0};
    for (; s.n >= sizeof last; s.p += sizeof last, s.n -= sizeof last)
        mix(lanes, s.p);
    if (s.n)
        memcpy(last, s.p, s.n);
    mix(lanes, last);
    for (int i = 0; i < LANES; i++) {
        hash = (hash ^ lanes[i]) * LANE_PRIME;
        hash ^= hash >> 32;
    }
    return hash;
}

/* Adds the tag; true when the client has this very answer already (RFC 9110 section 13.1.2). */
static bool is_not_modified(const struct rest_call *call, struct str text)
{
    char tag[20];
    int n = snprintf(tag, sizeof tag, "\"%016llx\"", (unsigned long long)hash_of(text));
    buf_addf(&headers, "ETag: %s\r\nCache-Control: private, no-cache\r\n", tag);
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

/* `headers` holds those of the answer's own. */
static void send_answer(struct flow *f, int status, const char *content_type, struct str text)
{
    struct rest_call *call = call_of(f);
    assert(!call->is_answered);
    call->is_answered = true;
    rest_count(call->route->method, call->route->path, status);
    int64_t took_ms = clock_mono_ms() - flow_started_ms(f) - call->waited_ms;
    metric_observe(M_HTTP_DURATION, (double)took_ms / 1000, call->route->path);
    if (call->audit.action)
        audit_write(&call->audit, &call->who, status, flow_correlation_id(f));
    if (!call->conn)
        return;
    rest_add_common_headers(&headers, flow_correlation_id(f), call->origin);
    struct http_response response = {
        .status = status,
        .content_type = content_type,
        .body = text,
        .extra_headers = buf_str(&headers),
        .omit_body = call->is_head,
    };
    if (status == 304)
        response = (struct http_response){.status = 304, .extra_headers = buf_str(&headers)};
    http_respond(call->conn, &response);
}

void reply_raw(struct flow *f, int http_status, const char *content_type, struct str text)
{
    struct rest_call *call = call_of(f);
    headers.n = 0;
    if (!(call->route->flags & ROUTE_ETAG) || http_status != 200)
        buf_addz(&headers, "Cache-Control: no-store\r\n");
    else if (is_not_modified(call, text))
        http_status = 304;
    send_answer(f, http_status, content_type, text);
}

void reply_send(struct flow *f)
{
    jsonw_finish(&writer);
    reply_raw(f, call_of(f)->caller.status, json_type, buf_str(&body));
}

void rest_call_error(struct flow *f)
{
    enum err err = flow_error(f);
    headers.n = 0;
    add_error_headers(err, call_of(f)->retry_after_ms);
    write_error_body(err, flow_error_details(f), flow_correlation_id(f));
    send_answer(f, err_info(err)->http_status, json_type, buf_str(&body));
}

void rest_call_ended(struct flow *f)
{
    const struct rest_call *call = call_of(f);
    assert(call->is_answered || !call->conn);
}

void rest_call_gone(struct flow *f)
{
    call_of(f)->conn = NULL;
    flow_cancel(f, ERR_CANCELLED);
}

void rest_call_done(void)
{
    buf_done(&body);
    buf_done(&headers);
    buf_done(&details);
}
