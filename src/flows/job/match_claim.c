/* match.claim: the index proposes a pair, the database decides; then both learners are told. When the claim
 * is lost (one side cancelled, expired, or was claimed by another instance) both are looked up, and whoever
 * is still pending goes on waiting. */
#include "flows/job.h"
#include "flows/match_found.h"
#include "flows/match_metrics.h"
#include "flows/matchmaker.h"

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/config.h"
#include "conversation/domain/quota.h"
#include "conversation/ports/kv.h"

#define RETRY_MS 1000
#define LOST_MS  200 /* until the two of a lost claim may be paired again: no claim is tried in a circle */

struct match_claim {
    struct pairing_pair pair;
    struct db_claim claim;
    struct session session;
    struct uuid request_ids[2];
    enum err err;
    enum err ignored; /* of the Redis copies, which the database can rebuild */
};

static void tell(const struct match_claim *c, int who)
{
    match_found_send(&(struct match_found){.request_id = &c->request_ids[who],
                                           .session = &c->session,
                                           .who = who,
                                           .level_difference = c->pair.level_difference,
                                           .is_any_level = c->pair.is_any_level});
}

static void announce(struct flow *f, const struct match_claim *c)
{
    const struct uuid participants[2] = {c->pair.first.user_id, c->pair.second.user_id};
    int64_t wait_ms = c->pair.is_ahead ? 0 : clock_now_ms() - c->pair.first.wait_start_ms;
    tell(c, 0);
    tell(c, 1);
    match_metrics_paired(&c->pair);
    LOG(LOG_INFO, "conversation.matched", LOG_UUID("sessionId", &c->session.id),
        LOG_UUID_PAIR("participants", participants), LOG_INT("waitTimeSeconds", wait_ms / 1000),
        LOG_INT("compatibilityScore", c->pair.score), LOG_INT("levelDifference", c->pair.level_difference),
        LOG_Z("phase", match_phase_names[c->pair.phase]), LOG_Z("correlationId", flow_correlation_id(f)));
}

static void run(struct flow *f)
{
    struct match_claim *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT_TRY(f, &c->err, db_match_claim(f, &c->claim, &c->session));
    while (err_is_passing(c->err)) { /* the answer was lost: whether there is a session says how it went */
        AWAIT(f, flow_sleep(f, RETRY_MS));
        AWAIT_TRY(f, &c->err, db_session_get(f, &c->claim.session_id, &c->session));
    }
    if (c->err) {
        AWAIT(f, flow_sleep(f, LOST_MS));
        FLOW_FAIL(f, c->err);
    }
    matchmaker_remove(&c->request_ids[0], WAIT_MATCHED);
    matchmaker_remove(&c->request_ids[1], WAIT_MATCHED);
    announce(f, c);
    AWAIT_TRY(f, &c->ignored, kv_queue_remove(f, c->request_ids, 2));
    if (!c->pair.is_ahead) /* else it is nobody's session yet */
        AWAIT_TRY(f, &c->ignored, kv_session_put(f, &c->session, 0));
    FLOW_END(f);
fail:
    matchmaker_look(c->request_ids, 2);
}

static const struct flow_spec match_claim = {
    .name = "match.claim",
    .run = run,
    .ctx_size = sizeof(struct match_claim),
};

/* What the product's rules make of the pair. */
static void apply_rules(struct db_claim *claim, const struct pairing_pair *pair)
{
    const struct quota_limits quota = {
        .free_weekly = config.free_tier_weekly_limit,
        .max_duration_free_seconds = config.session_max_duration_free_seconds,
        .max_duration_premium_seconds = config.session_max_duration_premium_seconds,
    };
    claim->level = level_mean(pair->first.level, pair->second.level);
    claim->max_duration_seconds = quota_session_seconds(&quota, pair->first.tier, pair->second.tier);
    claim->free_weekly_limit = quota_weekly(&quota, TIER_FREE);
    claim->week_start_ms = clock_week_start_ms(clock_now_ms());
}

void job_match_claim(const struct pairing_pair *pair)
{
    struct match_claim *c = flow_ctx(flow_start(&(struct flow_start){.spec = &match_claim}));
    c->pair = *pair;
    c->request_ids[0] = pair->first.request_id;
    c->request_ids[1] = pair->second.request_id;
    c->claim = (struct db_claim){
        .first_id = pair->first.request_id,
        .second_id = pair->second.request_id,
        .score = pair->score,
        .level_difference = pair->level_difference,
        .is_tandem = pair->is_tandem,
        .is_any_level = pair->is_any_level,
        .session_id = uuid_random(),
        .scheduled_at_ms = pair->scheduled_at_ms,
    };
    apply_rules(&c->claim, pair);
}
