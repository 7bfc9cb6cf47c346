/* Streaming JSON writer (RFC 8259) into a buf: no tree, no allocation beyond the buffer's growth.
 * Commas are the writer's business; nesting must balance (asserted by jsonw_finish). Strings are escaped;
 * they must be valid UTF-8, and invalid bytes are written as U+FFFD. */
#ifndef CONVERSATION_BASE_JSONW_H
#define CONVERSATION_BASE_JSONW_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/base/str.h"
#include "conversation/base/uuid.h"

struct jsonw {
    struct buf *out; /* borrowed; appended to */
    int depth;
    bool need_comma;
};

static inline struct jsonw jsonw_on(struct buf *out)
{
    return (struct jsonw){.out = out};
}

void jsonw_object(struct jsonw *w);
void jsonw_array(struct jsonw *w);
void jsonw_end_object(struct jsonw *w);
void jsonw_end_array(struct jsonw *w);
void jsonw_key(struct jsonw *w, const char *key);
void jsonw_finish(const struct jsonw *w); /* asserts that everything opened was closed */

void jsonw_str(struct jsonw *w, struct str s);
void jsonw_z(struct jsonw *w, const char *z); /* NULL writes null */
void jsonw_int(struct jsonw *w, int64_t i);
void jsonw_double(struct jsonw *w, double d); /* shortest form that reads back the same; not finite: null */
void jsonw_bool(struct jsonw *w, bool b);
void jsonw_null(struct jsonw *w);
void jsonw_uuid(struct jsonw *w, const struct uuid *u);
void jsonw_time(struct jsonw *w, int64_t at_ms);  /* ISO 8601 UTC with milliseconds */
void jsonw_raw(struct jsonw *w, struct str json); /* an already encoded value */

/* Members: key and value in one call. The _opt forms leave the member out when the value is absent. */
void jsonw_m_str(struct jsonw *w, const char *key, struct str s);
void jsonw_m_z(struct jsonw *w, const char *key, const char *z);
void jsonw_m_z_opt(struct jsonw *w, const char *key, const char *z); /* NULL or "": left out */
void jsonw_m_int(struct jsonw *w, const char *key, int64_t i);
void jsonw_m_double(struct jsonw *w, const char *key, double d);
void jsonw_m_bool(struct jsonw *w, const char *key, bool b);
void jsonw_m_uuid(struct jsonw *w, const char *key, const struct uuid *u);
void jsonw_m_uuid_opt(struct jsonw *w, const char *key, const struct uuid *u); /* NULL or nil: left out */
void jsonw_m_time(struct jsonw *w, const char *key, int64_t at_ms);
void jsonw_m_time_opt(struct jsonw *w, const char *key, int64_t at_ms); /* 0: left out */

#endif
