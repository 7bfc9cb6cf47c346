/* Invariant: the list is in the order of due_ms, for all wait equally long; those that have changed stand
 * before them. */
#include "flows/session_keys.h"

#include "conversation/base/clock.h"
#include "flows/live.h"

#define REFRESH_MS 60000 /* the keys live for an hour; a heartbeat is never older than this */

static struct list all = {&all, &all};

static void put_last(struct session_keys *k)
{
    k->due_ms = clock_mono_ms() + REFRESH_MS;
    list_remove(&k->link);
    list_add_tail(&all, &k->link);
}

void session_keys_begin(struct session_keys *k)
{
    put_last(k);
}

void session_keys_end(struct session_keys *k)
{
    list_remove(&k->link);
}

void session_keys_changed(struct session_keys *k)
{
    k->due_ms = 0;
    list_remove(&k->link);
    list_add_tail(all.next, &k->link);
}

size_t session_keys_take(struct kv_running *items, size_t max)
{
    size_t n = 0;
    while (n < max && !list_is_empty(&all)) {
        struct session_keys *k = LIST_FIRST(&all, struct session_keys, link);
        if (k->due_ms > clock_mono_ms())
            break;
        put_last(k);
        live_running(live_of_keys(k), &items[n++]);
    }
    return n;
}
