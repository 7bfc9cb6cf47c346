/* The auth-service's answer by a field table, so that all that is wrong with one is named at once. */
#include "conversation/codec/learning_profile.h"

#include <stddef.h>

#include "conversation/base/jsonw.h"
#include "conversation/codec/fields.h"
#include "learner_text.h"

struct answer {
    struct uuid user_id, learning_profile_id;
    struct str display_name, avatar_url, native_language, tier, accent;
    int level;
};

#define OF(member) offsetof(struct answer, member)
static const struct field answer_fields[] = {
    {"userId", FIELD_UUID, .is_required = true, .offset = OF(user_id)},
    {"displayName", FIELD_STRING, .is_required = true, .offset = OF(display_name), .max = 2000},
    {"avatarUrl", FIELD_STRING, .offset = OF(avatar_url), .max = 4000},
    {"nativeLanguageCode", FIELD_STRING, .is_required = true, .offset = OF(native_language),
     .valid = language_code_is_valid, .expected = "must be a language code"},
    {"tier", FIELD_STRING, .is_required = true, .offset = OF(tier)},
    {"learningProfileId", FIELD_UUID, .is_required = true, .offset = OF(learning_profile_id)},
    {"level", FIELD_ENUM, .is_required = true, .offset = OF(level), .choices = level_names},
    {"preferredAccent", FIELD_STRING, .offset = OF(accent)},
    FIELDS_END,
};

static void fill(const struct answer *a, struct profile *out)
{
    *out = (struct profile){
        .learning_profile_id = a->learning_profile_id,
        .tier = str_eqz(a->tier, tier_names[TIER_PREMIUM]) ? TIER_PREMIUM : TIER_FREE,
        .level = (enum level)a->level,
    };
    learner_copy_name(a->display_name, out->display_name, sizeof out->display_name);
    learner_copy_url(a->avatar_url, out->avatar_url, sizeof out->avatar_url);
    learner_copy_language(a->native_language, out->native_language, sizeof out->native_language);
    learner_copy_language(a->accent, out->accent, sizeof out->accent);
}

enum err learning_profile_decode(struct str json, const struct uuid *user_id, struct profile *out,
                                 struct arena *arena, struct str *problems)
{
    struct answer a;
    enum err err = fields_decode_json(answer_fields, json, &a, arena, problems);
    if (err)
        return err;
    if (!uuid_eq(&a.user_id, user_id)) {
        *problems = STR("[{\"field\":\"userId\",\"reason\":\"is that of another user\"}]");
        return ERR_INVALID_REQUEST;
    }
    fill(&a, out);
    return OK;
}

void learning_profile_encode(const struct profile *p, const struct uuid *user_id, struct buf *out)
{
    struct jsonw w = jsonw_on(out);
    jsonw_object(&w);
    jsonw_m_uuid(&w, "userId", user_id);
    jsonw_m_z(&w, "displayName", p->display_name);
    jsonw_m_z_opt(&w, "avatarUrl", p->avatar_url);
    jsonw_m_z(&w, "nativeLanguageCode", p->native_language);
    jsonw_m_z(&w, "tier", tier_names[p->tier]);
    jsonw_m_uuid(&w, "learningProfileId", &p->learning_profile_id);
    jsonw_m_z(&w, "level", level_names[p->level]);
    jsonw_m_z_opt(&w, "preferredAccent", p->accent);
    jsonw_end_object(&w);
    jsonw_finish(&w);
}
