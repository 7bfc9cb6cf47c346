/* user.deleted {userId}: the same promise as DELETE /users/me/data. When it is stored, the event is handled.
 */
#include "flows/bus/bus.h"

#include <stddef.h>

#include "conversation/base/log.h"
#include "conversation/ports/db_privacy.h"
#include "flows/job.h"

struct user_deleted {
    struct uuid user_id;
};

static const struct field user_deleted_fields[] = {
    {"userId", FIELD_UUID, .is_required = true, .offset = offsetof(struct user_deleted, user_id)},
    FIELDS_END,
};

static void run(struct flow *f)
{
    struct user_deleted *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, db_erasure_request(f, &c->user_id));
    LOG(LOG_INFO, "privacy.erasure_requested", LOG_UUID("userId", &c->user_id),
        LOG_Z("correlationId", flow_correlation_id(f)));
    job_users_erase_now();
    FLOW_END(f);
fail:;
}

const struct handler bus_user_deleted = {
    .flow = {.name = "user.deleted",
             .run = run,
             .ctx_size = sizeof(struct user_deleted),
             .deadline_ms = 10000},
    .input = user_deleted_fields,
};
