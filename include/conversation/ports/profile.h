/* Port: what the product knows of a learner (docs/api.md, "Profiles"). */
#ifndef CONVERSATION_PORTS_PROFILE_H
#define CONVERSATION_PORTS_PROFILE_H

#include "conversation/domain/identity.h"
#include "conversation/rt/flow.h"

/* The caller's profile for practising `language`. ERR_INVALID_REQUEST with details naming the claim when the
 * level or the native language is not known. `out` is the flow's. */
void profile_get(struct flow *f, const struct identity *who, const char *language, struct profile *out);

#endif
