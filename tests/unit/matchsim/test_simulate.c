/* Generated days: the same seed gives the same, a trace of one replays identically and is read back as the
 * same workload, policies keep the rules, and the estimates hold as often as they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "matchsim/offline.h"
#include "matchsim/policy.h"
#include "matchsim/population.h"
#include "matchsim/replay.h"
#include "matchsim/report.h"
#include "matchsim/simulate.h"

static struct workload day;

static int setup(void **state)
{
    (void)state;
    const struct population_options options = {.seed = 7, .users = 6000, .hours = 24};
    population_generate(&options, &day);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    workload_done(&day);
    return 0;
}

static struct policy_choice policy(const char *text)
{
    struct policy_choice p = {.min_score = -1};
    assert_true(policy_parse(text, &p));
    return p;
}

static void trace_of_day(struct buf *out)
{
    struct simulation s;
    const struct policy_choice arrival = policy("arrival");
    simulate(&s, &day, &arrival, out);
    simulation_done(&s);
    buf_addc(out, '\0'); /* for strstr */
    out->n--;
}

static FILE *file_of(struct buf *text)
{
    FILE *file = fmemopen(text->p, text->n, "r");
    assert_non_null(file);
    return file;
}

static void replay_text(struct buf *text, struct replay_result *out)
{
    FILE *file = file_of(text);
    replay(file, out);
    fclose(file);
}

/* --- traces --- */

static void a_generated_trace_replays_byte_for_byte(void **state)
{
    (void)state;
    struct buf trace = {0};
    struct replay_result r;
    trace_of_day(&trace);
    replay_text(&trace, &r);
    assert_string_equal(r.problem, "");
    assert_int_equal(r.differing_line, 0);
    assert_true(r.added >= day.count && r.decisions > 1000 && r.expired > 100);
    assert_false(r.is_cut);
    replay_result_done(&r);
    buf_done(&trace);
}

static void a_changed_decision_is_found(void **state)
{
    (void)state;
    struct buf trace = {0};
    struct replay_result r;
    trace_of_day(&trace);
    char *score = strstr(trace.p, "\"score\":1");
    assert_non_null(score);
    score[8] = '2';
    replay_text(&trace, &r);
    assert_true(r.differing_line > 1);
    assert_non_null(strstr(r.expected, "\"score\":2"));
    assert_non_null(strstr(r.got, "\"score\":1"));
    replay_result_done(&r);
    buf_done(&trace);
}

static void a_line_that_is_missing_is_found(void **state)
{
    (void)state;
    struct buf trace = {0};
    struct replay_result r;
    trace_of_day(&trace);
    char *added = strstr(trace.p, "{\"event\":\"added\""), *end = strchr(added, '\n') + 1;
    memmove(added, end, trace.n - (size_t)(end - trace.p));
    trace.n -= (size_t)(end - added);
    replay_text(&trace, &r);
    assert_true(r.differing_line > 1);
    replay_result_done(&r);
    buf_done(&trace);
}

static void what_is_no_trace_is_named(void **state)
{
    (void)state;
    static char none_at_all[] = "hello\n", no_start[] = "{\"event\":\"none\",\"at\":1}\n";
    struct buf text = {.p = none_at_all, .n = strlen(none_at_all)};
    struct replay_result r;
    replay_text(&text, &r);
    assert_string_equal(r.problem, "line 1: not a JSON object");
    text = (struct buf){.p = no_start, .n = strlen(no_start)};
    replay_text(&text, &r);
    assert_string_equal(r.problem, "line 1: a trace begins with a start");
}

static void a_line_cut_by_a_crash_is_left_out(void **state)
{
    (void)state;
    struct buf trace = {0};
    struct replay_result r;
    trace_of_day(&trace);
    trace.n -= 10;
    replay_text(&trace, &r);
    assert_true(r.is_cut);
    assert_int_equal(r.differing_line, 0);
    replay_result_done(&r);
    buf_done(&trace);
}

static void a_trace_is_read_back_as_what_it_was_made_of(void **state)
{
    (void)state;
    struct buf trace = {0}, again = {0};
    struct workload w = {0};
    struct simulation s;
    const struct policy_choice arrival = policy("arrival");
    char problem[200];
    trace_of_day(&trace);
    FILE *file = file_of(&trace);
    assert_true(workload_read(&w, file, problem));
    fclose(file);
    assert_true(w.count >= day.count); /* those who came back after a no-show are requests, too */
    simulate(&s, &w, &arrival, &again);
    struct replay_result r;
    replay_text(&again, &r);
    assert_int_equal(r.differing_line, 0);
    replay_result_done(&r);
    simulation_done(&s);
    workload_done(&w);
    buf_done(&trace);
    buf_done(&again);
}

static void the_same_seed_gives_the_same_bytes(void **state)
{
    (void)state;
    const struct population_options options = {.seed = 7, .users = 6000, .hours = 24};
    struct workload w;
    struct simulation s;
    struct buf first = {0}, second = {0};
    const struct policy_choice arrival = policy("arrival");
    population_generate(&options, &w);
    trace_of_day(&first);
    simulate(&s, &w, &arrival, &second);
    assert_int_equal(first.n, second.n);
    assert_memory_equal(first.p, second.p, first.n);
    simulation_done(&s);
    workload_done(&w);
    buf_done(&first);
    buf_done(&second);
}

/* --- policies --- */

/* Whoever is matched is matched with one who is matched with them, both within their time, on the rules'
 * terms. */
static void check_outcomes(const struct simulation *s, const struct pairing_rules *rules)
{
    for (size_t i = 0; i < day.count; i++) {
        const struct outcome *o = &s->outcomes[i];
        const struct match_request *r = &day.learners[i].request;
        assert_in_range(o->wait_ms, 0, r->max_wait_seconds * 1000);
        if (o->end != WAIT_MATCHED || o->partner == UINT32_MAX)
            continue;
        assert_int_equal(s->outcomes[o->partner].partner, i);
        struct pairing_pair pair;
        assert_true(pairing_admits(rules, r, &day.learners[o->partner].request, r->created_at_ms + o->wait_ms,
                                   &pair));
        assert_int_equal(pair.score, o->score);
    }
}

static void check_policy(const char *text)
{
    const struct policy_choice choice = policy(text);
    struct pairing_rules rules;
    struct simulation s;
    policy_rules(&choice, &day.rules, &rules);
    simulate(&s, &day, &choice, NULL);
    check_outcomes(&s, &rules);
    simulation_done(&s);
}

static void every_policy_keeps_the_rules(void **state)
{
    (void)state;
    check_policy("arrival");
    check_policy("oldest");
    check_policy("batch:5");
    check_policy("arrival,min-score=80,phases=10/20/40");
    check_policy("arrival,phases=0/0/0");
}

static void what_is_no_policy_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "newest",
                                        "arrival:5",
                                        "batch:x",
                                        "batch:0",
                                        "arrival,phases",
                                        "arrival,phases=1/2",
                                        "arrival,phases=3/2/1",
                                        "oldest,x",
                                        "arrival,min-score=x"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct policy_choice p = {.min_score = -1};
        assert_false(policy_parse(wrong[i], &p));
    }
}

/* --- figures --- */

static void eighty_percent_intervals_hold_in_eighty_percent(void **state)
{
    (void)state;
    const struct population_options options = {.seed = 3, .users = 15000, .hours = 24};
    const struct policy_choice arrival = policy("arrival");
    struct workload w;
    struct simulation s;
    struct report report;
    population_generate(&options, &w);
    simulate(&s, &w, &arrival, NULL);
    report_make(&s, NULL, &report);
    for (size_t i = 0; i < report.count; i++) {
        const struct report_group *g = &report.groups[i];
        if (strcmp(g->dimension, "all") == 0 || strcmp(g->dimension, "language") == 0 ||
            strcmp(g->dimension, "partner level") == 0)
            assert_true(g->covered > 0.75 && g->covered < 0.85);
    }
    report_done(&report);
    simulation_done(&s);
    workload_done(&w);
}

static void nothing_beats_the_best_matching(void **state)
{
    (void)state;
    const struct policy_choice arrival = policy("arrival");
    struct offline_gap gap;
    offline_measure(&day, 1000, 400, &arrival, &gap);
    assert_int_equal(gap.requests, 400);
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        assert_true(gap.index[phase].score <= gap.best[phase].score);
        assert_true(gap.index[phase].score >= 0.97 * (double)gap.best[phase].score);
    }
    assert_true(gap.online.score > 0 && gap.online.score <= gap.hindsight.score);
}

static void a_policy_against_itself_makes_no_difference(void **state)
{
    (void)state;
    const struct policy_choice oldest = policy("oldest");
    struct simulation s, due;
    struct report report;
    simulate(&s, &day, &oldest, NULL);
    simulate(&due, &day, &oldest, NULL);
    report_make(&s, &due, &report);
    for (size_t i = 0; i < report.count; i++) {
        assert_true(report.groups[i].is_compared && !report.groups[i].is_flagged);
        assert_true(report.groups[i].more_wait.mean == 0);
    }
    assert_int_equal(report.groups[0].requests, day.count);
    report_done(&report);
    simulation_done(&s);
    simulation_done(&due);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_generated_trace_replays_byte_for_byte),
        cmocka_unit_test(a_changed_decision_is_found),
        cmocka_unit_test(a_line_that_is_missing_is_found),
        cmocka_unit_test(what_is_no_trace_is_named),
        cmocka_unit_test(a_line_cut_by_a_crash_is_left_out),
        cmocka_unit_test(a_trace_is_read_back_as_what_it_was_made_of),
        cmocka_unit_test(the_same_seed_gives_the_same_bytes),
        cmocka_unit_test(every_policy_keeps_the_rules),
        cmocka_unit_test(what_is_no_policy_is_refused),
        cmocka_unit_test(eighty_percent_intervals_hold_in_eighty_percent),
        cmocka_unit_test(nothing_beats_the_best_matching),
        cmocka_unit_test(a_policy_against_itself_makes_no_difference),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
