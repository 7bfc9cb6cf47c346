/* topics.popularity: how much each topic has been talked about lately. Every instance asks, the database sees
 * to it that one at a time works; whoever comes later finds nothing to change. */
#include "flows/job.h"
#include "flows/topic_lists.h"

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/ports/db_projection.h"

#define PERIOD_MS (30 * INT64_C(86400000))

struct topics_popularity {
    int changed;
};

static void run(struct flow *f)
{
    struct topics_popularity *c = flow_ctx(f);
    FLOW_BEGIN(f);
    if (!db_is_up())
        return;
    AWAIT(f, db_popularity_compute(f, clock_now_ms() - PERIOD_MS, &c->changed));
    if (c->changed > 0) {
        topic_lists_drop(); /* other instances read them again soon: TOPICS_CACHE_SECONDS */
        LOG(LOG_INFO, "topics.popularity", LOG_INT("changed", c->changed));
    }
    FLOW_END(f);
fail:
    return; /* the engine logs it; the next time is soon enough */
}

const struct flow_spec job_topics_popularity = {
    .name = "topics.popularity",
    .run = run,
    .ctx_size = sizeof(struct topics_popularity),
    .deadline_ms = 60000,
};
