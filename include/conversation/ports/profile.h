/* Port: what the product knows of a learner (docs/api.md, "Profiles"). */
#ifndef CONVERSATION_PORTS_PROFILE_H
#define CONVERSATION_PORTS_PROFILE_H

#include "conversation/domain/identity.h"
#include "conversation/rt/flow.h"

/* Without a start profiles come from tokens alone, as they do when AUTH_SERVICE_URL is not set. False: that
 * URL cannot be used. */
bool profile_start(void);
void profile_stop(void); /* what is under way ends at once; harmless when not started */

/* The caller's profile for practising `language`: the auth-service's, or when that cannot say, the token's.
 * ERR_INVALID_REQUEST with details naming the claims that are missing, when the auth-service does not know
 * the learner or there is none; ERR_PROFILE_UNAVAILABLE when it is away and the token does not suffice.
 * `out` is the flow's. */
void profile_get(struct flow *f, const struct identity *who, const char *language, struct profile *out);

#endif
