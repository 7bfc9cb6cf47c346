/* DELETE /match-request/:id. Cancelling twice gives the same answer twice. */
#include "flows/handlers.h"
#include "flows/matchmaker.h"
#include "flows/user_events.h"

#include <stddef.h>

#include "conversation/base/log.h"
#include "conversation/ports/kv.h"

struct cancel {
    struct uuid id;
    struct db_cancel result;
    enum err ignored; /* of the Redis copy, which expires by itself */
};

static const struct field cancel_fields[] = {
    FIELD_ID_FROM_PATH(offsetof(struct cancel, id)),
    FIELDS_END,
};

static void answer(struct flow *f, const struct cancel *c)
{
    struct jsonw *w = reply_begin(f, 200);
    jsonw_object(w);
    jsonw_key(w, "matchRequest");
    jsonw_object(w);
    jsonw_m_uuid(w, "id", &c->id);
    jsonw_m_z(w, "status", match_status_names[MATCH_CANCELLED]);
    jsonw_end_object(w);
    jsonw_end_object(w);
    reply_send(f);
}

static void run(struct flow *f)
{
    struct cancel *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, db_match_request_cancel(f, &c->id, caller_user_id(f), &c->result));
    if (c->result.request.status == MATCH_MATCHED)
        FLOW_FAIL(f, ERR_ALREADY_MATCHED);
    if (c->result.request.status == MATCH_EXPIRED)
        FLOW_FAIL(f, ERR_MATCH_EXPIRED);
    matchmaker_remove(&c->id, WAIT_CANCELLED);
    user_events_request_cancelled(caller_user_id(f));
    if (c->result.changed)
        AWAIT_TRY(f, &c->ignored, kv_queue_remove(f, &c->id, 1));
    answer(f, c);
    FLOW_END(f);
fail:
    reply_error(f);
}

const struct handler rest_match_cancel = {
    .flow = {.name = "match_request.cancel",
             .run = run,
             .ctx_size = sizeof(struct cancel),
             .deadline_ms = 5000},
    .input = cancel_fields,
};
