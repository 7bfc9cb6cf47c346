/* The profile as the caller's token tells it (docs/api.md, "Profiles"). No I/O, yet it reports like every adapter. */
#include <stdio.h>
#include <string.h>

#include "conversation/ports/profile.h"

static const struct identity_level *find_level(const struct identity *who, const char *language, size_t n)
{
    for (int i = 0; i < who->level_count; i++) {
        const char *has = who->levels[i].language;
        if (strlen(has) == n && strncmp(has, language, n) == 0)
            return &who->levels[i];
    }
    return NULL;
}

/* The claim for "en-GB", or else the one for "en". */
static const struct identity_level *level_for(const struct identity *who, const char *language)
{
    const struct identity_level *exact = find_level(who, language, strlen(language));
    return exact ? exact : find_level(who, language, strcspn(language, "-"));
}

static struct flow_op *missing(struct flow *f, struct flow_op *op, const char *claim)
{
    flow_set_error_field(f, ERR_INVALID_REQUEST, claim, "claim missing from the token");
    return op;
}
