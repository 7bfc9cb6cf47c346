/* sessions.recover: once, when the grace after the start is over. Active sessions of a process that is gone
 * go on when a learner comes back; those that nobody came back to end as dropped, as they would have with
 * that process alive. */
#include "flows/job.h"
#include "flows/live.h"

struct recover {
    int64_t started_at_ms;
    struct db_sessions left;
    enum err err;
};

static void end_those_without_anybody(const struct recover *c)
{
    for (size_t i = 0; i < c->left.count; i++) {
        const struct session *s = &c->left.items[i];
        if (!live_get(&s->id))
            job_session_end(&(struct db_session_ending){
                .id = s->id, .event = SESSION_EVENT_DROP, .at_ms = c->started_at_ms});
    }
}

static void run(struct flow *f)
{
    struct recover *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT_LASTING(f, &c->err, db_sessions_left(f, &c->left));
    if (c->err)
        FLOW_FAIL(f, c->err);
    end_those_without_anybody(c);
    FLOW_END(f);
fail:
    return; /* the engine logs it; the sweep ends them at their limit */
}

static const struct flow_spec sessions_recover = {
    .name = "sessions.recover",
    .run = run,
    .ctx_size = sizeof(struct recover),
};

void job_sessions_recover(int64_t started_at_ms)
{
    struct recover *c = flow_ctx(flow_start(&(struct flow_start){.spec = &sessions_recover}));
    c->started_at_ms = started_at_ms;
}
