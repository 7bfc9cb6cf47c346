/* Rows by id for many flows at once (pg.h). A group takes in questions until it is sent: at the end of the
 * loop's turn, or, when two groups are on their way already, when one of these is back, so that groups grow
 * with the load. Two, not one: a connection that has fallen silent must not hold up everybody. Invariant:
 * `open` has not left the pool's queue, and one that is not in it yet waits for one of IN_FLIGHT_MAX others.
 */
#include <stdlib.h>

#include "pool.h"
#include "rows.h"

#define IDS_MAX       64 /* a group's: what is lost with a connection is asked again as a whole */
#define IN_FLIGHT_MAX 2

struct ask {
    struct list link;
    struct flow_op *op;
    int id; /* index into the group's */
    void *out;
};

struct pg_group {
    struct pg_job job;
    struct pg_keyed *keyed;
    struct list asks;
    struct uuid ids[IDS_MAX];
    int count;
    bool is_submitted; /* to the pool */
};

static struct pg_group *group_of(const struct pg_job *job)
{
    return container_of(job, struct pg_group, job);
}

static void close_group(struct pg_group *g)
{
    if (g->keyed->open == g)
        g->keyed->open = NULL;
}

static void submit(struct pg_group *g)
{
    g->is_submitted = true;
    g->keyed->in_flight++;
    pg_pool_submit(&g->job);
}

/* --- the job's kind --- */

static bool is_wanted(const struct pg_job *job)
{
    LIST_EACH (n, &group_of(job)->asks)
        if (flow_op_is_wanted(container_of(n, struct ask, link)->op))
            return true;
    return false;
}

static void leaves_queue(struct pg_job *job)
{
    struct pg_group *g = group_of(job);
    close_group(g);
    if (job->args.count == 0) /* else it is sent again */
        pg_arg_uuids(&job->args, g->ids, (size_t)g->count);
}

static int index_of(const struct pg_group *g, const struct uuid *id)
{
    int i = 0;
    while (i < g->count && !uuid_eq(&g->ids[i], id))
        i++;
    return i;
}

/* For each id the row that begins with it, or -1. */
static void find_rows(const struct pg_group *g, int row_of[IDS_MAX])
{
    struct pg_rows all = pg_rows_of(g->job.result);
    for (int i = 0; i < g->count; i++)
        row_of[i] = -1;
    for (int row = 0; row < all.count; row++) {
        struct uuid id = pg_uuid(&all, row, 0);
        int i = index_of(g, &id);
        if (i < g->count)
            row_of[i] = row;
    }
}

static enum err read_row(const struct pg_group *g, const struct ask *a, int row)
{
    struct pg_rows rows = {g->job.result, row, row >= 0};
    if (!flow_op_is_wanted(a->op))
        return OK;
    return g->keyed->read(flow_op_flow(a->op), &rows, a->out);
}

static void answer(struct pg_group *g, enum err err)
{
    int row_of[IDS_MAX];
    if (!err)
        find_rows(g, row_of);
    while (!list_is_empty(&g->asks)) {
        struct ask *a = LIST_FIRST(&g->asks, struct ask, link);
        enum err outcome = err ? err : read_row(g, a, row_of[a->id]);
        list_remove(&a->link);
        flow_op_done(a->op, outcome);
        free(a);
    }
    pg_job_done(&g->job, err);
    free(g);
}

/* The group that has waited for its turn, if there is one. */
static void submit_next(struct pg_keyed *keyed)
{
    struct pg_group *next = keyed->open;
    if (!next || next->is_submitted)
        return;
    enum err refusal = pg_pool_refusal(&keyed->statement);
    if (!refusal) {
        submit(next);
        return;
    }
    close_group(next);
    answer(next, refusal);
}

static void finish(struct pg_job *job, enum err err)
{
    struct pg_group *g = group_of(job);
    struct pg_keyed *keyed = g->keyed;
    close_group(g);
    keyed->in_flight--;
    answer(g, err);
    submit_next(keyed);
}

/* --- asking --- */

static struct pg_group *open_group(struct pg_keyed *keyed)
{
    static const struct pg_job_kind kind = {
        .finish = finish, .is_wanted = is_wanted, .leaves_queue = leaves_queue, .may_repeat = true};
    struct pg_group *g = calloc(1, sizeof *g);
    if (!g)
        abort();
    g->job.kind = &kind;
    g->job.statement = &keyed->statement;
    g->keyed = keyed;
    list_init(&g->asks);
    keyed->open = g;
    if (keyed->in_flight < IN_FLIGHT_MAX)
        submit(g);
    return g;
}

/* The id's place in the group; a new one when there is room, else IDS_MAX. */
static int place_for(struct pg_group *g, const struct uuid *id)
{
    int i = index_of(g, id);
    if (i == g->count && g->count < IDS_MAX)
        g->ids[g->count++] = *id;
    return i;
}

void pg_run_keyed(struct flow *f, struct pg_keyed *keyed, const struct uuid *id, void *out)
{
    struct flow_op *op = flow_op_begin(f);
    enum err refusal = pg_pool_refusal(&keyed->statement);
    if (refusal) {
        flow_op_done_later(op, refusal);
        return;
    }
    struct pg_group *g = keyed->open ? keyed->open : open_group(keyed);
    int place = place_for(g, id);
    if (place == IDS_MAX) { /* full: sent without waiting for its turn */
        if (!g->is_submitted)
            submit(g);
        g = open_group(keyed);
        place = place_for(g, id);
    }
    struct ask *a = calloc(1, sizeof *a);
    if (!a)
        abort();
    *a = (struct ask){.op = op, .id = place, .out = out};
    list_add_tail(&g->asks, &a->link);
}
