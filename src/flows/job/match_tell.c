/* match.tell: the leader before may have died when a pair was claimed and before the two were told. Whoever
 * was paired lately and has not come is told by the one that follows; clients ignore what they know. */
#include "flows/job.h"
#include "flows/match_found.h"

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/config.h"

/* From the last claim of a leader until the next one has compared its index with the database. */
#define COMPARING_MS 5000

struct match_tell {
    int64_t since_ms;
    struct db_paired_list paired;
    enum err err;
};

static void tell_all(const struct match_tell *c)
{
    for (size_t i = 0; i < c->paired.count; i++) {
        const struct db_paired *p = &c->paired.items[i];
        match_found_send(&(struct match_found){.request_id = &p->request_id,
                                               .session = &p->session,
                                               .who = p->who,
                                               .level_difference = p->level_difference,
                                               .is_any_level = p->is_any_level});
    }
    LOG(LOG_INFO, "matchmaker.told_again", LOG_INT("learners", (int64_t)c->paired.count));
}

static void run(struct flow *f)
{
    struct match_tell *c = flow_ctx(f);
    FLOW_BEGIN(f);
    c->since_ms = clock_now_ms() - 2000LL * config.match_lease_seconds - COMPARING_MS;
    AWAIT_LASTING(f, &c->err, db_match_unjoined(f, c->since_ms, &c->paired));
    if (c->err)
        FLOW_FAIL(f, c->err);
    tell_all(c);
    FLOW_END(f);
fail:; /* they find it in the status; the engine has logged why */
}

static const struct flow_spec match_tell = {
    .name = "match.tell",
    .run = run,
    .ctx_size = sizeof(struct match_tell),
};

void job_match_tell(void)
{
    flow_start(&(struct flow_start){.spec = &match_tell});
}
