/* match.reconcile: one page of the comparison of the index with the database (flows/match_reconcile.c). The
 * leader also puts what the index was missing, and everything when Redis was emptied, into Redis. */
#include "conversation/base/clock.h"
#include "conversation/ports/kv.h"
#include "flows/leadership.h"
#include "flows/matchmaker_parts.h"

struct page {
    struct db_topic_pairs pairs;
    bool is_whole, is_last;
    struct db_ids pending;
    struct uuid *missing; /* the flow's arena */
    size_t missing_count;
    struct match_read read;
    struct db_match_requests found;
    struct match_request *awake; /* of those found; a scheduled one is not in Redis before its time */
    size_t awake_count;
    enum err err;
};

static bool must_check(const struct reconcile *r)
{
    return r->is_first_page && leadership_is_held();
}

static void choose(struct flow *f, struct page *c)
{
    c->is_last = c->pending.count < RECONCILE_PAGE;
    c->missing = ARENA_ARRAY(flow_arena(f), struct uuid, c->pending.count);
    if (matchmaker_pairing())
        c->missing_count = match_reconcile_page(match_reconcile_current(), &c->pending, c->missing);
    match_read_begin(&c->read, c->missing, c->missing_count);
}

static void choose_awake(struct flow *f, struct page *c)
{
    match_read_take(&c->read, &c->found);
    c->awake = ARENA_ARRAY(flow_arena(f), struct match_request, c->found.count);
    for (size_t i = 0; leadership_is_held() && i < c->found.count; i++)
        if (match_wait_start_ms(&c->found.items[i]) <= clock_now_ms())
            c->awake[c->awake_count++] = c->found.items[i];
}

static bool is_filled(const struct page *c)
{
    const struct reconcile *r = match_reconcile_current();
    return r->must_fill && !r->is_fill_broken && c->is_last;
}

static void run(struct flow *f)
{
    struct page *c = flow_ctx(f);
    FLOW_BEGIN(f);
    if (match_reconcile_current()->is_first_page) {
        AWAIT(f, db_topic_pairs(f, &c->pairs));
        if (matchmaker_pairing())
            matchmaker_set_compatible(&c->pairs);
    }
    if (must_check(match_reconcile_current())) {
        AWAIT_TRY(f, &c->err, kv_queue_check(f, &c->is_whole));
        match_reconcile_current()->must_fill = !c->err && !c->is_whole;
    }
    AWAIT(f, db_match_requests_pending(f, &match_reconcile_current()->after, RECONCILE_PAGE, &c->pending));
    choose(f, c);
    if (c->missing_count)
        AWAIT(f, db_match_requests_by_id(f, c->missing, c->missing_count, &c->found));
    choose_awake(f, c);
    if (c->awake_count)
        AWAIT_TRY(f, &c->err, kv_queue_add(f, c->awake, c->awake_count));
    if (c->err)
        match_reconcile_current()->is_fill_broken = true;
    if (is_filled(c))
        AWAIT_TRY(f, &c->err, kv_queue_filled(f));
    match_reconcile_page_done(true, c->is_last);
    FLOW_END(f);
fail:
    match_read_end(&c->read);
    match_reconcile_page_done(false, false);
}

static const struct flow_spec match_reconcile = {
    .name = "match.reconcile",
    .run = run,
    .ctx_size = sizeof(struct page),
    .deadline_ms = 30000,
};

void job_match_reconcile(void)
{
    flow_start(&(struct flow_start){.spec = &match_reconcile});
}
