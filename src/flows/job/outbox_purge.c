/* outbox.purge: deletes the events that are older than EVENT_RETENTION_DAYS, a few at a time: those that were
 * sent; and those that were not when there is no Kafka to send them to. */
#include "flows/job.h"

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/config.h"
#include "conversation/ports/db_outbox.h"

#define AT_ONCE  1000  /* rows of a statement: some ten ms */
#define PAUSE_MS 50    /* others write, too */
#define WORK_MS  10000 /* then the next run goes on */

#define DAY_MS (24 * 3600 * 1000LL)

struct purge {
    struct db_outbox_age age;
    int deleted;
    int64_t all, until_ms;
};

static bool is_more(const struct purge *c)
{
    return c->deleted == AT_ONCE && clock_mono_ms() < c->until_ms;
}

static void run(struct flow *f)
{
    struct purge *c = flow_ctx(f);
    FLOW_BEGIN(f);
    c->until_ms = clock_mono_ms() + WORK_MS;
    c->age.before_ms = clock_now_ms() - config.event_retention_days * DAY_MS;
    c->age.max = AT_ONCE;
    for (;;) {
        AWAIT(f, db_outbox_purge(f, &c->age, &c->deleted));
        c->all += c->deleted;
        if (!is_more(c)) {
            if (c->age.unsent || config.kafka_brokers[0])
                break;
            c->age.unsent = true;
        }
        AWAIT(f, flow_sleep(f, PAUSE_MS));
    }
    if (c->all)
        LOG(LOG_INFO, "outbox.purged", LOG_INT("events", c->all));
    FLOW_END(f);
fail:
    return; /* the engine logs it; the next run goes on */
}

const struct flow_spec job_outbox_purge = {
    .name = "outbox.purge",
    .run = run,
    .ctx_size = sizeof(struct purge),
    .deadline_ms = 30000,
};
