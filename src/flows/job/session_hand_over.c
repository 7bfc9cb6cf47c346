/* session.hand_over: a session that this instance has given up to another is no more its own in the database.
 */
#include "flows/job.h"

#include "conversation/ports/db.h"

struct session_hand_over {
    struct db_hand_over hand_over;
    enum err err;
};

static void run(struct flow *f)
{
    struct session_hand_over *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT_LASTING(f, &c->err, db_session_hand_over(f, &c->hand_over));
    if (c->err)
        FLOW_FAIL(f, c->err);
    FLOW_END(f);
fail:
    return; /* the engine logs it; the other instance has the session all the same */
}

static const struct flow_spec session_hand_over = {
    .name = "session.hand_over",
    .run = run,
    .ctx_size = sizeof(struct session_hand_over),
};

void job_session_hand_over(const struct db_hand_over *hand_over)
{
    struct session_hand_over *c = flow_ctx(flow_start(&(struct flow_start){.spec = &session_hand_over}));
    c->hand_over = *hand_over;
}
