/* Field tables. A JSON member and a query parameter both become a `struct value`; from there one decoder a
 * type checks it and stores the member. A decoder answers with the reason for refusing, or NULL. */
#include "conversation/codec/fields.h"

#include <assert.h>
#include <jansson.h>
#include <limits.h>

#include "conversation/base/clock.h"
#include "conversation/base/jsonw.h"

#define STRING_MAX_DEFAULT 255
#define VALUES_MAX         2000 /* in one body, unknown members included */

struct value {
    enum { VALUE_ABSENT, VALUE_TEXT, VALUE_INT, VALUE_BOOL, VALUE_OTHER } kind;
    struct str text; /* of the JSON tree or the query: borrowed */
    int64_t integer; /* INT; BOOL: 0 or 1 */
};

/* --- reasons --- */

static const char *integer_reason(const struct field *row, struct arena *arena)
{
    if (row->min == 0 && row->max == 0)
        return "must be an integer";
    return arena_fmt(arena, "must be an integer from %lld to %lld", (long long)row->min, (long long)row->max)
        .p;
}

static const char *choices_reason(const struct field *row, struct arena *arena)
{
    struct buf reason = {0};
    for (int i = 0; row->choices[i]; i++)
        buf_addf(&reason, "%s%s", i ? ", " : "must be one of ", row->choices[i]);
    const char *z = arena_strz(arena, buf_str(&reason));
    buf_done(&reason);
    return z;
}

static const char *length_reason(const struct field *row, long length, struct arena *arena)
{
    int64_t max = row->max ? row->max : STRING_MAX_DEFAULT;
    if (length < 0)
        return "must be valid UTF-8";
    if (length > max)
        return arena_fmt(arena, "must be at most %lld characters", (long long)max).p;
    if (length >= row->min)
        return NULL;
    return length == 0 ? "must not be empty"
                       : arena_fmt(arena, "must be at least %lld characters", (long long)row->min).p;
}

/* --- one decoder a type: NULL, or why the value is refused --- */

typedef const char *decode_fn(const struct field *row, const struct value *value, void *member,
                              struct arena *arena);

static const char *decode_string(const struct field *row, const struct value *value, void *member,
                                 struct arena *arena)
{
    if (value->kind != VALUE_TEXT)
        return "must be a string";
    if (value->text.n &&
        memchr(value->text.p, '\0', value->text.n)) /* neither PostgreSQL's text nor a C string holds one */
        return "must not contain U+0000";
    const char *reason = length_reason(row, str_utf8_length(value->text), arena);
    if (reason)
        return reason;
    if (row->valid && !row->valid(value->text))
        return row->expected ? row->expected : "is not valid";
    *(struct str *)member = arena_str(arena, value->text);
    return NULL;
}

static const char *decode_int(const struct field *row, const struct value *value, void *member,
                              struct arena *arena)
{
    bool has_range = row->min != 0 || row->max != 0;
    int64_t min = has_range ? row->min : INT_MIN, max = has_range ? row->max : INT_MAX;
    assert(min >= INT_MIN && max <= INT_MAX);
    if (value->kind != VALUE_INT || value->integer < min || value->integer > max)
        return integer_reason(row, arena);
    *(int *)member = (int)value->integer;
    return NULL;
}

static const char *decode_bool(const struct field *row, const struct value *value, void *member,
                               struct arena *arena)
{
    (void)row;
    (void)arena;
    if (value->kind != VALUE_BOOL)
        return "must be true or false";
    *(bool *)member = value->integer != 0;
    return NULL;
}

static const char *decode_uuid(const struct field *row, const struct value *value, void *member,
                               struct arena *arena)
{
    (void)row;
    (void)arena;
    if (value->kind != VALUE_TEXT || !uuid_parse(value->text, member))
        return "must be a UUID";
    return NULL;
}

static const char *decode_enum(const struct field *row, const struct value *value, void *member,
                               struct arena *arena)
{
    for (int i = 0; value->kind == VALUE_TEXT && row->choices[i]; i++) {
        if (str_eqz(value->text, row->choices[i])) {
            *(int *)member = i;
            return NULL;
        }
    }
    return choices_reason(row, arena);
}

static const char *decode_time(const struct field *row, const struct value *value, void *member,
                               struct arena *arena)
{
    (void)row;
    (void)arena;
    if (value->kind != VALUE_TEXT || !clock_parse_iso(value->text, member))
        return "must be an ISO 8601 date-time with an offset, such as 2025-01-15T10:30:00Z";
    return NULL;
}

static decode_fn *const decoders[] = {
    [FIELD_STRING] = decode_string, [FIELD_INT] = decode_int,   [FIELD_BOOL] = decode_bool,
    [FIELD_UUID] = decode_uuid,     [FIELD_ENUM] = decode_enum, [FIELD_TIME] = decode_time,
};

static void store_absent(const struct field *row, void *member)
{
    switch (row->type) {
    case FIELD_STRING: *(struct str *)member = (struct str){0}; break;
    case FIELD_INT:
    case FIELD_ENUM: *(int *)member = (int)row->fallback; break;
    case FIELD_BOOL: *(bool *)member = row->fallback != 0; break;
    case FIELD_UUID: *(struct uuid *)member = (struct uuid){0}; break;
    case FIELD_TIME: *(int64_t *)member = 0; break;
    }
}

static const char *decode_row(const struct field *row, const struct value *value, void *target,
                              struct arena *arena)
{
    void *member = (char *)target + row->offset;
    if (value->kind != VALUE_ABSENT)
        return decoders[row->type](row, value, member, arena);
    if (row->is_required)
        return "required";
    store_absent(row, member);
    return NULL;
}

/* --- all problems of an input, as JSON --- */

struct problems {
    struct buf json;
    struct jsonw w;
    enum err first; /* OK: none yet */
};

static void add_problem(struct problems *p, const char *field, const char *reason, enum err err)
{
    if (!p->first) {
        p->first = err ? err : ERR_INVALID_REQUEST;
        p->w = jsonw_on(&p->json);
        jsonw_array(&p->w);
    }
    jsonw_object(&p->w);
    jsonw_m_z(&p->w, "field", field);
    jsonw_m_z(&p->w, "reason", reason);
    jsonw_end_object(&p->w);
}

static enum err end_problems(struct problems *p, struct arena *arena, struct str *details)
{
    if (!p->first)
        return OK;
    jsonw_end_array(&p->w);
    jsonw_finish(&p->w);
    *details = arena_str(arena, buf_str(&p->json));
    buf_done(&p->json);
    return p->first;
}

static enum err refuse_body(const char *reason, struct arena *arena, struct str *details)
{
    struct problems problems = {0};
    add_problem(&problems, "body", reason, ERR_INVALID_REQUEST);
    return end_problems(&problems, arena, details);
}

/* --- JSON --- */

static struct value value_of_json(const json_t *json)
{
    if (!json || json_is_null(json))
        return (struct value){.kind = VALUE_ABSENT};
    switch (json_typeof(json)) {
    case JSON_STRING:
        return (struct value){.kind = VALUE_TEXT,
                              .text = {json_string_value(json), json_string_length(json)}};
    case JSON_INTEGER: return (struct value){.kind = VALUE_INT, .integer = json_integer_value(json)};
    case JSON_TRUE:
    case JSON_FALSE: return (struct value){.kind = VALUE_BOOL, .integer = json_is_true(json)};
    default: return (struct value){.kind = VALUE_OTHER};
    }
}

/* Valid JSON may hold a number that fits neither int64_t nor double; the parser stops there, so the member
 * has no name. */
static const char *syntax_reason(const json_error_t *at, struct arena *arena)
{
    const char *what =
        json_error_code(at) == json_error_numeric_overflow ? "number out of range" : "not valid JSON";
    return arena_fmt(arena, "%s at line %d, column %d", what, at->line, at->column).p;
}

/* The parser makes some 200 bytes of `{},`: a large body of nothing else would hold up the loop. Counted
 * before it runs, and roughly: text within strings counts too. Bounds the nesting as well. */
static bool has_too_many_values(struct str json)
{
    int count = 0;
    for (size_t i = 0; i < json.n; i++)
        count += json.p[i] == ',' || json.p[i] == '[' || json.p[i] == '{';
    return count > VALUES_MAX;
}

enum err fields_decode_json(const struct field *fields, struct str json, void *target, struct arena *arena,
                            struct str *details)
{
    struct problems problems = {0};
    json_t *root = NULL; /* NULL stands for {} */
    json_error_t at;
    if (!fields)
        return OK;
    if (has_too_many_values(json))
        return refuse_body("must not hold more than 2000 values", arena, details);
    if (json.n && memchr(json.p, '\0', json.n)) /* jansson skips one behind a number or word */
        return refuse_body("not valid JSON: a zero byte", arena, details);
    if (json.n) {
        root = json_loadb(json.p, json.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &at);
        if (!root)
            return refuse_body(syntax_reason(&at, arena), arena, details);
        if (!json_is_object(root)) {
            json_decref(root);
            return refuse_body("must be a JSON object", arena, details);
        }
    }
    for (const struct field *row = fields; row->name; row++) {
        if (row->source != FIELD_FROM_INPUT)
            continue;
        struct value value = value_of_json(json_object_get(root, row->name));
        const char *reason = decode_row(row, &value, target, arena);
        if (reason)
            add_problem(&problems, row->name, reason, row->err);
    }
    json_decref(root);
    return end_problems(&problems, arena, details);
}

/* --- query and path parameters --- */

/* Text is read as what the row expects: everything comes as text here. */
static struct value value_of_text(const struct field *row, struct str text)
{
    struct value value = {.kind = VALUE_TEXT, .text = text};
    if (row->type == FIELD_INT) {
        value.kind = str_to_int(text, INT64_MIN, INT64_MAX, &value.integer) ? VALUE_INT : VALUE_OTHER;
    } else if (row->type == FIELD_BOOL) {
        value.integer = str_eqz(text, "true");
        value.kind = value.integer || str_eqz(text, "false") ? VALUE_BOOL : VALUE_OTHER;
    }
    return value;
}

static struct value value_of_param(const struct field *row, const struct field_param *params, size_t count)
{
    for (size_t i = count; i-- > 0;) { /* of duplicates the last */
        if (strcmp(params[i].name, row->name) == 0)
            return value_of_text(row, params[i].value);
    }
    return (struct value){.kind = VALUE_ABSENT};
}

enum err fields_decode_params(const struct field *fields, enum field_source source,
                              const struct field_param *params, size_t count, void *target,
                              struct arena *arena, struct str *details)
{
    struct problems problems = {0};
    for (const struct field *row = fields; row && row->name; row++) {
        if (row->source != source)
            continue;
        struct value value = value_of_param(row, params, count);
        const char *reason = decode_row(row, &value, target, arena);
        if (reason)
            add_problem(&problems, row->name, reason, row->err);
    }
    return end_problems(&problems, arena, details);
}
