/* What REST calls and socket events are given, decoded by the field table of their row. The input's first
 * line names the row, as "POST /api/conversations/match-request" or "EVENT join_session"; the rest is the
 * body. What is decoded keeps to its table, what is refused is told as JSON, and a body means the same
 * however it is spelt. */
#include "fuzz.h"

#include <jansson.h>

#include "conversation/base/uuid.h"
#include "tables.h"

#define TARGET_BYTES      4096 /* of the largest input struct, and some */
#define COMPARE_MAX_BYTES 4096 /* longer bodies may have 2000 values in one spelling and not in the other */
#define QUERY_PARAMS_MAX  32

struct result {
    enum err err;
    struct str details;
    union {
        char bytes[TARGET_BYTES];
        int64_t aligned;
    } target;
};

static const struct field *event_fields(struct str name)
{
    for (const struct event_row *row = event_rows; row->name; row++)
        if (row->handler && str_eqz(name, row->name))
            return row->handler->input;
    return NULL;
}

static enum http_method method_named(struct str name)
{
    enum http_method method = 0;
    while (method < HTTP_METHOD_COUNT && !str_eqz(name, http_method_name(method)))
        method++;
    return method;
}

/* The table of the row that `line` names; NULL: none. */
static const struct field *fields_of(struct str line, struct str *query, struct route_match *match)
{
    struct str method = str_cut(&line, ' ');
    if (str_eqz(method, "EVENT"))
        return event_fields(line);
    *query = line;
    struct str path = str_cut(query, '?');
    router_match(method_named(method), path, true, true, match);
    return match->route ? match->route->handler->input : NULL;
}

/* --- what is decoded --- */

static void check_string(const struct field *row, struct str s)
{
    long length = str_utf8_length(s);
    if (!s.p) {
        assert(!row->is_required);
        return;
    }
    assert(length >= row->min && length <= (row->max ? row->max : 255));
    assert(s.p[s.n] == '\0' && strlen(s.p) == s.n);
    assert(!row->valid || row->valid(s));
}

static void check_member(const struct field *row, const char *member)
{
    int number;
    switch (row->type) {
    case FIELD_STRING: check_string(row, *(const struct str *)member); break;
    case FIELD_BOOL: assert(*member == 0 || *member == 1); break;
    case FIELD_INT:
        memcpy(&number, member, sizeof number);
        assert(number == row->fallback || (row->min == 0 && row->max == 0) ||
               (number >= row->min && number <= row->max));
        break;
    case FIELD_ENUM:
        memcpy(&number, member, sizeof number);
        assert(number >= 0 || number == row->fallback);
        for (int i = 0; i <= number; i++)
            assert(row->choices[i]);
        break;
    case FIELD_UUID:
    case FIELD_TIME: break; /* any value may be */
    }
}

/* [{"field":…,"reason":…},…] */
static void check_details(struct str details)
{
    json_t *list = json_loadb(details.p, details.n, JSON_REJECT_DUPLICATES, NULL), *problem;
    size_t i;
    assert(json_array_size(list) > 0);
    json_array_foreach(list, i, problem)
    {
        assert(json_is_string(json_object_get(problem, "field")) &&
               json_is_string(json_object_get(problem, "reason")));
    }
    json_decref(list);
}

static void check_result(const struct field *fields, enum field_source source, const struct result *r)
{
    if (r->err)
        check_details(r->details);
    for (const struct field *row = fields; row->name && !r->err; row++)
        if (row->source == source)
            check_member(row, r->target.bytes + row->offset);
}

static bool same_member(const struct field *row, const char *a, const char *b)
{
    switch (row->type) {
    case FIELD_STRING: return str_eq(*(const struct str *)a, *(const struct str *)b);
    case FIELD_BOOL: return memcmp(a, b, sizeof(bool)) == 0;
    case FIELD_INT:
    case FIELD_ENUM: return memcmp(a, b, sizeof(int)) == 0;
    case FIELD_UUID: return memcmp(a, b, sizeof(struct uuid)) == 0;
    case FIELD_TIME: return memcmp(a, b, sizeof(int64_t)) == 0;
    }
    return false;
}

static void check_same(const struct field *fields, const struct result *a, const struct result *b)
{
    assert(a->err == b->err);
    assert(a->err == OK || str_eq(a->details, b->details));
    for (const struct field *row = fields; row->name && !a->err; row++)
        assert(row->source != FIELD_FROM_INPUT ||
               same_member(row, a->target.bytes + row->offset, b->target.bytes + row->offset));
}

/* --- the body, and the same body as jansson writes it --- */

/* NULL: no JSON, or too long to compare. */
static json_t *parsed(struct str body)
{
    bool has_zero = body.n && memchr(body.p, '\0', body.n); /* jansson takes one behind a number or word */
    if (has_zero || body.n > COMPARE_MAX_BYTES)
        return NULL;
    return json_loadb(body.p, body.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

static void check_body(const struct field *fields, struct str body, struct arena *arena)
{
    struct result given = {0}, respelt = {0};
    given.err = fields_decode_json(fields, body, &given.target, arena, &given.details);
    check_result(fields, FIELD_FROM_INPUT, &given);
    json_t *tree = parsed(body);
    assert(given.err || body.n == 0 || body.n > COMPARE_MAX_BYTES || json_is_object(tree));
    char *text = json_dumps(tree, JSON_ENSURE_ASCII | JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_INDENT(1));
    if (text) {
        respelt.err = fields_decode_json(fields, str_of(text), &respelt.target, arena, &respelt.details);
        check_same(fields, &given, &respelt);
    }
    free(text);
    json_decref(tree);
}

/* --- queries and paths --- */

static void check_params(const struct field *fields, enum field_source source,
                         const struct field_param *params, int count, struct arena *arena)
{
    struct result given = {0};
    given.err =
        fields_decode_params(fields, source, params, (size_t)count, &given.target, arena, &given.details);
    check_result(fields, source, &given);
}

static void check_query(const struct field *fields, struct str query, struct arena *arena)
{
    struct field_param params[QUERY_PARAMS_MAX];
    int count = query_parse(query, params, QUERY_PARAMS_MAX, arena);
    if (count >= 0)
        check_params(fields, FIELD_FROM_INPUT, params, count, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static bool is_ready;
    struct str body = fuzz_input(data, n), line = str_cut(&body, '\n'), query = {0};
    struct arena arena = {0};
    struct route_match match = {0};
    if (!is_ready)
        routes_init();
    is_ready = true;
    const struct field *fields = fields_of(line, &query, &match);
    if (fields) {
        check_body(fields, body, &arena);
        check_query(fields, query, &arena);
        if (match.route)
            check_params(fields, FIELD_FROM_PATH, match.params, match.param_count, &arena);
    }
    arena_done(&arena);
    return fields ? 0 : -1;
}
