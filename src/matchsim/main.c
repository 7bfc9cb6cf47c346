/* Command line of conversation-matchsim (docs/simulation.md). */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "matchsim/commands.h"

static const char help[] =
    "usage: conversation-matchsim generate [OPTION]... > TRACE\n"
    "       conversation-matchsim replay TRACE\n"
    "       conversation-matchsim run [TRACE] [OPTION]...\n"
    "\n"
    "generate  invents a day of match requests and writes it, with the decisions, as a trace\n"
    "replay    makes the decisions of a trace (of MATCH_TRACE_FILE, or generated) again and compares them "
    "byte for\n"
    "          byte: exit 0 when all are the same, 1 when one differs\n"
    "run       simulates the requests of a trace, or of a generated day, under one or more policies, and "
    "prints\n"
    "          waits, match rate, score, fairness by group, calibration of the estimates, and the gap to the "
    "best\n"
    "          matching\n"
    "TRACE may be - for standard input.\n"
    "\n"
    "the generated day (generate; run without TRACE):\n"
    "  --seed N           of the random numbers; the same seed gives the same day (1)\n"
    "  --users N          learners who ask at least once (50000)\n"
    "  --hours N          of the day, from midnight UTC (24)\n"
    "\n"
    "the simulation (run):\n"
    "  --policy POLICY    may be repeated; default arrival. NAME[:SECONDS][,min-score=N][,phases=S/S/S], "
    "NAME one of\n";

static const char more_help[] =
    "  --min-score N      MIN_COMPATIBILITY_SCORE, for policies that do not say (50, or the trace's)\n"
    "  --phase-seconds A,B,C\n"
    "                     when the second, third and fourth phase begin (30,60,120, or the trace's)\n"
    "  --pools N          how many pools are compared with the best matching; 0: none (3)\n"
    "  --pool-size N      requests in each, at most 5000 (2000)\n"
    "  --json             one JSON object instead of tables\n"
    "\n"
    "  --help, --version\n";

static void usage(FILE *to)
{
    fputs(help, to);
    for (int i = 0; i < POLICY_KIND_COUNT; i++)
        fprintf(to, "                       %-8s %s\n", policy_kinds[i].name, policy_kinds[i].summary);
    fputs(more_help, to);
}

static void refuse(const char *what, const char *value)
{
    fprintf(stderr, "conversation-matchsim: %s%s%s\nTry 'conversation-matchsim --help'.\n", what,
            value ? ": " : "", value ? value : "");
    exit(2);
}

static unsigned long number(const char *option, const char *text, int64_t min, int64_t max)
{
    int64_t n;
    if (!str_to_int(str_of(text), min, max, &n)) {
        char what[128];
        snprintf(what, sizeof what, "--%s must be from %lld to %lld, not", option, (long long)min,
                 (long long)max);
        refuse(what, text);
    }
    return (unsigned long)n;
}

static const struct option options[] = {
    {"seed", required_argument, NULL, 's'},
    {"users", required_argument, NULL, 'u'},
    {"hours", required_argument, NULL, 'o'},
    {"policy", required_argument, NULL, 'p'},
    {"min-score", required_argument, NULL, 'm'},
    {"phase-seconds", required_argument, NULL, 'f'},
    {"pools", required_argument, NULL, 'k'},
    {"pool-size", required_argument, NULL, 'z'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {0},
};

static void take_option(int option, const char *name, struct command *c)
{
    switch (option) {
    case 's': c->population.seed = number(name, optarg, 0, INT64_MAX); break;
    case 'u': c->population.users = (unsigned)number(name, optarg, 1, 1000000); break;
    case 'o': c->population.hours = (unsigned)number(name, optarg, 1, 24); break;
    case 'm': c->min_score = (int)number(name, optarg, 0, 1000); break;
    case 'k': c->pools = number(name, optarg, 0, 100); break;
    case 'z': c->pool_size = number(name, optarg, 2, 5000); break;
    case 'j': c->is_json = true; break;
    case 'f':
        c->has_phases = policy_parse_phases(optarg, ',', c->phase_start_ms);
        if (!c->has_phases)
            refuse("--phase-seconds must be three numbers that do not fall, not", optarg);
        break;
    case 'p':
        if (c->policy_count == COMMAND_POLICIES_MAX)
            refuse("too many policies", NULL);
        c->policy_texts[c->policy_count++] = optarg;
        break;
    case 'h': usage(stdout); exit(0);
    case 'v': puts("conversation-matchsim " CONVERSATION_VERSION); exit(0);
    default: fputs("Try 'conversation-matchsim --help'.\n", stderr); exit(2);
    }
}

/* Once all options are known: what a policy does not say itself is what the options say. */
static void parse_policies(struct command *c)
{
    if (c->policy_count == 0)
        c->policy_texts[c->policy_count++] = "arrival";
    for (size_t i = 0; i < c->policy_count; i++) {
        struct policy_choice *p = &c->policies[i];
        p->min_score = c->min_score;
        p->has_phases = c->has_phases;
        memcpy(p->phase_start_ms, c->phase_start_ms, sizeof p->phase_start_ms);
        if (!policy_parse(c->policy_texts[i], p))
            refuse("not a policy", c->policy_texts[i]);
    }
}

int main(int argc, char **argv)
{
    struct command c = {.population = {.seed = 1, .users = 50000, .hours = 24},
                        .min_score = -1,
                        .pools = 3,
                        .pool_size = 2000};
    int option, index = 0;
    while ((option = getopt_long(argc, argv, "", options, &index)) != -1)
        take_option(option, option == '?' ? "" : options[index].name, &c);
    parse_policies(&c);
    const char *command = optind < argc ? argv[optind++] : NULL;
    c.trace = optind < argc ? argv[optind++] : NULL;
    if (!command)
        refuse("a command is missing", NULL);
    if (optind < argc)
        refuse("unexpected argument", argv[optind]);
    if (strcmp(command, "generate") == 0 && !c.trace)
        return command_generate(&c);
    if (strcmp(command, "replay") == 0 && c.trace)
        return command_replay(&c);
    if (strcmp(command, "run") == 0)
        return command_run(&c);
    refuse("not a command, or its TRACE is missing or too many", command);
    return 2;
}
