/* The index is compared with the database: at start, periodically, and whenever something may have been
 * missed. What is pending and not in the index is read; what was in the index when the comparison began and
 * is not pending goes out of it, since nothing becomes pending again. Ids only are read of all requests, a
 * page at a time. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "conversation/base/clock.h"
#include "conversation/config.h"
#include "conversation/rt/timer.h"
#include "flows/matchmaker_parts.h"

#define SOON_MS          200  /* several reasons make one comparison */
#define AGAIN_MS         1000 /* after a failure */
#define DATABASE_POLL_MS 250

static struct reconcile current;
static bool is_started, is_comparing, must_again;
static struct timer timer;

static void add_id(const struct uuid *request_id, void *arg)
{
    struct reconcile *r = arg;
    r->ids[r->count++] = *request_id;
}

static void begin(void)
{
    size_t count = pairing_count(matchmaker_pairing());
    current = (struct reconcile){.ids = malloc((count + 1) * sizeof *current.ids), .is_first_page = true};
    if (!current.ids)
        abort();
    pairing_each(matchmaker_pairing(), add_id, &current);
    qsort(current.ids, current.count, sizeof *current.ids, uuid_order);
    is_comparing = true;
    must_again = false;
    job_match_reconcile();
}

static void on_timer(struct timer *t)
{
    if (db_is_up() && db_schema_state() == DB_SCHEMA_OK)
        begin();
    else
        timer_start(t, DATABASE_POLL_MS, on_timer); /* it would fail, and be logged, at every try */
}

void match_reconcile_soon(void)
{
    if (is_comparing)
        must_again = true;
    else if (!timer_is_running(&timer) || timer.due_ms > clock_mono_ms() + SOON_MS)
        timer_start(&timer, SOON_MS, on_timer);
}

struct reconcile *match_reconcile_current(void)
{
    return &current;
}

/* --- a page --- */

/* Up to and without `until`; NULL: to the end. */
static void take_out_until(struct reconcile *r, const struct uuid *until)
{
    while (r->passed < r->count && (!until || uuid_cmp(&r->ids[r->passed], until) < 0))
        matchmaker_drop(&r->ids[r->passed++]);
}

size_t match_reconcile_page(struct reconcile *r, const struct db_ids *pending, struct uuid *missing)
{
    size_t n = 0;
    assert(pending->items || pending->count == 0);
    for (size_t i = 0; i < pending->count; i++) {
        const struct uuid *id = &pending->items[i];
        take_out_until(r, id);
        if (r->passed < r->count && uuid_eq(&r->ids[r->passed], id))
            r->passed++;
        if (r->must_fill || !pairing_contains(matchmaker_pairing(), id))
            missing[n++] = *id;
    }
    if (pending->count < RECONCILE_PAGE)
        take_out_until(r, NULL);
    else
        r->after = pending->items[pending->count - 1];
    r->is_first_page = false;
    return n;
}

static void finish(bool is_ok)
{
    is_comparing = false;
    free(current.ids);
    current.ids = NULL;
    if (!is_started)
        return;
    if (is_ok && !must_again)
        matchmaker_reconciled();
    timer_start(&timer,
                !is_ok       ? AGAIN_MS
                : must_again ? SOON_MS
                             : config.match_queue_cleanup_interval_ms,
                on_timer);
}

void match_reconcile_page_done(bool is_ok, bool is_last)
{
    if (is_ok && is_started && !is_last)
        job_match_reconcile();
    else
        finish(is_ok && is_started);
}

void match_reconcile_start(void)
{
    is_started = true;
    match_reconcile_soon();
}

void match_reconcile_stop(void)
{
    is_started = false;
    timer_stop(&timer);
}
