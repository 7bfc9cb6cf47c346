/* The topics of each language as GET /topics lists them: read from the database, rendered once, and kept for
 * TOPICS_CACHE_SECONDS. What depends on the learner (isUnlocked) is decided at each request. Not shared
 * between instances: reading a language every few seconds costs the database nothing. */
#ifndef FLOWS_TOPIC_LISTS_H
#define FLOWS_TOPIC_LISTS_H

#include "conversation/base/arena.h"
#include "conversation/domain/topic.h"

struct listed_topic {
    struct topic topic; /* level, category and required skills alone */
    struct str json[2]; /* the whole object; [1]: unlocked */
};

/* Counted; nothing in it changes. */
struct topic_list {
    struct arena arena; /* of everything in it */
    int refs;
    struct listed_topic *items;
    size_t count;
};

/* The list of a language, for topic_list_unref; NULL: read it, and topic_lists_keep. When a list has just
 * become too old, one caller gets NULL; the others get the old list while that one reads, for at most as long
 * again. */
struct topic_list *topic_lists_get(const char *language);
/* Renders what was read and keeps it; for topic_list_unref. `at_ms`: clock_mono_ms when it was asked for. */
struct topic_list *topic_lists_keep(const char *language, const struct topic *topics, size_t count,
                                    int64_t at_ms);
void topic_list_unref(struct topic_list *list); /* NULL is none */
void topic_lists_drop(void);                    /* keeps none any more */

/* The members of a topic that GET /topics and GET /topics/:code share. */
struct jsonw;
void topic_write(struct jsonw *w, const struct topic *t, bool is_unlocked);

#endif
