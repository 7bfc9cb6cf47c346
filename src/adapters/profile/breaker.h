/* A circuit breaker: a service that fails again and again is left alone for a while. Pure; the caller gives
 * the clock.
 *
 *              failures_max in a row               open_ms later, first ask
 *     CLOSED ------------------------> OPEN ----------------------------------> HALF_OPEN
 *       ^                               ^------------- the probe failed -----------'  |
 *       '------------------------------------------------- the probe went well -------'
 *
 * In HALF_OPEN one ask is let through, the probe; all others are refused until it has been told of. What was
 * let through in one state says nothing about a later one: a pass of a former state is ignored. */
#ifndef CONVERSATION_PROFILE_BREAKER_H
#define CONVERSATION_PROFILE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_HALF_OPEN, BREAKER_OPEN, BREAKER_STATE_COUNT };

struct breaker {
    int failures_max; /* 0: never opens */
    int64_t open_ms;

    /* the rest is breaker.c's; all zero is closed */
    enum breaker_state state;
    int failures;          /* CLOSED: in a row */
    int64_t open_until_ms; /* OPEN */
    bool probe_is_out;     /* HALF_OPEN */
    uint32_t era;          /* counts the moves */
};

/* To be handed back to breaker_tell exactly once. */
struct breaker_pass {
    uint32_t era;
};

/* May the service be asked now? True: *pass is set. */
bool breaker_ask(struct breaker *b, int64_t now_ms, struct breaker_pass *pass);

/* How what was let through ended. True when this moved the breaker. */
bool breaker_tell(struct breaker *b, struct breaker_pass pass, bool went_well, int64_t now_ms);

#endif
