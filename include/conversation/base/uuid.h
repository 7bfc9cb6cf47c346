/* UUIDs (RFC 9562), held as 16 bytes; text is lower case with hyphens. */
#ifndef CONVERSATION_BASE_UUID_H
#define CONVERSATION_BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "conversation/base/str.h"

#define UUID_TEXT_LENGTH 36

struct uuid {
    uint8_t b[16];
};

struct uuid uuid_random(void);                      /* version 4, from the kernel's generator, buffered */
bool uuid_parse(struct str text, struct uuid *out); /* 8-4-4-4-12 hex digits of either case, any version */
void uuid_format(const struct uuid *u, char out[UUID_TEXT_LENGTH + 1]);

static inline bool uuid_eq(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static inline int uuid_cmp(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->b, b->b, sizeof a->b);
}
int uuid_order(const void *a, const void *b); /* uuid_cmp for qsort and bsearch */

static inline bool uuid_is_nil(const struct uuid *u)
{
    static const struct uuid nil;
    return uuid_eq(u, &nil);
}

/* Text in a temporary that lives to the end of the full expression: for log and printf arguments, not to be
 * kept. */
struct uuid_text {
    char z[UUID_TEXT_LENGTH + 1];
};
struct uuid_text uuid_text(const struct uuid *u);
#define UUIDZ(u) (uuid_text(u).z)

#endif
