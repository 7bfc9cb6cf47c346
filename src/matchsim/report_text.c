/* The report as a table, and as JSON. */
#include <math.h>

#include "matchsim/report.h"

static void print_fairness(FILE *to, const struct report_group *g)
{
    if (!g->is_compared)
        return;
    fprintf(to, "  %+6.1f [%+6.1f, %+6.1f] %+5.1f%%%s", g->more_wait.mean, g->more_wait.low,
            g->more_wait.high, 100 * g->more_matches.mean, g->is_flagged ? "  WAITS MORE" : "");
}

void report_print(FILE *to, const struct report *r)
{
    bool is_compared = r->count && r->groups[0].is_compared;
    fprintf(to, "  %-22s %8s %7s %6s %6s %6s %7s %6s %5s %5s %6s%s\n", "", "requests", "matched", "p50 s",
            "p90 s", "p95 s", "queue s", "score", "any", "80 %", "width",
            is_compared ? "    against the group's due: s in queue, matched" : "");
    for (size_t i = 0; i < r->count; i++) {
        const struct report_group *g = &r->groups[i];
        fprintf(to, "  %-13s %-8s %8zu %6.1f%% %6.1f %6.1f %6.1f %7.1f %6.1f %4.0f%% %4.0f%% %6.1f",
                g->dimension, g->value, g->requests, 100 * g->match_rate, g->p50, g->p90, g->p95, g->in_queue,
                g->score, 100 * g->any_level, 100 * g->covered, g->width);
        print_fairness(to, g);
        fputc('\n', to);
    }
    fputs("  estimates from:", to);
    for (int i = 0; i <= WAIT_FROM_NOTHING; i++)
        fprintf(to, " %s %zu", wait_source_names[i], r->sources[i]);
    fputc('\n', to);
}

/* --- JSON --- */

static void write_rounded(struct jsonw *w, const char *key, double value)
{
    jsonw_m_double(w, key, round(value * 10000) / 10000);
}

static void write_mean(struct jsonw *w, const char *key, const struct report_mean *m)
{
    jsonw_key(w, key);
    jsonw_object(w);
    write_rounded(w, "mean", m->mean);
    write_rounded(w, "low", m->low);
    write_rounded(w, "high", m->high);
    jsonw_end_object(w);
}

static void write_group(struct jsonw *w, const struct report_group *g)
{
    jsonw_object(w);
    jsonw_m_z(w, "dimension", g->dimension);
    jsonw_m_z(w, "value", g->value);
    jsonw_m_int(w, "requests", (int64_t)g->requests);
    jsonw_m_int(w, "matched", (int64_t)g->matched);
    jsonw_m_int(w, "expired", (int64_t)g->expired);
    jsonw_m_int(w, "cancelled", (int64_t)g->cancelled);
    jsonw_m_int(w, "brokenByNoShow", (int64_t)g->broken);
    write_rounded(w, "matchRate", g->match_rate);
    write_rounded(w, "waitP50", g->p50);
    write_rounded(w, "waitP90", g->p90);
    write_rounded(w, "waitP95", g->p95);
    write_rounded(w, "meanInQueue", g->in_queue);
    write_rounded(w, "meanScore", g->score);
    write_rounded(w, "anyLevelShare", g->any_level);
    write_rounded(w, "intervalCoverage", g->covered);
    write_rounded(w, "intervalWidth", g->width);
    if (g->is_compared) {
        write_mean(w, "waitAgainstDue", &g->more_wait);
        write_mean(w, "matchedAgainstDue", &g->more_matches);
        jsonw_m_bool(w, "waitsMoreThanDue", g->is_flagged);
    }
    jsonw_end_object(w);
}

void report_write(struct jsonw *w, const struct report *r)
{
    jsonw_key(w, "groups");
    jsonw_array(w);
    for (size_t i = 0; i < r->count; i++)
        write_group(w, &r->groups[i]);
    jsonw_end_array(w);
    jsonw_key(w, "estimateSources");
    jsonw_object(w);
    for (int i = 0; i <= WAIT_FROM_NOTHING; i++)
        jsonw_m_int(w, wait_source_names[i], (int64_t)r->sources[i]);
    jsonw_end_object(w);
}

/* --- the gap --- */

static double gap_of(const struct offline_sum *got, const struct offline_sum *best)
{
    return best->score ? 1 - (double)got->score / (double)best->score : 0;
}

static void print_gap_row(FILE *to, const char *what, const struct offline_sum *got,
                          const struct offline_sum *best)
{
    fprintf(to, "    %-34s score %8lld of %8lld, gap %5.2f %%; pairs %5zu of %5zu\n", what,
            (long long)got->score, (long long)best->score, 100 * gap_of(got, best), got->pairs, best->pairs);
}

static const char *const phase_names[PHASE_COUNT] = {"strict", "level", "category", "anyLevel"};

void report_print_gap(FILE *to, const struct offline_gap *gap)
{
    fprintf(to, "  %zu requests against the maximum-weight matching\n", gap->requests);
    for (int i = 0; i < PHASE_COUNT; i++) {
        char what[64];
        snprintf(what, sizeof what, "index, all at once, phase %s", phase_names[i]);
        print_gap_row(to, what, &gap->index[i], &gap->best[i]);
    }
    print_gap_row(to, "policy as time goes, hindsight", &gap->online, &gap->hindsight);
}

static void write_gap_row(struct jsonw *w, const char *key, const struct offline_sum *got,
                          const struct offline_sum *best)
{
    jsonw_key(w, key);
    jsonw_object(w);
    jsonw_m_int(w, "score", got->score);
    jsonw_m_int(w, "bestScore", best->score);
    jsonw_m_int(w, "pairs", (int64_t)got->pairs);
    jsonw_m_int(w, "bestPairs", (int64_t)best->pairs);
    write_rounded(w, "gap", gap_of(got, best));
    jsonw_end_object(w);
}

void report_write_gap(struct jsonw *w, const struct offline_gap *gap)
{
    jsonw_object(w);
    jsonw_m_int(w, "requests", (int64_t)gap->requests);
    for (int i = 0; i < PHASE_COUNT; i++)
        write_gap_row(w, phase_names[i], &gap->index[i], &gap->best[i]);
    write_gap_row(w, "hindsight", &gap->online, &gap->hindsight);
    jsonw_end_object(w);
}
