/* Waiting calls by user, in buckets; invariant: a watch is in its bucket from begin to end. */
#include "flows/match_watch.h"

#include "conversation/base/metrics.h"
#include "conversation/config.h"
#include "conversation/ports/db.h"

#define BUCKETS     1024
#define CHECK_MS    5000 /* so long does a lost message delay an answer at most */
#define CHECK_BATCH 1000 /* requests looked at by one statement */

static struct list buckets[BUCKETS]; /* all zero until the first watch of a bucket */
static size_t count;
static struct timer check_timer;

size_t match_watch_count(void)
{
    return count;
}

static struct list *bucket_of(const struct uuid *user_id)
{
    struct list *bucket = &buckets[(user_id->b[14] << 8 | user_id->b[15]) % BUCKETS];
    if (!bucket->next)
        list_init(bucket);
    return bucket;
}

static void on_check(struct timer *t);

static void count_one(int delta)
{
    count += (size_t)delta;
    metric_set(M_STATUS_WAITING, (double)count, NULL);
    if (count == 0)
        timer_stop(&check_timer);
    else if (!timer_is_running(&check_timer))
        timer_start(&check_timer, CHECK_MS, on_check);
}

bool match_watch_begin(struct match_watch *w, const struct uuid *user_id)
{
    if (count >= (size_t)config.match_status_max_waiting)
        return false;
    *w = (struct match_watch){.user_id = *user_id};
    list_add_tail(bucket_of(user_id), &w->link);
    count_one(1);
    return true;
}

/* Its wait, if any, is over. */
static void report(struct match_watch *w, enum err err)
{
    struct flow_op *op = w->op;
    timer_stop(&w->timer);
    w->op = NULL;
    if (op)
        flow_op_done(op, err);
}

void match_watch_end(struct match_watch *w)
{
    if (!list_is_linked(&w->link))
        return;
    list_remove(&w->link);
    report(w, ERR_CANCELLED);
    count_one(-1);
}

static void on_time_over(struct timer *t)
{
    report(container_of(t, struct match_watch, timer), OK);
}

void match_watch_wait(struct flow *f, struct match_watch *w, const struct uuid *request_id, int64_t ms)
{
    struct flow_op *op = flow_op_begin(f);
    w->request_id = *request_id;
    if (w->has_news) {
        w->has_news = false;
        flow_op_done_later(op, OK);
        return;
    }
    w->op = op;
    timer_start(&w->timer, ms, on_time_over);
}

static void tell(struct match_watch *w)
{
    w->has_news = w->op == NULL;
    report(w, OK);
}

void match_watch_news(const struct uuid *user_id)
{
    struct list *bucket = bucket_of(user_id);
    LIST_EACH (n, bucket) {
        struct match_watch *w = container_of(n, struct match_watch, link);
        if (uuid_eq(&w->user_id, user_id))
            tell(w);
    }
}

static void each_watch(void (*visit)(struct match_watch *w, void *arg), void *arg)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        if (!buckets[i].next)
            continue;
        LIST_EACH (n, &buckets[i])
            visit(container_of(n, struct match_watch, link), arg);
    }
}

static void release(struct match_watch *w, void *arg)
{
    (void)arg;
    tell(w);
}

void match_watch_release(void)
{
    each_watch(release, NULL);
}

/* --- the look for lost news --- */

struct check {
    struct uuid *request_ids; /* the flow's arena */
    size_t count, done;
    struct db_ids changed;
};

static void collect(struct match_watch *w, void *arg)
{
    struct check *c = arg;
    if (w->op)
        c->request_ids[c->count++] = w->request_id;
}

static size_t batch_of(const struct check *c)
{
    size_t left = c->count - c->done;
    return left < CHECK_BATCH ? left : CHECK_BATCH;
}

static void tell_changed(const struct check *c)
{
    for (size_t i = 0; i < c->changed.count; i++)
        match_watch_news(&c->changed.items[i]);
}

static void run_check(struct flow *f)
{
    struct check *c = flow_ctx(f);
    FLOW_BEGIN(f);
    c->request_ids = ARENA_ARRAY(flow_arena(f), struct uuid, count + 1);
    each_watch(collect, c);
    for (; c->done < c->count; c->done += batch_of(c)) {
        AWAIT(f, db_match_requests_settled(f, c->request_ids + c->done, batch_of(c), &c->changed));
        tell_changed(c);
    }
    FLOW_END(f);
fail:
    return; /* the engine logs it; the next look is CHECK_MS away */
}

static const struct flow_spec watch_check = {
    .name = "match_watch.check",
    .run = run_check,
    .ctx_size = sizeof(struct check),
    .deadline_ms = CHECK_MS - 1000,
};

static void on_check(struct timer *t)
{
    timer_start(t, CHECK_MS, on_check);
    if (db_is_up()) /* else it would fail, and be logged, every time */
        flow_start(&(struct flow_start){.spec = &watch_check});
}
