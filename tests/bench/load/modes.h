/* What the program can measure; each prints one JSON object a figure, one a line. */
#pragma once

#include "learner.h"

struct target {
    int port, pid;
    int other_port,
        other_pid; /* of a second server, which the second learner of each pair goes to; 0: none */
};

/* Opens all sockets and prints what each costs the server in memory, and all in CPU time. */
void mode_idle(const struct target *target, struct plan *plan);

/* arguments: SECONDS, then rows: SESSIONSxIN_FLIGHT (a closed load) or SESSIONS@PER_SECOND (an open one) */
void mode_relay(const struct target *target, struct plan *plan, char **arguments);

/* arguments: SECONDS before it measures, SECONDS that it measures */
void mode_sessions(const struct target *target, struct plan *plan, char **arguments);

/* arguments: CONNECTIONS PAIRS_PER_SECOND; 0: all at once */
void mode_match(const struct target *target, struct plan *plan, char **arguments);
