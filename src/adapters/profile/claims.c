/* The profile as the caller's token tells it (docs/api.md, "Profiles"). No I/O, yet it reports like every
 * adapter. */
#include <stdio.h>
#include <string.h>

#include "conversation/base/jsonw.h"
#include "conversation/ports/profile.h"

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

static void add_missing(struct jsonw *w, const char *claim, const char *of)
{
    char field[64];
    snprintf(field, sizeof field, "%s%s", claim, of);
    jsonw_object(w);
    jsonw_m_z(w, "field", field);
    jsonw_m_z(w, "reason", "claim missing from the token");
    jsonw_end_object(w);
}

static void fail_missing(struct flow *f, bool has_level, bool has_native, const char *language)
{
    struct buf details = {0};
    struct jsonw w = jsonw_on(&details);
    jsonw_array(&w);
    if (!has_level)
        add_missing(&w, "levels.", language);
    if (!has_native)
        add_missing(&w, "nativeLanguageCode", "");
    jsonw_end_array(&w);
    jsonw_finish(&w);
    flow_set_error_details(f, ERR_INVALID_REQUEST, buf_str(&details));
    buf_done(&details);
}

void profile_get(struct flow *f, const struct identity *who, const char *language, struct profile *out)
{
    struct flow_op *op = flow_op_begin(f);
    const struct identity_level *level = level_for(who, language);
    bool has_native = who->native_language[0] != '\0';
    if (!level || !has_native) {
        fail_missing(f, level != NULL, has_native, language);
        flow_op_done_later(op, ERR_INVALID_REQUEST);
        return;
    }
    *out = (struct profile){.tier = who->tier, .level = level->level};
    memcpy(out->native_language, who->native_language, sizeof out->native_language);
    memcpy(out->display_name, who->display_name, sizeof out->display_name);
    memcpy(out->avatar_url, who->avatar_url, sizeof out->avatar_url);
    memcpy(out->accent, who->accent, sizeof out->accent);
    flow_op_done_later(op, OK);
}
