/* UUIDs (RFC 9562). */
#include "conversation/base/uuid.h"

#include <endian.h>
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

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* Eight hex digits at once, one in each byte (every relayed event names two UUIDs). A byte's top bit in the
 * result is set when it is a digit of either case. The sums stay within their bytes, as 0x7f + 0x50 does. */
static uint64_t hex_digits(uint64_t text)
{
    uint64_t low = text & EACH_BYTE(0x7f), lower_case = low | EACH_BYTE(0x20);
    uint64_t is_decimal = (low + EACH_BYTE(0x80 - '0')) & ~(low + EACH_BYTE(0x7f - '9'));
    uint64_t is_letter = (lower_case + EACH_BYTE(0x80 - 'a')) & ~(lower_case + EACH_BYTE(0x7f - 'f'));
    return (is_decimal | is_letter) & ~text;
}

/* The four bytes that eight hex digits say, both in the order of memory. */
static uint32_t hex_value(uint64_t text)
{
    text = le64toh(text);
    uint64_t digits = (text & EACH_BYTE(0x0f)) + 9 * (text >> 6 & EACH_BYTE(1));
    uint64_t pairs = (digits << 4 | digits >> 8) & 0x00ff00ff00ff00ff;
    pairs = (pairs | pairs >> 8) & 0x0000ffff0000ffff;
    return htole32((uint32_t)(pairs | pairs >> 16));
}

bool uuid_parse(struct str text, struct uuid *out)
{
    const char *p = text.p;
    uint64_t digits[4], all = EACH_BYTE(0x80);
    if (text.n != UUID_TEXT_LENGTH || p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-')
        return false;
    memcpy(&digits[0], p, 8);
    memcpy(&digits[1], p + 9, 4);
    memcpy((char *)&digits[1] + 4, p + 14, 4);
    memcpy(&digits[2], p + 19, 4);
    memcpy((char *)&digits[2] + 4, p + 24, 4);
    memcpy(&digits[3], p + 28, 8);
    for (int i = 0; i < 4; i++)
        all &= hex_digits(digits[i]);
    if (all != EACH_BYTE(0x80))
        return false;
    for (int i = 0; i < 4; i++) {
        uint32_t value = hex_value(digits[i]);
        memcpy(out->b + 4 * i, &value, sizeof value);
    }
    return true;
}

/* The eight hex digits of four bytes, both in the order of memory. */
static uint64_t hex_text(const uint8_t bytes[4])
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    uint64_t pairs = le32toh(value);
    pairs = (pairs | pairs << 16) & 0x0000ffff0000ffff;
    pairs = (pairs | pairs << 8) & 0x00ff00ff00ff00ff;
    uint64_t digits = (pairs >> 4 | pairs << 8) & EACH_BYTE(0x0f);
    uint64_t is_letter = (digits + EACH_BYTE(0x80 - 10)) >> 7 & EACH_BYTE(1);
    return htole64(digits + EACH_BYTE('0') + is_letter * ('a' - '0' - 10));
}

void uuid_format(const struct uuid *u, char out[UUID_TEXT_LENGTH + 1])
{
    uint64_t digits[4];
    for (int i = 0; i < 4; i++)
        digits[i] = hex_text(u->b + 4 * i);
    memcpy(out, &digits[0], 8);
    memcpy(out + 9, &digits[1], 4);
    memcpy(out + 14, (char *)&digits[1] + 4, 4);
    memcpy(out + 19, &digits[2], 4);
    memcpy(out + 24, (char *)&digits[2] + 4, 4);
    memcpy(out + 28, &digits[3], 8);
    out[8] = out[13] = out[18] = out[23] = '-';
    out[UUID_TEXT_LENGTH] = '\0';
}

struct uuid_text uuid_text(const struct uuid *u)
{
    struct uuid_text t = {""};
    uuid_format(u, t.z);
    return t;
}

int uuid_order(const void *a, const void *b)
{
    return uuid_cmp(a, b);
}
