#include "recovery_bytes.h"

#include <endian.h>

#define VERSION 1

static char *put(char *to, const void *bytes, size_t n)
{
    memcpy(to, bytes, n);
    return to + n;
}

size_t recovery_bytes_head(const struct recovery_state *state, uint64_t first, char out[RECOVERY_HEAD_MAX])
{
    char *to = out;
    uint64_t number = htole64(first);
    *to++ = VERSION;
    to = put(to, state->sid, SID_LENGTH);
    to = put(to, state->owner.b, sizeof state->owner.b);
    to = put(to, &state->note_bytes, 1);
    to = put(to, state->note, state->note_bytes);
    to = put(to, &state->prefix_bytes, 1);
    to = put(to, state->prefix, state->prefix_bytes);
    to = put(to, &number, sizeof number);
    return (size_t)(to - out);
}

/* {NULL,0} when there are not so many; never asked for none, but by lengths. */
static bool take(struct str *rest, size_t n, struct str *out)
{
    if (rest->n < n)
        return false;
    *out = (struct str){rest->p, n};
    rest->p += n;
    rest->n -= n;
    return true;
}

/* After its length. */
static bool take_counted(struct str *rest, size_t max, struct str *out)
{
    struct str length;
    return take(rest, 1, &length) && (uint8_t)length.p[0] <= max && take(rest, (uint8_t)length.p[0], out);
}

static bool is_prefix(struct str prefix)
{
    if (prefix.n == 0)
        return true;
    return prefix.n >= 2 && prefix.p[0] == '/' && memchr(prefix.p, ',', prefix.n) == prefix.p + prefix.n - 1;
}

bool recovery_bytes_read(struct str *rest, struct recovery_head *head)
{
    struct str version, owner, number;
    struct uuid sid;
    if (!take(rest, 1, &version) || version.p[0] != VERSION || !take(rest, SID_LENGTH, &head->sid) ||
        !sid_parse(head->sid, &sid) || !take(rest, sizeof head->owner.b, &owner) ||
        !take_counted(rest, SIO_NOTE_MAX, &head->note) ||
        !take_counted(rest, SIO_NAMESPACE_MAX + 1, &head->prefix) || !is_prefix(head->prefix) ||
        !take(rest, sizeof head->first, &number))
        return false;
    memcpy(head->owner.b, owner.p, owner.n);
    memcpy(&head->first, number.p, number.n);
    head->first = le64toh(head->first);
    return true;
}
