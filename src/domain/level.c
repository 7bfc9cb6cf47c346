/* CEFR levels, tiers, and the codes of languages and topics. */
#include "conversation/domain/level.h"

const char *const level_names[] = {"A1", "A2", "B1", "B2", "C1", "C2", NULL};
const char *const tier_names[] = {"free", "premium", NULL};

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z');
}

bool level_parse(struct str text, enum level *out)
{
    for (int i = 0; i < LEVEL_COUNT; i++) {
        if (str_eqz(text, level_names[i])) {
            *out = (enum level)i;
            return true;
        }
    }
    return false;
}

enum level level_mean(enum level a, enum level b)
{
    return (enum level)(((int)a + (int)b + 1) / 2);
}

/* The language itself in lower case, the form BCP 47 recommends: one spelling per language, since codes are
 * compared byte by byte. */
bool language_code_is_valid(struct str s)
{
    if (s.n >= LANG_MAX)
        return false;
    size_t i = 0;
    while (i < s.n && is_lower(s.p[i]))
        i++;
    if (i < 2 || i > 3)
        return false;
    while (i < s.n) {
        if (s.p[i++] != '-')
            return false;
        size_t start = i;
        while (i < s.n && is_alnum(s.p[i]))
            i++;
        if (i - start < 2 || i - start > 8)
            return false;
    }
    return true;
}

bool topic_code_is_valid(struct str s)
{
    if (s.n == 0 || s.n >= TOPIC_MAX)
        return false;
    bool in_word = false;
    for (size_t i = 0; i < s.n; i++) {
        if (is_lower(s.p[i]) || is_digit(s.p[i]) || s.p[i] == '_')
            in_word = true;
        else if (s.p[i] == '.' && in_word)
            in_word = false;
        else
            return false;
    }
    return in_word;
}

struct str language_base(struct str code)
{
    return str_cut(&code, '-');
}

bool language_is_same(const char *a, const char *b)
{
    size_t n = strcspn(a, "-");
    return n == strcspn(b, "-") && memcmp(a, b, n) == 0;
}
