/* Port: what other services have told, and what follows from it. The rules of ports/db.h hold. */
#ifndef CONVERSATION_PORTS_DB_PROJECTION_H
#define CONVERSATION_PORTS_DB_PROJECTION_H

#include <stddef.h>
#include <stdint.h>

#include "conversation/base/uuid.h"
#include "conversation/rt/flow.h"

struct db_skill {
    struct uuid user_id, skill_id;
    const char *code;
    int64_t acquired_at_ms;
};
/* Again: changes nothing. */
void db_skill_store(struct flow *f, const struct db_skill *skill);

/* The topics that need skills and that the user has these for: "en:restaurant.ordering", and first
 * "free_talk", which everybody may talk about in every language: so there is always one. */
struct db_unlocked {
    const char *const *codes;
    size_t count;
};
void db_unlocked_topics(struct flow *f, const struct uuid *user_id, struct db_unlocked *out);

/* ERR_NOT_FOUND: no such session. */
void db_transcript_store(struct flow *f, const struct uuid *session_id, const struct uuid *transcript_id);

/* Each topic's popularity from the conversations since `since_ms`; *changed is how many topics have another
 * one now. At most one instance at a time works at it; the others change nothing. */
void db_popularity_compute(struct flow *f, int64_t since_ms, int *changed);

#endif
