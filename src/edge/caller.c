/* What REST calls and socket events have in common. */
#include "caller.h"

#include "conversation/edge/reply.h"

const struct uuid *caller_user_id(struct flow *f)
{
    const struct caller *caller = flow_caller(f);
    return &caller->user_id;
}

void reply_error(struct flow *f)
{
    const struct caller *caller = flow_caller(f);
    caller->error(f);
}
