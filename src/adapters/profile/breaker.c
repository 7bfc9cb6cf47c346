/* The breaker's moves: see the drawing in breaker.h. */
#include "adapters/profile/breaker.h"

#include <assert.h>

static void move(struct breaker *b, enum breaker_state next)
{
    static const unsigned legal[BREAKER_STATE_COUNT] = {
        [BREAKER_CLOSED] = 1u << BREAKER_OPEN,
        [BREAKER_HALF_OPEN] = 1u << BREAKER_CLOSED | 1u << BREAKER_OPEN,
        [BREAKER_OPEN] = 1u << BREAKER_HALF_OPEN,
    };
    assert(legal[b->state] & 1u << next);
    b->state = next;
    b->failures = 0;
    b->probe_is_out = false;
    b->era++;
}

bool breaker_ask(struct breaker *b, int64_t now_ms, struct breaker_pass *pass)
{
    if (b->state == BREAKER_OPEN && now_ms >= b->open_until_ms)
        move(b, BREAKER_HALF_OPEN);
    if (b->state == BREAKER_OPEN || b->probe_is_out)
        return false;
    b->probe_is_out = b->state == BREAKER_HALF_OPEN;
    *pass = (struct breaker_pass){b->era};
    return true;
}

static void open_up(struct breaker *b, int64_t now_ms)
{
    move(b, BREAKER_OPEN);
    b->open_until_ms = now_ms + b->open_ms;
}

bool breaker_tell(struct breaker *b, struct breaker_pass pass, bool went_well, int64_t now_ms)
{
    uint32_t before = b->era;
    if (pass.era != b->era)
        return false;
    if (!went_well && (b->state == BREAKER_HALF_OPEN || ++b->failures == b->failures_max))
        open_up(b, now_ms);
    else if (went_well && b->state == BREAKER_HALF_OPEN)
        move(b, BREAKER_CLOSED);
    else if (went_well)
        b->failures = 0;
    return b->era != before;
}
