/* Timer wheel. Time is counted in ticks of 8 ms. Each level splits time by six bits of the tick: a timer lies
 * on the level of the highest bits in which its tick differs from `now`, in the slot that those bits name.
 * Hence every timer of a level comes before every timer of the level above; the next event is the first slot
 * in use of the lowest level in use; and when `now` reaches a slot above level 0, its timers are spread over
 * the levels below. Ten levels hold any time there is. */
#include "conversation/rt/timer.h"

#include <assert.h>

#include "conversation/base/clock.h"

#define TICK_BITS  3 /* 8 ms */
#define SLOT_BITS  6
#define SLOT_COUNT (1 << SLOT_BITS)
#define LEVELS     10
#define AFTER_MAX  (INT64_C(1) << 60) /* ms; keeps due times within int64_t */

static struct {
    uint64_t now; /* the last tick that was processed */
    size_t running;
    uint64_t used[LEVELS]; /* a bit for each slot; set when a timer is put, cleared when found empty */
    struct list slots[LEVELS][SLOT_COUNT]; /* heads; zero until first used */
    struct list due;                       /* taken from the wheel, to be fired now */
    bool is_advancing;
} wheel = {.due = {&wheel.due, &wheel.due}};

static void put(struct timer *t)
{
    uint64_t tick = ((uint64_t)t->due_ms + (1 << TICK_BITS) - 1) >> TICK_BITS; /* rounded up: never early */
    if (tick <= wheel.now)
        tick = wheel.now + 1;
    int level = (63 - __builtin_clzll(tick ^ wheel.now)) / SLOT_BITS;
    unsigned slot = (tick >> (level * SLOT_BITS)) & (SLOT_COUNT - 1);
    struct list *head = &wheel.slots[level][slot];
    if (!head->next)
        list_init(head);
    list_add_tail(head, &t->link);
    wheel.used[level] |= UINT64_C(1) << slot;
}

/* The tick at which the first slot in use begins, and the slot; false when the wheel is empty. */
static bool next_slot(uint64_t *tick, struct list **head)
{
    for (int level = 0; level < LEVELS; level++) {
        while (wheel.used[level]) {
            unsigned slot = (unsigned)__builtin_ctzll(wheel.used[level]);
            struct list *l = &wheel.slots[level][slot];
            if (list_is_empty(l)) {
                wheel.used[level] &= ~(UINT64_C(1) << slot);
                continue;
            }
            int shift = level * SLOT_BITS;
            uint64_t above = wheel.now >> shift >> SLOT_BITS;
            *tick = (above << SLOT_BITS | slot) << shift;
            *head = l;
            return true;
        }
    }
    return false;
}

/* Time in which nothing was due is skipped, so that new timers are put where they belong; an empty wheel
 * takes over whatever the clock says. */
static void skip_idle_time(int64_t now_ms)
{
    uint64_t tick, now = (uint64_t)now_ms >> TICK_BITS;
    struct list *head;
    if (wheel.is_advancing)
        return;
    if (wheel.running == 0 || (now > wheel.now && (!next_slot(&tick, &head) || tick > now)))
        wheel.now = now;
}

void timer_start(struct timer *t, int64_t after_ms, timer_fn *fire)
{
    int64_t now_ms = clock_mono_ms();
    timer_stop(t);
    skip_idle_time(now_ms);
    if (after_ms < 0)
        after_ms = 0;
    if (after_ms > AFTER_MAX)
        after_ms = AFTER_MAX;
    t->due_ms = now_ms + after_ms;
    t->fire = fire;
    put(t);
    wheel.running++;
}

void timer_stop(struct timer *t)
{
    if (!timer_is_running(t))
        return;
    list_remove(&t->link);
    wheel.running--;
}

bool timer_stood_still(const struct timer *t)
{
    return clock_mono_ms() - t->due_ms > TIMER_STOOD_STILL_MS;
}

static void fire_due(void)
{
    while (!list_is_empty(&wheel.due)) {
        struct timer *t = LIST_FIRST(&wheel.due, struct timer, link);
        timer_stop(t);
        t->fire(t); /* may stop and start any timer, and free this one */
    }
}

/* Takes the timers of a slot that `now` has reached: due ones to the due list, the others to lower levels. */
static void take_slot(struct list *head)
{
    while (!list_is_empty(head)) {
        struct timer *t = LIST_FIRST(head, struct timer, link);
        list_remove(&t->link);
        if ((uint64_t)t->due_ms <= wheel.now << TICK_BITS)
            list_add_tail(&wheel.due, &t->link);
        else
            put(t);
    }
}

void timer_wheel_advance(int64_t now_ms)
{
    uint64_t tick, now = (uint64_t)now_ms >> TICK_BITS;
    struct list *head;
    assert(!wheel.is_advancing);
    wheel.is_advancing = true;
    while (next_slot(&tick, &head) && tick <= now) {
        wheel.now = tick;
        take_slot(head);
        fire_due();
    }
    if (now > wheel.now)
        wheel.now = now;
    wheel.is_advancing = false;
}

int64_t timer_wheel_next_ms(void)
{
    uint64_t tick;
    struct list *head;
    if (!next_slot(&tick, &head))
        return -1;
    int64_t after_ms = (int64_t)(tick << TICK_BITS) - clock_mono_ms();
    return after_ms > 1 ? after_ms : 1;
}
