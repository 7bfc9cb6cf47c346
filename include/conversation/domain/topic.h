/* Topics and their prompts (docs/sessions.md, "Prompts"), and who may talk about which. */
#ifndef CONVERSATION_DOMAIN_TOPIC_H
#define CONVERSATION_DOMAIN_TOPIC_H

#include <stdbool.h>
#include <stddef.h>

#include "conversation/base/err.h"
#include "conversation/domain/level.h"

enum topic_category {
    CATEGORY_DAILY_LIFE,
    CATEGORY_TRAVEL,
    CATEGORY_WORK,
    CATEGORY_HOBBIES,
    CATEGORY_CULTURE,
    CATEGORY_NEWS,
    CATEGORY_OTHER,
    CATEGORY_COUNT
};
extern const char *const topic_category_names[]; /* NULL-terminated */

enum prompt_type { PROMPT_ICEBREAKER, PROMPT_MAIN, PROMPT_FOLLOW_UP, PROMPT_TYPE_COUNT };
extern const char *const prompt_type_names[];     /* as stored: icebreaker, main, follow_up */
extern const char *const prompt_category_names[]; /* as shown: icebreaker, main_topic, follow_up */

#define PROMPT_KEY_MAX    128
#define TOPIC_PROMPTS_MAX 32

struct topic_prompt {
    char key[PROMPT_KEY_MAX];
    enum prompt_type type;
    int order;
};

/* Strings are the arena's of the call that read the topic. */
struct topic {
    const char *code, *language, *name_key, *description_key, *title, *description,
        *image_url; /* last two may be NULL */
    enum level level;
    enum topic_category category;
    int estimated_duration_minutes;
    double popularity_score;
    const char *const *required_skills; /* required_skill_count codes */
    size_t required_skill_count;
    bool has_required_skills;           /* of the learner the topic was read for */
    const struct topic_prompt *prompts; /* only where the call says so; by type, then order */
    size_t prompt_count;
};

/* OK, or ERR_TOPIC_LOCKED with *reason "REQUIRED_SKILLS" or "TIER" (docs/api.md, "Locked topics"). */
enum err topic_access(const struct topic *topic, enum tier tier, const char **reason) MUST_CHECK;

/* The first icebreaker by order; NULL when there is none. */
const struct topic_prompt *topic_first_prompt(const struct topic_prompt *prompts, size_t count);

#endif
