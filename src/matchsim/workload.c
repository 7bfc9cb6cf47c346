#include "matchsim/workload.h"

#include <stdlib.h>
#include <string.h>

#include "conversation/base/list.h"

void workload_done(struct workload *w)
{
    free(w->learners);
    arena_done(&w->arena);
    *w = (struct workload){0};
}

struct learner *workload_add(struct workload *w)
{
    if (w->count == w->capacity) {
        w->capacity = w->capacity ? 2 * w->capacity : 1024;
        w->learners = realloc(w->learners, w->capacity * sizeof *w->learners);
        if (!w->learners)
            abort();
    }
    struct learner *l = &w->learners[w->count++];
    memset(l, 0, sizeof *l);
    return l;
}

static int compare(const void *a, const void *b)
{
    const struct learner *x = a, *y = b;
    if (x->arrives_at_ms != y->arrives_at_ms)
        return x->arrives_at_ms < y->arrives_at_ms ? -1 : 1;
    return uuid_cmp(&x->request.id, &y->request.id);
}

void workload_finish(struct workload *w)
{
    if (w->count)
        qsort(w->learners, w->count, sizeof *w->learners, compare);
}

/* --- from a trace --- */

/* What the lines said so far; learners move while they are read, so the map leads to indexes. */
struct seen {
    struct map_node by_id;
    size_t index;
};

struct reading {
    struct workload *w;
    struct map seen;
    struct arena arena;
};

static struct learner *find(struct reading *r, const struct uuid *id)
{
    struct map_node *node = map_get(&r->seen, id);
    return node ? &r->w->learners[container_of(node, struct seen, by_id)->index] : NULL;
}

static void take_start(struct reading *r, const struct match_trace_event *e)
{
    map_done(&r->seen);
    r->seen = (struct map){0};
    r->w->count = 0;
    r->w->rules = e->rules;
    memcpy(r->w->phase_start_ms, e->phase_start_ms, sizeof e->phase_start_ms);
    r->w->rules.phase_start_ms = r->w->phase_start_ms;
}

static void take_added(struct reading *r, const struct match_trace_event *e)
{
    if (find(r, &e->request.id)) /* lost by a claim that failed, and back */
        return;
    struct seen *seen = ARENA_NEW(&r->arena, struct seen);
    struct learner *l = workload_add(r->w);
    l->request = e->request;
    l->arrives_at_ms = e->at_ms;
    seen->index = r->w->count - 1;
    map_put(&r->seen, &e->request.id, &seen->by_id);
}

static void take(struct reading *r, const struct match_trace_event *e)
{
    struct learner *l = find(r, &e->id);
    switch (e->kind) {
    case TRACE_START: take_start(r, e); return;
    case TRACE_COMPATIBLE:
        r->w->rules.compatible = e->rules.compatible;
        r->w->rules.compatible_count = e->rules.compatible_count;
        return;
    case TRACE_ADDED: take_added(r, e); return;
    case TRACE_REMOVED:
        if (l && e->reason == REMOVED_CANCELLED)
            l->behaviour.cancels_at_ms = e->at_ms;
        return;
    case TRACE_BEHAVIOUR:
        if (l)
            l->behaviour = e->behaviour;
        return;
    case TRACE_DECISION:
    case TRACE_NONE:
    case TRACE_EXPIRED:
    case TRACE_KIND_COUNT: return;
    }
}

bool workload_read(struct workload *w, FILE *trace, char problem[200])
{
    struct reading r = {.w = w};
    char *line = NULL;
    size_t capacity = 0;
    ssize_t n;
    const char *why = NULL;
    for (size_t number = 1; !why && (n = getline(&line, &capacity, trace)) > 0; number++) {
        struct match_trace_event event;
        if (line[n - 1] != '\n')
            break; /* cut by the end of a crashed process */
        if (match_trace_read((struct str){line, (size_t)n}, &w->arena, &event, &why))
            take(&r, &event);
        else
            snprintf(problem, 200, "line %zu: %s", number, why);
    }
    free(line);
    map_done(&r.seen);
    arena_done(&r.arena);
    workload_finish(w);
    return !why;
}
