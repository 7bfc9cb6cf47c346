/* GET /match-request/status: the caller's live request, or the last one. */
#include "flows/handlers.h"

#include "conversation/base/clock.h"
#include "conversation/ports/db.h"

struct status {
    struct match_request request;
};

/* From the begin of the wait to its end; a scheduled request whose time has not come has not waited. */
static int64_t waited_seconds(const struct match_request *r)
{
    int64_t end = clock_now_ms();
    if (r->status == MATCH_MATCHED)
        end = r->matched_at_ms;
    else if (end > r->expires_at_ms)
        end = r->expires_at_ms;
    int64_t waited = end - match_wait_start_ms(r);
    return waited > 0 ? waited / 1000 : 0;
}

static void answer(struct flow *f, const struct match_request *r)
{
    struct jsonw *w = reply_begin(f, 200);
    jsonw_object(w);
    jsonw_key(w, "matchRequest");
    jsonw_object(w);
    jsonw_m_uuid(w, "id", &r->id);
    jsonw_m_z(w, "status", match_status_names[r->status]);
    jsonw_m_uuid_opt(w, "sessionId", &r->session_id);
    jsonw_m_int(w, "waitedSeconds", waited_seconds(r));
    jsonw_m_time(w, "expiresAt", r->expires_at_ms);
    if (r->status == MATCH_MATCHED)
        jsonw_m_int(w, "levelDifference", r->level_difference);
    jsonw_end_object(w);
    jsonw_end_object(w);
    reply_send(f);
}

static void run(struct flow *f)
{
    struct status *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, db_match_request_latest(f, caller_user_id(f), &c->request));
    answer(f, &c->request);
    FLOW_END(f);
fail:
    reply_error(f);
}

const struct handler rest_match_status = {
    .flow = {.name = "match_request.status",
             .run = run,
             .ctx_size = sizeof(struct status),
             .deadline_ms = 3000},
};
