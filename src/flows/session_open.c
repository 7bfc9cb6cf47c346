#include "flows/session_open.h"

#include "conversation/base/clock.h"

void check_session_is_open(struct flow *f, const struct session *s)
{
    char opens_at[CLOCK_ISO_LENGTH + 1];
    if (clock_now_ms() >= session_opens_at_ms(s) || session_is_over(s))
        return;
    clock_format_iso(session_opens_at_ms(s), opens_at);
    flow_set_error_details(f, ERR_SESSION_NOT_OPEN,
                           arena_fmt(flow_arena(f), "[{\"opensAt\":\"%s\"}]", opens_at));
}
