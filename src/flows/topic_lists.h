/* The topics of each language as GET /topics lists them: read from the database, rendered once, and kept for
 * TOPICS_CACHE_SECONDS. What depends on the learner (isUnlocked) is decided at each request. Each instance
 * reads for itself: a language every few seconds costs the database nothing. What was read goes to Redis,
 * too, from where it is taken while the database is away. */
#ifndef FLOWS_TOPIC_LISTS_H
#define FLOWS_TOPIC_LISTS_H

#include "conversation/base/arena.h"
#include "conversation/domain/topic.h"
#include "conversation/ports/kv_topics.h"

struct listed_topic {
    enum level level;
    enum topic_category category;
    struct str lock;    /* what unlocks it among db_unlocked's codes; {NULL,0}: it needs no skill */
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

/* As Redis keeps it; texts are the arena's. */
void topic_list_write(const struct topic_list *list, struct arena *arena, struct kv_topic_lists *out);
/* Makes a list of that, and keeps it as if it had been read from the database. NULL: it is not whole. */
struct topic_list *topic_lists_take(const char *language, const struct kv_topic_lists *lists, int64_t at_ms);
void topic_lists_drop(void); /* keeps none any more */

/* The members of a topic that GET /topics and GET /topics/:code share. */
struct jsonw;
void topic_write(struct jsonw *w, const struct topic *t, bool is_unlocked);

#endif
