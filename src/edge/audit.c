/* Lines of the audit log: docs/operations.md, "Logs". */
#include "audit.h"

#include <string.h>

#include "conversation/base/log.h"

void audit_take_path(struct audit *a, const struct field_param *params, int count)
{
    for (int i = 0; i < count; i++) {
        bool is_user = strcmp(params[i].name, "userId") == 0;
        (void)uuid_parse(params[i].value, is_user ? &a->user_id : &a->session_id);
    }
}

static const char *outcome_of(int status)
{
    if (status < 400)
        return "granted";
    return status == 401 || status == 403 || status == 404 ? "denied" : "failed";
}

static const char *role_of(const struct identity *who)
{
    return who->roles & ROLE_ADMIN ? "admin" : who->roles & ROLE_MODERATOR ? "moderator" : "none";
}

void audit_write(const struct audit *a, const struct identity *who, int status, const char *correlation_id)
{
    const struct log_field fields[] = {
        LOG_Z("action", a->action),
        LOG_Z("outcome", outcome_of(status)),
        LOG_INT("status", status),
        LOG_UUID("actorId", &who->user_id),
        LOG_Z("role", role_of(who)),
        LOG_UUID("userId", &a->user_id),
        LOG_UUID("sessionId", &a->session_id),
        LOG_Z("correlationId", correlation_id),
    };
    log_write(LOG_INFO, "audit", fields, sizeof fields / sizeof fields[0]);
}
