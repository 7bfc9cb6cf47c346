/* matchmaker.load: what the database calls pending goes into the index if it is not there, and back into the
 * shared queue. It runs at start, periodically, and after a claim was lost. A request claimed or cancelled
 * since the read may come back as a ghost; its next claim fails and nothing is paired twice. */
#include "flows/job.h"
#include "flows/matchmaker.h"

#include "conversation/ports/kv.h"

#define QUEUE_BATCH 256 /* requests put back into Redis by one operation */

struct load {
    struct db_topic_pairs pairs;
    struct db_match_requests pending;
    size_t queued;
    enum err queue_err;
};

static void add_all(const struct load *c)
{
    for (size_t i = 0; i < c->pending.count; i++)
        matchmaker_add(&c->pending.items[i]);
}

static size_t batch_of(const struct load *c)
{
    size_t left = c->pending.count - c->queued;
    return left < QUEUE_BATCH ? left : QUEUE_BATCH;
}

static void run(struct flow *f)
{
    struct load *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, db_topic_pairs(f, &c->pairs));
    matchmaker_set_compatible(&c->pairs);
    AWAIT(f, db_match_requests_pending(f, &c->pending));
    add_all(c);
    for (; c->queued < c->pending.count && c->queue_err == OK; c->queued += batch_of(c))
        AWAIT_TRY(f, &c->queue_err, kv_queue_add(f, c->pending.items + c->queued, batch_of(c)));
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
