/* outbox.look: how far behind the relay is. Every instance looks, so that somebody says so when none relays.
 */
#include "flows/job.h"

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/base/metrics.h"
#include "conversation/ports/db_outbox.h"

#define BEHIND_MS 60000 /* an event that is older than this and not sent: somebody should know */

static void tell(const struct db_outbox_backlog *b)
{
    static int64_t told_ms;
    static bool was_behind;
    int64_t lag_ms = b->oldest_at_ms ? clock_now_ms() - b->oldest_at_ms : 0;
    bool is_behind = lag_ms > BEHIND_MS;
    metric_set(M_OUTBOX_LAG, lag_ms > 0 ? (double)lag_ms / 1000 : 0, NULL);
    metric_set(M_OUTBOX_UNSENT, b->unsent, NULL);
    if (is_behind && log_is_time(&told_ms))
        LOG(LOG_WARN, "outbox.behind", LOG_INT("lagSeconds", lag_ms / 1000), LOG_INT("unsent", b->unsent));
    if (was_behind && !is_behind)
        LOG(LOG_INFO, "outbox.caught_up");
    was_behind = is_behind;
}

static void run(struct flow *f)
{
    struct db_outbox_backlog *b = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, db_outbox_backlog(f, b));
    tell(b);
    FLOW_END(f);
fail:
    return;
}

const struct flow_spec job_outbox_look = {
    .name = "outbox.look",
    .run = run,
    .ctx_size = sizeof(struct db_outbox_backlog),
    .deadline_ms = 5000,
};
