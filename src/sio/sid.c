/* Random ids: base64url of the first 15 bytes of a random UUID. */
#include "sid.h"

#define SID_BYTES 15

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

struct uuid sid_random(char text[SID_LENGTH + 1])
{
    struct uuid key = uuid_random();
    key.b[SID_BYTES] = 0;
    sid_format(&key, text);
    return key;
}

void sid_format(const struct uuid *key, char text[SID_LENGTH + 1])
{
    for (int i = 0; i < SID_BYTES; i += 3) {
        uint32_t bits = (uint32_t)key->b[i] << 16 | (uint32_t)key->b[i + 1] << 8 | key->b[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            *text++ = digits[bits >> shift & 0x3f];
    }
    *text = '\0';
}

bool sid_parse(struct str text, struct uuid *key)
{
    if (text.n != SID_LENGTH)
        return false;
    struct uuid parsed = {0};
    uint32_t bits = 0;
    for (int i = 0; i < SID_LENGTH; i++) {
        const char *digit = memchr(digits, text.p[i], sizeof digits - 1);
        if (!digit)
            return false;
        bits = bits << 6 | (uint32_t)(digit - digits);
        if (i % 4 < 3)
            continue;
        uint8_t *out = parsed.b + i / 4 * 3;
        out[0] = (uint8_t)(bits >> 16);
        out[1] = (uint8_t)(bits >> 8);
        out[2] = (uint8_t)bits;
    }
    *key = parsed;
    return true;
}
