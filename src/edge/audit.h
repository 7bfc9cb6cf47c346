/* The audit log: who read or changed what is others', by right of a role, or tried to. */
#ifndef EDGE_AUDIT_H
#define EDGE_AUDIT_H

#include "conversation/base/uuid.h"
#include "conversation/codec/fields.h"
#include "conversation/domain/identity.h"

struct audit {
    const char *action;              /* NULL: nothing to tell */
    struct uuid user_id, session_id; /* whom and what it was about; nil: nobody in particular */
};

/* `userId` and `id` (of a session) of the path. */
void audit_take_path(struct audit *a, const struct field_param *params, int count);

/* One line, whatever LOG_LEVEL is. `status` is the HTTP status of the answer. */
void audit_write(const struct audit *a, const struct identity *who, int status, const char *correlation_id);

#endif
