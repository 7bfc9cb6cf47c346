/* A flag's members. */
#include "moderation_flag_json.h"

void flag_write(struct jsonw *w, const struct db_flag *flag)
{
    jsonw_m_uuid(w, "id", &flag->id);
    jsonw_m_uuid(w, "userId", &flag->user_id);
    jsonw_m_int(w, "reporterCount", flag->reporter_count);
    jsonw_m_time(w, "createdAt", flag->created_at_ms);
    jsonw_m_time_opt(w, "reviewedAt", flag->reviewed_at_ms);
    jsonw_m_uuid_opt(w, "reviewedBy", &flag->reviewed_by);
    if (flag->decision >= 0)
        jsonw_m_z(w, "decision", flag_decision_names[flag->decision]);
    jsonw_m_z_opt(w, "notes", flag->notes);
}
