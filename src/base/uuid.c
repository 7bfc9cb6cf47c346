/* UUIDs (RFC 9562). */
#include "conversation/base/uuid.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

/* One system call for 256 identifiers; getrandom never returns less than 256 bytes' worth once the kernel is
 * seeded. */
static uint8_t pool[4096];
static size_t pool_left;

static void pool_fill(void)
{
    size_t n = 0;
    while (n < sizeof pool) {
        ssize_t got = getrandom(pool + n, sizeof pool - n, 0);
        if (got < 0 && errno != EINTR)
            abort(); /* identifiers that can be guessed are worse than no process */
        if (got > 0)
            n += (size_t)got;
    }
    pool_left = sizeof pool;
}

struct uuid uuid_random(void)
{
    struct uuid u;
    if (pool_left < sizeof u.b)
        pool_fill();
    pool_left -= sizeof u.b;
    memcpy(u.b, pool + pool_left, sizeof u.b);
    u.b[6] = (uint8_t)((u.b[6] & 0x0F) | 0x40); /* version 4: RFC 9562 section 5.4 */
    u.b[8] = (uint8_t)((u.b[8] & 0x3F) | 0x80); /* variant: section 4.1 */
    return u;
}

/* Of a hex digit, plus 1; 0 for anything else. */
static const uint8_t hex_values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

static int hex_value(char c)
{
    return hex_values[(uint8_t)c] - 1;
}

static bool is_hyphen_before(size_t byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

bool uuid_parse(struct str text, struct uuid *out)
{
    struct uuid u;
    if (text.n != UUID_TEXT_LENGTH)
        return false;
    const char *p = text.p;
    for (size_t i = 0; i < sizeof u.b; i++) {
        if (is_hyphen_before(i) && *p++ != '-')
            return false;
        int high = hex_value(p[0]);
        int low = hex_value(p[1]);
        if (high < 0 || low < 0)
            return false;
        u.b[i] = (uint8_t)(high << 4 | low);
        p += 2;
    }
    *out = u;
    return true;
}

void uuid_format(const struct uuid *u, char out[UUID_TEXT_LENGTH + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof u->b; i++) {
        if (is_hyphen_before(i))
            *out++ = '-';
        *out++ = digits[u->b[i] >> 4];
        *out++ = digits[u->b[i] & 0x0F];
    }
    *out = '\0';
}

struct uuid_text uuid_text(const struct uuid *u)
{
    struct uuid_text t = {""};
    uuid_format(u, t.z);
    return t;
}
