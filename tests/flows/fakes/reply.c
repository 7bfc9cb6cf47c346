/* Records what flows answer. Decoding is the real one. */
#include "flows/fakes/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conversation/base/clock.h"
#include "flows/fakes/json.h"

static struct caller *callers;
static bool is_draining;
static struct buf body;
static struct jsonw writer;

static struct caller *of(struct flow *f)
{
    struct caller *c = flow_caller(f);
    assert_non_null(c); /* a job has nobody to answer */
    return c;
}

static void keep_answer(struct flow *f, int status, struct str text)
{
    struct caller *c = of(f);
    c->answers++;
    c->status = status;
    free(c->body);
    c->body = copy_text(text);
}

/* --- edge/reply.h --- */

bool edge_is_draining(void)
{
    return is_draining;
}

const struct uuid *caller_user_id(struct flow *f)
{
    return &of(f)->who.user_id;
}

const struct identity *rest_identity(struct flow *f)
{
    assert_int_equal(of(f)->socket_id, 0);
    return &of(f)->who;
}

void rest_audit(struct flow *f, const char *action, const struct uuid *user_id, const struct uuid *session_id)
{
    static const struct uuid nil;
    struct caller *c = of(f);
    c->audit.action = action;
    c->audit.user_id = user_id ? *user_id : nil;
    c->audit.session_id = session_id ? *session_id : nil;
}

struct str rest_idempotency_key(struct flow *f)
{
    return of(f)->key ? str_of(of(f)->key) : (struct str){NULL, 0};
}

void reply_error(struct flow *f)
{
    struct caller *c = of(f);
    c->err = flow_error(f);
    assert_int_not_equal(c->err, OK);
    c->details = copy_text(flow_error_details(f));
    keep_answer(f, err_info(c->err)->http_status, (struct str){NULL, 0});
}

static struct jsonw *begin(void)
{
    body.n = 0;
    writer = jsonw_on(&body);
    return &writer;
}

struct jsonw *reply_begin(struct flow *f, int http_status)
{
    assert_int_equal(of(f)->socket_id, 0);
    of(f)->status = http_status;
    return begin();
}

void reply_send(struct flow *f)
{
    jsonw_finish(&writer);
    keep_answer(f, of(f)->status, buf_str(&body));
}

void reply_raw(struct flow *f, int http_status, const char *content_type, struct str text)
{
    of(f)->content_type = strdup(content_type);
    keep_answer(f, http_status, text);
}

void reply_waited_ms(struct flow *f, int64_t ms)
{
    of(f)->waited_ms = ms;
}

uint64_t event_socket(struct flow *f)
{
    assert_int_not_equal(of(f)->socket_id, 0);
    return of(f)->socket_id;
}

int64_t event_token_expires_ms(struct flow *f)
{
    return of(f)->token_expires_ms;
}

struct jsonw *event_ack_begin(struct flow *f)
{
    assert_int_not_equal(of(f)->socket_id, 0);
    jsonw_object(begin());
    jsonw_m_z(&writer, "status", "ok");
    return &writer;
}

void event_ack_send(struct flow *f)
{
    jsonw_end_object(&writer);
    jsonw_finish(&writer);
    keep_answer(f, 0, buf_str(&body));
}

/* --- calls --- */

struct start {
    struct caller *caller;
    const struct handler *handler;
    const struct call_input *input;
};

static enum err decode_json(struct flow *f, const struct start *s, struct str *details)
{
    char *json = json_of_quoted(s->input->body);
    struct str copy = arena_str(flow_arena(f), str_of(json));
    free(json);
    return fields_decode_json(s->handler->input, copy, flow_ctx(f), flow_arena(f), details);
}

static enum err decode_query(struct flow *f, const struct start *s, struct str *details)
{
    struct field_param query[32];
    int n = query_parse(str_of(s->input->query ? s->input->query : ""), query, 32, flow_arena(f));
    assert_in_range(n, 0, 32);
    return fields_decode_params(s->handler->input, FIELD_FROM_INPUT, query, (size_t)n, flow_ctx(f),
                                flow_arena(f), details);
}

static enum err decode(struct flow *f, const struct start *s, struct str *details)
{
    struct field_param path[3];
    size_t n = 0;
    if (s->input->id)
        path[n++] = (struct field_param){"id", str_of(s->input->id)};
    if (s->input->code)
        path[n++] = (struct field_param){"code", str_of(s->input->code)};
    if (s->input->whom)
        path[n++] = (struct field_param){"userId", str_of(s->input->whom)};
    enum err err = fields_decode_params(s->handler->input, FIELD_FROM_PATH, path, n, flow_ctx(f),
                                        flow_arena(f), details);
    if (err)
        return err;
    return s->input->body ? decode_json(f, s, details) : decode_query(f, s, details);
}

static void prepare(struct flow *f, void *arg)
{
    const struct start *s = arg;
    struct str details = {NULL, 0};
    enum err err = decode(f, s, &details);
    if (err)
        flow_set_error_details(f, err, details);
}

static void ended(struct flow *f)
{
    of(f)->flow = NULL;
}

struct caller *caller_of(const char *user_id)
{
    struct caller *c = calloc(1, sizeof *c);
    assert_non_null(c);
    assert_true(uuid_parse(str_of(user_id), &c->who.user_id));
    c->token_expires_ms = clock_now_ms() + 3600000;
    c->next = callers;
    callers = c;
    return c;
}

void caller_start(struct caller *c, const struct handler *handler, const struct call_input *input)
{
    struct start s = {.caller = c, .handler = handler, .input = input};
    c->key = input->key;
    c->flow = flow_start(&(struct flow_start){.spec = &handler->flow,
                                              .correlation_id = "correlation-1",
                                              .caller = c,
                                              .done = ended,
                                              .before = prepare,
                                              .before_arg = &s});
}

struct caller *rest_call_of(const char *user_id, const struct handler *handler,
                            const struct call_input *input)
{
    struct caller *c = caller_of(user_id);
    caller_start(c, handler, input);
    return c;
}

struct caller *event_call(const char *user_id, uint64_t socket_id, const struct handler *handler,
                          const char *payload)
{
    struct caller *c = caller_of(user_id);
    c->socket_id = socket_id;
    caller_start(c, handler, &(struct call_input){.body = payload});
    return c;
}

static const char *name_of(enum err err)
{
    return err ? err_info(err)->name : "OK";
}

void assert_answer_at(const struct caller *c, enum err err, int status, const char *json, const char *file,
                      int line)
{
    const char *have = c->err ? c->details : c->body;
    if (c->answers != 1 || c->err != err || c->status != status || (!json && have)) {
        print_error("%s:%d: %d answers, %s, status %d: %s\nwanted one, %s, status %d: %s\n", file, line,
                    c->answers, name_of(c->err), c->status, have ? have : "nothing", name_of(err), status,
                    json ? json : "nothing");
        _fail(file, line);
    }
    if (json)
        assert_json_at(have, json, file, line);
    _assert_true(c->flow == NULL, "the flow has ended", file, line);
}

void reply_set_draining(bool is)
{
    is_draining = is;
}

void reply_reset(void)
{
    while (callers) {
        struct caller *c = callers;
        callers = c->next;
        free(c->body);
        free(c->details);
        free(c->content_type);
        free(c);
    }
    buf_done(&body);
    is_draining = false;
}
