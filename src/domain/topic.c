/* Topics: names, who may talk about one, and the prompt a conversation starts with. */
#include "conversation/domain/topic.h"

const char *const topic_category_names[] = {"daily_life", "travel", "work",  "hobbies",
                                            "culture",    "news",   "other", NULL};
const char *const prompt_type_names[] = {"icebreaker", "main", "follow_up", NULL};
const char *const prompt_category_names[] = {"icebreaker", "main_topic", "follow_up", NULL};

#define FREE_LEVEL_MAX LEVEL_A2 /* the free tier talks about topics up to this level */

enum err topic_access(const struct topic *topic, enum tier tier, const char **reason)
{
    /* The tier first: skills can be earned, so "get these skills" must not be said to someone they would not
     * help. */
    if (tier == TIER_FREE && topic->level > FREE_LEVEL_MAX) {
        *reason = "TIER";
        return ERR_TOPIC_LOCKED;
    }
    if (!topic->has_required_skills) {
        *reason = "REQUIRED_SKILLS";
        return ERR_TOPIC_LOCKED;
    }
    return OK;
}

const struct topic_prompt *topic_first_prompt(const struct topic_prompt *prompts, size_t count)
{
    const struct topic_prompt *first = NULL;
    for (size_t i = 0; i < count; i++) {
        if (prompts[i].type == PROMPT_ICEBREAKER && (!first || prompts[i].order < first->order))
            first = &prompts[i];
    }
    return first;
}
