/* Requests that the index has heard of, but not read. They are collected while a job reads those before
 * them, so that there are as few statements as the database needs time for them. */
#include <stdlib.h>
#include <string.h>

#include "conversation/rt/timer.h"
#include "flows/matchmaker_parts.h"

#define DATABASE_POLL_MS 250

static struct ids {
    struct uuid *items;
    size_t count, capacity;
} lists[LOOKUP_KINDS];
static enum match_lookup latest; /* the kind that was read last: the other one is next */
static bool is_running, is_reading;
static struct timer turn; /* what comes in one turn of the loop is read together */

static void take_from(struct ids *list, size_t n)
{
    list->count -= n;
    memmove(list->items, list->items + n, list->count * sizeof *list->items);
}

static void on_turn(struct timer *t)
{
    for (int i = 1; i <= LOOKUP_KINDS; i++) {
        enum match_lookup kind = (latest + i) % LOOKUP_KINDS;
        struct ids *list = &lists[kind];
        size_t n = list->count < LOOKUP_MAX ? list->count : LOOKUP_MAX;
        if (!n)
            continue;
        if (!db_is_up()) {
            timer_start(t, DATABASE_POLL_MS, on_turn);
            return;
        }
        is_reading = true;
        latest = kind;
        job_match_lookup(kind, list->items, n);
        take_from(list, n);
        return;
    }
}

static void go_on(void)
{
    if (!is_reading && !timer_is_running(&turn))
        timer_start(&turn, 0, on_turn);
}

void match_lookup_add(enum match_lookup kind, const struct uuid *request_id)
{
    struct ids *list = &lists[kind];
    if (pairing_contains(matchmaker_pairing(), request_id))
        return;
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : LOOKUP_MAX;
        list->items = realloc(list->items, list->capacity * sizeof *list->items);
        if (!list->items)
            abort();
    }
    list->items[list->count++] = *request_id;
    go_on();
}

void match_lookup_done(bool is_ok)
{
    is_reading = false;
    if (!is_running)
        return;
    if (!is_ok)
        match_reconcile_soon();
    go_on();
}

void match_lookup_start(void)
{
    is_running = true;
}

void match_lookup_stop(void)
{
    is_running = false;
    timer_stop(&turn);
    for (enum match_lookup kind = 0; kind < LOOKUP_KINDS; kind++) {
        free(lists[kind].items);
        lists[kind] = (struct ids){0};
    }
}
