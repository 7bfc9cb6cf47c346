/* Claims to profile (docs/api.md, "Profiles"). */
#include "adapters/profile/claims.h"

#include <stdio.h>
#include <string.h>

#include "conversation/base/jsonw.h"

static const struct identity_level *find_level(const struct identity *who, const char *language, size_t n)
{
    for (int i = 0; i < who->level_count; i++) {
        const char *has = who->levels[i].language;
        if (strlen(has) == n && strncmp(has, language, n) == 0)
            return &who->levels[i];
    }
    return NULL;
}

/* The claim for "en-GB", or else the one for "en". */
static const struct identity_level *level_for(const struct identity *who, const char *language)
{
    const struct identity_level *exact = find_level(who, language, strlen(language));
    return exact ? exact : find_level(who, language, strcspn(language, "-"));
}

bool claims_profile(const struct identity *who, const char *language, struct profile *out)
{
    const struct identity_level *level = level_for(who, language);
    if (!level || !who->native_language[0])
        return false;
    *out = (struct profile){.tier = who->tier, .level = level->level};
    memcpy(out->native_language, who->native_language, sizeof out->native_language);
    memcpy(out->display_name, who->display_name, sizeof out->display_name);
    memcpy(out->avatar_url, who->avatar_url, sizeof out->avatar_url);
    memcpy(out->accent, who->accent, sizeof out->accent);
    return true;
}

static void add_missing(struct jsonw *w, const char *claim, const char *of)
{
    char field[64];
    snprintf(field, sizeof field, "%s%s", claim, of);
    jsonw_object(w);
    jsonw_m_z(w, "field", field);
    jsonw_m_z(w, "reason", "claim missing from the token");
    jsonw_end_object(w);
}

void claims_missing(const struct identity *who, const char *language, struct buf *details)
{
    struct jsonw w = jsonw_on(details);
    jsonw_array(&w);
    if (!level_for(who, language))
        add_missing(&w, "levels.", language);
    if (!who->native_language[0])
        add_missing(&w, "nativeLanguageCode", "");
    jsonw_end_array(&w);
    jsonw_finish(&w);
}
