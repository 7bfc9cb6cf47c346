#include "matchsim/replay.h"

#include <stdlib.h>
#include <string.h>

#include "conversation/codec/match_trace.h"

struct player {
    struct replay_result *out;
    struct pairing *index;            /* NULL before the first start */
    const struct pairing_pair *pairs; /* what the index decided last: a line each */
    size_t pair_count, pairs_played;
    struct arena tables; /* topics, phases: what the index borrows */
    struct arena arena;  /* of one line */
    struct buf got;
};

/* The rules outlive the event they came with. */
static const struct match_trace_event *keep(struct player *p, const struct match_trace_event *e)
{
    struct match_trace_event *kept = ARENA_NEW(&p->tables, struct match_trace_event);
    size_t count = e->rules.compatible_count;
    *kept = *e;
    struct topic_pair *pairs = ARENA_ARRAY(&p->tables, struct topic_pair, count);
    if (count)
        memcpy(pairs, e->rules.compatible, count * sizeof *pairs);
    kept->rules.compatible = pairs;
    kept->rules.phase_start_ms = kept->phase_start_ms;
    return kept;
}

static void start(struct player *p, const struct match_trace_event *e)
{
    pairing_free(p->index);
    arena_done(&p->tables);
    p->index = pairing_new(&keep(p, e)->rules);
    p->pair_count = p->pairs_played = 0;
    p->out->starts++;
}

static void replace_compatible(struct player *p, const struct match_trace_event *e)
{
    const struct pairing_rules *rules = &keep(p, e)->rules;
    pairing_set_compatible(p->index, rules->compatible, rules->compatible_count);
}

static void look(struct player *p, int64_t at_ms)
{
    if (p->pairs_played == p->pair_count) {
        p->pair_count = pairing_decide(p->index, at_ms, &p->pairs);
        p->pairs_played = 0;
    }
    if (p->pair_count)
        match_trace_write_decision(&p->got, at_ms, &p->pairs[p->pairs_played++]);
    else
        match_trace_write_none(&p->got, at_ms);
}

static void expire(struct player *p, int64_t at_ms)
{
    struct pairing_ticket ticket;
    if (pairing_expire(p->index, at_ms, &ticket))
        match_trace_write_expired(&p->got, at_ms, &ticket.request_id);
    else
        buf_addz(&p->got, "nothing expires\n");
}

/* What is told to the index is written again as it was understood; what the index answers, as it answers now.
 */
static void play(struct player *p, const struct match_trace_event *e)
{
    switch (e->kind) {
    case TRACE_START:
        start(p, e);
        match_trace_write_start(&p->got, e->at_ms, &e->rules);
        return;
    case TRACE_COMPATIBLE:
        replace_compatible(p, e);
        match_trace_write_compatible(&p->got, e->at_ms, e->rules.compatible, e->rules.compatible_count);
        return;
    case TRACE_ADDED:
        p->out->added++;
        pairing_add(p->index, &e->request);
        match_trace_write_added(&p->got, e->at_ms, &e->request);
        return;
    case TRACE_REMOVED:
        if (pairing_remove(p->index, &e->id))
            match_trace_write_removed(&p->got, e->at_ms, &e->id, e->reason);
        else
            buf_addz(&p->got, "there is nothing to remove\n");
        return;
    case TRACE_DECISION: p->out->decisions++; /* fallthrough */
    case TRACE_NONE: look(p, e->at_ms); return;
    case TRACE_EXPIRED:
        p->out->expired++;
        expire(p, e->at_ms);
        return;
    case TRACE_BEHAVIOUR: match_trace_write_behaviour(&p->got, e->at_ms, &e->id, &e->behaviour); return;
    case TRACE_KIND_COUNT: return;
    }
}

static char *copy(struct str s)
{
    char *z = calloc(s.n + 1, 1);
    if (!z)
        abort();
    memcpy(z, s.p, s.n);
    return z;
}

static bool play_line(struct player *p, struct str line)
{
    struct match_trace_event event;
    const char *why;
    bool is_read = match_trace_read(line, &p->arena, &event, &why);
    if (is_read && !p->index && event.kind != TRACE_START) {
        is_read = false;
        why = "a trace begins with a start";
    }
    if (!is_read) {
        snprintf(p->out->problem, sizeof p->out->problem, "line %zu: %s", p->out->lines, why);
        return false;
    }
    p->got.n = 0;
    play(p, &event);
    arena_done(&p->arena);
    if (str_eq(line, buf_str(&p->got)))
        return true;
    p->out->differing_line = p->out->lines;
    p->out->expected = copy(line);
    p->out->got = copy(buf_str(&p->got));
    return false;
}

void replay(FILE *trace, struct replay_result *out)
{
    struct player p = {.out = out};
    char *line = NULL;
    size_t capacity = 0;
    ssize_t n;
    *out = (struct replay_result){0};
    while ((n = getline(&line, &capacity, trace)) > 0) {
        if (line[n - 1] != '\n') {
            out->is_cut = true;
            break;
        }
        out->lines++;
        if (!play_line(&p, (struct str){line, (size_t)n}))
            break;
    }
    free(line);
    pairing_free(p.index);
    arena_done(&p.tables);
    arena_done(&p.arena);
    buf_done(&p.got);
}

void replay_result_done(struct replay_result *r)
{
    free(r->expected);
    free(r->got);
}
