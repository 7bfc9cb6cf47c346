/* Who is calling: what a verified token says (docs/api.md, "Tokens"). Plain data. */
#ifndef CONVERSATION_DOMAIN_IDENTITY_H
#define CONVERSATION_DOMAIN_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/base/uuid.h"
#include "conversation/domain/level.h"

enum role { ROLE_MODERATOR = 1, ROLE_ADMIN = 2 }; /* bits */

#define IDENTITY_LEVELS_MAX 8

struct identity_level {
    char language[LANG_MAX];
    enum level level;
};

struct identity {
    struct uuid user_id;
    unsigned roles;
    enum tier tier;
    char display_name[NAME_MAX_BYTES]; /* claim `name`; "" when absent, so are the next three */
    char avatar_url[512];              /* claim `picture` */
    char native_language[LANG_MAX];
    char accent[ACCENT_MAX];
    struct identity_level levels[IDENTITY_LEVELS_MAX];
    int level_count;
    int64_t not_before_ms; /* 0: at once */
    int64_t expires_at_ms;
};

/* What matching needs to know of a learner. */
struct profile {
    struct uuid learning_profile_id; /* nil when unknown */
    enum tier tier;
    enum level level;
    char native_language[LANG_MAX];
    char display_name[NAME_MAX_BYTES];
    char avatar_url[512];
    char accent[ACCENT_MAX];
};

#endif
