/* sessions.recover: active sessions of an instance that is dead go on when a learner comes back, to whatever
 * instance; those that nobody came back to within the grace end as dropped, as they would have with that
 * instance alive. */
#include "conversation/config.h"
#include "flows/instance.h"
#include "flows/job.h"
#include "flows/live.h"

struct recover {
    struct db_left_sessions left;
};

static int64_t grace_ms(void)
{
    return config.session_reconnect_grace_seconds * INT64_C(1000);
}

static void end_those_without_anybody(const struct recover *c)
{
    for (size_t i = 0; i < c->left.count; i++) {
        const struct db_left_session *l = &c->left.items[i];
        if (!live_get(&l->session.id))
            job_session_end(&(struct db_session_ending){
                .id = l->session.id, .event = SESSION_EVENT_DROP, .at_ms = l->left_at_ms});
    }
}

static void run(struct flow *f)
{
    struct recover *c = flow_ctx(f);
    FLOW_BEGIN(f);
    if (!instance_may_judge(grace_ms()))
        return;
    AWAIT(f, db_sessions_left(f, grace_ms(), &c->left));
    end_those_without_anybody(c);
    FLOW_END(f);
fail:
    return; /* the engine logs it; the next one tries again */
}

const struct flow_spec job_sessions_recover = {
    .name = "sessions.recover",
    .run = run,
    .ctx_size = sizeof(struct recover),
    .deadline_ms = 30000,
};
