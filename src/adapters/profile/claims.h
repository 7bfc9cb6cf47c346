/* The profile as the caller's token tells it. */
#ifndef CONVERSATION_PROFILE_CLAIMS_H
#define CONVERSATION_PROFILE_CLAIMS_H

#include "conversation/domain/identity.h"

/* False when the level or the native language is missing; *out is then as it was. */
bool claims_profile(const struct identity *who, const char *language, struct profile *out);

/* Appends the `details` of an error: a JSON array that names the claims that are missing. */
void claims_missing(const struct identity *who, const char *language, struct buf *details);

#endif
