/* matchmaker.load: what the database calls pending goes into the index if it is not there, and back into the shared queue. It runs
 * at start, periodically, and after a claim was lost. A request claimed or cancelled since the read may come back as a ghost; its
 * next claim fails and nothing is paired twice. */
#include "flows/job.h"
#include "flows/matchmaker.h"

#include "conversation/base/log.h"

struct load {
    struct db_topic_pairs pairs;
    struct db_match_requests pending;
};

static void run(struct flow *f)
{
    struct load *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, db_topic_pairs(f, &c->pairs));
    matchmaker_set_compatible(&c->pairs);
    AWAIT(f, db_match_requests_pending(f, &c->pending));
    for (size_t i = 0; i < c->pending.count; i++)
        matchmaker_add(&c->pending.items[i]);
    FLOW_END(f);
fail:
    if (flow_error(f) != ERR_CANCELLED)
        matchmaker_reload_soon();
}

const struct flow_spec job_matchmaker_load = {
    .name = "matchmaker.load",
    .run = run,
    .ctx_size = sizeof(struct load),
    .deadline_ms = 60000,
};
