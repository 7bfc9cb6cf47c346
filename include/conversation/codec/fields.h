/* Field tables: what a request body, query or socket event must look like, one row a field, decoded into a
 * struct. Every problem is reported at once, as the `details` of the error body:
 * [{"field":"topicCode","reason":"required"},…]. */
#ifndef CONVERSATION_CODEC_FIELDS_H
#define CONVERSATION_CODEC_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/base/arena.h"
#include "conversation/base/err.h"
#include "conversation/base/str.h"

enum field_type {
    FIELD_STRING, /* struct str (NUL-terminated, arena); min..max code points; `valid` */
    FIELD_INT,    /* int; min..max; a JSON integer, or decimal digits in a query */
    FIELD_BOOL,   /* bool; true/false */
    FIELD_UUID,   /* struct uuid */
    FIELD_ENUM,   /* int: index into `choices` */
    FIELD_TIME    /* int64_t, ms since 1970: an ISO 8601 date-time with offset */
};

enum field_source { FIELD_FROM_INPUT, FIELD_FROM_PATH }; /* body or query; or a :parameter of the route */

struct field {
    const char *name;
    enum field_type type;
    enum field_source source;
    bool is_required;
    size_t offset;               /* of the member in the target struct */
    int64_t min, max;            /* INT: value; STRING: code points (max 0: 255) */
    int64_t fallback;            /* INT, BOOL, ENUM: value when absent. Others stay zero */
    const char *const *choices;  /* ENUM, NULL-terminated */
    bool (*valid)(struct str s); /* STRING: further check, may be NULL */
    const char *expected;        /* reason when `valid` refuses: "must be a language code such as \"en\"" */
    enum err err;                /* what a bad value is; 0: ERR_INVALID_REQUEST */
};

/* clang-format off */
#define FIELDS_END {.name = NULL}
/* The :id of a route whose ids are UUIDs. */
#define FIELD_ID_FROM_PATH(offset_) \
    {.name = "id", .type = FIELD_UUID, .source = FIELD_FROM_PATH, .is_required = true, .offset = (offset_)}
/* clang-format on */

struct field_param { /* name=value of a query or path */
    const char *name;
    struct str value;
};

/* Decoders: on success every member is set and the result OK. On failure the error is that of the first bad
 * field and *details the JSON array of all of them (in the arena); the target's content is then unspecified.
 * `fields` may be NULL (nothing is expected). Unknown members are ignored; null counts as absent. */

/* `json`: the body or event payload; must be a JSON object ({} is assumed when it is empty and nothing is
 * required). Rows with source PATH are not looked at. */
enum err fields_decode_json(const struct field *fields, struct str json, void *target, struct arena *arena,
                            struct str *details) MUST_CHECK;
/* Rows of the given source from named strings (percent-decoding already done). */
enum err fields_decode_params(const struct field *fields, enum field_source source,
                              const struct field_param *params, size_t count, void *target,
                              struct arena *arena, struct str *details) MUST_CHECK;

/* Splits "a=1&b=%20x" into decoded name/value pairs in the arena (application/x-www-form-urlencoded; of
 * duplicate names the last). Returns the count, or -1 when an escape is malformed, the text is not UTF-8, or
 * there are more than `max`. */
int query_parse(struct str query, struct field_param *out, int max, struct arena *arena);

#endif
