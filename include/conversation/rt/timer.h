/* Timer wheel: hierarchical, one uv timer under it, O(1) start and stop. Resolution 8 ms; never early.
 * All of it runs on the loop thread and on the monotonic clock; a test advances it with timer_wheel_advance.
 */
#ifndef CONVERSATION_RT_TIMER_H
#define CONVERSATION_RT_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/base/list.h"

struct timer;
typedef void timer_fn(struct timer *t); /* find your object with container_of */

/* Embedded by its owner. All zero is a valid stopped timer. */
struct timer {
    struct list link;
    int64_t due_ms; /* clock_mono_ms */
    timer_fn *fire;
};

/* (Re)starts: fires once, `after_ms` from now, from the loop (never from inside this call). */
void timer_start(struct timer *t, int64_t after_ms, timer_fn *fire);
void timer_stop(struct timer *t); /* harmless when stopped; the owner must stop it before it is freed */
static inline bool timer_is_running(const struct timer *t)
{
    return list_is_linked(&t->link);
}

/* For a callback: it fires so late that this process must have stood still. Whoever it waited for may have,
 * too, when it was the machine. What had come meanwhile has been read (loop.c). */
#define TIMER_STOOD_STILL_MS 250
bool timer_stood_still(const struct timer *t);

/* Fires everything due at clock_mono_ms() `now_ms`; called by the loop, or by a test. */
void timer_wheel_advance(int64_t now_ms);
/* ms until something may be due, at least 1; -1 when nothing runs. */
int64_t timer_wheel_next_ms(void);

#endif
