/* skill.acquired {userId, skillId, skillCode, acquiredAt?}: stored first; then what is kept of the user's
 * topics is dropped and made anew. Without Redis the event waits: what is kept there would be out of date
 * when it comes back. */
#include "flows/bus/bus.h"

#include <stddef.h>

#include "conversation/base/clock.h"
#include "conversation/base/log.h"
#include "conversation/ports/db_projection.h"
#include "conversation/ports/kv_user.h"

struct skill_acquired {
    struct skill_acquired_input {
        struct uuid user_id, skill_id;
        struct str skill_code;
        int64_t acquired_at_ms;
    } in;
    struct db_skill skill;
    struct db_unlocked unlocked;
};

static const struct field skill_acquired_fields[] = {
    {"userId", FIELD_UUID, .is_required = true, .offset = offsetof(struct skill_acquired_input, user_id)},
    {"skillId", FIELD_UUID, .is_required = true, .offset = offsetof(struct skill_acquired_input, skill_id)},
    {"skillCode", FIELD_STRING, .is_required = true,
     .offset = offsetof(struct skill_acquired_input, skill_code), .min = 1, .max = 128},
    {"acquiredAt", FIELD_TIME, .offset = offsetof(struct skill_acquired_input, acquired_at_ms)},
    FIELDS_END,
};

static void store(struct flow *f, struct skill_acquired *c)
{
    c->skill = (struct db_skill){
        .user_id = c->in.user_id,
        .skill_id = c->in.skill_id,
        .code = c->in.skill_code.p,
        .acquired_at_ms = c->in.acquired_at_ms ? c->in.acquired_at_ms : clock_now_ms(),
    };
    db_skill_store(f, &c->skill);
}

static void run(struct flow *f)
{
    struct skill_acquired *c = flow_ctx(f);
    FLOW_BEGIN(f);
    AWAIT(f, store(f, c));
    AWAIT(f, kv_unlocked_drop(f, &c->in.user_id));
    AWAIT(f, db_unlocked_topics(f, &c->in.user_id, &c->unlocked));
    AWAIT(f, kv_unlocked_put(f, &c->in.user_id, c->unlocked.codes, c->unlocked.count));
    FLOW_END(f);
fail:;
}

const struct handler bus_skill_acquired = {
    .flow = {.name = "skill.acquired",
             .run = run,
             .ctx_size = sizeof(struct skill_acquired),
             .deadline_ms = 10000},
    .input = skill_acquired_fields,
};
