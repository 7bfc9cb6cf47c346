/* What the auth-service says about a learner (docs/api.md, "Profiles"):
 *
 *     {"userId","displayName","avatarUrl"?,"nativeLanguageCode","tier","learningProfileId","level","preferredAccent"?}
 */
#ifndef CONVERSATION_CODEC_LEARNING_PROFILE_H
#define CONVERSATION_CODEC_LEARNING_PROFILE_H

#include "conversation/base/arena.h"
#include "conversation/base/err.h"
#include "conversation/domain/identity.h"

/* OK; or ERR_INVALID_REQUEST with *problems, a JSON array in the arena that names each member that is wrong
 * and why, and nothing of what was in it. `user_id` is whose profile was asked for. Members that only
 * decorate (avatar, accent) are left out when they make no sense; a tier that is not known is free. */
enum err learning_profile_decode(struct str json, const struct uuid *user_id, struct profile *out,
                                 struct arena *arena, struct str *problems) MUST_CHECK;

/* The same again: what is appended decodes to an equal profile. */
void learning_profile_encode(const struct profile *p, const struct uuid *user_id, struct buf *out);

#endif
