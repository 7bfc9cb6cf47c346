/* The list of policies, and the one that the daemon has: the pairing index. */
#include "matchsim/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conversation/base/str.h"
#include "matchsim/pool.h"

/* --- the index --- */

static void *arrival_start(const struct pairing_rules *rules, int64_t interval_ms)
{
    (void)interval_ms;
    return pairing_new(rules);
}

static void arrival_stop(void *state)
{
    pairing_free(state);
}

static void arrival_add(void *state, const struct match_request *r)
{
    pairing_add(state, r);
}

static bool arrival_remove(void *state, const struct uuid *id)
{
    return pairing_remove(state, id);
}

static bool arrival_has_due(const void *state, int64_t now_ms)
{
    return pairing_has_due(state, now_ms);
}

static size_t arrival_decide(void *state, int64_t now_ms, const struct pairing_pair **pairs)
{
    return pairing_decide(state, now_ms, pairs);
}

static bool arrival_expire(void *state, int64_t now_ms, struct pairing_ticket *out)
{
    return pairing_expire(state, now_ms, out);
}

static int64_t arrival_next_due_ms(const void *state)
{
    return pairing_next_due_ms(state);
}

/* --- the list --- */

#define POOL_ROW(name_, summary_, start_)                                                             \
    {                                                                                                 \
        .name = name_, .summary = summary_, .start = start_, .stop = pool_stop, .add = pool_add,      \
        .remove = pool_remove, .has_due = pool_has_due, .decide = pool_decide, .expire = pool_expire, \
        .next_due_ms = pool_next_due_ms                                                               \
    }

const struct policy_kind policy_kinds[POLICY_KIND_COUNT] = {
    [POLICY_ARRIVAL] = {.name = "arrival",
                        .summary = "what the daemon does: on arrival and at each phase, the best score",
                        .start = arrival_start,
                        .stop = arrival_stop,
                        .add = arrival_add,
                        .remove = arrival_remove,
                        .has_due = arrival_has_due,
                        .decide = arrival_decide,
                        .expire = arrival_expire,
                        .next_due_ms = arrival_next_due_ms},
    [POLICY_OLDEST] =
        POOL_ROW("oldest", "on arrival and at each phase, the one who waits longest; blind to scores",
                 pool_start_oldest),
    [POLICY_BATCH] = POOL_ROW("batch", "every SECONDS (default 5), the pairs of the greatest total score",
                              pool_start_batch),
};

bool policy_parse_phases(const char *text, char separator, int64_t out[PHASE_COUNT])
{
    struct str rest = str_of(text);
    int64_t phases[PHASE_COUNT] = {0};
    for (int i = 1; i < PHASE_COUNT; i++) {
        int64_t seconds;
        struct str item = str_cut(&rest, separator);
        if (!str_to_int(item, 0, 86400, &seconds) || seconds * 1000 < phases[i - 1])
            return false;
        phases[i] = seconds * 1000;
    }
    if (rest.p)
        return false;
    memcpy(out, phases, sizeof phases);
    return true;
}

static bool parse_option(struct str option, struct policy_choice *out)
{
    char value[64];
    int64_t number;
    struct str name = str_cut(&option, '=');
    if (!option.p || !str_copy(option, value, sizeof value))
        return false;
    if (str_eqz(name, "phases"))
        return out->has_phases = policy_parse_phases(value, '/', out->phase_start_ms);
    if (!str_eqz(name, "min-score") || !str_to_int(option, 0, 1000, &number))
        return false;
    out->min_score = (int)number;
    return true;
}

static const struct policy_kind *kind_of(struct str name)
{
    for (int i = 0; i < POLICY_KIND_COUNT; i++)
        if (str_eqz(name, policy_kinds[i].name))
            return &policy_kinds[i];
    return NULL;
}

bool policy_parse(const char *text, struct policy_choice *out)
{
    struct str rest = str_of(text), seconds = str_cut(&rest, ','), name = str_cut(&seconds, ':');
    int64_t interval = 5;
    out->kind = kind_of(name);
    if (!out->kind || !str_copy(str_of(text), out->name, sizeof out->name))
        return false;
    if (seconds.p && (out->kind != &policy_kinds[POLICY_BATCH] || !str_to_int(seconds, 1, 300, &interval)))
        return false;
    out->interval_ms = out->kind == &policy_kinds[POLICY_BATCH] ? interval * 1000 : 0;
    while (rest.p)
        if (!parse_option(str_cut(&rest, ','), out))
            return false;
    return true;
}

void policy_rules(const struct policy_choice *choice, const struct pairing_rules *workload,
                  struct pairing_rules *out)
{
    *out = *workload;
    if (choice->min_score >= 0)
        out->min_score = choice->min_score;
    if (choice->has_phases)
        out->phase_start_ms = choice->phase_start_ms;
    if (choice->interval_ms > out->last_pass_ms) /* or the last pass would fall between two decisions */
        out->last_pass_ms = choice->interval_ms;
}
