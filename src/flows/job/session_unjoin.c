/* session.unjoin: a socket went away while its session was still waiting: the participant no longer counts as
 * joined. */
#include "flows/job.h"

#include "conversation/ports/db.h"

struct session_unjoin {
    struct uuid session_id, user_id;
    int join_number;
    enum err err;
};

static void run(struct flow *f)
{
    struct session_unjoin *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT_LASTING(f, &c->err, db_session_unjoin(f, &c->session_id, &c->user_id, c->join_number));
    if (c->err)
        FLOW_FAIL(f, c->err);
    FLOW_END(f);
fail:
    return; /* the engine logs it; the join window ends the session all the same */
}

static const struct flow_spec session_unjoin = {
    .name = "session.unjoin",
    .run = run,
    .ctx_size = sizeof(struct session_unjoin),
};

void job_session_unjoin(const struct uuid *session_id, const struct uuid *user_id, int join_number)
{
    struct session_unjoin *c = flow_ctx(flow_start(&(struct flow_start){.spec = &session_unjoin}));
    c->session_id = *session_id;
    c->user_id = *user_id;
    c->join_number = join_number;
}
