/* Reading JSON (RFC 8259) without a tree: validates and yields slices of the source text. For the hot paths
 * (Socket.IO packets and the relay), where most of the payload is passed on as it came. Nesting is bounded;
 * strings must be valid UTF-8. No allocation. */
#ifndef CONVERSATION_BASE_JSON_SCAN_H
#define CONVERSATION_BASE_JSON_SCAN_H

#include <stdbool.h>

#include "conversation/base/str.h"
#include "conversation/base/uuid.h"

#define JSON_DEPTH_MAX 32

enum json_type { JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL };

/* Validates the one value at the start of `*rest` (leading white space skipped) and moves past it. `value` is
 * its text. */
bool json_take_value(struct str *rest, struct str *value, enum json_type *type);
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
/* Several of them in one pass: sets `value` and `type` of each; value.p is NULL where there is no such
 * member. */
struct json_wanted {
    struct str key;
    struct str value;
    enum json_type type;
};
void json_members(struct str object, struct json_wanted *wanted, int count);
/* Whether a string with a UUID was found, and which. */
bool json_read_uuid(const struct json_wanted *found, struct uuid *out);

/* Unescapes a valid JSON string (with its quotes) into `out` of `cap` bytes; false when it does not fit. Lone
 * surrogates become U+FFFD. *n is the length written. */
bool json_unescape(struct str string, char *out, size_t cap, size_t *n);

#endif
