/* speaking_state {sessionId, speaking}: whether the sender speaks. The partner is told, and it is counted
 * (docs/sessions.md, "Speaking time"). */
#include "flows/event/relay.h"
#include "flows/live.h"

#include "conversation/base/json_scan.h"

enum err relay_speaking_state(struct relay_call *call)
{
    struct live *l = live_at(call->session);
    int who = l ? live_participant(l, &call->user_id) : -1;
    if (who < 0)
        return ERR_NOT_IN_SESSION;
    bool is_given = call->value->value.p != NULL;
    if (!is_given || (call->value->type != SCAN_TRUE && call->value->type != SCAN_FALSE)) {
        call->reason = "speaking must be true or false";
        return ERR_INVALID_REQUEST;
    }
    live_speaks(l, who, call->value->type == SCAN_TRUE);
    return OK;
}
