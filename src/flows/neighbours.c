/* On the bus: `call {instance}` to the one that is asked, and `answer {instance}` back. */
#include "flows/neighbours.h"

#include <stdio.h>
#include <stdlib.h>

#include "conversation/base/instance.h"
#include "conversation/base/map.h"
#include "conversation/base/slots.h"
#include "conversation/ports/bus.h"
#include "conversation/rt/timer.h"

#define CHANNEL "instance_events:"

struct neighbour {
    struct map_node node; /* by instance */
    uint64_t number;
    size_t taken;
    int unanswered; /* calls in a row: our own standstill does not count */
};

static neighbour_doubted *tell_doubted;
static struct map neighbours;
static struct slots numbered; /* the same */
static struct timer timer;
static struct bus_channel *own;

static bool say(const struct uuid *to, const char *what, bus_told *told, void *arg)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%s %s", what, UUIDZ(instance_id()));
    return bus_tell(bus_name_of(CHANNEL, to).z, (struct str){text, (size_t)n}, told, arg);
}

bool neighbours_are_settled(void)
{
    return bus_listening_ms() >= NEIGHBOUR_PATIENCE_MS;
}

/* --- calling --- */

static void on_called(void *arg, int others)
{
    struct neighbour *n = slots_get(&numbered, (uint64_t)(uintptr_t)arg);
    if (n && others == 0 && neighbours_are_settled())
        tell_doubted(n, false);
}

static void call(struct map_node *node, void *arg)
{
    struct neighbour *n = container_of(node, struct neighbour, node);
    (void)arg;
    if (say(&n->node.key, "call", on_called, (void *)(uintptr_t)n->number))
        n->unanswered++;
}

static void on_timer(struct timer *t);

static void call_all(void)
{
    map_each(&neighbours, call, NULL);
    if (neighbours.count)
        timer_start(&timer, NEIGHBOUR_CALL_MS, on_timer);
}

/* The silent ones are told of apart from map_each: whoever is told may give them back. */
static struct neighbour *silent;

static void find_silent(struct map_node *node, void *arg)
{
    struct neighbour *n = container_of(node, struct neighbour, node);
    (void)arg;
    if (n->unanswered >= NEIGHBOUR_SILENT_MS / NEIGHBOUR_CALL_MS)
        silent = n;
}

static void on_timer(struct timer *t)
{
    (void)t;
    silent = NULL;
    if (neighbours_are_settled())
        map_each(&neighbours, find_silent, NULL);
    if (silent)
        tell_doubted(silent, true); /* one a turn: there are seldom two */
    call_all();
}

static void on_message(void *arg, struct str text)
{
    struct uuid from;
    (void)arg;
    struct str what = str_cut(&text, ' ');
    if (!uuid_parse(text, &from))
        return;
    struct map_node *node = map_get(&neighbours, &from);
    if (node)
        container_of(node, struct neighbour, node)->unanswered = 0;
    if (str_eqz(what, "call"))
        (void)say(&from, "answer", NULL, NULL); /* it calls again */
}

/* --- who they are --- */

struct neighbour *neighbour_take(const struct uuid *instance)
{
    struct map_node *node = map_get(&neighbours, instance);
    struct neighbour *n = node ? container_of(node, struct neighbour, node) : NULL;
    if (!n) {
        n = calloc(1, sizeof *n);
        if (!n)
            abort();
        map_put(&neighbours, instance, &n->node);
        n->number = slots_put(&numbered, n);
    }
    n->taken++;
    if (!timer_is_running(&timer))
        timer_start(&timer, NEIGHBOUR_CALL_MS, on_timer);
    return n;
}

void neighbour_give_back(struct neighbour *n)
{
    if (--n->taken > 0)
        return;
    map_remove(&neighbours, &n->node.key);
    slots_remove(&numbered, n->number);
    free(n);
    if (!neighbours.count)
        timer_stop(&timer);
}

const struct uuid *neighbour_instance(const struct neighbour *n)
{
    return &n->node.key;
}

bool neighbour_is(const struct neighbour *n, const struct uuid *instance)
{
    return uuid_eq(&n->node.key, instance);
}

void neighbours_start(neighbour_doubted *doubted)
{
    tell_doubted = doubted;
    own = bus_join(bus_name_of(CHANNEL, instance_id()).z, &(struct bus_member){.hear = on_message});
}

void neighbours_stop(void)
{
    if (own)
        bus_part(own);
    own = NULL;
    timer_stop(&timer);
    map_done(&neighbours);
    slots_done(&numbered);
}
