/* Names, language codes and URLs of learners. */
#include "learner_text.h"

#include "conversation/domain/identity.h"

void learner_copy_name(struct str name, char *dst, size_t cap)
{
    dst[0] = '\0';
    for (size_t i = 0; i < name.n; i++) {
        if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7F)
            return;
    }
    while (name.n >= cap) { /* cut between code points: a partner with half a name beats one without */
        name.n--;
        while (name.n && ((unsigned char)name.p[name.n] & 0xC0) == 0x80)
            name.n--;
    }
    (void)str_copy(name, dst, cap);
}

void learner_copy_language(struct str code, char *dst, size_t cap)
{
    dst[0] = '\0';
    if (language_code_is_valid(code))
        (void)str_copy(code, dst, cap);
}

void learner_copy_url(struct str url, char *dst, size_t cap)
{
    dst[0] = '\0';
    struct str rest = url, scheme = str_cut(&rest, ':');
    if (!str_eq_nocase(scheme, STR("https")) && !str_eq_nocase(scheme, STR("http")))
        return;
    if (rest.n < 3 || !str_starts_with(rest, STR("//")))
        return;
    for (size_t i = 0; i < rest.n; i++) {
        if (rest.p[i] <= ' ' || rest.p[i] > '~' || strchr("\"<>\\^`{|}", rest.p[i]))
            return;
    }
    (void)str_copy(url, dst, cap);
}
