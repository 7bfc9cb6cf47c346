/* Makes the decisions of a trace again, through the index, and compares them byte for byte. */
#ifndef MATCHSIM_REPLAY_H
#define MATCHSIM_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct replay_result {
    size_t lines, starts, added, decisions, expired; /* seen */
    size_t differing_line;                           /* 0: none */
    char problem[200];                               /* "": the trace could be read */
    bool is_cut;                                     /* the last line is not whole: left out */
    char *expected, *got;                            /* of the differing line; owned */
};

void replay(FILE *trace, struct replay_result *out);
void replay_result_done(struct replay_result *r);

#endif
