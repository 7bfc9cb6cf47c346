/* speech.carry: what has been spoken in the sessions that are here goes to the database every few seconds, so
 * that little is lost when this process dies, or when the session ends elsewhere. */
#include "flows/job.h"
#include "flows/speaking.h"

#define AT_ONCE 500 /* sessions a statement */

struct carry {
    struct db_speech *items; /* the flow's arena */
    size_t count, left;      /* left: of those that were there at first; who speaks on comes again */
};

static void run(struct flow *f)
{
    struct carry *c = flow_ctx(f);
    FLOW_BEGIN(f);
    if (!db_is_up()) /* it would fail, and be logged, all the time */
        return;
    c->items = ARENA_ARRAY(flow_arena(f), struct db_speech, AT_ONCE);
    for (c->left = speaking_uncarried(); c->left > 0; c->left -= c->count) {
        c->count = speaking_take(c->items, c->left < AT_ONCE ? c->left : AT_ONCE);
        if (c->count == 0)
            break; /* they have ended meanwhile */
        AWAIT(f, db_speech_carry(f, c->items, c->count));
    }
    FLOW_END(f);
fail:
    speaking_put_back(c->items, c->count);
}

const struct flow_spec job_speech_carry = {
    .name = "speech.carry",
    .run = run,
    .ctx_size = sizeof(struct carry),
    .deadline_ms = 30000,
};
