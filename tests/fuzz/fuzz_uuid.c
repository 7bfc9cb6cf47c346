/* base/uuid.h against a reading digit by digit; what is read is written again the same, in lower case. */
#include "fuzz.h"

#include <ctype.h>
#include <stdio.h>

#include "conversation/base/uuid.h"

static bool is_uuid(const char *z)
{
    for (size_t i = 0; i < UUID_TEXT_LENGTH; i++) {
        bool is_hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_hyphen ? z[i] != '-' : !isxdigit((unsigned char)z[i]))
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str text = fuzz_input(data, n);
    struct uuid u, before;
    memset(&before, 0x5a, sizeof before);
    u = before;
    bool is_valid = uuid_parse(text, &u);
    assert(is_valid == (n == UUID_TEXT_LENGTH && is_uuid(text.p)));
    if (!is_valid) {
        assert(uuid_eq(&u, &before));
        return 0;
    }
    char again[UUID_TEXT_LENGTH + 1];
    uuid_format(&u, again);
    for (size_t i = 0, digit = 0; i < n; i++) {
        assert(again[i] == tolower((unsigned char)text.p[i]));
        if (text.p[i] == '-')
            continue;
        const char one[] = {text.p[i], '\0'};
        unsigned value = (unsigned)strtoul(one, NULL, 16);
        assert((u.b[digit / 2] >> (digit % 2 ? 0 : 4) & 0xf) == value);
        digit++;
    }
    return 0;
}
