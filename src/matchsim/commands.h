/* What conversation-matchsim does, once its command line is understood. Each returns the exit status. */
#ifndef MATCHSIM_COMMANDS_H
#define MATCHSIM_COMMANDS_H

#include "matchsim/policy.h"
#include "matchsim/population.h"

#define COMMAND_POLICIES_MAX 16

struct command {
    struct population_options population;
    const char *trace; /* a path, "-", or NULL */
    const char *policy_texts[COMMAND_POLICIES_MAX];
    struct policy_choice policies[COMMAND_POLICIES_MAX];
    size_t policy_count, pools, pool_size;
    int min_score; /* < 0: not given */
    bool has_phases, is_json;
    int64_t phase_start_ms[PHASE_COUNT];
};

int command_generate(const struct command *c);
int command_replay(const struct command *c);
int command_run(const struct command *c);

#endif
