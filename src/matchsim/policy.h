/* A policy decides who is paired when, of those who wait; all of them under the rules of pairing_admits. */
#ifndef MATCHSIM_POLICY_H
#define MATCHSIM_POLICY_H

#include "conversation/domain/pairing.h"

struct policy; /* one that runs */

/* What it does at `now_ms`; as pairing_has_due, pairing_decide, pairing_expire and pairing_next_due_ms, which
 * see. */
struct policy_kind {
    const char *name, *summary;
    void *(*start)(const struct pairing_rules *rules, int64_t interval_ms);
    void (*stop)(void *state);
    void (*add)(void *state,
                const struct match_request *r); /* the request stays where it is until it leaves */
    bool (*remove)(void *state, const struct uuid *id);
    bool (*has_due)(const void *state, int64_t now_ms);
    size_t (*decide)(void *state, int64_t now_ms, const struct pairing_pair **pairs);
    bool (*expire)(void *state, int64_t now_ms, struct pairing_ticket *out);
    int64_t (*next_due_ms)(const void *state);
};

extern const struct policy_kind policy_kinds[];
enum { POLICY_ARRIVAL, POLICY_OLDEST, POLICY_BATCH, POLICY_KIND_COUNT };

/* A kind with its numbers. */
struct policy_choice {
    const struct policy_kind *kind;
    int64_t interval_ms; /* between decisions; 0: at once */
    int min_score;       /* < 0: as the workload says */
    bool has_phases;     /* else: as the workload says */
    int64_t phase_start_ms[PHASE_COUNT];
    char name[80]; /* as given */
};

/* "NAME[:SECONDS][,min-score=N][,phases=S/S/S]"; false: not understood. `out` has the defaults already. */
bool policy_parse(const char *text, struct policy_choice *out);

/* Seconds separated by `separator`, as many as there are phases after the first. */
bool policy_parse_phases(const char *text, char separator, int64_t out[PHASE_COUNT]);

/* The rules it decides by; `out` borrows from both. */
void policy_rules(const struct policy_choice *choice, const struct pairing_rules *workload,
                  struct pairing_rules *out);

#endif
