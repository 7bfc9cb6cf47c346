/* match.expire: requests whose time is over become expired in the database, and their users are told; tried
 * until the database has answered. */
#include "flows/job.h"
#include "flows/match_metrics.h"
#include "flows/matchmaker.h"
#include "flows/user_events.h"

#include "conversation/base/jsonw.h"
#include "conversation/base/log.h"
#include "conversation/ports/kv.h"

struct match_expire {
    struct uuid *ids; /* the flow's arena */
    size_t count;
    struct db_match_requests expired;
    enum err err;
    enum err ignored; /* of the Redis copies, which run out by themselves */
};

static void announce(struct flow *f, const struct match_expire *c)
{
    struct buf text = {0};
    for (size_t i = 0; i < c->expired.count; i++) {
        const struct match_request *r = &c->expired.items[i];
        matchmaker_remove(&r->id, WAIT_EXPIRED);
        text.n = 0;
        struct jsonw w = jsonw_on(&text);
        jsonw_object(&w);
        jsonw_m_uuid(&w, "matchRequestId", &r->id);
        jsonw_end_object(&w);
        user_events_send(&r->user_id, "match_expired", buf_str(&text));
        const char *reason = match_metrics_expired(r->target_language);
        LOG(LOG_WARN, "match.expired", LOG_UUID("matchRequestId", &r->id), LOG_UUID("userId", &r->user_id),
            LOG_Z("language", r->target_language), LOG_Z("reason", reason),
            LOG_Z("correlationId", flow_correlation_id(f)));
    }
    buf_done(&text);
}

static void run(struct flow *f)
{
    struct match_expire *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT_LASTING(f, &c->err, db_match_requests_expire(f, c->ids, c->count, &c->expired));
    if (c->err)
        FLOW_FAIL(f, c->err);
    announce(f, c);
    AWAIT_TRY(f, &c->ignored, kv_queue_remove(f, c->ids, c->count));
    FLOW_END(f);
fail:
    matchmaker_look(c->ids, c->count);
}

static const struct flow_spec match_expire = {
    .name = "match.expire",
    .run = run,
    .ctx_size = sizeof(struct match_expire),
};

void job_match_expire(const struct pairing_ticket *tickets, size_t count)
{
    struct flow *f = flow_start(&(struct flow_start){.spec = &match_expire});
    struct match_expire *c = flow_ctx(f);
    c->ids = ARENA_ARRAY(flow_arena(f), struct uuid, count);
    for (size_t i = 0; i < count; i++)
        c->ids[i] = tickets[i].request_id;
    c->count = count;
}
