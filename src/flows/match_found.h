/* What a learner is told of a match. */
#ifndef FLOWS_MATCH_FOUND_H
#define FLOWS_MATCH_FOUND_H

#include "conversation/base/jsonw.h"
#include "conversation/domain/session.h"

/* The payload of `match_found` for participant `who`, but for the end of the object: the caller may add to
 * it. */
void match_found_write(struct jsonw *w, const struct uuid *request_id, const struct session *s, int who,
                       int level_difference);

struct match_found {
    const struct uuid *request_id;
    const struct session *session;
    int who, level_difference;
    bool is_any_level; /* by the any-level phase: a notice says so */
};
/* To every socket of participant `who`, and to calls that wait, here and elsewhere. */
void match_found_send(const struct match_found *found);

#endif
