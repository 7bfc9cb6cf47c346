#include "flows/participant_json.h"

void participant_write(struct jsonw *w, const struct participant *p)
{
    jsonw_object(w);
    jsonw_m_uuid(w, "userId", &p->user_id);
    jsonw_m_z(w, "displayName", p->display_name);
    jsonw_m_z_opt(w, "avatarUrl", p->avatar_url);
    jsonw_m_z(w, "nativeLanguageCode", p->native_language);
    jsonw_m_z(w, "targetLanguageCode", p->target_language);
    jsonw_end_object(w);
}
