/* Reading JSON (RFC 8259) without a tree: validates and yields slices of the source text. For the hot paths
 * (Socket.IO packets and the relay), where most of the payload is passed on as it came. Nesting is bounded;
 * strings must be valid UTF-8. No allocation. */
#ifndef CONVERSATION_BASE_JSON_SCAN_H
#define CONVERSATION_BASE_JSON_SCAN_H

#include <stdbool.h>

#include "conversation/base/str.h"
#include "conversation/base/uuid.h"

#define JSON_DEPTH_MAX 32

enum json_type { SCAN_OBJECT, SCAN_ARRAY, SCAN_STRING, SCAN_NUMBER, SCAN_TRUE, SCAN_FALSE, SCAN_NULL };

/* Validates the one value at the start of `*rest` (leading white space skipped) and moves past it. `value` is
 * its text. */
bool json_take_value(struct str *rest, struct str *value, enum json_type *type);
/* The same of a string. *is_plain: it is without escapes. */
bool json_take_string(struct str *rest, struct str *string, bool *is_plain);
/* The whole text is exactly one valid value, white space around allowed. */
bool json_is_valid(struct str text);

/* Iterates a value that is already known to be a valid array or object; a key comes with its quotes:
 *     struct str rest = json_inside(array), item; while (json_next_item(&rest, &item, &type)) …
 *     struct str rest = json_inside(object), key, value; while (json_next_member(&rest, &key, &value, &type))
 * … */
struct str json_inside(struct str array_or_object);
bool json_next_item(struct str *rest, struct str *item, enum json_type *type);
bool json_next_member(struct str *rest, struct str *key, struct str *value, enum json_type *type);

/* The member of a valid object named `key` (keys compared after unescaping; of duplicates the last, as
 * JavaScript does). */
bool json_member(struct str object, const char *key, struct str *value, enum json_type *type);
/* Where the values of a text are, as the pass that validates it finds them: for who then looks for members,
 * and for members of those, without reading the text again. Of a text with JSON_NODES_MAX values or more only
 * the text itself is known, and members are looked for in that. */
#define JSON_NODES_MAX 48
struct json_node {
    struct str value;
    struct str key; /* with its quotes; key.n is 0 for what is no member */
    enum json_type type;
    const struct json_node *next; /* the node after this value and all that is in it */
    bool is_plain, key_is_plain;  /* a string without escapes; its key is one */
};
/* Not to be copied: nodes point to each other. */
struct json_index {
    struct str text;
    bool is_complete;
    struct json_node nodes[JSON_NODES_MAX + 1]; /* the last one takes what does not fit */
};
/* json_take_value, with an index of the value. */
bool json_take_indexed(struct str *rest, enum json_type *type, struct json_index *out);
/* Members of `object`, which json_find has found in this index; NULL: of the whole text, an object. Sets
 * `value` and `type` of each, as json_member does; value.p is NULL where there is no such member. No two are
 * wanted by the same key. */
struct json_wanted {
    struct str key;
    struct str value;
    enum json_type type;
    bool is_plain;                /* a string without escapes; false also where it is not known */
    const struct json_node *node; /* of the value, when the index is complete */
};
void json_find(const struct json_index *index, const struct json_wanted *object, struct json_wanted *wanted,
               int count);

/* Whether a string with a UUID was found, and which. */
bool json_read_uuid(const struct json_wanted *found, struct uuid *out);

/* Unescapes a valid JSON string (with its quotes) into `out` of `cap` bytes; false when it does not fit. Lone
 * surrogates become U+FFFD. *n is the length written. */
bool json_unescape(struct str string, char *out, size_t cap, size_t *n);
/* What a valid JSON string (with its quotes) says: a slice of it, or where it has escapes a text in
 * `scratch`. False when that is longer than `cap`. */
bool json_text(struct str string, char *scratch, size_t cap, struct str *text);
/* The same of a string that was found. */
bool json_wanted_text(const struct json_wanted *found, char *scratch, size_t cap, struct str *text);

#endif
