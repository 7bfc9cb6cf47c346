#include "matchsim/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "matchsim/replay.h"
#include "matchsim/report.h"
#include "matchsim/simulate.h"

enum { EXIT_SAME = 0, EXIT_DIFFERS = 1, EXIT_UNREADABLE = 2 };

static FILE *open_trace(const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!file)
        fprintf(stderr, "conversation-matchsim: cannot read \"%s\": %s\n", path, strerror(errno));
    return file;
}

/* --- generate --- */

int command_generate(const struct command *c)
{
    struct workload w;
    struct simulation s;
    struct buf trace = {0};
    population_generate(&c->population, &w);
    simulate(&s, &w, &c->policies[0], &trace);
    bool is_written = fwrite(trace.p, 1, trace.n, stdout) == trace.n && fflush(stdout) == 0;
    if (!is_written)
        fprintf(stderr, "conversation-matchsim: %s\n", strerror(errno));
    simulation_done(&s);
    workload_done(&w);
    buf_done(&trace);
    return is_written ? 0 : EXIT_UNREADABLE;
}

/* --- replay --- */

int command_replay(const struct command *c)
{
    struct replay_result r;
    FILE *file = open_trace(c->trace);
    if (!file)
        return EXIT_UNREADABLE;
    replay(file, &r);
    if (file != stdin)
        fclose(file);
    int status = r.problem[0] ? EXIT_UNREADABLE : r.differing_line ? EXIT_DIFFERS : EXIT_SAME;
    if (r.problem[0])
        fprintf(stderr, "conversation-matchsim: %s\n", r.problem);
    if (r.differing_line)
        printf("line %zu differs\n- %s+ %s", r.differing_line, r.expected, r.got);
    if (r.is_cut)
        printf("the last line is not whole and was left out\n");
    printf("%zu lines, %zu starts, %zu requests, %zu decisions, %zu expired: %s\n", r.lines, r.starts,
           r.added, r.decisions, r.expired, status == EXIT_SAME ? "the same again" : "not the same");
    replay_result_done(&r);
    return status;
}

/* --- run --- */

/* The decisions that a group's due is judged by: the same terms, but first come, first served. */
static struct policy_choice due_of(const struct policy_choice *policy)
{
    struct policy_choice due = *policy;
    due.kind = &policy_kinds[POLICY_OLDEST];
    due.interval_ms = 0;
    return due;
}

static void print_head(const struct policy_choice *p, const struct workload *w, const struct simulation *s)
{
    struct pairing_rules rules;
    policy_rules(p, &w->rules, &rules);
    printf("%s: least score %d, phases from", p->name, rules.min_score);
    for (int i = 1; i < PHASE_COUNT; i++)
        printf(" %lld", (long long)pairing_phase_start_ms(&rules, (enum match_phase)i) / 1000);
    printf(" s; at most %zu waiting; %zu came back after a no-show, %zu of them were matched\n",
           s->peak_waiting, s->returns, s->returns_matched);
}

static void write_head(struct jsonw *json, const struct policy_choice *p, const struct workload *w,
                       const struct simulation *s)
{
    struct pairing_rules rules;
    policy_rules(p, &w->rules, &rules);
    jsonw_m_z(json, "policy", p->name);
    jsonw_m_int(json, "minScore", rules.min_score);
    jsonw_key(json, "phaseStartMs");
    jsonw_array(json);
    for (int i = 0; i < PHASE_COUNT; i++)
        jsonw_int(json, pairing_phase_start_ms(&rules, (enum match_phase)i));
    jsonw_end_array(json);
    jsonw_m_int(json, "peakWaiting", (int64_t)s->peak_waiting);
    jsonw_m_int(json, "returns", (int64_t)s->returns);
    jsonw_m_int(json, "returnsMatched", (int64_t)s->returns_matched);
}

/* Pools spread over the day. */
static void run_pools(const struct command *c, const struct workload *w, const struct policy_choice *p,
                      struct jsonw *json)
{
    if (json) {
        jsonw_key(json, "pools");
        jsonw_array(json);
    }
    size_t room = w->count > c->pool_size ? w->count - c->pool_size : 0;
    for (size_t i = 0; i < c->pools; i++) {
        struct offline_gap gap;
        offline_measure(w, room * (i + 1) / (c->pools + 1), c->pool_size, p, &gap);
        if (json)
            report_write_gap(json, &gap);
        else
            report_print_gap(stdout, &gap);
    }
    if (json)
        jsonw_end_array(json);
}

static void run_policy(const struct command *c, const struct workload *w, const struct policy_choice *p,
                       struct jsonw *json)
{
    struct simulation s, due;
    struct report report;
    const struct policy_choice due_policy = due_of(p);
    simulate(&s, w, p, NULL);
    simulate(&due, w, &due_policy, NULL);
    report_make(&s, p->kind == due_policy.kind ? NULL : &due, &report);
    if (json) {
        jsonw_object(json);
        write_head(json, p, w, &s);
        report_write(json, &report);
        run_pools(c, w, p, json);
        jsonw_end_object(json);
    } else {
        print_head(p, w, &s);
        report_print(stdout, &report);
        run_pools(c, w, p, NULL);
        putchar('\n');
    }
    report_done(&report);
    simulation_done(&s);
    simulation_done(&due);
}

static bool load(const struct command *c, struct workload *w)
{
    char problem[200];
    if (!c->trace) {
        population_generate(&c->population, w);
        return true;
    }
    FILE *file = open_trace(c->trace);
    if (!file)
        return false;
    bool is_read = workload_read(w, file, problem);
    if (!is_read)
        fprintf(stderr, "conversation-matchsim: %s\n", problem);
    if (file != stdin)
        fclose(file);
    return is_read;
}

static void run_all(const struct command *c, const struct workload *w)
{
    struct buf out = {0};
    struct jsonw json = jsonw_on(&out);
    if (c->is_json) {
        jsonw_object(&json);
        jsonw_m_int(&json, "requests", (int64_t)w->count);
        jsonw_key(&json, "policies");
        jsonw_array(&json);
    }
    for (size_t i = 0; i < c->policy_count; i++)
        run_policy(c, w, &c->policies[i], c->is_json ? &json : NULL);
    if (c->is_json) {
        jsonw_end_array(&json);
        jsonw_end_object(&json);
        printf("%.*s\n", (int)out.n, out.p);
    }
    buf_done(&out);
}

int command_run(const struct command *c)
{
    struct workload w = {0};
    bool is_loaded = load(c, &w) && w.count > 0;
    if (is_loaded)
        run_all(c, &w);
    else
        fputs("conversation-matchsim: no requests to simulate\n", stderr);
    workload_done(&w);
    return is_loaded ? 0 : EXIT_UNREADABLE;
}
