/* match.lookup: requests by id go into the index if they are pending; those in doubt back into Redis, too. */
#include "conversation/ports/kv.h"
#include "flows/matchmaker_parts.h"

struct lookup {
    enum match_lookup kind;
    struct uuid *ids; /* the flow's arena */
    size_t count;
    struct match_read read;
    struct db_match_requests found;
    enum err ignored; /* of the Redis copies, for observers */
};

static void run(struct flow *f)
{
    struct lookup *c = flow_ctx(f);
    FLOW_BEGIN(f);
    match_read_begin(&c->read, c->ids, c->count);
    AWAIT(f, db_match_requests_by_id(f, c->ids, c->count, &c->found));
    match_read_take(&c->read, &c->found);
    if (c->kind == LOOKUP_DOUBTFUL && c->found.count)
        AWAIT_TRY(f, &c->ignored, kv_queue_add(f, c->found.items, c->found.count));
    match_lookup_done(true);
    FLOW_END(f);
fail:
    match_read_end(&c->read);
    match_lookup_done(false);
}

static const struct flow_spec match_lookup = {
    .name = "match.lookup",
    .run = run,
    .ctx_size = sizeof(struct lookup),
    .deadline_ms = 30000,
};

void job_match_lookup(enum match_lookup kind, const struct uuid *ids, size_t count)
{
    struct flow *f = flow_start(&(struct flow_start){.spec = &match_lookup});
    struct lookup *c = flow_ctx(f);
    c->kind = kind;
    c->ids = ARENA_ARRAY(flow_arena(f), struct uuid, count);
    memcpy(c->ids, ids, count * sizeof *ids);
    c->count = count;
}
