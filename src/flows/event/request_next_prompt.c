/* request_next_prompt {sessionId}: the next prompt at once, for both. */
#include "flows/handlers.h"
#include "flows/live.h"

#include <stddef.h>

struct next_prompt {
    struct uuid session_id;
};

static const struct field next_prompt_fields[] = {
    {"sessionId", FIELD_UUID, .is_required = true, .offset = offsetof(struct next_prompt, session_id)},
    FIELDS_END,
};

static void run(struct flow *f)
{
    struct next_prompt *c = flow_ctx(f);
    FLOW_BEGIN(f);
    struct live *l = live_get(&c->session_id);
    enum err err = l ? live_request_prompt(l) : ERR_NOT_IN_SESSION;
    if (err)
        FLOW_FAIL(f, err == ERR_CONFLICT ? ERR_NO_PROMPT_LEFT : err);
    event_ack_begin(f);
    event_ack_send(f);
    FLOW_END(f);
fail:
    reply_error(f);
}

const struct handler event_request_next_prompt = {
    .flow = {.name = "event.request_next_prompt", .run = run, .ctx_size = sizeof(struct next_prompt)},
    .input = next_prompt_fields,
};
